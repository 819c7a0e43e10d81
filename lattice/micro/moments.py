r"""Exact second moments of harmonic chains: no sampling, no time step.

A harmonic chain coupled to Langevin baths is an Ornstein-Uhlenbeck process, so
its stationary state is Gaussian and its covariance solves a Lyapunov equation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..model import Chain, Langevin, bath_sites
from ..waves import normal_modes

__all__ = ["StationaryMoments", "stationary"]


@dataclass(frozen=True, eq=False)
class StationaryMoments:
    r"""Means and centred covariances in the stationary state.

    Attributes
    ----------
    chain, baths
        What they belong to.
    mean_q, mean_p : (n,) array
        Mean displacements and momenta.
    qq, qp, pp : (n, n) array
        Covariances; ``qp[i, j]`` is that of :math:`q_i` and :math:`p_j`.

    Notes
    -----
    A chain with neither pin nor wall has no stationary position: there, q is
    the displacement from the centre of mass.
    """

    chain: Chain
    baths: tuple[Langevin, ...]
    mean_q: NDArray[np.float64]
    mean_p: NDArray[np.float64]
    qq: NDArray[np.float64]
    qp: NDArray[np.float64]
    pp: NDArray[np.float64]

    @property
    def temperatures(self) -> NDArray[np.float64]:
        r"""Kinetic temperatures :math:`T_i = \langle p_i^2\rangle - \langle p_i\rangle^2`, shape (n,)."""
        return np.diag(self.pp).copy()

    @property
    def energy_currents(self) -> NDArray[np.float64]:
        r"""Mean energy current :math:`-\frac12\langle(p_j + p_{j+1}) V'(r_j)\rangle` per bond, (n_bonds,).

        Positive to the right; nothing flows through a wall.
        """
        chain = self.chain
        rp = chain.stretches(self.qp.T).T  # bond, site
        mean_r = chain.stretches(self.mean_q)
        power = rp + np.outer(mean_r, self.mean_p)  # <r_b p_i>
        first = int(chain.ends[0] == "fixed")
        bond = np.arange(chain.n if chain.periodic else chain.n - 1)
        current = np.zeros(chain.n_bonds)
        chi = np.broadcast_to(chain.bond.chi, chain.n_bonds)
        pair = power[bond + first, bond] + power[bond + first, (bond + 1) % chain.n]
        current[bond + first] = -0.5 * chi[bond + first] * pair
        return current

    @property
    def bath_powers(self) -> NDArray[np.float64]:
        r"""Mean power :math:`\gamma(T - \langle p^2\rangle) + f\langle p\rangle` of each bath, (baths,)."""
        square = self.temperatures + self.mean_p**2
        return np.array(
            [
                bath.friction * (bath.temperature - square[bath.site]) + bath.force * self.mean_p[bath.site]
                for bath in self.baths
            ]
        )


def stationary(chain: Chain, baths: Sequence[Langevin]) -> StationaryMoments:
    r"""The stationary means and covariances of a harmonic chain with Langevin baths.

    With :math:`x = (q, p)` the process is :math:`dx = (Ax + f)\,dt + \text{noise}`, so the
    mean solves :math:`Am + f = 0` and the covariance :math:`AC + CA^\top + D = 0`
    (Bartels and Stewart's method; :math:`O(n^3)`).

    Parameters
    ----------
    chain : Chain
        Harmonic; any boundary, coefficients may depend on the place.
    baths : sequence of Langevin
        At different sites.

    Raises
    ------
    ValueError
        If the chain is anharmonic or unstable, a bath's site does not exist or
        is taken, or some mode is not damped, so that no unique stationary state exists.
    """
    if not chain.is_harmonic:
        raise ValueError("chain is anharmonic; allowed: bonds and pins with chi alone")
    sites = bath_sites(chain, baths)

    n = chain.n
    modes = normal_modes(chain)
    wave = modes.frequencies > 0  # a translation has no restoring force and no stationary position
    shapes, omega = modes.shapes[wave], modes.frequencies[wave, None]
    w = len(shapes)
    friction, force, diffusion = np.zeros(n), np.zeros(n), np.zeros(n)
    for site, bath in zip(sites, baths, strict=True):
        friction[site], force[site] = bath.friction, bath.force
        diffusion[site] = 2 * bath.friction * bath.temperature

    # coordinates: ω times the amplitude of each wave, then the momenta of the sites; with
    # this factor all entries of the drift are rates, and the solver keeps its digits
    spring = omega * shapes
    drift = np.block([[np.zeros((w, w)), spring], [-spring.T, -np.diag(friction)]])
    slowest = np.linalg.eigvals(drift).real.max()
    if slowest > -1e-13 * np.abs(drift).max():
        raise ValueError(
            f"baths at sites {sites} leave a mode undamped (rate {-slowest:.1e}); "
            "allowed: baths that damp every mode, by a friction above 0 at a site where it moves"
        )
    mean = np.linalg.solve(drift, -np.concatenate([np.zeros(w), force]))
    noise = np.diag(np.concatenate([np.zeros(w), diffusion]))
    covariance = scipy.linalg.solve_continuous_lyapunov(drift, -noise)
    to_sites = (shapes / omega).T
    return StationaryMoments(
        chain=chain,
        baths=tuple(baths),
        mean_q=to_sites @ mean[:w],
        mean_p=mean[w:],
        qq=to_sites @ covariance[:w, :w] @ to_sites.T,
        qp=to_sites @ covariance[:w, w:],
        pp=covariance[w:, w:],
    )
