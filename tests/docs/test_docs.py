"""The documentation is held to what it says: its commands run, its help is the program's, its links lead on.

`HEMICYCLE_REGENERATE=1` writes the program's help into the pages instead of comparing.
"""

from __future__ import annotations

import csv
import dataclasses
import importlib
import json
import os
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hemicycle import project as declared
from hemicycle.cli import VERBS
from hemicycle.curate.rules import load_sets
from hemicycle.governance import load_rules
from hemicycle.governance.complaint_step import deadlines
from hemicycle.governance.rules import KINDS
from hemicycle.plan.programme import load_life, load_programme
from hemicycle.project import card, declaration, model
from hemicycle.rights import layers, term_rules
from hemicycle.rights.policy import load_policy
from hemicycle.sites import load_sites
from hemicycle.sources import READERS
from hemicycle.steps import Outcome
from hemicycle.train.alarms import NAMES
from hemicycle.train.expected import Expected

from .conftest import EXAMPLE
from .pages import ROOT, all_pages, anchors, blocks, links, pages, prose, tables
from .shell import Shell

DOCS = ROOT / "docs"

#: What may be marked `no-run`: it fetches, blocks until it is stopped, or takes minutes.
NOT_RUN = re.compile(
    r"git clone |cd hemicycle$|make( \w+)?$|hemicycle serve\b|pip install |curl |export HEMICYCLE_TOKEN=|"
    r"hemicycle run (my-project|hemicycle-fr)( --on (ray|slurm --site jean-zay))?$|ssh-keygen -lf |"
    r"hemicycle train petit --ladder$|"  # tests/flow/test_ladder.py runs one
    r"hemicycle watch(?!.* --(once|json|project))|ssh -L |"
    # In a project of one's own, with one's own key.
    r"hemicycle clear (sign|revoke|status|diff)(?!.*--project)"
)

HELP = re.compile(r"(<!-- help: (hemicycle[a-z ]*?) -->\n```text\n)(.*?)(```\n)", re.DOTALL)

#: Heading of `project.md` → the model whose keys stand in the table below it.
MODELS: dict[str, type[BaseModel]] = {
    "`hemicycle.toml`": declaration.Declaration,
    "`[project]`": declaration.ProjectTable,
    "`store_limit`": declaration.StoreLimit,
    "`[corpora.NAME]`": declaration.Corpus,
    "`[tokenizers.NAME]`": declaration.Tokenizer,
    "`[evaluations.NAME]`": declaration.Evaluation,
    "`[releases.NAME]`": declaration.Release,
    "`[bases.NAME]`": model.Base,
    "`[models.NAME]`": model.Model,
    "`architecture`": model.Architecture,
    "`budget`": model.Budget,
    "`mix`": model.Mix,
    "`stages`": model.Stage,
    "`training`": model.Training,
    "`lora`": model.Lora,
    "`sets`": declaration.EvaluationSet,
    "`regurgitation`": declaration.Regurgitation,
    "Source cards": card.Card,
    "`[rights]`": card.CardRights,
    "`[rights.terms]`": card.Terms,
    "`[rights.offered]`": card.Offer,
    "`[[rights.generators]]`": card.Generator,
}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def words_only(line: str) -> str:
    """A line of output without figures, signs and columns: they differ from machine to machine."""
    return " ".join(re.findall(r"[^\W\d_]{2,}", re.sub(r"\b[0-9a-f]{8,}\b", " ", line)))


def spaced(line: str) -> str:
    """A line of output with all its figures; columns are as wide as may be."""
    return " ".join(line.split())


@pytest.mark.parametrize("page", pages(), ids=name)
def test_the_commands_of_a_page_do_what_it_says(page: Path, shell: Shell) -> None:
    home = shell.folder
    for block in blocks(page.read_text("utf-8")):
        file = block.mark("file")
        if file is not None:
            target = home / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, "utf-8")
        program = block.mark("needs")
        if block.language != "console" or "no-run" in block.marks or (program and not shutil.which(program)):
            continue
        commands = block.commands()
        for number, (command, shown) in enumerate(commands):
            last = number == len(commands) - 1
            expected = int(block.mark("exit") or 0) if last else 0
            done = shell.run(command, later=float(block.mark("later") or 0))
            assert done.code == expected, f"line {block.line}: {command}\n{done.output}"
            # `exact`: where the figures are the same on every machine.
            alike = spaced if "exact" in block.marks else words_only
            printed = {alike(line) for line in done.output.splitlines()}
            for line in shown:
                assert "…" in line or alike(line) in printed, (
                    f"line {block.line}: {command}\nis said to print\n{line}\nand prints\n{done.output}"
                )


