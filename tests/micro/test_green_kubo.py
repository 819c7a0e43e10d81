"""Green-Kubo: against direct sums, exact correlations, and what it must refuse."""

import numpy as np
import pytest
import scipy.integrate

from lattice.micro import GreenKubo, Trajectory, converged, energy_current, evolve, green_kubo, moments
from lattice.model import Bond, Chain, Langevin, Pin, ThreeSiteRotation, VelocityExchange, VelocityFlip
from lattice.stats import Estimate, Untrusted
from lattice.thermo import thermal
from lattice.waves import group_velocity, wave_numbers

RING = Chain(6, Bond.fput(alpha=0.25, beta=0.1))


def recorded(chain=RING, times=30, replicas=3, noise=None, boost=0.0, seed=1, spacing=0.5, baths=()):
    """A trajectory of random states."""
    rng = np.random.default_rng(seed)
    q, p = rng.normal(size=(2, times, replicas, chain.n))
    return Trajectory(spacing * np.arange(times), q, p + boost, chain, 0.1, "verlet", baths, noise)


def result_of(*args, **options):
    """The answer, trusted or not: random states have no plateau."""
    try:
        return green_kubo(*args, **options)
    except Untrusted as doubt:
        return doubt.result


def test_is_the_direct_sum():
    chain = Chain(6, Bond(chi=1.3), Pin(chi=0.4))
    run, temperature, lags = recorded(chain), 1.7, 21
    current = energy_current(chain, run.q, run.p).sum(axis=-1)
    direct = np.zeros((lags, current.shape[1]))
    for lag in range(lags):
        for start in range(len(current) - lag):
            direct[lag] += current[start] * current[start + lag] / (len(current) - lag)
    direct /= chain.n * temperature**2
    result = result_of(run, temperature, window=(4.0, 10.0))
    np.testing.assert_allclose(result.lags, 0.5 * np.arange(lags))
    np.testing.assert_allclose(result.correlation.value, direct.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(result.correlation.stderr, direct.std(axis=1, ddof=1) / np.sqrt(3), atol=1e-12)
    for lag in (8, 12, 20):
        integral = scipy.integrate.simpson(direct[: lag + 1], dx=0.5, axis=0).mean()
        assert abs(result.running.value[lag] - integral) < 1e-12
    assert abs(result.plateau.value - result.running.value[8:].mean()) < 1e-12


def test_runs_are_samples():
    """Two runs of 3 replicas, from a generator too, are one run of 6."""
    first, second = recorded(seed=1), recorded(seed=2)
    both = Trajectory(
        first.times,
        np.concatenate([first.q, second.q], axis=1),
        np.concatenate([first.p, second.p], axis=1),
        RING,
        0.1,
        "verlet",
        (),
    )
    options = {"temperature": 1.0, "window": (4.0, 10.0)}
    expected = result_of(both, **options)
    for runs in ([first, second], (run for run in (first, second))):
        result = result_of(runs, **options)
        np.testing.assert_allclose(result.running.value, expected.running.value, rtol=1e-12)
        np.testing.assert_allclose(result.running.stderr, expected.running.stderr, rtol=1e-12)


@pytest.mark.parametrize("noise", [None, VelocityExchange(0.3), ThreeSiteRotation(0.3)])
def test_a_conserved_momentum_is_taken_out(noise):
    """A ring that moves as a whole has the correlation of the ring at rest, to round-off."""
    options = {"temperature": 1.0, "window": (4.0, 10.0)}
    rest = result_of(recorded(noise=noise), **options).correlation.value
    moving = result_of(recorded(noise=noise, boost=5.0), **options).correlation.value
    np.testing.assert_allclose(moving, rest, atol=1e-10)


@pytest.mark.parametrize(
    ("chain", "noise"), [(RING, VelocityFlip(0.3)), (Chain(6, Bond.fput(alpha=1.0), Pin(chi=1)), None)]
)
def test_a_momentum_that_is_not_conserved_stays(chain, noise):
    options = {"temperature": 1.0, "window": (4.0, 10.0)}
    rest = result_of(recorded(chain, noise=noise), **options).correlation.value
    moving = result_of(recorded(chain, noise=noise, boost=5.0), **options).correlation.value
    assert np.abs(moving - rest).max() > 0.1


def test_without_noise_there_is_no_plateau():
    """The current of a harmonic ring is a constant of the motion: the integral grows for ever."""
    chain = Chain(16, Bond(chi=1.0), Pin(chi=0.5))
    start = thermal(chain, 1.0, replicas=200, rng=3)
    run = evolve(chain, start, np.arange(0, 40.5, 0.5), dt=0.1, scheme="fourth-order")
    with pytest.raises(Untrusted, match="the integral moves by") as doubt:
        green_kubo(run, 1.0, window=(10.0, 20.0))
    result = doubt.value.result
    assert isinstance(result, GreenKubo)
    constant = (energy_current(chain, start.q, start.p).sum(axis=-1) ** 2).mean() / chain.n
    np.testing.assert_allclose(result.correlation.value, constant, rtol=1e-5)
    np.testing.assert_allclose(result.running.value, constant * result.lags, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("noise", [VelocityFlip(1.0), VelocityExchange(1.0), ThreeSiteRotation(1.0)])
def test_finds_the_exact_conductivity(noise):
    """C(t) is the mean of v² exp(-φt) over the ring, and its integral is known.

    False alarms: 5e-7 each at 5 standard errors; sees 25 % of the conductivity, and of C(0).
    """
    chain = Chain(8, Bond(chi=1.0), Pin(chi=1.0))
    start = thermal(chain, 2.0, replicas=400, rng=5)
    run = evolve(
        chain, start, np.arange(0, 400.25, 0.25), dt=0.125, scheme="fourth-order", noise=noise, rng=6
    )
    result = green_kubo(run, 2.0, window=(3.0, 6.0) if noise == VelocityFlip(1.0) else (6.0, 12.0))
    exact = moments.conductivity(chain, noise).ring
    assert abs(result.plateau.deviation(exact)) < 5
    assert result.plateau.error < 0.05 * exact
    at_rest = Estimate(result.correlation.value[0], result.correlation.stderr[0], "C(0)")
    square = np.mean(group_velocity(chain, wave_numbers(chain.n)) ** 2)
    assert abs(at_rest.deviation(square)) < 5
    assert at_rest.stderr < 0.05 * square


def test_a_noisy_plateau_says_so():
    with pytest.raises(Untrusted, match="the error hides any slope"):
        green_kubo(recorded(Chain(6, Bond(chi=1.0), Pin(chi=1.0))), 1.0, window=(4.0, 10.0))


def test_bad_input():
    good, options = recorded(), {"temperature": 1.0, "window": (4.0, 10.0)}
    for temperature in (0.0, -1.0, np.nan, np.inf, True, "1"):
        with pytest.raises(ValueError, match=r"temperature = .*; allowed: a finite number above 0"):
            green_kubo(good, temperature, window=(4.0, 10.0))
    for window in ((4.0, 15.0), (-1.0, 10.0), (10.0, 4.0), (4.0, 7.0), (np.nan, 10.0)):
        with pytest.raises(ValueError, match=r"window = .*; allowed: \(low, high\)"):
            green_kubo(good, 1.0, window=window)
    for runs, message in (
        ([], "runs is empty"),
        ([good, 3], "runs holds 3; allowed: Trajectory"),
        (recorded(Chain(6, Bond(chi=1.0), boundary="free")), "runs holds one with boundary 'free'"),
        (recorded(baths=(Langevin(0, 1.0),)), "and 1 baths"),
        ([good, recorded(Chain(6, Bond(chi=1.0)))], "different chains or noises"),
        ([good, recorded(noise=VelocityFlip(1.0))], "different chains or noises"),
        ([good, recorded(times=31)], "different times"),
        ([good, recorded(spacing=0.4)], "different times"),
        (
            Trajectory(good.times**2, good.q, good.p, RING, 0.1, "verlet", ()),
            "allowed: equidistant",
        ),
        (recorded(replicas=1), "samples"),
    ):
        with pytest.raises(ValueError, match=message):
            green_kubo(runs, **options)


def test_converged_covers_what_is_left():
    """With errors 1/n and dt² the finest answer lies within what it claims, and not far within."""

    def measure(n, dt):
        return Estimate(1 + 3 / n + 0.5 * dt**2, 0.01, "made up", systematic=0.02)

    result = converged(measure, n=10, dt=0.2)
    assert abs(result.value - measure(20, 0.1).value) < 1e-15
    assert result.stderr == 0.01
    np.testing.assert_allclose(result.systematic, np.hypot(0.02, 0.15 + 0.015))
    assert abs(result.value - 1) < result.systematic
    for options in ({"n": 0, "dt": 0.1}, {"n": 2.5, "dt": 0.1}, {"n": True, "dt": 0.1}):
        with pytest.raises(ValueError, match=r"n = .*; allowed: an integer of at least 1"):
            converged(measure, **options)
    for dt in (0.0, -1.0, np.nan, True, "1"):
        with pytest.raises(ValueError, match=r"dt = .*; allowed: a finite number above 0"):
            converged(measure, n=10, dt=dt)
