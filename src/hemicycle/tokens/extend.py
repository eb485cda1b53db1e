"""Extend somebody else's BPE tokenizer with tokens learnt on a corpus, for continued pretraining.

Old ids stay as they are and new ones come behind them, so the weights of the base model keep their meaning.
What does not stay is how a text is encoded: that is the point, as the new merges join what the old ones left
apart. New merges come after all old ones, so a text is first cut as the base would cut it, and then joined
further; each new token therefore stands for one sequence of old ones, which `extension.json` tells, so that
training can begin its row of the embedding at their mean.

The trick is to let the library learn on the base's tokens in place of bytes: each old token of a word is
written as one character of another alphabet, and BPE over such words learns which tokens to join.

Two kinds of tokenizer can be extended, which between them are nearly all: byte-level (GPT-2, BLOOM, Llama 3)
and SentencePiece with bytes to fall back on (Llama 2, Mistral 7B). In the second kind a token never crosses
the start of a word, mixes letters with anything else, or joins bytes: those would not be decoded.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from hemicycle.errors import DeclarationError, InputError
from hemicycle.progress import QUIET, Progress
from hemicycle.tokens.encoder import load_tokenizer
from hemicycle.tokens.tokenizer import BEGIN, END, LONGEST, Sample, bytes_per_token

EXTENSION = "extension.json"

#: A base's `tokenizer.json` may be as large as this; the largest known ones are a third of it.
LARGEST = 100_000_000
#: Parts of texts that the base encodes together.
TOGETHER = 64
#: Joins learnt beyond the wanted tokens, since some spell a token that the base has.
SPARE = 1_024

_WORD_START = "▁"
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
#: Between the words of the other alphabet, whose letters begin behind it and leave out the surrogates.
_END, _FIRST, _GAP = "\n", 0x100, 0x800
#: Tokens of the base, at most: so many letters there are.
LETTERS = 0x110000 - _FIRST - _GAP
#: Letters handed to the learner at once.
AT_ONCE = 1_000_000


def extend_tokenizer(
    corpus: Path,
    base: Path,
    out: Path,
    *,
    add: int,
    sources: Collection[str] | None = None,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Write the base's tokenizer with at most `add` tokens more, and `extension.json`.

    Args:
        base: a folder with `tokenizer.json`, and with `tokenizer_config.json` for the marks of a document;
            where it names none, this project's two marks are added to the vocabulary as well.

    Returns figures: vocabulary, tokens added, bytes per token of the base and of the extended tokenizer.

    Raises InputError where the base is not a BPE tokenizer of a known kind.
    """
    place = base / "tokenizer.json"
    state = _read(place)
    byte_level = _kind(state, str(place))
    loaded = load_tokenizer(base)
    if _next_id(loaded) > LETTERS:
        raise InputError(f"the tokenizer has more than {LETTERS} tokens", place=str(place))
    sample = Sample(corpus, sources)
    learnt = _learn(loaded, sample, byte_level, add, progress)
    if not sample.characters:
        raise InputError("the corpus has no training text to extend a tokenizer on", place=str(corpus))
    added = _append(state, loaded, learnt, add)
    config = _marks(state, base)
    (out / "tokenizer.json").write_text(json.dumps(state, ensure_ascii=False), "utf-8")
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=1, sort_keys=True), "utf-8")
    extended = load_tokenizer(out)
    told = {"base_vocabulary": _next_id(loaded), "added": added}
    (out / EXTENSION).write_text(json.dumps(told, ensure_ascii=False, indent=1), "utf-8")
    return {
        "vocabulary": _next_id(extended),
        "base_vocabulary": _next_id(loaded),
        "added": len(added),
        "training_characters": sample.characters,
        "bytes_per_token": bytes_per_token(extended, sample.kept),
        "base_bytes_per_token": bytes_per_token(loaded, sample.kept),
        "encoder": "tokenizers",
    }


def base_files(base: Path) -> list[Path]:
    """What is read of a base. Raises DeclarationError where it has no `tokenizer.json`."""
    if not (base / "tokenizer.json").is_file():
        raise DeclarationError(
            "this is not a tokenizer's folder: it has no tokenizer.json",
            place=str(base),
            remedy="Fetch tokenizer.json and tokenizer_config.json of the base model into a folder first.",
        )
    return [path for n in ("tokenizer.json", "tokenizer_config.json") if (path := base / n).is_file()]


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"the file is larger than {LARGEST} bytes", place=str(path))
        state = json.loads(path.read_bytes())
        model = state["model"]
        if not isinstance(model["vocab"], dict) or not isinstance(model["merges"], list):
            raise TypeError
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", place=str(path)) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(
            "this is not the tokenizer.json of a BPE tokenizer",
            place=str(path),
            remedy="Name the folder of a tokenizer such as BLOOM's, GPT-2's or Llama's.",
        ) from None
    return dict(state)


def _kind(state: dict[str, Any], place: str) -> bool:
    """True for byte-level, False for SentencePiece with bytes; InputError for what is neither."""
    if '"ByteLevel"' in json.dumps([state.get("pre_tokenizer"), state.get("decoder")]):
        return True
    if state["model"].get("byte_fallback") is True:
        return False
    raise InputError(
        "the tokenizer is neither byte-level nor does it fall back on bytes, so some text would be lost",
        place=place,
    )


