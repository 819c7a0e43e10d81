r"""What the noises do to means and second moments, and what currents follow.

Every noise acts on small groups g of neighbouring coordinates.  For its generator :math:`\mathcal{S}`,
the mean changes by :math:`\mathcal{S} x = M x` and the second moments :math:`S = \langle x x^\top\rangle` by

.. math:: \mathcal{S} S = M S + S M^\top + R(S), \qquad
          M = \sum_g m_g, \quad R(S) = \sum_g k_g S k_g^\top,

with the same small matrices m and k in each group.  A jump :math:`x \to Ux` has :math:`m = k = U - 1`;
a diffusion :math:`\frac16 Y^2` has :math:`m = Y^2/6` and :math:`k = Y/\sqrt3`.  So M joins the drift,
and the rest R only sees, and only fills, entries next to the diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._check import instance, shown
from ..chain import Chain
from ..noise import Noise
from ._noises import action_of

__all__ = ["Groups", "closed_groups", "energy_current", "groups", "noise_current"]


@dataclass(frozen=True, eq=False)
class Groups:
    r"""A noise on n coordinates: the momenta, or the stretches.

    Attributes
    ----------
    n : int
        Number of coordinates.
    index : (groups, g) array
        The coordinates of each group.
    mean, kick : (g, g) array
        Integers: the matrices m and k of the module's formula are `strength` × `mean` and
        :math:`\sqrt{}` (`strength` × `weight`) × `kick`.
    weight : int
        Makes k so.
    strength : float
        The rate, or a part of it.
    on_stretches : bool
        Whether it acts on the stretches.
    """

    n: int
    index: NDArray[np.int64]
    mean: NDArray[np.float64]
    kick: NDArray[np.float64]
    weight: int
    strength: float
    on_stretches: bool

    def matrix(self) -> NDArray[np.float64]:
        """The action M on the mean, (n, n)."""
        return self.strength * self.scatter(np.broadcast_to(self.mean, (len(self.index), *self.mean.shape)))

    def local(self, second: NDArray[np.float64]) -> NDArray[np.float64]:
        """The blocks, (groups, g, g), of a matrix (n, n)."""
        return second[self.index[:, :, None], self.index[:, None, :]]

    def scatter(self, blocks: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum, (n, n), of blocks (groups, g, g)."""
        total = np.zeros((self.n, self.n))
        np.add.at(total, (self.index[:, :, None], self.index[:, None, :]), blocks)
        return total

    def source(self, second: NDArray[np.float64]) -> NDArray[np.float64]:
        """R(S), (n, n), of second moments S."""
        return self.scatter(self.strength * self.weight * self.kick @ self.local(second) @ self.kick.T)


def groups(chain: Chain, noise: Noise | None) -> Groups | None:
    """The groups of a noise on a chain; None if nothing acts.

    Raises
    ------
    ValueError
        If `noise` is something else or its rate a last bit of the floats, or the chain is too short for it.
    """
    action = action_of(chain, noise)
    if action is None:
        return None
    size = len(action.mean)
    if action.on_stretches:
        first = int(chain.ends[0] == "fixed")  # a bond to a wall never flips
        n = chain.n_bonds
        index = np.arange(first, first + (n if chain.periodic else chain.n - 1))[:, None]
    else:
        n = chain.n
        index = (np.arange(n if chain.periodic else n - size + 1)[:, None] + np.arange(size)) % n
    if noise.rate == 0:
        return None
    strength = noise.rate / action.parts
    if strength == 0:
        raise ValueError(f"noise = {shown(noise)}; allowed: a rate of 0, or one that floats can divide")
    return Groups(n, index, action.mean, action.kick, action.weight, strength, action.on_stretches)


def closed_groups(chain: Chain, noise: Noise | None) -> Groups | None:
    """The groups of a noise on a chain whose moments close with it.

    Raises
    ------
    ValueError
        If the chain is none or anharmonic, or the noise does not fit it.
    """
    instance("chain", chain, Chain, "a Chain")
    if not chain.is_harmonic:
        raise ValueError("chain is anharmonic; allowed: bonds and pins with chi alone")
    acting = groups(chain, noise)
    walls = 2 if chain.periodic else chain.ends.count("fixed")
    free = walls < 2 and not np.any(chain.pin.chi) and np.all(np.asarray(chain.bond.chi) > 0)
    if acting is not None and acting.on_stretches and not free:
        raise ValueError(
            "noise flips the stretches, which are not free coordinates; allowed: a chain with no pin, "
            "at most one wall and every bond's chi above 0"
        )
    return acting


def energy_current(chain: Chain, power: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean energy current of the springs from the means of r_b p_i, (n_bonds, n); none through a wall."""
    beside = np.abs(chain.stretches(np.eye(chain.n)).T)  # 1 for the sites at the ends of each bond
    current = -0.5 * chain.bond.chi * (beside * power).sum(axis=1)
    return np.where(beside.sum(axis=1) == 2, current, 0.0)


def noise_current(
    chain: Chain, acting: Groups | None, pp: NDArray[np.float64], p: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The energy current of a noise through each bond, from covariances and means of the momenta."""
    current = np.zeros(chain.n_bonds)
    if acting is None or acting.on_stretches:
        return current
    blocks, means = acting.local(pp), p[acting.index]
    change = acting.mean @ blocks + blocks @ acting.mean.T
    change += acting.weight * acting.kick @ blocks @ acting.kick.T
    # the means by differences, which vanish where all move alike
    gain = 0.5 * np.diagonal(change, axis1=1, axis2=2) + means * (means @ acting.mean.T)
    gain += 0.5 * acting.weight * (means @ acting.kick.T) ** 2
    first = int(chain.ends[0] == "fixed")
    np.add.at(current, first + acting.index[:, :-1], -acting.strength * np.cumsum(gain, axis=1)[:, :-1])
    return current
