"""One run over several sites at once: what they exchange, and what they wait for it.

Each site trains on its own share of the tokens and, every so many steps, all of them average what they moved
by (DiLoCo: Douillard et al. 2023, arXiv 2311.08105). A ring of K sites sends 2 (K - 1) / K times the weights
from each (Patarasu and Yuan 2009, section 2), here in eight bits. Nothing is taken to overlap, so the wait is
an upper bound; what the model loses by it is not counted (docs/plan.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hemicycle.units import Quantity, number, of

#: Of a weight's movement on its way.
BYTES = 1.0


@dataclass(frozen=True)
class Exchange:
    """What sites exchange.

    Attributes:
        gigabytes: that each sends at one exchange.
        seconds: that one takes over the slowest link.
        share: of the wall clock that goes to it.
    """

    gigabytes: float
    seconds: float
    share: float


def exchange(
    parameters: float, networks: Sequence[Quantity], tokens_per_second: float, batch_tokens: float, every: int
) -> Exchange:
    """What a run of so many parameters exchanges.

    Args:
        networks: of each site to the others.
        tokens_per_second: of all sites together.
        batch_tokens: of one step of all of them.
        every: steps from one exchange to the next.
    """
    sites = len(networks)
    sent = of(2 * (sites - 1) / sites * parameters * BYTES, "byte")
    seconds = number(sent / min(networks), "s")
    work = every * batch_tokens / tokens_per_second
    return Exchange(number(sent, "gigabyte"), seconds, seconds / (seconds + work))
