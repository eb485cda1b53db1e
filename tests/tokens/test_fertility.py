"""Fertility counts what was held out, by language, variety and period, for every tokenizer alike."""

import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

from hemicycle.curate import CORPUS
from hemicycle.documents import write_parquet
from hemicycle.errors import DeclarationError, InputError
from hemicycle.tokens import fertility, load_tokenizer
from hemicycle.tokens.fertility import period
from hemicycle.tokens.fertility_picture import fertility_picture
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


def test_the_picture_has_a_bar_a_tokenizer_in_each_group_and_the_sum(dated, tokenizer, monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    names = {"ours": tokenizer, "_$theirs$": tokenizer}
    rows = fertility(dated, names)
    fertility_picture(rows)
    (axes,) = drawn[0].axes
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels == ["br  2010–2019", "fr-FR  1700–1799", "fr-FR  2010–2019", "fr  –", "Σ"]
    widths = [[bar.get_width() for bar in bars] for bars in axes.containers]
    assert widths == [[row["tokenizers"][name]["bytes_per_token"] for row in rows] for name in names]
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == list(names)
    assert "octets" in axes.get_xlabel()


def test_equal_figures_give_an_equal_picture_and_many_groups_a_small_one(dated, tokenizer):
    rows = fertility(dated, {"ours": tokenizer})
    assert fertility_picture(rows) == fertility_picture(rows)
    many = [{**rows[1], "period": str(n), "words": n} for n in range(10_000)]
    assert len(fertility_picture([*many, rows[-1]])) < 200_000


def test_without_matplotlib_the_error_says_what_to_install(dated, tokenizer, monkeypatch):
    rows = fertility(dated, {"ours": tokenizer})
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DeclarationError, match="matplotlib") as told:
        fertility_picture(rows)
    assert "hemicycle[train]" in told.value.remedy
