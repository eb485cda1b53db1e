"""What stops `run`, and what it says then."""

import shutil

import pytest


def test_a_lost_private_key_is_asked_for_and_no_other_is_made(project, call):
    assert call("run", project)[0] == 0
    shutil.rmtree(project / ".hemicycle")
    code, _, err = call("run", project)
    key, public = project / ".hemicycle" / "solo.key", project / "ledger" / "keys" / "solo.pub"
    assert code == 1
    assert f"error: {key}: the private key of this ledger is missing" in err
    assert f"Restore the key whose public half is {public}." in err
    assert not key.exists()


WHY = "no document of corpus “lettres” is cleared"


def test_a_corpus_that_rights_hold_back_is_shown_as_blocked_with_the_reason(refused, call):
    assert "would run   corpus lettres" in call("status", refused)[1]
    code, _, err = call("run", refused)
    assert code == 3
    assert f"error: {WHY}" in err

    code, out, _ = call("status", refused)
    assert code == 0
    assert f"blocked     corpus lettres  ({WHY})\n" in out
    assert "blocked     model petit  " in out
    assert "`hemicycle run` does them" not in out
    said = call("run", refused, "--dry-run")[1]
    assert f"blocked: corpus lettres ({WHY})\n" in said
    assert "would run" not in said


@pytest.mark.parametrize("words", [("serve", "--project"), ("trace", "un texte", "--project")])
def test_serve_and_trace_say_what_blocks_the_model(words, refused, call):
    code, _, err = call(*words, refused)
    assert (code, "Run `hemicycle run` first." in err) == (1, True)
    call("run", refused)
    code, _, err = call(*words, refused)
    assert code == 3
    assert f"error: {WHY}\n  `hemicycle clear` says for each source what holds it back." in err


def test_once_it_is_mended_it_would_run_again(refused, call):
    assert call("run", refused)[0] == 3
    card = refused / "sources" / "textes.toml"
    card.write_text(f'{card.read_text("utf-8")}attested_by = "Jeanne Essai"\n', "utf-8")
    out = call("status", refused)[1]
    assert "would run   rights textes  (its declaration changed)" in out
    assert "blocked" not in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("status", "--jsn"), "error: No such option"),
        (("rnu",), "error: there is no verb “rnu”. Did you mean “run”?"),
        (("status", "nowhere"), "error: Invalid value for '[PROJECT]'"),
        (("status",), "error: "),
    ],
)
def test_every_error_begins_with_the_same_word(words, said, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert next(line for line in err.splitlines() if line.lower().startswith("error")).startswith(said)
    assert "Error:" not in err
