"""Fertility counts what was held out, by language, variety and period, for every tokenizer alike."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hemicycle.curate import CORPUS
from hemicycle.documents import write_parquet
from hemicycle.errors import InputError
from hemicycle.tokens import fertility, load_tokenizer
from hemicycle.tokens.fertility import period
from tests.conftest import write_corpus

ABOUT = [
    ("1789-05-05", "fr", "fr-FR"),
    ("1750", "fr", "fr-FR"),
    ("2013-07-01", "fr", "fr-FR"),
    (None, "fr", None),
    ("2013", "br", None),
]


@pytest.fixture
def dated(tmp_path):
    """Five held-out documents of four words each, and one that is learnt on."""
    corpus = write_corpus(
        tmp_path, {"a": ["l'arc-en-ciel de 1789"] * 5 + ["appris"]}, {f"a:{n}" for n in range(5)}
    )
    path = corpus / "kept" / "a" / "00000.parquet"
    rows = pq.read_table(path).to_pylist()
    for row, (date, language, variety) in zip(rows, ABOUT, strict=False):
        row |= {"date": date, "language": language, "variety": variety}
    write_parquet(path, CORPUS, [pa.Table.from_pylist(rows, CORPUS)])
    return corpus


def test_groups_are_language_variety_and_period(dated, tokenizer):
    rows = fertility(dated, {"ours": tokenizer})
    assert [(r["language"], r["variety"], r["period"], r["documents"], r["words"]) for r in rows] == [
        ("br", None, "2010–2019", 1, 4),
        ("fr", "fr-FR", "1700–1799", 2, 8),
        ("fr", "fr-FR", "2010–2019", 1, 4),
        ("fr", None, None, 1, 4),
        (None, None, None, 5, 20),
    ]


def test_tokens_are_those_of_each_tokenizer(dated, tokenizer):
    rows = fertility(dated, {"ours": tokenizer, "theirs / 2": tokenizer})
    tokens = len(load_tokenizer(tokenizer).encode("l'arc-en-ciel de 1789", add_special_tokens=False).ids)
    found = rows[-1]["tokenizers"]
    assert found["ours"] == found["theirs / 2"]
    assert found["ours"] == {
        "tokens": 5 * tokens,
        "tokens_per_word": round(tokens / 4, 4),
        "bytes_per_token": round(21 / tokens, 4),
    }


def test_nothing_held_out_is_said(tokenizer, tmp_path):
    with pytest.raises(InputError, match="holds nothing out"):
        fertility(write_corpus(tmp_path, {"a": ["un"]}), {"ours": tokenizer})


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("1789-05-05", "1700–1799"),
        ("1899", "1800–1899"),
        ("1900", "1900–1909"),
        ("2013-07", "2010–2019"),
        ("0012", "0000–0099"),
        (None, None),
        ("", None),
        ("vers 1850", None),
        ("18500", None),
        ("١٧٨٩", None),
    ],
)
def test_a_period_is_a_century_and_from_1900_a_decade(date, expected):
    assert period(date) == expected
