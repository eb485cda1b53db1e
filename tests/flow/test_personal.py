"""A card asks for more to be masked: what the ledger says of it, and what is said where it cannot be done."""

import importlib.util
from types import SimpleNamespace

import pytest

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


def test_what_names_are_found_by_is_in_the_step_and_another_model_makes_another(project, call, monkeypatch):
    ask(project, 'personal = ["name"]\nnames_model = "../modele"')
    nobody = Names(SimpleNamespace(analyze=lambda *_, **__: []))
    monkeypatch.setattr(names_presidio, "load", lambda _: nobody)
    made = []
    for version in ("3.7.0", "3.8.0"):
        monkeypatch.setattr(names_presidio, "provenance", lambda _, version=version: {"spacy": version})
        code, _, err = call("curate", "--workers", "1", "--project", project)
        assert code == 0, err
        made.append(annotated(project))
        assert made[-1].declaration["resolved"] == {"names": {"spacy": version}}
        assert "modele" not in str(made[-1].declaration), "where it lies may tell of a home"
    assert made[0].subject.key != made[1].subject.key


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
