"""Crystals in motion: exactly, and with pair rotations: what is kept, the naive twin, exact means."""

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import pytest
import scipy.linalg

from lattice import (
    Bond,
    Chain,
    Crystal,
    PairRotation,
    Pin,
    State,
    VelocityFlip,
    dispersion,
    energy,
    fourier,
    mean,
    polarisations,
    thermal,
    wave_field,
)
from lattice._kernels.noise import ANGLES
from lattice._kernels.pairs import store, turn_pairs
from lattice._kernels.random import fill_normal, streams
from lattice.kinetic import noisy
from lattice.micro import crystals
from tests import naive

SHEET, BLOCK = Crystal((4, 5), Bond(chi=1.3), Pin(chi=0.4)), Crystal((3, 4, 3), pin=Pin(chi=0.2))
PLANAR = Crystal((4, 5), {(1, 0): Bond(chi=1.3), (1, 1): (Bond(chi=0.7), Bond(chi=0.2))}, Pin(chi=0.4))


def stream(seed):
    return streams(np.random.SeedSequence(seed), 1)


def axes(crystal):
    return tuple(range(-len(crystal.shape), 0))


@pytest.mark.parametrize("crystal", [SHEET, BLOCK, Crystal((6, 3))])
def test_energy_and_momentum_to_round_off(crystal):
    start = thermal(crystal, 1.0, 3, rng=1)
    run = crystals.evolve(crystal, start, [0.0, 5.0, 50.0], noise=PairRotation(0.4), dt=0.3, rng=2)
    run_q, run_p = run.q, run.p
    for i in range(3):
        energies = (crystal.energy(q, p) for q, p in ((run_q[i], run_p[i]), (start.q, start.p)))
        np.testing.assert_allclose(*energies, rtol=1e-12)
        if crystal.pin.is_zero:
            np.testing.assert_allclose(
                run_p[i].sum(axis=axes(crystal)), start.p.sum(axis=axes(crystal)), atol=1e-11
            )
    assert np.abs(run_p[2] - start.p).max() > 0.5


@pytest.mark.parametrize("crystal", [SHEET, BLOCK])
@pytest.mark.parametrize("forward", [True, False])
def test_kernel_against_the_naive_twin(crystal, forward):
    d, sites = len(crystal.shape), math.prod(crystal.shape)
    p = np.random.default_rng(3).normal(size=(d, sites))
    first, second = crystal.pairs
    turns = [
        (a, b, *plane) for a, b in zip(first, second, strict=True) for plane in combinations(range(d), 2)
    ]
    if not forward:
        turns.reverse()
    variates = np.empty(ANGLES)
    fill_normal(stream(4)[0], np.empty(ANGLES, np.uint64), variates)
    angles = 0.4 * variates[: len(turns)]
    slow = {y: list(p[:, y]) for y in range(sites)}
    naive.turn_pairs(slow, [(*turn, angle) for turn, angle in zip(turns, angles, strict=True)])
    turn_pairs(p, first, second, 0.4, forward, stream(4), store(d, first.size))
    np.testing.assert_allclose(p, np.array([slow[y] for y in range(sites)]).T, atol=1e-13)


@pytest.mark.parametrize("d", [2, 3])
def test_one_pair_forgets_its_direction(d):
    """⟨u⟩ decays at 4γ in every dimension; 5 standard errors, 1 % detected."""
    random, kept, samples, step = stream(5), store(d, 1), 40_000, 0.05
    pair, turned = np.array([0]), np.empty((samples, d))
    start = np.zeros((d, 2))
    start[0] = -0.5, 0.5
    for i in range(samples):
        p = start.copy()
        turn_pairs(p, pair, pair + 1, math.sqrt(8 * step / (d - 1)), True, random, kept)
        turned[i] = p[:, 1] - p[:, 0]
    found = mean(turned)
    assert abs(found.value[0] - math.exp(-4 * step)) < 5 * found.stderr[0] < 0.02
    assert (np.abs(found.value[1:]) < 5 * found.stderr[1:]).all()
    np.testing.assert_allclose((turned**2).sum(axis=1), 1, rtol=1e-13)


def mean_map(crystal, h, order):
    """The mean of a step of turns on one component of p: a pair keeps its mean, forgets its difference."""
    total = np.eye(math.prod(crystal.shape))
    for a, b in order(list(zip(*crystal.pairs, strict=True))):
        stays, goes = (1 + math.exp(-4 * h)) / 2, (1 - math.exp(-4 * h)) / 2
        total[[a, b]] = stays * total[[a, b]] + goes * total[[b, a]]
    return total


