"""Vector crystals with pair rotations: what is kept, the naive twin, exact means, and equilibrium."""

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import pytest
import scipy.linalg

from lattice import mean
from lattice._kernels.noise import ANGLES
from lattice._kernels.pairs import store, turn_pairs
from lattice._kernels.random import fill_normal, streams
from lattice.kinetic import noisy
from lattice.micro import crystals, wavefield
from tests import naive

SHEET, BLOCK = crystals.Crystal((4, 5), chi=1.3, pin=0.4), crystals.Crystal((3, 4, 3), pin=0.2)


def stream(seed):
    return streams(np.random.SeedSequence(seed), 1)


def axes(crystal):
    return tuple(range(-len(crystal.shape), 0))


@pytest.mark.parametrize("crystal", [SHEET, BLOCK, crystals.Crystal((6, 3))])
def test_energy_and_momentum_to_round_off(crystal):
    q, p = crystals.thermal(crystal, 1.0, 3, rng=1)
    run_q, run_p = crystals.evolve(crystal, q, p, [0.0, 5.0, 50.0], rate=0.4, dt=0.3, rng=2)
    for i in range(3):
        np.testing.assert_allclose(crystal.energy(run_q[i], run_p[i]), crystal.energy(q, p), rtol=1e-12)
        if crystal.pin == 0:
            np.testing.assert_allclose(
                run_p[i].sum(axis=axes(crystal)), p.sum(axis=axes(crystal)), atol=1e-11
            )
    assert np.abs(run_p[2] - p).max() > 0.5


@pytest.mark.parametrize("crystal", [SHEET, BLOCK])
def test_frequencies_are_those_of_the_energy(crystal):
    """Energy of a single wave, from the springs and from ω."""
    k = tuple(1 for _ in crystal.shape)
    y = np.indices(crystal.shape)
    phase = sum(2 * np.pi * m * part / n for m, part, n in zip(k, y, crystal.shape, strict=True))
    q = np.zeros((1, len(crystal.shape), *crystal.shape))
    q[0, 0] = np.cos(phase + 0.3)
    expected = crystal.frequencies[k] ** 2 * (q**2).sum() / 2
    # cos² is not the same on all sites, so both phases are needed for the sum
    q2 = q.copy()
    q2[0, 0] = np.sin(phase + 0.3)
    expected += crystal.frequencies[k] ** 2 * (q2**2).sum() / 2
    found = crystal.energy(q, 0 * q) + crystal.energy(q2, 0 * q)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


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
    crystal, steps, errors = crystals.Crystal((3, 4)), np.array([0.02, 0.01, 0.005]), []
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
    crystal, rate, t = crystals.Crystal((4, 4), pin=1.0), 0.3, 1.0
    p = np.zeros((6000, 2, 4, 4))
    p[:, 0, 0, 0] = 1.0
    _, late = crystals.evolve(crystal, 0 * p, p, [t], rate=rate, dt=0.1, rng=6)
    wave = np.fft.fftn(late[0][:, 0], axes=(1, 2)).real[:, [0, 1, 2, 2], [1, 1, 0, 2]]
    k = np.array([[0, 1], [1, 1], [2, 0], [2, 2]]) / 4
    phi, omega = rate * noisy.pair_rate(k), crystal.frequencies[[0, 1, 2, 2], [1, 1, 0, 2]]
    expected = [
        scipy.linalg.expm(t * np.array([[0, 1], [-(w**2), -f]]))[1, 1]
        for f, w in zip(phi, omega, strict=True)
    ]
    found = mean(wave)
    assert (np.abs(found.value - expected) < 5 * found.stderr + 0.005).all()  # and the error of the step
    assert (found.stderr < 0.006).all()


