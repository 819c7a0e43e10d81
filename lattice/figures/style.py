"""The style of the book's figures, and error bars."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import textpath
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.mathtext import MathTextParser

from .._check import instance, reals, shown
from ..estimate import Estimate

__all__ = ["COLOURS", "MARKERS", "STYLE", "errorbar", "use_style"]

#: The colours of Okabe and Ito.  The first five have a contrast of at least 3 with the
#: page, light or dark, and are the cycle of the lines; the last three are for areas.
COLOURS = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
}
LINES = ("blue", "vermilion", "green", "purple", "black")
# Four of the five colours print in nearly the same grey: dashes and markers tell them apart.
DASHES = ("-", "--", "-.", ":", (0, (7, 2)))
MARKERS = ("o", "s", "^", "D", "v")
INK = "#222222"
# The serif of the pages; its licence stands beside it and says how it was made.
fontManager.addfont(Path(__file__).with_name("LatticeSerif-Regular.ttf"))

#: The matplotlib parameters of the book.  6.4 inches are 614 pixels in the column, and on
#: a phone 358 pixels, where 13.5 points are 10 pixels: no label is smaller.
STYLE: dict[str, Any] = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.prop_cycle": mpl.cycler(color=[COLOURS[name] for name in LINES], linestyle=DASHES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "errorbar.capsize": 2.5,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "figure.figsize": (6.0, 3.6),
    "font.family": ["Lattice Serif", "DejaVu Serif"],
    "font.size": 13.5,
    "grid.color": INK,
    "image.cmap": "viridis",
    "legend.fontsize": "medium",
    "legend.frameon": False,
    "legend.handlelength": 2.3,
    "legend.labelspacing": 0.3,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "mathtext.fontset": "cm",
    "savefig.facecolor": "auto",
    "svg.fonttype": "path",
    # Identifiers made from the content and this salt: the same figure is the same file.
    "svg.hashsalt": "lattice",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


class Formulas(MathTextParser):
    """A parser that knows every formula it has seen.

    Matplotlib makes a new one for each file and again for its layout: two thirds of the time of a
    figure would go into parsing the same labels.
    """

    def __init__(self) -> None:
        super().__init__("path")
        self.known: dict[tuple[Any, ...], Any] = {}

    def parse(self, s: str, dpi: float = 72, prop: Any = None, **options: Any) -> Any:
        key = s, dpi, prop and prop.copy()  # fonts can be changed later
        if key not in self.known:
            self.known[key] = super().parse(s, dpi, prop, **options)
        return self.known[key]


def use_style() -> None:
    """Apply the book's style to all figures made from now on.

    In a notebook figures are moreover displayed as SVG (site, JupyterLab) and
    PDF (print), at the size they were made, with no date inside.
    """
    import IPython
    import matplotlib_inline.backend_inline  # noqa: F401  (loaded later, it would choose the formats again)
    from IPython.core.pylabtools import select_figure_formats

    mpl.rcParams.update(STYLE)
    formulas = Formulas()
    textpath.MathTextParser = lambda _output: formulas  # type: ignore[assignment,misc]
    shell = IPython.get_ipython()
    if shell is None:
        return
    select_figure_formats(shell, ())
    formatters = shell.display_formatter.formatters
    formatters["image/svg+xml"].for_type(Figure, as_svg)
    formatters["application/pdf"].for_type(Figure, as_pdf)


def errorbar(
    ax: Axes, x: Sequence[float], estimates: Estimate | Iterable[Estimate], **options: Any
) -> ErrorbarContainer:
    """Draw estimates as markers with bars of one standard error.

    The j-th call on the same axes takes the colour of the j-th line and a marker of
    its own, so that a theory and its measurement match.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    x : (n,) sequence of float
        Abscissae.
    estimates : Estimate or iterable of Estimate
        n of them, or one holding n values.
    **options
        Passed on to ``Axes.errorbar``, for example ``label``.

    Returns
    -------
    ErrorbarContainer

    Raises
    ------
    ValueError
        If there are not as many estimates as abscissae, or an argument is something else.
    """
    instance("ax", ax, Axes, "axes of matplotlib")
    x = reals("x", x, ndim=1)
    try:
        each = (estimates,) if isinstance(estimates, Estimate) else tuple(estimates)
    except TypeError:
        each = ()
    if not each or not all(isinstance(estimate, Estimate) for estimate in each):
        raise ValueError(f"estimates = {shown(estimates)}; allowed: an Estimate, or some of them")
    value = np.concatenate([np.atleast_1d(estimate.value) for estimate in each])
    stderr = np.concatenate([np.atleast_1d(estimate.stderr) for estimate in each])
    if len(value) != len(x):
        raise ValueError(f"estimates holds {len(value)} values and x {len(x)}; allowed: one per abscissa")
    turn = sum(isinstance(container, ErrorbarContainer) for container in ax.containers) % len(LINES)
    look = {"color": COLOURS[LINES[turn]], "marker": MARKERS[turn], "linestyle": "none"}
    return ax.errorbar(x, value, yerr=stderr, **(look | options))


def _printed(figure: Figure, canvas: type[FigureCanvasBase], kind: str, **options: Any) -> io.BytesIO:
    """What ``Figure.savefig`` writes, drawn once: that draws figures with a layout twice."""
    stream, before, dpi = io.BytesIO(), figure.canvas, figure.dpi
    try:
        getattr(canvas(figure), f"print_{kind}")(stream, **options)
    finally:
        figure.set_canvas(before)
        figure.dpi = dpi
    return stream


def as_svg(figure: Figure) -> str:
    return _printed(figure, FigureCanvasSVG, "svg", metadata={"Date": None}).getvalue().decode()


def as_pdf(figure: Figure) -> bytes:
    return _printed(figure, FigureCanvasPdf, "pdf", metadata={"CreationDate": None}).getvalue()


def as_png(figure: Figure) -> bytes:
    """The figure on white in 64 colours: a third of the weight, and no difference to see."""
    from PIL import Image

    stream, small = io.BytesIO(), io.BytesIO()
    figure.savefig(stream, format="png", dpi=160, facecolor="white")
    Image.open(stream).convert("RGB").quantize(64).save(small, format="png", optimize=True)
    return small.getvalue()
