"""From conversations to a model that answers: a whole project, small enough to be tuned in seconds."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from hemicycle.tokens import DialogueEncoder
from hemicycle.tune import Turn
from tests.flow.conftest import hemicycle
from tests.flow.small import EXAMPLE

DIALOGUE = EXAMPLE.parent / "petit-dialogue"
DECLARATION = """
[project]
name = "essai"
jurisdictions = ["FR"]
license = "Apache-2.0"

[corpora.debats]
sources = ["sittings"]
held_out = 0.2

[corpora.questions]
sources = ["questions"]
held_out = 0.2

[tokenizers.fr]
corpus = "debats"
vocab = 512

[models.petit]
corpora = { debats = 1.0 }
tokenizer = "fr"
architecture = { layers = 2, width = 32, heads = 2, context = 256 }
budget = { tokens = "16k" }
batch_tokens = 512

[models.repond]
method = "tune"
from = "petit"
corpora = { questions = 1.0 }
budget = { tokens = "16k" }
batch_tokens = 512
training = { rate = 5e-3 }

[models.adapte]
method = "tune"
from = "petit"
corpora = { questions = 0.8, debats = 0.2 }
budget = { tokens = "8k" }
batch_tokens = 512
lora = { rank = 8, alpha = 16.0 }
training = { rate = 2e-2 }

[evaluations.base]
models = ["repond", "adapte"]

