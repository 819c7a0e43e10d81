"""Stationary states in hard corners, against exact arithmetic: found to 1e-8, or refused."""

import dataclasses
import itertools
from decimal import Decimal, localcontext

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
from lattice.micro import moments
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
    """Small chains between two baths, of rates that differ by up to 1e7: every 17th of a grid."""
    sizes, pins, rates = (2, 3, 4), (0.0, 1e-4, 1.0, 1e4, 1e6), (1e-3, 1.0, 1e3, 1e4)
    frictions = ((1.0, 1.0), (1e-3, 2.0), (1e3, 1e3))
    boundaries = ("free", ("free", "fixed"), ("fixed", "free")) if kind is StretchFlip else BOUNDARIES
    if kind is StretchFlip:
        pins = (0.0,)
    if kind is type(None):
        # a pin of 1e6 hides the damping of the middle in rounding: see below
        pins, rates = pins[:-1], (0.0,)
    grid = itertools.product(sizes, boundaries, pins, rates, frictions, (0.0, 1.5))
    for n, boundary, pin, rate, friction, force in itertools.islice(grid, 0, None, 17):
        if n == 2 and (boundary == "periodic" or kind is ThreeSiteRotation):
            continue
        chain = Chain(n, Bond(chi=1.3), Pin(chi=pin), boundary)
        baths = Langevin(0, 2.0, friction[0]), Langevin(-1, 0.5, friction[1], force)
        yield chain, baths, None if kind is type(None) else kind(rate)


@pytest.mark.parametrize("kind", [type(None), *KINDS])
def test_hard_corners_keep_their_digits(kind):
    for chain, baths, noise in corners(kind):
        case = f"{chain.n} {chain.boundary} pin {chain.pin.chi} {baths} {noise}"
        found = stationary(chain, baths, noise)
        temperatures, powers, qq = exact(chain, baths, noise)
        scale = max(temperatures.max(), 2.0)
        np.testing.assert_allclose(found.temperatures, temperatures, rtol=0, atol=1e-9 * scale, err_msg=case)
        work = max(abs(bath.force * found.mean_p[bath.site]) for bath in baths)
        size = 1e-8 * np.abs(powers).max() + 1e-14 * work
        np.testing.assert_allclose(found.bath_powers, powers, rtol=0, atol=size, err_msg=case)
        np.testing.assert_allclose(found.qq, qq, rtol=0, atol=1e-9 * np.abs(qq).max(), err_msg=case)
        assert found.residual < 1e-8, case


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
        assert not found.bath_powers.any()
        # and a small difference is no smaller than it should be
        baths[1] = Langevin(-1, 1.5, frictions[1])
        temperatures, powers, _ = exact(chain, baths, VelocityFlip(rate))
        found = stationary(chain, baths, VelocityFlip(rate))
        np.testing.assert_allclose(found.temperatures, temperatures, rtol=1e-9)
        np.testing.assert_allclose(found.bath_powers, powers, rtol=1e-8)
        inner = slice(int(chain.ends[0] == "fixed"), None)
        np.testing.assert_allclose(found.energy_currents[inner][: n - 1], powers[0], rtol=1e-8)


@pytest.mark.parametrize("kind", [VelocityExchange, ThreeSiteRotation])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_fast_noise_that_carries_heat_is_solved(kind, boundary):
    for pin in (0.0, 1.0, 1e4):
        chain, baths = Chain(3, Bond(chi=1.0), Pin(chi=pin), boundary), (Langevin(0, 2.0), Langevin(-1, 1.0))
        temperatures, powers, _ = exact(chain, baths, kind(1e3))
        found = stationary(chain, baths, kind(1e3))
        np.testing.assert_allclose(found.temperatures, temperatures, rtol=1e-12)
        np.testing.assert_allclose(found.bath_powers, powers, rtol=1e-10)


@pytest.mark.parametrize("kind", [VelocityFlip, StretchFlip])
@pytest.mark.parametrize("n", [3, 17, 64])
def test_flips_of_any_rate_are_the_closed_form(n, kind):
    for friction, rate, chi in itertools.product((1e-3, 1.0, 1e3), (1e-3, 1.0, 1e3), (1.0, 1e6)):
        if kind is StretchFlip and (friction, chi) != (1.0, 1.0):
            continue
        baths = Langevin(0, 2.0, friction), Langevin(-1, 1.0, friction)
        found = stationary(Chain(n, Bond(chi=chi), boundary="free"), baths, kind(rate))
        exact_power = 1 / (4 * rate * (n - 1) / chi + 2 * friction / chi + 2 / friction)
        np.testing.assert_allclose(found.bath_powers, [exact_power, -exact_power], rtol=1e-9)
        np.testing.assert_allclose(found.energy_currents, exact_power, rtol=1e-9)


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


