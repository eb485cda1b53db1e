"""`noai` and its kin in robots metas and in `X-Robots-Tag`: informal, and met on many pages.

A meta may be for all robots or for one by its name; a header may have a crawler's name before its words.
Whichever it is, a `noai` for any of them is a reservation: nobody who writes it wants the page mined by
others. `noimageai` speaks of pictures; of the text it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hemicycle.documents import Reservation
from hemicycle.rights.optout.fetched import Headers, finding, header_values
from hemicycle.rights.optout.law import Value
from hemicycle.rights.optout.marks import Marks
from hemicycle.rights.optout.protocols import protocol
from hemicycle.rights.optout.robots import listed

#: Names of metas for robots, beside those of the listed crawlers.
_ROBOTS = ("robots", "x-robots-tag", "ai")
_ROBOT_ENDINGS = ("bot", "spider", "crawler", "-extended")


def read_words(written: str) -> Value | None:
    """What a list of words says: `reserved`, `unknown` where it speaks of pictures alone, None of neither."""
    words = set(re.split(r"[\s,;:]+", written.lower()))
    known = protocol("noai")
    if words & set(known.decides):
        return "reserved"
    return "unknown" if words & set(known.images) else None


def meta_signal(url: str, marks: Marks, html: bytes, retrieved: str | None) -> Iterator[Reservation]:
    """One finding a meta that says so."""
    names = {*_ROBOTS, *listed()}
    for name, content in dict.fromkeys(marks.metas):
        is_robot = name in names or name.endswith(_ROBOT_ENDINGS)
        value = read_words(content) if is_robot else None
        if value is not None:
            yield finding(
                "noai", value, f"{url}, meta {name}", f"{name}: {content}", evidence=html, retrieved=retrieved
            )


def header_signal(url: str, headers: Headers, retrieved: str | None) -> Iterator[Reservation]:
    """What the `X-Robots-Tag` headers say."""
    for written in dict.fromkeys(header_values(headers, "x-robots-tag")):
        value = read_words(written)
        if value is not None:
            quote = f"X-Robots-Tag: {written}"
            yield finding(
                "noai",
                value,
                f"{url}, header X-Robots-Tag",
                quote,
                evidence=quote.encode("utf-8", "replace"),
                retrieved=retrieved,
            )
