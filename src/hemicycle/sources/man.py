"""Man pages to text, from either family of macros: man(7), which translators use, and BSD's mdoc(7).

What stays is what a reader sees on a terminal: headings, paragraphs, terms with what they mean, tables
as rows, listings line by line. Only the few macros below mean something; a page's own low-level tricks
are worked out by `roff`, and what neither knows is passed over as roff itself does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hemicycle.documents import StatedLicence
from hemicycle.sources import mdoc
from hemicycle.sources.page import Page, Writing
from hemicycle.sources.roff import Line, Roff
from hemicycle.sources.trees import decoded_as

_FONTS = frozenset("B I SM SB R".split())
_ALTERNATING = frozenset("BI BR IB IR RB RI".split())
_PARAGRAPH = frozenset("PP P LP Pp sp Sp HP".split())
_VERBATIM = frozenset("nf EX Vb".split())
_END_VERBATIM = frozenset("fi EE Ve".split())
_LINKS = frozenset("UR MT".split())
_BUILTIN = (
    _FONTS
    | _ALTERNATING
    | _PARAGRAPH
    | _VERBATIM
    | _END_VERBATIM
    | _LINKS
    | frozenset("TH SH SS TP TQ IP RS RE UE ME URL MTO OP SY YS IX TS TE T& br".split())
)

_BULLETS = frozenset("• - * · o + – — ○ □ ∗".split())
_STEP = "    "


def read_man(data: bytes, place: str) -> Page | None:
    """Read a man page (unpacked); None for one that only stands for another (``.so man1/other.1``).

    Raises:
        InputError: a NUL, a wrong encoding, or a page that grows without end.
    """
    source = _decoded(data, place)
    roff = Roff(source, place, _BUILTIN | mdoc.MACROS)
    lines = list(roff.lines())
    if [line.request for line in lines if line.request or line.text.strip()] == ["so"]:
        return None
    writer = _Man()
    writer.run(mdoc.as_man(lines) if any(line.request == "Dd" for line in lines) else iter(lines))
    return Page(
        text=writer.writing.text,
        parts=tuple(writer.writing.parts),
        title=writer.title,
        licences=tuple(_stated(roff.comments, place)),
    )


def _decoded(data: bytes, place: str) -> str:
    declared = re.search(rb"-\*-.*?coding:\s*([\w.-]+)", data[:200])
    encoding = declared[1].decode("ascii").lower().removesuffix("-unix") if declared else "utf-8"
    return decoded_as(data, encoding, place).replace("\r\n", "\n")


def _stated(comments: list[str], place: str) -> Iterator[StatedLicence]:
    """Licences that the page's own comments name by their SPDX identifier."""
    for comment in dict.fromkeys(comments):
        match = re.search(r"SPDX-License-Identifier:\s*([A-Za-z0-9.+() -]+)", comment)
        if match:
            yield StatedLicence("file", match[1].strip(), f"{place}, SPDX-License-Identifier")