def test_thermal():
    """Equipartition of every wave; 5 standard errors."""
    for crystal in (SHEET, crystals.Crystal((4, 3))):
        q, p = crystals.thermal(crystal, 0.7, 4000, rng=8)
        shape = axes(crystal)
        q_hat, p_hat = np.fft.fftn(q, axes=shape), np.fft.fftn(p, axes=shape)
        sites = math.prod(crystal.shape)
        for spectrum in (np.abs(p_hat) ** 2, crystal.frequencies**2 * np.abs(q_hat) ** 2):
            found = mean((spectrum / sites).mean(axis=1))
            expected = np.full(crystal.shape, 0.7)
            expected[crystal.frequencies == 0] = 0
            assert (np.abs(found.value - expected) <= 5 * found.stderr + 1e-12).all()


def test_the_result_does_not_depend_on_the_map():
    q, p = crystals.thermal(SHEET, 1.0, 3, rng=1)
    serial = crystals.evolve(SHEET, q, p, [1.0], rate=1.0, dt=0.1, rng=4)
    with ThreadPoolExecutor(2) as pool:
        threaded = crystals.evolve(SHEET, q, p, [1.0], rate=1.0, dt=0.1, rng=4, map=pool.map)
    np.testing.assert_array_equal(serial, threaded)
    few = crystals.evolve(SHEET, q[:2], p[:2], [1.0], rate=1.0, dt=0.1, rng=4)
    np.testing.assert_array_equal(few[0], serial[0][:, :2])


@pytest.mark.parametrize("shape", [(8, 8), (5, 5, 5)])
def test_the_longest_step(shape):
    """At γ dt = 1/8 long waves are damped 5 % too slowly, and a longer step is refused."""
    crystal, h = crystals.Crystal(shape), 1 / 8
    for step, missing in ((h / 4, 0.0033), (h / 2, 0.013), (h, 0.05)):
        both = mean_map(crystal, step, reversed) @ mean_map(crystal, step, list)
        slowest = np.sort(np.linalg.eigvals(both).real)[-2]
        exact = np.exp(-2 * step * 8 * np.sin(np.pi / max(shape)) ** 2)
        assert np.log(slowest) / np.log(exact) == pytest.approx(1 - missing, abs=0.2 * missing)
    q, p = crystals.thermal(crystal, 1.0, 1, rng=1)
    crystals.evolve(crystal, q, p, [0.25], rate=0.5, dt=0.25, rng=1)
    with pytest.raises(ValueError, match=r"dt = 0.26 at rate = 0.5; allowed: at most 0.25, where"):
        crystals.evolve(crystal, q, p, [0.25], rate=0.5, dt=0.26, rng=1)


@pytest.mark.parametrize("crystal", [SHEET, BLOCK])
def test_three_steps_by_hand(crystal):
    """Flights by `propagate`, turns by the kernel, pairs forwards and then backwards, over two outputs."""
    d, omega, rate, h = len(crystal.shape), crystal.frequencies, 0.8, 0.1
    q, p = crystals.thermal(crystal, 1.0, 1, rng=1)
    run_q, run_p = crystals.evolve(crystal, q, p, [2 * h, 3 * h], rate=rate, dt=h, rng=4)
    random, kept, expected = stream(4), store(d, crystal.pairs[0].size), []
    for step, forward in enumerate((True, False, True)):
        q, p = wavefield.propagate(omega, q, p, h / 2)
        flat = np.ascontiguousarray(p).reshape(d, -1)
        turn_pairs(flat, *crystal.pairs, math.sqrt(8 * rate * h / (d - 1)), forward, random, kept)
        q, p = wavefield.propagate(omega, q, flat.reshape(p.shape), h / 2)
        if step > 0:
            expected.append((q, p))
    np.testing.assert_allclose(run_q, [q for q, _ in expected], atol=1e-12)
    np.testing.assert_allclose(run_p, [p for _, p in expected], atol=1e-12)


def test_equal_times_are_equal_states():
    q, p = crystals.thermal(SHEET, 1.0, 2, rng=1)
    run_q, run_p = crystals.evolve(SHEET, q, p, [0.0, 0.0, 1.0, 1.0, 2.0], rate=1.0, dt=0.1, rng=4)
    once_q, once_p = crystals.evolve(SHEET, q, p, [0.0, 1.0, 2.0], rate=1.0, dt=0.1, rng=4)
    np.testing.assert_array_equal(run_q, once_q[[0, 0, 1, 1, 2]])
    np.testing.assert_array_equal(run_p, once_p[[0, 0, 1, 1, 2]])
    np.testing.assert_array_equal((run_q[0], run_p[0]), (q, p))


