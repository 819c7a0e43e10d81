"""Green-Kubo: against direct sums, exact correlations, and what it must refuse."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.signal
import scipy.stats

from lattice import (
    Bond,
    Chain,
    Estimate,
    Langevin,
    Pin,
    State,
    ThreeSiteRotation,
    Untrusted,
    VelocityExchange,
    VelocityFlip,
    energy,
)
from lattice.micro import (
    GreenKubo,
    Totals,
    Trajectory,
    converged,
    energy_current,
    evolve,
    exact_kappa,
    green_kubo,
    momentum_current,
)
from lattice.stats import jackknife
from lattice.thermo import thermal
from lattice.waves import group_velocity, wave_numbers

RING = Chain(6, Bond.fput(alpha=0.25, beta=0.1))
PINNED = Chain(4, Bond(chi=1.0), Pin(chi=1.0))


def trajectory(times, q, p, chain, dt, baths=(), noise=None):
    """Any states as those of a run."""
    return Trajectory(q=q, p=p, times=times, chain=chain, dt=dt, scheme="verlet", baths=baths, noise=noise)


def recorded(chain=RING, times=30, replicas=3, noise=None, boost=0.0, seed=1, spacing=0.5, baths=()):
    """A trajectory of random states."""
    rng = np.random.default_rng(seed)
    q, p = rng.normal(size=(2, times, replicas, chain.n))
    return trajectory(spacing * np.arange(times), q, p + boost, chain, 0.1, baths, noise)


def with_current(current, spacing=0.1, temperature=1.0):
    """Runs whose total current is 2T·current, (times, replicas), so that ⟨J(t)J(0)⟩/nT² is that of `current`.

    Every second site of a ring of 4 stands still to its left or right, and the momenta of these two carry the
    current; the other two are as large as the temperature asks for.
    """
    times, replicas = current.shape
    q = np.broadcast_to(math.sqrt(temperature) * np.array([0.0, 1.0, 0.0, -1.0]), (times, replicas, 4))
    p = np.empty((times, replicas, 4))
    p[..., 0], p[..., 2] = -current, current
    p[..., 1] = p[..., 3] = np.sqrt(2 - (current**2).mean(axis=0))
    p = math.sqrt(temperature) * p
    return trajectory(spacing * np.arange(times), q, p, PINNED, 0.01)


def with_correlation(values, spacing):
    """As many replicas as values whose current has just this correlation, to round-off.

    The mean of J(s)J(s + t) over the replicas is the entry of a Toeplitz matrix if they are the columns of a
    root of it.
    """
    square, vectors = np.linalg.eigh(scipy.linalg.toeplitz(values))
    root = vectors * np.sqrt(np.maximum(square, 0.0))
    # turned so that no replica has more than its share
    turn = scipy.linalg.dft(len(values), scale="sqrtn")
    root = root @ (turn.real + turn.imag)
    return with_current(root * math.sqrt(len(values)), spacing)


def result_of(*args, **options):
    """The answer, trusted or not: random states have no plateau."""
    try:
        return green_kubo(*args, **options)
    except Untrusted as doubt:
        return doubt.result


def test_a_run_without_times_is_refused():
    """As a run that blew up at once leaves behind."""
    run = recorded()
    empty = trajectory(run.times[:0], run.q[:0], run.p[:0], RING, 0.1)
    with pytest.raises(ValueError, match=r"runs holds .*; allowed: Trajectory or Series, with 2 times"):
        green_kubo(empty, window=(1.0, 6.0))


def test_is_the_direct_sum():
    chain = Chain(6, Bond(chi=1.3), Pin(chi=0.4))
    temperature, lags = 1.7, 21
    run = recorded(chain)
    run = dataclasses.replace(run, p=math.sqrt(temperature) * run.p)
    current = energy_current(chain, run.q, run.p).sum(axis=-1)
    direct = np.zeros((lags, current.shape[1]))
    for lag in range(lags):
        for start in range(len(current) - lag):
            direct[lag] += current[start] * current[start + lag] / (len(current) - lag)
    direct /= chain.n * temperature**2
    result = result_of(run, temperature=temperature, window=(4.0, 10.0))
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
    both = trajectory(
        first.times,
        np.concatenate([first.q, second.q], axis=1),
        np.concatenate([first.p, second.p], axis=1),
        RING,
        0.1,
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
    moving = result_of(recorded(chain, noise=noise, boost=1.0), **options).correlation.value
    assert np.abs(moving - rest).max() > 0.1


# the grid of lags, and the systematic error


@pytest.mark.parametrize(
    ("window", "begin", "end"), [((1.0, 4.0), 10, 40), ((0.91, 4.19), 10, 41), ((0.3, 1.1), 3, 11)]
)
def test_the_grid_of_lags(window, begin, end):
    """Outputs within the window count, its ends included though 0.3 is not 3 times 0.1 to a computer.

    The integral of a cosine is a sine to (ωh)⁴/180 at even lags, a little more at odd ones; the trapezoidal
    rule would be off by (ωh)²/12 = 3e-3, a lag too many or too few by 0.02.
    """
    lags = 0.1 * np.arange(61)
    result = result_of(with_correlation(np.cos(2 * lags), 0.1), temperature=1.0, window=window)
    np.testing.assert_allclose(result.lags, lags[: end + 1], rtol=1e-14)
    assert not result.lags.flags.writeable
    np.testing.assert_allclose(result.correlation.value, np.cos(2 * lags[: end + 1]), atol=1e-12)
    np.testing.assert_allclose(result.running.value, np.sin(2 * lags[: end + 1]) / 2, atol=5e-5)
    np.testing.assert_allclose(result.plateau.value, np.mean(result.running.value[begin:]), rtol=1e-12)
    assert result.window == window
    assert f"of 61 replicas, read at {window[0]:g} ≤ t ≤ {window[1]:g}" in result.plateau.how


@pytest.mark.parametrize("begin", [0.5, 1.0, 2.1])
@pytest.mark.parametrize("width", [1.0, 3.0, 5.05])
def test_an_early_window_has_a_systematic_error(begin, width):
    """C = exp(-t) read too early misses e^(-a)(1 - e^(-w))/w; the integral moves 2 tanh(w/4) times that.

    So a window of three decay times covers what it misses, and claims no more than twice of it; a window of
    one decay time claims half.  Outputs are so dense that they do not matter.
    """
    t = 0.05 * np.arange(181)
    plateau = result_of(
        with_correlation(np.exp(-t), 0.05), temperature=1.0, window=(begin, begin + width)
    ).plateau
    inside = 1 - np.exp(-t[round(20 * begin) : round(20 * (begin + width)) + 1])
    half = len(inside) // 2
    missing = 1 - plateau.value
    np.testing.assert_allclose(missing, 1 - inside.mean(), rtol=1e-4)
    np.testing.assert_allclose(missing, math.exp(-begin) * (1 - math.exp(-width)) / width, rtol=0.02)
    np.testing.assert_allclose(
        plateau.systematic, inside[-half:].mean() - inside[:half].mean(), rtol=1e-4, atol=2e-6
    )
    assert (missing < plateau.systematic < 2 * missing) == (width > 2.2)


@pytest.mark.parametrize(("spacing", "begin"), [(0.5, 24), (0.5, 25), (0.8, 16), (0.8, 17)])
def test_coarse_outputs_have_a_systematic_error(spacing, begin):
    """C = exp(-t) read late but seldom: Simpson's rule is off, 16 times as much at twice the step."""
    t = spacing * np.arange(61)
    window = (spacing * begin, spacing * 60)
    plateau = result_of(with_correlation(np.exp(-t), spacing), temperature=1.0, window=window).plateau
    even = range(begin + begin % 2, 61, 2)
    fine, coarse = (
        np.mean([scipy.integrate.simpson(np.exp(-t[: lag + 1 : step]), dx=step * spacing) for lag in even])
        for step in (1, 2)
    )
    bias = abs(plateau.value - 1)
    assert bias > 2e-4
    np.testing.assert_allclose(plateau.systematic, abs(coarse - fine), rtol=0.01)
    assert bias < plateau.systematic < 16 * bias


