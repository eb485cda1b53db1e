"""The order of a built project answers: what a step reads, which steps read a document, how full rows are."""

import json

import pyarrow.parquet as pq

from tests.flow.conftest import hemicycle


def asked(folder, *words):
    return json.loads(hemicycle("tokens", *words, "--project", folder, "--json").stdout)


def test_steps_and_documents_lead_to_one_another_and_to_what_the_model_states(built):
    folder, _ = built
    [model] = (folder / "build" / "model").glob("petit-*/exposure.parquet")
    exposed = {r["document"]: r for r in pq.read_table(model).to_pylist()}
    first = asked(folder, "where", "petit", "--step", 0)
    assert first["tokens"] == sum(r["tokens"] for r in first["read"])
    assert len(first["digest"]) == 64
    name = first["read"][0]["document"]
    document = asked(folder, "where", "--document", name)
    assert {key: document[key] for key in ("first_step", "last_step", "rows", "tokens")} == {
        key: exposed[name][key] for key in ("first_step", "last_step", "rows", "tokens")
    }
    assert document["first_step"] == 0
    last = asked(folder, "where", "petit", "--step", document["last_step"])
    assert name in {r["document"] for r in last["read"]}
    shown = asked(folder, "show")
    assert shown["phases"][0]["strata"][0]["documents"] >= len(exposed)
    assert shown["steps"] == first["steps"]


def test_what_is_asked_of_what_is_not_there_is_told(built, tmp_path):
    folder, _ = built
    for words, said in [
        (("where", "petit", "--step", 10**6), "it has"),
        (("where", "petit", "--document", "CRS"), "no document with the id “CRS”"),
        (("where", "petti", "--step", 0), "Did you mean “petit”?"),
        (("where", "petit"), "exactly one of --step and --document"),
    ]:
        done = hemicycle("tokens", *words, "--project", folder, check=False)
        assert done.returncode in (1, 2)
        assert said in done.stderr


def test_tokens_of_a_project_go_out_and_come_back(built, tmp_path):
    folder, _ = built
    [tokens] = (folder / "build" / "tokens").glob("*")
    name = tokens.name.rsplit("-", 1)[0]
    done = asked(folder, "export", name, "--layout", "datatrove", "--out", tmp_path / "ds")
    assert [f.rsplit("/", 1)[1] for f in done["files"]] == ["tokens-00000.ds"]
    words = ("--layout", "datatrove", "--vocabulary", 4096, "--out", tmp_path / "back")
    hemicycle("tokens", "import", *done["files"], *words)
    for file in ("tokens-00000.bin", "tokens-00000.idx"):
        assert (tmp_path / "back" / file).read_bytes() == (tokens / file).read_bytes()
    again = hemicycle("tokens", "import", *done["files"], *words, check=False)
    assert "this is there already" in again.stderr
