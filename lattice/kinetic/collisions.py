r"""One noun for all collisions: nodes with a measure, a list of interactions, and statistics.

With the entropy density S(n) of a node, :math:`y = dS/dn` is its chemical potential, up to a sign:

.. math:: y = \frac1n, \qquad y = \ln \frac{1 + \theta n}{n}

for classical waves and for particles, θ = 1 for bosons, -1 for fermions, 0 without statistics.  An
interaction has a strength w and legs of sign :math:`s_l`; a leg lies on a node, or is a fixed combination
:math:`y_l = \sum_j p_{lj} y_j` of a few.  Its affinity and rate are

.. math::

    A = o + \sum_l s_l y_l, \qquad R = w A \prod_l \frac1{y_l}, \qquad
    R = w \prod_l (1 + \theta n_l) \Bigl( \prod_{s_l < 0} e^{-y_l} - e^{-o} \prod_{s_l > 0} e^{-y_l} \Bigr) ,

of waves and of particles, and :math:`m_i \dot n_i = \sum R\, s_l\, p_{li}`.  The offset o, 0 unless given, is
that of a bath.  Two legs give :math:`R = w (n_2 - n_1)` for every statistics.

If every interaction balances the invariants, :math:`\sum_l s_l \sum_j p_{lj} \varphi_j = 0`, they are kept to
round-off; A R ≥ 0 term by term, so that the entropy grows; and what has :math:`y = \sum_a c_a \varphi_a`
stays.  That is independent of the layout of the nodes: how well they stand for a continuum is another
question.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _check
from .._check import brief, finite, number, one_of, reals, shown, work
from .._kernels import interactions
from ._relaxation import linear, march, modes

__all__ = ["Collision"]

THETA = {"bose-einstein": 1.0, "fermi-dirac": -1.0, "maxwell-boltzmann": 0.0}
STATISTICS = ("rayleigh-jeans", *THETA)
BALANCE = 1e-11  # of an invariant over the legs, beside the largest of it
FEWEST, MOST = 1e-100, 1e100  # of waves or particles on a node, and of a strength or a measure
MOST_BOSONS = 1e10  # gains and losses of more differ in less than six digits; these are waves
MOST_NODES = 4000  # of a matrix whose eigenvectors take a minute
MOST_NUMBERS = 4e8  # in an array: 3 GB
NONE = np.empty(0)


def _integers(name: str, value: ArrayLike) -> NDArray:
    """An array of integers, not empty."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} = {shown(value)}; allowed: an array of integers") from error
    if array.dtype.kind not in "iu" or not array.size or np.ma.is_masked(value):
        raise ValueError(f"{name} = {shown(value)}; allowed: an array of integers")
    return array


