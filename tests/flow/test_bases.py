"""A model from elsewhere is brought in whole, pinned, and without anything that could run."""

import json
import shutil
import sys
import types

import pytest

from hemicycle.cli.session import How, Session
from hemicycle.errors import DeclarationError, InputError
from hemicycle.store import list_files
from tests.flow.small import DECLARATION, make_project
from tests.train.bases import FAMILIES, make_base

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BASE = """
[bases.vieux]
path = "../vieux"
licence = "MIT"
attested_by = "Camille Test"
"""


@pytest.fixture
def project(tokenizer, tmp_path):
    """A project that declares a base which lies beside it."""
    make_base(tmp_path / "vieux", "llama", tokenizer, readme="---\nlicense: mit\n---\n# Vieux\n")
    return make_project(tmp_path / "essai", DECLARATION + BASE)


def build(folder, how=None):
    session = Session(folder)
    step = session.flow.base("vieux")
    return session.pipeline(how).run([step])[-1]


def test_a_base_is_copied_with_its_shape_and_the_licences_declared_and_stated(project):
    made = build(project)
    assert set(list_files(made.folder)) == {
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    figures = made.statement.figures
    assert (figures["licence"], figures["stated_licence"]) == ("MIT", "mit")
    assert (figures["family"], figures["vocabulary"], figures["upstream"]) == ("llama", 320, "unknown")
    assert figures["shape"]["layers"] == 2
    assert not made.statement.rebuildable
    assert "vieux" not in json.dumps(made.statement.declaration), "where it lies is nobody's affair"
    assert build(project).state == "fresh"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_base_of_each_family_is_taken(family, tokenizer, tmp_path):
    make_base(tmp_path / "vieux", family, tokenizer)
    figures = build(make_project(tmp_path / "essai", DECLARATION + BASE)).statement.figures
    assert figures["family"] == family
    assert figures["stated_licence"] is None


def test_a_base_that_changed_under_the_same_declaration_is_refused(project, tmp_path):
    build(project)
    (tmp_path / "vieux" / "generation_config.json").write_text("{}")
    with pytest.raises(InputError, match=r"no longer those of hemicycle\.lock") as caught:
        build(project)
    assert "[base.vieux]" in str(caught.value)
    lock = project / "hemicycle.lock"
    lock.write_text(lock.read_text().replace("[base.vieux]", "[base.autre]"))
    assert build(project).state == "built"


def test_another_licence_declared_is_another_statement_about_the_same_files(project):
    first = build(project).statement
    file = project / "hemicycle.toml"
    file.write_text(file.read_text().replace('licence = "MIT"', 'licence = "Apache-2.0"'))
    second = build(project).statement
    assert second.figures["licence"] == "Apache-2.0"
    assert second.digest == first.digest, "models made from it stay up to date"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
            r"pickles \(pytorch_model.bin\)",
        ),
        (lambda f: (f / "model.safetensors").unlink(), "it has no weights"),
        (lambda f: (f / "tokenizer.json").unlink(), "it has no tokenizer.json"),
        (lambda f: (f / "config.json").unlink(), "it has no config.json"),
        (lambda f: shutil.rmtree(f), "it has no config.json"),
        (lambda f: (f / "LICENSE").symlink_to("/etc/passwd"), "the folder holds links"),
        (lambda f: (f / "config.json").write_text('{"auto_map": {}}'), "needs code of its own"),
    ],
)
def test_what_cannot_be_begun_from_is_refused_with_what_to_do(spoil, said, project, tmp_path):
    spoil(tmp_path / "vieux")
    with pytest.raises(InputError, match=f"base vieux.*{said}") as caught:
        build(project)
    assert caught.value.remedy


def test_a_tokenizer_with_more_tokens_than_the_weights_have_rows_is_refused(project, tokenizer, tmp_path):
    make_base(tmp_path / "vieux", "llama", tokenizer, rows=300)
    with pytest.raises(
        InputError, match="base vieux: its tokenizer has 320 tokens, and its embedding only 300"
    ):
        build(project)


def test_code_beside_a_model_is_never_copied(project, tmp_path):
    (tmp_path / "vieux" / "modeling_vieux.py").write_text("raise SystemExit")
    (tmp_path / "vieux" / "training_args.bin").write_bytes(b"\x80\x04")
    assert not [f for f in list_files(build(project).folder) if f.endswith((".py", ".bin"))]


