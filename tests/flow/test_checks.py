"""Contamination and regurgitation, from what is declared to what a release says."""

import json
import re

import polars as pl
import pytest

from tests.flow.conftest import hemicycle
from tests.trace.typography import all_of_them


def planted(copy):
    """A set of which one question stands in the training text, set otherwise, with its answer after it."""
    corpus = next((copy / "build" / "corpus").iterdir())
    shards = [pl.read_parquet(p) for p in sorted(corpus.glob("kept/*/*.parquet"))]
    document = pl.concat(shards).filter(pl.col("split") == "train").sort("id").row(0, named=True)
    words = document["text"].split()
    asked, answer = " ".join(words[400:424]), " ".join(words[424:428])
    rows = [
        {"question": all_of_them(asked), "answer": answer},
        {"question": "Quelle hauteur atteint la girafe empaillée du muséum voisin de la gare routière ?"},
    ]
    (copy / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return document["id"]


@pytest.mark.slow
def test_what_was_checked_is_in_the_release(copy):
    document = planted(copy)
    declared = (copy / "hemicycle.toml").read_text("utf-8")
    declared = declared.replace(
        "regurgitation = { passages = 12, prefixes = [16] }",
        'sets = [{ path = "questions.jsonl" }]\nregurgitation = { passages = 12, prefixes = [16] }',
    )
    other = '[evaluations.later]\nmodels = ["petit2"]\nsets = [{ path = "autre/set.json" }]\n'
    model = re.search(r"\[models\.petit\].*?(?=\n\[)", declared, re.DOTALL)[0]
    declared += f"\n{model.replace('models.petit', 'models.petit2')}\n{other}"
    (copy / "hemicycle.toml").write_text(declared, "utf-8")

    refused = hemicycle("run", copy, check=False)
    assert refused.returncode == 2
    assert "there is no evaluation set here" in refused.stderr
    hemicycle("release", "--project", copy)
    release = copy / "releases" / "v0"
    told = json.loads((release / "evaluation/base/contamination.json").read_text("utf-8"))
    (text,) = told["training"]
    (asked,) = text["sets"]
    assert (asked["question"]["contaminated"], asked["question"]["clean"]) == (1, 1)
    assert asked["with_answer"]["contaminated"] == 1
    assert text["held_out"][0]["items"] == 2
    found = pl.read_parquet(release / "evaluation/base/items.parquet")
    assert found.filter(pl.col("verdict") == "contaminated")["document"].to_list() == [document]
    given = json.loads((release / "evaluation/base/regurgitation.json").read_text("utf-8"))
    assert [row["by"] for row in given["models"]["petit"]["rows"]][-1] == "control"
    for page, line in (
        (
            "README.md",
            "Declared for other models, and not looked for in the training text of this one: set.json",
        ),
        ("README.fr.md", "Déclarés pour d’autres modèles"),
    ):
        card = (release / page).read_text("utf-8")
        assert line in card
        assert "| questions.jsonl | 2 | 1 | 0 | 1 | 1 | 0 |" in card
        assert "regurgitation.png" in card
    assert hemicycle("verify", release).returncode == 0

    done = hemicycle("evaluate", "contamination", copy / "questions.jsonl", "--project", copy)
    assert "contaminated, " in done.stdout
    assert f"in {document} [sittings]" in done.stdout
    assert "with an answer beside it" in done.stdout
    done = hemicycle(
        "evaluate",
        "contamination",
        copy / "questions.jsonl",
        "--project",
        copy,
        "--json",
        "--question",
        "answer",
    )
    assert [item["words"] > 0 for item in json.loads(done.stdout)["items"]] == [True, False]
    assert hemicycle("evaluate", "contamination", "--model", "petit", check=False, cwd=copy).returncode == 2


@pytest.mark.slow
def test_a_set_that_changes_is_checked_anew_and_nothing_else(copy):
    planted(copy)
    declared = (copy / "hemicycle.toml").read_text("utf-8")
    declared += """
[evaluations.base2]
models = ["petit"]
sets = [{ path = "questions.jsonl" }]
regurgitation = { passages = 0 }
"""
    (copy / "hemicycle.toml").write_text(declared, "utf-8")
    hemicycle("evaluate", "contamination", "--project", copy)
    with (copy / "questions.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"question": "Encore une question, tout à la fin de ce jeu ?"}\n')
    told = json.loads(hemicycle("evaluate", "contamination", "--project", copy, "--json").stdout)
    built = [f"{s['stage']} {s['name']}" for s in told["steps"] if s["state"] == "built"]
    assert built == ["contamination base2"]
    assert told["contamination"]["base2"]["training"][0]["sets"][0]["items"] == 3
    asked = hemicycle("evaluate", "regurgitation", "base2", "--project", copy, check=False)
    assert asked.returncode == 2
    assert "there is no evaluation that measures regurgitation “base2”" in asked.stderr
