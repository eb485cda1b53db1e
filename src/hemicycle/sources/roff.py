r"""The roff language under man pages: comments, macros, strings, conditions and escapes, worked out.

What comes out is a list of lines, each plain text or a request with plain arguments. The reading is that
of a terminal (``nroff``): ``.if n`` holds, ``.if t`` does not; fonts and motions vanish; ``\ `` becomes the
no-break space that French puts before a colon.

roff is a programming language, so a page could run for ever or grow without end: lines, their length and
the text of strings are bounded.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from hemicycle.errors import InputError

#: Bounds on one page: lines worked through, characters of one line or string, characters of all escapes.
MAX_LINES = 150_000
MAX_LINE = 1 << 16
MAX_TEXT = 16 << 20

_ACCENTS = {
    "'": "\u0301",
    "`": "\u0300",
    "^": "\u0302",
    ":": "\u0308",
    "~": "\u0303",
    ",": "\u0327",
    "o": "\u030a",
}

#: Named characters, as groff_char(7) lists them: name and character, alternating.
_NAMES = """
bu • em — en – hy - co © rg ® tm ™ aq ' cq ’ oq ‘ lq “ rq ” dq " Bq „ bq ‚ Fo « Fc » fo ‹ fc › ga ` aa ´ ha ^
ti ~ rs \\ at @ sh # Do $ lB [ rB ] lC { rC } la ⟨ ra ⟩ de ° +- ± mu × di ÷ <= ≤ >= ≥ != ≠ == ≡ ~= ≅ -> → <- ←
<> ↔ ua ↑ da ↓ rA ⇒ lA ⇐ sc § dg † dd ‡ ct ¢ Po £ Eu € eu € Ye ¥ 12 ½ 14 ¼ 34 ¾ S1 ¹ S2 ² S3 ³ mi − pl + eq =
or | bv | br │ ba | sl / ul _ ru _ fm ′ sd ″ if ∞ sr √ sq □ ci ○ OK ✓ ss ß ae æ AE Æ oe œ OE Œ /o ø /O Ø
*a α *b β *g γ *d δ *e ε *l λ *m μ *p π *r ρ *s σ *t τ *W Ω *w ω *D Δ *S Σ ** ∗ pd ∂ es ∅ mo ∈ ap ∼ no ¬
-D Ð Sd ð Tp þ TP Þ r! ¡ r? ¿ Of ª Om º ps ¶ a- ¯ ac ¸ i ı
""".split()
_CHARACTERS = dict(zip(_NAMES[::2], _NAMES[1::2], strict=True))

_ESCAPE = re.compile(
    r"""\\(?:
      (?P<char>\((?P<two>..)|\[(?P<long>[^\]\n]*)\]|C'(?P<quoted>[^'\n]*)')
    | (?P<string>\*(?:\((?P<s2>..)|\[(?P<sl>[^\]\n]*)\]|(?P<s1>.)))
    | (?P<register>n[+-]?(?:\((?P<r2>..)|\[(?P<rl>[^\]\n]*)\]|(?P<r1>.)))
    | (?P<code>N'(?P<number>\d{1,7})')
    | o'(?P<over>[^'\n]?)[^'\n]*'
    | [fFmMgkYV](?:\(..|\[[^\]\n]*\]|.)
    | s(?:[+-]?\(..|[+-]?\[[^\]\n]*\]|[+-]?'[^'\n]*'|[+-]?[0-3]\d(?=\D)|[+-]?\d|)
    | [hvwlLDbXxRSHBAZ](?:'[^'\n]*'|\"[^\"\n]*\"|(?P<delimiter>[^\w\s])[^\n]*?(?P=delimiter))
    | (?P<one>.)
    )""",
    re.VERBOSE | re.DOTALL,
)

_ONE = {
    "e": "\\",
    "\\": "\\",
    "-": "-",
    " ": "\u00a0",
    "~": "\u00a0",
    "0": " ",
    "t": "\t",
    "'": "´",
    "`": "`",
    ".": ".",
    "_": "_",
    "(": "(",
    "[": "[",
    "q": '"',
}
_NOTHING = set("|^&):%/,{}acdpruz!?\n")


@dataclass(frozen=True)
class Line:
    """A line: text, or a request with arguments. `joined`: the next text follows without a space."""

    number: int
    text: str = ""
    request: str | None = None
    arguments: tuple[str, ...] = ()
    joined: bool = False


class Roff:
    """One page being worked out. `builtin` names the macros whose meaning the caller knows: a page's own
    definitions of these, written for printers, are passed over."""

    def __init__(self, source: str, place: str, builtin: frozenset[str]) -> None:
        self.place, self.builtin = place, builtin
        self.comments: list[str] = []
        self._queue = deque(enumerate(source.split("\n"), 1))
        self._strings: dict[str, str] = {"lq": "“", "rq": "”", "R": "®", "Tm": "™", "S": ""}
        self._macros: dict[str, list[str]] = {}
        self._registers: dict[str, int] = {}
        self._else: list[bool] = []
        self._taken = self._grown = 0

    def lines(self) -> Iterator[Line]:
        """The page, line by line. Raises InputError where a bound is passed."""
        while self._queue:
            number, line = self._next()
            control = re.match(r"[.'][ \t]*(\S*?)(?:[ \t]+|(?=\\[\"{])|$)(.*)", line, re.DOTALL)
            if control is None or (line[0] == "'" and not re.match(r"'[ \t]*[A-Za-z]{2}", line)):
                bare = self._uncommented(line)
                if not bare and line:
                    continue
                yield Line(number, self.plain(bare), joined=bool(re.search(r"\\c\s*$", bare)))
                continue
            name, rest = control[1], control[2]
            if not name or name.startswith('\\"'):
                self._uncommented(line)
                continue
            yield from self._request(number, name, rest)

    def _next(self) -> tuple[int, str]:
        number, line = self._queue.popleft()
        self._taken += 1
        while line.endswith("\\") and not line.endswith("\\\\") and self._queue and len(line) <= MAX_LINE:
            line = line[:-1] + self._queue.popleft()[1]
        if self._taken > MAX_LINES or len(line) > MAX_LINE:
            raise self._endless(number)
        return number, line

    def _endless(self, number: int | None = None) -> InputError:
        where = f"{self.place}, line {number}" if number else self.place
        return InputError("the page grows without end, or has a line that does", place=where)

    def _push(self, number: int, lines: list[str]) -> None:
        self._queue.extendleft((number, line) for line in reversed(lines))

    def _uncommented(self, line: str) -> str:
        match = re.match(r"""((?:[^\\]|\\(?!["\#]).)*)\\["\#](.*)""", line, re.DOTALL)
        if match is None:
            return line
        self.comments.append(match[2].strip())
        return match[1] if match[1].strip(" \t.'") else ""

    def _request(self, number: int, name: str, rest: str) -> Iterator[Line]:
        match name:
            case "de" | "de1" | "dei" | "am" | "ami" | "ig":
                self._define(name, self._uncommented(rest).split())
            case "if" | "ie":
                self._condition(number, rest, keep=name == "ie")
            case "el":
                self._branch(number, rest, bool(self._else) and not self._else.pop())
            case "ds" | "as" | "ds1" | "as1":
                self._set_string(name, rest)
            case "nr":
                words = rest.split()
                if len(words) > 1:
                    self._registers[words[0]] = _number(self.plain(words[1]))
            case "rm" | "rn":
                for word in rest.split():
                    self._macros.pop(word, None)
            case "als":
                words = rest.split()
                if len(words) == 2 and words[1] in self._macros:
                    self._macros[words[0]] = self._macros[words[1]]
            case "do":
                self._push(number, ["." + rest])
            case _:
                arguments = _split(self._uncommented(rest))
                if name in self._macros and name not in self.builtin:
                    self._call(number, name, arguments)
                else:
                    yield Line(number, request=name, arguments=tuple(self.plain(a) for a in arguments))

    def _define(self, request: str, words: list[str]) -> None:
        end = words[1] if len(words) > 1 else ("." if request != "ig" or not words else words[0])
        body: list[str] = []
        while self._queue:
            _, line = self._next()
            if re.match(rf"\.[ \t]*{re.escape(end)}[ \t]*(\\\".*)?$", line):
                break
            body.append(line.replace("\\\\", "\\"))
        if request != "ig" and words:
            self._macros[words[0]] = (
                self._macros.get(words[0], []) if request.startswith("am") else []
            ) + body

    def _call(self, number: int, name: str, arguments: list[str]) -> None:
        values = {str(index): value for index, value in enumerate(arguments, 1)}
        values["*"], values["@"] = " ".join(arguments), " ".join(f'"{a}"' for a in arguments)

        def argument(match: re.Match[str]) -> str:
            value = values.get(match[1], "")
            self._count(value)
            return value

        self._registers[".$"] = len(arguments)
        self._push(number, [re.sub(r"\\\$([*@1-9])", argument, line) for line in self._macros[name]])

    def _set_string(self, request: str, rest: str) -> None:
        match = re.match(r"(\S+)[ \t]*(.*)", rest, re.DOTALL)
        if match:
            before = self._strings.get(match[1], "") if request.startswith("as") else ""
            value = before + self._uncommented(match[2]).removeprefix('"')
            if len(value) > MAX_LINE:
                raise self._endless()
            self._strings[match[1]] = value.replace("\\\\", "\\")

    def _condition(self, number: int, rest: str, *, keep: bool) -> None:
        holds, body = self._evaluate(rest.lstrip())
        if keep:
            self._else.append(holds)
        self._branch(number, body, holds)

    def _branch(self, number: int, body: str, holds: bool) -> None:
        body = body.lstrip()
        if holds:
            self._push(number, [body.removeprefix("\\{").lstrip() if body.startswith("\\{") else body])
            return
        depth = body.count("\\{") - body.count("\\}")
        while depth > 0 and self._queue:
            _, line = self._next()
            depth += line.count("\\{") - line.count("\\}")

    def _evaluate(self, text: str) -> tuple[bool, str]:
        """Whether a condition holds, and what follows it."""
        negated = text.startswith("!")
        text = text.removeprefix("!").lstrip() if negated else text
        holds = False
        if match := re.match(r"([nteo])(?=[\s\\.'])", text):
            holds = match[1] in "no"
        elif match := re.match(r"([dr])[ \t]*(\S+)", text):
            known = self._strings | self._macros if match[1] == "d" else self._registers
            holds = match[2] in known or match[2] in self.builtin
        elif match := re.match(r"(['\"])(.*?)\1(.*?)\1", text):
            holds = self.plain(match[2]) == self.plain(match[3])
        elif match := re.match(r"\S+", text):
            words = match[0].partition("\\{")[0]
            holds = _compare(self.plain(words))
            return holds != negated, text[len(words) :]
        return holds != negated, text[match.end() :] if match else ""

    def plain(self, text: str, depth: int = 0) -> str:
        """Text with its escapes worked out."""
        if "\\" not in text:
            return text
        if depth > 10:
            raise self._endless()
        return _ESCAPE.sub(lambda match: self._count(self._escape(match, depth)), text)

    def _count(self, piece: str) -> str:
        self._grown += len(piece)
        if self._grown > MAX_TEXT:
            raise self._endless()
        return piece

    def _escape(self, match: re.Match[str], depth: int) -> str:
        if match["char"]:
            return _character(match["two"] or match["long"] or match["quoted"] or "")
        if match["string"]:
            name = match["s2"] or match["sl"] or match["s1"] or ""
            return self.plain(self._strings.get(name, ""), depth + 1)
        if match["register"]:
            return str(self._registers.get(match["r2"] or match["rl"] or match["r1"] or "", 0))
        if match["code"]:
            code = int(match["number"])
            return chr(code) if 32 <= code < 0xD800 else ""
        if match["over"] is not None:
            return str(match["over"])
        one = match["one"]
        if one is None or one in _NOTHING:
            return ""
        return _ONE.get(one, one)


def _character(name: str) -> str:
    if name in _CHARACTERS:
        return _CHARACTERS[name]
    if code := re.fullmatch(r"u([0-9A-F]{4,6})(?:_[0-9A-F_]+)?", name):
        number = int(code[1], 16)
        return chr(number) if number < 0xD800 or 0xE000 <= number <= 0x10FFFF else ""
    if len(name) == 2 and name[0] in _ACCENTS and name[1].isalpha():
        composed = unicodedata.normalize("NFC", name[1] + _ACCENTS[name[0]])
        if len(composed) == 1:
            return composed
    return f"[{name}]" if len(name) > 1 else name


def _split(rest: str) -> list[str]:
    """Arguments of a request: words, or strings in double quotes, a doubled quote inside being one."""
    found = re.findall(r'"((?:[^"]|"")*)"?[ \t]*|((?:\\.|[^ \t\\])+)[ \t]*', rest, re.DOTALL)
    return [word or quoted.replace('""', '"') for quoted, word in found]


def _number(text: str) -> int:
    match = re.match(r"[+-]?\d{1,9}", text)
    return int(match[0]) if match else 0


def _compare(text: str) -> bool:
    match = re.match(r"\(*([+-]?\d{1,9})[a-z]?(?:(>=|<=|==|=|>|<)([+-]?\d{1,9}))?", text)
    if not match:
        return False
    left, right = int(match[1]), int(match[3] or 0)
    match match[2]:
        case None | ">":
            return left > right
        case "<":
            return left < right
        case ">=":
            return left >= right
        case "<=":
            return left <= right
    return left == right
