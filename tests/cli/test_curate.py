"""What `curate` says of rules it moved, of a corpus that is behind, and of what rights refused."""

import json

import pyarrow.parquet as pq


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


def test_a_document_of_a_corpus_that_is_not_made_is_not_said_to_be_unseen(project, call):
    code, _, err = call("curate", "explain", "textes:0.txt", "--project", project)
    assert code == 2
    assert "corpus “lettres” is not made yet" in err
    assert "Run `hemicycle curate lettres` first." in err


def test_what_was_masked_and_taken_out_of_a_document_is_told(project, call):
    letter = (project / "textes" / "0.txt").read_text("utf-8")
    more = "Écrivez à jeanne.dupont@orange.fr ou à paul.martin@free.fr, je vous prie."
    for name in ("3.txt", "4.txt"):
        (project / "textes" / name).write_text(f"{more} {letter}", "utf-8")
    assert call("curate", "--project", project)[0] == 0
    told = call("curate", "explain", "textes:3.txt", "--project", project)[1]
    told += call("curate", "explain", "textes:4.txt", "--project", project)[1]
    assert told.count("  masked (email): 2\n") == 2
    assert "  it stays for 1 copy that went\n" in told
    assert "(phone)" not in told
    assert "repeated passages" not in told
    said = json.loads(call("curate", "explain", "textes:3.txt", "--project", project, "--json")[1])
    assert said["corpora"][0]["masked"] == {"email": 2}
    assert said["corpora"][0]["passages"] == 0


def test_passages_taken_out_are_told_of(project, call):
    words = "les élèves de notre école ont chanté devant la mairie sous une pluie fine et très froide".split()
    notice = "Lettre numérisée par les soins de la bibliothèque municipale, tous droits réservés aux auteurs."
    for n in range(40):
        own = " ".join(words[(n * k + k * k) % len(words)] + "s" * (n % 3) for k in range(60))
        (project / "textes" / f"n{n}.txt").write_text(f"{own} {n}.\n\n{notice}\n", "utf-8")
    assert call("curate", "--project", project)[0] == 0
    assert (
        "  repeated passages taken out: 1\n"
        in call("curate", "explain", "textes:n1.txt", "--project", project)[1]
    )


def test_passages_that_are_cut_short_leave_the_file_of_before(project, tmp_path, call, monkeypatch):
    out = tmp_path / "passages.parquet"
    out.write_text("before")

    def stopped(path, *_):
        path.write_text("half")
        raise KeyboardInterrupt

    assert call("run", project)[0] == 0
    monkeypatch.setattr("hemicycle.documents.write_parquet", stopped)
    assert call("curate", "passages", "lettres", "--project", project, "--out", out)[0] == 130
    assert out.read_text() == "before"


def test_passages_are_written_where_asked_and_none_is_a_sentence(project, tmp_path, call):
    asked = ("curate", "passages", "lettres", "--project", project)
    code, _, err = call(*asked, "--out", tmp_path / "passages.csv")
    assert code == 2
    assert "must end in .parquet" in err
    assert "passages.parquet" in err
    out = tmp_path / "new" / "folder" / "passages.parquet"
    code, said, _ = call(*asked, "--words", 10, "--out", out)
    assert code == 0
    assert "words, " in said
    assert pq.read_table(out).num_rows
    code, said, _ = call(*asked, "--words", 1000)
    assert code == 0
    assert "No stretch of 1 000 words or more stands in it more than once" in said
