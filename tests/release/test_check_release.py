from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemicycle.digests import sha256_bytes
from hemicycle.ledger import Ledger
from hemicycle.ledger.signatures import SigningKey
from hemicycle.release import check_release
from hemicycle.release.manifest import PAYLOAD_TYPE, is_inside
from hemicycle.store import digest_files, list_files

from .miniature import Miniature


def copy(released: Path, to: Path) -> Path:
    return Path(shutil.copytree(released, to / "copy"))


def named(folder: Path) -> set[str]:
    """Files that findings are about."""
    return {finding.file.split(", line")[0] for finding in check_release(folder)[0]}


def payload(folder: Path) -> dict[str, Any]:
    statement: dict[str, Any] = json.loads(
        base64.b64decode(json.loads((folder / "release.json").read_bytes())["payload"])
    )
    return statement


def sign_again(
    folder: Path, key: SigningKey, change: Callable[[dict[str, Any]], None] = lambda s: None
) -> None:
    """List the files anew and sign with `key`, as somebody with a key of their own would."""
    statement = payload(folder)
    statement["subject"] = [
        {"name": f.path, "digest": {"sha256": f.sha256}}
        for f in digest_files(folder)
        if f.path != "release.json"
    ]
    change(statement)
    (folder / "release.json").write_bytes(key.seal(statement, PAYLOAD_TYPE))


def test_a_release_passes_and_says_whose_key_to_compare(released: Path):
    findings, facts = check_release(released)
    assert findings == []
    assert facts["fingerprint"] == Ledger(released / "ledger").public_key.fingerprint
    assert "by another way" in facts["compare"]
    assert (facts["documents"], facts["tokens"], facts["name"]) == (4, 3200, "v0")
    assert facts["governance"].startswith("solo")


def test_one_changed_byte_in_any_file_is_found_and_named(released: Path, tmp_path: Path):
    folder = copy(released, tmp_path)
    for file in list_files(folder):
        data = (folder / file).read_bytes()
        middle = len(data) // 2
        (folder / file).write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
        assert file in named(folder), file
        (folder / file).write_bytes(data)
    assert named(folder) == set()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_of_the_small_files_is_free(released: Path, tmp_path: Path, data: st.DataObject):
    """The envelope's spaces, the name of its key, the key's comment: nothing escapes."""
    folder = tmp_path / "copy"
    if not folder.exists():
        copy(released, tmp_path)
    small = ["release.json", "ledger/head.json", "ledger/keys/solo.pub", "ledger/journal.jsonl"]
    file = data.draw(st.sampled_from(small))
    content = (folder / file).read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != content[at]))
    (folder / file).write_bytes(content[:at] + bytes([byte]) + content[at + 1 :])
    try:
        assert file in named(folder)
    finally:
        (folder / file).write_bytes(content)


def test_a_removed_file_is_found_and_named(released: Path, tmp_path: Path):
    folder = copy(released, tmp_path)
    for file in list_files(folder):
        data = (folder / file).read_bytes()
        (folder / file).unlink()
        assert file in named(folder), file
        (folder / file).write_bytes(data)


@pytest.mark.parametrize("file", ["pytorch_model.bin", "ledger/statements/raw/x.json", "evaluation/a/b.txt"])
def test_an_added_file_is_found_and_named(released: Path, tmp_path: Path, file: str):
    folder = copy(released, tmp_path)
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(b"x")
    assert named(folder) == {file}


def test_another_key_in_the_folder_does_not_fit_the_signatures(released: Path, tmp_path: Path):
    folder = copy(released, tmp_path)
    other = SigningKey.load_or_make(tmp_path / "other")
    (folder / "ledger/keys/solo.pub").write_bytes(other.public.file)
    assert {"release.json", "ledger/head.json"} <= named(folder)


