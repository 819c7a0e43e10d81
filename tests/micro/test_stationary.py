"""Stationary states in hard corners, against exact arithmetic: no digit may be lost without a word."""

import itertools
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from lattice import (
    Bond,
    Chain,
    Langevin,
    Pin,
    StretchFlip,
    ThreeSiteRotation,
    VelocityExchange,
    VelocityFlip,
)
from lattice.micro import _stationary
from lattice.micro._linear import Linear, Unsolved, two_product, two_sum
from lattice.micro.moments import StationaryMoments, stationary

KINDS = [VelocityFlip, StretchFlip, VelocityExchange, ThreeSiteRotation]
BOUNDARIES = ["fixed", "free", ("free", "fixed"), "periodic"]


# --- an oracle: all second moments of a small chain, by elimination in 120 digits ----------------------


def coordinates(chain, noise):
    """Integer matrices that take q to coordinates y with a stationary state, and back."""
    n = chain.n
    one = np.eye(n)
    to_y = one
    if isinstance(noise, StretchFlip):
        to_y = chain.stretches(one).T
    elif not np.any(chain.pin.chi) and "fixed" not in chain.ends:
        to_y = one[1:] - one[:1]
    back = np.linalg.inv(np.concatenate([to_y, one[:1]])[:n])[:, : len(to_y)]
    return np.rint(to_y).astype(int), np.rint(back).astype(int)


def maps(chain, noise, w):
    """Integer matrices on (y, p): U of jumps x -> Ux, and Y of turns, whose generator is Y²/6."""
    n = chain.n
    one = np.eye(w + n, dtype=int)
    ring = n if chain.periodic else n - 1
    if isinstance(noise, VelocityFlip):
        return [one - 2 * np.outer(one[w + j], one[w + j]) for j in range(n)], []
    if isinstance(noise, StretchFlip):
        first = int(chain.ends[0] == "fixed")
        return [one - 2 * np.outer(one[first + b], one[first + b]) for b in range(n - 1)], []
    if isinstance(noise, VelocityExchange):
        apart = [one[w + j] - one[w + (j + 1) % n] for j in range(ring)]
        return [one - np.outer(d, d) for d in apart], []
    turns = []
    for z in range(n) if chain.periodic else range(1, n - 1):
        a, b, c = (one[w + (z + d) % n] for d in (-1, 0, 1))
        turns.append(np.outer(a, b - c) + np.outer(b, c - a) + np.outer(c, a - b))
    return [], turns


def eliminate(matrix, right):
    """The solution of a linear system of Decimals, by elimination with scaled pivots."""
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    n = len(rows)
    for k in range(n):
        pivot = max(range(k, n), key=lambda r: abs(rows[r][k]) / (max(map(abs, rows[r][k:n])) or 1))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for row in rows[k + 1 :]:
            if row[k]:
                factor = row[k] / rows[k][k]
                for c in range(k, n + 1):
                    if rows[k][c]:
                        row[c] -= factor * rows[k][c]
    x = [Decimal(0)] * n
    for k in reversed(range(n)):
        known = sum((a * b for a, b in zip(rows[k][k + 1 : n], x[k + 1 :], strict=True)), Decimal(0))
        x[k] = (rows[k][n] - known) / rows[k][k]
    return x


def decimals(matrix):
    return [[Decimal(float(entry)) for entry in row] for row in matrix]


def product(*factors):
    result, *others = factors
    for other in others:
        result = [
            [
                sum((a * b for a, b in zip(row, column, strict=True) if a and b), Decimal(0))
                for column in zip(*other, strict=True)
            ]
            for row in result
        ]
    return result


def exact(chain, baths, noise):
    """Temperatures, powers of the baths and the covariance of q, in floats."""
    with localcontext() as context:
        context.prec = 120
        return _exact(chain, baths, noise)


