"""What two protocols say by `Content-Usage` and `Content-Signal`: a few words and a letter.

AIPREF (`Content-Usage: train-ai=n`) and Content Signals (`Content-Signal: ai-train=no`) stand in the groups
of robots.txt, perhaps with the path they are for, and in HTTP headers. In a group the longest matching path
wins; of equally long ones, and between groups, the more restrictive. The groups that count are those for
`*`, for us and for the listed crawlers; a permission counts only in the group we ourselves follow.

A value that cannot be read as a whole is `unread`; a reservation in the part that can be read still holds.
The drafts of AIPREF let the last of two equal terms win; here the more restrictive does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hemicycle.documents import Reservation
from hemicycle.rights.optout.fetched import Fetched, Headers, finding, found_in, header_values
from hemicycle.rights.optout.law import Value, rank
from hemicycle.rights.optout.paths import matches, normal, path_of
from hemicycle.rights.optout.protocols import OWN_AGENT, protocol
from hemicycle.rights.optout.robots import EVERYBODY, ROBOTS_LIMIT, Line, Robots, read_robots

FIELDS = ("content-usage", "content-signal")
_WORDS: dict[str, tuple[str, str]] = {"content-usage": ("y", "n"), "content-signal": ("yes", "no")}

#: One member of a structured dictionary (RFC 9651): key, then perhaps a value, then parameters.
_MEMBER = re.compile(
    r'([a-z*][a-z0-9_.*-]{0,63})(?:\s*=\s*("(?:[^"\\]|\\.){0,500}"|[^\s,;"]{1,100}))?\s*(?:;[^;,"]{0,200}){0,8}',
    re.IGNORECASE,
)
#: Characters of one value that are read.
_LONGEST_VALUE = 8_192


def read_value(field: str, written: str) -> Value:
    """What a list such as ``train-ai=n, search=y`` says of training."""
    known, (yes, no) = protocol(field), _WORDS[field]
    whole = len(written) <= _LONGEST_VALUE
    allowed = False
    for member in _members(written[:_LONGEST_VALUE]):
        match = _MEMBER.fullmatch(member)
        if match is None:
            whole = False
            continue
        term, said = match[1].lower(), (match[2] or "").lower()
        if said.strip('"') == no and term in known.decides + known.decided:
            return "reserved"
        if term in known.decides:
            allowed = allowed or said == yes
            whole = whole and said == yes
    if not whole:
        return "unread"
    return "allowed" if allowed else "unknown"


def _members(written: str) -> Iterator[str]:
    """The members between the commas that stand in no quotation marks."""
    for piece in re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^,])+', written):
        yield piece.strip()


def usage_of_robots(url: str, file: Fetched | None, place: str) -> Iterator[Reservation]:
    """One finding a protocol that speaks of the page in robots.txt; none where it does not speak."""
    if file is None or not file.ok:
        return
    robots = read_robots(file.body[: ROBOTS_LIMIT + 1], file.truncated)
    for field in FIELDS:
        try:
            said = _said(robots, field, path_of(url))
        except ValueError:
            return
        if said is None:
            continue
        value, line = said
        quote = line.written
        if value == "allowed" and robots.problem is not None:
            value, quote = "unread", f"{quote} (not relied on: {robots.problem})"
        yield found_in(file, field, value, place, quote)


def _said(robots: Robots, field: str, path: str) -> tuple[Value, Line] | None:
    lines = [line for line in robots.lines if line.field == field]
    ours = robots.group(OWN_AGENT)
    answers = []
    for name in sorted(set(robots.named) | {EVERYBODY}):
        answer = _of_group([line for line in lines if name in line.agents or not line.agents], field, path)
        if answer is not None:
            value, line = answer
            if value == "allowed" and (name != ours or not line.agents):
                value = "unknown"
            answers.append((value, line))
    return min(answers, key=lambda answer: rank(answer[0]), default=None)


def _of_group(lines: list[Line], field: str, path: str) -> tuple[Value, Line] | None:
    """What the longest matching rule of a group says; of equally long ones the most restrictive."""
    fitting: list[tuple[int, Value, Line]] = []
    answers: list[tuple[Value, Line]] = []
    for line in lines:
        pattern, value = _split(line.value)
        if not value and pattern:
            # The value may be missing or have run into the path, so the line may be for any page.
            answers.append(("unread", line))
        elif matches(pattern, path):
            fitting.append((len(pattern), read_value(field, value), line))
    if fitting:
        answers.append(min(fitting, key=lambda rule: (-rule[0], rank(rule[1])))[1:])
    return min(answers, key=lambda answer: rank(answer[0]), default=None)


def _split(written: str) -> tuple[str, str]:
    """The pattern a rule is for (empty: everything) and its value."""
    if not written.startswith(("/", "*")):
        return "", written
    pattern, *value = written.split(maxsplit=1)
    return normal(pattern), "".join(value)


def usage_of_headers(url: str, headers: Headers, retrieved: str | None) -> Iterator[Reservation]:
    """One finding a protocol that speaks in the headers of the page itself."""
    for field in FIELDS:
        written = header_values(headers, field)
        if written:
            value = ", ".join(written)
            name = field.title()
            yield finding(
                field,
                read_value(field, value),
                f"{url}, header {name}",
                f"{name}: {value}",
                evidence=f"{name}: {value}".encode("utf-8", "replace"),
                retrieved=retrieved,
            )
