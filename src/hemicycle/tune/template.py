"""The chat template: how a conversation is written down for a model, and which characters of it are answers.

A template is a program in Jinja, and often a stranger's. It runs in Jinja's immutable sandbox with what
`transformers` gives it, save the clock: a prompt with today's date would be other tokens tomorrow.

Which characters are answers a template may say itself, by ``{% generation %}`` around them. Where it does
not, an answer is what a rendering has more than that of the turns before it and of what asks for an answer.
That needs a template that never writes the beginning of a conversation anew once more turns follow; one that
does, since it takes earlier reasoning out, say, must say where its answers are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hemicycle.documents import ROLES
from hemicycle.errors import InputError, unparsed
from hemicycle.pretrained import read_json
from hemicycle.tune.turns import Turn

#: Of a tokenizer's folder: the file of the template, and that which may hold one or name special tokens.
TEMPLATE, CONFIG = "chat_template.jinja", "tokenizer_config.json"
DEFAULT = Path(__file__).with_name("default.jinja")
#: A longer template is none.
MAX_CHARACTERS = 1 << 20
#: Noncharacters of Unicode, which no text has: they stand around what is generated until it is found.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_GENERATION = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


@dataclass(frozen=True)
class Written:
    """A conversation as a model is given it; `answers`: first and last character of each, exclusive."""

    text: str
    answers: tuple[tuple[int, int], ...]


class Refused(Exception):
    """A template does not take this conversation; says why."""


class _Generation(jinja2.ext.Extension):
    """Keeps the place of what stands between ``{% generation %}`` and ``{% endgeneration %}``."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        line = next(parser.stream).lineno
        inside = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        around = [
            jinja2.nodes.Output([jinja2.nodes.TemplateData(sign)], lineno=line) for sign in (_OPEN, _CLOSE)
        ]
        return [around[0], *inside, around[1]]


class ChatTemplate:
    """A template with the special tokens it may write, compiled.

    Attributes:
        source: the Jinja.
        spelled: marks that it writes and no tokenizer knows, so that a text could spell them out.

    Raises InputError where the Jinja cannot be compiled.
    """

    def __init__(
        self, source: str, special: Mapping[str, str], place: str, spelled: Sequence[str] = ()
    ) -> None:
        self.source, self.spelled, self.place = source, tuple(spelled), place
        self._special = dict(special)
        self._says_where = _GENERATION.search(source) is not None
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        try:
            self._template = environment.from_string(source)
        except (jinja2.TemplateError, RecursionError) as error:
            raise InputError(
                f"the chat template cannot be compiled: {unparsed(error)}",
                place=place,
                remedy="Mend it, or take it away: then the plain template of Hemicycle is used.",
            ) from None

    def render(self, turns: Sequence[Turn], *, asks: bool = False) -> str:
        """The text of a conversation; `asks`: followed by what asks for an answer. Raises Refused."""
        return self._render(turns, asks).replace(_OPEN, "").replace(_CLOSE, "")

    def write(self, turns: Sequence[Turn]) -> Written:
        """A conversation as text, with the places of its answers.

        Raises:
            Refused: the template does not take it.
            InputError: the template does not let its answers be found.
        """
        if self._says_where:
            return _between_signs(self._render(turns, False), self.place)
        whole, answers = self.render(turns), []
        for number, turn in enumerate(turns):
            if turn.role == "assistant":
                asked = self.render(turns[:number], asks=True)
                answered = self.render(turns[: number + 1])
                if not (whole.startswith(answered) and answered.startswith(asked)):
                    raise InputError(
                        "the chat template writes the beginning of a conversation anew once more turns "
                        "follow, so that its answers cannot be found",
                        place=self.place,
                        remedy="Put {% generation %} and {% endgeneration %} around answers in the template, "
                        "or keep conversations of one question and one answer.",
                    )
                answers.append((len(asked), len(answered)))
        return Written(whole, tuple(answers))

    def _render(self, turns: Sequence[Turn], asks: bool) -> str:
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        try:
            return self._template.render(messages=messages, add_generation_prompt=asks, **self._special)
        except Exception as error:  # whatever a stranger's program does
            raise Refused(unparsed(error)) from None


def states_template(folder: Path) -> bool:
    """Whether a tokenizer's folder has a chat template of its own."""
    return (folder / TEMPLATE).is_file() or read_json(folder / CONFIG).get("chat_template") is not None


def load_template(folder: Path) -> ChatTemplate:
    """The chat template in a tokenizer's folder, else the plain one of Hemicycle.

    Raises InputError where a file is not what it should be, or names several templates and none “default”.
    """
    config = read_json(folder / CONFIG)
    special = {name: _content(config[name]) for name in _SPECIAL if config.get(name) is not None}
    file = folder / TEMPLATE
    if not states_template(folder):
        marks = [f"<|{role}|>" for role in ROLES]
        return ChatTemplate(DEFAULT.read_text("utf-8"), _needed(special, folder), str(DEFAULT), marks)
    if file.is_file():
        source, place = file.read_text("utf-8", errors="replace"), str(file)
    else:
        source, place = _stated(config["chat_template"], str(folder / CONFIG)), str(folder / CONFIG)
    if len(source) > MAX_CHARACTERS:
        raise InputError(f"the chat template has {len(source)} characters", place=place)
    return ChatTemplate(source, special, place)


def _needed(special: dict[str, str], folder: Path) -> dict[str, str]:
    """The marks that the plain template frames answers with; a tokenizer without a first one has none."""
    if "eos_token" not in special:
        raise InputError(
            "the tokenizer has neither a chat template nor an eos_token by which an answer could end",
            place=str(folder / CONFIG),
            remedy="Name a token of its vocabulary as eos_token there.",
        )
    return {"bos_token": "", **special}


def _between_signs(text: str, place: str) -> Written:
    pieces, answers, at = [], [], 0
    for number, piece in enumerate(re.split(f"[{_OPEN}{_CLOSE}]", text)):
        if number % 2:
            answers.append((at, at + len(piece)))
        pieces.append(piece)
        at += len(piece)
    if not answers:
        raise InputError("the chat template says of no text that it is generated", place=place)
    return Written("".join(pieces), tuple(answers))


def _refuse(why: str) -> None:
    raise jinja2.TemplateError(why)


def _to_json(value: Any, **how: Any) -> str:
    """As a prompt shows it: Jinja's own filter writes for HTML."""
    return json.dumps(value, **{"ensure_ascii": False, **how})


def _content(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) and "content" in token else token)


def _stated(stated: Any, place: str) -> str:
    """The template of a configuration: a text, or that called “default” of a list with names."""
    named: dict[Any, Any] = {"default": stated} if isinstance(stated, str) else {}
    if isinstance(stated, list):
        named = {one.get("name"): one.get("template") for one in stated if isinstance(one, dict)}
    source = named.get("default")
    if not isinstance(source, str):
        raise InputError(
            "chat_template is neither a text nor a list in which one is called “default”", place=place
        )
    return source