class _Man:
    """One page being written: the paragraph under way and where it stands."""

    def __init__(self) -> None:
        self.writing = Writing()
        self.title: str | None = None
        self._words: list[str] = []
        self._verbatim: list[str] | None = None
        self._hanging = ""
        self._levels: list[str] = []
        self._indent = ""
        self._marker = ""
        self._listed = False
        self._await: str | None = None  # what the next text is: a heading or a term
        self._glue = False
        self._link: str | None = None

    def run(self, lines: Iterator[Line]) -> None:
        for line in lines:
            if line.request == "TS":
                self._table(lines)
            elif line.request is not None:
                self._request(line)
            elif self._verbatim is not None:
                self._verbatim.append(line.text)
            elif not line.text.strip():
                self.flush()
            else:
                self._text(line.text, joined=line.joined)
        self._end_verbatim()
        self.flush()

    # Text

    def _text(self, text: str, *, joined: bool = False) -> None:
        if self._verbatim is not None:
            self._verbatim.append(text)
            return
        if text.startswith((" ", "\t")):  # a leading blank breaks the line
            self._break()
        if self._glue and self._words:
            self._words[-1] += text
        else:
            self._words.append(text)
        self._glue = joined
        if self._await and not joined:
            what, self._await = self._await, None
            taken = self._taken()
            if what == "term":
                self._term(taken)
            else:
                self.writing.heading(taken)

    def _taken(self) -> str:
        text = (
            re.sub(r"[ \t\n]+", " ", " ".join(self._words))
            .replace(" \0 ", "\n")
            .replace("\0", "\n")
            .strip(" \n")
        )
        self._words = []
        return re.sub(r"\n{2,}", "\n", text)

    def flush(self) -> None:
        self._glue = False
        text = self._taken()
        if text:
            self._write(text)

    def _write(self, text: str) -> None:
        indent = self._indent + self._hanging
        self.writing.paragraph(text, indent=indent, marker=self._marker, listed=self._listed)
        self._marker = ""

    def _term(self, text: str) -> None:
        """A term opens an item; a mere bullet or number becomes the item's marker."""
        self._listed = True
        if text in _BULLETS:
            self._marker, self._hanging = "- ", "  "
        elif re.fullmatch(r"\(?[0-9a-z]{1,3}[.)]", text):
            self._marker, self._hanging = f"{text} ", " " * (len(text) + 1)
        else:
            self.writing.paragraph(text, indent=self._indent, listed=True)
            self._hanging = _STEP

    def _break(self) -> None:
        if self._words:
            self._words.append("\0")

    def _end_item(self) -> None:
        self._hanging, self._marker, self._listed = "", "", bool(self._levels)

    def _end_verbatim(self) -> None:
        if self._verbatim is None:
            return
        lines = [line.rstrip().expandtabs(8) for line in self._verbatim]
        self._verbatim = None
        while lines and not lines[0]:
            lines.pop(0)
        while lines and not lines[-1]:
            lines.pop()
        self._write("\n".join(lines))

    # Requests

    def _request(self, line: Line) -> None:
        name, arguments = line.request or "", list(line.arguments)
        if name in _FONTS or name == "text":
            self._maybe(" ".join(arguments))
        elif name in _ALTERNATING:
            self._maybe("".join(arguments))
        elif name in _PARAGRAPH:
            self._paragraph(name)
        elif name in _VERBATIM:
            self.flush()
            self._verbatim = self._verbatim or []
        elif name in _END_VERBATIM:
            self._end_verbatim()
        elif name in _LINKS:
            self._link = "".join(arguments[:1])
        else:
            handler = getattr(self, f"_do_{name}", None)
            if handler is not None:
                handler(arguments)

    def _maybe(self, text: str) -> None:
        if text:
            self._text(text, joined=text.endswith("\\c"))

    def _paragraph(self, name: str) -> None:
        if self._verbatim is not None:
            self._verbatim.append("")
            return
        self.flush()
        if name not in ("sp", "Sp"):
            self._end_item()

    def _heading(self, arguments: list[str]) -> None:
        self._end_verbatim()
        self.flush()
        self._levels, self._indent = [], ""
        self._end_item()
        if arguments:
            self.writing.heading(" ".join(arguments))
        else:
            self._await = "heading"

    def _do_TH(self, arguments: list[str]) -> None:
        if arguments:
            self.title = arguments[0] + (f"({arguments[1]})" if len(arguments) > 1 else "")

    def _do_SH(self, arguments: list[str]) -> None:
        self._heading(arguments)

    def _do_SS(self, arguments: list[str]) -> None:
        self._heading(arguments)

    def _do_TP(self, arguments: list[str]) -> None:
        self.flush()
        self._hanging, self._marker = "", ""
        self._await = "term"

    def _do_TQ(self, arguments: list[str]) -> None:
        self._do_TP(arguments)

    def _do_IP(self, arguments: list[str]) -> None:
        self.flush()
        if arguments and arguments[0].strip():
            self._hanging, self._marker = "", ""
            self._term(arguments[0].strip())
        elif not self._hanging:
            self._hanging = _STEP
            self._listed = True

    def _do_RS(self, arguments: list[str]) -> None:
        self.flush()
        self._levels.append(self._hanging)
        self._indent += self._hanging or _STEP
        self._hanging, self._marker, self._listed = "", "", True

    def _do_RE(self, arguments: list[str]) -> None:
        self.flush()
        if self._levels:
            self._hanging = self._levels.pop()
            step = len(self._hanging or _STEP)
            self._indent = self._indent[:-step]
            self._listed = bool(self._levels or self._hanging)

    def _do_br(self, arguments: list[str]) -> None:
        if self._verbatim is None:
            self._break()

    def _do_UE(self, arguments: list[str]) -> None:
        """The end of a link: its address follows its text."""
        trailing = arguments[0] if arguments else ""
        if self._link:
            self._text(f"<{self._link}>{trailing}")
        self._link = None

    def _do_ME(self, arguments: list[str]) -> None:
        self._do_UE(arguments)

    def _do_URL(self, arguments: list[str]) -> None:
        address, text, trailing = [*arguments, "", "", ""][:3]
        self._maybe(f"{text} <{address}>{trailing}".strip())

    def _do_MTO(self, arguments: list[str]) -> None:
        self._do_URL(arguments)

    def _do_OP(self, arguments: list[str]) -> None:
        self._maybe(f"[{' '.join(arguments)}]")

    def _do_SY(self, arguments: list[str]) -> None:
        self._break()
        self._maybe(" ".join(arguments))

    def _do_YS(self, arguments: list[str]) -> None:
        self.flush()

    # Tables, as tbl(1) writes them

    def _table(self, lines: Iterator[Line]) -> None:
        self.flush()
        rows: list[str] = []
        separator, head = "\t", True
        block: list[str] | None = None
        cells: list[str] = []
        for line in lines:
            if line.request == "TE":
                break
            if line.request == "T&":
                head = True
                continue
            if line.request is not None:
                if block is not None:
                    block.append(
                        " ".join(line.arguments) if line.request in _FONTS else "".join(line.arguments)
                    )
                continue
            text = line.text
            if head:
                if match := re.search(r"tab\s*\((.)\)", text):
                    separator = match[1]
                head = not text.rstrip().endswith(".")
                continue
            if block is not None:
                if not text.startswith("T}"):
                    block.append(text)
                    continue
                cells.append(" ".join(block))
                block, text = None, text[2:].removeprefix(separator)
                if not text:
                    rows.append(_row(cells))
                    cells = []
                    continue
            *before, last = text.split(separator)
            cells += before
            if last.strip() == "T{":
                block = []
                continue
            rows.append(_row([*cells, last]))
            cells = []
        if rows := [row for row in rows if row]:
            self._write("\n".join(rows))


def _row(cells: list[str]) -> str:
    texts = [re.sub(r"[ \t\n]+", " ", c).strip() for c in cells]
    if all(re.fullmatch(r"[_=]?|\^", t) for t in texts):
        return ""
    return " | ".join(t for t in texts) if sum(map(bool, texts)) > 1 else "".join(texts)