def test_means_are_of_second_order():
    """Two steps in opposite orders against the exact generator 2Δ: an error of order h² per unit of time."""
    crystal, steps, errors = Crystal((3, 4)), np.array([0.02, 0.01, 0.005]), []
    generator = np.zeros((12, 12))
    for a, b in zip(*crystal.pairs, strict=True):
        generator[[a, b], [a, b]] -= 2
        generator[[a, b], [b, a]] += 2
    for h in steps:
        both = mean_map(crystal, h, reversed) @ mean_map(crystal, h, list)
        many = np.linalg.matrix_power(both, round(0.2 / h / 2))
        errors.append(np.abs(many - scipy.linalg.expm(0.2 * generator)).max())
    assert abs(np.polyfit(np.log(steps), np.log(errors), 1)[0] - 2) < 0.1


def test_mean_wave_decays_at_the_rate_of_the_kernel():
    """Noise and springs: ⟨q̂⟩ of a kicked crystal is a damped oscillator with φ of eq. (62); 3 % detected."""
    crystal, rate, t = Crystal((4, 4), pin=Pin(chi=1.0)), 0.3, 1.0
    p = np.zeros((6000, 2, 4, 4))
    p[:, 0, 0, 0] = 1.0
    late = crystals.evolve(crystal, State(0 * p, p), [t], noise=PairRotation(rate), dt=0.1, rng=6).p
    wave = np.fft.fftn(late[0][:, 0], axes=(1, 2)).real[:, [0, 1, 2, 2], [1, 1, 0, 2]]
    k = np.array([[0, 1], [1, 1], [2, 0], [2, 2]]) / 4
    phi, omega = noisy.rate(PairRotation(rate), k), dispersion(crystal, k)
    expected = [
        scipy.linalg.expm(t * np.array([[0, 1], [-(w**2), -f]]))[1, 1]
        for f, w in zip(phi, omega, strict=True)
    ]
    found = mean(wave)
    assert (np.abs(found.value - expected) < 5 * found.stderr + 0.005).all()  # and the error of the step
    assert (found.stderr < 0.006).all()


def test_the_result_does_not_depend_on_the_map():
    start = thermal(SHEET, 1.0, 3, rng=1)
    serial = crystals.evolve(SHEET, start, [1.0], noise=PairRotation(1.0), dt=0.1, rng=4)
    with ThreadPoolExecutor(2) as pool:
        threaded = crystals.evolve(SHEET, start, [1.0], noise=PairRotation(1.0), dt=0.1, rng=4, map=pool.map)
    np.testing.assert_array_equal((serial.q, serial.p), (threaded.q, threaded.p))
    few = crystals.evolve(
        SHEET, State(start.q[:2], start.p[:2]), [1.0], noise=PairRotation(1.0), dt=0.1, rng=4
    )
    np.testing.assert_array_equal(few.q, serial.q[:, :2])


def test_a_run_carries_its_inputs():
    """Its seed makes it again, and again."""
    start, noise = thermal(SHEET, 1.0, 2, rng=1), PairRotation(1.0)
    run = crystals.evolve(SHEET, start, [0.5, 1.0], noise=noise, dt=0.1, rng=np.random.default_rng(4))
    assert (run.crystal, run.noise, run.dt, run.times.tolist()) == (SHEET, noise, 0.1, [0.5, 1.0])
    for _ in range(2):
        again = crystals.evolve(SHEET, start, [0.5, 1.0], noise=noise, dt=0.1, rng=run.seed)
        np.testing.assert_array_equal((again.q, again.p), (run.q, run.p))
    assert repr(run).startswith("CrystalTrajectory(q=array (2, 2, 2, 4, 5), ")
    assert len(repr(run)) < 400


@pytest.mark.parametrize("shape", [(8, 8), (5, 5, 5)])
def test_the_longest_step(shape):
    """At γ dt = 1/8 long waves are damped 5 % too slowly, and a longer step is refused."""
    crystal, h = Crystal(shape), 1 / 8
    for step, missing in ((h / 4, 0.0033), (h / 2, 0.013), (h, 0.05)):
        both = mean_map(crystal, step, reversed) @ mean_map(crystal, step, list)
        slowest = np.sort(np.linalg.eigvals(both).real)[-2]
        exact = np.exp(-2 * step * 8 * np.sin(np.pi / max(shape)) ** 2)
        assert np.log(slowest) / np.log(exact) == pytest.approx(1 - missing, abs=0.2 * missing)
    start = thermal(crystal, 1.0, 1, rng=1)
    crystals.evolve(crystal, start, [0.25], noise=PairRotation(0.5), dt=0.25, rng=1)
    with pytest.raises(
        ValueError, match=r"dt = 0.26 with noise = PairRotation\(rate=0.5\); allowed: at most 0.25, where"
    ):
        crystals.evolve(crystal, start, [0.25], noise=PairRotation(0.5), dt=0.26, rng=1)


