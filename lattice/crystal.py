r"""Harmonic crystals in one, two and three dimensions.

Every site y of a torus has a displacement and a momentum with d components or more.  If all of them feel the
same springs, all polarisations of a wave have one frequency: with bonds between neighbours the energy is (45)
of Basile, Olla and Spohn, with bonds to other sites too it is that of their couplings α.  Springs that resist
being stretched more than being turned, or pins that differ, give each component a frequency of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._check import brief, finite, instance, integer, number, reals, shown, work
from .chain import MOST_SITES, Bond, Pin, canonical, law_of

__all__ = ["Crystal"]

MOST_NUMBERS = 1e10  # of a field: 80 GB


def _stiffness(name: str, law: object, kind: type[Bond]) -> float:
    """The χ of a harmonic law that is the same everywhere."""
    law_of(name, law, kind)
    if not law.is_harmonic or np.ndim(law.chi):
        raise ValueError(f"{name} = {shown(law)}; allowed: a harmonic {kind.__name__} with one chi")
    return number(f"{name}.chi", law.chi, least=0)


def _pair(name: str, laws: tuple, components: int) -> tuple[Bond, Bond]:
    """The laws (along, across) of one spring, checked."""
    if len(laws) != 2 or components < 2:
        raise ValueError(
            f"{name} = {shown(laws)} with components = {components}; allowed: one Bond, or a pair "
            "(along, across) if there are at least 2 components"
        )
    for part, law in zip(("along", "across"), laws, strict=True):
        _stiffness(f"{name} {part}", law, Bond)
    return tuple(laws)


def _frame(step: tuple[int, ...], components: int) -> NDArray[np.float64]:
    """Orthonormal rows, the first along a step or against it; exact if that is an axis (a reflection)."""
    normal = np.zeros(components)
    normal[: len(step)] = np.array(step) / math.sqrt(sum(part * part for part in step))
    normal[0] += math.copysign(1.0, normal[0])
    return np.eye(components) - np.outer(normal, normal) * (2 / (normal @ normal))


def _step(z: object, shape: tuple[int, ...]) -> tuple[int, ...]:
    """From a site to the one at the other end of a bond: d integers that do not lead back to the site."""
    whole = z if isinstance(z, tuple) else (z,)
    if len(whole) != len(shape):
        raise ValueError(f"bond has the step {shown(z)}; allowed: {len(shape)} integers")
    whole = tuple(integer("bond step", part, least=-n, most=n) for part, n in zip(whole, shape, strict=True))
    if not any(part % n for part, n in zip(whole, shape, strict=True)):
        raise ValueError(f"bond has the step {shown(z)}, which leads back; allowed: to another site")
    return whole


@dataclass(frozen=True)
class Crystal:
    r"""A harmonic crystal on a torus; crystals with the same shape and laws are equal.

    .. math:: H = \frac12 \sum_y |p_y|^2 + \frac{\omega_0^2}2 \sum_y |q_y|^2
              + \frac12 \sum_z \chi_z \sum_y |q_{y + z} - q_y|^2

    or, with springs that are pairs and with :math:`e = z/|z|` and :math:`r = q_{y+z} - q_y`, in place of
    :math:`\chi_z |r|^2`

    .. math:: \chi_z^{\text{along}} (e \cdot r)^2 + \chi_z^{\text{across}} \bigl(|r|^2 - (e \cdot r)^2\bigr) .

    Parameters
    ----------
    shape : tuple of int
        Sites along each of d = 1, 2 or 3 directions, at least 3.
    bond : Bond, or dict of steps to Bonds or to pairs of Bonds
        Between nearest neighbours in every direction, stiffness 1 by default; or which bonds a site has, as
        ``{(1, 0): Bond(chi=1.0), (1, 1): Bond(chi=0.5)}``, kept as a tuple of pairs.  A step z stands for -z
        too.  Instead of one Bond for all components a step may have two, ``(along, across)``: the first for
        displacements along the step, the second for those across.
    pin : Pin or tuple of Pins
        Of stiffness ω₀², none by default; or one for each component.
    components : int, optional
        Of a displacement, from d, the default, to 3; the first d are those along the axes of the torus.
        ``Crystal((n,), {1: (Bond(chi=4.0), Bond(chi=1.0))}, components=2)`` is a chain that moves in a plane.

    Raises
    ------
    ValueError
        If a number is not as stated, or a law is not harmonic, depends on the place or has a negative
        stiffness; if there is a pair but only one component, or not a pin for each component.

    Notes
    -----
    Bond and pin are the laws of a chain, so that ω₀² is written in one way, `Pin(chi=ω₀²)`, and laws with
    other terms can follow; the motion of a crystal is exact today, and hence harmonic.
    """

    shape: tuple[int, ...]
    bond: Bond | Mapping[int | tuple[int, ...], Bond | tuple[Bond, Bond]] | tuple = Bond(chi=1.0)
    pin: Pin | tuple[Pin, ...] = Pin()
    components: int | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        text = brief(self)
        return text if self.components == self.d else f"{text[:-1]}, components={self.components})"

    def __post_init__(self) -> None:
        if not isinstance(self.shape, (tuple, list)) or len(self.shape) not in (1, 2, 3):
            raise ValueError(f"shape = {shown(self.shape)}; allowed: 1 to 3 integers of at least 3")
        shape = tuple(integer("shape", n, least=3, most=MOST_SITES) for n in self.shape)
        work("shape", shape, math.prod(shape), MOST_NUMBERS)
        object.__setattr__(self, "shape", shape)
        if self.components is None:
            object.__setattr__(self, "components", self.d)
        components = integer("components", self.components, least=1, most=3)
        if components < self.d:
            raise ValueError(
                f"components = {components} with shape = {shape}; allowed: an integer from {self.d} to 3"
            )
        if isinstance(self.pin, (tuple, list)):
            object.__setattr__(self, "pin", tuple(self.pin))
            if len(self.pin) != components:
                raise ValueError(f"pin = {shown(self.pin)}; allowed: a Pin, or {components} of them")
            for i, pin in enumerate(self.pin):
                _stiffness(f"pin {i}", pin, Pin)
        else:
            _stiffness("pin", self.pin, Pin)
        if isinstance(self.bond, Bond):
            _stiffness("bond", self.bond, Bond)
            return
        try:
            given = dict(self.bond)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"bond = {shown(self.bond)}; allowed: a Bond, or a dict of steps to Bonds"
            ) from error
        bonds, seen = {}, set()
        for step, law in given.items():
            z = _step(step, shape)
            if isinstance(law, tuple):
                law = _pair(f"bond {z}", law, components)
            else:
                _stiffness(f"bond {z}", law, Bond)
            end, start = (tuple(np.mod(np.multiply(sign, z), shape).tolist()) for sign in (1, -1))
            if end in seen:
                raise ValueError(f"bond has the step {z} twice; allowed: once, with z for -z too")
            seen |= {end, start}
            bonds[z] = law
        if not bonds:
            raise ValueError("bond = {}; allowed: at least one step")
        object.__setattr__(self, "bond", tuple(sorted(bonds.items(), key=lambda item: item[0])))

    @property
    def n(self) -> int:
        """Number of sites."""
        return math.prod(self.shape)

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def is_scalar(self) -> bool:
        """Whether all components feel the same springs and the same pin: no pair, and one Pin."""
        pairs = not isinstance(self.bond, Bond) and any(isinstance(law, tuple) for _, law in self.bond)
        return isinstance(self.pin, Pin) and not pairs

    @property
    def mixes(self) -> bool:
        """Whether springs couple different components; if not, each component is a branch of waves."""
        return not self.is_scalar and bool((np.count_nonzero(self.rods[2], axis=1) > 1).any())

    @property
    def springs(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The steps z, shape (springs, d), and their stiffnesses χ.

        Of a scalar crystal (springs,), of others (springs, 2): along and across.
        """
        if isinstance(self.bond, Bond):
            bonds = [(tuple(z), self.bond) for z in np.eye(self.d, dtype=np.int64).tolist()]
        else:
            bonds = self.bond
        steps, laws = zip(*bonds, strict=True)
        if self.is_scalar:
            return np.array(steps), np.array([law.chi for law in laws])
        pairs = [law if isinstance(law, tuple) else (law, law) for law in laws]
        return np.array(steps), np.array([(along.chi, across.chi) for along, across in pairs])

    @property
    def rods(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        r"""The springs as springs of one direction u each, with the energies :math:`\chi (u \cdot r)^2/2`.

        The steps (rods, d), the stiffnesses χ (rods,) and the unit vectors u (rods, components): for each
        spring as many as there are components, orthogonal to each other.
        """
        steps, stiffness = self.springs
        c = self.components
        pairs = stiffness if stiffness.ndim == 2 else np.stack([stiffness, stiffness], axis=1)
        frames = [
            np.eye(c) if along == across else _frame(tuple(z), c)
            for z, (along, across) in zip(steps.tolist(), pairs, strict=True)
        ]
        chi = pairs[:, np.minimum(np.arange(c), 1)]
        return np.repeat(steps, c, axis=0), chi.ravel(), np.concatenate(frames)

    @property
    def pins(self) -> NDArray[np.float64]:
        """The stiffnesses ω₀² of the pin of each component, shape (components,)."""
        each = self.pin if isinstance(self.pin, tuple) else (self.pin,) * self.components
        return np.array([pin.chi for pin in each])

    @property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Both sites of all pairs of nearest neighbours, as flat indices."""
        sites = np.arange(self.n).reshape(self.shape)
        second = [np.roll(sites, -1, axis=i).ravel() for i in range(self.d)]
        return np.tile(sites.ravel(), self.d), np.concatenate(second)

    def on_sites(self, name: str, values: ArrayLike) -> NDArray[np.float64]:
        """Values on the sites, checked to be finite and to have shape ``(..., *shape)``.

        Those of a crystal that is not scalar have shape ``(..., components, *shape)``.
        """
        values = reals(instance("name", name, str, "a string"), values)
        shape = self.shape if self.is_scalar else (self.components, *self.shape)
        if values.shape[-len(shape) :] != shape:
            raise ValueError(f"{name} has shape {values.shape}; allowed: (..., *{shape})")
        return values

    @finite
    def energy(self, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
        """The energy, shape (...), of displacements and momenta ``(..., components, *shape)``.

        Raises
        ------
        ValueError
            If the shapes do not fit, an entry is not finite, or the energy is beyond the floats.
        """
        q, p = canonical(self, q, p)
        if q.shape[: -self.d][-1:] != (self.components,):
            raise ValueError(f"q has shape {q.shape}; allowed: (..., {self.components}, *{self.shape})")
        axes, along = tuple(range(-self.d - 1, 0)), tuple(range(-self.d, 0))
        if not self.is_scalar:
            return ((p**2).sum(axis=axes) + self._potential(q)) / 2
        stretched = sum(
            chi * ((np.roll(q, tuple(-z), axis=along) - q) ** 2).sum(axis=axes)
            for z, chi in zip(*self.springs, strict=True)
        )
        return ((p**2).sum(axis=axes) + self.pin.chi * (q**2).sum(axis=axes) + stretched) / 2

    def _potential(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """Twice the potential energy, of springs that act in one direction each."""
        q = np.moveaxis(q, -self.d - 1, 0)
        sites = tuple(range(-self.d, 0))
        total = np.tensordot(self.pins, (q**2).sum(axis=sites), axes=1)
        for z, chi, u in zip(*self.rods, strict=True):
            turned = np.tensordot(u, q, axes=1)
            total = total + chi * ((np.roll(turned, tuple(-z), axis=sites) - turned) ** 2).sum(axis=sites)
        return total