def test_rates_too_far_apart_are_refused():
    baths = Langevin(0, 2.0), Langevin(-1, 1.0)
    chain = Chain(3, boundary="fixed")
    allowed = r"allowed: a factor of 1e\+07 between them"
    with pytest.raises(ValueError, match=r"rates from 1\.0e\+00 to 1\.0e\+09; " + allowed):
        stationary(chain, baths, VelocityFlip(1e9))
    with pytest.raises(ValueError, match=allowed):
        stationary(chain, [Langevin(0, 2.0, 1e-9), Langevin(-1, 1.0)])
    with pytest.raises(ValueError, match=allowed):
        stationary(Chain(3, Bond(chi=[1.0, 1e-16]), boundary="free"), baths)
    with pytest.raises(
        ValueError, match=r"chain has modes of ω = .*; allowed: a factor of 1e\+06 between them"
    ):
        stationary(Chain(4, pin=Pin(chi=1e-13), boundary="free"), baths, VelocityFlip(1.0))


def test_a_state_lost_in_rounding_is_refused(monkeypatch):
    """The estimate of the error is honest where a soft wave is hardly let move by fast flips, at ω²/2γ."""
    chain = Chain(4, Bond(chi=1.3), Pin(chi=1e-11))
    baths, noise = [Langevin(0, 2.0, 1e-3), Langevin(-1, 0.5, 2.0)], VelocityFlip(1e4)
    found = stationary(chain, baths, noise)
    temperatures, powers, _ = exact(chain, baths, noise)
    np.testing.assert_allclose(found.temperatures, temperatures, rtol=1e-7)
    np.testing.assert_allclose(found.bath_powers, powers, rtol=1e-7)
    monkeypatch.setattr(moments, "LARGEST_ERROR", 1e-13)
    with pytest.raises(RuntimeError, match="lost in rounding errors: they are about"):
        stationary(chain, baths, noise)


def test_singular_equations_are_refused(monkeypatch):
    """Were a mode without damping overlooked."""
    monkeypatch.setattr(moments, "is_damped", lambda motion, loose: True)
    with pytest.raises((RuntimeError, ValueError), match=r"lost in rounding errors|beyond the floats"):
        stationary(Chain(4, Bond(chi=0.37)), [Langevin(1, 1.0, 0.8), Langevin(3, 2.0, 0.8)])


def test_a_chain_too_long_is_refused():
    with pytest.raises(ValueError, match=r"chain = .* steps; allowed: at most 5e\+02"):
        stationary(Chain(513, boundary="fixed"), [Langevin(0, 2.0), Langevin(-1, 1.0)], VelocityFlip(1.0))


@pytest.mark.parametrize("broken", ["cold", "hot", "flowing", "residual"])
def test_the_guard_notices(broken):
    """Maximum principle, and what goes in comes out."""
    chain, baths = Chain(4, Bond(chi=1.0), Pin(chi=1.0), "fixed"), (Langevin(0, 2.0), Langevin(-1, 1.0))
    found = stationary(chain, baths, VelocityExchange(0.5))
    motion = moments.Motion.of(chain, baths, None)
    moments._verify(found, motion)
    changes = {"residual": 2e-8} if broken == "residual" else {}
    if broken in ("cold", "hot"):
        pp = found.pp.copy()
        pp[1, 1] = {"cold": 1 - 1e-7, "hot": 2 + 1e-7}[broken]
        changes = {"pp": pp}
    if broken == "flowing":
        changes = {"qp": found.qp * (1 + 1e-5)}
    with pytest.raises(RuntimeError, match="lost in rounding errors"):
        moments._verify(dataclasses.replace(found, **changes), motion)


def test_forces_heat_without_limit_but_never_cool():
    chain = Chain(3, boundary="free")
    baths = Langevin(0, 1.0), Langevin(-1, 1.0, force=5.0)
    found = stationary(chain, baths, VelocityFlip(0.5))
    temperatures, powers, _ = exact(chain, baths, VelocityFlip(0.5))
    np.testing.assert_allclose(found.temperatures, temperatures, rtol=1e-12)
    np.testing.assert_allclose(found.bath_powers, powers, rtol=1e-12)
    assert found.temperatures.min() > 1.0


def test_parts_without_springs_between_them():
    """Two loose pieces, between which only the noise carries heat, and a piece on its own."""
    baths = Langevin(0, 2.0), Langevin(-1, 1.0, 0.4)
    chain = Chain(4, Bond(chi=[1.0, 0.0, 1.0]), boundary="free")
    carried = stationary(chain, baths, ThreeSiteRotation(0.5))
    np.testing.assert_allclose(carried.noise_currents[1], carried.bath_powers[0], rtol=1e-13)
    apart = stationary(chain, baths)
    np.testing.assert_allclose(apart.temperatures, [2.0, 2.0, 1.0, 1.0], rtol=1e-14)
    np.testing.assert_allclose(apart.bath_powers, 0.0, atol=1e-15)


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


def test_exchanges_reach_over_a_bond_without_spring():
    """What the springs leave alone is heated through the noise, and flips leave it alone."""
    broken = Chain(4, Bond(chi=[1.0, 0.0, 1.0]), boundary="free")
    baths = [Langevin(0, 2.0), Langevin(1, 1.0)]
    state = stationary(broken, baths, VelocityExchange(0.5))
    assert np.all((state.temperatures > 1.0) & (state.temperatures < 2.0))
    np.testing.assert_allclose(state.temperatures[1], state.temperatures[2], rtol=1e-8)  # nothing flows on
    with pytest.raises(ValueError, match="baths"):
        stationary(broken, baths, VelocityFlip(0.5))
