"""Cards: the pages of a release, in English and in French, from templates and one `Facts` object.

What a template prints goes through one gate: text is escaped, a number that was not formatted for the
page's language is refused. A template cannot forget either.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from hemicycle import typeset
from hemicycle.errors import DeclarationError
from hemicycle.release.attribution import duty_words, licence_addresses, licence_link
from hemicycle.release.facts import Facts, LicenceShare, Rate, Refusal
from hemicycle.typeset import Language

#: File of the release → (template, language).
PAGES: Mapping[str, tuple[str, Language]] = {
    "README.md": ("README.md.jinja", "en"),
    "README.fr.md": ("README.fr.md.jinja", "fr"),
    "DATA.md": ("DATA.md.jinja", "en"),
    "DATA.fr.md": ("DATA.fr.md.jinja", "fr"),
    "ATTRIBUTION.md": ("ATTRIBUTION.md.jinja", "en"),
    "NOTICE": ("NOTICE.jinja", "en"),
    "LICENSE-WEIGHTS.txt": ("LICENSE-WEIGHTS.txt.jinja", "en"),
}
#: A card lists so many reasons of refusal for a corpus; `refused.parquet` holds every document.
MOST_REFUSALS = 30
#: A page lists so many licences of one source; the rest is counted. `documents.parquet` holds them all.
MOST_LICENCES = 40

#: Families of architecture by the names they are known under; others keep that of their class.
FAMILIES = {
    "llama": "Llama",
    "mistral": "Mistral",
    "qwen3": "Qwen 3",
    "olmo2": "OLMo 2",
    "gemma3": "Gemma 3",
    "gpt2": "GPT-2",
    "bloom": "BLOOM",
}

#: Licences that the Hugging Face Hub knows by an identifier of its own.
_HUB_LICENCES = (
    "apache-2.0 mit bsd-2-clause bsd-3-clause cc0-1.0 cc-by-4.0 cc-by-sa-4.0 etalab-2.0 eupl-1.2 mpl-2.0 "
    "gpl-3.0-only gpl-3.0-or-later odbl odc-by unlicense isc"
).split()


def render_pages(facts: Facts) -> dict[str, str]:
    """File name → content, for every page of the release."""
    return {file: _render(facts, template, language) for file, (template, language) in PAGES.items()}


def _render(facts: Facts, template: str, language: Language) -> str:
    plain = ".md." not in template
    return _environment(language, plain).get_template(template).render(f=facts, front_matter=front_matter)


@functools.cache
def _environment(language: Language, plain: bool) -> jinja2.Environment:
    show: Callable[[str], str] = typeset.flatten if plain else typeset.escape_text

    def gate(value: Any) -> Markup:
        return value if isinstance(value, Markup) else Markup(show(typeset.check_is_text(value)))

    # autoescape only so that macros and blocks hand on Markup; what is no Markup never gets past `gate`.
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hemicycle.release"),
        autoescape=True,
        finalize=gate,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

    def ready(function: Callable[..., str], *, localised: bool = True) -> Callable[..., Markup]:
        bound = functools.partial(function, language=language) if localised else function
        return lambda *args, **kwargs: Markup(bound(*args, **kwargs))

    environment.filters |= {
        "n": ready(typeset.format_number),
        "count": ready(typeset.count),
        "percent": ready(typeset.format_percent),
        "date": ready(typeset.format_date),
        "span": ready(_span),
        "interval": ready(_interval),
        "rate": ready(_rate),
        "series": lambda name: _series_name(name, language),
        "rule": lambda name, digest: _rule(name, digest, language),
        "why": lambda code: _why(code, language),
        "family": lambda name: FAMILIES.get(name, name),
        "asks": lambda code: _duty(code, "asks", language),
        "here": lambda code: _duty(code, "here", language),
        "relied": ready(_relied),
        "code": ready(typeset.code, localised=False),
        "link": ready(typeset.link, localised=False),
        "licence": ready(licence_link, localised=False),
        "addresses": licence_addresses,
        "top_refusals": lambda refusals: refusals[:MOST_REFUSALS],
        "top_licences": lambda shares: shares[:MOST_LICENCES],
    }
    return environment


def front_matter(facts: Facts) -> Markup:
    """The YAML block that the Hugging Face Hub reads, without its dashes."""
    lines: list[str] = []
    spdx = facts.license
    if spdx.lower() in _HUB_LICENCES:
        lines.append(typeset.yaml_line("license", spdx.lower()))
    else:
        lines.append(typeset.yaml_line("license", "other"))
        lines.append(typeset.yaml_line("license_name", spdx))
        lines.append(typeset.yaml_line("license_link", "LICENSE-WEIGHTS.txt"))
    languages = sorted({language.split("-")[0].lower() for language in facts.languages})
    lines.append(typeset.yaml_line("language", languages))
    lines.append(typeset.yaml_line("library_name", "transformers"))
    lines.append(typeset.yaml_line("pipeline_tag", "text-generation"))
    unknown = ["upstream-unknown"] if facts.base else []
    lines.append(typeset.yaml_line("tags", ["hemicycle", "provenance", "open-data", "pretrained", *unknown]))
    if facts.base and facts.base.hub:
        lines.append(typeset.yaml_line("base_model", facts.base.hub))
    hubs = sorted({source.hub for source in facts.sources if source.hub and source.documents})
    if hubs:
        lines.append(typeset.yaml_line("datasets", hubs))
    return Markup("\n".join(lines))


def _span(days: tuple[str, str], language: Language) -> str:
    first, last = (typeset.format_date(day, language) for day in days)
    if first == last:
        return first
    return f"{first} to {last}" if language == "en" else f"{first} au {last}"


def _interval(score: Any, language: Language) -> str:
    return typeset.format_interval(score.value, score.low, score.high, language)


def _rate(rate: Rate | None, language: Language) -> str:
    return "–" if rate is None else typeset.format_share(rate.value, rate.low, rate.high, language)


def _series_name(name: str, language: Language) -> str:
    """Names of baselines in the page's language; models keep their own."""
    stem = "character n-gram of order "
    if language == "fr" and name.startswith(stem):
        return f"n-grammes de caractères, ordre {name.removeprefix(stem)}"
    return name


