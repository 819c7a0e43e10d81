"""Time evolution: kernel against twin, exact motions, orders, invariants, baths, bad input."""

import math
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.integrate import solve_ivp

from lattice import Bond, Chain, Langevin, Pin, State, VelocityExchange, VelocityFlip
from lattice._kernels.random import streams
from lattice.micro import evolution
from lattice.micro._splitting import SCHEMES
from lattice.micro.evolution import STRIP, BlowUp, _chunks, evolve
from lattice.micro.moments import stationary
from lattice.micro.observers import Averages, Profiles, Totals, Trajectory
from tests import naive

BOUNDARIES = ["periodic", "fixed", "free", ("fixed", "free"), ("free", "fixed")]
LAWS = {
    "harmonic": ("chi",),
    "polynomial": ("chi", "alpha", "beta"),
    "cosine": ("chi", "alpha", "beta", "J", "m"),
}
each_scheme = pytest.mark.parametrize("scheme", list(SCHEMES))


def random_chain(rng, kind, pinned, varied, boundary, n):
    """A stable chain whose coefficients are all at work."""

    def law(cls, size):
        return cls(**{name: rng.uniform(0.3, 1.0, size if varied else None) for name in LAWS[kind]})

    bonds = Chain(n, boundary=boundary).n_bonds
    return Chain(n, law(Bond, bonds), law(Pin, n) if pinned else Pin(), boundary)


def random_state(rng, replicas, n, size=0.5):
    return State(size * rng.standard_normal((replicas, n)), size * rng.standard_normal((replicas, n)))


def twin(run, start, draws=None):
    """The same run by the twin: arrays (times, replicas, n)."""
    intervals, before = [], 0.0
    for t in run.times:
        steps = math.ceil((t - before) / run.dt * (1 - 1e-9))
        intervals.append((steps, (t - before) / max(steps, 1)))
        before = t
    scheme = SCHEMES[run.scheme]
    states = [
        naive.evolve(
            run.chain, start.q[i], start.p[i], intervals, scheme.kicks, scheme.drifts, run.baths,
            draws[i] if draws else None,
        )
        for i in range(start.replicas)
    ]  # fmt: skip
    return np.array(states).transpose(2, 1, 0, 3)


# The kernel and its twin


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(list(LAWS)),
    pinned=st.booleans(),
    varied=st.booleans(),
    boundary=st.sampled_from(BOUNDARIES),
    scheme=st.sampled_from(list(SCHEMES)),
    n=st.integers(3, 9),
    replicas=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
def test_kernel_and_twin(kind, pinned, varied, boundary, scheme, n, replicas, seed):
    rng = np.random.default_rng(seed)
    chain = random_chain(rng, kind, pinned, varied, boundary, n)
    start = random_state(rng, replicas, n)
    run = evolve(chain, start, [0, 0.05, 0.4], dt=0.1, scheme=scheme)
    q, p = twin(run, start)
    assert_allclose(run.q, q, rtol=1e-12, atol=1e-13)
    assert_allclose(run.p, p, rtol=1e-12, atol=1e-13)
    assert_array_equal(run.q[0], start.q)


