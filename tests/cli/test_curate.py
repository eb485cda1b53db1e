"""What `curate` says of rules it moved, of a corpus that is behind, and of what rights refused."""

import json


def test_the_command_names_the_rules_it_moved(project, call):
    assert call("curate", "--project", project)[0] == 0
    code, out, _ = call("curate", "retune", "lettres", "too-short: words >= 3", "--project", project)
    assert code == 0
    assert out.startswith("moved: ")
    assert "/too-short" in out
    out = call("curate", "retune", "lettres", "too-short: words >= 3", "--project", project, "--json")[1]
    assert json.loads(out)["rules"]


def test_a_document_of_a_corpus_that_is_behind_is_told_from_the_last_one_made(project, call):
    assert call("curate", "--project", project)[0] == 0
    (project / "textes" / "9.txt").write_text("Un texte de plus.", "utf-8")
    code, out, _ = call("curate", "explain", "textes:0.txt", "--project", project)
    assert code == 0
    assert "corpus lettres is not up to date: run `hemicycle curate`" in out
    assert "textes:0.txt in corpus lettres" in out
    code, _, err = call("curate", "explain", "textes:9.txt", "--project", project)
    assert code == 2
    assert "Corpus lettres is not up to date" in err
    for words in (["report", "lettres"], ["retune", "lettres", "too-short: words >= 3"]):
        code, _, err = call("curate", *words, "--project", project)
        assert code == 2
        assert "corpus “lettres” is not up to date" in err


def test_a_document_that_rights_refuse_is_explained_with_the_reason(refused, call):
    call("curate", "--project", refused)
    code, out, _ = call("curate", "explain", "textes:0.txt", "--project", refused)
    assert code == 0
    assert "is held back from corpus lettres by rights" in out
    told = json.loads(call("curate", "explain", "textes:0.txt", "--project", refused, "--json")[1])
    assert told["corpora"] == []
    assert told["refused"][0]["corpus"] == "lettres"
    assert told["refused"][0]["fr"]


def test_a_report_is_written_or_printed_and_not_both(project, call):
    code, _, err = call("curate", "report", "lettres", "--out", "x", "--json", "--project", project)
    assert code == 2
    assert "--out and --json cannot both be meant" in err


def test_what_is_curated_is_a_corpus_and_a_source_is_none(project, call):
    card = project / "sources" / "textes.toml"
    card.rename(card.with_name("pages.toml"))
    toml = project / "hemicycle.toml"
    toml.write_text(toml.read_text("utf-8").replace('"textes"', '"pages"'), "utf-8")
    code, _, err = call("curate", "pages", "--project", project)
    assert code == 2
    assert "there is no corpus “pages”" in err
    assert "Declared: lettres." in err
    assert call("collect", "pages", "--project", project)[0] == 0
    code, _, err = call("collect", "lettres", "--project", project)
    assert code == 2
    assert "there is no source “lettres”" in err


def test_a_slip_in_a_verb_that_may_be_left_out_is_answered_with_the_verb(project, call):
    code, _, err = call("curate", "explane", "x", "--project", project)
    assert code == 2
    assert "Did you mean “explain”?" in err
