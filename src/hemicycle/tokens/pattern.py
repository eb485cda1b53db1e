"""How a text is cut before tokens are learnt or made: the pattern, and where a long text may be parted.

The pattern holds nothing that looks ahead or behind. Every engine then reads it in one pass, a hostile text
costs no more than an honest one, and there are places where no piece can reach across: after a letter or a
digit that white space follows. No branch takes white space after a letter or a digit, so what is matched on
the left ends there whatever comes next, and what is matched on the right begins there. A text parted at such
places gives the very tokens of the whole.

Oniguruma (`tokenizers`) and Rust's engine (`rustbpe`, `tiktoken`) read it alike: no possessive sign, no class
that is ASCII in one of them; a test asks both about every character.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

#: Names the pattern in what was made with it; a changed pattern has another name.
PATTERN_NAME = "french-2"

#: No-break spaces: before ; : ! ? and », after «, between the thousands.
_FIXED = "\u00a0\u202f"

PATTERN = "|".join(
    (
        # An opening guillemet with the space that belongs to it, so that the word after it is the usual word.
        f" ?«[{_FIXED}]?",
        # A word with the space or sign before it and the apostrophe of an elision after it: l', d', qu'.
        # Marks that combine are part of it, so é in one character or in two stays in its word.
        rf"[^\r\n\p{{L}}\p{{N}}{_FIXED}]?[\p{{L}}\p{{M}}]+['’]?",
        r"\p{N}{1,3}",
        # Signs with the space before them, the no-break space of French typography included.
        rf"[ {_FIXED}]?[^\s\p{{L}}\p{{N}}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+",
    )
)

#: Bytes of text that are encoded at once. A text is parted at the last place before this where no piece can
#: reach across; where there is none, as in 64 KB without a space, it is parted all the same, and the tokens
#: at that place may differ from those of the whole.
SEGMENT = 65_536

_SPACE = np.zeros(256, bool)
_SPACE[[0x20, 0x0A]] = True
_PLAIN = np.array([chr(byte).isalnum() and byte < 0x80 for byte in range(256)])


def part(text: memoryview, segment: int = SEGMENT) -> Iterator[memoryview]:
    """The UTF-8 of a text in parts of at most `segment` bytes, in order; an empty text is one empty part."""
    start = 0
    while len(text) - start > segment:
        length = _last_cut(bytes(text[start : start + segment + 1]))
        yield text[start : start + length]
        start += length
    yield text[start:]


def _last_cut(window: bytes) -> int:
    """Where to part a text after at most ``len(window) - 1`` bytes."""
    codes = np.frombuffer(window, np.uint8)
    spaces = np.flatnonzero(_SPACE[codes[1:]]) + 1
    plain = spaces[_PLAIN[codes[spaces - 1]]]
    if len(plain):
        return int(plain[-1])
    for space in spaces[::-1]:
        # A character is at most four bytes; the rest of one before it is left out.
        if window[max(0, space - 4) : space].decode("utf-8", "ignore")[-1:].isalnum():
            return int(space)
    length = len(window) - 1
    while window[length] & 0xC0 == 0x80:  # the next part would begin inside a character
        length -= 1
    return length
