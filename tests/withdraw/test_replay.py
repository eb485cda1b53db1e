"""A withdrawal after the training: what stands, what is made again, and that it is what it says it is."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from hemicycle.store import digest_files
from hemicycle.tokens.holes import withdrawn_in
from hemicycle.trace import open_index
from tests.flow.conftest import hemicycle
from tests.withdraw.toy import ALONE, BESIDE, DECLARATION, RELEASED, STAGES, letter, make_toy

REASON = ("--do", "--reason", "Lettre des ayants droit")


def withdraw(folder, *words, check=True):
    done = hemicycle("withdraw", "--project", folder, *words, "--json", check=check)
    return json.loads(done.stdout)


def steps(said):
    return {f"{s['stage']} {s['name']}": s for s in said["steps"]}


def standing(folder, stage):
    """Every artefact of a stage, the newest last."""
    return sorted((folder / "build" / stage).iterdir(), key=lambda path: path.stat().st_mtime)


def exposure(model):
    return {row["document"]: row for row in pq.read_table(model / "exposure.parquet").to_pylist()}


def read_late(folder):
    """A document that is first read after some checkpoints, and its row of the exposure."""
    (model,) = standing(folder, "model")
    rows = [row for row in exposure(model).values() if row["first_step"] > 10]
    return min(rows, key=lambda row: (row["first_step"], row["document"]))


@pytest.mark.slow
def test_what_is_replayed_without_a_text_is_what_was_trained_without_it_from_the_beginning(
    released, tmp_path
):
    row = read_late(released)
    (before,) = standing(released, "model")
    done = hemicycle("withdraw", "--project", released, row["document"], *REASON, "--json")
    said, made = json.loads(done.stdout), steps(json.loads(done.stdout))
    assert {name for name, step in made.items() if step["state"] == "built"} == {
        "corpus lettres",
        "roots lettres",
        "tokens lettres.fr",
        "model petit",
        "index lettres",
        "evaluation base",
        "contamination base",
        "release v0",
    }
    assert made["tokenizer fr"]["state"] == made["order petit"]["state"] == "fresh"
    assert hemicycle("verify", released).stdout.endswith("everything is what the ledger says\n")
    assert hemicycle("verify", released / "releases" / "v0").returncode == 0

    after = standing(released, "model")[-1]
    (clean,) = [m["clean"] for m in said["impact"]["models"]]
    assert 0 < clean <= row["first_step"]
    assert f"replayed from the checkpoint of step {clean}, the last one kept before" in done.stderr
    assert row["document"] in exposure(before)
    assert row["document"] not in exposure(after)
    (tokens,) = [t for t in standing(released, "tokens") if len(withdrawn_in(t))]
    numbers = withdrawn_in(tokens).tolist()
    assert pq.read_table(tokens / "documents.parquet")["id"].take(numbers).to_pylist() == [row["document"]]
    for step in range(clean + 1):
        kept = f"checkpoints/step-{step}"
        if (before / kept).is_dir():
            assert digest_files(before / kept) == digest_files(after / kept)

    # Without the checkpoints there is nothing to go on from, and the same model comes out.
    anew = tmp_path / "anew"
    shutil.copytree(released, anew)
    for model in standing(anew, "model"):
        shutil.rmtree(model)
    again = json.loads(hemicycle("run", anew, "--json").stdout)
    assert steps(again)["model petit"]["digest"] == made["model petit"]["digest"]


@pytest.mark.slow
def test_a_second_call_does_nothing_and_gc_deletes_what_held_the_text(letters):
    document = read_late(letters)["document"]
    withdraw(letters, document, *REASON)
    again = withdraw(letters, document, "--do")
    assert {step["state"] for step in again["steps"]} == {"fresh"}
    assert len(list((letters / "approvals").glob("withdraw-*.json"))) == 1
    gone = hemicycle("gc", letters).stdout
    for stage in ("corpus", "tokens", "index", "model"):
        assert f"build/{stage}/" in gone
        assert len(standing(letters, stage)) == 1
    assert hemicycle("verify", letters).stdout.endswith("everything is what the ledger says\n")
    # Its place is known from the holes themselves: another may follow.
    other = read_late(letters)["document"]
    said = withdraw(letters, other, *REASON)
    assert steps(said)["tokenizer fr"]["state"] == "fresh"
    (tokens,) = standing(letters, "tokens")[-1:]
    ids = pq.read_table(tokens / "documents.parquet")["id"].take(withdrawn_in(tokens).tolist()).to_pylist()
    assert sorted(ids) == sorted([document, other])


@pytest.mark.slow
def test_a_model_that_read_nothing_of_it_stays(letters):
    (before,) = standing(letters, "model")
    declared = letters / "hemicycle.toml"
    declared.write_text(declared.read_text("utf-8").replace('"4k"', '"256"'), "utf-8")
    hemicycle("run", letters)
    (before,) = [m for m in standing(letters, "model") if m != before]
    indexed = open_index(standing(letters, "index")[0]).documents["id"].to_pylist()
    unread = sorted(set(indexed) - exposure(before).keys())[0]
    done = hemicycle("withdraw", "--project", letters, unread, *REASON, "--json")
    assert "it read nothing of what was withdrawn, and stays as it is" in done.stderr
    after = standing(letters, "model")[-1]
    assert after != before
    assert digest_files(after) == digest_files(before)
    assert hemicycle("verify", letters).returncode == 0


@pytest.mark.slow
def test_what_was_made_because_somebody_asked_is_made_again_and_what_never_was_made_keeps_nothing(letters):
    hemicycle("trace", letter(0), "--unit", "tokens", "--project", letters)
    never = DECLARATION[DECLARATION.index("[models.petit]") :]
    toml = letters / "hemicycle.toml"
    toml.write_text(toml.read_text("utf-8") + never.replace("petit", "jamais"), "utf-8")
    document = read_late(letters)["document"]
    said = withdraw(letters, document, *REASON)
    assert steps(said)["index lettres.fr"]["state"] == "built"
    assert "model jamais" not in steps(said)
    hemicycle("gc", letters)
    assert len(standing(letters, "corpus")) == len(standing(letters, "model")) == 1
    names = sorted(index.name.split("-")[0] for index in standing(letters, "index"))
    assert names == ["lettres", "lettres.fr"]
    for index in standing(letters, "index"):
        assert document not in open_index(index).documents["id"].to_pylist()


@pytest.mark.slow
def test_a_whole_source_leaves_with_its_folder(released):
    letters = released
    said = withdraw(letters, "autres", *REASON)
    corpus = standing(letters, "corpus")[-1]
    assert [path.name for path in (corpus / "kept").iterdir()] == ["textes"]
    listed = pq.read_table(corpus / "withdrawn.parquet")
    assert set(listed["source"].to_pylist()) == {"autres"}
    assert "text" not in listed.schema.names
    assert steps(said)["order petit"]["state"] == "fresh"
    assert not any(one.startswith("autres") for one in exposure(standing(letters, "model")[-1]))
    assert hemicycle("verify", letters / "releases" / "v0").returncode == 0


@pytest.mark.slow
def test_a_killed_withdrawal_goes_on(letters):
    document = read_late(letters)["document"]
    words = [sys.executable, "-m", "hemicycle", "withdraw", "--project", letters, document, *REASON]
    process = subprocess.Popen([*map(str, words)], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "replayed from" in line:
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    said = withdraw(letters, document, "--do")
    assert said["withdrawn"]
    assert len(said["decisions"]) == 1
    assert document not in exposure(standing(letters, "model")[-1])
    assert hemicycle("verify", letters).returncode == 0


@pytest.mark.slow
def test_an_altered_checkpoint_is_refused(letters):
    row = read_late(letters)
    (model,) = standing(letters, "model")
    path = next(p for p in sorted((model / "checkpoints").rglob("optimiser.safetensors")))
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    done = hemicycle("withdraw", "--project", letters, row["document"], *REASON, check=False)
    assert done.returncode == 1
    assert "optimiser.safetensors" in done.stderr
    assert "differs from what the ledger states" in done.stderr


@pytest.mark.slow
def test_a_tokenizer_that_saw_the_text_does_not_come_back_otherwise(letters):
    withdraw(letters, "autres", *REASON)
    (tokenizer,) = standing(letters, "tokenizer")
    shutil.rmtree(tokenizer)
    done = hemicycle("run", letters, check=False)
    assert done.returncode == 1
    assert "was made of text that was withdrawn since" in done.stderr


@pytest.mark.slow
def test_a_withdrawal_before_anything_was_tokenised_leaves_no_hole(tmp_path):
    folder = make_toy(tmp_path / "lettres")
    hemicycle("curate", "--project", folder)
    withdraw(folder, "textes:3.txt", *REASON)
    hemicycle("tokenize", "--project", folder)
    (tokens,) = standing(folder, "tokens")
    assert "textes:3.txt" not in pq.read_table(tokens / "documents.parquet")["id"].to_pylist()
    assert len(withdrawn_in(tokens)) == 0


@pytest.mark.slow
def test_a_model_made_from_one_that_read_the_text_is_made_anew(tmp_path):
    tuned = """
