"""Serving: whether a model fits on so many cards, how fast it answers, how many people, and at what cost.

To write one token of each answer the cards read the weights and what is kept of each text, and compute 2 N
operations for each answer; the slower of the two is a step (the roofline of Williams et al. 2009). Reading a
prompt computes 2 N operations a token. Attention's own operations are left out, as 6 N D leaves them out.

    step    = max( (weights + answers x kept) / (cards x bandwidth x share),
                   2 N answers / (cards x peak x share) )
    prompt  = 2 N tokens / (cards x peak x share)
    in all  = answers x written / (answers x prompt + written x step)       tokens a second of a full copy
    each    = in all / answers                                              the wait for the first included

Shares are of servers that were measured (`reached.csv`), on one to four cards. Low is where the least of both
are reached, high where the most are. The peak is that of 16 bits, also where weights have fewer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median_low
from typing import Any

from hemicycle.arithmetic.chips import Chip
from hemicycle.errors import DeclarationError
from hemicycle.plan.assume import Assumption, Place
from hemicycle.plan.published import peak
from hemicycle.plan.served import Served
from hemicycle.plan.tables import reached
from hemicycle.plan.wording import figure, ranged, say
from hemicycle.typeset import Language, count, format_quantity
from hemicycle.units import Quantity, Range, between, number, of, sure

#: Tokens a second that somebody reads at most. Most adults read 175 to 300 words a minute silently (Brysbaert
#: 2019, doi 10.1016/j.jml.2019.104047); 300 words of two tokens each are ten a second.
PACE = 10.0
#: Share of a card's memory for weights and what is kept of texts: vLLM's, where nothing else is said.
ROOM = 0.9
#: Cards of a node: tensor parallelism past them goes through the network. And the most that is looked at.
TOGETHER, MOST_CARDS = 8, 64
#: What twice the cards must write more for each of them to be worth it: the formula has them twice as fast,
#: and from four A100 to eight Llama 2 70B was 1.4 times as fast (Databricks 2023, as in `reached.csv`).
DOUBLING = 1.4
ENDS = ("low", "expected", "high")


@dataclass(frozen=True)
class Load:
    """What is asked: tokens of a prompt and of an answer, both means, and tokens a second a reader needs."""

    prompt: float
    answer: float
    pace: float = PACE

    def __post_init__(self) -> None:
        if self.prompt < 0 or self.answer < 1 or self.pace <= 0:
            raise DeclarationError(
                f"a prompt of {self.prompt:g} tokens and an answer of {self.answer:g}, read at {self.pace:g} "
                "a second, are no load",
                remedy="Give a prompt of no fewer than 0 tokens, an answer of 1 at least, a pace above 0.",
            )


@dataclass(frozen=True)
class Steady:
    """One copy of the model that writes so many answers at once, for as long as there are people.

    Attributes:
        answers: at once.
        prompt_s: seconds to read one prompt.
        read_s, compute_s: seconds of a step by what it reads of memory, and by what it computes.
        written: tokens of an answer.
    """

    answers: int
    prompt_s: float
    read_s: float
    compute_s: float
    written: float

    @property
    def _all_s(self) -> float:
        """From a prompt's coming to its answer's end: its own steps, and everybody's prompts between."""
        return self.answers * self.prompt_s + self.written * max(self.read_s, self.compute_s)

    @property
    def pace(self) -> float:
        """Tokens a second of one answer, the wait for its first included."""
        return self.written / self._all_s

    @property
    def tokens_per_s(self) -> float:
        """Written, of all answers."""
        return self.answers * self.pace

    @property
    def computes(self) -> bool:
        """Whether more than half of the time goes by what is computed."""
        computed = self.answers * self.prompt_s
        if self.compute_s >= self.read_s:
            computed += self.written * self.compute_s
        return computed > self._all_s / 2


