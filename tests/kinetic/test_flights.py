"""Flights of phonons: laws of single jumps, exact means, the naive twin, superdiffusion at long times.

Statistical bounds are 5 standard errors: false alarms of 6e-7 each.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.stats

from lattice._kernels import flights as kernels
from lattice.kinetic import boltzmann, flights, phonons
from lattice.model import Bond, Chain, Pin, StretchFlip, ThreeSiteRotation, VelocityExchange, VelocityFlip
from lattice.stats import mean
from tests import naive

NOISES = (VelocityFlip(0.7), VelocityExchange(0.7), ThreeSiteRotation(0.7))
UNPINNED, PINNED = Chain(8), Chain(8, pin=Pin(chi=1.0))


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("s", [0.05, 0.6])
def test_one_jump_has_the_law_of_the_kernel(noise, s):
    """Kolmogorov-Smirnov at 1e-6 with 40,000 jumps detects a distribution function off by 0.014."""
    rng, jumps = np.random.default_rng(11), 40_000
    drawn = [kernels._scattered(flights.KINDS[type(noise)], s, rng) for _ in range(jumps)]
    k = (np.arange(20_000) + 0.5) / 40_000  # half of the zone, where s grows with k
    weight = np.cumsum(phonons.kernel(noise, np.arcsin(np.sqrt(s)) / np.pi, k))
    law = scipy.stats.kstest(
        drawn, lambda x: np.interp(np.arcsin(np.sqrt(x)) / np.pi, k + 0.5 / 40_000, weight / weight[-1])
    )
    assert law.pvalue > 1e-6


@pytest.mark.parametrize("noise", NOISES)
def test_mean_square_distance(noise):
    """In equilibrium ⟨x²⟩ = 2∫(v/φ)²(φt - 1 + exp(-φt)) dk, since a jump forgets the direction."""
    times = np.array([0.5, 3.0, 20.0])
    x = flights.fly(PINNED, noise, times, 200_000, rng=5)
    k = (np.arange(4000) + 0.5) / 4000
    phi, v = phonons.rate(noise, k), 2 * np.sin(np.pi * k) * np.cos(np.pi * k)
    v = v / np.sqrt(1 + 4 * np.sin(np.pi * k) ** 2)
    decay = phi * times[:, None]
    expected = (2 * (v / phi) ** 2 * (decay + np.expm1(-decay))).mean(axis=1)
    measured = mean(x**2, axis=1)
    assert np.abs(measured.deviation(expected)).max() < 5
    assert (measured.stderr < 0.02 * expected).all()


@pytest.mark.parametrize("noise", NOISES)
def test_against_the_naive_twin(noise):
    """Two-sample Kolmogorov-Smirnov at 1e-6; 4000 flights of the twin detect 0.09."""
    rng = np.random.default_rng(7)
    chain, start, t = Chain(8, Bond(chi=1.7), Pin(chi=0.3)), 0.2, 2.5
    slow = [naive.flight(noise, chain, start, t, rng) for _ in range(4000)]
    fast = flights.fly(chain, noise, [t], 40_000, rng=8, start=start)[0]
    slow, fast = np.round(slow, 9), np.round(fast, 9)  # those that never jumped are all at one place
    assert scipy.stats.ks_2samp(slow, fast).pvalue > 1e-6
    assert scipy.stats.ks_2samp(slow, -fast).pvalue < 1e-6  # the direction of the start is remembered


def test_start():
    """Before the first jump everyone flies at the velocity of its wave number."""
    k = np.array([0.1, 0.9, 0.25])
    x = flights.fly(UNPINNED, VelocityFlip(1e-12), [0.0, 2.0], 3, rng=1, start=k)
    ahead = 2 * np.abs(np.cos(np.pi * k)) * np.array([1, -1, 1])
    np.testing.assert_allclose(x, [[0, 0, 0], ahead], atol=1e-14)
    still = flights.fly(UNPINNED, ThreeSiteRotation(1.0), [5.0], 2, rng=1, start=0.0)
    assert still.tolist() == [[0.0, 0.0]]  # v(0) = 0 by convention, and nothing scatters k = 0


def test_superdiffusion_against_the_dispersion_root():
    """The characteristic function decays at the root of the determinant, which is c |q|^(3/2) at last."""
    noise, times, q = ThreeSiteRotation(1.0), np.array([150.0, 300.0]), 0.03
    x = flights.fly(UNPINNED, noise, times, 400_000, rng=3)
    wave = mean(np.cos(q * x), axis=1)
    found = -np.log(wave.value[1] / wave.value[0]) / 150
    # the errors at both times add up at worst
    error = (wave.stderr / wave.value).sum() / 150
    root = boltzmann.decay_rate(UNPINNED, noise, q)
    assert abs(found - root) < 5 * error
    assert 5 * error < 0.12 * root
    assert abs(root / (q**1.5 / math.sqrt(8)) - 1) < 0.06


def test_the_result_does_not_depend_on_the_map(monkeypatch):
    monkeypatch.setattr(flights, "BLOCK", 100)
    runs = []
    for rng in (9, np.random.default_rng(9)):
        runs.append(flights.fly(PINNED, NOISES[2], [1.0, 2.0], 350, rng=rng))
    with ThreadPoolExecutor(2) as pool:
        runs.append(flights.fly(PINNED, NOISES[2], [1.0, 2.0], 350, rng=9, map=pool.map))
    for run in runs[1:]:
        np.testing.assert_array_equal(run, runs[0])
    assert not np.array_equal(runs[0][:, :100], runs[0][:, 100:200])


def test_bad_arguments():
    for noise in (StretchFlip(1.0), None):
        with pytest.raises(ValueError, match=r"noise = .*; allowed: a VelocityFlip"):
            flights.fly(PINNED, noise, [1.0], 2, rng=1)
    for chain in (Chain(8, Bond.fput(beta=1.0)), Chain(8, Bond(chi=0.0)), Chain(8, pin=Pin(chi=-0.1))):
        with pytest.raises(ValueError, match="chain is not a uniform harmonic one"):
            flights.fly(chain, NOISES[0], [1.0], 2, rng=1)
    for times in ([], [2.0, 1.0], [-1.0], [math.nan], 1.0):
        with pytest.raises(ValueError, match=r"times = .*; allowed"):
            flights.fly(PINNED, NOISES[0], times, 2, rng=1)
    for size in (0, 2.0, True):
        with pytest.raises(ValueError, match=f"size = {size!r}; allowed"):
            flights.fly(PINNED, NOISES[0], [1.0], size, rng=1)
    for rng in (None, 0.5, True, -1):
        with pytest.raises(ValueError, match=r"rng = .*; allowed"):
            flights.fly(PINNED, NOISES[0], [1.0], 2, rng=rng)
    for start in ([0.1, 0.2, 0.3], [0.1, math.nan]):
        with pytest.raises(ValueError, match="start has shape"):
            flights.fly(PINNED, NOISES[0], [1.0], 2, rng=1, start=start)