def test_a_copy_signed_again_with_another_key_shows_another_fingerprint(released: Path, tmp_path: Path):
    folder = copy(released, tmp_path)
    other = SigningKey.load_or_make(tmp_path / "other")
    (folder / "model.safetensors").write_bytes(b"other weights")
    (folder / "ledger/keys/solo.pub").write_bytes(other.public.file)
    sign_again(folder, other)
    _, facts = check_release(folder)
    assert facts["fingerprint"] == other.public.fingerprint != check_release(released)[1]["fingerprint"]


def test_the_weights_cannot_be_exchanged_even_by_the_key_that_signs(
    released: Path, signer: SigningKey, tmp_path: Path
):
    folder = copy(released, tmp_path)
    (folder / "model.safetensors").write_bytes(b"other weights")
    sign_again(folder, signer)
    assert named(folder) == {"model.safetensors"}


def test_a_journal_whose_tail_was_replaced_is_found(
    released: Path, project: Miniature, signer: SigningKey, tmp_path: Path
):
    folder = copy(released, tmp_path)
    ledger = Ledger(folder / "ledger", project.root / "home" / "key")
    lines = ledger.journal.path.read_bytes().splitlines(keepends=True)
    ledger.journal.path.write_bytes(b"".join(lines[:-1]))
    ledger.journal.append("drop", {"artefacts": []})
    ledger.sign_head()
    sign_again(folder, signer)
    findings, _ = check_release(folder)
    assert (
        "ledger/journal.jsonl",
        "the journal does not hold the line with which the release was signed",
    ) in [(f.file, f.what) for f in findings]


def test_a_journal_that_went_on_is_found(
    released: Path, project: Miniature, signer: SigningKey, tmp_path: Path
):
    folder = copy(released, tmp_path)
    ledger = Ledger(folder / "ledger", project.root / "home" / "key")
    ledger.note_dropped([])
    sign_again(folder, signer)
    assert [f.what for f in check_release(folder)[0]] == ["the journal went on after the release was signed"]


def test_a_lineage_with_a_gap_is_found(
    released: Path, project: Miniature, signer: SigningKey, tmp_path: Path
):
    raw = project.statements["raw/sittings"]
    folder = copy(released, tmp_path)
    # A journal made anew without the raw files: sound in itself, and signed by the right key.
    ledger = Ledger(folder / "ledger", project.root / "home" / "key")
    ledger.journal.path.unlink()
    (folder / "ledger/statements" / raw.file_name).unlink()
    for statement in project.statements.values():
        if statement.digest != raw.digest:
            file = f"{statement.file_name}"
            digest = sha256_bytes((folder / "ledger/statements" / file).read_bytes())
            ledger.journal.append("statement", {"file": file, "sha256": digest})
    ledger.sign_head()

    def anchor(statement: dict[str, Any]) -> None:
        lines = ledger.journal.lines()
        statement["predicate"]["journal"] = {"head": lines[-1].digest, "lines": len(lines)}

    sign_again(folder, signer, anchor)
    found = {f.what for f in check_release(folder)[0]}
    assert found == {
        "the ledger holds no statement about its input “raw”",
        "the lineage of the model does not lead to the source 'sittings'",
    }


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("verdict", "review", "nothing allows a document"),
        ("verdict", None, "nothing allows a document"),
        ("basis", "none", "nothing allows a document"),
        ("id", "manuals:other", "a document that the model read is not in it"),
        ("tokens", 1, "steps and tokens are not those"),
        ("first_step", 9, "steps and tokens are not those"),
    ],
)
def test_a_document_without_its_right_is_found(
    released: Path, signer: SigningKey, tmp_path: Path, column: str, value: Any, what: str
):
    folder = copy(released, tmp_path)
    table = pq.read_table(folder / "documents.parquet")
    rows = table.to_pylist()
    rows[0][column] = value
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), folder / "documents.parquet")
    sign_again(folder, signer)
    findings, _ = check_release(folder)
    assert any(what in f.what for f in findings)
    assert {f.file for f in findings} == {"documents.parquet"}


def test_a_table_that_is_none_is_a_finding(released: Path, signer: SigningKey, tmp_path: Path):
    folder = copy(released, tmp_path)
    (folder / "documents.parquet").write_bytes(b"PAR1 not at all PAR1")
    sign_again(folder, signer)
    assert named(folder) == {"documents.parquet"}