@dataclass(frozen=True)
class Serving:
    """A model on the cards of a place.

    Attributes:
        fewest: cards that hold it, a power of two.
        cards: of one copy.
        copies: of the model, each on cards of its own. 0: it does not fit, and there are no figures.
        room: answers that the memory of one copy has room for.
        low, expected, high: a copy with as many answers as there is room for, and as are still written as
            fast as people read.
    """

    model: Served
    place: Place
    load: Load
    fewest: int
    cards: int
    copies: int
    room: int
    low: Steady | None
    expected: Steady | None
    high: Steady | None

    @property
    def fits(self) -> bool:
        return self.copies > 0

    @property
    def keeps_pace(self) -> bool:
        """Whether it is expected to write as fast as people read."""
        return self.expected is not None and self.expected.pace >= self.load.pace

    @property
    def binds(self) -> str:
        """What would have to grow for more to be written: `memory`, `bandwidth` or `compute`."""
        if self.expected is None:
            return "memory"
        if self.expected.computes:
            return "compute"
        return "memory" if self.expected.answers == self.room else "bandwidth"

    @property
    def answers(self) -> Range | None:
        """People whose answers are written at once, on all copies."""
        return self._ends(lambda copy: of(self.copies * copy.answers, ""))

    @property
    def tokens_per_s(self) -> Range | None:
        """Written by all copies."""
        return self._ends(lambda copy: of(self.copies * copy.tokens_per_s, "token/s"))

    @property
    def gpu_time(self) -> Range | None:
        """Of a token that is written, its prompt included, while every copy is full."""
        rate = self.tokens_per_s
        return None if rate is None else sure(of(self.copies * self.cards, "GPU")) / rate

    @property
    def energy(self) -> Range | None:
        """Of a token. A card is taken to draw what it draws while it trains, which is more than it will."""
        time, power = self.gpu_time, self.place.power
        return None if time is None or power is None else time * power.range * self.place.pue.range

    @property
    def carbon(self) -> Range | None:
        energy = self.energy
        return None if energy is None else energy * self.place.carbon.range

    @property
    def cost(self) -> Range | None:
        time, price = self.gpu_time, self.place.price
        return None if time is None or price is None else time * price.range

    def _ends(self, told: Callable[[Steady], Quantity]) -> Range | None:
        if self.low is None or self.expected is None or self.high is None:
            return None
        return Range(told(self.low), told(self.expected), told(self.high))

    def to_json(self) -> dict[str, Any]:
        def ends(value: Range | None, unit: str) -> dict[str, Any]:
            return value.to_json(unit) if value is not None else dict.fromkeys(ENDS)

        copies = dict(zip(ENDS, (self.low, self.expected, self.high), strict=True))
        paces = {end: round(copy.pace, 3) if copy else None for end, copy in copies.items()}
        waits = {end: round(copy.prompt_s, 4) if copy else None for end, copy in copies.items()}
        return {
            "model": self.model.name,
            "chip": self.place.chip.name,
            "prompt": self.load.prompt,
            "answer": self.load.answer,
            "pace": self.load.pace,
            "weights_gb": self.model.weights / 1e9,
            "kept_mb_per_token": self.model.kept(1) / 1e6,
            "kept_mb_per_answer": self.model.kept(self.load.prompt + self.load.answer) / 1e6,
            "fits": self.fits,
            "fewest_cards": self.fewest,
            "cards": self.cards,
            "copies": self.copies,
            "keeps_pace": self.keeps_pace,
            "binds": self.binds,
            "answers_at_once": ends(self.answers, ""),
            "tokens_per_s": ends(self.tokens_per_s, "token/s"),
            "tokens_per_s_each": paces,
            "prompt_s": waits,
            "eur_per_mtoken": ends(self.cost, "EUR/Mtoken"),
            "kwh_per_mtoken": ends(self.energy, "kWh/Mtoken"),
            "gco2e_per_mtoken": ends(self.carbon, "g/Mtoken"),
            "assumptions": [each.to_json() for each in (*shares_reached(), *self.assumed)],
        }

    def sentences(self, language: Language) -> list[str]:
        """What people should know of it."""
        model, byte = self.model, "o" if language == "fr" else "B"
        text = self.load.prompt + self.load.answer
        told = [
            say(
                "serving_memory",
                language,
                model=model.name,
                weights=format_quantity(model.weights, byte, language),
                kept=format_quantity(model.kept(text), byte, language),
                tokens=figure(text, language),
            )
        ]
        chip, card = self.place.chip.name, ("carte", "cartes") if language == "fr" else ("card", "cards")
        if self.expected is None or self.answers is None or self.tokens_per_s is None:
            have = count(self.place.gpus or 0, *card, language)
            return [
                *told,
                say("serving_no", language, have=have, chip=chip, fewest=figure(self.fewest, language)),
            ]
        copy = ("copie", "copies") if language == "fr" else ("copy", "copies")
        told += [
            say(
                "serving_fits",
                language,
                chip=chip,
                copies=count(self.copies, *copy, language),
                cards=count(self.cards, *card, language),
            ),
            say(
                "serving_speed",
                language,
                answers=ranged(self.answers, "", language),
                rate=ranged(self.tokens_per_s, "token/s", language),
            ),
            say(f"binds_{self.binds}", language),
        ]
        paces = {"pace": figure(self.expected.pace, language), "need": figure(self.load.pace, language)}
        told.append(say("serving_pace" if self.keeps_pace else "serving_slow", language, **paces))
        for key, value, unit in (
            ("serving_cost", self.cost, "EUR/Mtoken"),
            ("serving_energy", self.energy, "kWh/Mtoken"),
            ("serving_carbon", self.carbon, "g/Mtoken"),
        ):
            if value is None:
                told.append(say(f"{key}_no", language))
            else:
                told.append(say(key, language, value=ranged(value, unit, language)))
        return [*told, say("serving_full", language)]

    @property
    def assumed(self) -> list[Assumption]:
        place = self.place
        return [each for each in (place.power, place.pue, place.carbon, place.price) if each is not None]