# doubts


@pytest.mark.parametrize("replicas", [2, 3, 4, 8, 32])
def test_doubts_follow_student(replicas):
    """Replicas whose integrals differ only by a factor: drift and level have the same relative error.

    So one doubt ends where the other begins: at the number of standard errors that Student's law exceeds
    with the chance of 4 of a normal number.
    """
    limit = scipy.stats.t.isf(scipy.stats.norm.sf(4), replicas - 1)
    one = np.where(np.arange(replicas) == 0, replicas - 1, -1)  # the error of its mean 0 is 1
    shape = np.exp(-0.3 * np.arange(60))[:, None]
    for ratio, message, other in (
        (1.01 * limit, "the integral moves by", "the error hides"),
        (0.99 * limit, "the error hides any slope", "moves"),
    ):
        with pytest.raises(Untrusted, match=message) as doubt:
            green_kubo(with_current(shape * np.sqrt(1 + one / ratio)), temperature=1.0, window=(0.5, 2.0))
        assert other not in str(doubt.value)
        assert isinstance(doubt.value.result, GreenKubo)


@pytest.mark.parametrize(("replicas", "runs"), [(2, 300), (4, 900)])
def test_few_replicas_raise_no_false_alarm(replicas, runs):
    """A current of correlation exp(-t), read when all is over: the integral does not move.

    Its doubt has a chance of 6.3e-5 a run: four or more are a false alarm in 4e-7 of all seeds.  At the four
    standard errors of a normal number there would be 45 with two replicas and 22 with four.
    """
    rng = np.random.default_rng(8)
    decay = math.exp(-0.5)
    noise = rng.standard_normal((100, runs * replicas))
    noise[1:] *= math.sqrt(1 - decay**2)
    currents = scipy.signal.lfilter([1], [1, -decay], noise, axis=0)
    currents /= np.abs(currents).max()  # no more than the temperature allows
    alarms = 0
    for part in np.split(currents, runs, axis=1):
        try:
            green_kubo(with_current(part, 0.5), temperature=1.0, window=(8, 16))
        except Untrusted as doubt:
            alarms += "moves" in str(doubt)
    assert alarms < 4


