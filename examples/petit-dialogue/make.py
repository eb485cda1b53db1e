"""Make questions and answers out of the invented sittings: who speaks, on what, in which words.

    python examples/petit-dialogue/make.py > examples/petit-dialogue/conversations.jsonl

Nothing in them is true of anybody: assembly and speakers are invented, and the questions are made by rule.
They show a tuning, and teach no more than these sittings. CC0-1.0, as the sittings are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from hemicycle.documents import Document, Part
from hemicycle.project import load_card
from hemicycle.sources.syceron import read

SITTINGS = Path(__file__).resolve().parents[1] / "petit-hemicycle"
SYSTEM = "Tu connais les séances de l’assemblée. Réponds en une phrase."
#: Headings that stand under every bill and name none.
GENERIC = re.compile(r"Présentation|Discussion|Article|Amendement|Après|Avant|Vote|Ordre du jour|Titre")
#: A first sentence of so many characters is quoted.
QUOTED = range(40, 140)

Pairs = list[tuple[str, str]]


def main() -> None:
    card = load_card(SITTINGS / "sources" / "sittings.toml")
    asked = set()
    for document in read(SITTINGS / "sittings", card):
        name = document.origin.removesuffix(".xml").removeprefix("CRSINV1L1")
        for number, pairs in enumerate(conversations(document), 1):
            if pairs[0][0] in asked:
                continue
            asked.add(pairs[0][0])
            turns = [{"role": "system", "content": SYSTEM}] if len(pairs) > 1 else []
            for question, answer in pairs:
                turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            print(json.dumps({"id": f"{name}-{number}", "messages": turns}, ensure_ascii=False))


def conversations(document: Document) -> Iterator[Pairs]:
    """Questions and answers about one sitting; those that go on from each other are one conversation."""
    day = re.search(r"\w+ \d+(?:er)? \w+ \d{4}", document.text)
    assert day is not None
    turns = list(turns_with_subjects(document))
    subjects = list(dict.fromkeys(subject for _, subject in turns))
    yield [
        (f"De quoi parle la séance du {day[0]} ?", f"Elle porte sur « {' », puis sur « '.join(subjects)} »."),
        ("Qui y parle en premier ?", f"C’est {turns[0][0].speaker} qui y parle en premier."),
    ]
    for number, (turn, subject) in enumerate(turns):
        if turn.role:
            yield [
                (f"Qui est {turn.speaker} ?", f"{turn.speaker} est {turn.role}."),
                ("De quoi parle-t-on ce jour-là ?", f"On parle de « {subject} »."),
            ]
        said = first_sentence(document, turn)
        if len(said) in QUOTED:
            # One question a sentence, so that no answer stands in another question.
            if number % 2:
                yield [(f"Qui dit : « {said} » ?", f"C’est {turn.speaker}, le {day[0]}.")]
            else:
                question = f"Comment commence l’intervention de {turn.speaker} sur « {subject} » ?"
                yield [(question, f"« {said} »")]


def turns_with_subjects(document: Document) -> Iterator[tuple[Part, str]]:
    """Turns of those who do not preside, each with the bill or question it stands under."""
    subject = ""
    for part in document.parts:
        if part.kind == "heading":
            heading = re.sub(r"\s*\(n°.*?\)", "", document.text[part.start : part.end])
            subject = subject if GENERIC.match(heading) else heading
        elif part.kind == "turn" and part.speaker and part.role != "chair" and subject:
            yield part, subject


def first_sentence(document: Document, turn: Part) -> str:
    """What somebody says first, as the report prints it behind the name."""
    text = document.text[turn.start : turn.end]
    text = text.partition(" – ")[2] or text
    return re.split(r"(?<=[.!?])\s", text.replace("\n", " "), maxsplit=1)[0]


if __name__ == "__main__":
    main()