def _exact(chain, baths, noise):
    n = chain.n
    to_y, to_q = coordinates(chain, noise)
    w = len(to_y)
    gradient = chain.stretches(np.eye(n)).T
    chi = decimals(np.diag(np.broadcast_to(chain.bond.chi, chain.n_bonds)))
    stiffness = product(decimals(gradient.T), chi, decimals(gradient))
    for j, pin in enumerate(np.broadcast_to(chain.pin.chi, n)):
        stiffness[j][j] += Decimal(float(pin))
    pull = product(stiffness, decimals(to_q))
    drift = decimals(np.zeros((w + n, w + n)))
    force = [Decimal(0)] * (w + n)
    heat = decimals(np.zeros((w + n, w + n)))
    for i, j in itertools.product(range(w), range(n)):
        drift[i][w + j], drift[w + j][i] = Decimal(int(to_y[i, j])), -pull[j][i]
    for bath in baths:
        site, friction = w + bath.site % n, Decimal(bath.friction)
        drift[site][site] = -friction
        force[site] = Decimal(bath.force)
        heat[site][site] = 2 * friction * Decimal(bath.temperature)
    jumps, turns = ([], []) if noise is None else maps(chain, noise, w)
    rate = Decimal(0 if noise is None else noise.rate) / (6 if turns else 1)
    size, one = w + n, np.eye(w + n, dtype=int)
    first, second = np.zeros((size, size), dtype=int), np.zeros((size**2, size**2), dtype=int)
    for u in jumps:
        first += u - one
        second += np.kron(u, u) - np.kron(one, one)
    for y in turns:
        first += y @ y
        both = np.kron(y, one) + np.kron(one, y)
        second += both @ both
    means = [[drift[i][j] + rate * int(first[i, j]) for j in range(size)] for i in range(size)]
    mean = eliminate(means, [-f for f in force]) if any(force) else force
    # unknowns: the upper half of the second moments
    pairs = [(i, j) for i in range(size) for j in range(i, size)]
    number = {pair: k for k, (i, j) in enumerate(pairs) for pair in ((i, j), (j, i))}
    matrix = decimals(np.zeros((len(pairs), len(pairs))))
    right = []
    for row, (i, j) in zip(matrix, pairs, strict=True):
        for k in range(size):
            row[number[k, j]] += drift[i][k]
            row[number[i, k]] += drift[j][k]
        for k in np.flatnonzero(second[i * size + j]):
            row[number[k // size, k % size]] += rate * int(second[i * size + j, k])
        right.append(-(heat[i][j] + force[i] * mean[j] + mean[i] * force[j]))
    moments = eliminate(matrix, right)
    covariance = [[moments[number[i, j]] - mean[i] * mean[j] for j in range(size)] for i in range(size)]
    temperatures = [covariance[w + j][w + j] for j in range(n)]
    powers = [
        Decimal(b.friction) * (Decimal(b.temperature) - temperatures[b.site] - mean[w + b.site % n] ** 2)
        + Decimal(b.force) * mean[w + b.site % n]
        for b in baths
    ]
    yy = np.array([row[:w] for row in covariance[:w]], dtype=float)
    place = to_q - to_q.mean(axis=0) if w < n else to_q
    return np.array(temperatures, dtype=float), np.array(powers, dtype=float), place @ yy @ place.T


def corners(kind):
    """Small chains between two baths, over ten to sixteen decades: every 29th of a grid."""
    sizes, pins, rates = (2, 3, 4), (0.0, 1e-8, 1e-4, 1.0, 1e4, 1e6, 1e8), (1e-6, 1e-3, 1.0, 1e3, 1e5, 1e8)
    frictions = ((1.0, 1.0), (1e-3, 2.0), (1e3, 1e3), (1e-6, 1e6))
    boundaries = ("free", ("free", "fixed"), ("fixed", "free")) if kind is StretchFlip else BOUNDARIES
    if kind is StretchFlip:
        pins = (0.0,)
    if kind is type(None):
        # a pin of 1e8 hides the damping of the middle in rounding: see below
        pins, rates = pins[:-1], (0.0,)
    grid = itertools.product(sizes, boundaries, pins, rates, frictions, (0.0, 1.5))
    for n, boundary, pin, rate, friction, force in itertools.islice(grid, 0, None, 29):
        if n == 2 and (boundary == "periodic" or kind is ThreeSiteRotation):
            continue
        chain = Chain(n, Bond(chi=1.3), Pin(chi=pin), boundary)
        baths = Langevin(0, 2.0, friction[0]), Langevin(-1, 0.5, friction[1], force)
        yield chain, baths, None if kind is type(None) else kind(rate)


@pytest.mark.parametrize("kind", [type(None), *KINDS])
def test_hard_corners_keep_all_digits(kind):
    for chain, baths, noise in corners(kind):
        case = f"{chain.n} {chain.boundary} pin {chain.pin.chi} {baths} {noise}"
        found = stationary(chain, baths, noise)
        temperatures, powers, qq = exact(chain, baths, noise)
        scale = max(temperatures.max(), 2.0)
        np.testing.assert_allclose(found.temperatures, temperatures, rtol=0, atol=1e-15 * scale, err_msg=case)
        work = max(abs(bath.force * found.mean_p[bath.site]) for bath in baths)
        size = 1e-11 * np.abs(powers).max() + 1e-15 * work
        np.testing.assert_allclose(found.bath_powers, powers, rtol=0, atol=size, err_msg=case)
        np.testing.assert_allclose(found.qq, qq, rtol=0, atol=1e-10 * np.abs(qq).max(), err_msg=case)
        assert found.residual < 1e-16, case


def test_the_oracle_tells_rates_apart():
    chain, baths = Chain(3, Bond(chi=1.3), Pin(chi=1.0), "fixed"), (Langevin(0, 2.0), Langevin(-1, 0.5))
    for kind in (VelocityFlip, VelocityExchange, ThreeSiteRotation):
        one, two = (exact(chain, baths, kind(rate))[0] for rate in (0.5, 1.0))
        assert np.abs(one - two).max() > 1e-3


@pytest.mark.parametrize(
    ("n", "boundary", "pin", "rate"), [(4, "fixed", 1e4, 1e5), (3, ("fixed", "free"), 1e6, 1e6)]
)
def test_equal_baths_are_equilibrium_to_the_last_bit(n, boundary, pin, rate):
    """These gave [1, 1.1218, 1.0984, 1] and 69.6."""
    chain = Chain(n, Bond(chi=1.0), Pin(chi=pin), boundary)
    for frictions in ((1.0, 1.0), (0.3, 7.0)):
        baths = [Langevin(site, 1.0, g) for site, g in zip((0, -1), frictions, strict=True)]
        found = stationary(chain, baths, VelocityFlip(rate))
        assert found.pp.tolist() == np.eye(n).tolist()
        assert not found.qp.any()
        assert found.bath_powers.tolist() == [0.0, 0.0]
        # and a small difference is no smaller than it should be
        baths[1] = Langevin(-1, 1.5, frictions[1])
        temperatures, powers, _ = exact(chain, baths, VelocityFlip(rate))
        found = stationary(chain, baths, VelocityFlip(rate))
        np.testing.assert_allclose(found.temperatures, temperatures, rtol=1e-15)
        np.testing.assert_allclose(found.bath_powers, powers, rtol=1e-12)
        inner = slice(int(chain.ends[0] == "fixed"), None)
        np.testing.assert_allclose(found.energy_currents[inner][: n - 1], powers[0], rtol=1e-12)


@pytest.mark.parametrize("kind", [VelocityExchange, ThreeSiteRotation])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_fast_noise_that_carries_heat_is_solved(kind, boundary):
    for pin in (0.0, 1.0, 1e4):
        chain, baths = Chain(3, Bond(chi=1.0), Pin(chi=pin), boundary), (Langevin(0, 2.0), Langevin(-1, 1.0))
        temperatures, powers, _ = exact(chain, baths, kind(1e3))
        found = stationary(chain, baths, kind(1e3))
        np.testing.assert_allclose(found.temperatures, temperatures, rtol=1e-15)
        np.testing.assert_allclose(found.bath_powers, powers, rtol=1e-13)


@pytest.mark.parametrize("kind", [VelocityFlip, StretchFlip])
@pytest.mark.parametrize("n", [3, 17, 64])
def test_flips_of_any_rate_are_the_closed_form(n, kind):
    for friction, rate, chi in itertools.product((1e-4, 1.0, 1e4), (1e-3, 1.0, 1e8), (1.0, 1e6)):
        if kind is StretchFlip and (friction, chi) != (1.0, 1.0):
            continue
        baths = Langevin(0, 2.0, friction), Langevin(-1, 1.0, friction)
        found = stationary(Chain(n, Bond(chi=chi), boundary="free"), baths, kind(rate))
        exact_power = 1 / (4 * rate * (n - 1) / chi + 2 * friction / chi + 2 / friction)
        np.testing.assert_allclose(found.bath_powers, [exact_power, -exact_power], rtol=1e-12)
        np.testing.assert_allclose(found.energy_currents, exact_power, rtol=1e-12)


@pytest.mark.parametrize("n", [3, 4, 5, 8, 16, 31])
@pytest.mark.parametrize("pin", [0.0, 0.7])
def test_undamped_modes_are_refused_whatever_their_baths(n, pin):
    """Waves with a node at every bath: on a ring with one, and about the middle of a chain."""
    odd = 2 * (n // 2) + 1
    for chain, site in (
        (Chain(n, Bond(chi=0.37), Pin(chi=pin)), 1),
        (Chain(odd, Bond(chi=0.37), Pin(chi=pin), "fixed"), odd // 2),
    ):
        with pytest.raises(ValueError, match="leave a mode undamped"):
            stationary(chain, [Langevin(site, 1.0, 0.8)])


def test_a_damping_lost_in_rounding_is_refused():
    with pytest.raises(ValueError, match="leave a mode undamped, or nearly so"):
        stationary(Chain(3, Bond(chi=1.3), Pin(chi=1e8)), [Langevin(0, 2.0, 1e3), Langevin(-1, 0.5, 1e3)])


@pytest.mark.parametrize("kind", [VelocityFlip, VelocityExchange, ThreeSiteRotation])
def test_a_state_lost_in_rounding_is_refused(kind):
    """A pin below the rounding of the springs."""
    chain = Chain(4, Bond(chi=1.0), Pin(chi=1e-20), "free")
    with pytest.raises(RuntimeError, match="lost in rounding errors"):
        stationary(chain, [Langevin(0, 2.0), Langevin(-1, 1.0, 0.3)], kind(1.0))


def test_rates_too_far_apart_are_refused():
    baths = Langevin(0, 2.0), Langevin(-1, 1.0)
    with pytest.raises(ValueError, match=r"rates from 1\.0e\+00 to 1\.0e\+60; allowed: a factor of 1e\+50"):
        stationary(Chain(3, boundary="fixed"), baths, VelocityFlip(1e60))


def test_a_chain_too_long_is_refused():
    with pytest.raises(ValueError, match=r"chain = .* steps; allowed"):
        stationary(Chain(20000, boundary="fixed"), [Langevin(0, 2.0), Langevin(-1, 1.0)], VelocityFlip(1.0))


@pytest.mark.parametrize("broken", ["cold", "hot", "given", "flowing"])
def test_the_guard_notices(broken):
    """Maximum principle, and what goes in comes out."""
    chain, baths = Chain(4, Bond(chi=1.0), Pin(chi=1.0), "fixed"), (Langevin(0, 2.0), Langevin(-1, 1.0))
    found = stationary(chain, baths, VelocityExchange(0.5))
    pp, given = found.pp.copy(), np.zeros(4)
    given[[0, 3]] = found.bath_powers
    flows = [found.energy_currents, found.noise_currents, given]
    moments = [found.mean_q, found.mean_p, found.qq, found.qp, pp]
    _stationary.verify(chain, baths, tuple(moments), tuple(flows))
    if broken in ("cold", "hot"):
        pp[1, 1] = {"cold": 1 - 1e-9, "hot": 2 + 1e-9}[broken]
    else:
        flows[2 if broken == "given" else 0][[0, 1]] *= 1 + 1e-5
    with pytest.raises(RuntimeError, match="lost in rounding errors"):
        _stationary.verify(chain, baths, tuple(moments), tuple(flows))


def test_forces_heat_without_limit_but_never_cool():
    chain = Chain(3, boundary="free")
    baths = Langevin(0, 1.0), Langevin(-1, 1.0, force=5.0)
    found = stationary(chain, baths, VelocityFlip(0.5))
    temperatures, powers, _ = exact(chain, baths, VelocityFlip(0.5))
    np.testing.assert_allclose(found.temperatures, temperatures, rtol=1e-14)
    np.testing.assert_allclose(found.bath_powers, powers, rtol=1e-13)
    assert found.temperatures.min() > 1.0


def test_parts_without_springs_between_them():
    """Two loose pieces, between which only the noise carries heat, and a piece on its own."""
    baths = Langevin(0, 2.0), Langevin(-1, 1.0, 0.4)
    chain = Chain(4, Bond(chi=[1.0, 0.0, 1.0]), boundary="free")
    carried = stationary(chain, baths, ThreeSiteRotation(0.5))
    np.testing.assert_allclose(carried.noise_currents[1], carried.bath_powers[0], rtol=1e-13)
    apart = stationary(chain, baths)
    np.testing.assert_allclose(apart.temperatures, [2.0, 2.0, 1.0, 1.0], rtol=1e-15)
    np.testing.assert_allclose(apart.bath_powers, 0.0, atol=1e-22)


def test_a_mode_at_rest_that_is_no_translation_is_refused():
    chain = Chain(4, Bond(chi=-0.25), Pin(chi=1.0))  # ω = 0 at k = 1/2
    with pytest.raises(ValueError, match="that is no translation"):
        stationary(chain, [Langevin(0, 1.0), Langevin(1, 1.0)])


def test_made_by_hand_it_counts_its_currents_from_its_moments():
    found = stationary(
        Chain(4, boundary="free"), [Langevin(0, 2.0), Langevin(-1, 1.0)], VelocityExchange(0.7)
    )
    blocks = found.mean_q, found.mean_p, found.qq, found.qp, found.pp
    again = StationaryMoments(found.chain, *blocks, baths=found.baths, noise=found.noise)
    for name in ("energy_currents", "noise_currents", "bath_powers"):
        np.testing.assert_allclose(getattr(again, name), getattr(found, name), rtol=1e-12)


# --- linear systems -----------------------------------------------------------------------------------


def dense(matrix):
    rows, columns = np.nonzero(np.ones(matrix.shape))
    return rows, columns, matrix.ravel()


def test_an_ill_conditioned_system_is_solved_to_the_last_digit():
    """A matrix of integers with a condition of 1e10, against fractions."""
    n = 8
    whole = np.array([[360360 // (i + j + 1) for j in range(n)] for i in range(n)], dtype=float)
    right = np.array([1.0, 0.0, -2.0, 3.0, 0.0, 0.0, 1.0, 7.0])
    rows = [[Fraction(int(a)) for a in row] + [Fraction(int(b))] for row, b in zip(whole, right, strict=True)]
    for k in range(n):
        for r in range(n):
            if r != k:
                rows[r] = [a - rows[r][k] / rows[k][k] * b for a, b in zip(rows[r], rows[k], strict=True)]
    solution = [rows[k][n] / rows[k][k] for k in range(n)]
    assert np.linalg.cond(whole) > 1e9
    x, low, error = Linear(dense(whole), np.ones((1, n))).solve(right)
    assert x.tolist() == [float(s) for s in solution]
    left = [
        abs(Fraction(a) + Fraction(b) - s) for a, b, s in zip(x.tolist(), low.tolist(), solution, strict=True)
    ]
    assert max(left) < 1e-21 * max(abs(s) for s in solution)
    assert error < 1e-16
    # several right sides, and one with a part below rounding
    both, _, _ = Linear(dense(whole), np.ones((1, n))).solve(np.stack([right, 2 * right], axis=1))
    np.testing.assert_array_equal(both, np.stack([x, 2 * x], axis=1))
    shifted, rest, _ = Linear(dense(whole), np.ones((1, n))).solve(right, 1e-17 * right)
    np.testing.assert_allclose((shifted - x) + (rest - low), 1e-17 * x, rtol=1e-4)


def test_entries_of_one_place_add_up_without_rounding():
    entries = np.array([0, 0, 0]), np.array([0, 0, 0]), np.array([1.0, 1e-20, -1.0])
    with pytest.raises(Unsolved):  # what is left is far below the factors
        Linear(entries, np.ones((1, 1))).solve(np.ones(1))
    entries = np.array([0, 0]), np.array([0, 0]), np.array([1.0, 1e-20])
    x, low, _ = Linear(entries, np.ones((1, 1))).solve(np.ones(1))
    assert (x[0], low[0]) == (1.0, pytest.approx(-1e-20, rel=1e-6))


def test_systems_without_a_solution_are_refused():
    with pytest.raises(Unsolved, match="empty"):
        Linear((np.array([0]), np.array([0]), np.ones(1)), np.ones((1, 2)))
    nearly = np.array([[1.0, 1.0], [1.0, 1.0 + 2**-52]])
    tilt = np.array([0, 1]), np.array([0, 1]), np.full(2, 1e-12)
    with pytest.raises(Unsolved, match="relative error"):
        Linear(dense(nearly), np.ones((1, 2)), tilt=tilt).solve(np.array([1.0, 0.0]))


def test_sums_and_products_keep_what_they_round_away():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 200)) * 10.0 ** rng.integers(-20, 20, (2, 200))
    for operation, name in ((two_sum, "__add__"), (two_product, "__mul__")):
        high, low = operation(a, b)
        for x, y, h, r in zip(*(v.tolist() for v in (a, b, high, low)), strict=True):
            assert getattr(Fraction(x), name)(Fraction(y)) == Fraction(h) + Fraction(r)
