"""Notice: what is said in public of a withdrawal, in Markdown, in English and in French.

It says what was made of the text and what is done, and no more than that: that nothing is unlearnt, that the
tokenizer stays, that copies in other words were not looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial

import jinja2

from hemicycle.typeset import (
    Language,
    code,
    count,
    escape_text,
    format_date,
    format_number,
    format_percent,
)
from hemicycle.withdraw.impact import Impact
from hemicycle.withdraw.matching import Match
from hemicycle.withdraw.target import Target

#: Documents that are named one by one; of more, how many they are is said.
NAMED = 50


def notice(
    language: Language,
    project: str,
    target: Target,
    impact: Impact,
    *,
    copies: Sequence[Match] = (),
    reason: str | None,
    today: date,
) -> str:
    """The page to publish.

    `copies`: documents with words of the text, which stay. `reason`: as it stands in the decision; None where
    none was given yet.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hemicycle.withdraw", "."),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown: each name from outside goes through `md` or `code`.
        keep_trailing_newline=True,
    )
    environment.filters["md"] = escape_text
    environment.filters["num"] = partial(format_number, language=language)
    environment.filters["n"] = lambda value, one, many: count(value, one, many, language)
    latest = [corpus for corpus in impact.corpora if corpus.latest]
    again = [m for m in impact.models if m.again]
    return environment.get_template(f"notice.{language}.md.jinja").render(
        project=project,
        date=format_date(today.isoformat(), language),
        what=list(_named(target, language)),
        reason=reason,
        documents=sum(c.train + c.held_out + c.dropped for c in latest),
        held_out=sum(c.held_out for c in latest),
        words=sum(c.words for c in latest),
        indexed=bool(impact.indexes),
        models=impact.models,
        again=list(dict.fromkeys(escape_text(m.name) for m in again)),
        left=[f"{escape_text(m.name)} (`{m.digest[:16]}`)" for m in impact.models if m not in again],
        releases=impact.releases,
        evaluations=impact.evaluations,
        gone=impact.gone,
        tokenizers=impact.tokenizers,
        copies=_told(copies, language),
        dropped=len({one.document for one in impact.copies if not one.stays}),
    )


def _told(copies: Sequence[Match], language: Language) -> list[str]:
    of = {"en": "{} of it", "fr": "{} du texte"}[language]
    told = [
        f"{code(match.id)} ({of.format(format_percent(match.of_text, language))})" for match in copies[:NAMED]
    ]
    more = {"en": "{} more", "fr": "{} autres"}[language]
    return [*told, more.format(len(copies) - NAMED)] if len(copies) > NAMED else told


def _named(target: Target, language: Language) -> list[str]:
    # Code marks on all names or on none: a list of both looks as if they were different things.
    plain = all(code(name).startswith("`") for name in (*target.names, *target.documents))
    mark = code if plain else escape_text
    whole = {"en": "the whole source {}", "fr": "toute la source {}"}[language]
    told = [whole.format(mark(source)) for source in target.sources]
    for source, ids in target.documents.items():
        if len(ids) <= NAMED:
            told += [mark(one) for one in ids]
        else:
            of = {"en": "of the source", "fr": "de la source"}[language]
            told.append(f"{count(len(ids), 'document', 'documents', language)} {of} {mark(source)}")
    return told
