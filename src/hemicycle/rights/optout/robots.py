"""robots.txt: who may fetch a page, and the lines in which other protocols speak there.

The traps, each of which lets a forbidden site through: a byte order mark hides the first rule; the longest
matching rule wins, not the first; groups of one name are merged; a line of another protocol between two
names does not part them (RFC 9309, section 2.2.4). Matching is Protego's; the lines are grouped here, since
its lists grow with the product of names and rules, and a file of half a megabyte would fill the memory.

What counts: a page is `reserved` when `*`, our own name or any listed AI crawler may not fetch it. It is
`allowed` only where the group that we follow (our own name's, else that of `*`) names an AI crawler and lets
it in, by an `Allow` that fits the page or an empty `Disallow`: what is granted to another crawler is not
granted to us. A file that shuts nobody out, or lets in `*` alone, consents to being visited, not to being
mined: `unknown`. One that is too long or not text can still reserve, and is `unread` otherwise.
"""

from __future__ import annotations

import codecs
import functools
import re
from dataclasses import dataclass

from protego import Protego

from hemicycle.documents import Reservation
from hemicycle.rights.optout.fetched import Fetched, found_in, missing
from hemicycle.rights.optout.paths import matches, normal, path_of
from hemicycle.rights.optout.protocols import OWN_AGENT, agents

#: Bytes of a robots.txt that are read, the least RFC 9309 (section 2.5) asks of a crawler.
ROBOTS_LIMIT = 500 * 1024

EVERYBODY = "*"
#: Stands for all crawlers that are in no list; keeps their groups apart from those that are.
_NOBODY = "x-not-listed"

