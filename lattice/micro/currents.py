"""Currents of energy and momentum, and the power of heat baths."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._check import finite, instance, reals
from ..chain import Chain, canonical
from ..noise import Langevin, _bath_sites, listed

__all__ = ["bath_power", "energy_current", "momentum_current"]


@finite
def energy_current(chain: Chain, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    r"""The energy current on each bond, positive to the right.

    On the bond between sites j and j+1 it is :math:`-\frac12 (p_j + p_{j+1}) V'(r_j)`, so that
    without baths :func:`~lattice.site_energy` changes by what comes in from the left less
    what goes out to the right.  A wall is at rest and nothing flows into it.

    Parameters
    ----------
    chain : Chain
        What the state belongs to.
    q, p : (..., n) array
        Displacements and momenta.

    Returns
    -------
    (..., n_bonds) array
        Energy per unit time.

    Raises
    ------
    ValueError
        If `q` or `p` does not have the chain's number of sites, their shapes differ, an entry is not finite,
        or a current beyond the floats.
    """
    q, p = canonical(instance("chain", chain, Chain, "a Chain"), q, p)
    tension = chain.bond._slope(chain._stretches(q))
    pairs = p + np.roll(p, -1, axis=-1) if chain.periodic else p[..., :-1] + p[..., 1:]
    walls = [(0, 0)] * (p.ndim - 1) + [tuple(int(end == "fixed") for end in chain.ends)]
    return -0.5 * np.pad(pairs, walls) * tension


@finite
def momentum_current(chain: Chain, q: ArrayLike) -> NDArray[np.float64]:
    r"""The momentum current :math:`-V'(r_j)` on each bond, positive to the right.

    Parameters
    ----------
    chain : Chain
        What the state belongs to.
    q : (..., n) array
        Displacements.

    Returns
    -------
    (..., n_bonds) array
        Momentum per unit time.

    Raises
    ------
    ValueError
        If `q` does not have the chain's number of sites, an entry is not finite, or a current is beyond the
        floats.
    """
    instance("chain", chain, Chain, "a Chain")
    return -chain.bond._slope(chain._stretches(chain.on_sites("q", q)))


@finite
def bath_power(baths: Iterable[Langevin], p: ArrayLike) -> NDArray[np.float64]:
    r"""The mean power :math:`\gamma(T - p^2) + f p` that each bath gives to its site.

    The drift of Itô's formula for :math:`p^2/2`; its average over a stationary ensemble is
    what flows from the bath into the chain.

    Parameters
    ----------
    baths : iterable of Langevin
        The baths, with sites that exist, at most one a site.
    p : (..., n) array
        Momenta.

    Returns
    -------
    (..., baths) array
        Powers, in the order of the baths.

    Raises
    ------
    ValueError
        If a bath's site does not exist or is taken, or a momentum is not finite or too large.
    """
    p = reals("p", p)
    if p.ndim == 0:
        raise ValueError(f"p = {p}; allowed: (..., n)")
    baths = listed(baths)
    site = _bath_sites(p.shape[-1], baths)
    temperature, friction, force = np.reshape(
        [(b.temperature, b.friction, b.force) for b in baths], (-1, 3)
    ).T
    return friction * (temperature - p[..., site] ** 2) + force * p[..., site]
