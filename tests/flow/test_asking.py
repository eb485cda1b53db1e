"""A built model asked from the command line: its files are checked; what cannot be done is said plainly."""

import pytest


@pytest.mark.parametrize(
    "words", [("trace", "--answer", "La séance"), ("serve", "--port", "0")], ids=["trace", "serve"]
)
def test_weights_that_are_not_those_of_the_ledger_are_not_asked(copy, call, words):
    weights = next((copy / "build" / "model").glob("petit-*/model.safetensors"))
    whole = bytearray(weights.read_bytes())
    whole[-100] ^= 1
    weights.write_bytes(whole)
    code, out, err = call(*words, "--project", copy)
    assert code == 1
    assert out == ""
    assert err.startswith(f"error: {weights}: the content differs from what the ledger states\n  Restore it")
