"""Answers: what it costs a model to give the answers of held-out conversations, given all before them.

Each model is asked in its own chat template, or in the plain one where it has none: that of a model tuned
here is kept with it, and its base, asked the same way, is what it was before. Bits are those of the tokens of
an answer, its end mark left out, over the bytes of the answer; so models of different vocabularies and
templates can be compared, as with any text.

The trap is the comparison of unequal things: a conversation that one model's template or tokenizer does not
take is measured on none of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.digests import sha256_text
from hemicycle.errors import InputError
from hemicycle.evaluate import bits
from hemicycle.evaluate.heldout import HeldOutConversation
from hemicycle.progress import QUIET, Progress
from hemicycle.tokens.dialogues import Dialogue, DialogueEncoder

#: Questions whose answers are shown, and the longest answer that is waited for, in tokens.
SAMPLES, LONGEST = 5, 96

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Answers:
    """What all models were measured on, and what it cost each of them.

    Attributes:
        conversations: those that every model takes.
        left_out: how many some model does not take.
        sizes: (answers,) bytes.
        whose: (answers,) number of the conversation.
        series: name of a model → (answers,) bits.
        samples: for a few conversations `id`, `source`, `question`, `expected` and `given`, by model.
    """

    conversations: tuple[HeldOutConversation, ...]
    left_out: int
    sizes: Integers
    whose: Integers
    series: Mapping[str, Floats]
    samples: list[dict[str, Any]]


def measure_answers(
    folders: Mapping[str, Path],
    conversations: Sequence[HeldOutConversation],
    *,
    progress: Progress = QUIET,
) -> Answers:
    """Measure models on the answers of some conversations.

    Raises InputError where there is no conversation that all of them take, or a model cannot be loaded.
    """
    encoders = {name: DialogueEncoder(folder) for name, folder in folders.items()}
    kept, made, why = [], [], ""
    for conversation in conversations:
        each = {name: encoder.encode(conversation.turns) for name, encoder in encoders.items()}
        taken = {name: one for name, one in each.items() if isinstance(one, Dialogue)}
        if len(taken) == len(each):
            kept.append(conversation)
            made.append(taken)
        else:
            why = why or next(f"{one} ({name})" for name, one in each.items() if isinstance(one, str))
    if not kept:
        raise InputError(
            f"no held-out conversation can be put to all models; the first {why}",
            remedy="Look at the chat templates of the models.",
        )
    texts = [[turn.content for turn in c.turns if turn.role == "assistant"] for c in kept]
    sizes = np.array([len(text.encode("utf-8")) for some in texts for text in some], np.int64)
    whose = np.repeat(np.arange(len(kept)), [len(some) for some in texts])
    asked = sorted(range(len(kept)), key=lambda n: sha256_text(kept[n].id))[:SAMPLES]
    series, given = {}, {}
    for name, folder in folders.items():
        model, encoder = bits.load(folder), encoders[name]
        dialogues = [one[name] for one in made]
        series[name] = _bits(model, encoder, dialogues, name, progress)
        given[name] = [_said(model, encoder, dialogues[n]) for n in asked]
    samples = [
        {
            "id": kept[n].id,
            "source": kept[n].source,
            "question": next(turn.content for turn in kept[n].turns if turn.role == "user"),
            "expected": texts[n][0],
            "given": {name: given[name][place] for name in folders},
        }
        for place, n in enumerate(asked)
    ]
    return Answers(tuple(kept), len(conversations) - len(kept), sizes, whose, series, samples)


def _bits(
    model: bits.LanguageModel,
    encoder: DialogueEncoder,
    dialogues: Sequence[Dialogue],
    name: str,
    progress: Progress,
) -> Floats:
    """Bits of every answer, in order."""
    found = []
    with progress.start(f"answers of {name}", float(sum(d.ids.size for d in dialogues)), "tokens") as bar:
        scored = model.score_tokens((dialogue.ids for dialogue in dialogues), bar.advance)
        for dialogue, nats in zip(dialogues, scored, strict=True):
            words = ~np.isin(dialogue.ids, sorted(encoder.special))
            found += [float(nats[a:b][words[a:b]].sum()) / math.log(2) for a, b in dialogue.answers]
    return np.array(found)


def _said(model: bits.LanguageModel, encoder: DialogueEncoder, dialogue: Dialogue) -> str:
    """What a model answers to the first question, always taking the likeliest token."""
    begin, end = dialogue.answers[0]
    ends = encoder.special | {int(dialogue.ids[end - 1])}
    return encoder.text(model.answer(dialogue.ids[:begin], LONGEST, ends)).strip()
