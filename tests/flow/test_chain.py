"""A model made from another one, and one made from a base: all that stands behind it counts."""

import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from hemicycle.cli.session import Session
from hemicycle.errors import RightsError
from hemicycle.release import check_release
from hemicycle.store import digest_files
from tests.flow.conftest import hemicycle
from tests.flow.small import DECLARATION, make_project
from tests.train.bases import FAMILIES, make_base

RAIL = "LicenseRef-scancode-bigscience-rail-1.0"
#: Two corpora of some sittings each; the second model goes on from the first on the second corpus.
CHAIN = (
    DECLARATION.replace(
        "[models.petit]", '[corpora.lettres]\nsources = ["later"]\nheld_out = 0.2\n\n[models.petit]'
    )
    .replace('models = ["petit"]', 'models = ["suite"]')
    .replace('model = "petit"', 'model = "suite"')
    .replace('"20k"', '"6k"')
    + """
[models.suite]
method = "continue"
from = "petit"
corpora = { lettres = 1.0 }
budget = { tokens = "8k" }
batch_tokens = 512
"""
)
LATER = '["**/*N00[678].xml"]'


def make_chain(folder):
    make_project(folder, CHAIN)
    cards = folder / "sources"
    text = (cards / "sittings.toml").read_text("utf-8")
    shared = text.replace("CC0-1.0", "CC-BY-SA-4.0")
    (cards / "sittings.toml").write_text(f"exclude = {LATER}\n{shared}", "utf-8")
    (cards / "later.toml").write_text(f"include = {LATER}\n{text}", "utf-8")
    return folder


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = make_chain(tmp_path_factory.mktemp("chain") / "essai")
    said = json.loads(hemicycle("run", folder, "--json").stdout)
    return folder, {f"{s['stage']} {s['name']}": s for s in said["steps"]}, said


@pytest.mark.slow
def test_a_model_goes_on_from_another_with_text_of_its_own(chain):
    _, steps, _ = chain
    folders = [Path(steps[f"model {name}"]["folder"]) for name in ("petit", "suite")]
    read = [set(pl.read_parquet(folder / "exposure.parquet")["source"]) for folder in folders]
    assert read == [{"sittings"}, {"later"}]
    assert (folders[0] / "config.json").read_text() == (folders[1] / "config.json").read_text()
    losses = [pl.read_parquet(folder / "figures.parquet")["loss"].to_list() for folder in folders]
    assert losses[1][0] == pytest.approx(losses[0][-1], abs=0.5), "it begins where the other ended"
    assert losses[1][0] < losses[0][0] - 0.3


def test_a_quarter_of_replay_is_a_quarter_of_the_plan(chain, tmp_path):
    folder = shutil.copytree(chain[0], tmp_path / "essai")
    declaration = folder / "hemicycle.toml"
    text = declaration.read_text("utf-8")
    declaration.write_text(text.replace("{ lettres = 1.0 }\n", "{ lettres = 1.0 }\nreplay = 0.25\n"), "utf-8")
    session = Session(folder)
    outcomes = session.pipeline().run([session.flow.order("suite")])
    assert [str(o.step) for o in outcomes if o.state == "built"] == ["order suite"]
    (phase,) = json.loads((outcomes[-1].folder / "plan.json").read_text())["phases"]
    rows = {stratum["corpus"]: stratum["read"] for stratum in phase["strata"]}
    assert rows == {"debats": 0.25 * phase["rows"], "lettres": 0.75 * phase["rows"]}


def test_forgetting_is_measured_on_the_text_of_both_and_told(chain):
    folder, _, said = chain
    rows = said["figures"]["evaluation"]["base"]["forgetting"]
    assert [(r["model"], r["base"], r["corpus"]) for r in rows] == [
        ("suite", "petit", "debats"),
        ("suite", "petit", "lettres"),
    ]
    assert rows[1]["difference"] < 0, "it learnt from them"
    shown = hemicycle("status", folder).stdout
    line = next(line for line in shown.splitlines() if line.startswith("suite ") and "lettres" in line)
    assert line.split()[:3] == ["suite", "petit", "lettres"]


