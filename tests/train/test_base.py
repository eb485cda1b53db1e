"""What a model begins from is kept whole; new tokens and a longer context are all that changes, and said."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from hemicycle.errors import DeclarationError, InputError
from hemicycle.project import Architecture, Budget, Model
from hemicycle.tokens import extend_tokenizer, load_tokenizer, train_tokenizer
from hemicycle.train.base import begin, carry_over, load_base, new_tokens, shape_of
from hemicycle.train.job import Job, Run
from hemicycle.train.recipe import derive_recipe
from hemicycle.train.shape import derive_shape, grown
from tests.train.bases import CONTEXT, FAMILIES, VOCABULARY, WIDTH, make_base

TEXT = "la séance est ouverte monsieur le ministre"


@pytest.fixture(scope="module")
def tokenizer(corpus, tmp_path_factory):
    """A small one, so that there is something to add."""
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(corpus, folder, vocab=VOCABULARY)
    return folder


@pytest.fixture(scope="module")
def bases(tokenizer, tmp_path_factory):
    root = tmp_path_factory.mktemp("bases")
    return {family: make_base(root / family, family, tokenizer) for family in FAMILIES}


@pytest.fixture(scope="module")
def extension(corpus, tokenizer, tmp_path_factory):
    """The tokenizer of the bases with 20 tokens more."""
    folder = tmp_path_factory.mktemp("extension")
    extend_tokenizer(corpus, tokenizer, folder, add=20)
    return folder


def job(base, tokenizer, tmp_path, **changes):
    """A training that begins from `base`; `changes` are those of its shape."""
    shape = grown(shape_of(base), **changes)
    model = Model(method="continue", **{"from": "b"}, corpora={"c": 1.0}, budget=Budget(tokens=4000))
    run = Run(steps=1, seed=1, precision="fp32", compiled=False, threads=1)
    return Job(
        name="m",
        plan=tmp_path,
        tokens={},
        tokenizer=tokenizer,
        out=tmp_path,
        scratch=tmp_path,
        log=tmp_path,
        shape=shape,
        recipe=derive_recipe(model, shape),
        run=run,
        base=base,
    )


def written(folder):
    """What a model says after a text, the likeliest token each time."""
    model, words = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = words(TEXT, return_tensors="pt").input_ids
    with torch.inference_mode():
        return model.generate(ids, max_new_tokens=12, do_sample=False, top_k=None)[0].tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_base_loaded_and_saved_is_the_same_model_with_all_that_lay_beside_it(
    family, bases, tokenizer, tmp_path
):
    base = bases[family]
    model = load_base(job(base, tokenizer, tmp_path))
    out = tmp_path / "out"
    for name in ("attn_pdrop", "resid_pdrop", "attention_dropout", "hidden_dropout"):
        if hasattr(model.config, name):
            setattr(model.config, name, 0.5)
    model.config.use_cache = False
    model.save_pretrained(out)
    carry_over(base, tokenizer, out)
    assert written(out) == written(base)
    for name in ("config.json", "generation_config.json"):
        assert json.loads((out / name).read_text()) == json.loads((base / name).read_text())
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
        assert (out / name).read_bytes() == (base / name).read_bytes()
    before, after = load_file(base / "model.safetensors"), load_file(out / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_shape_of_a_base_is_that_of_the_architecture_it_was_made_by(family, bases):
    shape = shape_of(bases[family])
    heads = {"kv_heads": shape.kv_heads, "feed_forward": 128}
    declared = Architecture(kind=family, layers=2, width=WIDTH, heads=2, context=CONTEXT, **heads)
    derived = derive_shape(declared, VOCABULARY)
    tensors = load_file(bases[family] / "model.safetensors")
    assert shape.parameters == sum(tensor.numel() for tensor in tensors.values())
    assert shape.tied == (family not in ("llama", "olmo2"))
    # `derive_shape` shares the head of every small model.
    apart = 0 if shape.tied else VOCABULARY * WIDTH
    assert (shape.parameters - apart, shape.matrices) == (derived.parameters, derived.matrices)
    assert shape.family == family


@pytest.mark.parametrize("family", FAMILIES)
def test_a_new_token_begins_as_the_mean_of_those_it_stands_for_in_the_embedding_and_in_the_head(
    family, bases, extension, tmp_path
):
    base = bases[family]
    tokens = load_tokenizer(extension).get_vocab_size()
    assert tokens == VOCABULARY + 20
    model = load_base(job(base, extension, tmp_path, tokens=tokens))
    plain = AutoModelForCausalLM.from_pretrained(base)
    assert model.config.vocab_size == tokens
    told = json.loads((extension / "extension.json").read_text())["added"]
    for mine, old in (
        (model.get_input_embeddings().weight, plain.get_input_embeddings().weight),
        (model.get_output_embeddings().weight, plain.get_output_embeddings().weight),
    ):
        assert torch.equal(mine[:VOCABULARY], old)
        for one in told:
            assert torch.allclose(mine[one["id"]], old[one["pieces"]].mean(dim=0), atol=1e-7)
    assert sum(p.numel() for p in model.parameters()) == grown(shape_of(base), tokens=tokens).parameters


def test_old_tokens_cost_the_same_up_to_the_share_that_new_ones_take(bases, extension, tmp_path):
    model = load_base(job(bases["llama"], extension, tmp_path, tokens=VOCABULARY + 20))
    plain = AutoModelForCausalLM.from_pretrained(bases["llama"])
    ids = torch.arange(40)[None]
    with torch.inference_mode():
        assert torch.equal(model(ids).logits[..., :VOCABULARY], plain(ids).logits)


def test_a_new_token_that_falls_on_a_row_never_trained_begins_as_any_other(tokenizer, extension, tmp_path):
    base = make_base(tmp_path / "padded", "llama", tokenizer, rows=384)
    model = load_base(job(base, extension, tmp_path, tokens=VOCABULARY + 20))
    assert model.config.vocab_size == 384, "rows that are there are not cut off"
    plain = AutoModelForCausalLM.from_pretrained(base).get_input_embeddings().weight
    one = json.loads((extension / "extension.json").read_text())["added"][0]
    mine = model.get_input_embeddings().weight
    assert torch.allclose(mine[one["id"]], plain[one["pieces"]].mean(dim=0), atol=1e-7)
    assert torch.equal(mine[VOCABULARY + 20 :], plain[VOCABULARY + 20 :])


def test_a_mark_stands_for_no_old_token_and_begins_at_the_mean_of_all(corpus, tokenizer, tmp_path):
    base = make_base(tmp_path / "base", "llama", tokenizer)
    (base / "tokenizer_config.json").write_text("{}")
    state = json.loads((base / "tokenizer.json").read_text())
    kept = {t: n - 2 for t, n in state["model"]["vocab"].items() if not t.startswith("<|")}
    state["model"]["vocab"], state["added_tokens"], state["post_processor"] = kept, [], None
    (base / "tokenizer.json").write_text(json.dumps(state))
    extended = tmp_path / "extended"
    extended.mkdir()
    extend_tokenizer(corpus, base, extended, add=3)
    added = new_tokens(base, extended)
    marks = [number for number, pieces in added.items() if not pieces]
    assert len(marks) == 2
    assert len(added) == 5
    model = load_base(job(base, extended, tmp_path, tokens=293))
    rows = model.get_input_embeddings().weight
    assert torch.allclose(rows[marks[0]], rows[:288].mean(dim=0), atol=1e-7)


def test_a_tokenizer_that_gives_old_tokens_other_numbers_is_refused(bases, tokenizer, tmp_path):
    state = json.loads((tokenizer / "tokenizer.json").read_text())
    vocabulary = state["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    other = shutil.copytree(tokenizer, tmp_path / "other")
    (other / "tokenizer.json").write_text(json.dumps(state))
    with pytest.raises(InputError, match="is not that of the model's tokenizer"):
        load_base(job(bases["llama"], other, tmp_path))


def test_fewer_tokens_than_the_base_has_are_refused(bases, tokenizer):
    shape = shape_of(bases["llama"])
    smaller = derive_shape(Architecture(layers=2, width=32, heads=2, context=CONTEXT), 280)
    assert smaller.vocabulary < shape.vocabulary
    with pytest.raises(InputError, match="280 tokens, its base has 290"):
        begin(bases["llama"], smaller, tokenizer)


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen3", "olmo2"])
def test_rotary_positions_are_scaled_by_yarn_and_the_configuration_says_so(
    family, bases, tokenizer, tmp_path
):
    base = bases[family]
    longer = job(base, tokenizer, tmp_path, context=4 * CONTEXT)
    told = begin(base, longer.shape, tokenizer)
    assert told.context == (CONTEXT, 4 * CONTEXT)
    model = load_base(longer)
    rope = model.config.rope_parameters
    assert (rope["rope_type"], rope["factor"]) == ("yarn", 4.0)
    assert rope["original_max_position_embeddings"] == CONTEXT
    assert model.config.max_position_embeddings == 4 * CONTEXT
    model.save_pretrained(tmp_path / "out")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    ids = torch.arange(200)[None]
    with torch.inference_mode():
        assert torch.equal(model.eval()(ids).logits, again(ids).logits)
    # Scaled once more, from the context that the weights were first trained with.
    carry_over(base, tokenizer, tmp_path / "out")
    twice = begin(tmp_path / "out", grown(shape_of(tmp_path / "out"), context=512), tokenizer)
    assert twice.rope["factor"] == 8.0
    assert twice.rope["original_max_position_embeddings"] == CONTEXT


def test_yarn_turns_fast_pairs_as_before_and_slow_ones_slower(bases, tokenizer, tmp_path):
    # Peng et al. 2023, section 3.2: pairs that turn more than 32 times in the old context keep their speed,
    # those that do not turn once are slowed by the factor, and attention is sharper by 0.1 ln s + 1.
    model = load_base(job(bases["llama"], tokenizer, tmp_path, context=4 * CONTEXT))
    plain = AutoModelForCausalLM.from_pretrained(bases["llama"])
    scaled, before = (m.model.rotary_emb for m in (model, plain))
    ratio = before.inv_freq / scaled.inv_freq
    turns = CONTEXT * before.inv_freq / (2 * torch.pi)
    assert torch.allclose(ratio[turns < 1], torch.tensor(4.0))
    assert ratio.tolist() == sorted(ratio.tolist())
    assert scaled.attention_scaling == pytest.approx(0.1 * torch.log(torch.tensor(4.0)).item() + 1)


def test_only_the_layers_of_gemma_that_see_everything_are_scaled(bases, tokenizer, tmp_path):
    model = load_base(job(bases["gemma3"], tokenizer, tmp_path, context=4 * CONTEXT))
    rope = model.config.rope_parameters
    assert rope["full_attention"]["rope_type"] == "yarn"
    assert rope["sliding_attention"]["rope_type"] == "default"


def test_alibi_needs_no_scaling_and_learnt_positions_cannot_be_led_on(bases, tokenizer, tmp_path):
    model = load_base(job(bases["bloom"], tokenizer, tmp_path, context=4 * CONTEXT))
    assert model.config.seq_length == 4 * CONTEXT
    with torch.inference_mode():
        assert model(torch.zeros(1, 3 * CONTEXT, dtype=torch.long)).logits.isfinite().all()
    with pytest.raises(DeclarationError, match="positions of gpt2 are learnt one by one"):
        load_base(job(bases["gpt2"], tokenizer, tmp_path, context=2 * CONTEXT))


def test_positions_scaled_in_another_way_are_not_scaled_twice(tokenizer, tmp_path):
    base = make_base(tmp_path / "base", "llama", tokenizer)
    config = json.loads((base / "config.json").read_text())
    config["rope_parameters"] |= {"rope_type": "linear", "factor": 2.0}
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(DeclarationError, match="scaled already, by “linear”"):
        begin(base, grown(shape_of(base), context=2 * CONTEXT), tokenizer)


def test_a_shorter_context_is_only_that_of_the_rows(bases, tokenizer, tmp_path):
    short = job(bases["llama"], tokenizer, tmp_path, context=16)
    assert short.shape.context == 16
    assert load_base(short).config.max_position_embeddings == CONTEXT


def test_a_base_with_missing_weights_is_refused_before_and_while_loading(tokenizer, tmp_path):
    base = make_base(tmp_path / "base", "llama", tokenizer)
    whole = job(base, tokenizer, tmp_path)
    tensors = load_file(base / "model.safetensors")
    tensors.pop("model.norm.weight")
    save_file(tensors, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="its files hold"):
        shape_of(base)
    with pytest.raises(InputError, match=r"such as model\.norm\.weight"):
        load_base(whole)


def test_a_base_whose_layers_cannot_keep_documents_apart_is_refused(tokenizer, tmp_path):
    base = make_base(tmp_path / "base", "qwen3", tokenizer)
    config = json.loads((base / "config.json").read_text())
    config["layer_types"] = ["full_attention", "linear_attention"]
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="layers of kind linear_attention, and packed documents"):
        shape_of(base)


def test_a_file_that_is_cut_off_is_named(tokenizer, tmp_path):
    base = make_base(tmp_path / "base", "llama", tokenizer)
    path = base / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"model\.safetensors: the file is cut off"):
        shape_of(base)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"auto_map": {"AutoModelForCausalLM": "evil.Model"}}, "needs code of its own"),
        ({"model_type": "nothing-like-it"}, "not the configuration of a model"),
        ({"model_type": "t5"}, "more than a model of text"),
        ({"model_type": "vit"}, "makes no causal language model of it"),
    ],
)
def test_what_is_no_plain_model_of_text_is_refused(change, said, tokenizer, tmp_path):
    base = make_base(tmp_path / "base", "llama", tokenizer)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(InputError, match=said):
        shape_of(base)
