"""Beginning from a model that is there: its shape, its weights, new tokens, a longer context.

What a base has is kept: its architecture, its configuration, its tokenizer's files. Two things may change
before training goes on, and `Beginning` says which, so that they can be stated:

* tokens behind its own, where the tokenizer extends the base's. The row of a new token begins at the mean of
  the rows of the old tokens it stands for (Gee et al. 2022, Fast vocabulary transfer, arXiv 2402.09977); that
  of a token that stands for none, such as a mark, at the mean of all, so that no row stands out among them
  (Hewitt 2021, Initializing new word embeddings for pretrained language models);
* a longer context, where positions are rotary: by YaRN (Peng et al. 2023, arXiv 2309.00071), which turns the
  slow pairs of numbers slower and leaves the fast ones, that tell neighbours apart. ALiBi has no bound to
  lift; learnt positions end where their table does.

The trap is a folder that does not hold what it seems to: a configuration can name code to run, and a
published embedding often has more rows than its tokenizer has tokens, so that a new token may fall on a row
that is there and was never trained.

Shapes: V tokens, D width.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from hemicycle.errors import DeclarationError, InputError
from hemicycle.pretrained import CONTEXT_KEYS, context_of, load_pretrained
from hemicycle.tokens import load_tokenizer
from hemicycle.tokens.extend import EXTENSION
from hemicycle.train import attention
from hemicycle.train.job import Job
from hemicycle.train.shape import Shape

#: What of a configuration training may change for good; the rest (dropout, caching) it changes for itself.
CHANGED = (
    *CONTEXT_KEYS,
    "n_positions",
    "vocab_size",
    "rope_parameters",
    "architectures",
    "dtype",
    "transformers_version",
)

#: What of a base goes on with whatever is made from it, besides weights and configuration.
WITH_ITS_TOKENIZER = ("added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model")
ALWAYS = ("generation_config.json", "special_tokens_map.json", "chat_template.jinja", "chat_template.json")


@dataclass(frozen=True)
class Beginning:
    """What is changed of a base before training goes on.

    Attributes:
        rows: of the embedding afterwards; never fewer than the base has.
        added: id of a new token → ids of the old ones it stands for; none for a mark.
        context: tokens that the base sees at once, and that the model will; equal where nothing changes.
        rope: the configuration's `rope_parameters` afterwards, None where they stay.
    """

    rows: int
    added: Mapping[int, tuple[int, ...]]
    context: tuple[int, int]
    rope: Mapping[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """What is stated of it; the tokens themselves are in the tokenizer's `extension.json`."""
        told: dict[str, Any] = {"tokens_added": len(self.added), "context": list(self.context)}
        return told | ({"rope_parameters": self.rope} if self.rope else {})


def shape_of(folder: Path) -> Shape:
    """The shape of a model in a folder. No weights are read, only the heads of their files.

    Of a mixture of experts all are counted among the matrices, though a token meets few of them.

    Raises InputError where `transformers` knows no causal language model like it, where it needs code of its
    own or sees more than text, or where its files hold fewer numbers than its architecture has.
    """
    config = _config(folder)
    auto: Any = AutoModelForCausalLM
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = auto.from_config(config, dtype=torch.float32, trust_remote_code=False)
        except Exception as error:  # whatever a library says of a configuration from outside
            raise InputError(
                f"transformers makes no causal language model of it: {error}",
                place=str(folder / "config.json"),
            ) from None
    parameters = sum(p.numel() for p in model.parameters())
    held = _numbers_held(folder)
    if held < parameters:
        raise InputError(
            f"its files hold {held} numbers, and its architecture has {parameters}",
            place=str(folder),
            remedy="Take all files of the model, as they were published.",
        )
    head = model.get_output_embeddings()
    if head is None:
        raise InputError(f"a {config.model_type} has no head that tokens are read from", place=str(folder))
    width = config.hidden_size
    return Shape(
        # A family that also sees pictures has a name of its own for its text.
        family=config.model_type.removesuffix("_text"),
        layers=config.num_hidden_layers,
        width=width,
        heads=config.num_attention_heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        feed_forward=_feed_forward(config, width),
        context=context_of(config),
        vocabulary=config.vocab_size,
        tied=head.weight is model.get_input_embeddings().weight,
        parameters=parameters,
        matrices=sum(p.numel() for m in model.modules() for p in _multiplying(m)),
    )


