"""Building: shards follow from their files, so an index takes over what an earlier one has and goes on."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hemicycle.documents import Document
from hemicycle.store import digest_files
from hemicycle.trace import build
from hemicycle.trace.build import build_index
from hemicycle.trace.index import open_index
from hemicycle.trace.spans import find_spans, occurrences

MEMORY = 20 * 40


def source(name: str, documents: int = 8) -> list[Document]:
    return [Document(str(i), " ".join(f"{name}{i}m{j}" for j in range(5))) for i in range(documents)]


SOURCES = {f"s{number:02d}": source(f"s{number}") for number in range(16)}


@pytest.fixture
def corpus(tmp_path: Path, write_corpus):
    def written(name: str, **changes: list[Document]) -> Path:
        return write_corpus(tmp_path / name, SOURCES | changes)

    return written


def built(monkeypatch) -> list[Path]:
    """The groups that are made from now on."""
    made: list[Path] = []
    make = build.build_group

    def recorded(**arguments):
        made.append(Path(arguments["out"]))
        return make(**arguments)

    monkeypatch.setattr(build, "build_group", recorded)
    return made


def shards(manifest) -> list[int]:
    return [len(group["shards"]) for group in manifest["groups"]]


def test_a_source_more_changes_few_groups_and_the_others_are_taken_over(tmp_path, corpus, monkeypatch):
    first = build_index([corpus("one")], tmp_path / "one-index", memory=MEMORY)
    assert len(first["groups"]) >= 5
    assert sum(shards(first)) > len(first["groups"])
    made = built(monkeypatch)
    more = corpus("two", s07b=source("more"))
    second = build_index([more], tmp_path / "two-index", memory=MEMORY, earlier=[tmp_path / "one-index"])
    kept = {g["key"] for g in first["groups"]} & {g["key"] for g in second["groups"]}
    assert len(second["groups"]) - len(kept) == len(made) <= 2
    build_index([more], tmp_path / "alone", memory=MEMORY)
    assert digest_files(tmp_path / "alone") == digest_files(tmp_path / "two-index")


def test_shards_that_an_earlier_index_no_longer_has_whole_are_made_again(tmp_path, corpus, monkeypatch):
    one = corpus("one")
    manifest = build_index([one], tmp_path / "one-index", memory=MEMORY)
    (tmp_path / "one-index" / "table.0").write_bytes(b"harmed")
    (tmp_path / "other").mkdir()
    made = built(monkeypatch)
    earlier = [tmp_path / "other", tmp_path / "one-index"]
    build_index([one], tmp_path / "again", memory=MEMORY, earlier=earlier)
    assert [folder.name for folder in made] == [manifest["groups"][0]["key"][:16]]
    open_index(tmp_path / "again")


def test_shards_of_another_version_are_made_again(tmp_path, corpus, monkeypatch):
    one = corpus("one")
    first = build_index([one], tmp_path / "one-index", memory=MEMORY, version=3)
    made = built(monkeypatch)
    build_index([one], tmp_path / "same", memory=MEMORY, version=3, earlier=[tmp_path / "one-index"])
    assert made == []
    build_index([one], tmp_path / "new", memory=MEMORY, version=4, earlier=[tmp_path / "one-index"])
    assert len(made) == len(first["groups"])


def test_a_build_that_was_killed_goes_on(tmp_path, corpus, monkeypatch):
    one = corpus("one")
    whole = build_index([one], tmp_path / "whole", memory=MEMORY)
    make, left = build.build_group, iter(range(3))

    def killed(**arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return make(**arguments)

    monkeypatch.setattr(build, "build_group", killed)
    with pytest.raises(KeyboardInterrupt):
        build_index([one], tmp_path / "index", memory=MEMORY, scratch=tmp_path / "scratch")
    monkeypatch.setattr(build, "build_group", make)
    made = built(monkeypatch)
    build_index([one], tmp_path / "index", memory=MEMORY, scratch=tmp_path / "scratch")
    assert len(made) == len(whole["groups"]) - 3
    assert digest_files(tmp_path / "index") == digest_files(tmp_path / "whole")


#: Builds an index, and waits after two groups: whoever kills it is never too late.
WAITS = """
import sys, time
from pathlib import Path
from hemicycle.trace import build

make, made = build.build_group, []

def waits(**arguments):
    if len(made) == 2:
        time.sleep(600)
    made.append(make(**arguments))
    return made[-1]

