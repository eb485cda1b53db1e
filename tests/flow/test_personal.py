"""A card asks for more to be masked: what the ledger says of it, and what is said where it cannot be done."""

import importlib.util
import tomllib
from types import SimpleNamespace

import pytest
import tomli_w

from hemicycle.cli.session import Session
from hemicycle.curate import names_presidio
from hemicycle.curate.names_presidio import Names
from tests.flow.small import make_project

ADDRESS = "12 rue de la Paix, 75002 Paris"


@pytest.fixture
def project(tmp_path):
    """The small project; one sitting has an address read out."""
    folder = make_project(tmp_path / "essai")
    sitting = sorted((folder / "sittings").glob("*.xml"))[0]
    text = sitting.read_text("utf-8")
    assert "La séance est ouverte." in text
    said = text.replace("La séance est ouverte.", f"La séance est ouverte au {ADDRESS}.", 1)
    sitting.write_text(said, "utf-8")
    return folder


def ask(folder, lines):
    card = folder / "sources" / "sittings.toml"
    card.write_text(f"{lines}\n{card.read_text('utf-8')}", "utf-8")


def annotated(folder):
    session = Session(folder)
    outcomes = session.pipeline().look(session.flow.up_to("curate"))
    return next(o.statement for o in outcomes if o.step.stage == "annotated")


def test_addresses_are_masked_where_a_card_asks_and_only_their_number_is_told(project, call):
    code, _, err = call("curate", "--project", project)
    assert code == 0, err
    before = annotated(project)
    assert "address" not in before.figures["personal"]
    ask(project, 'personal = ["address"]')
    code, _, err = call("curate", "--project", project)
    assert code == 0, err
    after = annotated(project)
    assert after.figures["personal"]["address"] == 1
    assert after.declaration["declared"]["also_masked"] == ["address"]
    assert after.subject.key != before.subject.key
    for path in (project / "ledger").rglob("*.json*"):
        assert "rue de la Paix" not in path.read_text("utf-8"), path.name


MODEL = 'personal = ["name"]\nnames_model = "../modele"'


@pytest.fixture
def installed(monkeypatch):
    """A model that finds nobody, of a version that a test sets; and how often it was measured."""
    nobody = Names(SimpleNamespace(analyze=lambda *_, **__: []))
    state = SimpleNamespace(version="3.7.0", measured=0)

    def provenance(_):
        state.measured += 1
        model = {"name": "modele", "version": state.version, "digest": f"sha256:{state.version}"}
        return {"presidio-analyzer": "2.2.360", "spacy": "3.8.7", "model": model}

    monkeypatch.setattr(names_presidio, "load", lambda _: nobody)
    monkeypatch.setattr(names_presidio, "provenance", provenance)
    return state


def lacking(_):
    raise AssertionError("neither the extra nor the model is here")


def curate(call, project):
    code, _, err = call("curate", "--workers", "1", "--project", project)
    assert code == 0, err


def test_a_source_with_names_masked_is_built_on_without_the_extra(project, call, installed, monkeypatch):
    ask(project, MODEL)
    curate(call, project)
    made = annotated(project)
    assert made.declaration["resolved"]["names"]["model"]["version"] == "3.7.0"
    assert "../modele" not in str(made.declaration), "where it lies may tell of a home"
    monkeypatch.setattr(names_presidio, "provenance", lacking)
    monkeypatch.setattr(names_presidio, "load", lacking)
    assert annotated(project).subject.key == made.subject.key
    curate(call, project)
    code, _, err = call("tokenize", "--project", project)
    assert code == 0, err
    assert annotated(project).subject.key == made.subject.key


def test_a_look_measures_no_model_of_names(project, call, installed):
    ask(project, MODEL)
    session = Session(project)
    session.pipeline().run(session.flow.up_to("clear"))
    assert annotated(project) is None
    assert not installed.measured


def test_another_model_of_names_is_taken_where_it_is_asked_for_and_makes_another(project, call, installed):
    ask(project, MODEL)
    curate(call, project)
    first = annotated(project).subject.key
    installed.version = "3.8.0"
    curate(call, project)
    assert annotated(project).subject.key == first, "nobody asked"
    lock = project / "hemicycle.lock"
    tables = tomllib.loads(lock.read_text("utf-8"))
    del tables["names"]["sittings"]
    lock.write_text(tomli_w.dumps(tables), "utf-8")
    curate(call, project)
    second = annotated(project)
    assert second.subject.key != first
    assert second.declaration["resolved"]["names"]["model"]["version"] == "3.8.0"


def test_a_folder_named_anew_is_looked_at_anew(project, call, installed):
    ask(project, MODEL)
    curate(call, project)
    first = annotated(project).subject.key
    installed.version = "3.8.0"
    card = project / "sources" / "sittings.toml"
    card.write_text(card.read_text("utf-8").replace("../modele", "../autre"), "utf-8")
    curate(call, project)
    assert annotated(project).subject.key != first


def test_a_model_of_names_that_is_no_longer_the_locked_one_reads_nothing(project, call, installed):
    ask(project, MODEL)
    curate(call, project)
    installed.version = "3.8.0"
    sitting = sorted((project / "sittings").glob("*.xml"))[0]
    sitting.write_text(sitting.read_text("utf-8").replace(ADDRESS, "Lyon"), "utf-8")
    code, _, err = call("curate", "--workers", "1", "--project", project)
    assert code == 1, err
    assert "no longer that of hemicycle.lock" in err
    assert "delete [names.sittings]" in err


@pytest.mark.skipif(
    importlib.util.find_spec("presidio_analyzer") is not None, reason="the extra is installed here"
)
def test_names_without_the_extra_are_refused_with_the_source_and_what_to_install(project, call):
    ask(project, 'personal = ["name"]\nnames_model = "../modele"')
    code, _, err = call("curate", "--project", project)
    assert code == 2
    assert "source sittings: finding persons' names needs Presidio, which is not installed" in err
    assert "pip install 'hemicycle[privacy]'" in err


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('personal = ["name"]', "names_model, the folder of a spaCy model of French, or neither"),
        ('names_model = "../modele"', 'needs personal = ["name"] and names_model'),
        ('personal = ["adress"]', "must be 'address' or 'name' (it is 'adress')"),
        ('personal = "address"', "must be a list, in brackets"),
        ("personnal = []", "Did you mean “personal”?"),
    ],
)
def test_a_card_that_asks_for_what_cannot_be_is_refused(project, call, lines, says):
    ask(project, lines)
    code, _, err = call("curate", "--project", project)
    assert (code, says in err) == (2, True), err