@pytest.mark.parametrize("crystal", [SHEET, BLOCK])
def test_three_steps_by_hand(crystal):
    """Flights by `propagate`, turns by the kernel, pairs forwards and then backwards, over two outputs."""
    d, rate, h = crystal.d, 0.8, 0.1
    start = thermal(crystal, 1.0, 1, rng=1)
    q, p = start.q, start.p
    run = crystals.evolve(crystal, start, [2 * h, 3 * h], noise=PairRotation(rate), dt=h, rng=4)
    run_q, run_p = run.q, run.p
    random, kept, expected = stream(4), store(d, crystal.pairs[0].size), []
    for step, forward in enumerate((True, False, True)):
        q, p = crystals.propagate(crystal, q, p, h / 2)
        flat = np.ascontiguousarray(p).reshape(d, -1)
        turn_pairs(flat, *crystal.pairs, math.sqrt(8 * rate * h / (d - 1)), forward, random, kept)
        q, p = crystals.propagate(crystal, q, flat.reshape(p.shape), h / 2)
        if step > 0:
            expected.append((q, p))
    np.testing.assert_allclose(run_q, [q for q, _ in expected], atol=1e-12)
    np.testing.assert_allclose(run_p, [p for _, p in expected], atol=1e-12)


def test_equal_times_are_equal_states():
    start = thermal(SHEET, 1.0, 2, rng=1)
    run = crystals.evolve(SHEET, start, [0.0, 0.0, 1.0, 1.0, 2.0], noise=PairRotation(1.0), dt=0.1, rng=4)
    run_q, run_p = run.q, run.p
    once = crystals.evolve(SHEET, start, [0.0, 1.0, 2.0], noise=PairRotation(1.0), dt=0.1, rng=4)
    once_q, once_p = once.q, once.p
    np.testing.assert_array_equal(run_q, once_q[[0, 0, 1, 1, 2]])
    np.testing.assert_array_equal(run_p, once_p[[0, 0, 1, 1, 2]])
    np.testing.assert_array_equal((run_q[0], run_p[0]), (start.q, start.p))


def test_steps_without_end_are_refused():
    start = thermal(SHEET, 1.0, 1, rng=1)
    for times, dt in (([1e300], 0.1), ([1.0], 1e-300), ([1e14], 0.1)):
        with pytest.raises(
            ValueError, match=r"times = .* with dt = .* need .* steps; allowed: at most 2e\+11"
        ):
            crystals.evolve(SHEET, start, times, noise=PairRotation(1.0), dt=dt, rng=1)


@pytest.mark.parametrize("pin", [0.7, 0.0])
def test_propagate_is_the_exponential(pin):
    """Of the matrix of couplings: bonds to the first and the second neighbour."""
    n, t = 7, 2.3
    row = Crystal((n,), {1: Bond(chi=1.0), 2: Bond(chi=0.4)}, Pin(chi=pin))
    alpha = np.zeros(n)
    alpha[[0, 1, -1, 2, -2]] = pin + 2.8, -1.0, -1.0, -0.4, -0.4
    matrix = np.stack([np.roll(alpha, j) for j in range(n)])
    motion = np.block([[np.zeros((n, n)), np.eye(n)], [-matrix, np.zeros((n, n))]])
    q, p = np.random.default_rng(1).normal(size=(2, 3, n))
    found = crystals.propagate(row, q, p, t)
    expected = np.concatenate([q, p], axis=1) @ scipy.linalg.expm(t * motion).T
    np.testing.assert_allclose(np.concatenate(found, axis=1), expected, atol=1e-11)
    assert np.abs(found[0] - q).max() > 0.1


TILTED = Crystal(
    (3, 4),
    {(1, 0): (Bond(chi=2.0), Bond(chi=0.3)), (1, 1): (Bond(chi=0.7), Bond(chi=0.1)), (1, -1): Bond(chi=0.4)},
    (Pin(chi=0.2), Pin(chi=0.0), Pin(chi=0.5)),
    components=3,
)
PLANE = Crystal((5,), {1: (Bond(chi=4.0), Bond(chi=1.0))}, components=2)


