"""Greedy continuations of many prefixes of one length at once.

Equal lengths need neither padding nor a mask, so a batch writes what each of its rows would write alone, but
for the last bits of a sum. The model goes on whether or not it would have stopped: what comes after the mark
of an end is cut off by whoever reads it.

Shapes: B rows, K tokens of a prefix, G tokens written, V tokens of the vocabulary.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from hemicycle.errors import DeclarationError, InputError
from hemicycle.evaluate.spans import Encoder
from hemicycle.pretrained import context_of, load_pretrained
from hemicycle.tokens import load_tokenizer

Integers = npt.NDArray[np.int64]


class Writer:
    """A model of a folder with its tokenizer, on a graphics card where there is one, in fp32.

    Attributes:
        context: tokens that prefix and continuation may have together.

    Raises InputError where the folder is no such model; DeclarationError where torch is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import torch
        except ImportError as error:
            raise DeclarationError(
                f"letting a model write needs {error.name}, which is not installed",
                remedy="pip install 'hemicycle[evaluate]'",
            ) from None
        self.encoder = Encoder(folder)
        tokenizer = load_tokenizer(folder)
        marks = tokenizer.get_added_tokens_decoder()
        self._marks = np.array(sorted(n for n, token in marks.items() if token.special), np.int64)
        self._vocabulary = tokenizer.get_vocab_size(with_added_tokens=True)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = load_pretrained(folder).eval().to(self._device)
        self._place = str(folder)
        self.context = context_of(self._model.config.get_text_config())

    def write(self, ids_BK: Integers, most: int) -> Integers:
        """The `most` likeliest tokens after each row, one after the other (B, G).

        Raises InputError where the model gives no numbers.
        """
        import torch

        written, cache = [], None
        with torch.inference_mode():
            next_BK = torch.from_numpy(ids_BK).to(self._device)
            for _ in range(most):
                out = self._model(input_ids=next_BK, past_key_values=cache, use_cache=True)
                logits_BV, cache = out.logits[:, -1, : self._vocabulary], out.past_key_values
                if bool(torch.isnan(logits_BV).any()):
                    raise InputError(
                        "the model gives no number (NaN) for the probability of a token",
                        place=self._place,
                        remedy="Its training went astray or its weights are damaged: use an earlier one.",
                    )
                next_BK = logits_BV.argmax(dim=-1, keepdim=True)
                written.append(next_BK)
            return torch.cat(written, dim=1).cpu().numpy().astype(np.int64)

    def until_mark(self, ids: Integers) -> tuple[Integers, bool]:
        """Tokens up to the first mark, such as that of an end; and whether there is one."""
        marks = np.flatnonzero(np.isin(ids, self._marks))
        return (ids[: marks[0]], True) if marks.size else (ids, False)
