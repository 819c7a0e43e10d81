"""Flights of phonons: laws of single jumps, exact means, the naive twin, superdiffusion at long times.

Statistical bounds are 5 standard errors: false alarms of 6e-7 each.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from lattice import Bond, Chain, Pin, ThreeSiteRotation, VelocityExchange, VelocityFlip, mean
from lattice._kernels import flights as kernels
from lattice.kinetic import flights, noisy, transport
from lattice.kinetic._scattering import factors, jumps
from lattice.waves import group_velocity
from tests import naive

NOISES = (VelocityFlip(0.7), VelocityExchange(0.7), ThreeSiteRotation(0.7))
UNPINNED, PINNED = Chain(8), Chain(8, pin=Pin(chi=1.0))


@numba.njit
def scatter(law, s, out, rng):
    for i in range(out.size):
        out[i] = kernels._scattered(law, s, rng)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("s", [1e-9, 0.05, 0.6, 1.0])
def test_one_jump_has_the_law_of_the_kernel(noise, s):
    """Two million jumps: moments to 0.2 %; Kolmogorov-Smirnov at 1e-6 detects 0.002 in the distribution."""
    drawn = np.empty(2_000_000)
    scatter(jumps(noise), s, drawn, np.random.default_rng(11))
    assert 0 <= drawn.min() <= drawn.max() <= 1
    start = np.arcsin(np.sqrt(s)) / np.pi
    k = np.arange(64) / 64  # enough for moments without any error: they are trigonometric polynomials
    density = noisy.kernel(noise, start, k) / noisy.rate(noise, start)
    for power in (1, 2, 3, 8):
        moment = mean(drawn**power)
        exact = (density * np.sin(np.pi * k) ** (2 * power)).mean()
        assert abs(moment.deviation(exact)) < 5
        assert moment.stderr < 2e-3 * exact
    k = (np.arange(20_000) + 0.5) / 40_000  # half of the zone, where s grows with k
    weight = np.cumsum(noisy.kernel(noise, start, k))
    law = scipy.stats.kstest(
        drawn, lambda x: np.interp(np.arcsin(np.sqrt(x)) / np.pi, k + 0.5 / 40_000, weight / weight[-1])
    )
    assert law.pvalue > 1e-6


@pytest.mark.parametrize("noise", NOISES)
def test_the_forms_of_a_law_agree(noise):
    """The kernel, its sum of products, its integral, and the rate at which the flights jump."""
    k = np.arange(16) / 16
    s = np.sin(np.pi * k) ** 2
    u, G = factors(noise, s)
    np.testing.assert_allclose(u.T @ G @ u, noisy.kernel(noise, k[:, None], k), atol=1e-14)
    rates = [kernels._rate(jumps(noise), x) for x in s]
    np.testing.assert_allclose(rates, noisy.kernel(noise, k[:, None], k).mean(axis=1), atol=1e-14)
    np.testing.assert_array_equal(rates, noisy.rate(noise, k))


@pytest.mark.parametrize("noise", NOISES)
def test_mean_distance(noise):
    """v(k)(1 - exp(-φt))/φ from k: a jump forgets the direction.  From everywhere it is 0."""
    times, k = np.array([0.4, 2.0, 30.0]), 0.2
    phi, v = noisy.rate(noise, k), group_velocity(PINNED, k)
    for start, exact in ((k, -v * np.expm1(-phi * times) / phi), (None, np.zeros(3))):
        x = mean(flights.simulate(PINNED, noise, times, 200_000, rng=13, start=start), axis=1)
        assert np.abs(x.deviation(exact)).max() < 5
        assert (x.stderr[:2] < 0.01 * v / phi).all()


@pytest.mark.parametrize("noise", NOISES)
def test_mean_square_distance(noise):
    """In equilibrium ⟨x²⟩ = 2∫(v/φ)²(φt - 1 + exp(-φt)) dk, since a jump forgets the direction."""
    times = np.array([0.5, 3.0, 20.0])
    x = flights.simulate(PINNED, noise, times, 200_000, rng=5)
    k = (np.arange(4000) + 0.5) / 4000
    phi, v = noisy.rate(noise, k), 2 * np.sin(np.pi * k) * np.cos(np.pi * k)
    v = v / np.sqrt(1 + 4 * np.sin(np.pi * k) ** 2)
    decay = phi * times[:, None]
    expected = (2 * (v / phi) ** 2 * (decay + np.expm1(-decay))).mean(axis=1)
    measured = mean(x**2, axis=1)
    assert np.abs(measured.deviation(expected)).max() < 5
    assert (measured.stderr < 0.01 * expected).all()


@pytest.mark.parametrize("noise", NOISES)
def test_against_the_naive_twin(noise):
    """Two-sample Kolmogorov-Smirnov at 1e-6; 4000 flights of the twin detect 0.09."""
    rng = np.random.default_rng(7)
    chain, start, t = Chain(8, Bond(chi=1.7), Pin(chi=0.3)), 0.2, 2.5
    slow = [naive.flight(noise, chain, start, t, rng) for _ in range(4000)]
    fast = flights.simulate(chain, noise, [t], 40_000, rng=8, start=start)[0]
    slow, fast = np.round(slow, 9), np.round(fast, 9)  # those that never jumped are all at one place
    assert scipy.stats.ks_2samp(slow, fast).pvalue > 1e-6
    assert scipy.stats.ks_2samp(slow, -fast).pvalue < 1e-6  # the direction of the start is remembered


def test_start():
    """Before the first jump everyone flies at the velocity of its wave number."""
    k = np.array([0.1, 0.9, 0.25])
    x = flights.simulate(UNPINNED, VelocityFlip(1e-12), [0.0, 2.0], 3, rng=1, start=k)
    ahead = 2 * np.abs(np.cos(np.pi * k)) * np.array([1, -1, 1])
    np.testing.assert_allclose(x, [[0, 0, 0], ahead], atol=1e-14)
    still = flights.simulate(UNPINNED, ThreeSiteRotation(1.0), [5.0], 2, rng=1, start=0.0)
    assert still.tolist() == [[0.0, 0.0]]  # v(0) = 0 by convention, and nothing scatters k = 0


@pytest.mark.parametrize("noise", NOISES)
def test_flights_in_other_units_of_time(noise):
    """A unit of 2²⁰ changes no bit of the positions."""
    times, unit = np.array([0.5, 4.0]), 2.0**20
    x = flights.simulate(PINNED, noise, times, 100, rng=2)
    chain = Chain(8, Bond(chi=unit**2), Pin(chi=unit**2))
    np.testing.assert_array_equal(
        flights.simulate(chain, type(noise)(0.7 * unit), times / unit, 100, rng=2), x
    )


def test_times_may_be_equal():
    times, which = [0.0, 0.0, 0.7, 0.7, 0.7, 2.0], [0, 0, 1, 1, 1, 2]
    once = flights.simulate(PINNED, NOISES[2], [0.0, 0.7, 2.0], 500, rng=4)
    np.testing.assert_array_equal(flights.simulate(PINNED, NOISES[2], times, 500, rng=4), once[which])
    assert (once[0] == 0).all()


def characteristic(noise, q, t):
    """⟨cos qX(t)⟩ of the Boltzmann equation without a pin: exponential of the even and odd parts in k."""
    x, w = np.polynomial.legendre.leggauss(48)
    k, w = ((1 + x) / 2) ** 2 / 2, w * (1 + x) / 2  # crowded at 0, where phonons fly long
    loss, turn = np.diag(noisy.rate(noise, k)), np.diag(q * np.cos(np.pi * k))
    gain = noisy.kernel(noise, k[:, None], k) * w
    both = scipy.linalg.expm(t * np.block([[gain - loss, -turn], [turn, -loss]]))
    return w @ both[: k.size, : k.size].sum(axis=1)


def test_superdiffusion():
    """⟨cos qX⟩ falls as the Boltzmann equation says; its root is c |q|^(3/2) but for 2 %.

    The ballistic fronts, cos(qt)/√(4πt), are 3 % of the decay at these times, 5 standard errors of it.
    """
    noise, times, q = ThreeSiteRotation(1.0), np.array([150.0, 300.0]), 0.03
    x = flights.simulate(UNPINNED, noise, times, 400_000, rng=3)
    wave = mean(np.cos(q * x), axis=1)
    expected = np.array([characteristic(noise, q, t) for t in times])
    assert np.abs(wave.deviation(expected)).max() < 5
    # the errors at both times add up at worst
    error = (wave.stderr / wave.value).sum() / 150
    root, decay = transport.decay_rate(UNPINNED, noise, q), -np.log(expected[1] / expected[0]) / 150
    assert 5 * error < abs(decay - root) * 1.5 < 0.1 * root
    assert abs(root / (q**1.5 / math.sqrt(8)) - 1) < 0.03


def test_the_result_does_not_depend_on_the_map(monkeypatch):
    monkeypatch.setattr(flights, "BLOCK", 100)
    runs = []
    for rng in (9, np.random.default_rng(9)):
        runs.append(flights.simulate(PINNED, NOISES[2], [1.0, 2.0], 350, rng=rng))
    with ThreadPoolExecutor(2) as pool:
        runs.append(flights.simulate(PINNED, NOISES[2], [1.0, 2.0], 350, rng=9, map=pool.map))
    for run in runs[1:]:
        np.testing.assert_array_equal(run, runs[0])
    assert not np.array_equal(runs[0][:, :100], runs[0][:, 100:200])
