"""Calls about a work that are wrong are told before anything is opened."""

import pytest


@pytest.fixture
def work(tmp_path):
    (tmp_path / "work.txt").write_text("Un texte de quelques mots.", "utf-8")
    return tmp_path / "work.txt"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("un texte", "--report", "out.html"), "a report is made of a work"),
        (("un texte", "--file", "{work}"), "exactly one of"),
        (("--file", "{work}", "--report", "out.pdf"), "must end in .html"),
    ],
)
def test_a_wrong_call_about_a_work_is_refused(project, work, call, words, said):
    code, out, err = call("trace", "--project", project, *(word.format(work=work) for word in words))
    assert (code, out) == (2, "")
    assert said in err


def test_a_work_that_cannot_be_read_says_where_and_what_to_do(project, work, call):
    work.write_bytes("Été".encode("latin-1"))
    code, _, err = call("trace", "--project", project, "--file", work)
    assert code == 1
    assert f"{work}, line 1: byte 0 (0xc9) is not UTF-8" in err
    assert "iconv" in err


def test_a_work_is_checked_with_a_signed_trace_only(project, work, call):
    code, _, err = call("verify", project, "--work", work)
    assert code == 2
    assert "--work goes with the signed trace of a work" in err
    assert call("verify", work)[0] == 2


def test_an_empty_work_is_the_same_wrong_call_to_every_verb(project, work, call):
    work.write_text("")
    for verb in (("trace", "--file"), ("withdraw", "--matching")):
        code, _, err = call(verb[0], "--project", project, verb[1], work)
        assert code == 2
        assert f"{work}: the file holds no word" in err