def test_the_index_and_the_trace_cover_what_the_first_model_read(chain):
    folder, steps, _ = chain
    assert "index debats+lettres" in steps
    for corpus, source, reader in (("debats", "sittings", "petit"), ("lettres", "later", "suite")):
        (shard,) = Path(steps[f"corpus {corpus}"]["folder"]).glob("kept/*/*.parquet")
        text = pl.read_parquet(shard).filter(split="train")["text"][0]
        quote = " ".join(text.split()[100:160])
        told = json.loads(hemicycle("trace", quote, "--json", "--project", folder).stdout)
        found = {(d["source"], d["read_by"]) for s in told["spans"] for d in s["documents"]}
        assert (source, reader) in found, "and the steps are those of the model that read it"
        assert told["upstream_unknown"] is None


def test_the_release_answers_for_both_models_and_both_sources(chain):
    folder, _, _ = chain
    findings, _ = check_release(folder / "releases" / "v0")
    assert not findings
    rows = pl.read_parquet(folder / "releases" / "v0" / "documents.parquet")
    assert set(rows["model"]) == {"petit", "suite"}
    assert set(rows.filter(model="petit")["source"]) == {"sittings"}
    assert set(rows.filter(model="suite")["source"]) == {"later"}
    lineage = hemicycle("ledger", "lineage", "release/v0", "--project", folder).stdout
    assert "base: model petit" in lineage


def test_a_source_that_only_the_first_model_read_blocks_the_release_of_the_second(chain, tmp_path):
    folder = shutil.copytree(chain[0], tmp_path / "essai")
    declaration = folder / "hemicycle.toml"
    text = declaration.read_text("utf-8").replace('license = "Apache-2.0"', 'license = "CC-BY-NC-4.0"')
    declaration.write_text(text, "utf-8")
    session = Session(folder)
    assert "sittings" not in session.project.declaration.corpora["lettres"].sources
    with pytest.raises(RightsError, match=r"“sittings” is under CC-BY-SA-4\.0"):
        session.pipeline().run(session.flow.up_to("release"))


def based(tmp_path, tokenizer, family, licence, *, evaluated=False, readme=None):
    """A project whose model begins from a base of a family, beside it."""
    make_base(tmp_path / "vieux", family, tokenizer, readme=readme)
    declared = DECLARATION.replace(
        'tokenizer = "fr"\narchitecture = { layers = 2, width = 32, heads = 2, context = 64 }\n',
        'method = "continue"\nfrom = "vieux"\n',
    )
    declared = declared.replace('"20k"', '"2k"')
    if not evaluated:
        declared = re.sub(r"\[evaluations\.base\].*?(?=\n\[)", "", declared, flags=re.DOTALL)
    base = f'\n[bases.vieux]\npath = "../vieux"\nattested_by = "Camille Test"\nlicence = "{licence}"\n'
    return make_project(tmp_path / "essai", declared + base)


@pytest.mark.parametrize("family", FAMILIES)
def test_at_rate_zero_a_base_comes_out_as_it_went_in(family, tokenizer, tmp_path):
    folder = based(tmp_path, tokenizer, family, "MIT")
    file = folder / "hemicycle.toml"
    still = '[models.petit.training]\nrate = 0.0\nmatrix_rate = 0.0\nprecision = "fp32"\n'
    file.write_text(file.read_text() + still)
    session = Session(folder)
    out = session.pipeline().run([session.flow.model("petit")])[-1].folder
    words = AutoTokenizer.from_pretrained(out)
    ids = words("la séance est ouverte", return_tensors="pt").input_ids
    said = []
    for place in (tmp_path / "vieux", out):
        model = AutoModelForCausalLM.from_pretrained(place)
        said.append(model.generate(ids, max_new_tokens=12, do_sample=False, top_k=None).tolist())
    assert said[0] == said[1]
    before, after = ({f.path: f.sha256 for f in digest_files(place)} for place in (tmp_path / "vieux", out))
    for name in ("generation_config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors"):
        assert before[name] == after[name], name
    assert json.loads((out / "config.json").read_text()) == json.loads(
        (tmp_path / "vieux" / "config.json").read_text()
    )