def begin(folder: Path, shape: Shape, tokenizer: Path) -> Beginning:
    """What is changed of the base in a folder, for a model of `shape` with a tokenizer.

    Raises:
        InputError: the tokenizer is neither the base's nor extends it, or `shape` is not the base's grown.
        DeclarationError: a longer context is declared than this base's positions can be led to.
    """
    config = _config(folder)
    added = new_tokens(folder, tokenizer)
    if shape.vocabulary < config.vocab_size or any(number >= shape.vocabulary for number in added):
        raise InputError(
            f"the model is to have {shape.vocabulary} tokens, its base has {config.vocab_size} and the "
            f"tokenizer adds {len(added)}",
            place=str(folder),
        )
    before = context_of(config)
    rope = extended(config, shape.context) if shape.context > before else None
    return Beginning(shape.vocabulary, added, (before, max(before, shape.context)), rope)


def load_base(job: Job) -> PreTrainedModel:
    """The model that a job begins from, in fp32, with new rows and a longer context as `begin` says.

    Raises InputError and DeclarationError as `begin` does, and InputError where weights are missing.
    """
    folder = job.base
    assert folder is not None
    change = begin(folder, job.shape, job.tokenizer)
    config = _config(folder)
    if change.rope is not None:
        config.rope_parameters = dict(change.rope)
    if change.context[1] > change.context[0]:
        _set_context(config, change.context[1])
    model: PreTrainedModel = load_pretrained(folder, config)
    with torch.no_grad():
        _add_rows(model, change)
    model.train()
    return model


def _add_rows(model: Any, change: Beginning) -> None:
    """Make room for `change.rows` tokens and begin the new ones' rows, in the embedding and in the head."""
    before = model.config.vocab_size
    if change.rows > before:
        model.resize_token_embeddings(change.rows, mean_resizing=False)
    if not change.added and change.rows == before:
        return
    first = min([*change.added, before])
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    tables = {id(p): p for module in (embedding, head) for p in module.parameters()}
    # Biases of a head have one number a row, and begin as the rows do.
    for table in tables.values():
        old = table[:first].clone()
        for number in range(before, change.rows):
            table[number] = old.mean(dim=0)
        for number, pieces in change.added.items():
            table[number] = old[list(pieces)].mean(dim=0) if pieces else old.mean(dim=0)


def new_tokens(folder: Path, tokenizer: Path) -> dict[int, tuple[int, ...]]:
    """Id of each token that a tokenizer has beyond those of the base in `folder` → old ids it stands for.

    Raises InputError where the tokenizer gives one of the base's tokens another number: weights would then
    mean something else.
    """
    own, wanted = (_vocabulary(load_tokenizer(where)) for where in (folder, tokenizer))
    for token, number in own.items():
        if wanted.get(token) != number:
            raise InputError(
                f"the base's token {number}, “{token}”, is not that of the model's tokenizer",
                place=str(tokenizer / "tokenizer.json"),
                remedy="Leave `tokenizer` out to keep the base's, or declare one that `extends` it.",
            )
    path = tokenizer / EXTENSION
    added = json.loads(path.read_bytes())["added"] if path.is_file() else []
    pieces = {one["id"]: tuple(one["pieces"]) for one in added}
    return {number: pieces.get(number, ()) for token, number in wanted.items() if token not in own}


def extended(config: Any, context: int) -> dict[str, Any] | None:
    """The `rope_parameters` with which a model sees `context` tokens; None where positions have no bound.

    Rotary positions that were never scaled, or by YaRN, are scaled by YaRN from the context they were trained
    with. Where layers differ, only those that see the whole context are scaled: the others look back no
    further than before (as Gemma Team 2025, Gemma 3 technical report, section 2).

    Raises DeclarationError where positions are learnt, or were scaled in a way that has no next step.
    """
    if config.model_type == "bloom" or getattr(config, "alibi", False):
        return None
    rope = getattr(config, "rope_parameters", None)
    if not rope:
        raise DeclarationError(
            f"the base sees {context_of(config)} tokens at once, and not {context}: the positions of "
            f"{config.model_type} are learnt one by one, and there are no more of them",
            remedy="Leave `context` out, or begin from a base with rotary positions or ALiBi.",
        )
    before = context_of(config)
    if not all(isinstance(part, Mapping) for part in rope.values()):
        return _yarn(rope, before, context)
    return {
        kind: part if kind.startswith(("sliding", "chunked")) else _yarn(part, before, context)
        for kind, part in rope.items()
    }


