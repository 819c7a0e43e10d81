"""Sliders: figures that are drawn in advance for every value, and live ones in a notebook."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from .._check import instance, integer, one_of, shown
from .style import as_png, as_svg

__all__ = ["Question", "Slider", "slider"]

MAX_WEIGHT = 300_000  # bytes of one slider as the reader's browser fetches it, compressed
SHARED_LENGTH = 80  # characters from which a repeated group is worth a reference


@dataclass(frozen=True)
class Question:
    """What the reader predicts before a slider opens.

    Parameters
    ----------
    text : str
        The question.
    choices : sequence of str
        From which one is picked; with none the prediction is typed.
    answer : str
        Shown with the open slider.

    Raises
    ------
    ValueError
        If a text is empty or no string, or there is one choice.
    """

    text: str
    choices: Sequence[str]
    answer: str

    def __post_init__(self) -> None:
        if not isinstance(self.choices, (tuple, list)) or len(self.choices) == 1:
            raise ValueError(f"choices = {shown(self.choices)}; allowed: none, or two and more texts")
        object.__setattr__(self, "choices", tuple(self.choices))
        named = (("text", self.text), ("answer", self.answer), *(("choices", one) for one in self.choices))
        for name, value in named:
            if not instance(name, value, str, "a text"):
                raise ValueError(f"{name} = {shown(value)}; allowed: a text")

    def html(self, key: str) -> str:
        """The question, its choices and its answer; ``slider.js`` makes them a lock.

        Parameters
        ----------
        key : str
            Prefix of the identifiers in the page.
        """
        instance("key", key, str, "a text")
        group = f'<div class="lk-question" role="group" aria-labelledby="{key}">'
        text = f'<p id="{key}"><strong>Predict first.</strong> {escape(self.text)}</p>'
        choices = "".join(
            f'<label><input type="radio" name="{key}-choice"> {escape(one)}</label>' for one in self.choices
        )
        typed = f'<label>Your prediction <input type="text" name="{key}-choice"></label>'
        button = '<button type="button" disabled hidden>Show what happens</button>'
        answer = f'<p class="lk-answer" role="status">{escape(self.answer)}</p>'
        return f'{group}{text}<div class="lk-choices">{choices or typed}</div>{button}{answer}</div>'


@dataclass(frozen=True)
class Slider:
    """A figure that moves: what `slider` returns and a notebook displays.

    Attributes
    ----------
    name : str
        Prefix of the identifiers in the page, made from the content.
    controls : tuple of (str, tuple of str)
        Label and the texts of the values, per parameter.
    frames : tuple of str
        HTML of each frame, the last parameter running fastest.
    shared : str
        HTML of what several frames draw alike; the frames refer to it.
    start : tuple of int
        Index of the first value shown, per parameter.
    png : bytes
        The first frame shown, for print.
    question : Question or None
        Asked before the frames are seen.
    """

    name: str
    controls: tuple[tuple[str, tuple[str, ...]], ...]
    frames: tuple[str, ...]
    shared: str
    start: tuple[int, ...]
    png: bytes
    question: Question | None = None

    def frame(self, *index: int) -> int:
        """Number of the frame for one index per parameter."""
        sizes = [len(texts) for _, texts in self.controls]
        return int(np.ravel_multi_index(_indices("index", index, sizes), sizes))

    def html(self) -> str:
        """The face for the site: all frames, and controls that ``slider.js`` shows and moves."""
        first = self.frame(*self.start)
        parts = [
            '<div class="lk-slider">',
            self.question.html(self.name + "-question") if self.question else "",
        ]
        parts += ['<div class="lk-stage">', self.shared]
        for number, frame in enumerate(self.frames):
            parts.append(f'<div class="lk-frame"{"" if number == first else " hidden"}>{frame}</div>')
        for number, ((label, texts), index) in enumerate(zip(self.controls, self.start, strict=True)):
            key = f"{self.name}-control-{number}"
            parts.append(
                f'<div class="lk-control" hidden><label for="{key}">{escape(label)}</label>'
                f'<input id="{key}" type="range" min="0" max="{len(texts) - 1}" step="1" value="{index}"'
                f' aria-valuetext="{escape(texts[index])}" data-texts="{escape(json.dumps(texts))}">'
                f'<output for="{key}" aria-live="off">{escape(texts[index])}</output></div>'
            )
        return "".join([*parts, "</div></div>"])

    def widget(self) -> Any:
        """The live face for JupyterLab: an ipywidgets box with one slider per parameter."""
        import ipywidgets

        picture = ipywidgets.HTML()
        bars = [
            ipywidgets.SelectionSlider(
                options=[(text, i) for i, text in enumerate(texts)],
                value=index,
                description=label,
                style={"description_width": "initial"},
                layout={"width": "36em", "max_width": "100%"},
            )
            for (label, texts), index in zip(self.controls, self.start, strict=True)
        ]

        def show(_change: object = None) -> None:
            frame = self.frames[self.frame(*(bar.value for bar in bars))]
            # A page of JupyterLab may be dark, and knows nothing of the book's style sheets.
            picture.value = f'<div style="background:#fff">{self.shared}{frame}</div>'

        for bar in bars:
            bar.observe(show, "value")
        show()
        stage = ipywidgets.VBox([picture, *bars])
        if self.question is None:
            return stage
        text = ipywidgets.HTML(f"<b>Predict first.</b> {escape(self.question.text)}")
        if self.question.choices:
            choice = ipywidgets.RadioButtons(
                options=self.question.choices, value=None, layout={"width": "max-content"}
            )
        else:
            choice = ipywidgets.Text(placeholder="your prediction, then Enter", continuous_update=False)
        stage.layout.display = "none"

        def unlock(_change: object) -> None:
            text.value += f"<br>{escape(self.question.answer)}"
            stage.layout.display = ""
            choice.disabled = True

        choice.observe(unlock, "value")
        return ipywidgets.VBox([text, choice, stage])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        faces = {"text/html": self.html(), "image/png": base64.b64encode(self.png).decode()}
        return self.widget()._repr_mimebundle_() | faces


def slider(
    draw: Callable[..., Figure],
    values: Mapping[str, Sequence[Any]],
    *,
    alt: str | Callable[..., str],
    start: int | tuple[int, ...] = 0,
    kind: Literal["svg", "png"] = "svg",
    question: Question | None = None,
) -> Slider:
    """Draw a figure for every value of one or two parameters, to be moved by the reader.

    All frames are drawn now, so the published page needs neither a kernel nor
    the network.  Let it be the last expression of its cell.  The author keeps
    the picture steady: same size, same axis limits, same legend in every frame.

    Parameters
    ----------
    draw : callable
        ``draw(value)`` or ``draw(first, second)`` makes and returns a figure.
    values : mapping of str to sequence
        The values of each parameter, at least two, by label; one or two
        parameters, passed to `draw` in this order.  Labels are plain text, Greek letters included.
    alt : str or callable
        Alternative text: ``alt(value)`` for each frame, or one text to which the values are added.
    start : int or tuple of int
        Index of the first value shown, for two parameters one each (0 means the first of both).
    kind : {"svg", "png"}
        "svg" for lines; "png", in 64 colours on white, for fields.
    question : Question, optional
        What the reader is to predict before the frames open.

    Returns
    -------
    Slider

    Raises
    ------
    ValueError
        If an argument is out of range, `draw` does not return a figure, the
        size of the figure changes, or the slider weighs more than 300 kB compressed.

    Examples
    --------
    >>> def draw(rate):
    ...     fig, ax = plt.subplots()
    ...     ax.plot([0, 1], [1, np.exp(-rate)])
    ...     ax.set(ylim=(0, 1), xlabel="time $t$", ylabel="energy $e(t)$")
    ...     return fig
    >>> picture = slider(draw, {"rate": [1, 2, 4]}, alt=lambda rate: f"Decay at rate {rate}")
    >>> len(picture.frames)
    3
    """
    instance("draw", draw, Callable, "a callable that returns a figure")
    controls = _controls(values)
    many = isinstance(start, (tuple, list))
    start = _indices("start", start if many else (start,) * len(controls), [len(c) for _, c in controls])
    one_of("kind", kind, ("svg", "png"))
    if question is not None:
        instance("question", question, Question, "a Question")
    if not (callable(alt) or (isinstance(alt, str) and alt)):
        raise ValueError(f"alt = {shown(alt)}; allowed: a text or a callable that returns one")

    pictures, alts, sizes = [], [], set()
    places = itertools.product(*(range(len(texts)) for _, texts in controls))
    for place, point in zip(places, itertools.product(*values.values()), strict=True):
        figure = draw(*point)
        if not isinstance(figure, Figure):
            raise ValueError(f"draw{shown(point)} returned {shown(figure)}; allowed: a matplotlib Figure")
        plt.close(figure)  # else the notebook displays it below the slider as well
        sizes.add(tuple(map(float, figure.get_size_inches())))
        pictures.append(as_svg(figure) if kind == "svg" else as_png(figure))
        if place == start:
            png = as_png(figure)
        now = ", ".join(f"{label} = {texts[i]}" for (label, texts), i in zip(controls, place, strict=True))
        alts.append(instance("alt", alt(*point), str, "texts") if callable(alt) else f"{alt} ({now})")
    if len(sizes) > 1:
        raise ValueError(f"draw returned figures of {sorted(sizes)} inches; allowed: one size for all frames")

    name = "lk-" + hashlib.sha256(repr((controls, alts, pictures)).encode()).hexdigest()[:8]
    if kind == "svg":
        shared, frames = _share([_parse(picture) for picture in pictures], alts, name)
    else:
        shared, frames = "", tuple(map(_img, pictures, alts))
    result = Slider(name, controls, frames, shared, start, png, question)
    weight = len(gzip.compress(result.html().encode()))
    if weight > MAX_WEIGHT:
        raise ValueError(
            f"values gives {len(frames)} frames of {weight} bytes compressed; "
            f"allowed: {MAX_WEIGHT} (fewer values or points, or the other kind)"
        )
    return result


def _controls(values: Mapping[str, Sequence[Any]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Labels and texts of the values, checked."""
    if not (isinstance(values, Mapping) and 1 <= len(values) <= 2):
        raise ValueError(f"values = {shown(values)}; allowed: a mapping of one or two labels to their values")
    for label, series in values.items():
        several = isinstance(series, (Sequence, np.ndarray)) and not isinstance(series, (str, bytes))
        if not isinstance(label, str) or not several or len(series) < 2:
            raise ValueError(
                f"values[{label!r}] = {shown(series)}; allowed: a label, and at least two values"
            )
    return tuple((label, tuple(map(_text, series))) for label, series in values.items())


