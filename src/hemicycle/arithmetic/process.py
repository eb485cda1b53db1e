"""Memory of one process of this project's own trainer (`train.learner`, `train.loss`, `train.optimiser`).

`memory` says what a layer must keep; this says what ours does keep, operation by operation, which differs
with the device, the precision, and whether layers are compiled. What decides:

* Weights, gradients and moments are fp32. Under bf16 a product casts what it multiplies: autograd keeps a
  copy of each weight in 16 bits from the way forward to the way back, and one of what came in for each
  product that took it, so three where queries, keys and values are three products.
* The stream between layers is fp32 on a processor, where bf16 is autocast, and bf16 on a graphics card.
* Attention on a processor keeps half of the table of scores in fp32, as it goes by blocks of queries; and
  the keys and values of each block, where their layout makes the product copy them: with one head of keys a
  head of queries and several rows, or compiled.
* Eager, a norm keeps what came in and what it scaled, and an activation all of its steps. Compiled, only
  what is cheaper kept than computed again: what came in and out of products.
* Logits are held a chunk at a time, and eager 17 bytes of each: itself, its slope, the mask of targets as a
  byte and as a number, and their difference; compiled, itself and its gradient in the working precision.
* The gradients of head and hidden states are there before the way back begins.

The peak of a training is the largest of a few moments of its step (`_moments`). What is counted is what
tensors hold. The process itself, its libraries and the holes of its allocator come on top. On a processor,
where freed memory is kept (`train.machine`), six trainings of 54 million weights grew by 5 to 18 % more than
their tensors held where layers were compiled, and by a third more where they were not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hemicycle.arithmetic.configuration import Configuration
from hemicycle.arithmetic.families import Family, family_named
from hemicycle.arithmetic.memory import Memory, Optimiser
from hemicycle.arithmetic.weights import Weights, count_weights

#: Of `train.attention` and `train.machine`: queries at once, and the longest row whose table is kept.
BLOCK, LONGEST_TABLE = 128, 2_048
#: Blocks up to which compiled code keeps what each copies: what torch 2.13 decides, found by looking.
COMPILED_BLOCKS = 4
#: Of `train.loss`: logits at once, and the side of which chunks are multiples.
LOGITS_AT_ONCE, TILE = {"cpu": 1 << 26, "cuda": 1 << 27}, 256
#: Bytes of a logit while the gradient of its chunk is computed eagerly.
EAGER_LOGIT = 17


@dataclass(frozen=True)
class Process:
    """How a process trains.

    Attributes:
        rows: that it takes at once.
        accumulates: a step has more rows than these, so gradients are there on the way forward.
        recompute: layers keep what came in, and are computed again on the way back.
    """

    rows: int
    accumulates: bool = False
    optimiser: Optimiser = "adamw"
    precision: Literal["bf16", "fp32"] = "bf16"
    compiled: bool = True
    recompute: bool = False
    device: Literal["cpu", "cuda"] = "cpu"

    @property
    def each(self) -> int:
        """Bytes of a number that is multiplied."""
        return 2 if self.precision == "bf16" else 4

    @property
    def stream(self) -> int:
        """Bytes of a number between layers."""
        return 4 if self.device == "cpu" else self.each


def process_memory(c: Configuration, p: Process, *, context: int | None = None) -> Memory:
    """Bytes that the tensors of a training hold at its peak, once all moments are there.

    Args:
        context: tokens of a row; the model's own by default.
    """
    length = context or c.context
    return max(_moments(c, p, length), key=lambda memory: memory.total)


def passing_bytes(c: Configuration, p: Process, *, context: int | None = None) -> int:
    """The most of it that comes and goes with what is read: activations and the loss."""
    return max(memory.activations + memory.loss for memory in _moments(c, p, context or c.context))


def layer_kept(c: Configuration, p: Process, context: int) -> int:
    """Bytes that a token leaves in one layer, its share of the table of scores included."""
    family = family_named(c.family)
    body = _compiled_body(c, p, family) if p.compiled else _eager_body(c, p, family)
    return body + _attention(c, p, context)


def _eager_body(c: Configuration, p: Process, family: Family) -> int:
    """Norms and products of one layer, apart from attention's own."""
    each, queries, keys = p.each, c.heads * c.head_size, c.kv_heads * c.head_size
    casts, gate_casts = 1, 1
    if each < p.stream:
        casts, gate_casts = 1 if family.fused_query else 3, 1 + family.gated
    # torch's own norms keep what came in; those that `transformers` spells out, what they scaled as well.
    found = family.norms * c.width * p.stream * (1 if family.norm_biases else 2)
    if family.head_norms:
        found += (queries + keys) * (8 if family.wide_head_norms else 4 + each)
    found += each * ((casts + gate_casts) * c.width + c.heads * c.value_size)
    inner = family.inner_kept or (4 if family.gated else 2)
    return found + each * inner * _inner(c)


