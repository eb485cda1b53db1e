"""The OpenAI dialect at the border: what a request may say, and how an error is told.

Clients send many fields. Those that this server has are checked; those that would change the answer and
that it has not are refused by name, since an answer that silently ignores a schema or a tool is a wrong
answer; the rest is ignored, as everywhere.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

#: Answers that one request may ask for, over its prompts.
MAX_CHOICES = 32
#: Alternatives that may be reported beside each token.
MAX_LOGPROBS = 20

#: Fields that would change the answer, with the values that do not. Any other value is refused.
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "audio": (None,),
    "best_of": (None, 1),
    "frequency_penalty": (None, 0),
    "function_call": (None, "none"),
    "functions": (None, []),
    "logit_bias": (None, {}),
    "min_p": (None, 0),
    "presence_penalty": (None, 0),
    "repetition_penalty": (None, 1),
    "response_format": (None, {"type": "text"}),
    "suffix": (None, ""),
    "tool_choice": (None, "none", "auto"),
    "tools": (None, []),
}


class ApiError(Exception):
    """A refusal with its HTTP status and the four members of an OpenAI error."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        kind: str = "invalid_request_error",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.kind, self.headers = kind, headers or {}

    def body(self) -> dict[str, Any]:
        return error_body(self.message, kind=self.kind, param=self.param, code=self.code)


def error_body(message: str, *, kind: str, param: str | None, code: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _encodable(text: str) -> str:
    """JSON can spell half a surrogate pair, which is no text and which no tokenizer takes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds a lone surrogate, which is not text") from None
    return text


# A bound of the length stands before the check: behind it, it would speak of items, not of characters.
Text = Annotated[str, AfterValidator(_encodable)]
Stop = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_encodable)]
TokenId = Annotated[int, Field(ge=0, strict=True)]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unsupported(cls, data: object) -> object:
        if isinstance(data, dict):
            for field, neutral in UNSUPPORTED.items():
                if field in data and data[field] not in neutral:
                    raise ValueError(f"{field} is not supported by this server")
        return data


class StreamOptions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    include_usage: bool = False


class Sampling(_Request):
    """What completions and conversations have in common.

    Attributes:
        model: the id that `GET /v1/models` gives.
        truncate_prompt_tokens: keep only so many last tokens of a prompt; -1 keeps what leaves room for
            `max_tokens`. Without it a prompt that is too long is refused.
        top_k: likeliest tokens to draw from; 0 or -1 for all.
    """

    model: Text
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = 1.0
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = 1.0
    top_k: Annotated[int, Field(ge=-1)] | None = 0
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = 1
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    truncate_prompt_tokens: Annotated[int, Field(ge=-1)] | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


class CompletionRequest(Sampling):
    """`POST /v1/completions`. A prompt is a text or token ids; a list of prompts is answered one by one."""

    prompt: (
        Text
        | Annotated[list[TokenId], Field(min_length=1)]
        | Annotated[list[Text], Field(min_length=1, max_length=MAX_CHOICES)]
        | Annotated[
            list[Annotated[list[TokenId], Field(min_length=1)]], Field(min_length=1, max_length=MAX_CHOICES)
        ]
    )
    echo: bool | None = False
    logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None

    @property
    def prompts(self) -> list[str | list[int]]:
        if isinstance(self.prompt, str):
            return [self.prompt]
        if isinstance(self.prompt[0], int):
            return [[number for number in self.prompt if isinstance(number, int)]]
        return [prompt for prompt in self.prompt if not isinstance(prompt, int)]


class TextPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["text"]
    text: Text


class ChatMessage(BaseModel):
    """One turn; `developer` is the newer name of `system`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class ChatRequest(Sampling):
    """`POST /v1/chat/completions`. `max_completion_tokens` is the newer name of `max_tokens`."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=10_000)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = False
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None


class TraceRequest(BaseModel):
    """`POST /v1/trace`.

    Attributes:
        text: what to look for, usually an answer.
        prompt: what it answered; helps to rank the documents.
        min_words: length from which a match counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=200_000), AfterValidator(_encodable)]
    prompt: Annotated[str, Field(max_length=200_000), AfterValidator(_encodable)] = ""
    min_words: Annotated[int, Field(ge=1, le=1000, strict=True)] = 8
