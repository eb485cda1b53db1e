import random
import re
from pathlib import Path

import pytest

from hemicycle.documents import Document
from hemicycle.trace import Tracer, build_index, open_index
from tests.trace.typography import EDITS, all_of_them

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "samples" / "literature"


@pytest.fixture(scope="module")
def novels() -> dict[str, str]:
    files = sorted(SAMPLES.glob("FRA0[1-2]*.xml"))
    if not files:
        pytest.skip("the sample texts are not here")
    return {path.name: re.sub(r"<[^>]*>", " ", path.read_text("utf-8")) for path in files}


@pytest.fixture(scope="module")
def tracer(tmp_path_factory, write_corpus, novels) -> Tracer:
    folder = tmp_path_factory.mktemp("novels")
    corpus = write_corpus(folder / "corpus", {"novels": [Document(n, t) for n, t in novels.items()]})
    build_index([corpus], folder / "index")
    return Tracer(open_index(folder / "index"), [corpus])


@pytest.fixture(scope="module")
def excerpts(novels) -> list[list[str]]:
    rng = random.Random(7)
    words = [text.split() for text in novels.values()]
    chosen = [rng.choice(words) for _ in range(12)]
    return [w[i : i + 400] for w in chosen for i in [rng.randrange(len(w) - 400)]]


@pytest.mark.parametrize("edit", [*EDITS, all_of_them], ids=lambda e: e.__name__)
def test_every_edit_of_an_excerpt_is_found_whole(tracer, excerpts, edit):
    for words in excerpts:
        assert tracer.trace(edit(" ".join(words))).coverage == 1.0


def test_shuffled_words_of_an_excerpt_are_hardly_found(tracer, excerpts):
    rng = random.Random(8)
    coverages = [tracer.trace(" ".join(rng.sample(words, len(words)))).coverage for words in excerpts]
    assert sum(coverages) / len(coverages) < 0.03


def test_the_match_shown_reads_as_the_text_asked_about(tracer, excerpts):
    for words in excerpts:
        result = tracer.trace(" ".join(words[100:140]))
        assert result.spans
        for span in result.spans:
            for document in span.documents:
                needle = document.excerpt[document.needle_start : document.needle_end]
                assert needle.split() == span.text.split()