@pytest.mark.parametrize("crystal", [PLANE, TILTED])
def test_propagate_moves_all_branches(crystal):
    """The exponential of the matrix of the whole torus, from its energy; each branch turns at its ω."""
    n, t = crystal.components * crystal.n, 2.3
    unit = np.eye(n).reshape(n, crystal.components, *crystal.shape)
    both = unit[:, None] + unit, unit[:, None] - unit
    sums, differences = (crystal.energy(q, 0 * q) for q in both)
    matrix = (sums - differences) / 2
    motion = np.block([[np.zeros((n, n)), np.eye(n)], [-matrix, np.zeros((n, n))]])
    q, p = np.random.default_rng(1).normal(size=(2, 3, crystal.components, *crystal.shape))
    late = crystals.propagate(crystal, q, p, t)
    expected = np.concatenate([q.reshape(3, n), p.reshape(3, n)], axis=1) @ scipy.linalg.expm(t * motion).T
    found = np.concatenate([x.reshape(3, n) for x in late], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-11)
    before, after = (
        np.einsum("sc...,rc...->rs...", polarisations(crystal), fourier(wave_field(crystal, *x), d=crystal.d))
        for x in ((q, p), late)
    )
    np.testing.assert_allclose(after, np.exp(-1j * dispersion(crystal) * t) * before, atol=1e-11)
    assert np.abs(after - before).max() > 0.1


def test_propagate_there_and_back():
    """A ring and a crystal, and the energy on the way."""
    ring = Chain(16, Bond(chi=0.8), Pin(chi=0.3))
    for medium, measure, shape in (
        (ring, lambda q, p: energy(ring, q, p), (4, 16)),
        (BLOCK, BLOCK.energy, (4, 3, *BLOCK.shape)),
        (TILTED, TILTED.energy, (4, 3, *TILTED.shape)),
    ):
        q, p = np.random.default_rng(2).normal(size=(2, *shape))
        late = crystals.propagate(medium, q, p, 1e4)
        np.testing.assert_allclose(crystals.propagate(medium, *late, -1e4), (q, p), atol=1e-10)
        np.testing.assert_allclose(measure(*late), measure(q, p), rtol=1e-12)


def test_propagate_refuses():
    for chain in (
        Chain(4, boundary="free"),
        Chain(4, Bond.fput(beta=1.0)),
        Chain(4, Bond(chi=[1.0, 2.0, 1.0, 1.0])),
    ):
        with pytest.raises(ValueError, match=r"chain .*; allowed: "):
            crystals.propagate(chain, np.zeros(4), np.zeros(4), 1.0)
    q = np.ones((2, 4, 5))
    for bad, message in ((q[:, 0], "q has shape"), (np.nan * q, "q has entries"), (q[:1], "equal shapes")):
        with pytest.raises(ValueError, match=message):
            crystals.propagate(SHEET, bad, q, 1.0)
    for time in (math.inf, None):
        with pytest.raises(ValueError, match=f"time = {time!r}; allowed"):
            crystals.propagate(SHEET, q, q, time)


def test_bad_arguments():
    good = {"crystal": SHEET, "start": thermal(SHEET, 1.0, 2, rng=1), "times": [1.0]}
    good |= {"noise": PairRotation(1.0), "dt": 0.1, "rng": 1}
    turned = State(*(np.swapaxes(x, 2, 3) for x in (good["start"].q, good["start"].p)))
    for name, values, message in (
        ("crystal", (Crystal((4,)),), "shape = .*; allowed: 2 or 3 dimensions"),
        (
            "crystal",
            (PLANAR, Crystal((4, 5), components=3)),
            "crystal = .*; allowed: a scalar crystal with 2",
        ),
        ("start", (turned, State(np.ones(4), np.ones(4)), None), "start = .*; allowed: a State of shape"),
        ("times", ([], [2.0, 1.0], [-1.0]), "times .*; allowed"),
        ("noise", (VelocityFlip(1.0), 1.0, None), "noise = .*; allowed: a PairRotation"),
        ("dt", (0.0, math.nan, None), "dt = .*; allowed"),
        ("rng", (None, -1, True), "rng = .*; allowed"),
        ("map", (3,), "map = 3; allowed"),
    ):
        for value in values:
            with pytest.raises(ValueError, match=message):
                crystals.evolve(**(good | {name: value}))