def _indices(name: str, given: Sequence[int], sizes: Sequence[int]) -> tuple[int, ...]:
    """One index into each of the controls."""
    if len(given) != len(sizes):
        raise ValueError(f"{name} = {shown(given)}; allowed: one index into the values per parameter")
    return tuple(integer(name, i, least=0, most=size - 1) for i, size in zip(given, sizes, strict=True))


def _text(value: Any) -> str:
    """A value as the reader sees it: four digits and a true minus sign."""
    if isinstance(value, str):
        return value
    return f"{value:.4g}".replace("-", "−")


def _img(png: bytes, alt: str) -> str:
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def _parse(svg: str) -> Element:
    """A matplotlib SVG as a tree without name spaces, for use inside a page."""
    svg = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        element.text = element.text if (element.text or "").strip() else None
        element.tail = None
        for key in element.attrib.keys() & {"d", "x", "y"}:
            # A hundredth of a point is not seen, and six digits are most of the weight.
            short = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", element.attrib[key])
            element.set(key, " ".join(short.split()))
    return root


def _share(roots: list[Element], alts: list[str], name: str) -> tuple[str, tuple[str, ...]]:
    """Frames in which all that is referred to, or drawn alike elsewhere, is a reference.

    Matplotlib's identifiers collide between frames, and a page must not contain
    one twice; sharing by content removes both the collision and most of the weight.
    """
    shared: dict[str, str] = {}  # serialised element, without identifier: its identifier

    def define(element: Element) -> str:
        return shared.setdefault(_serial(element), f"{name}-{len(shared)}")

    for root in roots:
        # matplotlib styles "*", which would mean the whole page: let the frame's root hand it down.
        root.attrib = {key: root.attrib[key] for key in ("width", "height", "viewBox")}
        root.set("style", "stroke-linejoin:round;stroke-linecap:butt")
        renamed = {}
        for parent in list(root.iter()):
            for defs in parent.findall("defs"):
                parent.remove(defs)
                for element in defs:
                    if element.tag != "style":
                        key = element.attrib.pop("id")
                        renamed["#" + key] = "#" + define(element)
        for element in root.iter():
            element.attrib.pop("id", None)
            for key, value in element.attrib.items():
                if found := re.search(r"^#.+" if key == "href" else r"(?<=url\()#[^)]+", value):
                    element.set(key, value.replace(found[0], renamed[found[0]]))

    count = Counter(_serial(group) for root in roots for group in root.iter("g"))

    def refer(parent: Element) -> None:
        for place, child in enumerate(parent):
            text = _serial(child)
            if child.tag == "g" and count[text] > 1 and len(text) > SHARED_LENGTH:
                parent[place] = Element("use", href="#" + define(child))
            else:
                refer(child)

    frames = []
    for root, alt in zip(roots, alts, strict=True):
        refer(root)
        root.attrib |= {"role": "img", "aria-label": alt}
        frames.append(_serial(root))
    defs = "".join(re.sub(r"^<\w+", rf'\g<0> id="{key}"', text) for text, key in shared.items())
    # Not display: none, in which clip paths are lost.
    hidden = '<svg width="0" height="0" style="position:absolute" aria-hidden="true">'
    return f"{hidden}<defs>{defs}</defs></svg>", tuple(frames)


def _serial(element: Element) -> str:
    return ElementTree.tostring(element, encoding="unicode")