@pytest.mark.parametrize("pin", [1e-14, 1e-200])
def test_the_softest_pin_holds_the_centre_of_mass(pin):
    """It has the displacement √(T/ω₀²) times that of the draws, and keeps its momentum."""
    crystal = crystals.Crystal((3, 4), pin=pin)
    q, p = crystals.thermal(crystal, 0.7, 2, rng=5)
    z = math.sqrt(0.7) * np.random.default_rng(5).standard_normal((2, 2, 2, 3, 4)).mean(axis=(3, 4))
    np.testing.assert_allclose(q.mean(axis=(2, 3)), z[0] / math.sqrt(pin), rtol=1e-12)
    np.testing.assert_allclose(p.mean(axis=(2, 3)), z[1], rtol=1e-12)


def test_steps_without_end_are_refused():
    q, p = crystals.thermal(SHEET, 1.0, 1, rng=1)
    for times, dt in (([1e300], 0.1), ([1.0], 1e-300), ([1e14], 0.1)):
        with pytest.raises(
            ValueError, match=r"times = .* with dt = .* need .* steps; allowed: at most 2e\+11"
        ):
            crystals.evolve(SHEET, q, p, times, rate=1.0, dt=dt, rng=1)
    with pytest.raises(ValueError, match=r"replicas = .* needs .* steps; allowed"):
        crystals.thermal(SHEET, 1.0, 10**18, rng=1)


def test_bad_arguments():
    for shape in ((4,), (4, 2), (4, 4, 4, 4), (4.0, 4), 4, "44", None, (10**9, 10**9)):
        with pytest.raises(ValueError, match=r"shape = .*; allowed"):
            crystals.Crystal(shape)
    for name, value in (("chi", 0.0), ("chi", -1.0), ("pin", -0.1), ("pin", math.nan), ("chi", "1")):
        with pytest.raises(ValueError, match=f"{name} = {value!r}; allowed"):
            crystals.Crystal((4, 4), **{name: value})
    for temperature in (0.0, math.inf):
        with pytest.raises(ValueError, match=f"temperature = {temperature!r}; allowed"):
            crystals.thermal(SHEET, temperature, 1, rng=1)
    with pytest.raises(ValueError, match="replicas = 0; allowed"):
        crystals.thermal(SHEET, 1.0, 0, rng=1)
    q, p = crystals.thermal(SHEET, 1.0, 2, rng=1)
    for bad, message in (
        (p[0], "p has shape"),
        (p[:1], "allowed: equal shapes"),
        (np.nan * p, "p has entries that are not finite"),
    ):
        with pytest.raises(ValueError, match=message):
            crystals.evolve(SHEET, q, bad, [1.0], rate=1.0, dt=0.1, rng=1)
    for times in ([], [2.0, 1.0], [-1.0]):
        with pytest.raises(ValueError, match=r"times .*; allowed"):
            crystals.evolve(SHEET, q, p, times, rate=1.0, dt=0.1, rng=1)
    for name, value in (("rate", -1.0), ("dt", 0.0), ("dt", math.nan), ("rate", None)):
        with pytest.raises(ValueError, match=f"{name} = {value!r}; allowed"):
            crystals.evolve(SHEET, q, p, [1.0], **{"rate": 1.0, "dt": 0.1, "rng": 1, name: value})
    with pytest.raises(ValueError, match="p has shape"):
        SHEET.energy(q, p[:, :1])
    with pytest.raises(ValueError, match=r"q has shape .* and p .*; allowed: equal shapes"):
        SHEET.energy(q, p[:1])
    with pytest.raises(ValueError, match="allowed: smaller numbers"):
        SHEET.energy(1e200 * q, p)
    for rng in (None, -1, True):
        with pytest.raises(ValueError, match=f"rng = {rng!r}; allowed"):
            crystals.evolve(SHEET, q, p, [1.0], rate=1.0, dt=0.1, rng=rng)