def _learn(
    base: Tokenizer, sample: Sample, byte_level: bool, add: int, progress: Progress
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Pairs of sequences of old ids in the order in which they are joined."""
    counts: Counter[str] = Counter()
    with progress.start("tokenizer", None, "characters") as bar:
        for texts in _groups(sample):
            for encoding in base.encode_batch(texts, add_special_tokens=False):
                counts.update(_spelt(encoding, byte_level))
            bar.advance(sum(map(len, texts)))
    alphabet = len(set().union(*counts))
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Split(_END, behavior="removed")
    trainer = trainers.BpeTrainer(
        vocab_size=alphabet + add + SPARE, limit_alphabet=LETTERS, min_frequency=2, show_progress=False
    )
    learner.train_from_iterator(_repeated(counts), trainer)
    merges = json.loads(learner.to_str())["model"]["merges"]
    return [(_read_back(a), _read_back(b)) for a, b in merges]


def _repeated(counts: Counter[str]) -> Iterator[str]:
    """Each word as often as it was counted: the learner counts for itself."""
    for word, count in sorted(counts.items()):
        at_once = max(1, AT_ONCE // (len(word) + 1))
        for _ in range(count // at_once):
            yield (word + _END) * at_once
        yield (word + _END) * (count % at_once)


def _letter(number: int) -> str:
    code = _FIRST + number
    return chr(code if code < 0xD800 else code + _GAP)


def _read_back(letters: str) -> tuple[int, ...]:
    return tuple(code - _FIRST - (_GAP if code >= 0xE000 else 0) for code in map(ord, letters))


def _groups(texts: Iterable[str]) -> Iterator[list[str]]:
    group: list[str] = []
    for text in texts:
        group.append(text)
        if len(group) == TOGETHER:
            yield group
            group = []
    if group:
        yield group


def _spelt(encoding: Any, byte_level: bool) -> Iterator[str]:
    """The words of two tokens or more of an encoded text, in the other alphabet."""
    word = ""
    last: tuple[int | None, str] = (None, "")
    for number, token, of in zip(encoding.ids, encoding.tokens, encoding.word_ids, strict=True):
        joins = of is not None and of == last[0] if byte_level else _joins(last[1], token)
        if not joins:
            if len(word) > 1:
                yield word
            word = ""
        word += _letter(number)
        last = (of, token)
    if len(word) > 1:
        yield word


def _joins(left: str, right: str) -> bool:
    """Whether a token may hold both, in a vocabulary that marks the start of a word with ▁."""
    if not left or _BYTE.fullmatch(left) or _BYTE.fullmatch(right):
        return False
    inside = right.rstrip("'’")
    in_word = left[-1].isalpha()
    return inside.isalpha() if inside and (in_word or left == _WORD_START) else in_word and not inside


def _append(
    state: dict[str, Any],
    base: Tokenizer,
    learnt: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
    add: int,
) -> list[dict[str, Any]]:
    """Put the joins behind the base's merges; returns the new tokens with the old ids each stands for."""
    vocabulary, merges = state["model"]["vocab"], state["model"]["merges"]
    pairs = bool(merges) and isinstance(merges[0], list)
    known = {tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in merges}
    spelling = {number: token for token, number in vocabulary.items()}
    reserved = {token["content"] for token in state.get("added_tokens", [])}
    number = _next_id(base)
    spelt: dict[tuple[int, ...], str] = {}
    added: list[dict[str, Any]] = []

    def spell(ids: tuple[int, ...]) -> str | None:
        return spelling.get(ids[0]) if len(ids) == 1 else spelt.get(ids)

    for left, right in learnt:
        if len(added) == add:
            break
        a, b = spell(left), spell(right)
        if a is None or b is None or (a, b) in known:
            continue
        token = a + b
        if len(token) > LONGEST or token in reserved:
            continue
        known.add((a, b))
        spelt[left + right] = token
        merges.append([a, b] if pairs else f"{a} {b}")
        if token not in vocabulary:
            vocabulary[token] = number
            added.append({"id": number, "token": token, "pieces": [*left, *right]})
            number += 1
    return added


def _next_id(tokenizer: Tokenizer) -> int:
    return 1 + max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)


def _marks(state: dict[str, Any], base: Path) -> dict[str, Any]:
    """The base's configuration, with marks of ours put into the vocabulary where it names none of its own."""
    path = base / "tokenizer_config.json"
    try:
        config = json.loads(path.read_bytes()) if path.is_file() else {}
    except (ValueError, RecursionError) as error:
        raise InputError(f"this is not JSON: {error}", place=str(path)) from None
    config = dict(config) if isinstance(config, dict) else {}
    known = set(state["model"]["vocab"]) | {token["content"] for token in state["added_tokens"]}
    numbers = [*state["model"]["vocab"].values(), *(token["id"] for token in state["added_tokens"])]
    for key, ours in (("bos_token", BEGIN), ("eos_token", END)):
        mark = config.get(key)
        mark = mark.get("content") if isinstance(mark, dict) else mark
        if mark in known:
            continue
        config[key] = ours
        if ours not in known:
            numbers.append(max(numbers) + 1)
            state["added_tokens"].append(
                {
                    "id": numbers[-1],
                    "content": ours,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "special": True,
                }
            )
    return config