def from_hub(project, monkeypatch, tmp_path, error=None):
    """Have the project's base come from a hub that this test is."""
    asked = []

    def snapshot_download(repository, *, repo_type, revision, local_dir, allow_patterns):
        asked.append((repository, revision, allow_patterns))
        if error:
            raise error
        shutil.copytree(tmp_path / "vieux", local_dir, dirs_exist_ok=True)

    class HfApi:
        def repo_info(self, repository, *, repo_type, revision):
            assert repo_type == "model"
            return types.SimpleNamespace(sha=revision)

    hub = types.ModuleType("huggingface_hub")
    vars(hub).update(HfApi=HfApi, snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    file = project / "hemicycle.toml"
    file.write_text(file.read_text().replace('path = "../vieux"', f'hf = "maison/vieux@{COMMIT}"'))
    return asked


def test_a_base_on_a_hub_comes_at_its_commit_and_by_name_of_file(project, monkeypatch, tmp_path):
    asked = from_hub(project, monkeypatch, tmp_path)
    made = build(project)
    (repository, revision, patterns) = asked[0]
    assert (repository, revision) == ("maison/vieux", COMMIT)
    assert not [p for p in patterns if p.endswith((".bin", ".py", "*")) and p not in LICENCES]
    assert made.statement.figures["revision"] == COMMIT
    assert made.statement.declaration["declared"]["place"] == {"hf": f"maison/vieux@{COMMIT}"}


LICENCES = ("LICENSE*", "LICENCE*", "license*", "NOTICE*")


def test_offline_a_base_on_a_hub_is_not_fetched_and_that_is_said(project, monkeypatch, tmp_path):
    asked = from_hub(project, monkeypatch, tmp_path)
    with pytest.raises(InputError, match="base vieux: it was not collected yet, and --offline"):
        build(project, How(offline=True))
    assert not asked


def test_what_the_hub_says_of_a_failure_is_told(project, monkeypatch, tmp_path):
    from_hub(project, monkeypatch, tmp_path, error=OSError("401 Client Error: gated repo\nmore"))
    with pytest.raises(InputError, match="the hub does not give the model: 401 Client Error: gated repo"):
        build(project)


def test_collect_brings_bases_in_and_shows_them(project, call):
    code, said, _ = call("collect", "--project", project)
    assert code == 0
    row = next(line for line in said.splitlines() if line.startswith("vieux"))
    assert row.split()[:3] == ["vieux", "llama", "8"]
    assert "MIT" in row


def test_a_corpus_is_cut_by_the_tokenizer_of_a_base_and_that_one_can_be_extended(project):
    file = project / "hemicycle.toml"
    file.write_text(
        file.read_text() + '\n[tokenizers.plus]\ncorpus = "debats"\nextends = "vieux"\nadd = 30\n'
    )
    session = Session(project)
    steps = [session.flow.tokens("debats.vieux"), session.flow.tokens("debats.plus")]
    outcomes = {str(o.step): o for o in session.pipeline().run(steps)}
    assert outcomes["tokenizer plus"].statement.figures["base_vocabulary"] == 320
    tokens = {n: outcomes[f"tokens debats.{n}"].statement.figures["tokens"] for n in ("vieux", "plus")}
    assert tokens["plus"] < tokens["vieux"]


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ('[bases.petit]\npath = "x"\n', "a model has this name too"),
        (
            '[bases.autre]\npath = "x"\nlicence = "BigScience-BLOOM-RAIL-1.0"\n',
            "scancode-bigscience-rail-1.0",
        ),
        (
            '[models.suite]\nmethod = "continue"\nfrom = "vieux"\ntokenizer = "fr"\n'
            'corpora = { debats = 1.0 }\nbudget = { tokens = "1k" }\n',
            "mean nothing to the tokenizer “fr”",
        ),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_line(declared, said, project):
    file = project / "hemicycle.toml"
    file.write_text(file.read_text() + declared)
    with pytest.raises(DeclarationError) as caught:
        Session(project)
    assert said in str(caught.value)
    assert "hemicycle.toml, line" in str(caught.value)