@pytest.mark.parametrize("boundary", BOUNDARIES, ids=str)
@each_scheme
def test_kernel_and_twin_with_baths(boundary, scheme):
    """The same random streams, further than one filling of the buffer holds, one of three baths cold."""
    n = 4
    chain = Chain(n, boundary=boundary)
    start = random_state(np.random.default_rng(2), 2, n)
    baths = [
        Langevin(0, 1.0),
        Langevin(1, 0.0, friction=0.3, force=0.2),
        Langevin(2, 2.0, friction=0.0, force=-0.1),
        Langevin(-2, 0.7, friction=0.5),
        Langevin(-1, 0.4, friction=2.0),
    ]
    baths.pop(3 if scheme == "verlet" else 2)  # sites must differ
    times = [0.5, 1.0, 80.0]
    run = evolve(chain, start, times, dt=0.1, scheme=scheme, baths=baths, rng=17)
    warm = sum(bath.temperature > 0 and bath.friction > 0 for bath in baths)
    draws = [naive.normals(s, draws=warm) for s in streams(np.random.SeedSequence(17), 2)]
    q, p = twin(run, start, draws)
    assert_allclose(run.q, q, rtol=1e-9, atol=1e-10)
    assert_allclose(run.p, p, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", list(LAWS))
@pytest.mark.parametrize("varied", [False, True])
def test_bits_do_not_depend_on_the_company(kind, varied):
    """A replica alone and among others, on strips of every filling; a long chain and its rounding too."""
    rng = np.random.default_rng(3)
    for n, replicas in ((5, STRIP // 7 + 3), (37, 40), (STRIP + 13, 2)):
        chain = random_chain(rng, kind, True, varied, "fixed", n)
        start = random_state(rng, replicas, n)
        run = evolve(chain, start, [0.5, 1.0], dt=0.1)
        for i in (0, replicas // 2, replicas - 1):
            alone = evolve(chain, State(start.q[i], start.p[i]), [0.5, 1.0], dt=0.1)
            assert_array_equal(run.q[:, i], alone.q[:, 0])
            assert_array_equal(run.p[:, i], alone.p[:, 0])


@each_scheme
def test_bits_do_not_depend_on_the_map(scheme):
    chain = Chain(510)  # two replicas a strip
    start = random_state(np.random.default_rng(4), 5, 510)
    baths = [Langevin(0, 1.0), Langevin(-1, 2.0)]
    keywords = {"dt": 0.1, "scheme": scheme, "baths": baths, "rng": 8}
    serial = evolve(chain, start, [1.0, 3.0], **keywords)
    with (
        ThreadPoolExecutor(1) as one,
        ThreadPoolExecutor(2) as two,
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process,
    ):
        for pool in (one, two, process) if scheme == "verlet" else (one, two):
            other = evolve(chain, start, [1.0, 3.0], map=pool.map, **keywords)
            assert_array_equal(other.q, serial.q)
            assert_array_equal(other.p, serial.p)


def test_noise_comes_from_the_seed():
    chain, baths = Chain(4), [Langevin(0, 1.0)]
    start = random_state(np.random.default_rng(5), 3, 4)

    def final(rng, first=3):
        part = State(start.q[:first], start.p[:first])
        return evolve(chain, part, [2.0], baths=baths, rng=rng).p[0]

    assert_array_equal(final(1), final(np.random.default_rng(1)))
    assert_array_equal(final(1)[:2], final(1, first=2))  # replica i has the i-th stream
    assert not np.array_equal(final(1), final(2))
    rng = np.random.default_rng(1)
    assert not np.array_equal(final(rng), final(rng))  # a generator is not used up twice


# Exact motions and orders


@each_scheme
@pytest.mark.parametrize("boundary", BOUNDARIES, ids=str)
def test_normal_modes_rotate(scheme, boundary):
    r"""q(t) = \cos(\sqrt\Phi t) q_0 of a harmonic chain, and the scheme's error far below its amplitude."""
    n = 7
    rng = np.random.default_rng(6)
    chain = Chain(n, Bond(rng.uniform(0.5, 1.5, Chain(n, boundary=boundary).n_bonds)), Pin(0.3), boundary)
    squares, shapes = np.linalg.eigh(chain.stiffness_matrix())
    start = State(shapes.T, np.zeros((n, n)))  # replica i is mode i
    times = np.array([0.0, 1.0, 3.7, 20.0])
    run = evolve(chain, start, times, scheme=scheme, dt=0.001 if scheme == "verlet" else 0.02)
    phase = np.sqrt(squares) * times[:, None]
    assert_allclose(run.q, np.cos(phase)[..., None] * shapes.T, atol=1e-5 if scheme == "verlet" else 1e-8)
    velocity = -np.sqrt(squares) * np.sin(phase)
    assert_allclose(run.p, velocity[..., None] * shapes.T, atol=2e-5 if scheme == "verlet" else 2e-8)


ORDERS = {"verlet": (2, [0.1, 0.05, 0.025]), "fourth-order": (4, [0.0625, 0.03125, 0.015625])}


def slope(steps, errors):
    """The exponent of errors ~ steps**exponent."""
    return np.polyfit(np.log(steps), np.log(errors), 1)[0]


@each_scheme
@pytest.mark.parametrize("kind", list(LAWS))
def test_order(scheme, kind):
    """Against scipy's DOP853 at a tolerance of 1e-13; window 0.025 to 0.1, or 0.016 to 0.063.

    Four starts, not far from rest: of 25 seeds all slopes lie within 0.016, with a deviation of 0.003.
    """
    n = 6
    rng = np.random.default_rng(7)
    chain = random_chain(rng, kind, True, True, "fixed", n)
    start = random_state(rng, 4, n, 0.3)

    def field(t, z):
        return np.concatenate([z[n:], chain.force(z[:n])])

    exact = [
        solve_ivp(field, (0, 3), z, method="DOP853", rtol=1e-13, atol=1e-14).y[:, -1]
        for z in np.concatenate([start.q, start.p], axis=1)
    ]
    order, steps = ORDERS[scheme]
    errors = []
    for dt in steps:
        run = evolve(chain, start, [3.0], dt=dt, scheme=scheme)
        errors.append(np.linalg.norm(np.concatenate([run.q[0], run.p[0]], axis=1) - exact))
    assert errors[-1] > 3e-12  # above round-off
    assert slope(steps, errors) == pytest.approx(order, abs=0.1)


@each_scheme
def test_energy_error_is_bounded_and_of_the_order(scheme):
    """Over 1000 time units no drift: the error of the last fifth is that of the first; window as above.

    Of 200 seeds the slopes lie within 0.02 and 0.05, and the largest errors within a factor of 1.5; a drift
    of the size of the error itself would make it 2.
    """
    chain = Chain(16, Bond.fput(alpha=0.25, beta=0.5), boundary="fixed")
    start = random_state(np.random.default_rng(8), 16, 16, 0.1)
    order, steps = ORDERS[scheme]
    steps, errors = steps[:2], []
    for dt in steps:
        run = evolve(chain, start, np.arange(0, 1000, 1.0), dt=dt, scheme=scheme)
        deviation = run.energy() / run.energy()[0] - 1
        errors.append(deviation.std())
        assert np.abs(deviation[-200:]).max() < 2 * np.abs(deviation[:200]).max()
    assert slope(steps, errors) == pytest.approx(order, abs=0.1)


@each_scheme
def test_stability_limit(scheme):
    """The trace of one step of an oscillator leaves [-2, 2] at the limit, and stays within below."""
    splitting = SCHEMES[scheme]

    def trace(h):
        step = np.eye(2)
        for i, kick in enumerate(splitting.kicks):
            step = np.array([[1, 0], [-kick * h, 1]]) @ step
            if i < len(splitting.drifts):
                step = np.array([[1, splitting.drifts[i] * h], [0, 1]]) @ step
        return abs(np.trace(step))

    assert max(trace(h) for h in np.linspace(0.01, splitting.limit * 0.9999, 2000)) <= 2 + 1e-12
    assert trace(splitting.limit * 1.0002) > 2
    assert sum(splitting.kicks) == pytest.approx(1, abs=1e-15)
    assert sum(splitting.drifts) == pytest.approx(1, abs=1e-15)


@each_scheme
def test_time_is_reversible(scheme):
    chain = Chain(9, Bond(chi=1, beta=1, J=0.5), Pin(chi=0.5), "free")
    start = random_state(np.random.default_rng(9), 3, 9)
    there = evolve(chain, start, [10.0], scheme=scheme)
    back = evolve(chain, State(there.q[0], -there.p[0]), [10.0], scheme=scheme, dt=there.dt)
    assert_allclose(back.q[0], start.q, atol=1e-11)
    assert_allclose(-back.p[0], start.p, atol=1e-11)
    assert np.abs(there.q[0] - start.q).max() > 0.1


@each_scheme
@pytest.mark.parametrize("boundary", ["periodic", "free"])
def test_momentum_is_conserved(scheme, boundary):
    chain = Chain(12, Bond(chi=1, alpha=0.2, beta=0.5, J=1.0), boundary=boundary)
    start = random_state(np.random.default_rng(10), 3, 12)
    run = evolve(chain, start, [1.0, 50.0], scheme=scheme)
    assert_allclose(run.p.sum(axis=-1), np.broadcast_to(start.p.sum(axis=-1), (2, 3)), atol=1e-12)
    drifted = start.q.sum(axis=-1) + run.times[:, None] * start.p.sum(axis=-1)
    assert_allclose(run.q.sum(axis=-1), drifted, atol=1e-10)


def test_symmetries():
    """A ring does not know where it starts; a mirror image (α to -α) moves as the mirror image."""
    n = 11
    rng = np.random.default_rng(11)
    start = random_state(rng, 2, n)
    law = {"chi": 1.0, "beta": 0.4, "J": 0.3}
    times = [1.0, 5.0]
    ring = Chain(n, Bond(alpha=0.3, **law), Pin(chi=0.2))
    run = evolve(ring, start, times)
    moved = evolve(ring, State(np.roll(start.q, 3, -1), np.roll(start.p, 3, -1)), times)
    assert_allclose(moved.q, np.roll(run.q, 3, -1), atol=1e-12)

    rising = rng.uniform(0.5, 1.5, n)
    chain = Chain(n, Bond(alpha=0.3 * rising, **law), Pin(), ("fixed", "free"))
    mirror = Chain(n, Bond(alpha=-0.3 * rising[::-1], **law), Pin(), ("free", "fixed"))
    run = evolve(chain, start, times)
    image = evolve(mirror, State(start.q[:, ::-1], start.p[:, ::-1]), times)
    assert_allclose(image.q, run.q[..., ::-1], atol=1e-12)
    assert np.abs(run.q - run.q[..., ::-1]).max() > 0.1


def test_shift_and_boost_of_rotors():
    """Free rotors far from zero and turning fast move as near it: the sine is reduced well."""
    n, start = 8, random_state(np.random.default_rng(12), 2, 8, 1.0)
    chain = Chain(n, Bond.rotor())
    winding = 2 * np.pi * np.arange(n)[::-1] * 1000  # every bond by a thousand turns but the closing one
    run = evolve(chain, start, [5.0], dt=0.02)
    boosted = evolve(chain, State(start.q + winding, start.p + 3.0), [5.0], dt=0.02)
    assert_allclose(boosted.p[0] - 3.0, run.p[0], atol=1e-8)
    assert_allclose(boosted.q[0] - winding - 15.0, run.q[0], atol=1e-8)


# Baths


def test_constant_force_alone_is_exact():
    chain = Chain(3, Bond(), boundary="free")
    start = State([[1.0, 2.0, 3.0]], [[0.5, -0.5, 0.0]])
    times = np.array([1.0, 2.5])
    run = evolve(chain, start, times, dt=0.3, baths=[Langevin(1, 5.0, friction=0.0, force=0.8)])
    assert_allclose(run.p[:, 0, 1], -0.5 + 0.8 * times, rtol=1e-14)
    assert_allclose(run.q[:, 0, 1], 2 - 0.5 * times + 0.4 * times**2, rtol=1e-14)
    assert_allclose(run.q[:, 0, 0], 1 + 0.5 * times, rtol=1e-14)


def test_free_particles_have_the_moments_of_ornstein_and_uhlenbeck():
    r"""Mean and variance of p at three times, exact for any step, 32,000 particles.

    False alarm 6 × 1.5e-7 (5.25 standard errors; exact χ² quantiles); detects 10 % of the variance.
    """
    n, replicas = 64, 500
    friction, temperature, force, p0 = 0.8, 1.5, 0.4, 2.0
    baths = [Langevin(j, temperature, friction, force) for j in range(n)]
    start = State(np.zeros((replicas, n)), np.full((replicas, n), p0))
    times = np.array([0.3, 1.0, 6.0])
    run = evolve(Chain(n, Bond(), boundary="free"), start, times, dt=0.25, baths=baths, rng=13)
    decay = np.exp(-friction * times)
    mean = decay * p0 + (1 - decay) * force / friction
    variance = temperature * (1 - decay**2)
    size = n * replicas
    sample = run.p.reshape(len(times), size)
    assert np.all(np.abs(sample.mean(1) - mean) < 5.25 * np.sqrt(variance / size))
    ratio = sample.var(1, mean=mean[:, None]) / variance * size
    assert np.all((stats.chi2.ppf(7.5e-8, size) < ratio) & (ratio < stats.chi2.isf(7.5e-8, size)))
    assert np.all(1.1 * ratio > stats.chi2.isf(7.5e-8, size))


def test_oscillators_find_equipartition():
    r"""Uncoupled pinned sites: \langle p^2\rangle = T, \langle q^2\rangle = T/(1 - dt^2/4) for any step.

    19,200 oscillators after 40 relaxation times; false alarm 2 × 2e-7 (χ²), detects 6 %; the step
    is so long that its exact bias, a third, is seen.
    """
    n, replicas, temperature = 64, 300, 1.7
    baths = [Langevin(j, temperature, friction=2.0) for j in range(n)]
    start = State(np.zeros((replicas, n)), np.zeros((replicas, n)))
    chain = Chain(n, Bond(), Pin(chi=1.0))
    run = evolve(chain, start, [40.0], dt=1.0, baths=baths, rng=14)
    size = n * replicas
    for values, variance in ((run.p, temperature), (run.q, temperature / 0.75)):
        ratio = np.sum(values**2) / variance
        assert stats.chi2.ppf(1e-7, size) < ratio < stats.chi2.isf(1e-7, size)


def stationary_covariance(chain, baths, h, scheme):
    """The covariance of (q, p) that the scheme itself has in its stationary state, by linear algebra.

    The step without baths comes from the kernel, one unit vector a replica.
    """
    n = chain.n
    unit = np.eye(2 * n)
    run = evolve(chain, State(unit[:, :n], unit[:, n:]), [h], dt=h, scheme=scheme)
    step = np.concatenate([run.q[0], run.p[0]], axis=-1).T
    decay, noise = np.ones(2 * n), np.zeros(2 * n)
    for bath in baths:
        decay[n + bath.site % n] = np.exp(-bath.friction * h / 2)
        noise[n + bath.site % n] = bath.temperature * -np.expm1(-bath.friction * h)
    matrix = decay[:, None] * step * decay
    added = (decay[:, None] * step * noise) @ (decay[:, None] * step).T + np.diag(noise)
    return scipy.linalg.solve_discrete_lyapunov(matrix, added)


@each_scheme
def test_baths_at_the_ends_leave_equilibrium_alone(scheme):
    """One temperature: canonical momenta and no current at any step, displacements to the scheme's order."""
    n, temperature = 6, 1.3
    chain = Chain(n, Bond(np.linspace(0.5, 1.5, n + 1)), Pin(0.2), "fixed")
    baths = [Langevin(0, temperature), Langevin(-1, temperature, friction=0.3)]
    exact = temperature * np.linalg.inv(chain.stiffness_matrix())
    order = ORDERS[scheme][0]
    steps, errors = [0.05, 0.025], []
    for h in steps:
        covariance = stationary_covariance(chain, baths, h, scheme)
        assert_allclose(covariance[n:, n:], temperature * np.eye(n), atol=1e-11)
        assert_allclose(covariance[:n, n:], 0.0, atol=1e-11)
        errors.append(np.abs(covariance[:n, :n] - exact).max())
    assert slope(steps, errors) == pytest.approx(order, abs=0.1)


@each_scheme
def test_bias_between_unequal_baths_is_of_second_order(scheme):
    """Against the exact moments; window 0.05 to 0.2."""
    n = 6
    chain = Chain(n, boundary="fixed")
    baths = [Langevin(0, 2.0), Langevin(-1, 0.5, friction=0.7)]
    exact = stationary(chain, baths)
    steps = [0.2, 0.1, 0.05]
    errors = [np.abs(stationary_covariance(chain, baths, h, scheme)[n:, n:] - exact.pp).max() for h in steps]
    assert slope(steps, errors) == pytest.approx(2, abs=0.1)
    assert errors[-1] < 1e-3


def test_kinetic_temperatures_between_unequal_baths():
    """400 replicas at 25 well separated times against the stationary state of the scheme itself.

    False alarm 6 × 1.6e-7 by the spread between replicas (5.3 standard errors); detects 20 %.
    """
    n, h = 6, 0.2
    chain = Chain(n, boundary="fixed")
    baths = [Langevin(0, 2.0), Langevin(-1, 0.5, friction=0.7)]
    start = State(np.zeros((400, n)), np.zeros((400, n)))
    run = evolve(chain, start, np.arange(100, 600, 20.0), dt=h, baths=baths, rng=15)
    squares = (run.p**2).mean(axis=0)
    error = squares.std(axis=0, ddof=1) / math.sqrt(400)
    exact = np.diag(stationary_covariance(chain, baths, h, "verlet"))[n:]
    assert np.all(np.abs(squares.mean(axis=0) - exact) < 5.3 * error)
    assert np.all(5.3 * error < 0.1 * exact)


# Steps, times, results


def test_intervals_are_cut_into_equal_steps_no_longer_than_dt():
    """1 = 10 × 0.1 whichever way it is rounded; 0.25 takes three steps of 1/12."""
    chain, start = Chain(4), random_state(np.random.default_rng(16), 1, 4)
    run = evolve(chain, start, [0.3, 1.3, 1.55], dt=0.1)
    verlet = SCHEMES["verlet"]
    intervals = [(3, 0.1), (10, 0.1), (3, 0.25 / 3)]
    expected = naive.evolve(chain, start.q[0], start.p[0], intervals, verlet.kicks, verlet.drifts)
    assert_allclose(run.q[:, 0], [q for q, _ in expected], rtol=1e-12)
    other = naive.evolve(chain, start.q[0], start.p[0], [(3, 0.1), (11, 1 / 11)], verlet.kicks, verlet.drifts)
    assert np.abs(run.q[1, 0] - other[1][0]).max() > 1e-6
    # no step is longer than dt by more than rounding
    run = evolve(chain, start, [1.0005], dt=0.1)
    expected = naive.evolve(chain, start.q[0], start.p[0], [(11, 1.0005 / 11)], verlet.kicks, verlet.drifts)
    assert_allclose(run.q[0, 0], expected[0][0], rtol=1e-12)


def test_result():
    chain, start = Chain(4), random_state(np.random.default_rng(17), 2, 4)
    baths = [Langevin(0, 0.0)]
    run = evolve(chain, start, (0, 1, 2), baths=iter(baths))
    assert isinstance(run, Trajectory)
    assert run.q.shape == run.p.shape == (3, 2, 4)
    assert run.chain is chain
    assert run.baths == tuple(baths)
    assert run.scheme == "verlet"
    assert_array_equal(run.state(1).q, run.q[1])
    assert_array_equal(run.state(1).p, run.p[1])
    energies = (run.p**2).sum(-1) / 2 + (chain.stretches(run.q) ** 2).sum(-1) / 2
    assert_allclose(run.energy(), energies, rtol=1e-13)
    for array in (run.times, run.q, run.p):
        assert not array.flags.writeable


@pytest.mark.parametrize(
    ("chain", "fastest"),
    [
        (Chain(4), 2.0),
        (Chain(4, Bond(chi=2), Pin(chi=1)), 3.0),
        (Chain(4, Bond.rotor(J=-2, m=3)), math.sqrt(72)),
        (Chain(4, Bond([1.0, 9.0, 1.0, 1.0])), math.sqrt(20)),
        (Chain(4, Bond([1.0, 1.0, 4.0]), boundary="free"), math.sqrt(10)),
        (Chain(4, Bond(chi=1, beta=1)), math.sqrt(2 * 1 + 2 * 4)),  # one site at 1: two bonds with V'' = 4
        (Chain(4, Bond(), Pin(beta=1)), math.sqrt(3)),
    ],
)
def test_default_step(chain, fastest):
    """From the stiffest place, at rest or at the start."""
    still = chain.bond.is_harmonic or np.any(chain.bond.J)
    q = np.array([[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    if np.any(chain.bond.beta):
        fastest = 4.0  # the displaced site itself: 2·4 + 2·4
    start = State(q if not still or np.any(chain.pin.beta) else np.zeros((2, 4)), np.zeros((2, 4)))
    assert evolve(chain, start, [9.0]).dt == pytest.approx(0.1 / fastest, rel=1e-12)
    assert evolve(chain, start, [9.0], scheme="fourth-order").dt == pytest.approx(0.5 / fastest, rel=1e-12)


def test_the_start_alone():
    start = random_state(np.random.default_rng(3), 2, 4)
    run = evolve(Chain(4), start, [0.0])
    assert_array_equal(run.q[0], start.q)
    assert run.dt > 0


def test_default_step_without_forces():
    chain, start = Chain(3, Bond()), State(np.zeros((1, 3)), np.ones((1, 3)))
    run = evolve(chain, start, [1.0, 4.0])
    assert run.dt == 3.0
    assert_allclose(run.q[:, 0], [[1.0] * 3, [4.0] * 3])
    damped = evolve(chain, start, [1.0, 4.0], baths=[Langevin(0, 0.0, friction=4.0)])
    assert damped.dt == pytest.approx(0.025)


# Blowing up


@pytest.mark.parametrize("n", [4, STRIP])  # on one strip, and on one each
@pytest.mark.parametrize("noisy", [False, True])
def test_who_is_lost_leaves_the_others_complete(n, noisy):
    """Two of four replicas leave the well: the others have the bits that they have beside two at rest."""
    chain = Chain(n, Bond.fput(alpha=1.0), boundary="free")
    calm = 0.1 * np.random.default_rng(0).standard_normal((2, 4, n))
    q, p = calm.copy()
    q[[1, 2]] = p[[1, 2]] = 0.0
    p[1, 0], p[2, 0] = 9.0, 4.0  # replica 1 first
    times = np.arange(0, 6, 0.25)
    options = {"dt": 0.01}
    if noisy:
        options |= {"noise": VelocityExchange(0.01), "baths": [Langevin(n - 1, 0.001)], "rng": 1}
    run = evolve(chain, State(q, p), times, **options)
    safe = evolve(chain, State(*calm), times, **options)
    assert list(run.lost) == [1, 2]
    assert run.lost[1] < run.lost[2]
    assert run.q.shape == (times.size, 2, n)
    assert_array_equal(run.q, safe.q[:, [0, 3]])
    assert_array_equal(run.p, safe.p[:, [0, 3]])
    assert safe.lost == {}
    for replica, time in [] if noisy else run.lost.items():  # the output before was still finite
        before = times[times < time]
        alone = State(q[[replica]], p[[replica]])
        assert np.isfinite(evolve(chain, alone, before, dt=0.01).q).all()
        with pytest.raises(BlowUp):
            evolve(chain, alone, [*before, time], dt=0.01)
    series = evolve(chain, State(q, p), times, observe=Totals(), **options)
    averages = evolve(chain, State(q, p), times, observe=Profiles(4), **options)
    assert series.lost == averages.lost == run.lost
    assert_array_equal(series.final.q, run.q[-1])
    assert_array_equal(averages.final.p, run.p[-1])
    assert_array_equal(
        series.energy_current,
        evolve(chain, State(*calm), times, observe=Totals(), **options).energy_current[:, [0, 3]],
    )
    assert_allclose(averages.blocks["p"], run.p.reshape(4, -1, 2, n).mean(axis=(1, 2)), atol=1e-14)


def test_intervals_are_cut_where_the_work_amounts_to_a_chunk(monkeypatch):
    monkeypatch.setattr(evolution, "CHUNK", 10)
    for work, sizes in (([4] * 6, [2, 2, 2]), ([0, 25, 1, 1], [1, 3]), ([1], [1])):
        chunks = _chunks(np.array(work, float))
        assert [chunk.stop - chunk.start for chunk in chunks] == sizes
        assert [i for chunk in chunks for i in range(len(work))[chunk]] == list(range(len(work)))


def bits(run):
    """All numbers that a run keeps."""
    kept = dict(run.blocks) if isinstance(run, Averages) else vars(run)
    found = {name: array.tobytes() for name, array in kept.items() if isinstance(array, np.ndarray)}
    if not isinstance(run, Trajectory):
        found |= {"final q": run.final.q.tobytes(), "final p": run.final.p.tobytes()}
    return found


@pytest.mark.parametrize("chunk", [1.0, 1e5], ids=["each interval", "some intervals"])
@pytest.mark.parametrize("observe", [None, Totals(), Profiles(4)], ids=["states", "totals", "profiles"])
def test_bits_do_not_depend_on_where_the_loop_is_interrupted(chunk, observe, monkeypatch):
    """Nor if one replica is lost on the way: the others of its strip go on."""
    chain = Chain(4, Bond.fput(alpha=1.0), boundary="free")
    q, p = 0.1 * np.random.default_rng(0).standard_normal((2, STRIP // 6 + 3, 4))
    p[1, 0] = 9.0
    options = {"dt": 0.01, "noise": VelocityExchange(0.01), "baths": [Langevin(3, 0.001)], "rng": 1}
    run, chopped = [], []
    for found in (run, chopped):
        found.append(evolve(chain, State(q, p), np.arange(0, 6, 0.25), observe=observe, **options))
        monkeypatch.setattr(evolution, "CHUNK", chunk)
    assert list(run[0].lost) == [1]
    assert run[0].lost == chopped[0].lost
    assert run[0].lost[1] < 3.0  # long before the end
    assert bits(run[0]) == bits(chopped[0])


def test_blow_up_of_all_says_when_and_keeps_what_it_has():
    chain = Chain(4, Bond.fput(alpha=1.0))
    p = np.zeros((2, 4))
    p[0, 0], p[1, 0] = 4.0, 9.0  # both leave the well, replica 1 first
    times = np.arange(0, 20, 0.25)
    with pytest.raises(BlowUp, match=r"replica 1, the first of 2, blew up before t = .* \(dt = ") as caught:
        evolve(chain, State(0 * p, p), times, dt=0.01)
    error = caught.value
    kept = error.trajectory
    assert error.replica == 1
    assert error.time == times[kept.times.size] == error.lost[1] < error.lost[0]
    assert 1 < kept.times.size < times.size
    assert kept.q.shape == kept.p.shape == (kept.times.size, 2, 4)
    assert np.isfinite(kept.q).all()
    assert np.isfinite(kept.p).all()
    safe = evolve(chain, State(0 * p, p), kept.times, dt=0.01)
    assert_array_equal(safe.q, kept.q)
    with pytest.raises(BlowUp, match=r"replica 1, the first of 2, blew up before t") as caught:
        evolve(chain, State(0 * p, p), times, dt=0.01, observe=Totals())
    assert caught.value.trajectory is None
    assert caught.value.lost == error.lost


def test_blow_up_before_the_first_output_and_through_a_pipe():
    chain = Chain(4, Bond.fput(alpha=-1.0))
    with pytest.raises(BlowUp, match="the 0 earlier outputs") as caught:
        evolve(chain, State(np.zeros(4), [9.0, 0, 0, 0]), [50.0], dt=0.01)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.time, copy.replica, copy.trajectory.q.shape) == (50.0, 0, (0, 1, 4))
    assert str(copy) == str(caught.value)


# Bad input

CHAIN = Chain(4)
START = State(np.zeros((2, 4)), np.zeros((2, 4)))
WARM = Langevin(0, 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chain": 4}, "chain = 4; allowed: a Chain"),
        (
            {"start": State(np.zeros(5), np.zeros(5))},
            r"start = of shape \(1, 5\); allowed: a State of shape \(replicas, 4\)",
        ),
        ({"start": np.zeros((2, 4))}, r"allowed: a State of shape \(replicas, 4\)"),
        ({"start": State(*np.zeros((2, 2, 4, 3)))}, r"start = of shape \(2, 4, 3\); allowed: a State of"),
        ({"times": []}, r"times has shape \(0,\); allowed: at least one entry"),
        ({"times": 3.0}, r"times = 3.0; allowed: a vector of increasing numbers"),
        ({"times": [[1.0]]}, r"times = \[\[1.0\]\]; allowed: a vector"),
        ({"times": [1.0, 1.0]}, "allowed: a vector of increasing numbers"),
        ({"times": [0.0, 0.0]}, "allowed: a vector of increasing numbers"),
        ({"times": [2.0, 1.0]}, "allowed: a vector of increasing numbers"),
        ({"times": [-1.0, 1.0]}, "the first not negative"),
        ({"times": [1.0, np.inf]}, "allowed: finite"),
        ({"times": [np.nan]}, "allowed: finite"),
        ({"times": [1.0, 1e300]}, r"times = .* with dt = 0.05 need 2.0e\+301 steps; allowed"),
        (
            {"times": np.arange(1e6), "start": State(*np.zeros((2, 2000, 4)))},
            r"times = .* needs 1.6e\+10 steps",
        ),
        ({"dt": 0.0}, r"dt = 0.0; allowed: a finite number above 0"),
        ({"dt": -0.1}, "dt = -0.1"),
        ({"dt": np.nan}, "dt = nan"),
        ({"dt": "fast"}, "dt = 'fast'"),
        ({"dt": [0.1]}, r"dt = \[0.1\]"),
        ({"dt": 1.0}, r"dt = 1.0 with frequencies up to 2 of chain and start; allowed: below 1,"),
        ({"dt": 1.6, "scheme": "fourth-order"}, "allowed: below 1.582"),
        ({"scheme": "euler"}, r"scheme = 'euler'; allowed: 'verlet', 'fourth-order'"),
        ({"baths": [WARM]}, r"rng = None; allowed: a numpy\.random\.Generator, or a seed"),
        ({"baths": [WARM], "rng": -1}, "rng = -1"),
        ({"baths": [WARM], "rng": "seed"}, "rng = 'seed'"),
        ({"baths": [WARM], "rng": np.random.RandomState(1)}, "rng = RandomState"),
        ({"rng": "seed"}, "rng = 'seed'"),  # though it is not needed
        ({"map": 4}, "map = 4; allowed: a callable"),
        ({"observe": 4}, r"observe = 4; allowed: None, Totals\(\) or Profiles\(\)"),
        ({"observe": Totals}, r"observe = <class .*; allowed: an object, Totals\(\) for example"),
        ({"observe": Profiles(2)}, "blocks = 2 with 1 times; allowed: at most one a time"),
        ({"chain": Chain(4, Bond(chi=1e308))}, "chain = .* highest_frequency is beyond the floats"),
        ({"chain": Chain(4, Bond(chi=1e300))}, "frequencies of chain and start reach 2e.150"),
        ({"baths": [Langevin(4, 1.0)], "rng": 1}, "site = 4 of a bath; allowed: -4 to 3"),
        ({"baths": [Langevin(-5, 1.0)], "rng": 1}, "site = -5 of a bath"),
        (
            {"baths": [WARM, Langevin(-4, 1.0)], "rng": 1},
            r"baths act at sites \[0, 0\]; allowed: one bath a site",
        ),
        ({"baths": [3]}, "baths contains 3; allowed: Langevin baths"),
        ({"baths": WARM, "rng": 1}, "allowed: a sequence of Langevin baths"),
    ],
)
def test_bad_input(changes, message, monkeypatch):
    """Refused before any kernel runs."""
    arguments = {"chain": CHAIN, "start": START, "times": [1.0], **changes}
    positional = [arguments.pop(name) for name in ("chain", "start", "times")]

    def forbidden(function, tasks):
        raise AssertionError("a kernel was about to run")

    with pytest.raises(ValueError, match=message):
        evolve(*positional, **{"map": forbidden, **arguments})


def test_a_cold_bath_needs_no_rng():
    baths = [Langevin(0, 0.0), Langevin(1, 3.0, friction=0.0)]
    run = evolve(CHAIN, State([1.0, 0, 0, 0], np.zeros(4)), [0.0, 30.0], baths=baths)
    first, last = run.energy()[:, 0]
    assert last < 0.6 * first


def test_the_largest_step_is_allowed_and_one_above_is_not():
    for scheme, splitting in SCHEMES.items():
        below = np.nextafter(splitting.limit / 2, 0)
        evolve(CHAIN, START, [10.0], dt=below, scheme=scheme)
        with pytest.raises(ValueError, match="where the scheme is stable"):
            evolve(CHAIN, START, [10.0], dt=splitting.limit / 2, scheme=scheme)


def test_curvature_of_the_start_counts():
    """A quartic chain that is soft at rest is stiff where it starts."""
    chain = Chain(4, Bond.fput(beta=1.0))
    stretched = State([2.0, 0.0, 0.0, 0.0], np.zeros(4))
    evolve(chain, START, [1.0], dt=0.5)
    with pytest.raises(ValueError, match=r"dt = 0\.5 with"):
        evolve(chain, stretched, [1.0], dt=0.5)


def test_steps_without_end_are_refused():
    """With the number of steps, and what makes them so many: a short step, a fast noise or bath."""
    state = State(np.ones((1, 4)), np.zeros((1, 4)))
    with pytest.raises(
        ValueError, match=r"times = .* with dt = 1e-30 need 1.0e\+30 steps; allowed: at most 1e\+13"
    ):
        evolve(Chain(4), state, [1.0], dt=1e-30)
    with pytest.raises(ValueError, match=r"need .* steps; .*rates of noise and baths 1e\+200"):
        evolve(Chain(4), state, [1.0], baths=[Langevin(0, 1.0, friction=1e200)], rng=1)
    with pytest.raises(ValueError, match=r"need .* steps; .*rates of noise and baths 2e\+200"):
        evolve(Chain(4), state, [1.0], noise=VelocityFlip(1e200), rng=1)
    many = State(np.ones((1000, 4)), np.zeros((1000, 4)))
    with pytest.raises(ValueError, match=r"need 1.0e\+13 steps; allowed: at most 2e\+11"):
        evolve(Chain(4), many, [1e12], dt=0.1)


def test_a_state_that_is_not_there():
    run = evolve(CHAIN, START, [1.0, 2.0])
    assert_array_equal(run.state(-1).q, run.q[1])
    for i in (2, -3, 0.0, True, None, [0]):
        with pytest.raises(ValueError, match=r"i = .*; allowed: an integer at least -2 and at most 1"):
            run.state(i)


def test_the_generator_of_a_silent_run_is_not_touched():
    rng = np.random.default_rng(1)
    evolve(CHAIN, START, [1.0], rng=rng)
    assert rng.bit_generator.seed_seq.n_children_spawned == 0
