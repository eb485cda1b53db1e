"""Things several rooms' tests need: a small corpus artefact, and the samples where they are present."""

import os
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import settings

from hemicycle.cli import main
from hemicycle.curate import CORPUS
from hemicycle.digests import sha256_text
from hemicycle.documents import write_parquet
from hemicycle.tokens import tokenize, train_tokenizer

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

if "HEMICYCLE_FUZZ" in os.environ:
    # Tests that name no number of examples of their own follow it, too.
    settings.register_profile("fuzz", max_examples=int(os.environ["HEMICYCLE_FUZZ"]), deadline=None)
    settings.load_profile("fuzz")

SITTINGS = Path(__file__).resolve().parents[1] / "examples" / "petit-hemicycle" / "sittings"


@pytest.fixture(scope="session")
def samples():
    """The folder of real sample data beside the repository; tests that need it skip without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "samples"
    if not folder.is_dir():
        pytest.skip("the sample data is not beside the repository")
    return folder


WORDS = "la séance est ouverte monsieur le ministre l'eau n° 12 budget déposé « oui » rejeté adopté".split()


def text(n, length=60):
    return " ".join(WORDS[(n * 7 + i * (n + 3)) % len(WORDS)] for i in range(length + n)) + "."


def write_corpus(folder, sources, held_out=()):
    """A corpus artefact: source → texts. Documents named in `held_out` are in that split."""
    (folder / "kept").mkdir(parents=True)
    for source, texts in sources.items():
        rows = []
        for i, content in enumerate(texts):
            doc_id = f"{source}:{i}"
            rows.append(
                {
                    "id": doc_id,
                    "text": content,
                    "digest": sha256_text(content),
                    "clean_digest": sha256_text(content),
                    "source": source,
                    "origin": str(i),
                    "group": doc_id,
                    "language": "fr",
                    "kind": "debate",
                    "split": "held-out" if doc_id in held_out else "train",
                }
            )
        path = folder / "kept" / source / "00000.parquet"
        path.parent.mkdir()
        write_parquet(path, CORPUS, [pa.Table.from_pylist(rows, CORPUS)])
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    sources = {"a": [text(n) for n in range(12)], "b": [text(n + 50, 200) for n in range(5)]}
    return write_corpus(tmp_path_factory.mktemp("corpus"), sources, held_out={"a:3"})


@pytest.fixture(scope="session")
def tokenizer(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(corpus, folder, vocab=320)
    return folder


@pytest.fixture(scope="session")
def tokens(corpus, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    tokenize(corpus, tokenizer, folder, shard_tokens=1_000)
    return folder


@pytest.fixture
def call(capsys, monkeypatch):
    """Run the command line in this process; returns exit code, stdout, stderr."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["hemicycle", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    return run
