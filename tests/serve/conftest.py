"""A tiny Llama over byte-level BPE, random or taught one paragraph by heart, and a server on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("fastapi")

import httpx
import torch
import uvicorn
from fastapi import FastAPI
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from hemicycle.serve import Engine, create_app, load_engine

#: Written for these tests.
PARAGRAPH = (
    "La séance est ouverte. L’ordre du jour appelle la discussion du projet de loi relatif à la ressource "
    "en eau et au bon état des rivières. Chacun sait combien la Dourelle a souffert de l’été dernier\u00a0: "
    "les écluses fermées, les berges à nu, les pêcheurs sans ouvrage. Nous devons à celles et ceux qui "
    "vivent du fleuve une règle claire, la même pour tous, de la source à l’estuaire."
)

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} : {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant :{% endif %}"
)


def make_model(folder: Path, *, taught: str | None = None, chat_template: str | None = None) -> Path:
    """Save a model of two layers; `taught` is learnt by heart, so that greedy decoding recites it."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        [PARAGRAPH],
        trainers.BpeTrainer(
            vocab_size=384,
            special_tokens=["<|end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|end|>")  # type: ignore[no-untyped-call]
    tokenizer.chat_template = chat_template
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(11)
    width, context = (64, 512) if taught else (32, 128)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer) + 16,
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=context,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=0,
            # Large weights make the choices of a random model definite: equal texts then say something.
            initializer_range=0.02 if taught else 0.5,
        )
    )
    if taught:
        _teach(model, [*tokenizer.encode(taught), 0])
    model.save_pretrained(str(folder))
    return folder


def _teach(model: Any, ids: list[int]) -> None:
    """Train on one text until every next token is the likeliest by far."""
    torch.set_num_threads(1)
    row = torch.tensor([ids])
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(600):
        loss = model(input_ids=row, labels=row).loss
        if loss.item() < 0.01:
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05


#: One client for all tests: a new one reads the machine's certificates every time.
HTTP = httpx.Client(trust_env=False, verify=False, timeout=20)


@pytest.fixture(scope="session", autouse=True)
def _close_client() -> Iterator[None]:
    yield
    HTTP.close()


@pytest.fixture(scope="session")
def random_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="session")
def taught_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "petit", taught=PARAGRAPH)


@pytest.fixture(scope="session")
def random_engine(random_folder: Path) -> Engine:
    return load_engine(random_folder)


@pytest.fixture(scope="session")
def taught_engine(taught_folder: Path) -> Engine:
    return load_engine(taught_folder)


@dataclass(frozen=True)
class Served:
    """A server under way."""

    url: str
    app: FastAPI


@contextmanager
def serving() -> Iterator[Callable[..., Served]]:
    """Start applications on loopback, each with its own thread; all are stopped at the end."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(engine: Engine, **options: Any) -> Served:
        app = create_app(engine, **{"about": {}, **options})
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread))
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        return Served(f"http://127.0.0.1:{listener.getsockname()[1]}", app)

    yield start
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join(timeout=10)


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Servers for one test."""
    with serving() as start:
        yield start


@pytest.fixture(scope="session")
def taught_server(taught_engine: Engine) -> Iterator[Served]:
    with serving() as start:
        yield start(taught_engine, about={"title": "petit", "model_digest": "abc"})


@pytest.fixture(scope="session")
def random_server(random_engine: Engine) -> Iterator[Served]:
    with serving() as start:
        yield start(random_engine)
