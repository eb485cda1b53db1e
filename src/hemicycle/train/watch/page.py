"""The page: one HTML file in French and English that needs nothing beside itself.

Style and script stand in it, and its policy allows these two by their digests and nothing else. All text of a
run, what its model writes above all, is escaped. The language is chosen by the address (``#fr``, ``#en``).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from hemicycle.pages import load_page
from hemicycle.train.alarms import Alarm, sentence
from hemicycle.train.causes import table
from hemicycle.train.log import read_groups, read_samples
from hemicycle.train.watch.chart import Chart, draw
from hemicycle.train.watch.curves import charts, comparison, group_table, loss_line
from hemicycle.train.watch.runs import Run, figures
from hemicycle.train.watch.words import WORDS
from hemicycle.typeset import (
    Language,
    count,
    format_duration,
    format_number,
    format_percent,
    format_quantity,
)

#: A page of a run that goes on is fetched again after so many seconds.
REFRESH_SECONDS = 10
#: The last samples that are shown, and characters of one.
MOST_SAMPLES, SAMPLE_CHARACTERS = 12, 2_000


def render_run(run: Run, *, first: Language = "fr", served: bool = False, now: float | None = None) -> str:
    """The page of one run; `served`: it may fetch itself again and link to the others."""
    told = figures(run, now)
    groups = read_groups(run.folder)
    samples = read_samples(run.folder).to_pylist()[-MOST_SAMPLES:]
    shown = {
        "figures": told,
        "facts": {language: facts(told, language) for language in WORDS},
        "alarms": {language: [_alarm(a, language) for a in run.state.alarms] for language in WORDS},
        "drawings": charts(run, groups),
        "groups": {key: group_table(groups, key) for key in ("source", "language")},
        "samples": [
            {"step": s["step"], "prompt": _sample(s["prompt"]), "text": _sample(s["text"])}
            for s in samples[::-1]
        ],
    }
    going = served and told["state"] == "running"
    return _render(first, run=shown, title=run.name, refresh=REFRESH_SECONDS if going else 0, linked=served)


def render_index(
    runs: Sequence[Run], *, first: Language = "fr", served: bool = False, now: float | None = None
) -> str:
    """The page of several runs: their figures, their losses in one chart, and one by one."""
    told = [figures(run, now) for run in runs]
    shown = [
        {"figures": f, "drawing": draw(Chart("loss", [loss_line(run, run.name)]))}
        for run, f in zip(runs, told, strict=True)
    ]
    return _render(
        first,
        run=None,
        runs=shown,
        compared=comparison(runs) if len(runs) > 1 else None,
        title=WORDS[first]["index"],
        # Runs may begin at any time.
        refresh=REFRESH_SECONDS if served else 0,
        linked=served,
    )


def facts(told: dict[str, Any], language: Language) -> list[tuple[str, str, str]]:
    """What stands at the head of a run's page: what, how much, and of what."""
    words = WORDS[language]["facts"]

    def number(value: float | None, decimals: int = 0) -> str:
        return format_number(value, language, decimals=decimals)

    rows = [
        ("step", f"{number(told['step'])} / {number(told['steps'])}", _skipped(told["skipped"], language)),
        ("loss", number(told["loss"], 3), words["nats"]),
        ("tokens", format_number(told["tokens"], language, significant=3), ""),
        ("speed", number(told["tokens_per_second"]), ""),
        ("mfu", _percent(told["mfu"], language), _peak(told, language)),
        ("left", _duration(told["seconds_left"], language), ""),
        ("taken", _duration(told["seconds"], language), ""),
        ("energy", _energy(told["joules"], language), told["meter"]),
        ("data", _percent(told["data_share"], language), ""),
        ("memory", format_quantity(told["memory"], WORDS[language]["byte"], language), ""),
        ("parameters", format_number(told["parameters"], language, significant=3), ""),
        ("machine", _machine(told), ""),
    ]
    return [(words[key], value, detail) for key, value, detail in rows]