build.build_group = waits
corpus, out, scratch, memory = sys.argv[1:]
build.build_index([Path(corpus)], Path(out), memory=int(memory), scratch=Path(scratch))
"""


def test_a_build_whose_process_was_killed_goes_on(tmp_path, corpus):
    one, scratch = corpus("one"), tmp_path / "scratch"
    whole = build_index([one], tmp_path / "whole", memory=MEMORY)
    command = [sys.executable, "-c", WAITS, str(one), str(tmp_path / "index"), str(scratch), str(MEMORY)]
    process = subprocess.Popen(command)
    while process.poll() is None and len(list(scratch.glob("done/*.json"))) < 2:
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert 2 == len(list(scratch.glob("done/*.json"))) < len(whole["groups"])
    shutil.rmtree(tmp_path / "index", ignore_errors=True)
    build_index([one], tmp_path / "index", memory=MEMORY, scratch=scratch)
    assert digest_files(tmp_path / "index") == digest_files(tmp_path / "whole")


def test_a_build_that_was_killed_when_all_groups_were_made_goes_on(tmp_path, corpus, monkeypatch):
    one, index = corpus("one"), tmp_path / "index"
    build_index([one], tmp_path / "whole", memory=MEMORY)
    number, left = build._number_shards, iter(range(2))

    def killed(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return number(*arguments)

    monkeypatch.setattr(build, "_number_shards", killed)
    with pytest.raises(KeyboardInterrupt):
        build_index([one], index, memory=MEMORY, scratch=tmp_path / "scratch")
    monkeypatch.setattr(build, "_number_shards", number)
    # As the pipeline does with what a killed build left of its artefact.
    shutil.rmtree(index)
    made = built(monkeypatch)
    build_index([one], index, memory=MEMORY, scratch=tmp_path / "scratch")
    assert made == []
    assert digest_files(index) == digest_files(tmp_path / "whole")
    assert {path.stat().st_nlink for path in index.iterdir()} == {1}


def test_a_document_of_several_corpora_stands_once(tmp_path, write_corpus):
    both = [Document("1", "un deux trois"), Document("2", "quatre cinq six")]
    one = write_corpus(tmp_path / "one", {"a": both, "b": source("b", 2)})
    two = write_corpus(tmp_path / "two", {"a": [*both, Document("3", "sept huit neuf")]})
    build_index([one, two], tmp_path / "index")
    index = open_index(tmp_path / "index")
    rows = [(r["id"], r["corpus"]) for r in index.documents.select(["id", "corpus"]).to_pylist()]
    assert rows == [("a:1", 0), ("a:2", 0), ("a:3", 1), ("b:0", 0), ("b:1", 0)]
    (span,) = find_spans(index, "un deux trois", 3)
    assert (span.count, occurrences(index, span, 9)) == (1, [(0, 0)])


def test_a_document_that_only_a_later_corpus_trains_on_is_indexed(tmp_path, write_corpus):
    one = write_corpus(
        tmp_path / "one", {"a": [Document("1", "un"), Document("2", "deux")]}, held_out=["a:2"]
    )
    two = write_corpus(tmp_path / "two", {"a": [Document("1", "un"), Document("2", "deux")]})
    build_index([one, two], tmp_path / "index")
    assert open_index(tmp_path / "index").documents["id"].to_pylist() == ["a:1", "a:2"]


def test_a_source_is_one_range_of_each_shard(tmp_path, corpus):
    build_index([corpus("one")], tmp_path / "index", memory=MEMORY)
    index = open_index(tmp_path / "index")
    names = index.documents["source"].to_pylist()
    for first, last in zip(index.first_documents[:-1], index.first_documents[1:], strict=True):
        here = names[first:last]
        assert here == sorted(here)


def test_words_that_seldom_come_twice_fill_a_shard_earlier(tmp_path, write_corpus):
    """They take more memory to sort; those of a text, of which many are frequent, take what is counted on."""

    def made(name: str, texts: list[str]) -> list[int]:
        corpus = write_corpus(
            tmp_path / name, {"s": [Document(str(n), text) for n, text in enumerate(texts)]}
        )
        manifest = build_index([corpus], tmp_path / f"{name}-index", memory=20 * 60_000)
        return [shard["words"] for group in manifest["groups"] for shard in group["shards"]]

    text = made("text", [" ".join(f"m{n * k % 9_973}" for n in range(1_000)) for k in range(1, 101)])
    assert text[0] == 59 * 1_001
    numbers = made("numbers", [" ".join(str(1_000 * k + n) for n in range(1_000)) for k in range(100)])
    assert sum(numbers) == 100 * 1_001
    assert max(numbers) < 40_000
