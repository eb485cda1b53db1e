"""An index of tokens: the same arrays over a tokenizer's numbers, its spans between whole words."""

import random
import struct
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from hemicycle.documents import Document
from hemicycle.errors import InputError, IntegrityError
from hemicycle.trace import Tracer
from hemicycle.trace import cut as cut_module
from hemicycle.trace.build import build_index
from hemicycle.trace.cut import Cut
from hemicycle.trace.index import open_index
from hemicycle.trace.query import read_query, word_borders
from hemicycle.trace.spans import find_spans

WORDS = "la séance est ouverte monsieur le président œuvre législative 🙂 l'ordre du jour budget été".split()


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Path:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator([" ".join(WORDS)] * 5, trainer)
    folder = tmp_path_factory.mktemp("tokenizer")
    made.save(str(folder / "tokenizer.json"))
    return folder


def texts(seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randrange(1, 60))) for _ in range(12)]


@pytest.fixture(params=[10**9, 20 * 150], ids=["one shard", "several"])
def index(tmp_path, write_corpus, tokenizer, request):
    documents = [Document(str(i), text) for i, text in enumerate(texts(1))]
    corpus = write_corpus(tmp_path / "corpus", {"s": documents})
    build_index([corpus], tmp_path / "index", tokenizer=tokenizer, memory=request.param)
    return open_index(tmp_path / "index")


def test_the_arrays_are_those_of_infini_gram(index):
    folder, cut = index.folder, Cut(index.folder / "tokenizer.json")
    assert index.unit == "tokens"
    data = b"".join(b"\xff\xff" + cut.read(text)[0].tobytes() for text in texts(1))
    assert b"".join((folder / f"tokenized.{n}").read_bytes() for n in range(len(index.shards))) == data
    for number, shard in enumerate(index.shards):
        raw = shard.words.tobytes()
        order = sorted(range(0, len(raw), 2), key=lambda at, raw=raw: raw[at:])
        width = shard.width
        assert (folder / f"table.{number}").read_bytes() == b"".join(
            at.to_bytes(width, "little") for at in order
        )
        begins = [at for at in range(0, len(raw), 2) if raw[at : at + 2] == b"\xff\xff"]
        assert (folder / f"offset.{number}").read_bytes() == struct.pack(f"<{len(begins)}Q", *begins)


@pytest.mark.parametrize("seed", range(20))
def test_spans_are_those_found_by_looking(index, seed):
    rng = random.Random(seed)
    text = " ".join(rng.choice(texts(1))[rng.randrange(9) :] + rng.choice("s x") for _ in range(4))
    query = read_query(index, text)
    asked = query.ids[0].tolist()
    held = [index.tokenizer.read(each)[0].tolist() for each in texts(1)]

    def count(stretch):
        n = len(stretch)
        return sum(d[i : i + n] == stretch for d in held for i in range(len(d) - n + 1))

    expected, reached = [], 0
    for start in range(len(asked)):
        if not query.begins[start]:
            continue
        stop = start
        while stop < len(asked) and count(asked[start : stop + 1]):
            stop += 1
        while stop > start and not query.closes[stop - 1]:
            stop -= 1
        if stop > max(start, reached):
            reached = stop
            if stop - start >= 3:
                expected.append((start, stop - start, count(asked[start:stop])))
    assert [(s.first_word, s.words, s.count) for s in find_spans(index, text, 3)] == expected


def test_a_span_holds_whole_words_and_whole_characters():
    text = "l'été 🙂"
    starts, ends = np.array([0, 1, 2, 3, 4, 5, 6, 6]), np.array([1, 2, 3, 4, 5, 6, 7, 7])
    begins, closes = word_borders(text, starts, ends)
    assert begins.tolist() == [True, True, True, False, False, True, True, False]
    assert closes.tolist() == [True, True, False, False, True, True, False, True]


def test_a_trace_of_tokens_shows_what_matched(tmp_path, index):
    text = next(each for each in texts(1) if len(each.split()) > 30)
    result = Tracer(index, [tmp_path / "corpus"]).trace(text, max_count=None)
    assert result.coverage == 1
    document = result.spans[0].documents[0]
    assert document.excerpt[document.needle_start : document.needle_end].strip() == text.strip()


def test_many_tokens_take_wider_numbers(tmp_path, write_corpus, tokenizer, monkeypatch):
    monkeypatch.setattr(cut_module, "NARROW", 100)
    corpus = write_corpus(tmp_path / "corpus", {"s": [Document("1", texts(2)[0])]})
    build_index([corpus], tmp_path / "index", tokenizer=tokenizer)
    index = open_index(tmp_path / "index")
    assert index.shards[0].words.dtype == np.uint32
    assert find_spans(index, texts(2)[0], 1)[0].count == 1


def test_what_is_no_tokenizer_is_refused(tmp_path, write_corpus):
    (tmp_path / "tokenizer.json").write_text("{}")
    corpus = write_corpus(tmp_path / "corpus", {"s": [Document("1", "un")]})
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        build_index([corpus], tmp_path / "index", tokenizer=tmp_path)


def test_an_altered_tokenizer_is_refused_by_name(index):
    (index.folder / "tokenizer.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"tokenizer\.json"):
        open_index(index.folder)
