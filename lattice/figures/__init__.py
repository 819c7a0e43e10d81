"""The book's figure style, its sliders and its sketches of models; imported by the chapters only.

A chapter starts with ``figures.use_style()``.  Everything else is plain
matplotlib, with these habits.

*A figure* is a cell that makes one figure, with its caption, name and
alternative text in the metadata of the cell::

    ```{code-cell}
    ---
    mystnb:
      image:
        alt: The measured points follow the line from 0 to 1.
      figure:
        name: fig-decay
        caption: |
          What to see, with mathematics: $\\omega(k)$ has a gap.
    ---
    fig, ax = plt.subplots()
    ax.plot(k, omega, label="ω");
    ```

and is cited as ``{numref}`fig-decay```.  Quote the alternative text if it
contains a colon.  The cell must end in nothing but the figure (end the last
line with a semicolon), because every output of the cell becomes a figure.
Colours are inverted for dark pages by a style sheet: lightness flips, hue stays.
A picture whose colours carry a scale (``imshow``, ``pcolormesh``) says
``classes: field`` below ``image:`` and keeps its colours, on a white card;
use ``rasterized=True`` for its mesh.

*A slider* is a cell that ends in a call of `slider`.  Its ``figure`` metadata are
the same; the alternative text is an argument, since each frame has its own.  With a
`Question` it opens after the reader has made a prediction.

*A sketch* draws a model from the objects that are simulated: ``figures.sketch(chain)``.

*A number in the prose* needs nothing from here: ``glue("kappa", 0.3821,
display=False)`` of ``myst_nb`` and ``{glue:text}`kappa:.3f```; for an estimate, glue
``str(estimate)`` and write ``{glue:text}`kappa```.
"""

try:
    from .sketches import arrow, sketch
    from .sliders import Question, Slider, slider
    from .style import COLOURS, MARKERS, STYLE, errorbar, use_style
except ModuleNotFoundError as error:
    if error.name.partition(".")[0] != "matplotlib":
        raise
    remedy = "lattice.figures needs matplotlib and ipywidgets: pip install 'lattice-kinetics[figures]'"
    raise ModuleNotFoundError(remedy, name=error.name) from error

__all__ = [
    "COLOURS",
    "MARKERS",
    "STYLE",
    "Question",
    "Slider",
    "arrow",
    "errorbar",
    "sketch",
    "slider",
    "use_style",
]
