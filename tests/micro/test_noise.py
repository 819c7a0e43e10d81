"""Noise that conserves: kernel against twin, invariants, second moments, order, equilibrium, input."""

import importlib
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import expm

from lattice import (
    Bond,
    Chain,
    Langevin,
    Pin,
    State,
    StretchFlip,
    ThreeSiteRotation,
    VelocityExchange,
    VelocityFlip,
)
from lattice._kernels.random import streams
from lattice.micro._splitting import SCHEMES
from lattice.micro.evolution import STRIP, evolve
from tests import naive

NOISES = [VelocityFlip, StretchFlip, VelocityExchange, ThreeSiteRotation]
EVERYWHERE = ["periodic", "fixed", "free", ("fixed", "free"), ("free", "fixed")]
each_noise = pytest.mark.parametrize("kind", NOISES)
each_scheme = pytest.mark.parametrize("scheme", list(SCHEMES))


def boundaries(kind):
    """Where a noise is allowed."""
    return EVERYWHERE[2:] if kind is StretchFlip else EVERYWHERE


@pytest.fixture
def any_step(monkeypatch):
    """The kernels take any rate and any step; only `evolve` refuses what would be inaccurate."""
    monkeypatch.setattr(importlib.import_module("lattice.micro.evolution"), "MOST_DECAY", math.inf)


def random_state(seed, replicas, n):
    rng = np.random.default_rng(seed)
    return State(rng.standard_normal((replicas, n)), rng.standard_normal((replicas, n)))


def twin(run, start, seed):
    """The same run by the twin: arrays (times, replicas, n)."""
    intervals, before = [], 0.0
    for t in run.times:
        steps = math.ceil((t - before) / run.dt * (1 - 1e-9))
        intervals.append((steps, (t - before) / max(steps, 1)))
        before = t
    scheme = SCHEMES[run.scheme]
    warm = sum(bath.temperature > 0 and bath.friction > 0 for bath in run.baths)
    states = []
    for i, stream in enumerate(streams(np.random.SeedSequence(seed), start.replicas)):
        source = naive.words(stream)
        draws = naive.normals(source, draws=max(warm, 1))
        noise = naive.Noise(run.noise, run.chain, source)
        laws = run.chain, start.q[i], start.p[i], intervals, scheme.kicks, scheme.drifts
        states.append(naive.evolve(*laws, run.baths, draws, noise))
    return np.array(states).transpose(2, 1, 0, 3)


# The kernel and its twin


@each_noise
@each_scheme
@pytest.mark.parametrize("bathed", [False, True])
@pytest.mark.parametrize("n", [4, 5, 6])
def test_kernel_and_twin(kind, scheme, bathed, n, any_step):
    """The same random numbers at every boundary, over no step, one, an even and an odd number.

    The rate is such that every place is hit many times.
    """
    for seed, boundary in enumerate(boundaries(kind)):
        chain = Chain(n, Bond(chi=0.7, beta=0.2), boundary=boundary)
        start = random_state(seed, 2, n)
        baths = [Langevin(0, 1.0, force=0.3), Langevin(1, 0.0), Langevin(-1, 0.4, friction=2.0)]
        run = evolve(
            chain, start, [0.0, 0.1, 0.5, 1.0], dt=0.1, scheme=scheme, noise=kind(3.0), rng=seed,
            baths=baths if bathed else (),
        )  # fmt: skip
        q, p = twin(run, start, seed)
        assert_allclose(run.q, q, rtol=1e-11, atol=1e-12)
        assert_allclose(run.p, p, rtol=1e-11, atol=1e-12)
        assert_array_equal(run.q[0], start.q)
        quiet = evolve(chain, start, [1.0], dt=0.1, scheme=scheme, baths=run.baths, rng=seed)
        assert np.abs(run.p[-1] - quiet.p[0]).max() > 0.01