def _compiled_body(c: Configuration, p: Process, family: Family) -> int:
    """The same where only what came in and out of products is kept."""
    each, queries, keys = p.each, c.heads * c.head_size, c.kv_heads * c.head_size
    # The stream itself, unless no norm scales it, and what came into and out of attention and feed-forward.
    found = (each if family.norms_after else p.stream) * c.width
    found += each * (c.width + c.heads * c.value_size + c.width)
    found += each * c.width * (0 if family.norms_after else 1)
    if family.norms == 4 or family.norms_after:
        found += each * c.width
    if family.head_norms:
        found += each * (queries + keys)
    return found + each * (3 if family.gated else 2) * _inner(c)


def _inner(c: Configuration) -> int:
    """Inner width that a token meets in a feed-forward, the mean of all layers."""
    if c.experts is None:
        return c.feed_forward
    met = (c.experts.chosen + c.experts.shared) * c.experts.width
    return (c.experts.layers * met + (c.layers - c.experts.layers) * c.feed_forward) // c.layers


def _attention(c: Configuration, p: Process, context: int) -> int:
    """Queries, keys, values and scores that a token leaves in one attention."""
    queries, keys = c.heads * c.head_size, c.kv_heads * c.head_size
    if p.device != "cpu":
        return p.each * (queries + 2 * keys + queries) + 4 * c.heads
    if context > LONGEST_TABLE:
        # torch's fused attention: its result and the logarithm of each head's denominator.
        return 4 * (4 * queries + c.heads)
    scores, copies = _by_blocks(context)
    if p.compiled:
        # Up to a few blocks it is their copies that are kept, beyond what they are made of: keys and values,
        # and where keys are turned in other bits than they were multiplied in, keys before.
        several = copies * queries + (keys if c.kv_heads < c.heads else copies * queries)
        whole = 3 if p.each < 4 and family_named(c.family).rotary else 2
        kept = queries + (several if context <= COMPILED_BLOCKS * BLOCK else whole * keys)
        return int(p.each * kept + 4 * c.heads * scores)
    # Keys of one head for all, or of as many as there are queries, lie so that a product of several rows
    # copies them; a cast to fp32 lays them out anew, and so does repeating them for their queries.
    spread = p.rows > 1 and c.kv_heads in (1, c.heads)
    of_keys = copies if spread else 1
    of_values = copies if spread and (c.kv_heads == c.heads or p.each == 4) else 1
    return int(4 * (queries * (1 + of_keys + of_values) + c.heads * scores))


def _by_blocks(context: int) -> tuple[float, float]:
    """Keys that a query meets in its block, on average, and how often a key is copied by blocks."""
    ends = [(min(BLOCK, context - begin), min(begin + BLOCK, context)) for begin in range(0, context, BLOCK)]
    return sum(own * past for own, past in ends) / context, sum(past for _, past in ends) / context


