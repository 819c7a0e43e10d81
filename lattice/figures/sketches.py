"""Sketches of models, drawn from the objects that are simulated.

Grey obeys Newton: beads, springs, pins, walls.  Colour acts: noises, baths and their forces.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from .._check import instance, integer, number, one_of, reals, shown
from ..chain import Bond, Chain
from ..crystal import Crystal
from ..noise import (
    Langevin,
    PairRotation,
    StretchFlip,
    ThreeSiteRotation,
    VelocityExchange,
    VelocityFlip,
    bath_sites,
    listed,
)
from .style import COLOURS

__all__ = ["arrow", "sketch"]

BEAD, SOFT = "#4d4d4d", "#8a8a8a"
RADIUS, GROUND = 0.17, -0.75  # of a bead; height of the ground, sites being one unit apart
# word, colour, and how many neighbours to the right take part
NOISES = {
    VelocityFlip: ("flip", "vermilion", 0),
    StretchFlip: ("stretch flip", "orange", 1),
    VelocityExchange: ("exchange", "green", 1),
    ThreeSiteRotation: ("rotation", "purple", 2),
    PairRotation: ("rotation", "purple", 1),
}
TILT = np.array([[1.0, 0.0], [0.0, 1.0], [0.45, 0.4]])  # where the axes of a crystal point on paper


def sketch(
    model: Chain | Crystal,
    *,
    baths: Sequence[Langevin] = (),
    noises: Sequence[object] = (),
    sites: int = 9,
    ax: Axes | None = None,
) -> Axes:
    """Draw what a simulation simulates.

    Springs are drawn where a bond has a force, pins where a pin has one, walls at fixed ends, and dots
    where the chain goes on.  Every noise is shown at one place, side by side.

    Parameters
    ----------
    model : Chain or Crystal
        What moves.
    baths : sequence of Langevin
        Of a chain: boxes with their temperatures, and an arrow for a force.
    noises : sequence of noises
        What strikes at random.
    sites : int
        Of a longer chain the first and the last are drawn, so many together; at least 4.
    ax : Axes, optional
        Where to draw; a new figure otherwise.

    Returns
    -------
    Axes
        Bead j of those drawn lies at (j, 0); a crystal's at its place.

    Raises
    ------
    ValueError
        If an argument is something else, or a crystal is given baths.
    """
    instance("model", model, (Chain, Crystal), "a Chain or a Crystal")
    sites = integer("sites", sites, least=4, most=100)
    instance("noises", noises, (list, tuple), "a list of noises")
    for noise in noises:
        instance("noises", noise, tuple(NOISES), "the noises of lattice")
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 1.5 if isinstance(model, Chain) else 3.0))
    instance("ax", ax, Axes, "axes of matplotlib")
    if isinstance(model, Crystal):
        if listed(baths):
            raise ValueError(f"baths = {shown(baths)}; allowed: none at a crystal")
        _crystal(ax, model, noises)
    else:
        _chain(ax, model, baths, noises, sites)
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str = "black",
    *,
    bend: float = 0.0,
) -> None:
    """Draw an arrow of a sketch.

    Parameters
    ----------
    ax : Axes
        Of a sketch.
    start, end : (float, float)
        Places, sites being one unit apart.
    colour : str
        A name in `COLOURS`.
    bend : float
        Below 0 the arrow bows to the left of its direction, above 0 to the right; from -2 to 2.

    Raises
    ------
    ValueError
        If a number is out of range, or there is no such colour.
    """
    instance("ax", ax, Axes, "axes of matplotlib")
    start, end = _place("start", start), _place("end", end)
    one_of("colour", colour, COLOURS)
    bend = number("bend", bend, least=-2, most=2)
    look = {"arrowstyle": "-|>", "mutation_scale": 11, "shrinkA": 0, "shrinkB": 0, "zorder": 4, "lw": 1.8}
    curve = f"arc3,rad={bend}"
    ax.add_patch(FancyArrowPatch(start, end, color=COLOURS[colour], connectionstyle=curve, **look))


def _place(name: str, place: object) -> tuple[float, float]:
    """Two coordinates, checked."""
    found = reals(name, place, ndim=1)
    if found.size != 2 or np.abs(found).max() > 1e6:
        raise ValueError(f"{name} = {shown(place)}; allowed: two numbers, at most 1e6 sites away")
    return float(found[0]), float(found[1])


def _acts(law: Bond, count: int) -> np.ndarray:
    """Where a law exerts a force."""
    parts = [law.chi, law.alpha, law.beta, np.multiply(law.J, law.m)]
    return np.any([np.broadcast_to(part, count) != 0 for part in parts], axis=0)


def _bead(ax: Axes, at: Sequence[float], radius: float = RADIUS) -> None:
    ax.add_patch(Circle(at, radius, fc=BEAD, ec="none", zorder=3))


def _spring(ax: Axes, start: Sequence[float], end: Sequence[float], turns: int = 5) -> None:
    """A coil from one place to another."""
    phase = np.linspace(0, 2 * np.pi * turns, 24 * turns + 1)
    coil = 0.12 + 0.76 * phase / phase[-1] + 0.11 * (1 - np.cos(phase)) / turns
    along, across = np.r_[0, coil, 1], np.r_[0, 0.085 * np.sin(phase), 0]
    step = np.subtract(end, start)
    side = np.array([-step[1], step[0]]) / np.hypot(*step)
    ax.plot(*(start + np.outer(along, step) + np.outer(across, side)).T, "-", color=SOFT, lw=1.1, zorder=1)


def _hatch(ax: Axes, start: Sequence[float], end: Sequence[float]) -> None:
    """A wall or the ground: a line, with short strokes to the right of its direction."""
    length = np.hypot(*np.subtract(end, start))
    step = np.subtract(end, start) / length
    stroke = 0.14 * np.array([step[1], -step[0]]) - 0.1 * step
    ax.plot(*np.transpose([start, end]), "-", color=SOFT, lw=1.6, solid_capstyle="butt")
    for s in np.arange(0.12, length, 0.16):
        ax.plot(*np.transpose([start + s * step, start + s * step + stroke]), "-", color=SOFT, lw=0.8)


def _dots(ax: Axes, at: float) -> None:
    ax.plot(at + np.array([-0.12, 0, 0.12]), np.zeros(3), ".", color=SOFT, ms=3)


def _chain(ax: Axes, chain: Chain, baths: Sequence[Langevin], noises: list, sites: int) -> None:
    where = dict(zip(bath_sites(chain, baths), baths, strict=True))
    if chain.n <= sites:
        shown_sites, gap = list(range(chain.n)), None
    else:
        gap = None if chain.periodic else (sites + 1) // 2  # before which drawn bead sites are left out
        first = sites if gap is None else gap
        shown_sites = [*range(first), *range(chain.n - sites + first, chain.n)]
    last = len(shown_sites) - 1
    pinned, springs = _acts(chain.pin, chain.n), chain._slots(_acts(chain.bond, chain.n_bonds) + 0.0)
    for x, site in enumerate(shown_sites):
        _bead(ax, (x, 0))
        if pinned[site]:
            _spring(ax, (x, -RADIUS), (x, GROUND), turns=4)
        if x == gap:
            _dots(ax, x - 0.5)
        elif x and springs[site]:
            _spring(ax, (x - 1 + RADIUS, 0), (x - RADIUS, 0))
        if site in where:
            hottest = max(bath.temperature for bath in where.values())
            _bath(ax, x, where[site], "vermilion" if where[site].temperature == hottest else "blue")
    if pinned.any():
        _hatch(ax, (-0.4, GROUND), (last + 0.4, GROUND))
    for x, end, out in ((0, chain.ends[0], -1), (last, chain.ends[1], 1)):
        if end == "fixed":
            _spring(ax, (x + out * RADIUS, 0), (x + out * 0.75, 0), turns=4)
            _hatch(ax, (x + out * 0.75, -0.4 * out), (x + out * 0.75, 0.4 * out))
        elif end == "periodic":
            _dots(ax, x + out * 0.5)
    for noise in noises:
        if isinstance(noise, PairRotation):
            raise ValueError(f"noises contains {shown(noise)}; allowed: noises of chains")
    room = max(last + 1 - sum(NOISES[type(noise)][2] + 1 for noise in noises), 0) / (len(noises) + 1)
    x = room
    for noise in noises:
        _strike(ax, round(x), noise)
        x += NOISES[type(noise)][2] + 1 + room
    low = -1.45 if where else -1.0 if pinned.any() else -0.5
    ax.set(xlim=(-1, last + 1), ylim=(low, 0.95 if noises or where else 0.5))


def _bath(ax: Axes, x: float, bath: Langevin, colour: str) -> None:
    """A box below a bead with its temperature, and what both exchange; above the bead the force."""
    box = {"boxstyle": "round,pad=0.06", "fc": COLOURS[colour], "ec": "none"}
    ax.add_patch(FancyBboxPatch((x - 0.36, -1.3), 0.72, 0.5, **box))
    ax.text(x, -1.05, f"${bath.temperature:g}$", ha="center", va="center", color="white")
    if bath.friction:
        arrow(ax, (x - 0.1, -0.7), (x - 0.1, -0.25), colour)
        arrow(ax, (x + 0.1, -0.25), (x + 0.1, -0.7), colour)
    if bath.force:
        way = 0.9 * np.sign(bath.force)
        arrow(ax, (x - way / 2, 0.45), (x + way / 2, 0.45), "black")
        ax.text(x, 0.6, "force", ha="center")


def _strike(ax: Axes, x: int, noise: object) -> None:
    """What a noise does to the bead at x, or to it and the next ones."""
    kind = type(noise)
    word, hue, width = NOISES[kind]
    ax.text(x + width / 2, 0.62, word, ha="center")
    if kind is VelocityFlip:
        arrow(ax, (x, 0.34), (x + 0.55, 0.34), hue)
        arrow(ax, (x, 0.34), (x - 0.55, 0.34), hue)
    elif kind is StretchFlip:
        arrow(ax, (x + 0.5, 0.3), (x + 0.15, 0.3), hue)
        arrow(ax, (x + 0.5, 0.3), (x + 0.85, 0.3), hue)
    else:
        for step in range(width):
            arrow(ax, (x + step + 0.1, 0.22), (x + step + 0.9, 0.22), hue, bend=-0.4)
        arrow(ax, (x + width - 0.1, -0.22), (x + 0.1, -0.22), hue, bend=-0.4 / width)


def _crystal(ax: Axes, crystal: Crystal, noises: list) -> None:
    """A corner of a crystal, with half springs where it goes on."""
    axes = TILT[: crystal.d]
    shape = ((6,), (5, 3), (4, 2, 2))[crystal.d - 1]
    places = {y: np.dot(y, axes) for y in itertools.product(*map(range, shape))}
    steps, stiffness = crystal.springs
    steps = [
        tuple(int(part) for part in step) for step, chi in zip(steps, stiffness, strict=True) if chi.any()
    ]
    for y, place in places.items():
        _bead(ax, place, 0.12)
        for step in steps:
            for sign in (1, -1):
                there = tuple(a + sign * b for a, b in zip(y, step, strict=True))
                way = sign * np.dot(step, axes)
                if there in places and sign > 0:
                    short = 0.12 * way / np.hypot(*way)
                    _spring(ax, place + short, place + way - short)
                elif there not in places:
                    ax.plot(*np.transpose([place, place + 0.4 * way]), ":", color=SOFT, lw=1.1, zorder=1)
        if crystal.pins.any():
            ax.plot(*np.transpose([place - (0, 0.12), place - (0, 0.32)]), "-", color=SOFT, lw=2)
    for noise in noises:
        if not isinstance(noise, PairRotation):
            raise ValueError(f"noises contains {shown(noise)}; allowed: PairRotation")
        centre = places[(1, *(1,) * (crystal.d - 1))]
        for up in (0.22, -0.22):
            ends = np.array([[0.1, up], [0.9, up]]) + centre
            arrow(ax, *(ends if up > 0 else ends[::-1]), "purple", bend=-0.4)
    corners = np.array(list(places.values()))
    (left, low), (right, high) = corners.min(axis=0) - 0.6, corners.max(axis=0) + 0.6
    ax.set(xlim=(left, right), ylim=(low, high))