def _alarm(alarm: Alarm, language: Language) -> dict[str, Any]:
    """An alarm in a language; what another version of the log knew and this does not, in its English."""
    known = {row.id: row.words[language] for row in table()}
    causes = [(known.get(c.id, (c.cause, c.check)), c.seen) for c in alarm.causes]
    says = alarm.name in WORDS[language]["alarms"]
    return {
        "name": alarm.name,
        "since": alarm.since,
        "sentence": sentence(alarm.name, alarm.figure, alarm.planned, language) if says else alarm.sentence,
        "causes": [{"cause": cause, "check": check, "seen": seen} for (cause, check), seen in causes],
    }


def _titled(alarm: str, language: Language) -> str:
    return str(WORDS[language]["alarms"].get(alarm, alarm))


def _coded(text: str) -> Markup:
    """Text with what stands between backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(Markup("<code>%s</code>") % p if i % 2 else p for i, p in enumerate(parts))


def _skipped(steps: int, language: Language) -> str:
    one, many = WORDS[language]["skipped"]
    return count(steps, one, many, language) if steps else ""


def _peak(told: dict[str, Any], language: Language) -> str:
    if told["peak"] is None:
        return ""
    which = f" ({told['peak_of']})" if told["peak_of"] else ""
    return f"{WORDS[language]['share_of']} {format_quantity(told['peak'], 'FLOP/s', language)}{which}"


def _machine(told: dict[str, Any]) -> str:
    ranks = f"{told['ranks']} × " if told["ranks"] > 1 else ""
    how = [told["precision"], "torch.compile" if told["compiled"] else ""]
    return ", ".join([f"{ranks}{told['device']}", *filter(None, how)])


def _percent(share: float | None, language: Language) -> str:
    return "–" if share is None else format_percent(share, language)


def _duration(seconds: float | None, language: Language) -> str:
    return "–" if seconds is None else format_duration(seconds, language)


def _energy(joules: float | None, language: Language) -> str:
    return format_quantity(None if joules is None else joules / 3600, "Wh", language)


def _sample(text: str) -> str:
    """Text of a model, its lines as they are: what turns a line around or hides in it is taken out."""
    return "".join(
        c for c in text[:SAMPLE_CHARACTERS] if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf")
    )


def _value(value: float, language: Language) -> str:
    """A value of a chart in four digits."""
    digits = max(0, 3 - len(f"{abs(value):.0f}")) if abs(value) >= 1 else 3
    shown = value if abs(value) >= 0.001 or value == 0 else float(f"{value:.2e}")
    return format_number(shown, language, decimals=digits if abs(value) >= 0.001 or value == 0 else 6)


def _tick(value: float, ticks: Sequence[tuple[float, float]], language: Language) -> str:
    """The value at a tick, with as many decimals as its neighbours are apart."""
    values = [v for _, v in ticks]
    apart = min((b - a for a, b in itertools.pairwise(values)), default=abs(value) or 1.0)
    return format_number(value, language, decimals=_decimals(min(apart, abs(value) or apart)))


def _decimals(apart: float) -> int:
    return len(f"{apart:.8f}".rstrip("0").partition(".")[2])


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@functools.cache
def _template() -> jinja2.Template:
    here = Path(__file__).parent
    style, script = ((here / name).read_text("utf-8") for name in ("watch.css", "watch.js"))
    filters: dict[str, Callable[..., Any]] = {
        "number": format_number,
        "whole": lambda value, language: format_number(value, language, decimals=0),
        "decimals": lambda value, language: format_number(value, language, decimals=3),
        "percent": _percent,
        "duration": _duration,
        "energy": _energy,
        "value": _value,
        "tick": _tick,
        "moment": _moment,
        "titled": _titled,
        "coded": _coded,
    }
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return load_page(
        here / "watch.html.jinja", filters, style=style, script=script, policy=policy, text=WORDS
    )


def _render(first: Language, **known: Any) -> str:
    languages = [first, *(language for language in WORDS if language != first)]
    return _template().render(languages=languages, **{"runs": [], "compared": None, **known})
