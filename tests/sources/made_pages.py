"""Sixty pages made of twelve layouts and sixty texts of our own, with what should be kept of each.

Five sites a kind: press, blog, forum, product, recipe, administration, law, encyclopedia, debate,
documentation, and two kinds of which nothing should be kept, list and wall. A text is a line a block: `#` is
a heading, `-` an item, `$` a line of code. The five texts of a kind are marked up in five ways, from clean
HTML to tables for layout, so that no finder of main text wins by one habit. They were written by us, and are
no sample of the web.

What is kept is a decision, made once: posts of a forum, but no signatures; the description of a product, but
no reviews; no comments, no notes, no lists of links.
"""

from __future__ import annotations

import html
import tomllib
from dataclasses import dataclass
from pathlib import Path

import jinja2

FOLDER = Path(__file__).parent / "pages"
KINDS = (
    "press blog forum product recipe administration law encyclopedia debate documentation list wall".split()
)
#: Of these nothing should be kept.
EMPTY = ("list", "wall")


@dataclass(frozen=True)
class MadePage:
    kind: str
    number: int
    html: str
    keep: str


def made_pages() -> list[MadePage]:
    layouts = jinja2.Environment(loader=jinja2.FileSystemLoader(FOLDER), undefined=jinja2.StrictUndefined)
    found = []
    for kind in KINDS:
        layout = layouts.get_template(f"{kind}.jinja")
        for number, page in enumerate(tomllib.loads((FOLDER / f"{kind}.toml").read_text("utf-8"))["page"]):
            lines = page["text"].strip().splitlines()
            aside = page["extra"][-1]
            shown = {k: [html.escape(v) for v in page[k]] for k in ("menu", "extra", "said")}
            page_html = layout.render(
                **shown,
                site=html.escape(page["site"]),
                title=html.escape(page["title"]),
                style=number,
                body=body(lines, number, aside),
                posts=[body([line], number, None) for line in lines],
            )
            found.append(MadePage(kind, number, page_html, "\n".join(line.lstrip("#-$ ") for line in lines)))
    return found


def body(lines: list[str], style: int, aside: str | None) -> str:
    """The blocks of a text in one of five ways of writing HTML."""
    pieces: list[str] = []
    listed = False
    for number, line in enumerate(lines):
        sign, words = (line[0], line[2:]) if line[:2] in ("# ", "- ", "$ ") else ("", line)
        if (sign == "-") != listed:
            listed = not listed
            pieces.append(("<ul>" if listed else "</ul>") if style != 2 else "<br>")
        pieces.append(_block(sign, html.escape(words), style, first=number == 0))
        if style == 3 and number == 1 and aside:
            pieces.append(f'<div class="inset">À lire aussi : <a href="/z">{html.escape(aside)}</a></div>')
    if listed and style != 2:
        pieces.append("</ul>")
    whole = "\n".join(pieces)
    if style == 2:
        return f'<table border="0" width="100%"><tr><td><font face="Arial">{whole}</font></td></tr></table>'
    return f"<section>{whole}</section>" if style == 3 else whole


def _block(sign: str, words: str, style: int, *, first: bool) -> str:
    level = "h1" if first else "h2"
    first_word, _, rest = words.partition(" ")
    forms = {
        "#": (
            f"<{level}>{words}</{level}>",
            f'<div class="titre">{words}</div>',
            f"<b><font size=+1>{words}</font></b><br>",
            f"<header><{level}>{words}</{level}></header>",
            f'<{level}><span class="label">{words}</span></{level}>',
        ),
        "-": (
            f"<li>{words}</li>",
            f"<li><div>{words}</div></li>",
            f"&bull; {words}<br>",
            f"<li><p>{words}</p></li>",
            f"<li><span>{words}</span></li>",
        ),
        "$": (
            f"<pre><code>{words}</code></pre>",
            f'<div class="code"><pre>{words}</pre></div>',
            f"<tt>{words}</tt><br>",
            f"<pre>{words}</pre>",
            f"<p><code>{words}</code></p>",
        ),
        "": (
            f"<p>{words}</p>",
            f'<div class="para">{words}</div>',
            f"{words}<br><br>",
            f"<p><strong>{first_word}</strong> {rest}</p>",
            f'<div class="field"><div class="field-item"><p>{words}</p></div></div>',
        ),
    }
    return forms[sign][style]
