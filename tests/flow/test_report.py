"""`curate report`, from the command line."""

import json
import shutil
import sys

from tests.flow.small import make_project


def test_a_report_is_written_where_the_project_is_or_where_one_says(built, call, tmp_path):
    shutil.copytree(built[0], tmp_path / "essai")
    project = tmp_path / "essai"
    code, out, err = call("curate", "report", "--project", project)
    assert code == 0, err
    report = json.loads((project / "reports" / "debats" / "report.json").read_text())
    assert "index.html" in out
    # The project is built whole, so its tokens are known; one sitting is held out and has none.
    assert report["totals"]["documents"] > 1
    assert report["totals"]["tokens"] > 0
    code, _, err = call("curate", "report", "debats", "--out", tmp_path / "there", "--project", project)
    assert code == 0, err
    assert (tmp_path / "there" / "report.json").read_text() == json.dumps(
        report, ensure_ascii=False, indent=1
    ) + "\n"
    code, out, err = call("curate", "report", "debats", "--json", "--project", project)
    assert json.loads(out)["corpora"]["debats"] == report


def test_fertility_is_drawn_beside_the_report_and_without_matplotlib_told_as_a_table(copy, call, monkeypatch):
    picture = copy / "reports" / "debats" / "fertility.png"
    code, _, err = call("tokenize", "--fertility", "--compare", copy / "sources", "--project", copy)
    assert (code, "name a folder with tokenizer.json" in err) == (2, True)
    code, out, err = call("tokenize", "--fertility", "--json", "--project", copy)
    assert (code, picture.exists()) == (0, False), err
    code, out, err = call("tokenize", "--fertility", "--project", copy)
    assert (code, picture.read_bytes()[:4]) == (0, b"\x89PNG"), err
    assert "fertility.png" in out
    picture.unlink()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = call("tokenize", "--fertility", "--project", copy)
    assert (code, picture.exists(), "tokens per word" in out) == (0, False, True)
    assert "no picture: the picture needs matplotlib" in err
    assert "hemicycle[train]" in err


def test_a_corpus_that_is_not_made_yet_or_not_declared_has_no_report(call, tmp_path):
    project = make_project(tmp_path / "neuf")
    code, _, err = call("curate", "report", "--project", project)
    assert (code, "is not made yet" in err) == (2, True)
    code, _, err = call("curate", "report", "debat", "--project", project)
    assert (code, "Did you mean “debats”?" in err) == (2, True)