[models.suite]
from = "petit"
method = "continue"
corpora = { lettres = 1.0 }
budget = { tokens = "1k" }
batch_tokens = 128
packing = "whole"
"""
    folder = make_toy(tmp_path / "lettres", DECLARATION + tuned)
    hemicycle("run", folder)
    (petit,) = [m for m in standing(folder, "model") if m.name.startswith("petit")]
    late = min(
        (r for r in exposure(petit).values() if r["first_step"] > 10), key=lambda row: row["first_step"]
    )
    petit.rename(tmp_path / "petit")
    (suite,) = withdraw(folder, late["document"])["impact"]["models"]
    assert (suite["base"], suite["supposed"], suite["clean"]) == ("model petit", True, 0)
    assert (
        "petit, which was deleted since and may have read it"
        in withdraw(folder, late["document"])["notice"]["en"]
    )
    (tmp_path / "petit").rename(petit)

    said = withdraw(folder, late["document"], *REASON)
    models = {m["name"]: m for m in said["impact"]["models"]}
    assert models["suite"]["base"] == "model petit"
    assert not models["suite"]["supposed"]
    assert models["suite"]["clean"] == 0
    made = steps(said)
    assert made["model suite"]["state"] == "built"
    assert made["tokenizer fr"]["state"] == "fresh"
    assert hemicycle("verify", folder).returncode == 0


@pytest.mark.slow
def test_copies_that_stay_are_named_before_and_after_and_in_public(tmp_path):
    folder = make_toy(tmp_path / "lettres")
    excerpt = f"{letter(3)} {letter(200)} {letter(201)}"
    (folder / "autres" / "extrait.txt").write_text(excerpt, "utf-8")
    for number in range(100, 112):
        (folder / "autres" / f"{number}.txt").unlink()
    hemicycle("run", folder)

    def copies(said):
        return [(one["id"], one["of_text"]) for one in said["copies"]]

    known = [("autres:extrait.txt", 1.0)]
    assert copies(withdraw(folder, "textes:3.txt")) == known
    said = withdraw(folder, "textes:3.txt", *REASON)
    assert copies(said) == copies(withdraw(folder, "textes:3.txt")) == known
    hemicycle("gc", folder)
    assert copies(withdraw(folder, "textes:3.txt")) == known
    for page, words in zip(
        sorted((folder / "notices").iterdir()), ("not withdrawn", "pas retiré"), strict=True
    ):
        (line,) = [line for line in page.read_text("utf-8").splitlines() if words in line]
        assert "autres:extrait.txt" in line
    decision = json.loads(next((folder / "approvals").iterdir()).read_text("utf-8"))
    assert decision["summary"]["copies_that_stay"] == {"documents": 1, "first": ["autres:extrait.txt"]}
    (folder / "work.txt").write_text(letter(3), "utf-8")
    # It is in no index any more, and the same call says that it is done.
    matching = ("withdraw", "--matching", folder / "work.txt", "--project", folder)
    assert "textes, textes:3.txt: withdrawn" in hemicycle(*matching).stdout
    assert "everything stands without it already" in hemicycle(*matching, "--do").stdout


@pytest.mark.slow
def test_a_model_of_which_everything_is_withdrawn_is_refused_and_all_else_is_made(tmp_path):
    folder = make_toy(tmp_path / "lettres", ALONE + RELEASED)
    hemicycle("run", folder)
    done = hemicycle("withdraw", "--project", folder, "autres", *REASON, check=False)
    assert done.returncode == 3
    assert "[models.petit]: everything that model “petit” read is withdrawn" in done.stderr
    assert "Not made again, and to be deleted: petit" in next((folder / "notices").glob("*.en.md")).read_text(
        "utf-8"
    )
    assert "is not made again: delete it" in done.stdout
    assert "has the new model" not in done.stdout
    again = hemicycle("run", folder, "--keep-going", "--json", check=False)
    assert again.returncode == 3
    assert "Traceback" not in done.stderr + again.stderr
    made = steps(json.loads(again.stdout))
    assert {name: step["state"] for name, step in made.items() if step["state"] != "fresh"} == {
        "model petit": "failed",
        "evaluation base": "blocked",
        "index lettres": "failed",
        "contamination base": "blocked",
        "release v0": "blocked",
    }
    assert "no document to train on: there is nothing to index" in made["index lettres"]["reason"]
    looked = json.loads(hemicycle("status", folder, "--json").stdout)
    assert "everything that model “petit” read is withdrawn" in json.dumps(looked, ensure_ascii=False)

    declared = folder / "hemicycle.toml"
    declared.write_text(ALONE[: ALONE.index("[models.petit]")], "utf-8")
    assert {step["state"] for step in json.loads(hemicycle("run", folder, "--json").stdout)["steps"]} == {
        "fresh"
    }
    hemicycle("gc", folder)
    assert not standing(folder, "model")
    assert hemicycle("verify", folder).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("declaration", [BESIDE, STAGES])
def test_a_model_that_reads_another_corpus_trains_on_with_the_holes(tmp_path, declaration):
    folder = make_toy(tmp_path / "lettres", declaration + RELEASED)
    hemicycle("run", folder)
    said = withdraw(folder, "autres", *REASON)
    made = {name for name, step in steps(said).items() if step["state"] == "built"}
    assert {"model petit", "index lettres+premiers", "evaluation base", "release v0"} <= made
    model = standing(folder, "model")[-1]
    figures = pq.read_table(model / "figures.parquet")
    assert 0 < figures["loss"].null_count < figures.num_rows
    card = (folder / "releases" / "v0" / "README.md").read_text("utf-8")
    assert f"{figures['loss'].null_count} had nothing to learn" in card
    assert "was 0.00 bits per token" not in card
    assert hemicycle("verify", folder).returncode == 0