def _yarn(rope: Mapping[str, Any], before: int, context: int) -> dict[str, Any]:
    kind = rope.get("rope_type", "default")
    if kind not in ("default", "yarn"):
        raise DeclarationError(
            f"the base's positions are scaled already, by “{kind}”, to {before} tokens; {context} would "
            "scale them twice",
            remedy="Leave `context` out, or begin from the base that this one was extended from.",
        )
    first = rope.get("original_max_position_embeddings", before) if kind == "yarn" else before
    scaled = {**rope, "rope_type": "yarn", "factor": context / first}
    # What an earlier scaling derived from its own factor would no longer fit.
    scaled.pop("attention_factor", None)
    return scaled | {"original_max_position_embeddings": first}


def _set_context(config: Any, context: int) -> None:
    for key in CONTEXT_KEYS:
        if getattr(config, key, None) is not None:
            setattr(config, key, context)
            return
    config.seq_length = context


def carry_over(base: Path, tokenizer: Path, out: Path) -> None:
    """Put beside new weights what a model folder needs besides: the tokenizer, and what the base said of use.

    The configuration gets back what training changed for itself. Where the tokenizer extends the base's,
    older forms of the base's vocabulary stay behind: they lack its new tokens.
    """
    before, path = json.loads((base / "config.json").read_bytes()), out / "config.json"
    written = json.loads(path.read_bytes())
    written |= {key: value for key, value in before.items() if key in written and key not in CHANGED}
    path.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n", "utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizer / name, out / name)
    kept = ALWAYS if (tokenizer / EXTENSION).is_file() else (*ALWAYS, *WITH_ITS_TOKENIZER)
    for name in kept:
        if (base / name).is_file():
            shutil.copyfile(base / name, out / name)


def _config(folder: Path) -> Any:
    """The configuration of a text model. Raises InputError where there is none, or it needs its own code."""
    path = folder / "config.json"
    try:
        stated = json.loads(path.read_bytes())
        if "auto_map" in stated:
            raise InputError(
                "the model needs code of its own (`auto_map`), and a base's code is never run",
                place=str(path),
                remedy="Where transformers knows the architecture itself, take `auto_map` out of a copy.",
            )
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except InputError:
        raise
    except Exception as error:  # whatever a library says of a configuration from outside
        raise InputError(f"this is not the configuration of a model: {error}", place=str(path)) from None
    unknown = set(getattr(config, "layer_types", None) or ()) - attention.KINDS
    if unknown:
        raise InputError(
            f"it has layers of kind {', '.join(sorted(unknown))}, and packed documents cannot be kept apart "
            "in them",
            place=str(path),
            remedy="Begin from a model whose layers attend to all tokens, or to a window of them.",
        )
    if config.get_text_config() is not config or getattr(config, "is_encoder_decoder", False):
        raise InputError(
            f"a {config.model_type} is more than a model of text that goes on from its left",
            place=str(path),
            remedy="Begin from a text-only model of the family.",
        )
    return config


def _feed_forward(config: Any, width: int) -> int:
    for key in ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"):
        if isinstance(stated := getattr(config, key, None), int):
            return stated
    return 4 * width


def _multiplying(module: nn.Module) -> list[torch.Tensor]:
    """A module's own weights by which tokens are multiplied: an embedding is looked up, norms are vectors."""
    if isinstance(module, nn.Embedding):
        return []
    return [p for p in module.parameters(recurse=False) if p.ndim >= 2]


def _numbers_held(folder: Path) -> int:
    """Numbers in the weights' files, a tensor of one name counted once."""
    held: dict[str, int] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, "pt") as file:
                for name in file.keys():  # noqa: SIM118 (it is no mapping)
                    shape = file.get_slice(name).get_shape()
                    held[name] = int(torch.Size(shape).numel())
        except (SafetensorError, OSError) as error:
            raise InputError(f"the file is cut off or damaged: {error}", place=str(path)) from None
    return sum(held.values())


def _vocabulary(tokenizer: Tokenizer) -> dict[str, int]:
    found: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    return found
