"""Calls of `trace` that are wrong are told before anything is opened."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from hemicycle.cli.trace import MOST, _common, print_trace
from hemicycle.trace import Tracer, build_index, open_index
from tests.conftest import write_corpus


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
        (
            ("--file", "{work}", "--report", "{work}/out.html"),
            "no report can be written there: Not a directory",
        ),
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


@pytest.mark.parametrize("report", ["out.html", "caf\udce9.html"])
def test_names_that_are_not_utf8_show_no_traceback(project, tmp_path, call, report):
    work = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9t\xe9.txt"))
    work.write_text("Un texte.", "utf-8")
    code, _, err = call("trace", "--project", project, "--file", work, "--report", tmp_path / report)
    assert code in (1, 2)
    assert "Traceback" not in err
    assert (r"caf\udce9.html: the name is not UTF-8" in err) == (report != "out.html")


@pytest.mark.parametrize("words", [("-",), ("-", "--json")])
def test_standard_input_that_is_not_utf8_is_refused_as_a_file_is(project, call, monkeypatch, words):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"un\n\xe9t\xe9")))
    code, out, err = call("trace", "--project", project, *words)
    told = err
    if "--json" in words:
        error = json.loads(out)["error"]
        told = f"{error['place']}: {error['what']} {error['remedy']}"
    assert code == 1
    assert "standard input, line 2: byte 3 (0xe9) is not UTF-8" in told
    assert "iconv" in told


@pytest.mark.parametrize("words", [("\udce9t\udce9",), ("--answer", "\udce9t\udce9")])
def test_a_text_of_the_call_that_is_not_utf8_is_refused(project, call, words):
    code, out, err = call("trace", "--project", project, *words)
    assert (code, out) == (2, "")
    assert "the text is not UTF-8" in err


def test_a_pipe_is_no_work(project, tmp_path, call):
    os.mkfifo(tmp_path / "pipe")
    code, _, err = call("trace", "--project", project, "--file", tmp_path / "pipe")
    assert code == 2
    assert "this is no ordinary file" in err


def test_what_is_too_common_and_what_is_less_rare_are_counted_apart(tmp_path, capsys):
    once = [f"d{n} " + " ".join(f"d{n}w{word}" for word in range(9)) for n in range(40)]
    often = "la séance est ouverte sous la présidence de monsieur le doyen"
    documents = [*once, *(f"{n} {often}" for n in range(MOST + 1))]
    corpus = write_corpus(tmp_path / "c", {"s": documents})
    build_index([corpus], tmp_path / "i")
    index = open_index(tmp_path / "i")
    text = " zzz ".join([*once, often])
    result = Tracer(index, [corpus]).trace(text, max_count=MOST).to_json()
    print_trace(result, "petit", "words", _common(index, text, 8))
    shown = len(result["spans"])
    counts = f"({shown} shown; 1 too common to show; {40 - shown} less rare than those)"
    assert counts in capsys.readouterr().out


def test_what_a_text_says_again_is_shown_once_and_counted_once(tmp_path, capsys):
    once = "un passage que le corpus ne tient qu'une seule fois"
    corpus = write_corpus(tmp_path / "c", {"s": [once]})
    build_index([corpus], tmp_path / "i")
    text = f"{once} zzz {once} zzz {once}. {200 * 'yyy '}"
    result = Tracer(open_index(tmp_path / "i"), [corpus]).trace(text).to_json()
    assert len(result["spans"]) == 3
    print_trace(result, "petit", "words")
    out = capsys.readouterr().out
    assert "(3 times in this text)" in out
    assert "(1 shown)" in out
