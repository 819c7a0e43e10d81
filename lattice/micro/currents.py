"""Energy currents, and the power of heat baths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..model import Chain, Langevin

__all__ = ["bath_power", "energy_current"]


def energy_current(chain: Chain, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    r"""The energy current on each bond, positive to the right, shape (..., n_bonds).

    On the bond between sites j and j+1 it is :math:`-\frac12 (p_j + p_{j+1}) V'(r_j)`, so that
    without baths :func:`~lattice.site_energy` changes by what comes in from the left less
    what goes out to the right.  A wall is at rest and nothing flows into it.

    Parameters
    ----------
    chain : Chain
        What the state belongs to.
    q, p : (..., n) array
        Displacements and momenta.

    Raises
    ------
    ValueError
        If `q` or `p` does not have the chain's number of sites, or their shapes differ.
    """
    tension = chain.bond.slope(chain.stretches(q))
    p = chain.on_sites("p", p)
    if p.shape != np.shape(q):
        raise ValueError(f"p has shape {p.shape} and q {np.shape(q)}; allowed: equal shapes")
    pairs = p + np.roll(p, -1, axis=-1) if chain.periodic else p[..., :-1] + p[..., 1:]
    walls = [(0, 0)] * (p.ndim - 1) + [tuple(int(end == "fixed") for end in chain.ends)]
    return -0.5 * np.pad(pairs, walls) * tension


def bath_power(baths: Sequence[Langevin], p: ArrayLike) -> NDArray[np.float64]:
    r"""The mean power :math:`\gamma(T - p^2) + f p` that each bath gives to its site, shape (..., baths).

    The drift of Itô's formula for :math:`p^2/2`; its average over a stationary ensemble is
    what flows from the bath into the chain.

    Parameters
    ----------
    baths : sequence of Langevin
        The baths, with sites that exist.
    p : (..., n) array
        Momenta.
    """
    p = np.asarray(p, dtype=np.float64)
    site = [bath.site for bath in baths]
    temperature, friction, force = np.reshape(
        [(b.temperature, b.friction, b.force) for b in baths], (-1, 3)
    ).T
    return friction * (temperature - p[..., site] ** 2) + force * p[..., site]