@dataclass(frozen=True, eq=False)
class Collision:
    """The collisions of waves or particles on a set of nodes.

    Parameters
    ----------
    nodes : (M,) or (M, d) array
        Where the nodes are: wave numbers, wave vectors, energies.  Nothing is computed with them.
    measure : (M,) array
        m, above 0: a sum with m over the nodes stands for an integral.
    invariants : (a, M) array
        φ, what the interactions keep.
    node : (R, L, K) array of int
        The nodes of each leg.
    sign : (L,) array
        1 for a leg that an interaction of positive rate fills, -1 for one that it empties.
    strength : (R,) array
        w, not negative.
    weight : (R, L, K) array, optional
        p; needed if K > 1, and not allowed otherwise.
    offset : (R,) array, optional
        o; with it the invariants need not balance.
    statistics : {"rayleigh-jeans", "bose-einstein", "fermi-dirac", "maxwell-boltzmann"}
        Of classical waves, or of particles.
    branch : (M,) array of int, optional
        Which branch each node is on, where there are several.

    Raises
    ------
    ValueError
        If shapes do not fit, an entry is not as stated, or an interaction does not keep an invariant.
    """

    nodes: NDArray[np.float64]
    measure: NDArray[np.float64]
    invariants: NDArray[np.float64]
    node: NDArray[np.uint32]
    sign: NDArray[np.float64]
    strength: NDArray[np.float64]
    weight: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None
    statistics: str = "rayleigh-jeans"
    branch: NDArray[np.int64] | None = None
    __repr__ = brief

    def __post_init__(self) -> None:
        one_of("statistics", self.statistics, STATISTICS)
        for name, ndim in (("measure", 1), ("invariants", 2), ("sign", 1), ("strength", 1)):
            self._keep(name, reals(name, getattr(self, name), ndim=ndim))
        self._keep("nodes", reals("nodes", self.nodes))
        size, node = len(self.measure), _integers("node", self.node)
        if node.ndim != 3:
            raise ValueError(f"node has shape {node.shape}; allowed: (R, L, K)")
        if node.min() < 0 or node.max() >= size:
            raise ValueError(
                f"node has entries from {node.min()} to {node.max()} and measure {size}; "
                f"allowed: 0 to {size - 1}"
            )
        rows, legs, across = node.shape
        self._keep("node", node.astype(np.uint32))
        shapes = {"nodes": (size, *self.nodes.shape[1:]), "invariants": (len(self.invariants), size)}
        shapes |= {"sign": (legs,), "strength": (rows,), "weight": node.shape, "offset": (rows,)}
        for name in ("weight", "offset"):
            if getattr(self, name) is not None:
                self._keep(name, reals(name, getattr(self, name)))
        if self.branch is not None:
            self._keep("branch", _integers("branch", self.branch))
            shapes["branch"] = (size,)
        for name, shape in shapes.items():
            given = getattr(self, name)
            if given is not None and given.shape != shape:
                raise ValueError(
                    f"{name} has shape {given.shape}, measure {size} and node {node.shape}; allowed: {shape}"
                )
        if (self.weight is None) != (across == 1):
            raise ValueError(f"weight is {'' if across == 1 else 'not '}given with {across} nodes a leg; "
                             "allowed: for more than one, and only then")  # fmt: skip
        for name, good, allowed in (
            ("measure", ((self.measure >= FEWEST) & (self.measure <= MOST)).all(), f"{FEWEST:g} to {MOST:g}"),
            ("strength", ((self.strength >= 0) & (self.strength <= MOST)).all(), f"0 to {MOST:g}"),
            ("sign", np.isin(self.sign, (-1, 1)).all(), "1 and -1"),
            ("weight", self.weight is None or (self.weight >= 0).all(), "at least 0"),
        ):
            if not good:
                raise ValueError(f"{name} = {shown(getattr(self, name))}; allowed: {allowed}")
        if self.offset is None:
            self._balanced()

    def _keep(self, name: str, array: NDArray) -> None:
        array = np.ascontiguousarray(array)
        if array is getattr(self, name):
            array = array.copy()
        array.setflags(write=False)
        object.__setattr__(self, name, array)

    def _balanced(self) -> None:
        """Refuse interactions that do not keep an invariant."""
        for a, values in enumerate(self.invariants):
            left = np.zeros(len(self.strength))
            for leg, sign in enumerate(self.sign):
                for j in range(self.node.shape[2]):
                    share = 1.0 if self.weight is None else self.weight[:, leg, j]
                    left += sign * share * values[self.node[:, leg, j]]
            if np.abs(left).max() > BALANCE * np.abs(values).max():
                worst = int(np.abs(left).argmax())
                raise ValueError(
                    f"invariants[{a}] changes by {left[worst]:.3g} in interaction {worst}, with its node, "
                    "sign and weight; allowed: by 0"
                )

    @property
    def is_linear(self) -> bool:
        """Whether the rates are linear in n, with a leg in and a leg out, both on nodes, and no offset."""
        return self.node.shape[1:] == (2, 1) and self.sign.sum() == 0 and self.offset is None

    @cached_property
    def _list(self) -> tuple:
        """The interactions as the kernels take them, the legs that are emptied first."""
        sorted_already = (np.diff(self.sign) >= 0).all()  # then no copies are needed
        order = slice(None) if sorted_already else np.argsort(self.sign, kind="stable")
        node, weight = (x if x is None else x[:, order].ravel() for x in (self.node, self.weight))
        legs, emptied = len(self.sign), int((self.sign < 0).sum())
        return (
            node,
            NONE if weight is None else weight,
            (0,) * emptied,
            (0,) * (legs - emptied),
            (0,) * self.node.shape[2],
            self.strength,
            NONE if self.offset is None else self.offset,
        )

    @cached_property
    def _modes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return modes(self)

    def _run(self, kernel: str, y: NDArray, *more: object) -> object:
        """Call the kernel of the statistics; `more` are its last arguments."""
        if self.statistics == "rayleigh-jeans":
            return getattr(interactions, f"{kernel}_waves")(y, *self._list, *more)
        z, theta = np.exp(-y), THETA[self.statistics]
        return getattr(interactions, f"{kernel}_particles")(y, z, theta, *self._list, *more)

    def _occupied(self, n: ArrayLike) -> NDArray[np.float64]:
        n = np.ascontiguousarray(reals("n", n))
        below = {"fermi-dirac": 1.0, "bose-einstein": MOST_BOSONS}.get(self.statistics, 2 * MOST)
        if n.shape != self.measure.shape or not ((n >= FEWEST) & (n < below)).all():
            raise ValueError(
                f"n = {shown(n)} of shape {n.shape}; allowed: {len(self.measure)} numbers of at least "
                f"{FEWEST:g}, below {below:g}"
            )
        return n

    def _given(self, n: ArrayLike) -> NDArray[np.float64]:
        """Occupations; if the collisions are linear any real ones."""
        if not self.is_linear:
            return self._occupied(n)
        n = np.ascontiguousarray(reals("n", n))
        if n.shape != self.measure.shape or not (np.abs(n) <= MOST).all():
            raise ValueError(
                f"n = {shown(n)} of shape {n.shape}; allowed: {len(self.measure)} numbers from {-MOST:g} to "
                f"{MOST:g}"
            )
        return n

    def potential(self, n: ArrayLike) -> NDArray[np.float64]:
        """The chemical potential y of occupations n, shape (M,)."""
        return self._potential(self._occupied(n))

    def _potential(self, n: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.statistics == "rayleigh-jeans":
            return 1 / n
        if self.statistics == "bose-einstein":  # a difference of logarithms would leave nothing of a large n
            return np.log1p(1 / n)
        return np.log1p(THETA[self.statistics] * n) - np.log(n)

    def _occupation(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """The n of a y."""
        if self.statistics == "rayleigh-jeans":
            return 1 / y
        theta = THETA[self.statistics]
        return 1 / np.expm1(y) if theta == 1 else 1 / (np.exp(y) - theta)

    def _stiffness(self, n: NDArray[np.float64]) -> NDArray[np.float64]:
        """-dy/dn, which is above 0."""
        if self.statistics == "rayleigh-jeans":
            return 1 / n**2
        return 1 / (n * (1 + THETA[self.statistics] * n))

    def _change(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """m dn/dt."""
        change = np.zeros(len(y))
        if self.statistics == "rayleigh-jeans":
            interactions.sweep_waves(y, *self._list, change)
        elif self.weight is not None:
            interactions.sweep_between(y, THETA[self.statistics], *self._list, change)
        else:
            n = self._occupation(y)
            interactions.sweep_on_nodes(n, 1 + THETA[self.statistics] * n, *self._list, change)
        return change

    def _slopes(self, y: NDArray[np.float64], symmetric: bool) -> NDArray[np.float64]:
        """The derivative of m dn/dt by y."""
        work("nodes", self.nodes, len(y), MOST_NODES)
        matrix = np.zeros((len(y), len(y)))
        self._run("slopes", y, symmetric, np.empty(len(self.sign)), matrix)
        return matrix

    @finite
    def rate_of_change(self, n: ArrayLike) -> NDArray[np.float64]:
        """dn/dt, shape (M,), of occupations n above 0, of fermions also below 1, of bosons below 1e10.

        Linear collisions take any real n.
        """
        n = self._given(n)
        if not self.is_linear:
            return self._change(self._potential(n)) / self.measure
        first, second = self.node[:, :, 0].T
        rate = self.strength * (n[second] - n[first])
        size = len(n)
        change = np.bincount(first, rate, size) - np.bincount(second, rate, size)
        return change / self.measure

    @finite
    def loss_rate(self, n: ArrayLike) -> NDArray[np.float64]:
        """The L of dn/dt = G - L n, shape (M,).

        G is what an empty node would gain beside the others; so L is not the diagonal of -`jacobian` where a
        leg shares a node with others.
        """
        loss = np.zeros(len(self.measure))
        self._run("loss", self.potential(n), loss)
        return loss / self.measure

    @finite
    def entropy(self, n: ArrayLike) -> float:
        r"""The entropy, :math:`\sum m \ln n` of waves, :math:`\sum m [(1 + \theta n) \ln(1 + \theta n)/\theta
        - n \ln n]` of particles; :math:`\sum m (n - n \ln n)` for θ = 0."""
        n = self._occupied(n)
        if self.statistics == "rayleigh-jeans":
            return float(self.measure @ np.log(n))
        theta = THETA[self.statistics]
        more = n if theta == 0 else (1 + theta * n) * np.log1p(theta * n) / theta
        return float(self.measure @ (more - n * np.log(n)))

    @finite
    def entropy_production(self, n: ArrayLike) -> float:
        """The rate at which the entropy grows, Σ A R: no term is negative.  It has that of baths."""
        return float(self._run("produce", self.potential(n)))

    @finite
    def moments(self, n: ArrayLike) -> NDArray[np.float64]:
        """The values of the invariants, Σ m φ n, shape (a,)."""
        return (self.invariants * self.measure) @ self._occupied(n)

    @finite
    def jacobian(self, n: ArrayLike) -> NDArray[np.float64]:
        """The derivative of dn/dt by n, shape (M, M); M at most 4000."""
        n = self._occupied(n)
        slopes = self._slopes(self._potential(n), False)
        return -slopes * self._stiffness(n) / self.measure[:, None]

    @finite
    def linearised(self, n: ArrayLike) -> NDArray[np.float64]:
        r"""The symmetric matrix G ≥ 0 of :math:`m\, \delta\dot n = G\, \delta y` at an equilibrium n."""
        return self._slopes(self.potential(n), True)

    @finite
    def spectrum(self, n: ArrayLike) -> NDArray[np.float64]:
        """The rates at which small deviations from an equilibrium n decay, ascending, shape (M,).

        One is 0 for every invariant.
        """
        scale = np.sqrt(self._stiffness(self._occupied(n)) / self.measure)
        return np.linalg.eigvalsh(self.linearised(n) * scale[:, None] * scale)

    @finite
    def equilibrium(self, n: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        r"""The equilibrium with the invariants of n, and its coefficients: :math:`y = \sum_a c_a \varphi_a`.

        Of waves and bosons y is above 0 on all nodes; the coefficient of an energy, an inverse temperature,
        may still be negative.

        Parameters
        ----------
        n : (M,) array_like
            Occupations.

        Returns
        -------
        occupations : (M,) array
        coefficients : (a,) array

        Raises
        ------
        ValueError
            If n is not as stated, or no equilibrium on these nodes has its invariants.
        """
        n = self._occupied(n)
        phi, target = self.invariants, self.moments(n)
        bounded = self.statistics in ("rayleigh-jeans", "bose-einstein")

        def dual(c: NDArray) -> float:  # convex, with its least value at the equilibrium
            y = c @ phi
            if bounded and not (y > 0).all():
                return np.inf
            if self.statistics == "rayleigh-jeans":
                return float(c @ target - self.measure @ np.log(y))
            theta = THETA[self.statistics]
            partition = np.exp(-y) if theta == 0 else -np.log1p(-theta * np.exp(-y)) / theta
            return float(c @ target + self.measure @ partition)

        # weights that do not count the tails: the first guess is the best fit to y
        weights = self.measure / self._stiffness(n)
        c = np.linalg.lstsq((phi * weights) @ phi.T, phi @ (weights * self._potential(n)), rcond=None)[0]
        if not np.isfinite(dual(c)):
            c = np.linalg.lstsq(
                phi.T, np.full(len(n), self._potential(n.mean(keepdims=True))[0]), rcond=None
            )[0]
        none = ValueError(
            f"n = {shown(n)} has invariants {target}; allowed: those of an equilibrium on these nodes"
        )
        if not np.isfinite(dual(c)):  # y is nowhere above 0 on all nodes
            raise none
        value, left, scale = dual(c), np.inf, np.abs(phi * self.measure) @ n
        for _ in range(200):
            found = self._occupation(c @ phi)
            miss = (phi * self.measure) @ found - target
            curvature = (phi * (self.measure / self._stiffness(found))) @ phi.T
            unit = 1 / np.sqrt(np.diag(curvature))  # or a crowded node would hide what the others do
            step = unit * np.linalg.lstsq(curvature * unit[:, None] * unit, unit * miss, rcond=1e-13)[0]
            gain, size = miss @ step, 1.0
            noise = 1e-14 * (np.abs(c * target).sum() + abs(value))  # of the dual: its last steps gain less
            while not (later := dual(c + size * step)) <= value - 1e-4 * size * gain + noise and size > 1e-12:
                size /= 2
            left, last = float(np.max(np.abs(miss) / scale)), left
            if left <= 1e-14 or size <= 1e-12 or (gain < noise and left > last / 2):
                break
            c, value = c + size * step, later
        if not (np.abs(miss) <= 1e-9 * scale).all():
            raise none
        return found, c

    def relax(
        self, n: ArrayLike, times: ArrayLike, *, rtol: float = 1e-6, atol: float = 1e-12
    ) -> NDArray[np.float64]:
        """The occupations at given times, from n at time 0.

        Linear collisions by their eigenvectors, of any real n: at the time t the error is of order 1e-15
        (1 + t × the fastest rate) of the largest n, and that product is at most 1e7.  Others by steps of
        second order that are positive and keep the invariants to round-off, also in tails of 1e-30: each
        stage solves for y, with the balance written in n.

        Parameters
        ----------
        n : (M,) array_like
            Occupations at time 0, above 0 unless the collisions are linear; M at most 4000.
        times : (m,) array_like
            Ascending, not negative.
        rtol, atol : float
            Error allowed in a step, beside n and absolutely.

        Returns
        -------
        (m, M) array

        Raises
        ------
        ValueError
            If an argument is not as stated.
        RuntimeError
            If a step becomes too small; it has the results so far as `partial`.
        """
        n, times = self._given(n), _check.times(times)
        work("times", times, float(n.size) * times.size, MOST_NUMBERS)
        rtol, atol = number("rtol", rtol, above=0, most=1), number("atol", atol, least=0)
        work("nodes", self.nodes, len(n), MOST_NODES)
        return linear(self, n, times) if self.is_linear else march(self, n, times, rtol, atol)