@pytest.mark.parametrize(
    "path",
    ["../outside", "/etc/hostname", "a//b", "./a", "a/../../b", "", "C:\\x", "a\\b", "release.json", "a\0b"],
)
def test_paths_that_lead_out_are_refused(released: Path, signer: SigningKey, tmp_path: Path, path: str):
    folder = copy(released, tmp_path)
    (tmp_path / "outside").write_bytes(b"x")

    def add(statement: dict[str, Any]) -> None:
        statement["subject"].append({"name": path, "digest": {"sha256": sha256_bytes(b"x")}})

    sign_again(folder, signer, add)
    findings, _ = check_release(folder)
    assert "which is no path inside a release" in findings[0].what


def test_ordinary_paths_are_inside():
    assert is_inside("ledger/statements/raw/débats-1.json")
    assert is_inside("..a/b..")
    assert not is_inside("a/..")


def test_a_journal_line_that_leads_out_is_refused_before_it_is_read(
    released: Path, project: Miniature, signer: SigningKey, tmp_path: Path
):
    folder = copy(released, tmp_path)
    ledger = Ledger(folder / "ledger", project.root / "home" / "key")
    for content in (
        {"file": "../../../../../../dev/zero", "sha256": "0" * 64},
        {"file": "raw", "sha256": "0" * 64},
        {"file": 7, "sha256": "0" * 64},
        {},
    ):
        ledger.journal.append("statement", content)
    sign_again(folder, signer)
    findings, _ = check_release(folder)
    assert [f.what for f in findings].count("it names a statement that is no file of this ledger") == 4


def test_links_and_pipes_are_refused_unopened(released: Path, tmp_path: Path):
    folder = copy(released, tmp_path)
    os.mkfifo(folder / "pipe")
    assert [(f.file, f.what) for f in check_release(folder)[0]] == [("pipe", "this is no ordinary file")]
    (folder / "pipe").unlink()
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("/etc/hostname")
    assert [f.file for f in check_release(folder)[0]] == ["config.json"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"payload": 1, "payloadType": [], "signatures": {}}',
        b'{"payload": "!!", "payloadType": "x", "signatures": []}',
    ],
)
@pytest.mark.parametrize(
    "file", ["release.json", "ledger/head.json", "ledger/journal.jsonl", "ledger/keys/solo.pub"]
)
def test_nonsense_in_a_file_is_a_finding_and_never_a_crash(
    released: Path, tmp_path: Path, file: str, data: bytes
):
    folder = copy(released, tmp_path)
    (folder / file).write_bytes(data)
    assert file in named(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.pop("predicate"),
        lambda s: s["predicate"].pop("model"),
        lambda s: s["predicate"].update(journal=[]),
        lambda s: s["predicate"].update(model={"name": {}, "digest": []}),
        lambda s: s["predicate"]["journal"].update(lines="many"),
        lambda s: s.update(subject={"name": "x"}),
        lambda s: s["subject"].append(s["subject"][0]),
        lambda s: s["subject"][0]["digest"].update(sha256=7),
        lambda s: s.update(predicateType="urn:hemicycle:stage:v1"),
    ],
)
def test_a_signed_statement_that_makes_no_sense_is_a_finding(
    released: Path, signer: SigningKey, tmp_path: Path, change: Callable[[dict[str, Any]], None]
):
    folder = copy(released, tmp_path)
    sign_again(folder, signer, change)
    assert "release.json" in named(folder)


def test_an_empty_folder_is_no_release(tmp_path: Path):
    assert [f.what for f in check_release(tmp_path)[0]] == ["the publisher's key is missing"]


def test_nothing_in_the_folder_is_run(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = copy(released, tmp_path)
    (folder / "sitecustomize.py").write_text("raise SystemExit('run')")
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch run'\ntR.")
    monkeypatch.chdir(folder)
    assert named(Path(".")) == {"sitecustomize.py", "pytorch_model.bin"}
    assert not Path("run").exists()
