"""Words of the page, in both its languages."""

from __future__ import annotations

from typing import Any

from hemicycle.typeset import NARROW, Language

WORDS: dict[Language, dict[str, Any]] = {
    "fr": {
        "language": "Langue",
        "index": "Entraînements",
        "all": "Tous les entraînements",
        "no_runs": "Aucun entraînement n’a encore commencé ici.",
        "no_steps": "Les premières courbes paraissent dix secondes après le premier pas.",
        "states": {
            "running": "en cours",
            "finished": "terminé",
            "failed": "échoué",
            "interrupted": "interrompu",
        },
        "silent": "sans nouvelles depuis",
        "colon": f"{NARROW}:",
        "updated": "Écrit le",
        "step": "pas",
        "tokens": "tokens",
        "byte": "o",
        "skipped": ("pas écarté", "pas écartés"),
        "share_of": "de",
        "facts": {
            "step": "Pas",
            "loss": "Perte",
            "nats": "nats par token, moyenne de la dernière minute",
            "tokens": "Tokens lus",
            "speed": "Tokens par seconde",
            "mfu": "MFU",
            "left": "Temps restant",
            "taken": "Temps passé",
            "energy": "Énergie",
            "data": "Attente des données",
            "memory": "Mémoire, maximum",
            "parameters": "Paramètres",
            "machine": "Machine",
        },
        "charts": {
            "loss": {"title": "Perte", "unit": "nats par token"},
            "compared": {"title": "Pertes comparées", "unit": "nats par token, selon les tokens lus"},
            "source": {"title": "Perte par source", "unit": "nats par token"},
            "language": {"title": "Perte par langue", "unit": "nats par token"},
            "norm": {"title": "Norme du gradient", "unit": "échelle logarithmique"},
            "rate": {"title": "Pas d’apprentissage", "unit": "part de son maximum"},
            "speed": {"title": "Débit", "unit": "tokens par seconde"},
            "data": {"title": "Attente des données", "unit": f"{NARROW}% du temps".strip()},
            "memory": {"title": "Mémoire", "unit": "Go"},
        },
        "band": (
            "Courbe de la perte : moyenne mobile ; en clair, du plus bas au plus haut des pas réunis "
            "en un point."
        ),
        "marks": "Traits verticaux : pas écartés.",
        "names": {"source": "source", "language": "langue"},
        "heads_groups": ("", "tokens appris", "part", "perte au début", "perte à présent"),
        "heads_runs": (
            "modèle", "pas", "perte", "tokens lus", "tokens par seconde", "MFU", "temps restant", "énergie",
        ),
        "samples": "Ce qu’il écrit",
        "written": "début donné, puis suite",
    },
    "en": {
        "language": "Language",
        "index": "Trainings",
        "all": "All trainings",
        "no_runs": "No training has begun here yet.",
        "no_steps": "The first curves appear ten seconds after the first step.",
        "states": {
            "running": "running",
            "finished": "finished",
            "failed": "failed",
            "interrupted": "interrupted",
        },
        "silent": "nothing heard for",
        "colon": ":",
        "updated": "Written on",
        "step": "step",
        "tokens": "tokens",
        "byte": "B",
        "skipped": ("step skipped", "steps skipped"),
        "share_of": "of",
        "facts": {
            "step": "Step",
            "loss": "Loss",
            "nats": "nats per token, mean of the last minute",
            "tokens": "Tokens read",
            "speed": "Tokens per second",
            "mfu": "MFU",
            "left": "Time left",
            "taken": "Time taken",
            "energy": "Energy",
            "data": "Waiting for data",
            "memory": "Memory, at most",
            "parameters": "Parameters",
            "machine": "Machine",
        },
        "charts": {
            "loss": {"title": "Loss", "unit": "nats per token"},
            "compared": {"title": "Losses compared", "unit": "nats per token, by tokens read"},
            "source": {"title": "Loss by source", "unit": "nats per token"},
            "language": {"title": "Loss by language", "unit": "nats per token"},
            "norm": {"title": "Gradient norm", "unit": "logarithmic scale"},
            "rate": {"title": "Learning rate", "unit": "share of its peak"},
            "speed": {"title": "Throughput", "unit": "tokens per second"},
            "data": {"title": "Waiting for data", "unit": "% of the time"},
            "memory": {"title": "Memory", "unit": "GB"},
        },
        "band": (
            "The line of the loss is a running mean; the pale band goes from the lowest to the highest of "
            "the steps behind a point."
        ),
        "marks": "Vertical lines: steps skipped.",
        "names": {"source": "source", "language": "language"},
        "heads_groups": ("", "tokens learnt", "share", "loss at first", "loss now"),
        "heads_runs": (
            "model", "step", "loss", "tokens read", "tokens per second", "MFU", "time left", "energy",
        ),
        "samples": "What it writes",
        "written": "the beginning it was given, then what follows",
    },
}  # fmt: skip
