"""A general compressor on the held-out text: the floor that needs no training text at all.

It sees nothing but the text itself, so a short text is dear to it: its figure falls as the text grows. It
gives one size for a whole text and none for a part, hence no interval and no paired difference.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable

NAME = "xz -9"


def xz_bits(texts: Iterable[str]) -> int:
    """Size in bits of what ``xz -9`` makes of the concatenated UTF-8 texts; takes about 700 MB of memory."""
    compressor = lzma.LZMACompressor(format=lzma.FORMAT_XZ, preset=9)
    size = sum(len(compressor.compress(text.encode("utf-8"))) for text in texts)
    return 8 * (size + len(compressor.flush()))