_AGENT_FIELDS = ("user-agent", "useragent", "user agent")
#: Fields of other protocols and records: never handed to Protego, so that they cannot part a group.
_OTHER_FIELDS = re.compile(
    r"\s*(sitemaps?|site-map|host|crawl[- ]delay|request[- ]rate|visit[- ]time|clean-param|noindex|"
    r"content-usage|content-signal|license)\s*:",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Line:
    """A directive: the crawlers its group is for (none: it stands before every group), as written."""

    agents: frozenset[str]
    field: str
    value: str
    number: int

    @property
    def written(self) -> str:
        return f"line {self.number}: {self.field.capitalize()}: {self.value}".rstrip()


@dataclass(frozen=True)
class Robots:
    """A robots.txt that was read.

    Attributes:
        rules: the decisions of Protego over the groups of `*` and the listed crawlers.
        lines: directives of `allow`, `disallow`, `content-usage` and `content-signal`.
        named: the listed crawlers, our own among them, and `*`, that have a group.
        licences: addresses of RSL files, wherever they stand.
        problem: why no permission can be taken from it, although reservations still hold.
    """

    rules: Protego
    lines: tuple[Line, ...]
    named: frozenset[str]
    licences: tuple[str, ...]
    problem: str | None

    def may_fetch(self, agent: str, path: str) -> bool:
        # With a host in front, a path of two slashes is not mistaken for one.
        return bool(self.rules.can_fetch(f"http://host{path}", agent))

    def group(self, agent: str) -> str:
        """The name whose group a crawler follows: its own, or that for everybody."""
        return agent if agent in self.named else EVERYBODY


def listed() -> dict[str, str]:
    """The listed crawlers: name in lower case → name."""
    return {agent.name.lower(): agent.name for agent in agents()}


@functools.lru_cache(maxsize=64)
def read_robots(body: bytes, truncated: bool = False) -> Robots:
    """Read a robots.txt; every sequence of bytes is one, though perhaps one without a rule."""
    text, problem = _text(body)
    if truncated or len(body) > ROBOTS_LIMIT:
        problem = f"longer than the {ROBOTS_LIMIT} bytes that are read"
    lines: list[Line] = []
    for_protego: list[str] = []
    licences: list[str] = []
    group: set[str] = set()
    closed = True
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        written = raw.partition("#")[0].strip()
        name = _agent(written)
        if name is not None:
            if closed:
                group, closed = set(), False
            group.add(_token(name))
            for_protego.append(f"User-agent: {_token(name)}")
            continue
        if not written:
            continue
        field, _, value = (part.strip() for part in written.partition(":"))
        field = field.lower()
        if field == "license":
            licences.append(value)
        if field in ("allow", "disallow", "content-usage", "content-signal"):
            closed = True
            lines.append(Line(frozenset(group), field, value, number))
        if not _OTHER_FIELDS.match(written):
            closed = True
            for_protego.append(written)
    rules = Protego.parse("\n".join(for_protego))
    named = frozenset(a for line in lines for a in line.agents if a != _NOBODY)
    return Robots(rules, tuple(lines), named, tuple(dict.fromkeys(licences)), problem)


def _text(body: bytes) -> tuple[str, str | None]:
    """The text of a robots.txt without its byte order mark, and what is wrong with its bytes."""
    body = body[:ROBOTS_LIMIT]
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body.decode("utf-16", "replace"), "it is UTF-16, and a robots.txt is UTF-8"
    problem = None
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # A file cut at the limit may end inside a letter; what is wrong with it is its length.
        problem = f"byte {error.start} is not UTF-8"
        text = body.decode("utf-8-sig", "replace")
    if "\0" in text:
        problem, text = "it holds NUL bytes", text.replace("\0", "")
    # Separators that Python splits lines at and the protocol does not must not end a comment.
    return re.sub(r"[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", " ", text), problem


def _agent(line: str) -> str | None:
    """The crawler that a line names; None where it is another line. Reads what Protego reads as such."""
    field, colon, value = line.partition(":")
    if colon:
        if field.strip().lower() in _AGENT_FIELDS:
            return value.strip()
        if not value or value[0].isspace():
            return None
    words = line.split()
    for count in (1, 2):
        if " ".join(words[:count]).lower() in _AGENT_FIELDS:
            return " ".join(words[count:])
    return None


def _token(name: str) -> str:
    """The listed crawler that a line means. A version behind a name is none of its letters."""
    token = name.strip().lower()
    if token == EVERYBODY:
        return EVERYBODY
    token = re.split(r"[/\s]", token.replace("*", ""), maxsplit=1)[0]
    return token if token in listed() else _NOBODY


def robots_signal(url: str, file: Fetched | None, place: str) -> Reservation:
    """What robots.txt says of the page at `url`; `place` is its address, fetched or not."""
    if file is None or not file.ok:
        return missing("robots", place, file)
    robots = read_robots(file.body[: ROBOTS_LIMIT + 1], file.truncated)
    try:
        path = path_of(url)
        shut = _shut_out(robots, path)
    except ValueError:
        return found_in(file, "robots", "unread", place, f"{url!r} is not an address")
    if shut is not None:
        return found_in(file, "robots", "reserved", place, _quote_shut(robots, shut, path))
    if robots.problem is not None:
        return found_in(
            file,
            "robots",
            "unread",
            place,
            f"no rule shuts the page, but {robots.problem}",
        )
    let_in = _let_in(robots, path)
    if let_in is not None:
        name = listed()[min(let_in.agents & set(listed()))]
        return found_in(file, "robots", "allowed", place, f"User-agent: {name}; {let_in.written}")
    return found_in(
        file, "robots", "unknown", place, "shuts out no AI crawler, and does not expressly let us in"
    )


def may_visit(url: str, file: Fetched | None) -> str | None:
    """Why we may not fetch a page; None where we may.

    A robots.txt that cannot be had because the server fails shuts the site (RFC 9309, section 2.3.1.4); one
    that does not exist shuts nothing.
    """
    if file is None or file.status is None or file.status >= 500 or file.status == 429:
        return "its robots.txt cannot be had" + (f": {file.why_not()}" if file else "")
    if 400 <= file.status < 500:
        return None
    if not file.ok:
        return f"its robots.txt cannot be had: {file.why_not()}"
    robots, path = read_robots(file.body[: ROBOTS_LIMIT + 1], file.truncated), path_of(url)
    if robots.may_fetch(OWN_AGENT, path):
        return None
    return f"robots.txt: {_quote_shut(robots, robots.group(OWN_AGENT), path)}"


def _shut_out(robots: Robots, path: str) -> str | None:
    """The first name, `*` before the others, that may not fetch the page."""
    others = sorted(robots.named - {EVERYBODY})
    return next((a for a in [EVERYBODY, *others] if not robots.may_fetch(a, path)), None)


def _quote_shut(robots: Robots, agent: str, path: str) -> str:
    rules = [
        line
        for line in robots.lines
        if agent in line.agents and line.field == "disallow" and _fits(line.value, path)
    ]
    name = listed().get(agent, agent)
    if not rules:
        return f"User-agent: {name} may not fetch the page"
    return f"User-agent: {name}; {max(rules, key=lambda line: len(line.value)).written}"


def _let_in(robots: Robots, path: str) -> Line | None:
    """A line that expressly lets us fetch the page as an AI crawler."""
    ours = robots.group(OWN_AGENT)
    for line in robots.lines:
        if ours not in line.agents or not line.agents & set(listed()):
            continue
        if (line.field == "allow" and _fits(line.value, path)) or (
            line.field == "disallow" and not line.value
        ):
            return line
    return None


def _fits(pattern: str, path: str) -> bool:
    return bool(pattern) and matches(normal(pattern), path)
