"""Flags: what of a plan or of a finished run should make somebody look twice, with rule and remedy."""

from __future__ import annotations

from dataclasses import asdict, dataclass

#: Shares of the peak by 6 N D: below the first something is broken, below the second badly set; above the
#: third the peak or the count is wrong, as no published 16-bit training comes near it.
MFU_TOO_LOW, MFU_LOW, MFU_TOO_HIGH = 0.10, 0.20, 0.60
#: Two documents of one run may differ by rounding and by what they count, not by more.
HOURS_DIFFER = 0.05
#: Whole projects took at least so many times their final run.
LEAST_SLACK = 1.3


@dataclass(frozen=True)
class Flag:
    """A name for programs, a sentence for people, and what to do."""

    name: str
    sentence: str
    remedy: str

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def utilisation_flag(share: float) -> Flag | None:
    """Of a share of the peak by 6 N D, in 16-bit arithmetic."""
    if share < MFU_TOO_LOW:
        return Flag(
            "MFU_TOO_LOW",
            f"{share:.1%} of the chips' peak: other trainings on them reach three to four times as much",
            "Stop, and look for blocking launches, recomputation that is not needed and a model cut into too "
            "many pieces before going on.",
        )
    if share < MFU_LOW:
        return Flag(
            "MFU_LOW",
            f"{share:.1%} of the chips' peak: other trainings on them reach about twice as much",
            "Profile a hundred steps; see the causes that `hemicycle watch` lists.",
        )
    if share > MFU_TOO_HIGH:
        return Flag(
            "MFU_TOO_HIGH",
            f"{share:.1%} of the chips' peak: no published training in 16 bits reaches that",
            "Check the peak (dense, not sparse), the hours (of cards, not of nodes) and the tokens.",
        )
    return None


def hours_flag(hours: float, elsewhere: float) -> Flag | None:
    """Of GPU-hours in two places."""
    if abs(elsewhere / hours - 1) <= HOURS_DIFFER:
        return None
    return Flag(
        "GPU_HOURS_MISMATCH",
        f"{hours:,.0f} GPU-hours in one place and {elsewhere:,.0f} in another ({elsewhere / hours - 1:+.0%})",
        "Say what each of them counts: failed jobs, stages, evaluation.",
    )


def unit_flag(gpu_hours: float, wall_hours: float, gpus: int | None) -> Flag | None:
    """Of GPU-hours that are no such number of cards times the wall clock: one is of nodes, or partial."""
    implied = gpu_hours / wall_hours
    if gpus is None or 0.5 <= implied / gpus <= 1.1:
        return None
    return Flag(
        "UNIT_MISMATCH",
        f"{gpu_hours:,.0f} GPU-hours in {wall_hours:,.0f} hours are {implied:,.0f} cards at once, and "
        f"{gpus:,} are declared",
        "Check whether the hours are of nodes, and whether the wall clock is of the whole run.",
    )
