"""What the European AI Act says of a model by what is computed for it, and what follows.

Three questions, each answered by operations alone and never beyond them: is it a general-purpose model, is
it presumed to bear systemic risk, does who changes another's model become its provider. The thresholds are
dated (`ai_act.toml`). What was not looked at (whether the model shows generality, whether it is placed on the
market, its licence where nobody said) is listed with the answers. This is not legal advice.

Counted are the operations that change the weights; for systemic risk also what is spent to make the model
better, such as data that another model wrote, where it is given (guidelines of the Commission, Annex A.1).
Experiments need not be counted: where the whole project is given, they widen the upper end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from hemicycle.plan.ai_act_rules import Article, Duty, rules
from hemicycle.plan.wording import figure, say
from hemicycle.typeset import Language, format_date, format_number
from hemicycle.units import Quantity, Range, number, of

#: `reached`: even the least is past the threshold; `near`: the most is, the least not; `below`: not even the
#: most; `outside`: the criterion does not meet such a model; `unknown`: what was told does not settle it.
Answer = Literal["reached", "near", "below", "outside", "unknown"]
#: `depends`: on what is told beside it.
Status = Literal["due", "exempt", "voluntary", "not_due", "depends"]
About = Literal["general_purpose", "systemic", "modifier"]
#: What makes a model general-purpose where enough was computed for it.
GENERATED = ("language", "image", "video")


@dataclass(frozen=True)
class Compute:
    """What is computed, operations.

    Attributes:
        training: that changes the weights, all stages of the run.
        contributing: beside it, such as forward passes that wrote data which is not public; None: not given.
        project: all the project's, experiments and failures included, where they are to widen the upper end.
    """

    training: Range
    contributing: Range | None = None
    project: Range | None = None

    @property
    def updates(self) -> Range:
        """For the first threshold and for a change."""
        if self.project is None:
            return self.training
        high = max(self.training.high, self.project.high)
        return Range(self.training.low, self.training.expected, high)

    @property
    def cumulative(self) -> Range:
        """For systemic risk."""
        return self.updates if self.contributing is None else self.updates + self.contributing


@dataclass(frozen=True)
class Base:
    """The model that this one begins from.

    Attributes:
        flop: operations of its training; None where nobody can know or estimate them.
        systemic: whether it is one with systemic risk; None: not said.
        own: of the same provider, or made for them: the work on it is then one model's life.
    """

    name: str
    flop: float | None = None
    systemic: bool | None = None
    own: bool = False

    @property
    def bears_risk(self) -> bool | None:
        """Said, or presumed of its operations."""
        if self.systemic is None and self.flop is not None:
            return self.flop > rules().thresholds.systemic.flop
        return self.systemic


@dataclass(frozen=True)
class Openness:
    """The conditions of Article 53(2) and recital 103; None: not looked at.

    Attributes:
        licence: it lets everybody have, use, change and pass on the model, without restriction of use.
        weights, architecture, usage: these, or information on them, are public.
        free: nothing is asked for it: no payment, no support to be bought, no personal data.
    """

    licence: bool | None = None
    weights: bool | None = None
    architecture: bool | None = None
    usage: bool | None = None
    free: bool | None = None

    @property
    def met(self) -> bool | None:
        """Whether all hold; None where none fails and not all were looked at."""
        every = (self.licence, self.weights, self.architecture, self.usage, self.free)
        if False in every:
            return False
        return None if None in every else True


@dataclass(frozen=True)
class Verdict:
    """One answer.

    Attributes:
        flop: what was counted.
        tokens_more: that would cross the threshold, as expected; below zero: by which it is past. None where
            no size was told, or no number of tokens settles it.
        inherited: of systemic risk: it comes with the model that is changed, whatever is computed.
    """

    about: About
    answer: Answer
    flop: Range
    threshold: float
    article: Article
    tokens_more: float | None
    inherited: bool = False

    @property
    def within_margin(self) -> bool:
        """Whether an estimate as exact as the guidelines ask for could lie on the other side."""
        return abs(number(self.flop.expected, "FLOP") / self.threshold - 1) <= rules().counting.margin

    def to_json(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "answer": self.answer,
            "flop": self.flop.to_json("FLOP"),
            "threshold_flop": float(f"{self.threshold:.6g}"),
            "article": self.article.en,
            "tokens_more": None if self.tokens_more is None else float(f"{self.tokens_more:.6g}"),
            "within_margin": self.within_margin,
            "inherited": self.inherited,
        }


@dataclass(frozen=True)
class Follows:
    """One duty and how it stands; `because`: a key of `wording.csv`."""

    duty: str
    status: Status
    because: str
    article: Article

    def to_json(self) -> dict[str, str]:
        return {"duty": self.duty, "status": self.status, "because": self.because, "article": self.article.en}


@dataclass(frozen=True)
class AiAct:
    """All answers, what follows, and what was not looked at (keys of `wording.csv`).

    Attributes:
        verdicts: first whether who makes it is provider of a general-purpose model, by making or by changing
            one; then, unless it is by no change, whether it bears systemic risk.
        modifies: whether who makes it changes another's model; duties are then limited to the change
            (recital 109).
    """

    verdicts: tuple[Verdict, ...]
    duties: tuple[Follows, ...]
    not_checked: tuple[str, ...]
    modifies: bool

    def verdict(self, about: About) -> Verdict | None:
        return next((each for each in self.verdicts if each.about == about), None)

    def to_json(self) -> dict[str, Any]:
        known = rules()
        return {
            "act": known.act,
            "guidelines": known.guidelines,
            "checked_on": known.checked_on.isoformat(),
            "dates": {name: day.isoformat() for name, day in known.dates},
            "verdicts": [each.to_json() for each in self.verdicts],
            "duties": [each.to_json() for each in self.duties],
            "limited_to_the_change": self.modifies,
            "not_checked": [{"name": key, "sentence": say(f"act_{key}", "en")} for key in self.not_checked],
        }

    def answers(self, language: Language) -> list[str]:
        """The verdicts as sentences."""
        return [sentence for each in self.verdicts for sentence in _told(each, language)]

    def sentences(self, language: Language) -> list[str]:
        """What people should know of it: the answers, then what follows and what was not looked at."""
        told = self.answers(language)
        told += [
            say(
                "act_duty",
                language,
                duty=say(f"duty_{each.duty}", language),
                status=say(f"status_{each.status}", language),
                because=say(f"stands_{each.because}", language),
                article=getattr(each.article, language),
            )
            for each in self.duties
        ]
        if self.modifies and any(each.status in ("due", "depends") for each in self.duties):
            told.append(say("act_limited", language))
        told += [say(f"act_{key}", language) for key in self.not_checked]
        known = rules()
        days = {name: format_date(day.isoformat(), language) for name, day in known.dates}
        return [*told, say("act_dates", language, **days), say("act_advice", language)]


def judge(
    compute: Compute,
    *,
    parameters: float | None = None,
    generates: tuple[str, ...] | None = None,
    base: Base | None = None,
    openness: Openness | None = None,
    in_union: bool | None = None,
) -> AiAct:
    """The answers for a model.

    Args:
        parameters: that work on each token, for how many tokens more would cross a threshold.
        generates: of `GENERATED`; None where nobody said.
        base: the model it begins from; None: it begins from nothing.
        openness: of its release; None: nothing of it was looked at.
        in_union: whether its provider is established there; None: not said.
    """
    openness = openness or Openness()
    changed = base if base is not None and not base.own and not _small(base) else None
    if changed is not None:
        verdicts = [_modifier(compute, changed, parameters)]
    else:
        verdicts = [_general_purpose(compute, base, parameters, generates)]
    provider = verdicts[0].answer
    risk: Answer = "below"
    if changed is None or provider != "below":
        verdicts.append(_systemic(compute, base, parameters, provider))
        risk = verdicts[1].answer
    unknown_base = base is not None and base.flop is None
    looked_at = {
        "market": False,
        "generality": False,
        "designation": False,
        "generates": generates is not None or changed is not None,
        "contributing": compute.contributing is not None,
        "base_flop": not unknown_base,
        "base_risk": not unknown_base or (base is not None and base.bears_risk is not None),
        "small_base": base is None or base.own or not _small(base),
        "openness": openness.met is not None,
        "union": in_union is not None,
    }
    duties = tuple(
        Follows(name, *_stands(name, duty, provider, risk, openness.met, in_union), duty.article)
        for name, duty in rules().duties.items()
    )
    not_checked = tuple(key for key, looked in looked_at.items() if not looked)
    return AiAct(tuple(verdicts), duties, not_checked, changed is not None)


def _small(base: Base) -> bool:
    """Whether the base is known to be no general-purpose model by its operations."""
    return base.flop is not None and base.flop <= rules().thresholds.general_purpose.flop


def _general_purpose(
    compute: Compute, base: Base | None, parameters: float | None, generates: tuple[str, ...] | None
) -> Verdict:
    threshold = rules().thresholds.general_purpose
    counted, all_known = _with_base(compute.updates, base)
    answer = _answer(counted, threshold.flop, all_known)
    if generates is not None and not set(generates) & set(GENERATED):
        answer = "outside"
    more = _tokens_more(counted, threshold.flop, parameters) if all_known else None
    return Verdict("general_purpose", answer, counted, threshold.flop, threshold.article, more)


def _modifier(compute: Compute, base: Base, parameters: float | None) -> Verdict:
    known = rules()
    whole = base.flop
    if whole is None:
        whole = (known.thresholds.systemic if base.bears_risk else known.thresholds.general_purpose).flop
    threshold = whole / known.modifier.one_in
    counted = compute.updates
    answer = _answer(counted, threshold, True)
    more = _tokens_more(counted, threshold, parameters)
    return Verdict("modifier", answer, counted, threshold, known.modifier.article, more)


def _systemic(compute: Compute, base: Base | None, parameters: float | None, provider: Answer) -> Verdict:
    threshold = rules().thresholds.systemic
    counted, all_known = _with_base(compute.cumulative, base)
    if base is not None and base.bears_risk:
        answer: Answer = "reached" if base.own else provider
        article = rules().inherited.article
        return Verdict("systemic", answer, counted, threshold.flop, article, None, inherited=True)
    answer = "outside" if provider == "outside" else _answer(counted, threshold.flop, all_known)
    more = _tokens_more(counted, threshold.flop, parameters) if all_known else None
    return Verdict("systemic", answer, counted, threshold.flop, threshold.article, more)


def _with_base(own: Range, base: Base | None) -> tuple[Range, bool]:
    """With the operations behind the weights that it begins from, and whether these are known."""
    if base is None:
        return own, True
    if base.flop is None:
        return own, False
    behind = of(base.flop, "FLOP")
    return own + Range(behind, behind, behind), True


def _answer(counted: Range, threshold: float, all_known: bool) -> Answer:
    if number(counted.low, "FLOP") > threshold:
        return "reached"
    if not all_known:
        return "unknown"
    return "near" if number(counted.high, "FLOP") > threshold else "below"


def _tokens_more(counted: Range, threshold: float, parameters: float | None) -> float | None:
    """By 6 N D, which the guidelines give themselves (Annex A.2)."""
    if parameters is None:
        return None
    missing: Quantity = of(threshold, "FLOP") - counted.expected
    return number(missing / of(6 * parameters, "FLOP/token"), "token")


def _stands(
    name: str,
    duty: Duty,
    provider: Answer,
    systemic: Answer,
    openly: bool | None,
    in_union: bool | None,
) -> tuple[Status, str]:
    """How a duty stands, and why: a key of `wording.csv`."""
    risk = name in ("notification", "systemic")
    asked = systemic if risk else provider
    if {provider, asked} & {"below", "outside"}:
        voluntary = not risk and name != "representative"
        return ("voluntary", "below") if voluntary else ("not_due", "below")
    if name == "representative" and in_union:
        return "not_due", "in_union"
    if asked in ("near", "unknown"):
        return "depends", "compute"
    if duty.open == "exempt" and systemic != "reached":
        if openly:
            # What may yet be found to bear systemic risk may yet lose the exemption.
            return ("exempt", "open") if systemic in ("below", "outside") else ("depends", "risk")
        if openly is None:
            return "depends", "openness"
    if name == "representative" and in_union is None:
        return "depends", "union"
    return "due", "systemic" if risk else "provider"


def _told(verdict: Verdict, language: Language) -> list[str]:
    def operations(value: float) -> str:
        return format_number(value, language, significant=3)

    counted = verdict.flop
    ends = {
        "low": operations(number(counted.low, "FLOP")),
        "flop": operations(number(counted.expected, "FLOP")),
        "high": operations(number(counted.high, "FLOP")),
    }
    about = "inherited" if verdict.inherited else f"{verdict.about}_{verdict.answer}"
    told = [
        say(
            f"act_{about}",
            language,
            **ends,
            threshold=operations(verdict.threshold),
            article=getattr(verdict.article, language),
        )
    ]
    more = verdict.tokens_more
    far = 10 * number(counted.expected, "FLOP") < verdict.threshold
    if more is not None and verdict.answer in ("near", "below") and not far:
        tokens = figure(abs(more), language)
        told.append(say("act_more" if more >= 0 else "act_past", language, tokens=tokens))
    if verdict.within_margin and verdict.answer in ("reached", "below") and not verdict.inherited:
        told.append(say("act_margin", language))
    return told
