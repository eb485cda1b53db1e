"""BSD's mdoc(7) macros, rewritten as the simpler man(7) ones: ``.Op Fl v`` becomes the text ``[-v]``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hemicycle.sources.roff import Line

#: What a macro puts before and after its arguments.
_AROUND = {
    "Fl": ("-", ""),
    "Op": ("[", "]"),
    "Oo": ("[", ""),
    "Oc": ("", "]"),
    "Aq": ("<", ">"),
    "Bq": ("[", "]"),
    "Brq": ("{", "}"),
    "Pq": ("(", ")"),
    "Dq": ("“", "”"),
    "Qq": ('"', '"'),
    "Sq": ("‘", "’"),
    "Ql": ("‘", "’"),
    "In": ("<", ">"),
    "Nd": ("— ", ""),
}
_TEXT = frozenset(
    "Ad An Ar At Bx Cd Cm D1 Dl Dv Em Er Ev Fa Fn Fo Ft Fx Ic Li Lk Ms Mt Nm Nx Ox Pa Pf Ql St Sx Sy "
    "Tn Ux Va Vt Xr Ap Ns No".split()
)
_SPANNING = frozenset("Op Aq Bq Brq Pq Dq Qq Sq Ql".split())
_STRUCTURE = frozenset("Dd Dt Os Sh Ss Pp Bl El It Bd Ed".split())
MACROS = frozenset(_AROUND) | _TEXT | _STRUCTURE
_CLOSING = frozenset(". , : ; ) ] ? !".split())
_OPENING = frozenset("( [".split())


def as_man(lines: list[Line]) -> Iterator[Line]:
    """The same page in man(7) macros."""
    name = ""
    lists: list[str] = []
    title: list[str] = []
    for line in lines:
        arguments = list(line.arguments)
        match line.request:
            case "Dt":
                title = arguments
                yield Line(line.number, request="TH", arguments=tuple(arguments))
            case "Sh" | "Ss":
                yield Line(line.number, request="SH", arguments=(_joined(arguments, name),))
            case "Pp":
                yield Line(line.number, request="sp" if lists else "PP")
            case "Bl":
                if lists:
                    yield Line(line.number, request="RS")
                lists.append(arguments[0] if arguments else "-item")
            case "El":
                if lists:
                    lists.pop()
                yield Line(line.number, request="RE" if lists else "PP")
            case "It":
                yield from _item(line, _joined(arguments, name), lists[-1] if lists else "-item")
            case "Bd":
                yield Line(line.number, request="nf" if "-literal" in arguments else "PP")
            case "Ed":
                yield Line(line.number, request="fi")
            case "Nm" if not name:
                name = arguments[0] if arguments else (title[0].lower() if title else "")
                yield Line(line.number, _joined(["Nm", *arguments], name))
            case request if request in MACROS and request not in _STRUCTURE:
                yield Line(line.number, _joined([request, *arguments], name))
            case _:
                yield line


def _item(line: Line, text: str, kind: str) -> Iterator[Line]:
    if kind in ("-bullet", "-dash", "-hyphen"):
        yield Line(line.number, request="IP", arguments=("•",))
    elif kind == "-item":
        yield Line(line.number, request="IP")
    elif kind == "-column":
        yield Line(line.number, request="br")
        yield Line(line.number, text)
    else:
        yield Line(line.number, request="IP", arguments=(text,))


def _joined(words: list[str], name: str) -> str:
    """The text of a macro and the macros among its arguments."""
    out: list[str] = []
    closing: list[str] = []
    glue, reference, opened, before, after = False, 0, "", "", ""
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        if word in MACROS:
            glue = glue or word in ("Ns", "Ap")
            before, after = _AROUND.get(word, ("", ""))
            if word in _SPANNING or word == "Oo":
                opened += before
                closing += [after] if after else []
                before = after = ""
            elif word in ("Ap", "Oc") and out:
                out[-1] += "'" if word == "Ap" else "]"
            reference = 2 if word == "Xr" else 0
            if word == "Fl" == following:  # “Fl Fl verbose” is --verbose
                opened, before = opened + "-", ""
                continue
            bare = not following or following in MACROS or following in _CLOSING
            word = {"Nm": name, "Ar": "file ...", "Fl": "-"}.get(word, "") if bare else ""
            if not word:
                continue
            before = after = ""
        if word in _CLOSING and out:
            out[-1] += word
            continue
        reference -= 1
        if reference == 0 and out:  # “Xr ls 1” is ls(1)
            out[-1] += f"({word})"
            continue
        text = opened + before + word + after
        opened, before = "", before if before == "-" else ""
        if (glue or (out and out[-1] in _OPENING)) and out:
            out[-1] += text
        else:
            out.append(text)
        glue = False
    if closing and out:
        kept = out[-1].rstrip(".,:;!?")
        out[-1] = kept + "".join(reversed(closing)) + out[-1][len(kept) :]
    return " ".join(out)