#: Reasons of curation that are no rule of a set.
_REASONS: dict[str, dict[Language, str]] = {
    "duplicate-of": {
        "en": "The same text stands in another document.",
        "fr": "Le même texte figure dans un autre document.",
    },
    "near-duplicate-of": {
        "en": "Nearly the same text stands in another document.",
        "fr": "Presque le même texte figure dans un autre document.",
    },
    "too-long": {
        "en": "Too long for one document; it was not measured.",
        "fr": "Trop long pour un seul document ; il n’a pas été mesuré.",
    },
}


def _rule(name: str, rules: Mapping[str, Mapping[str, str]], language: Language) -> str:
    """Why curation drops a document, in the words of the rules that were applied."""
    return (_REASONS.get(name) or rules.get(name, {})).get(language, "")


def _why(code: str, language: Language) -> str:
    """Why rights held a document back, in words; a code without words is shown as it is."""
    from hemicycle.rights import explain

    try:
        return explain(code, language)
    except DeclarationError:
        return code


def _duty(code: str, part: str, language: Language) -> str:
    words = duty_words().get(code)
    if words is None:
        return code if part == "asks" else "–"
    return (words.asks if part == "asks" else words.here)[language]


def _relied(share: LicenceShare | Refusal, language: Language) -> str:
    """What was relied on, as Markdown: a licence, the end of the authors' term, or both."""
    term = {"en": "authors’ term is over", "fr": "droits des auteurs expirés"}[language]
    licence = licence_link(share.licence) if share.licence else None
    if isinstance(share, Refusal):
        return licence or "–"
    if licence and "term" in share.basis.split("+"):
        return f"{licence}, {term}"
    return licence or term
