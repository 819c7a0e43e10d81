"""What disturbs a chain or a crystal: the noises, which conserve something, and heat baths, which do not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ._check import instance, integer, number, shown
from .chain import Chain

__all__ = [
    "Langevin",
    "PairRotation",
    "StretchFlip",
    "ThreeSiteRotation",
    "VelocityExchange",
    "VelocityFlip",
    "bath_sites",
]


@dataclass(frozen=True)
class Langevin:
    r"""A heat bath at one site: :math:`dp = (f - \gamma p)\,dt + \sqrt{2\gamma T}\,dw`.

    Parameters
    ----------
    site : int
        Where it acts; negative numbers count from the right end.
    temperature : float
        T, not negative.
    friction : float
        The rate γ at which it damps the momentum, not negative.
    force : float
        A constant force f that acts at the same site.

    Raises
    ------
    ValueError
        If a number is not finite, or the temperature or the friction is negative.
    """

    site: int
    temperature: float
    friction: float = 1.0
    force: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "site", integer("site", self.site))
        for name, least in (("temperature", 0), ("friction", 0), ("force", None)):
            object.__setattr__(self, name, number(name, getattr(self, name), least=least))


@dataclass(frozen=True)
class _Noise:
    """What the noises have in common: a finite rate that is not negative."""

    rate: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", number("rate", self.rate, least=0))


@dataclass(frozen=True)
class VelocityFlip(_Noise):
    r"""Each momentum changes its sign at a rate: keeps the energy and not the momentum.

    :math:`\langle p_j\rangle` decays at twice the rate (what draws a *random* sign at rate γ flips at γ/2).

    Parameters
    ----------
    rate : float
        Flips a site and unit of time; a ValueError if it is negative or not finite.
    """


@dataclass(frozen=True)
class StretchFlip(_Noise):
    r"""Each stretch between two sites changes its sign at a rate: :math:`r_j \to -r_j`.

    Keeps the momenta, and the energy if V is even and nothing is pinned; not the length of the chain.

    Parameters
    ----------
    rate : float
        Flips a bond and unit of time; a ValueError if it is negative or not finite.
    """


@dataclass(frozen=True)
class VelocityExchange(_Noise):
    r"""Neighbours exchange their momenta at a rate, :math:`p_j \leftrightarrow p_{j+1}`.

    Keeps the momentum and the kinetic energy.

    Parameters
    ----------
    rate : float
        Exchanges a bond between two sites and unit of time; a ValueError if it is negative or not finite.
    """


@dataclass(frozen=True)
class ThreeSiteRotation(_Noise):
    r"""The momenta of every three neighbours diffuse on the circle that keeps their sum and sum of squares.

    The generator is :math:`\gamma S`, :math:`S = \frac16\sum_z Y_z^2`, with
    :math:`Y_z = (p_z - p_{z+1})\partial_{p_{z-1}} + (p_{z+1} - p_{z-1})\partial_{p_z}
    + (p_{z-1} - p_z)\partial_{p_{z+1}}` (Basile, Olla and Spohn 2010, eq. 11): in a time t the
    vector :math:`(p_{z-1}, p_z, p_{z+1})` turns about (1, 1, 1) by a Gaussian angle of variance γt.

    Parameters
    ----------
    rate : float
        γ (the εγ of the source); a ValueError if it is negative or not finite.
    """


@dataclass(frozen=True)
class PairRotation(_Noise):
    r"""In a crystal of d ≥ 2 dimensions the relative momentum of neighbours diffuses on a sphere.

    Keeps the sum and the sum of squares of the momenta of each pair of nearest neighbours.  The generator is
    :math:`\gamma S`, S of eq. (48) of Basile, Olla and Spohn (2010): along :math:`X^{i,j}` the relative
    momentum turns at the angular speed 2, so that in a time t it turns in each plane (i, j) by a Gaussian
    angle of variance :math:`8\gamma t/(d - 1)`.

    Parameters
    ----------
    rate : float
        γ (the εγ of the source); a ValueError if it is negative or not finite.
    """


Noise = VelocityFlip | StretchFlip | VelocityExchange | ThreeSiteRotation  # those of chains


def listed(baths: Iterable[Langevin]) -> tuple[Langevin, ...]:
    """The argument `baths` as a tuple, checked."""
    try:
        baths = tuple(baths)
    except TypeError as error:  # one alone, for example
        raise ValueError(f"baths = {shown(baths)}; allowed: a sequence of Langevin baths") from error
    for bath in baths:
        if not isinstance(bath, Langevin):
            raise ValueError(f"baths contains {shown(bath)}; allowed: Langevin baths")
    return baths


def bath_sites(chain: Chain, baths: Iterable[Langevin]) -> list[int]:
    """The sites, counted from 0, at which the baths of a chain act.

    Parameters
    ----------
    chain : Chain
        What the baths act on.
    baths : iterable of Langevin
        Their sites may count from the right end, -1 being the last.

    Returns
    -------
    list of int
        In the order of the baths.

    Raises
    ------
    ValueError
        If `baths` holds something else, a site does not exist, or two baths share one.
    """
    return _bath_sites(instance("chain", chain, Chain, "a Chain").n, listed(baths))


def _bath_sites(n: int, baths: tuple[Langevin, ...]) -> list[int]:
    for bath in baths:
        if not -n <= bath.site < n:
            raise ValueError(f"site = {shown(bath.site)} of a bath; allowed: {-n} to {n - 1}")
    sites = [bath.site % n for bath in baths]
    if len(set(sites)) < len(sites):
        raise ValueError(f"baths act at sites {sites}; allowed: one bath a site")
    return sites