[releases.v0]
model = "adapte"
"""

# Three models are trained and six are measured.
pytestmark = pytest.mark.slow


def the_one(folder, pattern):
    (found,) = folder.glob(f"build/{pattern}")
    return found


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned") / "essai"
    (folder / "sources").mkdir(parents=True)
    (folder / "hemicycle.toml").write_text(DECLARATION, "utf-8")
    shutil.copytree(EXAMPLE / "sittings", folder / "sittings")
    shutil.copyfile(EXAMPLE / "sources" / "sittings.toml", folder / "sources" / "sittings.toml")
    shutil.copyfile(DIALOGUE / "sources" / "questions.toml", folder / "sources" / "questions.toml")
    shutil.copyfile(DIALOGUE / "conversations.jsonl", folder / "conversations.jsonl")
    return folder, hemicycle("tune", "--project", folder, "--json")


def test_a_tuned_model_needs_fewer_bits_for_answers_than_its_base(tuned):
    folder, done = tuned
    told = json.loads(done.stdout)["before-after"]
    assert set(told) == {"repond", "adapte"}
    for name, figures in told.items():
        answers = figures["answers_bits_per_byte"]
        assert set(answers) == {"petit", name}
        assert answers[name] < answers["petit"] - {"repond": 0.3, "adapte": 0.03}[name]
        assert set(figures["bits_per_byte"]) >= {"petit", name, "xz -9"}
        results = json.loads((the_one(folder, f"before-after/{name}-*") / "results.json").read_text())
        (contrast,) = [c for c in results["contrasts"] if c["source"] == "?"]
        assert contrast["differs"]
        assert [row["corpus"] for row in results["forgetting"]] == ["debats"]
        assert len(results["samples"]) == 5
        assert results["models"][name]["held_out_documents_read_in_training"] == 0


def test_it_is_told_as_a_table_with_sentences_and_samples(tuned):
    folder, _ = tuned
    said = hemicycle("tune", "repond", "--project", folder).stdout
    head = said.splitlines()[0].split()
    assert head == ["bits", "per", "byte", "all", "answers"]
    assert "repond needs fewer bits than petit (answers)" in said
    assert "expected: " in said
    assert "adapte" not in said


def test_a_second_run_has_nothing_to_do(tuned):
    folder, _ = tuned
    again = json.loads(hemicycle("tune", "--project", folder, "--json").stdout)["steps"]
    assert {step["state"] for step in again} == {"fresh"}


def test_only_answers_were_learnt_of_conversations_and_all_of_other_text(tuned):
    folder, done = tuned
    made = {(s["stage"], s["name"]) for s in json.loads(done.stdout)["steps"]}
    assert ("dialogues", "questions.fr") in made
    assert ("dialogues", "debats.fr") in made
    assert ("tokens", "questions.fr") not in made
    figures = {
        s: json.loads((the_one(folder, f"model/{s}-*") / "training.json").read_text())
        for s in ("repond", "adapte")
    }
    assert figures["repond"]["tokens"] > 0
    learnt = {
        name: sum(pq.read_table(the_one(folder, f"model/{name}-*") / "figures.parquet")["learnt"].to_pylist())
        for name in ("petit", "repond", "adapte")
    }
    share = {name: learnt[name] / figures[name]["tokens"] for name in ("repond", "adapte")}
    assert share["repond"] < 0.5 < 2 * share["adapte"]
    assert share["repond"] < share["adapte"]


def test_a_server_asks_as_the_model_was_taught(tuned):
    from hemicycle.serve import load_engine
    from hemicycle.serve.engine import Message, Params

    folder, _ = tuned
    model = the_one(folder, "model/repond-*")
    engine = load_engine(model)
    assert engine.chat
    question = "De quoi parle la séance du mardi 7 octobre 2031 ?"
    asked = engine.encode_chat([Message("user", question)])
    dialogue = DialogueEncoder(model).encode([Turn("user", question), Turn("assistant", "Non.")])
    assert asked == dialogue.ids[: dialogue.answers[0][0]].tolist()
    answer = "".join(piece.text for piece in engine.generate(asked, Params(max_tokens=20, temperature=0)))
    assert "<|" not in answer
    assert not load_engine(the_one(folder, "model/petit-*")).chat


def test_adapters_stand_beside_the_merged_model_and_come_to_the_same(tuned):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder, _ = tuned
    merged_at = the_one(folder, "model/adapte-*")
    merged = AutoModelForCausalLM.from_pretrained(merged_at)
    base = AutoModelForCausalLM.from_pretrained(the_one(folder, "model/petit-*"))
    adapted = PeftModel.from_pretrained(base, merged_at / "adapter")
    ids = torch.arange(2, 60)[None]
    with torch.no_grad():
        assert torch.allclose(merged(ids).logits, adapted(ids).logits, atol=1e-5)
    text = (merged_at / "adapter" / "adapter_config.json").read_text()
    assert str(folder) not in text
    assert not (the_one(folder, "model/repond-*") / "adapter").exists()


def test_a_tuned_model_says_what_it_read_of_conversations(tuned):
    folder, _ = tuned
    read = pq.read_table(the_one(folder, "model/repond-*") / "exposure.parquet")
    assert set(read["source"].to_pylist()) == {"questions"}
    kept = pq.read_table(the_one(folder, "corpus/questions-*") / "kept" / "questions")
    trained = {r["id"] for r in kept.select(["id", "split"]).to_pylist() if r["split"] == "train"}
    assert set(read["document"].to_pylist()) <= trained


def test_a_release_has_template_adapters_and_what_the_answers_cost(tuned):
    folder, _ = tuned
    hemicycle("release", "--project", folder)
    release = folder / "releases" / "v0"
    assert (release / "chat_template.jinja").is_file()
    assert (release / "adapter" / "adapter_model.safetensors").is_file()
    card = (release / "README.md").read_text("utf-8")
    text, answers = (card.index(f"bits per byte of held-out {what}") for what in ("text", "answers"))
    assert text < answers
    assert "repond" in card[answers:]
    assert "réponses tenues à l’écart" in (release / "README.fr.md").read_text("utf-8")
    assert hemicycle("verify", release).returncode == 0


def test_what_a_tuned_model_reads_can_be_asked_like_any_tokens(tuned):
    folder, _ = tuned
    asked = ("tokens", "where", "repond", "--step", "0", "--project", folder, "--json")
    told = json.loads(hemicycle(*asked).stdout)
    assert {one["source"] for one in told["read"]} == {"questions"}
    assert 0 < told["learnt"] < told["tokens"]
    table = hemicycle("tokenize", "questions.fr", "--project", folder).stdout
    assert "questions" in table
