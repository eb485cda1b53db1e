"""Give a tuned model what it was taught to answer in, so that whoever serves it asks it that way.

Its template goes into its folder, where `transformers` looks for it. And the marks that end its answers are
among those at which writing stops: a base often ends a text by another mark than its template ends an answer.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from hemicycle.pretrained import read_json
from hemicycle.tune.template import TEMPLATE

SETTINGS = "generation_config.json"


def export_chat(model: Path, tokens: Iterable[Path], ends: Iterable[int]) -> None:
    """Write template and ends into the folder of a model.

    Args:
        tokens: what it learnt from, as `tokenize_dialogues` wrote it; all used one template, or none.
        ends: ids of the marks that ended what it learnt.
    """
    used = [folder / TEMPLATE for folder in tokens if (folder / TEMPLATE).is_file()]
    if not used:
        return
    shutil.copyfile(used[0], model / TEMPLATE)
    settings = read_json(model / SETTINGS)
    stated = settings.get("eos_token_id")
    before = stated if isinstance(stated, list) else [stated] if stated is not None else []
    # What a base ends by comes first: some readers take the first one only.
    both = list(dict.fromkeys([*before, *sorted(ends)]))
    settings["eos_token_id"] = both[0] if len(both) == 1 else both
    (model / SETTINGS).write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n", "utf-8")
