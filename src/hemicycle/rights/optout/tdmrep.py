"""The TDM Reservation Protocol in its four places: a file of the site, headers, metas, embedded metadata.

`tdm-reservation` is 1 (reserved) or 0 (not reserved); anything else is `unread`. The file is a list of rules
with a pattern of paths each. Whether the first matching rule decides or the most specific one is read both
ways, and where the two differ the reservation holds. A rule without a pattern may be for any page.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from hemicycle.documents import Reservation
from hemicycle.rights.optout.fetched import (
    Fetched,
    Headers,
    finding,
    found_in,
    header_values,
    missing,
)
from hemicycle.rights.optout.law import Value, rank, strictest
from hemicycle.rights.optout.marks import Marks
from hemicycle.rights.optout.paths import fitting, is_address, path_of

WELL_KNOWN = "/.well-known/tdmrep.json"
#: Bytes of the file that are read.
TDMREP_LIMIT = 2**20

_SAID: dict[str, Value] = {"1": "reserved", "1.0": "reserved", "0": "allowed", "0.0": "allowed"}


def read_reservation(written: Any) -> Value:
    """What a value of `tdm-reservation` says. 1.0 and “1” are 1; true reserves, false allows nothing."""
    if isinstance(written, bool):
        return "reserved" if written else "unread"
    text = str(written).strip()[:10] if isinstance(written, str | int | float) else ""
    return _SAID.get(text, "unread")


def file_signal(url: str, file: Fetched | None, place: str) -> Reservation:
    """What `/.well-known/tdmrep.json` says of the page at `url`."""
    if file is None or not file.ok:
        return missing("tdmrep", place, file)

    def found(value: Value, quote: str) -> Reservation:
        return found_in(file, "tdmrep", value, place, quote)

    if file.truncated or len(file.body) > TDMREP_LIMIT:
        return found("unread", f"longer than the {TDMREP_LIMIT} bytes that are read")
    try:
        rules = json.loads(file.body.decode("utf-8-sig"), object_pairs_hook=_rule)
        path = path_of(url)
    except (ValueError, RecursionError) as error:
        said = str(error).partition(": ")[0] if isinstance(error, ValueError) else "nested too deep"
        return found("unread", f"it cannot be read: {said}")
    if isinstance(rules, dict):
        rules = [rules]  # a single rule without its list
    if not isinstance(rules, list):
        return found("unread", "it is not a list of rules")
    fits = [_fits(rule, url, path) for rule in rules]
    of_page = [(len(fit), rule) for fit, rule in zip(fits, rules, strict=True) if fit]
    longest = max((length for length, _ in of_page), default=0)
    deciding = [rule for at, (length, rule) in enumerate(of_page) if at == 0 or length == longest]
    rule = min(deciding, key=lambda rule: _strictness(rule.get("tdm-reservation")), default=None)
    value = read_reservation(rule.get("tdm-reservation")) if rule else "unknown"
    if None in fits and value != "reserved":
        return found("unread", "a rule does not say which pages it is for")
    if rule is None:
        return found("unknown", "no rule is for this page")
    kept = {k: rule[k] for k in ("location", "tdm-reservation", "tdm-policy") if k in rule}
    return found(value, json.dumps(kept, ensure_ascii=True, default=str))


def _rule(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of a reservation that stands in it twice, the more restrictive."""
    said = [value for key, value in pairs if key == "tdm-reservation"]
    strictest = {"tdm-reservation": min(said, key=_strictness)} if said else {}
    return dict(pairs) | strictest


def _strictness(written: Any) -> int:
    return rank(read_reservation(written))


def _fits(rule: Any, url: str, path: str) -> str | None:
    """The pattern by which a rule is for a page, empty where it is not; None where it does not say.

    A location may be a path or, on this very host, a whole address.
    """
    location = rule.get("location") if isinstance(rule, dict) else None
    if not isinstance(location, str):
        return None
    location = location.strip()
    try:
        if is_address(location) and _host(location) != _host(url):
            return ""
        return fitting(location, path)
    except ValueError:
        return None


def _host(url: str) -> str | None:
    return urllib.parse.urlsplit(url).hostname


def header_signal(url: str, headers: Headers, retrieved: str | None) -> Iterator[Reservation]:
    """What the headers of the page say."""
    values = header_values(headers, "tdm-reservation")
    if values:
        policy = header_values(headers, "tdm-policy")
        # A proxy joins equal headers with a comma.
        said = [piece for value in values for piece in value.split(",")]
        quote = f"tdm-reservation: {', '.join(values)}" + (f"; tdm-policy: {policy[0]}" if policy else "")
        yield finding(
            "tdmrep",
            strictest(map(read_reservation, said)),
            f"{url}, header tdm-reservation",
            quote,
            evidence=quote.encode("utf-8", "replace"),
            retrieved=retrieved,
        )


def meta_signal(url: str, marks: Marks, html: bytes, retrieved: str | None) -> Iterator[Reservation]:
    """What the metas of the page say."""
    values = marks.contents("tdm-reservation")
    if values:
        policy = marks.contents("tdm-policy")
        quote = f"meta tdm-reservation: {', '.join(values)}" + (
            f"; tdm-policy: {policy[0]}" if policy else ""
        )
        yield finding(
            "tdmrep",
            strictest(map(read_reservation, values)),
            f"{url}, meta",
            quote,
            evidence=html,
            retrieved=retrieved,
        )


def metadata_signal(
    place: str, metadata: Mapping[str, str], data: bytes, retrieved: str | None = None
) -> Iterator[Reservation]:
    """What the metadata inside an EPUB or a PDF says, as `hemicycle.rights.optout.embedded` gives it."""
    if "tdm:reservation" in metadata:
        written = metadata["tdm:reservation"]
        policy = metadata.get("tdm:policy")
        quote = f"tdm:reservation: {written}" + (f"; tdm:policy: {policy}" if policy else "")
        value = strictest(map(read_reservation, written.split(",")))
        yield finding("tdmrep", value, place, quote, evidence=data, retrieved=retrieved)
