"""Project templates: whole, valid, and allowing nothing until somebody answers for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hemicycle.errors import DeclarationError
from hemicycle.project import load_project
from hemicycle.sources import selected_files
from hemicycle.templates import create_project, templates


def test_the_templates_are_these() -> None:
    assert templates() == ["french", "petit"]


@pytest.mark.parametrize("template", ["french", "petit"])
def test_a_template_makes_a_valid_project_in_which_nobody_answers_for_anything(
    tmp_path: Path, template: str
) -> None:
    pytest.importorskip("hemicycle.rights.licences")
    folder = tmp_path / "Mon Projet (été)"
    written = create_project(folder, template)
    assert written == sorted(p for p in folder.rglob("*") if p.is_file())
    project = load_project(folder)
    assert project.name == "mon-projet-ete"
    assert {p.stem for p in (folder / "sources").glob("*.toml")} == set(project.cards)
    for card in project.cards.values():
        assert card.rights.attested_by is None
    assert project.declaration.models
    assert project.declaration.releases


def test_french_names_the_official_archives(tmp_path: Path) -> None:
    pytest.importorskip("hemicycle.rights.licences")
    create_project(tmp_path / "p", "french")
    cards = load_project(tmp_path / "p").cards
    for number in (15, 16, 17):
        card = cards[f"an-{number}"]
        assert card.urls == [
            f"https://data.assemblee-nationale.fr/static/openData/repository/{number}/vp/syceronbrut/syseron.xml.zip"
        ]
        assert (card.reader, card.rights.licence, card.kind) == ("syceron", "etalab-2.0", "debate")
        assert card.rights.evidence
    assert cards["romans"].rights.covers == "edition"
    for name, card in cards.items():
        if card.packages:
            assert card.optional, name
            assert card.rights.licence is None, "the package's own copyright file says it, file by file"


def test_petit_reads_the_user_s_texts_and_not_its_own_notice(tmp_path: Path) -> None:
    pytest.importorskip("hemicycle.rights.licences")
    create_project(tmp_path / "p", "petit")
    card = load_project(tmp_path / "p").cards["textes"]
    assert (tmp_path / "p" / "textes" / "LISEZ-MOI").is_file()
    assert selected_files(tmp_path / "p" / "textes", card) == []
    assert (card.rights.licence, card.rights.attested_by) == (None, None)


@pytest.mark.parametrize("template", ["french", "petit"])
def test_the_name_given_stands_in_the_declaration_and_build_is_ignored(tmp_path: Path, template: str) -> None:
    create_project(tmp_path / "p", template, name="debats-2026")
    declaration = (tmp_path / "p" / "hemicycle.toml").read_text("utf-8")
    assert 'name = "debats-2026"' in declaration
    assert "PROJECT-NAME" not in declaration
    assert "build/" in (tmp_path / "p" / ".gitignore").read_text("utf-8").splitlines()


def test_a_folder_with_anything_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("à moi")
    with pytest.raises(DeclarationError, match="the folder is not empty"):
        create_project(tmp_path, "petit")
    with pytest.raises(DeclarationError, match="this is a file"):
        create_project(tmp_path / "notes.txt", "petit")
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert create_project(tmp_path, "petit", "p")


@pytest.mark.parametrize(
    "name", ["", "Majuscule", "é", "a b", "-x", "../x", "x" * 65, 'x"\nlicense = "y', "x\n"]
)
def test_a_name_that_cannot_be_used_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeclarationError, match="cannot be the name of a project"):
        create_project(tmp_path / "p", "petit", name)
    assert not (tmp_path / "p").exists()


def test_an_unknown_template_is_refused_with_the_one_meant(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="Did you mean “french”"):
        create_project(tmp_path / "p", "frensh")
    with pytest.raises(DeclarationError, match="no template “\\.\\./sources”"):
        create_project(tmp_path / "p", "../sources")