@functools.cache
def shares_reached() -> tuple[Assumption, Assumption]:
    """Of bandwidth and of peak."""
    found = []
    for name in ("bandwidth", "peak"):
        told = reached(name)
        shares = [each.share for each in told]
        listed = "; ".join(f"{e.model}, {e.cards} × {e.chip.name}, {e.batch}×: {e.share:g}" for e in told)
        spread = between(shares[0], median_low(shares), shares[-1], "")
        sources = tuple(each.source for each in told)
        found.append(Assumption(name, spread, "", f"servers_{name}", {"servers": listed}, sources))
    return found[0], found[1]


def serve(model: Served, place: Place, load: Load) -> Serving:
    """What the cards of a place do with a model; where nobody said how many, one copy's.

    Of the powers of two of cards a copy may have, the fewest that hold it and one text and write as fast as
    people read; and twice as many as long as they write more than `DOUBLING` times as much for each card.

    Raises DeclarationError where nothing is known of the chip's memory, no number of cards holds it, or the
    load is longer than what the model takes.
    """
    if model.context is not None and load.prompt + load.answer > model.context:
        raise DeclarationError(
            f"{model.name} takes {model.context:,} tokens; a prompt of {load.prompt:,.0f} and an answer of "
            f"{load.answer:,.0f} are more",
            remedy="Plan with a shorter prompt or answer.",
        )
    if place.chip.bandwidth <= 0:
        raise DeclarationError(
            f"nothing is known of how fast {place.chip.name} reads its memory, so of no speed either",
            remedy="Name a chip of the table with --chip.",
        )
    fewest = _fewest(model, place, load)
    most = place.gpus if place.gpus is not None else max(fewest, TOGETHER)
    if fewest > most:
        return Serving(model, place, load, fewest, 0, 0, 0, None, None, None)
    cards = fewest
    while 2 * cards <= min(most, max(fewest, TOGETHER)):
        here, twice = (_full(model, place, load, n, "expected") for n in (cards, 2 * cards))
        more = twice.tokens_per_s / 2 > DOUBLING * here.tokens_per_s
        if not more and (here.pace >= load.pace or twice.pace <= here.pace):
            break
        cards *= 2
    low, expected, high = (_full(model, place, load, cards, end) for end in ENDS)
    copies = most // cards if place.gpus is not None else 1
    room = _room(model, place.chip, load, cards)
    return Serving(model, place, load, fewest, cards, copies, room, low, expected, high)


def _fewest(model: Served, place: Place, load: Load) -> int:
    cards = 1
    while cards <= MOST_CARDS:
        if _room(model, place.chip, load, cards) >= 1:
            return cards
        cards *= 2
    raise DeclarationError(
        f"{model.name} and one text of {load.prompt + load.answer:g} tokens do not fit on {MOST_CARDS} × "
        f"{place.chip.name}",
        remedy="Take fewer bytes a weight, or a chip with more memory.",
    )


def _room(model: Served, chip: Chip, load: Load, cards: int) -> int:
    """Texts, prompt and answer in full, that fit beside the weights."""
    free = cards * chip.memory * ROOM - model.weights
    return int(free // (model.kept(load.prompt + load.answer) * model.copies(cards)))


def _full(model: Served, place: Place, load: Load, cards: int, end: str) -> Steady:
    """A copy with as many answers as there is room for and as are still written as fast as people read."""
    few, many = 1, _room(model, place.chip, load, cards)
    while few < many:
        middle = (few + many + 1) // 2
        if steady(model, place.chip, load, cards, middle, end).pace >= load.pace:
            few = middle
        else:
            many = middle - 1
    return steady(model, place.chip, load, cards, few, end)


def steady(model: Served, chip: Chip, load: Load, cards: int, answers: int, end: str) -> Steady:
    """A copy on so many cards that writes so many answers; `end`: one of `ENDS`, by the shares reached."""
    bandwidth, compute = (getattr(each.range, end) for each in shares_reached())
    together = of(cards, "GPU")
    context = load.prompt + load.answer / 2
    reads = model.read(answers) + answers * model.kept(context) * model.copies(cards)
    reading = of(reads, "byte") / (together * of(chip.bandwidth, "byte/s/GPU") * bandwidth)
    rate = together * peak(chip) * compute
    token = of(2 * model.active, "FLOP/token")
    return Steady(
        answers=answers,
        prompt_s=number(token * of(load.prompt, "token") / rate, "s"),
        read_s=number(reading, "s"),
        compute_s=number(token * of(answers, "token") / rate, "s"),
        written=load.answer,
    )