@pytest.mark.parametrize("page", pages(), ids=name)
def test_only_what_cannot_run_in_a_test_is_left_out(page: Path) -> None:
    for block in blocks(page.read_text("utf-8")):
        assert block.language != "sh", f"line {block.line}: write console, so that it is run"
        assert block.language != "console" or block.commands(), f"line {block.line}: no command"
        if "no-run" in block.marks:
            for command, _ in block.commands():
                assert NOT_RUN.match(command), f"line {block.line}: {command!r} can be run"


def test_the_help_in_the_pages_is_that_of_the_program(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shown = set()
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text("utf-8")
        written = text
        for _, command, _, _ in HELP.findall(text):
            shown.add(command)
            printed = shell.run(f"{command} --help").output
            assert printed.startswith(f"Usage: {command} ")

            def fill(match: re.Match[str], command: str = command, printed: str = printed) -> str:
                return match[1] + printed + match[4] if match[2] == command else match[0]

            written = HELP.sub(fill, written)
        if os.environ.get("HEMICYCLE_REGENERATE") == "1":
            page.write_text(written, "utf-8")
        else:
            assert text == written, f"{name(page)}: run this test with HEMICYCLE_REGENERATE=1"
    assert shown == expected_help()


def expected_help() -> set[str]:
    """The program, every verb, and every verb of a verb."""
    expected = {"hemicycle"}
    for verb in VERBS:
        expected.add(f"hemicycle {verb}")
        command = importlib.import_module(f"hemicycle.cli.{verb}").command
        expected |= {f"hemicycle {verb} {inner}" for inner in getattr(command, "commands", {})}
    return expected


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_page_in_four_parts(verb: str) -> None:
    text = (DOCS / f"{verb}.md").read_text("utf-8")
    assert re.findall(r"^## (.*)$", prose(text), re.MULTILINE) == ["Tutorial", "How-to", "Reference", "Why"]
    assert f"<!-- help: hemicycle {verb} -->" in text
    assert f"]({verb}.md)" in (DOCS / "index.md").read_text("utf-8")


def test_every_key_of_the_declaration_is_described_with_its_default() -> None:
    described = tables((DOCS / "project.md").read_text("utf-8"))
    own = {
        table
        for module in (declaration, model, card)
        for table in vars(module).values()
        if isinstance(table, type) and issubclass(table, BaseModel) and table.__module__ == module.__name__
    }
    assert own == set(MODELS.values())
    for heading, table in MODELS.items():
        keys = described[heading]
        fields = {field.alias or key: field for key, field in table.model_fields.items()}
        assert set(keys) == set(fields), heading
        for key, field in fields.items():
            assert keys[key][0] == default_as_toml(field), f"{heading}: the default of {key}"


def default_as_toml(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None or isinstance(default, BaseModel):
        return "none"
    return f"`{json.dumps(default)}`"


def test_the_lock_is_described(clearing: Path) -> None:
    described = tables((DOCS / "project.md").read_text("utf-8"))["`hemicycle.lock`"]
    lock = tomllib.loads((clearing / "examples/petit-hemicycle/hemicycle.lock").read_text("utf-8"))
    found = {f"{table}.{key}" for table, names in lock.items() for entry in names.values() for key in entry}
    assert found <= set(described)


@pytest.mark.parametrize("page", [p for p in pages() if "```toml" in p.read_text("utf-8")], ids=name)
def test_every_toml_in_the_pages_is_valid(page: Path, tmp_path: Path) -> None:
    base = tomllib.loads((EXAMPLE / "hemicycle.toml").read_text("utf-8"))
    for block in blocks(page.read_text("utf-8")):
        if block.language != "toml":
            continue
        what = block.marks[0]
        if what == "policy" or what.endswith("/policy.toml"):
            policy = tmp_path / "policy.toml"
            policy.write_text(block.text, "utf-8")
            load_policy(policy)
        elif what == "card" or "/sources/" in what:
            card = tmp_path / "card.toml"
            card.write_text(block.text, "utf-8")
            declared.load_card(card)
        elif what == "rules" or what.startswith("file=rules/"):
            rules = tmp_path / "rules.toml"
            rules.write_text(block.text, "utf-8")
            load_sets(["./rules.toml"], tmp_path)
        elif what == "sites" or what.endswith("/sites.toml"):
            sites = tmp_path / "sites.toml"
            sites.write_text(block.text, "utf-8")
            load_sites(tmp_path)
        elif what.endswith("/plan.toml"):
            plan = tmp_path / "plan.toml"
            plan.write_text(block.text, "utf-8")
            assert load_life(plan)
            assert load_programme(plan)
        elif what == "declaration" or what.endswith("/hemicycle.toml"):
            declared.Declaration.model_validate(tomllib.loads(block.text))
        else:
            assert what == "fragment", f"line {block.line}: {what}"
            for table, names in tomllib.loads(block.text).items():
                known = base.setdefault(table, {})
                for key, value in names.items():
                    known[key] = {**known.get(key, {}), **value} if isinstance(value, dict) else value
            declared.Declaration.model_validate(base)


def test_the_keys_of_a_policy_are_described() -> None:
    described = tables((DOCS / "project.md").read_text("utf-8"))["The policy"]
    written = tomllib.loads((ROOT / "src/hemicycle/rights/policy.default.toml").read_text("utf-8"))
    keys = {
        f"{key}.{inner}" if key == "opt_out" else key
        for key, value in written.items()
        for inner in (value if key == "opt_out" else [""])
    }
    assert set(described) == {*keys - {"conditional"}, "conditional.CLASS", "confirmed"}
    for key, (shown, *_) in described.items():
        table, _, inner = key.partition(".")
        value = written.get(table)
        if inner and isinstance(value, dict):
            value = value.get(inner)
        if isinstance(value, str | int):
            assert shown == f"`{json.dumps(value)}`", key


def test_every_alarm_and_every_key_of_a_plan_is_described() -> None:
    described = tables((DOCS / "watch.md").read_text("utf-8"))["Alarms"]
    keys = {field.name for field in dataclasses.fields(Expected)}
    assert set(described) == {"version", *keys, *NAMES}


def test_the_rules_of_signing_are_those_of_the_page() -> None:
    described = tables((DOCS / "govern.md").read_text("utf-8"))["Who signs what"]
    rules = load_rules("default")
    assert set(described) == set(KINDS)
    for kind in KINDS:
        signers, waits, holds, *_ = described[kind]
        rule = rules[kind]
        assert re.findall(r"`(\w+)`", signers) == list(rule.needs), kind
        assert waits == (f"{rule.cooldown_hours} hours" if rule.cooldown_hours else "at once"), kind
        assert holds == (
            f"{rule.expires_days} days at most" if rule.expires_days else "while nothing changes"
        )


def test_the_rules_and_deadlines_of_complaints_are_those_of_the_page() -> None:
    described = tables((DOCS / "govern.md").read_text("utf-8"))["Complaints"]
    rules, days = load_rules("default").complaint, deadlines()[-1]
    due = {
        "triage": f"{days.triage} days after the opening",
        "grant": f"{days.decide} days after the opening",
        "refuse": f"{days.decide} days after the opening",
        "appeal": f"{days.appeal} days after the decision, or never",
        "review": f"{days.review} days after the appeal",
        "close": f"{days.close} days after the last decision",
    }
    assert set(described) == {"open", "appeal", *type(rules).model_fields}
    for name, (_, signers, others, when) in described.items():
        assert when == due.get(name, "–"), name
        if name not in ("open", "appeal"):
            rule = getattr(rules, name)
            words = " and ".join(" or ".join(f"`{role}`" for role in seat) for seat in rule.needs)
            assert (signers, re.findall(r"`(\w+)`", others)) == (words, rule.others_than), name


def test_the_tables_of_terms_are_described_with_a_country_that_could_be_added() -> None:
    text = (DOCS / "rights.md").read_text("utf-8")
    worked = {
        b.marks[0]: list(csv.DictReader(b.text.splitlines())) for b in blocks(text) if b.language == "csv"
    }
    for file, rows in worked.items():
        table = (ROOT / "src/hemicycle/rights" / file).read_text("utf-8")
        columns = next(csv.reader(table.splitlines()))
        described = re.findall(r"^\| (`.+?) \|", section(text, f"`{file}`"), re.MULTILINE)
        assert {word for cell in described for word in re.findall(r"`(\w+)`", cell)} == set(columns)
        assert rows
        assert all(list(row) == columns for row in rows)
    sets = {term_rules._rule(row).rules for row in worked["terms.csv"]}
    assert sets == {row["rules"] for row in worked["jurisdictions.csv"]}


def test_the_layers_of_a_text_are_described() -> None:
    text = section((DOCS / "rights.md").read_text("utf-8"), "Layers of a text")
    words = set(re.findall(r"`([\w-]+)`", text))
    assert words >= {*layers.LAYERS, *layers.NOT_AUTHORS, *layers.FLAGS} - {""}


def section(text: str, heading: str) -> str:
    """What stands between a heading of the third rank and the next one."""
    return re.split(r"^#+ ", text.split(f"### {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_reader_is_described() -> None:
    text = (DOCS / "readers.md").read_text("utf-8")
    assert set(re.findall(r"^### `([\w-]+)`", text, re.MULTILINE)) == set(READERS)


@pytest.mark.parametrize("page", all_pages(), ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in links(text):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} is not there"
        assert file.is_relative_to(ROOT), f"{target} leads out of the repository"
        if anchor:
            assert anchor in anchors(file.read_text("utf-8")), f"{target}: there is no such heading"


def test_every_page_can_be_reached_from_the_index() -> None:
    linked = {target.partition("#")[0] for target in links((DOCS / "index.md").read_text("utf-8"))}
    assert {p.name for p in DOCS.glob("*.md")} - {"index.md"} <= linked


@pytest.mark.parametrize("page", all_pages(), ids=name)
def test_pages_claim_no_certificate_and_name_no_machine(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not re.search(r"certified lawful|légalité certifiée|guaranteed legal", text, re.IGNORECASE)
    assert not re.search(r"/(work|root|tmp|home)/", text)
    assert not re.search(r"(?<![\w&/])#\d+\b", prose(text)), "numbers of issues are not for readers"


def test_the_two_readmes_say_the_same_things() -> None:
    english, french = ((ROOT / f).read_text("utf-8") for f in ("README.md", "README.fr.md"))

    def shape(text: str) -> tuple[list[int], list[str], list[int]]:
        heads = [len(h) for h in re.findall(r"^(#+) ", prose(text), re.MULTILINE)]
        commands = [c for b in blocks(text) if b.language == "console" for c, _ in b.commands()]
        rows = [line.count(" | ") for line in prose(text).splitlines() if line.startswith("|")]
        return heads, commands, rows

    assert shape(english) == shape(french)


def test_commands_are_read_as_a_shell_reads_them() -> None:
    block = blocks('```console exit=2\n$ hemicycle trace "a  b" \\\n    --json\nout\n```\n')[0]
    ((command, shown),) = block.commands()
    assert shlex.split(command)[-1] == "--json"
    assert (block.mark("exit"), shown) == ("2", ["out"])


@pytest.mark.parametrize("state", ["fresh", "would-run", "not-obtained", "failed", "blocked", "built"])
def test_every_state_of_a_step_is_described(state: str) -> None:
    assert state in (Outcome.__doc__ or "")
    assert f"`{state}`" in (DOCS / "status.md").read_text("utf-8")


def test_make_says_that_clean_takes_the_ledger_and_the_key() -> None:
    rule = re.search(r"^clean: ## (.*)\n\t(.*)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert rule is not None
    assert "/ledger" in rule[2]
    assert "/.hemicycle" in rule[2]
    assert "ledger" in rule[1]
    assert "key" in rule[1]
