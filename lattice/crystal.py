r"""Harmonic crystals in one, two and three dimensions.

Every site y of a torus has a displacement and a momentum with d components, and all components feel the
same springs, so that the d polarisations of a wave have one frequency.  With bonds between neighbours the
energy is (45) of Basile, Olla and Spohn; with bonds to other sites too, it is that of their couplings α.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

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

    Parameters
    ----------
    shape : tuple of int
        Sites along each of d = 1, 2 or 3 directions, at least 3.
    bond : Bond, or dict of steps to Bonds
        Between nearest neighbours in every direction, stiffness 1 by default; or which bonds a site has, as
        ``{(1, 0): Bond(chi=1.0), (1, 1): Bond(chi=0.5)}``, kept as a tuple of pairs.  A step z stands for -z
        too.
    pin : Pin
        Of stiffness ω₀², none by default.

    Raises
    ------
    ValueError
        If a number is not as stated, or a law is not harmonic, depends on the place or has a negative
        stiffness.

    Notes
    -----
    Bond and pin are the laws of a chain, so that ω₀² is written in one way, `Pin(chi=ω₀²)`, and laws with
    other terms can follow; the motion of a crystal is exact today, and hence harmonic.
    """

    shape: tuple[int, ...]
    bond: Bond | Mapping[int | tuple[int, ...], Bond] | tuple = Bond(chi=1.0)
    pin: Pin = Pin()
    __repr__ = brief

    def __post_init__(self) -> None:
        if not isinstance(self.shape, (tuple, list)) or len(self.shape) not in (1, 2, 3):
            raise ValueError(f"shape = {shown(self.shape)}; allowed: 1 to 3 integers of at least 3")
        shape = tuple(integer("shape", n, least=3, most=MOST_SITES) for n in self.shape)
        work("shape", shape, math.prod(shape), MOST_NUMBERS)
        object.__setattr__(self, "shape", shape)
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
        """Number of dimensions, and of polarisations."""
        return len(self.shape)

    @property
    def springs(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The steps z, shape (springs, d), and their stiffnesses χ, shape (springs,)."""
        if isinstance(self.bond, Bond):
            return np.eye(self.d, dtype=np.int64), np.full(self.d, self.bond.chi)
        steps, laws = zip(*self.bond, strict=True)
        return np.array(steps), np.array([law.chi for law in laws])

    @property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Both sites of all pairs of nearest neighbours, as flat indices."""
        sites = np.arange(self.n).reshape(self.shape)
        second = [np.roll(sites, -1, axis=i).ravel() for i in range(self.d)]
        return np.tile(sites.ravel(), self.d), np.concatenate(second)

    def on_sites(self, name: str, values: ArrayLike) -> NDArray[np.float64]:
        """Values on the sites, checked to be finite and to have shape ``(..., *shape)``."""
        values = reals(instance("name", name, str, "a string"), values)
        if values.shape[-self.d :] != self.shape:
            raise ValueError(f"{name} has shape {values.shape}; allowed: (..., *{self.shape})")
        return values

    @finite
    def energy(self, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
        """The energy, shape (...), of displacements and momenta ``(..., d, *shape)``.

        Raises
        ------
        ValueError
            If the shapes do not fit, an entry is not finite, or the energy is beyond the floats.
        """
        q, p = canonical(self, q, p)
        if q.shape[: -self.d][-1:] != (self.d,):
            raise ValueError(f"q has shape {q.shape}; allowed: (..., {self.d}, *{self.shape})")
        axes, along = tuple(range(-self.d - 1, 0)), tuple(range(-self.d, 0))
        stretched = sum(
            chi * ((np.roll(q, tuple(-z), axis=along) - q) ** 2).sum(axis=axes)
            for z, chi in zip(*self.springs, strict=True)
        )
        return ((p**2).sum(axis=axes) + self.pin.chi * (q**2).sum(axis=axes) + stretched) / 2
