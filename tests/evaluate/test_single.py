"""One model's bits per byte, alone, are those that an evaluation gives it."""

import pytest

from hemicycle.evaluate import evaluate
from hemicycle.evaluate.heldout import read_held_out
from hemicycle.evaluate.single import measure, spread


@pytest.fixture(scope="module")
def debates(corpus):
    rows = [
        (f"d:{i}", "debats", "held-out" if i % 3 else "train", f"séance {i} " * (20 + i)) for i in range(9)
    ]
    return corpus("single", rows)


def test_measured_alone_a_model_gets_what_an_evaluation_gives_it(llama, debates, tmp_path):
    loss, size = measure(llama, {"debates": debates}, most_bytes=10**9)
    (tmp_path / "out").mkdir()
    figures = evaluate({"llama": llama}, {"debates": debates}, tmp_path / "out")
    assert loss == pytest.approx(figures["bits_per_byte"]["llama"], abs=1e-5)
    assert size == figures["held_out"]["bytes"]


def test_of_much_text_documents_are_taken_at_even_distances(debates):
    documents = read_held_out({"debates": debates}).documents
    size = sum(int(one.byte_ends[-1]) for one in documents)
    half = spread(documents, size // 2 + 1)
    assert half == documents[::2]
    assert spread(documents, size) == documents
    assert spread(documents, 1) == documents[:1]
