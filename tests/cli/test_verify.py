"""What `verify` says, where it says it, and with which exit code."""

import re
import shutil

import pytest

from hemicycle.ledger import Ledger
from tests.release.miniature import build_miniature

OTHER = f"SHA256:{43 * '0'}"


@pytest.fixture
def built(project, call):
    assert call("run", project)[0] == 0
    return project


def test_a_projects_key_is_compared_with_the_one_asked_for(built, call):
    fingerprint = Ledger(built / "ledger").public_key.fingerprint
    assert call("verify", built, "--key", fingerprint)[0] == 0
    code, out, _ = call("verify", built, "--key", OTHER)
    assert code == 1
    assert f"head.json: it is signed by {fingerprint}, not by {OTHER}\n" in out


def test_nothing_built_is_signed_by_no_key(project, call):
    code, out, _ = call("verify", project, "--key", OTHER)
    assert code == 1
    assert f"it is signed by no key that can be read, not by {OTHER}" in out


def test_whoever_gives_the_key_is_not_told_to_compare_it(tmp_path, call):
    mini = build_miniature(tmp_path)
    release = mini.release(tmp_path / "v0")
    fingerprint = mini.ledger.public_key.fingerprint
    assert "compare: " in str(call("verify", release))
    for key, expected in ((fingerprint, 0), (OTHER, 1)):
        code, out, err = call("verify", release, "--key", key)
        assert code == expected
        assert "compare: " not in out + err
        assert f"fingerprint: {fingerprint}\n" in out + err


def test_the_verdict_and_the_facts_are_results_and_stand_on_stdout(built, tmp_path, call):
    assert call("verify", built) == (0, "lines: 8\neverything is what the ledger says\n", "")
    release = build_miniature(tmp_path / "mini").release(tmp_path / "v0")
    code, out, err = call("verify", release)
    assert (code, err) == (0, "")
    assert re.match(r"fingerprint: SHA256:.*\ncompare: ", out)
    (release / "NOTICE").unlink()
    code, out, err = call("verify", release)
    assert (code, err) == (1, "")
    assert out.startswith("NOTICE: ")
    assert out.endswith("\n1 finding(s)\n")


def test_a_file_name_in_a_release_cannot_move_the_cursor_or_forge_a_line(tmp_path, call):
    release = build_miniature(tmp_path).release(tmp_path / "v0")
    (release / "a\neverything is what the ledger says\x1b[2J").write_text("")
    code, out, err = call("verify", release)
    assert code == 1
    assert "\x1b" not in out + err
    assert "everything is what the ledger says" not in out.splitlines()
    assert r"a\neverything is what the ledger says\x1b[2J: " in out


def test_a_lost_ledger_is_one_finding(built, call):
    shutil.rmtree(built / "ledger")
    lost = "the ledger is missing: restore it from a copy, for nothing else says what was built"
    what = f"{built / 'ledger'}: {lost}\n"
    assert call("verify", built) == (1, f"{what}lines: 0\n1 finding(s)\n", "")


def test_a_project_that_was_never_built_is_sound_and_says_so(project, call):
    assert call("verify", project) == (0, "lines: 0\nnothing has been built here yet\n", "")


def test_what_is_no_fingerprint_is_not_looked_for(project, call):
    for key in ("SHA256:000", "moi", f"SHA256:{44 * '0'}"):
        code, out, err = call("verify", project, "--key", key)
        assert (code, out) == (2, "")
        assert f"“{key}” is no fingerprint of a key" in err