def _moments(c: Configuration, p: Process, context: int) -> list[Memory]:
    """What is held at each moment that can be the peak, in the order of a step."""
    w, tokens, each = count_weights(c), p.rows * context, p.each
    inside, table = w.inside // c.layers, 4 * c.vocabulary * c.width
    learnt, moments, copies = 4 * w.total, _optimiser_moments(w, p), _copies(w, p)
    layer, states = layer_kept(c, p, context) * tokens, p.stream * c.width * tokens
    # The last norm keeps what came in, and what it scaled where `transformers` spells it out.
    ending = states * (1 if family_named(c.family).norm_biases else 2)
    kept = (c.layers * states if p.recompute else c.layers * layer) + ending
    mask = _masks(c, p, context)
    # BLOOM's mask has the bias of each head in it while its layers run.
    biased = mask * (1 + c.heads if c.family == "bloom" else 1)
    # torch's own attention, which takes the rows that are too long for blocks, keeps it for the way back.
    kept_mask = biased if context > LONGEST_TABLE else 0
    before = learnt if p.accumulates else 0
    # A layer that is computed again has all of its own while it goes back, and casts its weights anew.
    cast_again = p.recompute and p.device == "cpu"
    casts = 2 * inside if cast_again and p.precision == "bf16" else 0
    waiting = 0 if cast_again else copies
    again = layer if p.recompute else 0
    # Gradients by the inner width, of the product and of one factor; by the stream, and of what was cast.
    work = again + tokens * 2 * each * _inner(c) + 2 * states + (tokens * each * c.width if each < 4 else 0)
    # Where gradients are there already, those of the layer at work are added to them.
    adding = 4 * inside if p.accumulates else 0

    def at(copies: int, gradients: int, activations: int, loss: int = 0, scratch: int = 0) -> Memory:
        return Memory(learnt, copies, gradients, moments + scratch, activations, loss)

    # Autocast forgets its copies when the last layer is done, also of layers that are computed again.
    forward = at(casts if p.compiled and cast_again else copies, before, kept + biased + again)
    loss = at(waiting, before, kept + max(mask, kept_mask), _loss(c, p, tokens))
    # The gradient of the head and, where it is added to one that is there, itself once more.
    head = at(waiting, before, kept + kept_mask + 2 * states, 2 * table)
    last_layer = at(waiting + casts, (before or table) + adding, kept + kept_mask + work)
    first_layer = at(casts, learnt - (0 if p.accumulates or c.tied else table) + adding, kept_mask + work)
    embedding = at(copies if p.device == "cuda" else 0, learnt, 2 * states, _last_added(c, p, table))
    update = at(0, learnt, 0, scratch=_optimiser_scratch(c, p))
    return [forward, loss, head, last_layer, first_layer, embedding, update]


def _last_added(c: Configuration, p: Process, table: int) -> int:
    """What is added to gradients at the very end: the embedding's where the head's is there, or where a step
    has gone back before; with sharding, those of both tables as they came, and as they are summed."""
    if p.device == "cpu":
        return table if p.accumulates or c.tied else 0
    return (1 if c.tied else 2) * (table * p.each // 4 + table)


def _copies(w: Weights, p: Process) -> int:
    """Weights as they multiply: of matrices inside layers where autocast makes them, of all with sharding."""
    if p.device == "cpu":
        return (w.inside if p.precision == "bf16" else 0) * p.each
    return w.total * p.each


def _masks(c: Configuration, p: Process, context: int) -> int:
    """Tables of who sees whom, of each kind of layers one; blocks of a graphics card take next to nothing."""
    kinds = 2 if 0 < c.windowed < c.layers else 1
    return 4 * kinds * p.rows * context * context if p.device == "cpu" else 0


def _loss(c: Configuration, p: Process, tokens: int) -> int:
    """Most that is held in the loss: states, and a chunk's logits with the gradients of chunks before it."""
    each, table = p.each, c.vocabulary * c.width
    cast = each if each < p.stream else 0
    states = (p.stream + cast) * c.width * tokens + cast * table
    rows = max(1, LOGITS_AT_ONCE[p.device] // c.vocabulary)
    rows -= rows % TILE if rows > TILE else 0
    count = -(-tokens // rows)
    most = 0
    # The head's gradient as it was multiplied, and in fp32.
    product = each if each == 4 else each + 4
    # What is kept from chunk to chunk grows, so the last one counts, or the last that is whole.
    for number in range(max(0, count - 2), count):
        own = min(rows, tokens - number * rows)
        logits, by_hidden = own * c.vocabulary, each * c.width * number * rows
        # The chunk before left its logits' gradient, and the head's so far and its last part are there.
        left = each * rows * c.vocabulary + 4 * table * min(2, number) if number else 0
        computed = logits * (2 * each if p.compiled else EAGER_LOGIT) + left
        added = logits * each + (product + (4 if number else 0)) * table
        most = max(most, computed + by_hidden, added + by_hidden)
    joined = each * own * c.vocabulary + 4 * table * min(2, count)
    joined += c.width * tokens * (2 * each + (p.stream if cast else 0))
    return states + max(most, joined)


def _optimiser_moments(w: Weights, p: Process) -> int:
    """AdamW has two of each weight, Muon one of each matrix inside layers."""
    return 8 * w.total - (4 * w.inside if p.optimiser == "muon" else 0)


def _optimiser_scratch(c: Configuration, p: Process) -> int:
    """Muon's work on the largest matrix: the update in fp32, itself before and after in bf16, two squares."""
    if p.optimiser != "muon":
        return 0
    sides = [(c.width, c.feed_forward), (c.width, c.heads * c.head_size)]
    return max(8 * a * b + 4 * min(a, b) ** 2 for a, b in sides)
