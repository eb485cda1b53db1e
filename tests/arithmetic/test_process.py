"""Memory of a training of ours: what autograd keeps, layer by layer, and what real trainings hold."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.arithmetic import count_weights, layer_kept, passing_bytes, process, process_memory
from hemicycle.train import attention, loss, machine
from tests.arithmetic.training import Case, batch_of, learner_of, measured, train

FAMILIES = ["llama", "mistral", "qwen3", "olmo2", "gemma3", "gpt2", "bloom"]
SMALL = Case("llama", layers=1, width=160, heads=5, context=256, vocabulary=320, rows=3)


def kept(case):
    """Bytes that autograd keeps for the way back, copies of weights apart."""
    learner, _ = learner_of(case)
    own = {parameter.untyped_storage().data_ptr() for parameter in learner.parameters()}
    weights = {p.numel() for p in learner.parameters() if p.ndim == 2}
    held = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        is_copy = tensor.ndim == 2 and tensor.dtype == torch.bfloat16 and tensor.numel() in weights
        if storage.data_ptr() not in own and not is_copy:
            held[storage.data_ptr()] = tensor  # alive, so that no other takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        learner.loss(batch_of(case, case.rows))
    return sum(tensor.untyped_storage().nbytes() for tensor in held.values())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_layer_keeps_what_autograd_keeps_of_it(family, precision):
    case = dataclasses.replace(SMALL, family=family, precision=precision)
    deeper = dataclasses.replace(case, layers=2)
    tokens = case.rows * case.context
    found = (kept(deeper) - kept(case)) / tokens
    # what is left out: a number or two a token and norm
    assert layer_kept(case.configuration, case.process(), 256) == pytest.approx(found, rel=0.01)


@pytest.mark.parametrize(
    "changes",
    [
        {"kv_heads": 1},
        {"kv_heads": 1, "precision": "fp32"},
        {"heads": 4, "kv_heads": 2},
        {"rows": 1},
        {"context": 200},
        {"context": 100},
    ],
)
def test_keys_are_copied_by_blocks_only_where_their_layout_asks_for_it(changes):
    case = dataclasses.replace(SMALL, **changes)
    found = (kept(dataclasses.replace(case, layers=2)) - kept(case)) / (case.rows * case.context)
    assert layer_kept(case.configuration, case.process(), case.context) == pytest.approx(found, rel=0.01)


def test_what_decides_here_is_what_the_trainer_does():
    assert process.BLOCK == attention.BLOCK
    assert process.LONGEST_TABLE == machine.LONGEST_TABLE
    assert (process.LOGITS_AT_ONCE, process.TILE) == (loss.LOGITS_AT_ONCE, loss.TILE)


#: Of 50 to 60 million weights, so that the model matters beside what it reads.
SIZES = {"layers": 9, "width": 640, "heads": 10, "vocabulary": 16_000}
REAL = [
    Case("llama", **SIZES, context=512, rows=2, compiled=True),
    Case("gpt2", **SIZES, context=1024, optimiser="muon"),
    Case("bloom", **SIZES, context=256, rows=4),
    Case("qwen3", **SIZES, context=1024, kv_heads=2, parts=2, optimiser="muon", compiled=True),
    Case("qwen3", **SIZES, context=512, rows=2, precision="fp32", recompute=True),
]


def told(case):
    kinds = [case.optimiser, case.precision, case.compiled and "compiled", case.recompute and "recomputed"]
    return "-".join([case.family, *filter(None, kinds), f"{case.rows * case.context}-tokens"])


@pytest.mark.slow
@pytest.mark.parametrize("case", REAL, ids=told)
def test_a_real_training_holds_what_is_predicted(case):
    predicted = process_memory(case.configuration, case.process()).total
    assert predicted == pytest.approx(measured(case), rel=0.1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no graphics card")
@pytest.mark.parametrize("case", [c for c in REAL if c.compiled and c.precision == "bf16"], ids=told)
def test_a_real_training_on_a_graphics_card_holds_what_is_predicted(case):
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    train(case, "cuda")
    held = torch.cuda.max_memory_allocated() - before
    assert process_memory(case.configuration, case.process("cuda")).total == pytest.approx(held, rel=0.1)


@settings(max_examples=100, deadline=None)
@given(
    family=st.sampled_from(FAMILIES),
    context=st.integers(16, 5000),
    rows=st.integers(1, 64),
    vocabulary=st.integers(300, 300_000),
    optimiser=st.sampled_from(["adamw", "muon"]),
    precision=st.sampled_from(["bf16", "fp32"]),
    flags=st.tuples(*[st.booleans()] * 3),
)
def test_more_rows_hold_more_and_forgotten_layers_pass_less(
    family, context, rows, vocabulary, optimiser, precision, flags
):
    compiled, parts, recompute = flags
    case = Case(family, 4, 128, 4, context, vocabulary, None, rows, 1 + parts, optimiser, precision, compiled)
    c = case.configuration
    own = dataclasses.replace(case, recompute=recompute).process()
    more = dataclasses.replace(own, rows=rows + 1)
    assert process_memory(c, own).total <= process_memory(c, more).total
    assert passing_bytes(c, own) < passing_bytes(c, more)
    again = dataclasses.replace(own, recompute=True)
    # not with few layers of short rows: one whole layer is there beside what came into all
    deep = dataclasses.replace(c, layers=40)
    assert passing_bytes(deep, again) < passing_bytes(deep, dataclasses.replace(own, recompute=False))


def test_adam_holds_sixteen_bytes_a_weight_and_muon_twelve_where_little_is_read():
    case = Case("llama", 12, 1024, 16, 16, 320)
    weights = count_weights(case.configuration)
    adamw = process_memory(case.configuration, case.process())
    assert adamw.total == pytest.approx(16 * weights.total, rel=0.01)
    muon = process_memory(case.configuration, dataclasses.replace(case, optimiser="muon").process())
    largest = 1024 * 2752
    scratch = 8 * largest + 4 * 1024**2
    assert muon.total == 12 * weights.inside + 16 * (weights.total - weights.inside) + scratch
