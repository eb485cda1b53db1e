"""Damage to a file, for tests of what a damaged one may lead to."""

from hypothesis import strategies as st

_NO_FIGURES = [byte for byte in range(256) if not chr(byte).isdigit()]


def spoilt(data: st.DataObject, text: str, most: int = 4) -> bytes:
    """A text with some bytes replaced, whole or cut off somewhere.

    No byte becomes a figure: another year is another statement.
    """
    damaged = bytearray(text.encode())
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=most)):
        damaged[place] = data.draw(st.sampled_from(_NO_FIGURES))
    return bytes(damaged[: data.draw(st.none() | st.integers(0, len(damaged)))])
