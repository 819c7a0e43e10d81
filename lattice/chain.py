r"""What is simulated: the force law, the chain and its state, and their energies.

Site j carries a displacement :math:`q_j` and a momentum :math:`p_j` (mass 1);
bond j stretches by :math:`r_j = q_{j+1} - q_j`.  Everything is dimensionless:
mass, Boltzmann's constant and the lattice spacing are 1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._check import brief, finite, instance, integer, reals, shown, work

__all__ = [
    "Bond",
    "Chain",
    "Pin",
    "State",
    "energy",
    "site_energy",
]

Boundary = Literal["periodic", "fixed", "free"]
BOUNDARIES = ("periodic", "fixed", "free")
MOST_ENTRIES = 4e8  # of a matrix: 3 GB
MOST_SITES = 10**9  # the displacements alone of more would be 8 GB


def _coefficient(name: str, value: ArrayLike) -> float | NDArray[np.float64]:
    """A finite number, or a read-only vector of finite numbers."""
    array = reals(name, value).copy()
    if array.ndim > 1:
        raise ValueError(f"{name} has shape {array.shape}; allowed: a number or a 1-d array")
    array.setflags(write=False)
    return array if array.ndim else float(array)


@dataclass(frozen=True, eq=False)
class Bond:
    r"""The force law :math:`V(r) = \chi r^2/2 + \alpha r^3/3 + \beta r^4/4 + J(1 - \cos m r)`.

    Each coefficient is a number or a vector with one entry per bond, left to
    right; harmonic, FPUT, :math:`\phi^4` and rotor chains are choices of them.
    What is not given is 0 (m is 1): ``Bond()`` exerts no force.  Laws with the same
    coefficients are equal.

    Parameters
    ----------
    chi, alpha, beta : float or (n_bonds,) array
        Harmonic stiffness, cubic and quartic coefficient.
    J, m : float or (n_bonds,) array
        Strength and angular wave number of the cosine.

    Raises
    ------
    ValueError
        If a coefficient is not finite or has more than one dimension, or two vectors differ in length.
    """

    chi: float | NDArray[np.float64] = 0.0
    alpha: float | NDArray[np.float64] = 0.0
    beta: float | NDArray[np.float64] = 0.0
    J: float | NDArray[np.float64] = 0.0
    m: float | NDArray[np.float64] = 1.0

    __repr__ = brief

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def _values(self) -> tuple:
        values = [getattr(self, f.name) for f in fields(self)]
        return tuple(tuple(value.tolist()) if np.ndim(value) else value for value in values)

    def __post_init__(self) -> None:
        lengths = {}
        for f in fields(self):
            name = f"{type(self).__name__}.{f.name}"
            value = _coefficient(name, getattr(self, f.name))
            object.__setattr__(self, f.name, value)
            if np.ndim(value):
                lengths[len(value)] = name
        if len(lengths) > 1:
            words = " and ".join(f"{name} has {length} entries" for length, name in lengths.items())
            raise ValueError(f"{words}; allowed: a number, or vectors of one length")

    @classmethod
    def fput(cls, *, alpha: ArrayLike = 0.0, beta: ArrayLike = 0.0, chi: ArrayLike = 1.0) -> Bond:
        """Fermi-Pasta-Ulam-Tsingou bond with the given anharmonicities."""
        return cls(chi=chi, alpha=alpha, beta=beta)

    @classmethod
    def rotor(cls, *, J: ArrayLike = 1.0, m: ArrayLike = 1.0) -> Bond:
        r"""Cosine bond :math:`J(1 - \cos m r)` of the rotor chain."""
        return cls(J=J, m=m)

    @property
    def is_harmonic(self) -> bool:
        """Whether the law is quadratic."""
        return not (np.any(self.alpha) or np.any(self.beta) or np.any(self.J))

    @property
    def is_zero(self) -> bool:
        """Whether the law exerts no force anywhere."""
        return self.is_harmonic and not np.any(self.chi)

    def _stretched(self, r: ArrayLike) -> NDArray[np.float64]:
        """The argument r, checked to fit the coefficients."""
        r = reals("r", r)
        entries = {len(value) for f in fields(self) if np.ndim(value := getattr(self, f.name))}
        if r.ndim and entries and r.shape[-1] not in entries:
            raise ValueError(f"r has shape {r.shape}; allowed: a number or (..., {entries.pop()})")
        return r

    @finite
    def potential(self, r: ArrayLike) -> NDArray[np.float64]:
        """V(r), elementwise; the last axis of `r` runs over the bonds."""
        return self._potential(self._stretched(r))

    @finite
    def slope(self, r: ArrayLike) -> NDArray[np.float64]:
        """V'(r): the tension of a bond stretched by r."""
        return self._slope(self._stretched(r))

    @finite
    def curvature(self, r: ArrayLike) -> NDArray[np.float64]:
        """V''(r): the stiffness of a bond stretched by r."""
        r = self._stretched(r)
        polynomial = self.chi + r * (2 * self.alpha + 3 * r * self.beta)
        return polynomial + self.J * self.m**2 * np.cos(self.m * r)

    def _potential(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        polynomial = r * r * (self.chi / 2 + r * (self.alpha / 3 + r * self.beta / 4))
        # 2 sin²(mr/2) = 1 - cos(mr), without the cancellation at small r
        return polynomial + 2 * self.J * np.sin(self.m * r / 2) ** 2

    def _slope(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        return r * (self.chi + r * (self.alpha + r * self.beta)) + self.J * self.m * np.sin(self.m * r)


class Pin(Bond):
    r"""The force law of :class:`Bond` on site: :math:`V(q_j)` holds site j at the origin.

    Parameters
    ----------
    chi, alpha, beta, J, m
        The coefficients of the law, as those of :class:`Bond`; 0 unless given, and m = 1.
    """


def law_of(name: str, law: object, kind: type[Bond]) -> Bond:
    """A law of exactly this kind: a Pin is no Bond between sites."""
    if type(law) is not kind:
        raise ValueError(f"{name} = {shown(law)}; allowed: a {kind.__name__}")
    return law


@dataclass(frozen=True)
class Chain:
    r"""A chain of n unit masses, :math:`H = \sum_j p_j^2/2 + \sum_j V(r_j) + \sum_j U(q_j)`.

    Parameters
    ----------
    n : int
        Number of sites, at least 2 (3 if periodic).
    bond : Bond
        The law V, stiffness 1 by default; a coefficient vector has `n_bonds` entries.
    pin : Pin
        The on-site law U, none by default; a coefficient vector has `n` entries.
    boundary : {"periodic", "fixed", "free"} or a pair of the last two
        Both ends, or the left and the right one; two equal ones are kept as one
        word.  A fixed end is a bond to a wall at rest; a free end has none.

    Notes
    -----
    Bonds count from the left.  Periodic: bond j joins sites j and j+1 (mod n).
    With a fixed left end bond 0 joins the wall and site 0.

    Raises
    ------
    ValueError
        If the size or the boundary is not allowed, or a coefficient vector has the wrong length.
    """

    n: int
    bond: Bond = Bond(chi=1.0)
    pin: Pin = Pin()
    boundary: Boundary | tuple[Boundary, Boundary] = "periodic"

    __repr__ = brief

    def __post_init__(self) -> None:
        known = [end for end in self.ends if isinstance(end, str) and end in BOUNDARIES]
        if not len(known) == len(self.ends) == 2 or known.count("periodic") == 1:
            raise ValueError(
                f"boundary = {shown(self.boundary)}; allowed: 'periodic', 'fixed', 'free' "
                "or a pair such as ('fixed', 'free')"
            )
        object.__setattr__(self, "boundary", known[0] if known[0] == known[1] else tuple(known))
        n = integer("n", self.n, least=3 if self.periodic else 2, most=MOST_SITES)
        object.__setattr__(self, "n", n)
        for name, kind, length in (("bond", Bond, self.n_bonds), ("pin", Pin, n)):
            law = law_of(name, getattr(self, name), kind)
            for f in fields(law):
                value = getattr(law, f.name)
                if np.ndim(value) and len(value) != length:
                    raise ValueError(
                        f"{name}.{f.name} has {len(value)} entries; allowed: a number or {length} entries"
                    )

    @property
    def ends(self) -> tuple[Boundary, Boundary]:
        """The left and the right boundary."""
        return tuple(self.boundary) if isinstance(self.boundary, (tuple, list)) else (self.boundary,) * 2

    @property
    def periodic(self) -> bool:
        """Whether the chain is a ring."""
        return self.ends[0] == "periodic"

    @property
    def n_bonds(self) -> int:
        """Number of bonds, those to a wall included."""
        return self.n if self.periodic else self.n - 1 + self.ends.count("fixed")

    @property
    def is_harmonic(self) -> bool:
        """Whether all forces are linear."""
        return self.bond.is_harmonic and self.pin.is_harmonic

    @property
    def is_uniform(self) -> bool:
        """Whether no coefficient depends on its place."""
        return all(np.ndim(getattr(law, f.name)) == 0 for law in (self.bond, self.pin) for f in fields(law))

    def on_sites(self, name: str, values: ArrayLike) -> NDArray[np.float64]:
        """Values on the sites, checked to be finite and to have shape (..., n)."""
        values = reals(instance("name", name, str, "a string"), values)
        if values.shape[-1:] != (self.n,):
            raise ValueError(f"{name} has shape {values.shape}; allowed: (..., {self.n})")
        return values

    @finite
    def stretches(self, q: ArrayLike) -> NDArray[np.float64]:
        """Bond stretches r, shape (..., n_bonds), of displacements (..., n)."""
        return self._stretches(self.on_sites("q", q))

    def _stretches(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        wall = np.zeros((*q.shape[:-1], 1))
        left = [wall] if self.ends[0] == "fixed" else []
        right = [q[..., :1]] if self.periodic else [wall] if self.ends[1] == "fixed" else []
        return np.diff(np.concatenate([*left, q, *right], axis=-1), axis=-1)

    def slots(self, values: ArrayLike) -> NDArray[np.float64]:
        """Values on the bonds, (..., n_bonds), laid out on the n + 1 slots beside the sites.

        Slot j lies to the left of site j and slot j + 1 to its right; on a ring
        the first slot repeats the last, and the slot beyond a free end holds 0.
        """
        values = reals("values", values)
        if values.shape[-1:] != (self.n_bonds,):
            raise ValueError(f"values has shape {values.shape}; allowed: (..., {self.n_bonds})")
        return self._slots(values)

    def _slots(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        none = np.zeros((*values.shape[:-1], 1))
        if self.periodic:
            return np.concatenate([values[..., -1:], values], axis=-1)
        left = [none] if self.ends[0] == "free" else []
        right = [none] if self.ends[1] == "free" else []
        return np.concatenate([*left, values, *right], axis=-1)

    @finite
    def stiffness_matrix(self) -> NDArray[np.float64]:
        r"""The symmetric (n, n) matrix :math:`\Phi` of second derivatives at q = 0.

        The harmonic part of the potential energy is :math:`\frac12 q^\top\Phi q`.

        Raises
        ------
        ValueError
            If the chain has more than 20,000 sites, or an entry is beyond the floats.
        """
        work("chain", self, self.n**2, MOST_ENTRIES)
        gradient = self._stretches(np.eye(self.n)).T  # dr/dq, shape (n_bonds, n)
        bonds = np.broadcast_to(self.bond.curvature(0.0), self.n_bonds)
        pins = np.broadcast_to(self.pin.curvature(0.0), self.n)
        return gradient.T @ (bonds[:, None] * gradient) + np.diag(pins)

    @finite
    def force(self, q: ArrayLike) -> NDArray[np.float64]:
        """The force on each site, shape (..., n), of displacements (..., n)."""
        q = self.on_sites("q", q)
        tension = self._slots(self.bond._slope(self._stretches(q)))
        return np.diff(tension, axis=-1) - self.pin._slope(q)


def parts(
    chain: Chain, joined: NDArray[np.bool_], pinned: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The parts of a chain that hang together by some of its bonds, and whether a pin or a wall holds them.

    Parameters
    ----------
    chain : Chain
        What falls into parts.
    joined : (n_bonds,) array of bool
        The bonds that do not cut it.
    pinned : (n,) array of bool
        The sites whose pins hold them.

    Returns
    -------
    part : (n,) array
        The number of the part to which each site belongs, ascending from 0 along the chain.
    held : (parts,) array of bool
    """
    beside = chain._slots(joined) != 0
    part = np.cumsum(~beside[:-1])
    if chain.periodic and beside[0]:  # over the end of the ring
        part[part == part[-1]] = part[0]
    part = np.unique(part, return_inverse=True)[1]
    held = np.bincount(part, pinned) > 0
    for end, site, slot in zip(chain.ends, (0, -1), (0, -1), strict=True):
        if end == "fixed" and beside[slot]:
            held[part[site]] = True
    return part, held


@dataclass(frozen=True, eq=False)
class State:
    """Displacements and momenta of an ensemble.

    Parameters
    ----------
    q, p : (replicas, n) array; of a crystal ``(replicas, components, *shape)``
        Displacements and momenta, copied and read-only.  One replica of a chain may be
        given as a vector; it becomes an ensemble of one.

    Raises
    ------
    ValueError
        If the shapes differ, the ensemble is empty, or an entry is not finite.
    """

    q: NDArray[np.float64]
    p: NDArray[np.float64]
    __repr__ = brief

    def __post_init__(self) -> None:
        for name in ("q", "p"):
            array = np.array(reals(name, getattr(self, name)), ndmin=2, order="C")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        if self.q.shape != self.p.shape:
            raise ValueError(f"q has shape {self.q.shape} and p {self.p.shape}; allowed: equal shapes")

    @property
    def replicas(self) -> int:
        """Number of replicas."""
        return self.q.shape[0]


def started(start: object, shape: tuple[int, ...]) -> State:
    """The argument `start`, checked: states of this shape."""
    if not isinstance(start, State) or start.q.shape[1:] != shape:
        found = f"of shape {start.q.shape}" if isinstance(start, State) else shown(start)
        sizes = ", ".join(map(str, shape))
        raise ValueError(f"start = {found}; allowed: a State of shape (replicas, {sizes})")
    return start


def canonical(medium, q: ArrayLike, p: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Displacements and momenta on the sites of a chain or a crystal as arrays, checked."""
    q, p = medium.on_sites("q", q), medium.on_sites("p", p)
    if q.shape != p.shape:
        raise ValueError(f"p has shape {p.shape} and q {q.shape}; allowed: equal shapes")
    return q, p


@finite
def site_energy(chain: Chain, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    """The energy of each site.

    Kinetic and on-site energy and half of each neighbouring bond's; a bond to
    a wall belongs to its one site.  The sum over sites is the total energy.

    Parameters
    ----------
    chain : Chain
        What the state belongs to.
    q, p : (..., n) array
        Displacements and momenta.

    Returns
    -------
    (..., n) array
        Energies of the sites.

    Raises
    ------
    ValueError
        If the shapes do not fit, an entry is not finite, or an energy is beyond the floats.
    """
    q, p = canonical(instance("chain", chain, Chain, "a Chain"), q, p)
    share = 0.5 * chain._slots(chain.bond._potential(chain._stretches(q)))
    for end, slot in zip(chain.ends, (0, -1), strict=True):
        if end == "fixed":
            share[..., slot] *= 2
    return 0.5 * p * p + chain.pin._potential(q) + share[..., :-1] + share[..., 1:]


@finite
def energy(chain: Chain, q: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    """The total energy, the sum of `site_energy`.

    Parameters
    ----------
    chain, q, p
        As in `site_energy`.

    Returns
    -------
    (...) array
        Energies of the states.

    Raises
    ------
    ValueError
        As `site_energy` does.
    """
    q, p = canonical(instance("chain", chain, Chain, "a Chain"), q, p)
    potential = chain.bond._potential(chain._stretches(q)).sum(axis=-1)
    return 0.5 * np.square(p).sum(axis=-1) + potential + chain.pin._potential(q).sum(axis=-1)
