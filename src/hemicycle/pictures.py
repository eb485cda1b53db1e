"""Pictures that people look at, drawn by matplotlib: begun and written here, whatever is on them.

Without pyplot, which keeps global state; and written without the library's version and address, so that equal
figures give equal bytes with one version of it. The trap is a name from outside: a dollar in it would begin a
formula, so labels are set with `parse_math=False`.
"""

from __future__ import annotations

import importlib.util
import io
from typing import TYPE_CHECKING

from hemicycle.errors import DeclarationError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float, extra: str, dpi: int = 110) -> Figure:
    """An empty picture, sizes in inches. Raises DeclarationError without matplotlib, which `extra` brings."""
    if importlib.util.find_spec("matplotlib") is None:
        raise DeclarationError(
            "the picture needs matplotlib, which is not installed",
            remedy=f"pip install 'hemicycle[{extra}]'",
        )
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=dpi, layout="constrained")


def png_of(figure: Figure) -> bytes:
    """The picture as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
