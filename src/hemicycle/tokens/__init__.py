"""Tokens: a corpus through a tokenizer, in the layout trainers read, and the order it is read in.

`train_tokenizer` learns a byte-level BPE and `extend_tokenizer` adds tokens to somebody else's; `fertility`
says how well tokenizers fit a text. `tokenize` writes Megatron shards with the map from token to document;
`make_plan` fixes which rows a model reads at which step, phase by phase; `Order.batch` is that plan as a
function. No iterator has a state to lose.
"""

from hemicycle.tokens.dialogues import DialogueEncoder, tokenize_dialogues
from hemicycle.tokens.encoder import load_tokenizer
from hemicycle.tokens.exposure import EXPOSURE, exposure, readings
from hemicycle.tokens.extend import extend_tokenizer
from hemicycle.tokens.fertility import fertility
from hemicycle.tokens.foreign import Layout, export_tokens, import_tokens
from hemicycle.tokens.megatron import Shard, ShardWriter, read_shard
from hemicycle.tokens.order import Batch, Order, Span, prefetch
from hemicycle.tokens.plan import make_plan
from hemicycle.tokens.redo import expected_redo, redo_of
from hemicycle.tokens.schedule import Phase
from hemicycle.tokens.strata import Mixture, shortfalls
from hemicycle.tokens.tokenize import tokenize
from hemicycle.tokens.tokenizer import BEGIN, END, marks, train_tokenizer

__all__ = [
    "BEGIN",
    "END",
    "EXPOSURE",
    "Batch",
    "DialogueEncoder",
    "Layout",
    "Mixture",
    "Order",
    "Phase",
    "Shard",
    "ShardWriter",
    "Span",
    "expected_redo",
    "export_tokens",
    "exposure",
    "extend_tokenizer",
    "fertility",
    "import_tokens",
    "load_tokenizer",
    "make_plan",
    "marks",
    "prefetch",
    "read_shard",
    "readings",
    "redo_of",
    "shortfalls",
    "tokenize",
    "tokenize_dialogues",
    "train_tokenizer",
]
