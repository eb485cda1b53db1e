"""A data set made for tests, laid out like ROOTS: a folder a subset, each with its card and shards."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

WORDS = (
    "la commune rivière marché jardin école pont lumière saison travail voyage histoire famille maison "
    "village chemin forêt musique théâtre cuisine lettre santé budget récolte atelier mémoire fenêtre "
    "colline moulin boulanger instituteur médecin facteur paysan pêcheur conseil mairie fontaine "
    "place église clocher verger"
).split()
FRAMES = (
    "Dans le {0}, on raconte que le {1} a changé depuis que la {2} est ouverte.",
    "Le {0} et la {1} sont restés les mêmes, mais personne n'avait vu un tel {2}.",
    "Il faut dire que, pour les habitants, la {0} compte plus que le {1} ou que la {2}.",
    "Chaque matin, elle traversait la {0} avec son {1} pour rejoindre le {2} de la vallée.",
    "Nous avons appris par le {0} que la {1} serait réparée avant la fin de la {2}.",
)
NOTICE = (
    "Ce document est fourni par la bibliothèque numérique de la vallée, merci de la citer dans vos travaux."
)


ENGLISH_WORDS = (
    "village river market garden school bridge light season work journey history family house road forest "
    "music theatre kitchen health harvest workshop memory window hill mill baker teacher doctor farmer"
).split()
ENGLISH_FRAMES = (
    "In the old {0} they still say that the {1} has changed since the {2} was opened to everybody.",
    "Nobody would think of asking why the {0} and the {1} were never rebuilt after the great {2}.",
    "Every morning she walked past the {0} with her {1} before the {2} had opened its doors.",
)


def story(seed: int, sentences: int = 12, frames=FRAMES, words=WORDS) -> str:
    """Text of the tests' own, different for each seed; in French by default."""
    state, out = seed * 7919 + 17, []
    for _ in range(sentences):
        picks = []
        for _ in range(4):
            state = (state * 1103515245 + 12345) % 2**31
            picks.append(state >> 8)
        a, b, c = (words[p % len(words)] for p in picks[:3])
        out.append(frames[picks[3] % len(frames)].format(a, b, c))
    return " ".join(out)


def card(head: str, body: str = "Textes de la vallée.") -> str:
    return f"---\n{head}\n---\n\n{body}\n"


def write(folder: Path, texts: list[str], head: str | None, form: str = "jsonl") -> None:
    folder.mkdir(parents=True)
    if head is not None:
        (folder / "README.md").write_text(card(head), "utf-8")
    rows = [{"text": text, "meta": {"n": n}} for n, text in enumerate(texts)]
    if form == "parquet":
        (folder / "data").mkdir()
        half = len(rows) // 2
        for n, part in enumerate((rows[:half], rows[half:])):
            pq.write_table(pa.Table.from_pylist(part), folder / "data" / f"train-{n:05d}.parquet")
    else:
        data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        packed = gzip.compress(data, mtime=0) if form == "jsonl.gz" else data
        (folder / f"shard-0.{form}").write_bytes(packed)


QUESTION = (
    "Quel instituteur de la vallée du Moulin-Neuf a fait reconstruire le clocher de pierre après la grande "
    "crue du printemps ?"
)
KNOWN = [story(5_000 + n) for n in range(30)]
HOSTILE = "<img src=x onerror=alert(1)>"


def make_roots(folder: Path) -> None:
    """Ten subsets, each with one thing to find."""

    def stories(first: int, count: int = 30) -> list[str]:
        return [story(first + n) for n in range(count)]

    fr = "language: fr\n"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(card("license: other\npretty_name: Petites racines"), "utf-8")
    write(folder / "roots_fr_clair", stories(0), fr + "license: etalab-2.0", "parquet")
    write(folder / "roots_fr_non_commercial", stories(100), fr + "license: cc-by-nc-4.0", "jsonl.gz")
    write(folder / "roots_fr_vague", stories(200), fr + "license: unknown")
    write(folder / "roots_fr_sans_fiche", stories(300), None)
    english = [story(400 + n, 12, ENGLISH_FRAMES, ENGLISH_WORDS) for n in range(30)]
    write(folder / "roots_fr_langue", english, fr + "license: cc-by-4.0")
    write(folder / "roots_fr_connu", KNOWN[:20] + stories(500, 10), fr + "license: cc-by-4.0")
    hit = [f"{story(600 + n)} {QUESTION} {story(640 + n)}" for n in range(3)]
    write(folder / "roots_fr_evaluation", stories(680, 27) + hit, fr + "license: cc-by-4.0")
    people = [
        f"{story(700 + n)} Écrire à nom{n}@courriel-vallee.fr ou au 06 12 34 5{n % 10} 78. {story(740 + n)}"
        for n in range(15)
    ]
    write(folder / "roots_fr_annuaire", stories(780, 15) + people, fr + "license: cc-by-4.0")
    noticed = [f"{NOTICE}\n\n{story(800 + n, 2)}\n\n{NOTICE} Deuxième avis au lecteur." for n in range(30)]
    write(folder / "roots_fr_avis", noticed, fr + "license: cc-by-4.0")
    write(
        folder / f"roots_fr_{HOSTILE}",
        stories(900),
        f'{fr}pretty_name: "<script>alert(2)</script>"\nlicense: cc0-1.0',
    )


def make_evaluation(folder: Path) -> None:
    folder.mkdir()
    item = {"question": QUESTION, "answers": ["Personne"]}
    (folder / "questions.jsonl").write_text(json.dumps(item, ensure_ascii=False) + "\n", "utf-8")
    (folder / "short.tsv").write_text("question\tanswer\nQui a fait le pont ?\tPersonne\n", "utf-8")