def test_without_noise_there_is_no_plateau():
    """The current of a harmonic ring is a constant of the motion: the integral grows for ever.

    By 12.7 ± 1.0 standard errors, of which 4.1 are noticed: missed by less than 1e-9 of all seeds.
    """
    chain = Chain(16, Bond(chi=1.0), Pin(chi=0.5))
    start = thermal(chain, 1.0, replicas=400, rng=3)
    run = evolve(chain, start, np.arange(0, 20.5, 0.5), dt=0.1, scheme="fourth-order")
    with pytest.raises(Untrusted, match="the integral moves by") as doubt:
        green_kubo(run, temperature=1.0, window=(10.0, 20.0))
    result = doubt.value.result
    assert isinstance(result, GreenKubo)
    constant = (energy_current(chain, start.q, start.p).sum(axis=-1) ** 2).mean() / chain.n
    np.testing.assert_allclose(result.correlation.value, constant, rtol=1e-5)
    np.testing.assert_allclose(result.running.value, constant * result.lags, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("noise", [VelocityFlip(1.0), VelocityExchange(1.0), ThreeSiteRotation(1.0)])
def test_finds_the_exact_conductivity(noise):
    """C(t) is the mean of v² exp(-φt) over the ring, and its integral is known.

    False alarms: 1e-8 each at 6 standard errors, which are (4.2 ± 0.4) % of the conductivity and
    (3.8 ± 0.2) % of C(0).  Errors of 8 % and 5 % are found in 1e-9 of all seeds, and half of either would be
    noticed.  A doubt (6e-5) is no failure.
    """
    chain = Chain(8, Bond(chi=1.0), Pin(chi=1.0))
    start = thermal(chain, 2.0, replicas=400, rng=5)
    run = evolve(
        chain, start, np.arange(0, 400.25, 0.25), dt=0.125, scheme="fourth-order", noise=noise, rng=6
    )
    result = result_of(run, temperature=2.0, window=(3.0, 6.0) if noise == VelocityFlip(1.0) else (6.0, 12.0))
    exact = exact_kappa(chain, noise).ring
    assert abs(result.plateau.value - exact) < 6 * result.plateau.stderr
    assert result.plateau.stderr < 0.08 * exact
    at_rest = Estimate(result.correlation.value[0], result.correlation.stderr[0], "C(0)")
    square = np.mean(group_velocity(chain, wave_numbers(chain.n)) ** 2)
    assert abs(at_rest.deviation(square)) < 6
    assert at_rest.stderr < 0.05 * square


def test_a_noisy_plateau_says_so():
    with pytest.raises(Untrusted, match="the error hides any slope"):
        green_kubo(recorded(Chain(6, Bond(chi=1.0), Pin(chi=1.0))), temperature=1.0, window=(4.0, 10.0))


# several currents, and runs that keep their totals alone

BOTH = "energy_current", "momentum_current"
EVEN = Chain(6, Bond(chi=1.0, beta=0.5))


def test_all_correlations_are_direct_sums():
    """Each current at a later time with each at an earlier one, in the frame where the ring is at rest."""
    temperature, lags = 1.7, 21
    run = recorded(EVEN, boost=0.4)
    run = dataclasses.replace(run, p=math.sqrt(temperature) * run.p)
    p = run.p - run.p.mean(axis=-1, keepdims=True)
    series = [
        energy_current(EVEN, run.q, p).sum(axis=-1) / temperature,
        momentum_current(EVEN, run.q).sum(axis=-1) / math.sqrt(temperature),
    ]
    direct = np.zeros((lags, 2, 2, 3))
    for lag in range(lags):
        for a in range(2):
            for b in range(2):
                products = series[a][lag:] * series[b][: len(p) - lag]
                direct[lag, a, b] = products.mean(axis=0) / EVEN.n
    found = result_of(run, BOTH, temperature=temperature, window=(4.0, 10.0))
    np.testing.assert_allclose(found.correlation.value, direct.mean(axis=-1), atol=1e-12)
    errors = direct.std(axis=-1, ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(found.correlation.stderr, errors, atol=1e-12)
    apart = found.correlation.value[:, 0, 1] - found.correlation.value[:, 1, 0]
    assert np.abs(apart).max() > 1e-6  # which of the two is the later matters
    assert found.plateau.value.shape == (2, 2)
    for k, name in enumerate(BOTH):
        one = result_of(run, name, temperature=temperature, window=(4.0, 10.0))
        for quantity in ("correlation", "running", "plateau"):
            whole, part = getattr(found, quantity), getattr(one, quantity)
            np.testing.assert_allclose(whole.value[..., k, k], part.value, atol=1e-12)
            np.testing.assert_allclose(whole.stderr[..., k, k], part.stderr, atol=1e-12)
            np.testing.assert_allclose(whole.systematic[..., k, k], part.systematic, atol=1e-12)


@pytest.mark.parametrize("noise", [None, VelocityExchange(0.3), VelocityFlip(0.3)])
@pytest.mark.parametrize("temperature", [None, 1.0])
def test_totals_are_enough(noise, temperature):
    """The same from states as from totals, from a drifting ring too."""
    rng = np.random.default_rng(5)
    start = State(*(rng.standard_normal((2, 40, 6)) * [[[0.5]], [[1.0]]]))
    currents = BOTH if noise != VelocityFlip(0.3) else "energy_current"
    options = {"temperature": temperature, "window": (4.0, 10.0)}
    found = []
    for observe in (None, Totals()):
        run = evolve(EVEN, start, 0.5 * np.arange(40), noise=noise, observe=observe, rng=6)
        found.append(result_of([run, run], currents, **options))
    for quantity in ("correlation", "running", "plateau"):
        states, totals = (getattr(result, quantity) for result in found)
        np.testing.assert_allclose(totals.value, states.value, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(totals.stderr, states.stderr, rtol=1e-9, atol=1e-12)
    assert found[0].temperature == pytest.approx(found[1].temperature, rel=1e-13)


def test_the_temperature_of_the_runs_is_taken_with_its_error():
    """The value at the temperature that the momenta have; the error is that of a jackknife over replicas."""
    rng = np.random.default_rng(7)
    chain, size = Chain(6), rng.uniform(0.7, 1.3, (60, 1))
    run = recorded(chain, times=300, replicas=60)
    run = dataclasses.replace(run, q=run.q * size, p=run.p * size)  # of as many temperatures
    p = run.p - run.p.mean(axis=-1, keepdims=True)
    heat = np.square(p).sum(axis=-1).mean(axis=0) / 5
    found = result_of(run, window=(4.0, 10.0))
    assert found.temperature == pytest.approx(heat.mean(), rel=1e-13)
    current = energy_current(chain, run.q, p).sum(axis=-1)
    squares = np.square(current).mean(axis=0) / chain.n

    def statistic(samples):
        return samples[:, 0].mean() / samples[:, 1].mean() ** 2

    expected = jackknife(statistic, np.stack([squares, heat], axis=1))
    assert found.correlation.value[0] == pytest.approx(squares.mean() / heat.mean() ** 2, rel=1e-12)
    assert found.correlation.stderr[0] == pytest.approx(expected.stderr, rel=0.05)
    plain = squares.std(ddof=1) / np.sqrt(60) / heat.mean() ** 2
    assert plain > 1.5 * expected.stderr  # of a wide spread of temperatures little is left


def test_who_is_lost_is_counted():
    result = result_of(dataclasses.replace(recorded(), lost={3: 1.0, 4: 2.5}), window=(4.0, 10.0))
    assert result.plateau.how == "Green-Kubo integral of 3 replicas (2 lost), read at 4 ≤ t ≤ 10"
    assert "lost" not in result_of(recorded(), window=(4.0, 10.0)).plateau.how


def test_a_momentum_current_needs_its_conservation():
    for run in (
        recorded(Chain(6, Bond(chi=1.0), Pin(chi=0.1))),
        recorded(EVEN, noise=VelocityFlip(0.1)),
        recorded(RING),
    ):
        with pytest.raises(ValueError, match=r"allowed: the momentum current where the momentum is kept"):
            green_kubo(run, "momentum_current", window=(4.0, 10.0))
    for currents in ("heat", (), ("energy_current",) * 2, 3, None, ["heat"], [["energy_current"]]):
        with pytest.raises(ValueError, match=r"currents = .*; allowed: "):
            green_kubo(recorded(EVEN), currents, window=(4.0, 10.0))


# the temperature


def equilibrium(
    chain, temperature, replicas, *, noise=None, dt=0.1, spacing=0.5, microcanonical=False, boost=0
):
    """A short run that starts in equilibrium: canonical, or at rest as a whole with n T in every replica."""
    start = thermal(chain, temperature, replicas=replicas, rng=11)
    p = start.p
    if microcanonical:
        p = p - p.mean(axis=-1, keepdims=True)
        scale = np.sqrt(chain.n * temperature / energy(chain, start.q, p))[:, None]
        start = State(scale * start.q, scale * p)
    start = State(start.q, start.p + boost)
    return evolve(chain, start, spacing * np.arange(21), dt=dt, noise=noise, rng=12)


@pytest.mark.parametrize(
    ("chain", "noise", "boost"),
    [
        (Chain(64, Bond(chi=1.0), Pin(chi=1.0)), VelocityFlip(1.0), 0.0),
        (Chain(64, Bond(chi=1.0)), None, 3.0),
        (Chain(64, Bond(chi=1.0)), ThreeSiteRotation(0.5), -3.0),
    ],
)
def test_a_wrong_temperature_is_refused(chain, noise, boost):
    """With 63 times 16 momenta the mean p² is 1.00 ± 0.03: 1.6 and 0.6 are refused for all seeds but 1e-13.

    A ring that drifts is as hot as one at rest.
    """
    run = equilibrium(chain, 1.0, 16, noise=noise, boost=boost)
    assert result_of(run, temperature=1.0, window=(2.0, 8.0)).temperature == 1.0
    for temperature in (10.0, 1.6, 0.6, 0.1, 1e-300, 1e300):
        with pytest.raises(
            ValueError, match=r"temperature = .*, but those of the runs have (0\.[89]|1\.[012]|1;)"
        ) as error:
            green_kubo(run, temperature=temperature, window=(2.0, 8.0))
        assert f"temperature = {temperature!r}, at which" in str(error.value)


def test_two_replicas_tell_a_temperature():
    """Of 32 momenta the mean p² is between 0.2 and 2.7 T: ten times more or less is refused."""
    run = recorded(Chain(16, Bond(chi=1.0), Pin(chi=1.0)), replicas=2)
    result_of(run, temperature=1.0, window=(4.0, 10.0))
    for temperature in (10.0, 0.1):
        with pytest.raises(ValueError, match=r"temperature = .*, at which 32 momenta have a mean p²"):
            green_kubo(run, temperature=temperature, window=(4.0, 10.0))


@pytest.mark.parametrize("free", [4, 3])
def test_the_limits_of_a_temperature(free):
    """χ² of as many degrees of freedom as there are momenta, and 1/(n - 1) for a microcanonical start."""
    replicas = 40
    rng = np.random.default_rng(9)
    q, p = rng.normal(size=(2, 30, replicas, 4))
    chain = Chain(4, Bond(chi=1.0), Pin(chi=float(free == 4)))
    if free == 3:
        p -= p.mean(axis=-1, keepdims=True)
    p /= math.sqrt((p**2).mean() * 4 / free)  # the mean of free ones is 1
    low, high = scipy.stats.chi2.ppf([5e-7, 1 - 5e-7], replicas * free) / (replicas * free)
    for inside, outside in (1.001, 0.999), (0.999, 1.001):
        limit = low - 1 / 3 if inside > 1 else high + 1 / 3
        run = trajectory(0.5 * np.arange(30), q, math.sqrt(limit * inside) * p, chain, 1e-6)
        result_of(run, temperature=1.0, window=(4.0, 10.0))
        run = trajectory(0.5 * np.arange(30), q, math.sqrt(limit * outside) * p, chain, 1e-6)
        with pytest.raises(ValueError, match=r"temperature = 1.0, at which"):
            green_kubo(run, temperature=1.0, window=(4.0, 10.0))


@pytest.mark.parametrize(
    ("n", "replicas", "options"),
    [(8, 4000, {"microcanonical": True}), (64, 400, {"dt": 0.9, "spacing": 0.9})],
)
def test_a_good_temperature_is_not_refused(n, replicas, options):
    """Energies n T of a ring at rest are n T/(n - 1) a mode, 14 %; a coarse step cools the momenta by 20 %.

    With so many replicas either is far beyond what chance explains, 4 %.
    """
    run = equilibrium(Chain(n, Bond(chi=1.0)), 2.0, replicas, **options)
    p = run.p - run.p.mean(axis=-1, keepdims=True)
    found = (p**2).mean() * n / (n - 1) / 2.0
    low, high = scipy.stats.chi2.ppf([5e-7, 1 - 5e-7], (n - 1) * replicas) / ((n - 1) * replicas)
    assert not 2 * low - 1 < found < 2 * high - 1
    spacing = options.get("spacing", 0.5)
    assert result_of(run, temperature=2.0, window=(4 * spacing, 16 * spacing)).temperature == 2.0
    with pytest.raises(ValueError, match=r"temperature = 4.0, at which"):
        green_kubo(run, temperature=4.0, window=(4 * spacing, 16 * spacing))


# arguments


def test_bad_input():
    good, options = recorded(), {"temperature": 1.0, "window": (4.0, 10.0)}
    for temperature in (0.0, -1.0, np.nan, np.inf, True, "1", 1j, [1.0, 2.0]):
        with pytest.raises(ValueError, match=r"temperature = .*; allowed: a finite number above 0"):
            green_kubo(good, temperature=temperature, window=(4.0, 10.0))
    for window in (
        (4.0, 15.0),
        (-1.0, 10.0),
        (10.0, 4.0),
        (4.0, 7.0),
        (np.nan, 10.0),
        3,
        ("1", "2"),
        (1, 2, 3),
    ):
        with pytest.raises(ValueError, match=r"window = .*; allowed: .*\(low, high\)"):
            green_kubo(good, temperature=1.0, window=window)
    result_of(good, temperature=1.0, window=(4.0, 7.5))  # 8 outputs
    close = 1 + 1e-8 * np.linspace(-1, 1, 30)
    for runs, message in (
        ([], "runs holds 0 replicas; allowed: at least 2"),
        (recorded(replicas=1), "runs holds 1 replicas; allowed: at least 2"),
        (3, "runs = 3; allowed: a Trajectory or Series, or an iterable of them"),
        ([good, 3], "runs holds 3; allowed: Trajectory"),
        ("run", "runs holds 'r'; allowed: Trajectory"),
        (recorded(Chain(6, Bond(chi=1.0), boundary="free")), "runs holds one with boundary 'free'"),
        (recorded(baths=(Langevin(0, 1.0),)), "and 1 baths"),
        ([good, recorded(Chain(6, Bond(chi=1.0)))], "different chains or noises"),
        ([good, recorded(Chain(5, Bond.fput(alpha=0.25, beta=0.1)))], "different chains or noises"),
        ([good, recorded(noise=VelocityFlip(1.0))], "different chains or noises"),
        ([good, recorded(times=31)], "different times"),
        ([good, recorded(spacing=0.4)], "different times"),
        ([good, dataclasses.replace(good, times=good.times * close)], "different times"),
        (dataclasses.replace(good, times=good.times**2), r"times = .*; allowed: equidistant"),
        (
            dataclasses.replace(good, times=good.times * (1 + 1e-4 * (close - 1) / 1e-8)),
            "allowed: equidistant",
        ),
        (recorded(times=1), "allowed: equidistant, at least 2"),
    ):
        with pytest.raises(ValueError, match=message):
            green_kubo(runs, **options)
    # times that are equal and equidistant but for rounding
    rounded = dataclasses.replace(good, times=good.times * (1 + (close - 1) / 1e4))
    np.testing.assert_allclose(result_of([good, rounded], **options).lags, 0.5 * np.arange(21))


def test_converged_covers_what_is_left():
    """With errors 1/n and dt² the finest answer lies within what it claims, and not far within."""

    def measure(n, dt):
        return Estimate(1 + 3 / n + 0.5 * dt**2, 0.01, "made up", systematic=0.02)

    result = converged(measure, n=10, dt=0.2)
    assert abs(result.value - measure(20, 0.1).value) < 1e-15
    assert result.stderr == 0.01
    np.testing.assert_allclose(result.systematic, np.hypot(0.02, 0.15 + 0.015))
    assert abs(result.value - 1) < result.systematic
    for n in (0, -1, 2.5, True, "1", None):
        with pytest.raises(ValueError, match=r"n = .*; allowed: an integer at least 1"):
            converged(measure, n=n, dt=0.1)
    for dt in (0.0, -1.0, np.nan, True, "1", 1j, None):
        with pytest.raises(ValueError, match=r"dt = .*; allowed: a finite number above 0"):
            converged(measure, n=10, dt=dt)


def test_converged_of_arrays_and_of_what_is_no_estimate():
    result = converged(lambda n, dt: Estimate([1 + 3 / n, dt], 0.01, "made up"), n=10, dt=0.2)
    np.testing.assert_allclose(result.systematic, [0.15, 0.1])
    assert result.how == "made up; n = 20 against 10, dt = 0.1 against 0.2"
    for measure in (lambda n, dt: 1.0, lambda n, dt: None, lambda n, dt: (1.0, 0.1)):
        with pytest.raises(ValueError, match=r"what measure returns = .*; allowed: an Estimate"):
            converged(measure, n=10, dt=0.2)
    with pytest.raises(ValueError, match=r"what measure returns has shapes .*; allowed: always the same"):
        converged(lambda n, dt: Estimate(np.ones(n), 0.1, "made up"), n=10, dt=0.2)
    with pytest.raises(ValueError, match="measure = 3; allowed: a function"):
        converged(3, n=10, dt=0.2)
    with pytest.raises(ValueError, match="systematic = "):
        converged(lambda n, dt: Estimate([9e306 if n == 20 else -9e306], 0.1, "made up"), n=10, dt=0.2)
