"""Cutting: strata into rows, each once however many phases read it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hemicycle.errors import InputError
from hemicycle.tokens.megatron import shard_tokens
from hemicycle.tokens.rows import Integers
from hemicycle.tokens.schedule import Phase
from hemicycle.tokens.strata import Stratum, stratify

#: A plan has fewer rows than this: their numbers are stored in 32 bits.
ROWS_BOUND = 2**32


class Cutter:
    """Makes the cuttings that phases ask for, and numbers their rows one after another.

    Args:
        tokens: corpus → its tokens artefact, in the order of the addresses.
        revocable: sources whose documents are strata of their own.

    Attributes:
        cuttings: corpus, label and so on of each; `first_row` and the number of its `rows`; `begin`, where
            its stream begins in the line of all; `first_bound`, where its rows begin among the bounds of
            those that are looked up; `padding` and `cut`, places without a token and documents in several
            rows when each row is read once.
    """

    def __init__(self, tokens: Mapping[str, Path], revocable: Collection[str]) -> None:
        self._tokens, self._revocable = tokens, revocable
        self._bases, base = {}, 0
        for name, folder in tokens.items():
            self._bases[name] = base
            base += sum(shard_tokens(folder))
        self.cuttings: list[dict[str, Any]] = []
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._streams: dict[tuple[Any, ...], int] = {}
        self._rows, self._line, self._held, self._held_bounds = 0, 0, 0, 0
        self._segments: list[tuple[Integers, Integers]] = []
        self._pieces: list[tuple[Integers, Integers]] = []
        self._bounds: list[Integers] = []

    def cut(self, corpus: str, phase: Phase) -> tuple[list[int], dict[str, dict[str, int]]]:
        """Numbers of the cuttings that a phase reads of a corpus, and documents and tokens of the labels that
        its mix leaves out. Raises InputError where there are more rows than can be numbered."""
        strata, unused = stratify(self._tokens[corpus], phase.mix, self._revocable)
        by = phase.mix.by if phase.mix else None
        return [self._cutting(corpus, by, stratum, phase) for stratum in strata], unused

    def _cutting(self, corpus: str, by: str | None, stratum: Stratum, phase: Phase) -> int:
        stream = (corpus, by, stratum.label, stratum.revocable)
        key = (*stream, phase.context, phase.packing)
        if key in self._numbers:
            return self._numbers[key]
        if stream not in self._streams:
            self._streams[stream] = self._line
            begins, tokens = stratum.segments()
            self._segments.append((begins + self._bases[corpus], tokens))
            self._line += stratum.length
        rows, padding, cut = self._make(stratum, self._bases[corpus], phase)
        self._numbers[key] = len(self.cuttings)
        self.cuttings.append(
            {
                "corpus": corpus,
                "by": by,
                "label": stratum.label,
                "revocable": stratum.revocable,
                "context": phase.context,
                "packing": phase.packing,
                "documents": len(stratum.begins),
                "tokens": stratum.length,
                "begin": self._streams[stream],
                "first_row": self._rows,
                "rows": rows,
                "first_bound": self._held_bounds,
                "padding": padding,
                "cut": cut,
            }
        )
        self._rows += rows
        if phase.packing != "split":
            self._held_bounds += rows
        if self._rows >= ROWS_BOUND:
            raise InputError(
                f"the run has {self._rows} rows or more; a plan numbers fewer than {ROWS_BOUND}",
                place=", ".join(map(str, self._tokens.values())),
                remedy="Declare a larger context, or fewer sources.",
            )
        return self._numbers[key]

    def _make(self, stratum: Stratum, base: int, phase: Phase) -> tuple[int, int, int]:
        """Rows of a stratum, places in them without a token, and documents that stand in several."""
        context, length = phase.context, stratum.length
        if phase.packing == "split":
            rows = max(0, -(-(length - 1) // context))
            places = np.cumsum(stratum.tokens) - stratum.tokens
            cut = int((places + stratum.tokens - 1 > (places // context + 1) * context).sum())
            return rows, rows * context - min(length, rows * context), cut
        # It loads numba, which a plan that only splits has no use for.
        from hemicycle.tokens.packing import pack

        packed = pack(stratum.begins + base, stratum.tokens, context, fill=phase.packing == "best-fit")
        self._pieces.append((packed.begins, packed.tokens))
        self._bounds.append(packed.bounds[:-1] + self._held)
        self._held += len(packed.begins)
        held = np.add.reduceat(packed.tokens, packed.bounds[:-1])
        return len(held), int((context - np.minimum(held, context)).sum()), packed.cut

    def save(self, out: Path) -> None:
        """Write the arrays that `Rows.open` reads, but for the documents."""
        nothing = np.zeros(0, np.int64)
        address, tokens = (np.concatenate([nothing, *(s[i] for s in self._segments)]) for i in (0, 1))
        line = np.concatenate([[0], np.cumsum(tokens)])
        np.save(out / "segments.npy", np.stack([line, np.append(address, 0)]))
        pieces = [np.concatenate([nothing, *(p[i] for p in self._pieces)]) for i in (0, 1)]
        np.save(out / "pieces.npy", np.stack(pieces))
        np.save(out / "bounds.npy", np.concatenate([nothing, *self._bounds, [self._held]]))
