"""One JSON object on stdout wherever `--json` is asked for, of an error too."""

import json
import sys

import click
import pytest

from hemicycle import cli

#: A server prints nothing of its own; the page of `serve` says so.
WITHOUT = {"serve"}


def verbs(command, words=()):
    if not isinstance(command, click.Group):
        yield words, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        yield from verbs(command.get_command(context, name), (*words, name))


def test_every_verb_but_the_server_takes_json():
    lack = {
        " ".join(words) for words, verb in verbs(cli.cli) if not any("--json" in p.opts for p in verb.params)
    }
    assert lack == WITHOUT


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["clear", "sign", "sittings"], 2, "Missing option '--role'"),
        (["govern", "sgin"], 2, "No such command 'sgin'"),
        (["verfy"], 2, "there is no verb “verfy”"),
    ],
)
def test_a_call_that_is_wrong_is_told_as_json_too(words, code, what, call):
    exit_code, out, err = call(*words, "--json")
    told = json.loads(out)["error"]
    assert exit_code == told["exit_code"] == code
    assert what in told["what"]
    assert f"error: {what}" in err


def test_a_failure_of_the_system_is_told_as_json_too(monkeypatch, capsys):
    def fails(**_):
        raise PermissionError(13, "Permission denied", "hemicycle.lock")

    monkeypatch.setattr(cli.cli, "main", fails)
    monkeypatch.setattr(sys, "argv", ["hemicycle", "run", "--json"])
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    told = json.loads(capsys.readouterr().out)["error"]
    assert told == {"what": "Permission denied", "place": "hemicycle.lock", "remedy": None, "exit_code": 1}


def test_the_file_of_people_is_begun_and_filled_in_json(project, call):
    from tests.governance.signing import public_line

    path = str(project / "governance.toml")
    code, out, _ = call("govern", "init", "--project", project, "--json")
    assert (code, json.loads(out)) == (0, {"file": path})
    words = ("--name", "Erin Roy", "--organisation", "Archives", "--key", public_line("erin"))
    code, out, _ = call("govern", "add", "erin", *words, "--project", project, "--json")
    assert code == 0
    assert json.loads(out)["person"] == "erin"