@each_noise
@pytest.mark.parametrize("boundary", ["periodic", "free"])
def test_kernel_and_twin_beyond_a_store_of_random_numbers(kind, boundary, any_step):
    """More than 1024 angles and 256 gaps of each replica; here the motion itself is not chaotic."""
    if boundary not in boundaries(kind):
        boundary = ("free", "fixed")
    n = 11
    chain = Chain(n, boundary=boundary)
    start = random_state(1, 2, n)
    run = evolve(chain, start, [30.0], dt=0.25, noise=kind(5.0), rng=5)
    q, p = twin(run, start, 5)
    assert_allclose(run.q, q, rtol=1e-10, atol=1e-11)
    assert_allclose(run.p, p, rtol=1e-10, atol=1e-11)


def test_angles_of_any_size(any_step):
    """Turns by many circles, in each quarter, against the twin: free particles at a rate of 1000."""
    chain = Chain(3, Bond(), boundary="free")
    start = random_state(2, 300, 3)
    run = evolve(chain, start, [1.0], dt=1.0, noise=ThreeSiteRotation(1000.0), rng=6)
    assert_allclose(run.p, twin(run, start, 6)[1], rtol=1e-11, atol=1e-12)


@each_noise
def test_bits_do_not_depend_on_the_company(kind):
    """A replica alone and the first on a strip; replica i has the i-th stream."""
    boundary = "free" if kind is StretchFlip else "periodic"
    for n, replicas in ((5, STRIP // 7 + 3), (STRIP + 13, 2)):
        chain, start = Chain(n, boundary=boundary), random_state(3, replicas, n)
        run = evolve(chain, start, [0.5, 2.0], dt=0.1, noise=kind(2.0), rng=1)
        for few in (1, replicas - 1):
            part = State(start.q[:few], start.p[:few])
            other = evolve(chain, part, [0.5, 2.0], dt=0.1, noise=kind(2.0), rng=1)
            assert_array_equal(other.q, run.q[:, :few])
            assert_array_equal(other.p, run.p[:, :few])
        assert not np.array_equal(run.p, evolve(chain, start, [0.5, 2.0], dt=0.1, noise=kind(2.0), rng=2).p)


@each_noise
def test_bits_do_not_depend_on_the_map(kind):
    chain = Chain(510, boundary=("fixed", "free"))
    start = random_state(4, 5, 510)
    keywords = {"dt": 0.1, "noise": kind(1.0), "baths": [Langevin(0, 1.0)], "rng": 8}
    serial = evolve(chain, start, [1.0, 3.0], **keywords)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
        for pool in (one, two):
            run = evolve(chain, start, [1.0, 3.0], map=pool.map, **keywords)
            assert_array_equal(run.q, serial.q)
            assert_array_equal(run.p, serial.p)


@each_noise
def test_no_rate_is_no_noise(kind):
    chain, start = Chain(6, boundary="free"), random_state(5, 2, 6)
    run = evolve(chain, start, [3.0], noise=kind(0.0))
    assert run.noise == kind(0.0)
    assert_array_equal(run.p, evolve(chain, start, [3.0]).p)


# What is conserved


@pytest.mark.parametrize("n", [3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("kind", [VelocityFlip, VelocityExchange, ThreeSiteRotation])
@pytest.mark.parametrize("boundary", ["periodic", "free"])
def test_free_particles_keep_what_the_noise_keeps(n, kind, boundary):
    """2,000 steps: the speeds themselves, or their sum of squares, and the momentum, to 1e-12."""
    chain, start = Chain(n, Bond(), boundary=boundary), random_state(6, 20, n)
    run = evolve(chain, start, [1.0, 400.0], dt=0.2, noise=kind(1.0), rng=7)
    assert np.all(np.any(run.p[1] != start.p, axis=0))
    if kind is not ThreeSiteRotation:
        speeds = np.sort(np.abs(run.p), axis=-1)
        assert_array_equal(speeds, np.broadcast_to(np.sort(np.abs(start.p), axis=-1), speeds.shape))
    energies = np.square(run.p).sum(-1)
    assert_allclose(energies, np.broadcast_to(np.square(start.p).sum(-1), energies.shape), rtol=1e-12)
    momenta = run.p.sum(-1) - start.p.sum(-1)
    if kind is VelocityFlip:
        assert np.abs(momenta).max() > 0.1
    else:
        assert_allclose(momenta, 0.0, atol=1e-12)


@pytest.mark.parametrize("boundary", boundaries(StretchFlip), ids=str)
def test_flipped_stretches_keep_their_length_and_move_no_momentum(boundary):
    """Without forces and momenta; no bond to a wall is flipped, any other in some of 40 replicas (1e-20)."""
    n, replicas = 7, 40
    chain, q = Chain(n, Bond(), boundary=boundary), random_state(7, replicas, n).q
    start = State(q, np.zeros_like(q))
    run = evolve(chain, start, [1.0, 100.0], dt=0.2, noise=StretchFlip(1.0), rng=8)
    before, after = chain.stretches(start.q), chain.stretches(run.q)
    assert_allclose(np.abs(after), np.broadcast_to(np.abs(before), after.shape), atol=1e-11)
    assert_array_equal(run.p, np.zeros_like(run.p))
    inner = slice(chain.ends[0] == "fixed", chain.n_bonds - (chain.ends[1] == "fixed"))
    turned = np.sign(after) != np.sign(before)
    assert np.all(turned[..., inner].any(axis=(0, 1)))
    assert turned.sum() == turned[..., inner].sum()


@each_noise
def test_the_energy_of_the_scheme_is_conserved(kind):
    """What Verlet keeps in a harmonic chain, H - dt²F²/8, over 40,000 steps; H itself is off by much more."""
    n, h = 8, 0.25
    chain = Chain(n, boundary=("fixed", "free"))
    start = random_state(9, 3, n)
    run = evolve(chain, start, np.linspace(0, 10000, 21), dt=h, noise=kind(0.7), rng=9)
    kept = run.energy() - h**2 / 8 * np.square(chain.force(run.q)).sum(-1)
    assert_allclose(kept, np.broadcast_to(kept[0], kept.shape), rtol=2e-10)
    assert np.ptp(run.energy(), axis=0).min() > 1e-3


@each_noise
def test_the_energy_of_an_anharmonic_chain_hardly_wanders(kind):
    """Fourth order, 4,000 steps: the drift of the mean energy stays below 1e-4 of it."""
    n = 16
    chain = Chain(n, Bond.fput(beta=0.5), boundary=("fixed", "free"))
    start = random_state(10, 8, n)
    run = evolve(chain, start, [0.0, 400.0], dt=0.1, scheme="fourth-order", noise=kind(0.5), rng=10)
    assert_allclose(run.energy()[1], run.energy()[0], rtol=1e-4)
    quiet = evolve(chain, start, [400.0], dt=0.1, scheme="fourth-order")
    assert np.abs(quiet.p - run.p[1:]).max() > 0.5


# Means and second moments


def test_free_particles_forget_their_direction():
    r"""\langle p\rangle = p_0 e^{-2\gamma t}, exact for any step; 192,000 particles at three times.

    False alarm 3 × 1.2e-7 (5.3 standard errors); detects 10 % of the rate, a random sign (half of it) by far.
    """
    n, replicas, rate = 64, 3000, 0.8
    start = State(np.zeros((replicas, n)), np.ones((replicas, n)))
    times = np.array([0.3, 0.6, 1.2])
    run = evolve(Chain(n, Bond()), start, times, dt=0.1, noise=VelocityFlip(rate), rng=11)
    found = run.p.mean(axis=(1, 2))

    def deviation(rate):
        mean = np.exp(-2 * rate * times)
        return np.abs(found - mean) / np.sqrt((1 - mean**2) / (n * replicas))

    assert deviation(rate).max() < 5.3
    assert deviation(1.1 * rate).max() > 5.3
    assert deviation(rate / 2).max() > 50


def unit(size, *entries):
    matrix = np.zeros((size, size))
    for row, column, value in entries:
        matrix[row, column] = value
    return matrix


def pairs(matrix):
    """What a linear vector field does to products of two coordinates."""
    one = np.eye(len(matrix))
    return np.kron(matrix, one) + np.kron(one, matrix)


def pieces(noise, chain):
    """What acts at each place, as a matrix on (q, p): a jump, or the field Y of the triple from there on."""
    n, ring = chain.n, chain.periodic
    size, whole = 2 * n, np.eye(2 * n)
    if isinstance(noise, ThreeSiteRotation):
        triples = [(n + a, n + (a + 1) % n, n + (a + 2) % n) for a in range(n if ring else n - 2)]
        return [
            unit(size, (a, b, 1), (a, c, -1), (b, c, 1), (b, a, -1), (c, a, 1), (c, b, -1))
            for a, b, c in triples
        ]
    if isinstance(noise, VelocityFlip):
        return [whole + unit(size, (n + j, n + j, -2)) for j in range(n)]
    if isinstance(noise, VelocityExchange):
        bonds = [(n + j, n + (j + 1) % n) for j in range(n if ring else n - 1)]
        return [whole + unit(size, (a, a, -1), (b, b, -1), (a, b, 1), (b, a, 1)) for a, b in bonds]
    jumps = []
    for j in range(n - 1):
        moved = range(j + 1) if chain.ends[1] == "fixed" else range(j + 1, n)
        shift = 2 if chain.ends[1] == "fixed" else -2
        jumps.append(whole + sum(unit(size, (k, j + 1, shift), (k, j, -shift)) for k in moved))
    return jumps


def generator(noise, chain):
    """The noise on products of two of (q, p)."""
    if isinstance(noise, ThreeSiteRotation):
        return sum(noise.rate / 6 * pairs(field) @ pairs(field) for field in pieces(noise, chain))
    jumps = pieces(noise, chain)
    return noise.rate * sum(np.kron(jump, jump) - np.eye(jump.size) for jump in jumps)


def hamiltonian(chain):
    """Kick and drift: dp/dt = -Φq and dq/dt = p, as matrices on (q, p)."""
    n = chain.n
    kick, drift = np.zeros((2, 2 * n, 2 * n))
    kick[n:, :n], drift[:n, n:] = -chain.stiffness_matrix(), np.eye(n)
    return kick, drift


def averaged(noise, chain, h, steps, moments, intervals=1):
    """What Verlet with the noise makes of the second moments of (q, p), averaged and not sampled.

    Over some intervals between outputs, of `steps` steps each.

    A place of a jump J sees an odd number with a chance s, and J² = 1; a Gaussian angle a of variance v has
    E cos a = exp(-v/2) and E cos² a = (1 + exp(-2v))/2.
    """
    places = pieces(noise, chain)
    period = {VelocityExchange: 2, ThreeSiteRotation: 3}.get(type(noise), 1)
    order = [a for group in naive.colours(len(places), chain.periodic and period > 1, period) for a in group]
    one = np.eye(2 * chain.n)

    def act(duration, backwards, m):
        for a in reversed(order) if backwards else order:
            if isinstance(noise, ThreeSiteRotation):
                v = noise.rate * duration
                plane, turned = -places[a] @ places[a] / 3, places[a] / math.sqrt(3)
                along = one - plane
                m = (
                    along @ m @ along
                    + math.exp(-v / 2) * (along @ m @ plane + plane @ m @ along)
                    + (1 + math.exp(-2 * v)) / 2 * plane @ m @ plane
                    + (1 - math.exp(-2 * v)) / 2 * turned @ m @ turned.T
                )
            else:
                s = (1 - math.exp(-2 * noise.rate * duration)) / 2
                m = (1 - s) * m + s * places[a] @ m @ places[a].T
        return m

    kick, drift = (np.eye(2 * chain.n) + h / 2 * part for part in hamiltonian(chain))
    backwards = False
    for s in [*range(1, steps + 1)] * intervals:
        if isinstance(noise, StretchFlip):
            moments = act(h, False, drift @ kick @ moments @ kick.T @ drift.T)
            moments = kick @ drift @ moments @ drift.T @ kick.T
            continue
        step = kick @ drift @ drift @ kick
        moments = step @ (act(h / 2, backwards, moments) if s == 1 else moments) @ step.T
        backwards = not backwards
        moments = act(h / 2 if s == steps else h, backwards, moments)
        if s == steps:
            backwards = not backwards
    return moments


CASES = [
    (VelocityFlip, 4, "periodic"),
    (StretchFlip, 4, ("fixed", "free")),
    (StretchFlip, 4, ("free", "fixed")),
    (VelocityExchange, 4, "periodic"),
    (VelocityExchange, 5, "periodic"),
    (VelocityExchange, 4, ("fixed", "free")),
    (ThreeSiteRotation, 4, "periodic"),
    (ThreeSiteRotation, 5, "periodic"),
    (ThreeSiteRotation, 6, "fixed"),
]
each_case = pytest.mark.parametrize(("kind", "n", "boundary"), CASES)


def exact(noise, chain, duration, moments):
    """The same by the exponential of the whole generator."""
    total = pairs(sum(hamiltonian(chain))) + generator(noise, chain)
    return (expm(duration * total) @ moments.ravel()).reshape(moments.shape)


def test_generators_are_those_of_the_sources():
    """Flips: products of two momenta decay at 4γ, squares do not.  Rotations: eq. (12) for the mean."""
    n, rate = 5, 0.3
    chain = Chain(n)

    def blocks(noise):
        return generator(noise, chain).reshape((2 * n,) * 4)

    expected = np.zeros((2 * n, 2 * n))
    expected[n:, n:] = -4 * rate * (1 - np.eye(n))
    expected[:n, n:] = expected[n:, :n] = -2 * rate
    assert_allclose(np.einsum("ijij->ij", blocks(VelocityFlip(rate))), expected, atol=1e-14)
    # the mean of p: products with a displacement, which these noises do not touch
    ring = np.eye(n)
    left, right = np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0)
    laplacian = left + right - 2 * ring
    drift = rate / 6 * laplacian @ (4 * ring + left + right)
    assert_allclose(blocks(ThreeSiteRotation(rate))[0, n:, 0, n:], drift, atol=1e-14)
    assert_allclose(blocks(VelocityExchange(rate))[0, n:, 0, n:], rate * laplacian, atol=1e-14)


@each_case
def test_second_moments_of_the_ensemble(kind, n, boundary):
    """10,000 replicas from one state at a step of 0.25 against the averaged scheme, which has no bias here.

    At most 78 products, false alarm 78 × 7e-9 (5.8 standard errors); detects 50 % of the rate (by 15 errors).
    """
    rate, h, steps, replicas = 0.5, 0.25, 5, 10000
    chain = Chain(n, boundary=boundary)
    one = random_state(12, 1, n)
    start = State(np.repeat(one.q, replicas, axis=0), np.repeat(one.p, replicas, axis=0))
    run = evolve(chain, start, [h * steps], dt=h, noise=kind(rate), rng=13)
    z = np.concatenate([run.q[0], run.p[0]], axis=-1)
    products = z[:, :, None] * z[:, None, :]
    found, error = products.mean(axis=0), products.std(axis=0) / math.sqrt(replicas)
    z0 = np.concatenate([one.q[0], one.p[0]])

    def deviation(rate):
        expected = averaged(kind(rate), chain, h, steps, np.outer(z0, z0))
        return np.abs(found - expected) / (error + 1e-12)

    assert deviation(rate).max() < 5.8
    assert deviation(1.5 * rate).max() > 5.8


@each_case
def test_order_of_the_splitting(kind, n, boundary):
    """The averaged scheme against the exact semigroup, even and odd numbers of steps; window 0.05 to 0.2."""
    chain = Chain(n, Bond(1.0), Pin() if kind is StretchFlip else Pin(0.3), boundary)
    noise, duration = kind(0.8), 1.2
    z0 = np.sin(np.arange(1, 2 * n + 1) ** 2)  # fixed: the leading error must not happen to be small
    start = np.outer(z0, z0)
    target = exact(noise, chain, duration, start)
    for counts in ([6, 12, 24], [7, 13, 25]):
        errors = [np.abs(averaged(noise, chain, duration / k, k, start) - target).max() for k in counts]
        slope = np.polyfit(np.log(1 / np.array(counts)), np.log(errors), 1)[0]
        assert slope == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("kind", [VelocityExchange, ThreeSiteRotation])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_order_does_not_depend_on_the_outputs(kind, steps):
    """Free particles, and a state asked for after every few steps: the orders alternate all the same."""
    chain, noise, duration = Chain(5, Bond(0.0)), kind(0.8), 1.2
    z0 = np.random.default_rng(14).standard_normal(10)
    start = np.outer(z0, z0)
    target = exact(noise, chain, duration, start)
    counts = np.array([8, 16, 32])
    errors = [
        np.abs(averaged(noise, chain, duration / k / steps, steps, start, k) - target).max() for k in counts
    ]
    assert np.polyfit(np.log(1 / counts), np.log(errors), 1)[0] == pytest.approx(2, abs=0.1)


@each_case
def test_equilibrium_of_the_scheme_stays(kind, n, boundary):
    """The canonical moments of the energy that Verlet keeps do not change, by linear algebra."""
    chain = Chain(n, Bond(1.0), Pin() if kind is StretchFlip else Pin(0.3), boundary)
    h, temperature = 0.5, 1.7
    stiffness = chain.stiffness_matrix()
    moments = np.zeros((2 * n, 2 * n))
    moments[:n, :n] = temperature * np.linalg.inv(stiffness @ (np.eye(n) - h**2 / 4 * stiffness))
    moments[n:, n:] = temperature * np.eye(n)
    assert_allclose(averaged(kind(0.8), chain, h, 3, moments), moments, atol=1e-11)
    moments[:n, :n] = temperature * np.linalg.inv(stiffness)  # those of H do
    assert np.abs(averaged(kind(0.8), chain, h, 3, moments) - moments).max() > 0.01


@each_noise
def test_equilibrium_of_an_anharmonic_chain_stays(kind):
    r"""\langle p_j^2\rangle, \langle p_jp_{j+1}\rangle and \langle V(r)\rangle after 30 units of time.

    4,000 replicas of 8 sites; 3 × 1.2e-7 (5.3 standard errors by the spread of replicas); detects 5 %.
    """
    n, replicas, beta = 8, 4000, 1.0
    rng = np.random.default_rng(15)
    r = rng.standard_normal(40 * n * replicas)
    r = r[rng.random(r.size) < np.exp(-beta * r**4 / 4)][: n * replicas].reshape(replicas, n)
    start = State(np.cumsum(r, axis=-1), rng.standard_normal((replicas, n)))
    chain = Chain(n, Bond.fput(beta=beta), boundary=("fixed", "free"))
    run = evolve(chain, start, [30.0], dt=0.1, scheme="fourth-order", noise=kind(0.5), rng=16)
    weight = np.linspace(-8, 8, 20001)
    density = np.exp(-chain.bond.potential(weight))
    energy = (chain.bond.potential(weight) * density).sum() / density.sum()
    p, potential = run.p[0], chain.bond.potential(chain.stretches(run.q[0]))
    for sample, expected in ((p * p, 1.0), (p[:, 1:] * p[:, :-1], 0.0), (potential, energy)):
        means = sample.mean(axis=-1)
        error = means.std(ddof=1) / math.sqrt(replicas)
        assert abs(means.mean() - expected) < 5.3 * error
        assert 5.3 * error < 0.05


def test_noise_and_baths_together():
    """One temperature at both ends and flips: the momenta are canonical; 1,000 replicas, 12 separated times.

    False alarm 6 × 1.2e-7 (5.3 standard errors by the spread of replicas); detects 15 %.
    """
    n, replicas, temperature = 6, 1000, 1.3
    chain = Chain(n, boundary="fixed")
    start = State(np.zeros((replicas, n)), np.zeros((replicas, n)))
    baths = [Langevin(0, temperature), Langevin(-1, temperature)]
    for noise in (VelocityFlip(0.2), ThreeSiteRotation(0.5)):
        run = evolve(chain, start, np.arange(60, 180, 10.0), dt=0.2, baths=baths, noise=noise, rng=17)
        squares = (run.p**2).mean(axis=0)
        error = squares.std(axis=0, ddof=1) / math.sqrt(replicas)
        assert np.all(np.abs(squares.mean(axis=0) - temperature) < 5.3 * error)
        assert np.all(5.3 * error < 0.15 * temperature)


# Steps and bad input


def slowest_decay(noise, n, h):
    """The decay rate of the longest wave of ⟨p⟩ on a free ring, by two steps in opposite orders."""
    places = [place[n:, n:] for place in pieces(noise, Chain(n))]
    period = 2 if isinstance(noise, VelocityExchange) else 3
    order = [a for group in naive.colours(n, True, period) for a in group]
    one = both = np.eye(n)
    for a in [*order, *reversed(order)]:
        if isinstance(noise, ThreeSiteRotation):  # E cos of the angle
            both = both + (1 - math.exp(-noise.rate * h / 2)) / 3 * places[a] @ places[a] @ both
        else:
            both = both + (1 - math.exp(-2 * noise.rate * h)) / 2 * (places[a] - one) @ both
    return -math.log(np.sort(np.linalg.eigvals(both).real)[-2]) / (2 * h)


@pytest.mark.parametrize(
    ("kind", "fastest", "allowed"), [(VelocityExchange, 4.0, 0.05), (ThreeSiteRotation, 1.5, 0.034)]
)
def test_the_longest_step_of_a_noise(kind, fastest, allowed):
    """At the limit long waves (k = 1/96) fade 5 % too slowly, with exchanges by tanh(2γh)/2γh."""
    n, h, sine = 96, 1.0, math.sin(math.pi / 96) ** 2
    for share in (0.25, 0.5, 1.0):
        rate = share * 0.8 / fastest
        exact = rate * (4 * sine if kind is VelocityExchange else 4 / 3 * sine * (3 - 2 * sine))
        missing = 1 - slowest_decay(kind(rate), n, h) / exact
        assert missing == pytest.approx(allowed * share**2, rel=0.12)
        if kind is VelocityExchange:
            assert missing == pytest.approx(1 - math.tanh(2 * rate) / (2 * rate), abs=1e-3)


@pytest.mark.parametrize(("kind", "decay"), [*zip(NOISES, (2, 2, 4, 1.5), strict=True)])
def test_steps_at_which_a_noise_is_wrong_are_refused(kind, decay):
    """Above 0.8 times of the fastest decay: VelocityExchange(1e8) at dt = 0.1 gave (¼, ¼, ⅛ …)."""
    chain, start = Chain(6, Bond(), boundary="free"), random_state(18, 1, 6)
    for rate in (0.1, 3.0, 1e8):
        longest = 0.8 / (decay * rate)
        with pytest.raises(ValueError, match=r"dt = .* with noise = .*; allowed: at most"):
            evolve(chain, start, [10 * longest], dt=1.001 * longest, noise=kind(rate), rng=1)
        run = evolve(chain, start, [10 * longest], dt=longest, noise=kind(rate), rng=1)
        assert run.dt == longest


def test_one_momentum_spreads_over_the_chain():
    """As issued by a fast exchange with its own step: the energy of one site ends evenly on six.

    8,000 replicas, 5.3 standard errors, false alarm 6 × 1.2e-7; detects 20 %.
    """
    replicas, n, rate = 8000, 6, 1e8
    start = State(np.zeros((replicas, n)), np.tile(np.eye(n)[0], (replicas, 1)))
    run = evolve(Chain(n, boundary="free"), start, [100 / rate], noise=VelocityExchange(rate), rng=3)
    found = (run.p[0] ** 2).mean(axis=0)
    error = math.sqrt((1 - 1 / n) / n / replicas)
    assert np.all(np.abs(found - 1 / n) < 5.3 * error)
    assert 5.3 * error < 0.2 / n


@pytest.mark.parametrize(("kind", "decay"), [*zip(NOISES, (2, 2, 4, 1.5), strict=True)])
def test_a_fast_noise_shortens_the_default_step(kind, decay):
    chain, start = Chain(6, boundary="free"), random_state(18, 1, 6)
    assert evolve(chain, start, [1.0], noise=kind(0.1), rng=1).dt == pytest.approx(0.05)
    assert evolve(chain, start, [1.0], noise=kind(10.0), rng=1).dt == pytest.approx(0.1 / (10 * decay))


FREE, START = Chain(4, boundary="free"), State(np.zeros(4), np.ones(4))
ONE = VelocityFlip(1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": ONE}, r"rng = None; allowed: a numpy\.random\.Generator, or a seed"),
        (
            {"noise": VelocityExchange(1e8), "dt": 0.1, "rng": 1},
            r"dt = 0.1 with noise = VelocityExchange\(rate=100000000.0\); allowed: at most 2e-09, where",
        ),
        ({"noise": 0.5, "rng": 1}, "noise = 0.5; allowed: None or one of VelocityFlip, StretchFlip, "),
        ({"noise": VelocityFlip, "rng": 1}, "noise = <class .*; allowed: None or one of"),
        ({"noise": [ONE], "rng": 1}, r"noise = \[VelocityFlip\(rate=1.0\)\]; allowed"),
        (
            {"chain": Chain(4), "noise": StretchFlip(1.0), "rng": 1},
            "boundary = 'periodic' with StretchFlip, .*; allowed: a chain with a free end",
        ),
        (
            {"chain": Chain(4, boundary="fixed"), "noise": StretchFlip(1.0), "rng": 1},
            "boundary = 'fixed' with",
        ),
        (
            {"chain": Chain(4, pin=Pin(chi=1), boundary="free"), "noise": StretchFlip(1.0), "rng": 1},
            r"pin = Pin\(.*\) with StretchFlip, .*; allowed: no pin",
        ),
        (
            {"chain": Chain(4, Bond.fput(alpha=0.1), boundary="free"), "noise": StretchFlip(1.0), "rng": 1},
            r"bond.alpha = 0.1 with StretchFlip; allowed: 0",
        ),
        (
            {
                "chain": Chain(2, boundary="free"),
                "start": State([0.0, 0.0], [1.0, 0.0]),
                "noise": ThreeSiteRotation(1.0),
                "rng": 1,
            },
            "n = 2 with ThreeSiteRotation; allowed: at least 3",
        ),
    ],
)
def test_bad_input(changes, message):
    """Refused before any kernel runs."""
    arguments = {"chain": FREE, "start": START, "times": [1.0], **changes}
    positional = [arguments.pop(name) for name in ("chain", "start", "times")]

    def forbidden(function, tasks):
        raise AssertionError("a kernel was about to run")

    with pytest.raises(ValueError, match=message):
        evolve(*positional, map=forbidden, **arguments)