def test_a_stage_with_a_longer_context_extends_the_base_and_that_is_stated(tokenizer, tmp_path):
    folder = based(tmp_path, tokenizer, "llama", "MIT")
    file = folder / "hemicycle.toml"
    stages = '[{ name = "main", share = 1.0, context = 32 }, { name = "long", share = 1.0, context = 256 }]'
    file.write_text(file.read_text().replace("batch_tokens", f"stages = {stages}\nbatch_tokens"))
    session = Session(folder)
    out = session.pipeline().run([session.flow.model("petit")])[-1].folder
    config = json.loads((out / "config.json").read_text())
    assert config["max_position_embeddings"] == 256
    assert config["rope_parameters"]["rope_type"] == "yarn"
    told = json.loads((out / "training.json").read_text())
    assert told["began"]["context"] == [64, 256]
    assert told["began"]["rope_parameters"]["factor"] == 4.0
    assert [phase["context"] for phase in told["plan"]["phases"]] == [32, 256]


@pytest.mark.slow
def test_a_base_under_a_rail_blocks_an_apache_release_and_says_so_before_training(tokenizer, tmp_path):
    folder = based(tmp_path, tokenizer, "bloom", RAIL, evaluated=True)
    told = hemicycle("train", "--project", folder, "--dry-run")
    assert "release v0 will be refused" in told.stderr
    assert "Section III" in told.stderr, "the clause"
    done = hemicycle("run", folder, "--keep-going", check=False)
    assert done.returncode == 3
    assert "Weights cannot be released under Apache-2.0: the base model “vieux” is under" in done.stderr
    assert "hemicycle.toml, line" in done.stderr
    (results,) = (folder / "build" / "evaluation").glob("*/results.json")
    measured = json.loads(results.read_text())
    assert [(r["model"], r["base"]) for r in measured["forgetting"]] == [("petit", "vieux")]
    assert sum("its training text is unknown" in note for note in measured["notes"]["en"]) == 2
    shown = hemicycle("clear", "--project", folder).stdout
    assert f"base vieux: BigScience-BLOOM-RAIL-1.0 ({RAIL}); weights made from it may not go out" in shown
    assert "what it was trained on is not known; petit begins from it" in shown
    assert "base vieux:" in hemicycle("status", folder).stdout
    lineage = hemicycle("ledger", "lineage", "model/petit", "--project", folder).stdout
    assert "upstream-unknown: what it was trained on is not known" in lineage
    told = hemicycle("trace", "La séance est ouverte", "--project", folder).stdout
    assert "petit began as vieux, whose training text is not known" in told
    file = folder / "hemicycle.toml"
    file.write_text(file.read_text().replace('license = "Apache-2.0"', f'license = "{RAIL}"'))
    assert hemicycle("release", "--project", folder).returncode == 0
    findings, facts = check_release(folder / "releases" / "v0")
    assert (findings, facts["upstream-unknown"]) == ([], "vieux")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace('licence = "MIT"\n', ""), "no licence that is known"),
        (lambda text: text.replace('attested_by = "Camille Test"\n', ""), "Nobody answers for having read"),
    ],
)
def test_a_base_of_which_something_is_missing_blocks_the_release(change, said, tokenizer, tmp_path):
    folder = based(tmp_path, tokenizer, "llama", "MIT")
    file = folder / "hemicycle.toml"
    file.write_text(change(file.read_text()))
    session = Session(folder)
    with pytest.raises(RightsError, match=said):
        session.pipeline().run(session.flow.up_to("release"))


def test_a_readme_that_states_another_licence_blocks_the_release_and_both_are_quoted(tokenizer, tmp_path):
    folder = based(tmp_path, tokenizer, "llama", "MIT", readme="---\nlicense: cc-by-nc-4.0\n---\n")
    session = Session(folder)
    with pytest.raises(RightsError, match=r"Declared: MIT; there: cc-by-nc-4\.0"):
        session.pipeline().run(session.flow.up_to("release"))
