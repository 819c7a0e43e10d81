"""The chain in a plane: its kernel against the twin, what it keeps, its expansion, its harmonic limit."""

import numpy as np
import pytest

from lattice import Bond, Chain, Crystal, Pin, State
from lattice._kernels.planar import march
from lattice.micro import crystals, planar
from lattice.micro._splitting import SCHEMES
from tests import naive

ALONG, ACROSS, PINS = 2.5, 0.75, (0.3, 0.2)


def ring(n, pins=PINS, along=ALONG, across=ACROSS):
    return Crystal((n,), {1: (Bond(chi=along), Bond(chi=across))}, tuple(map(Pin, pins)), components=2)


def start(n, size, seed, replicas=2):
    """Stretches and momenta are below `size`, so that no spring is turned round."""
    draw = np.random.default_rng(seed).uniform(-size / 2, size / 2, (2, replicas, 2, n))
    return State(*draw)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("n", "steps"), [(3, 0), (4, 1), (35, 7)])
def test_kernel_against_the_naive_twin(scheme, n, steps):
    """Springs that start far from rest."""
    begin, law = start(n, 0.9, 1, 3), (1.7, 0.6, 0.3, 0.2)
    q, p = (np.pad(values, ((0, 0), (0, 0), (1, 1))) for values in (begin.q, begin.p))
    kicks, drifts = np.array(SCHEMES[scheme].kicks), np.array(SCHEMES[scheme].drifts)
    march(q, p, kicks, drifts, steps, 0.05, *law)
    for i in range(3):
        slow = begin.q[i].tolist(), begin.p[i].tolist()
        naive.planar_evolve(*slow, steps, 0.05, kicks, drifts, law[0], law[1], law[2:])
        np.testing.assert_allclose(q[i, :, 1:-1], slow[0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(p[i, :, 1:-1], slow[1], rtol=0, atol=1e-12)


def test_energy_is_that_of_the_springs():
    """Up to a constant, which is the energy of the stretched springs at rest."""
    crystal, state = ring(5), start(5, 3.0, 2, 4)
    x, y = np.moveaxis(np.concatenate([state.q, state.q[..., :1]], axis=-1), 1, 0)
    lengths = np.sqrt((1 + np.diff(x)) ** 2 + np.diff(y) ** 2)
    natural = 1 - ACROSS / ALONG
    expected = ALONG / 2 * ((lengths - natural) ** 2 - (1 - natural) ** 2).sum(axis=-1)
    expected += (state.p**2 + np.array(PINS)[:, None] * state.q**2).sum(axis=(1, 2)) / 2
    np.testing.assert_allclose(planar.energy(crystal, state.q, state.p), expected, rtol=1e-12)
    assert planar.energy(crystal, np.zeros((2, 5)), np.zeros((2, 5))) == 0


@pytest.mark.parametrize("size", [1.0, 1e-2, 1e-7])
def test_force_is_the_slope_of_the_energy(size):
    """Against central differences, also where the energy is 1e-14 of that of the springs at rest."""
    q, step = start(4, size, 3, 1).q[0], 1e-4 * size
    force, difference = np.array(naive.planar_force(*q, ALONG, 1 - ACROSS / ALONG, PINS)), np.empty((2, 4))
    for place in np.ndindex(2, 4):
        moved = np.array([q, q])
        moved[(0, *place)] += step
        moved[(1, *place)] -= step
        up, down = planar.energy(ring(4), moved, np.zeros_like(moved))
        difference[place] = (down - up) / (2 * step)
    np.testing.assert_allclose(difference, force, rtol=0, atol=1e-6 * size)


@pytest.mark.parametrize(("along", "across"), [(ALONG, ACROSS), (1.0, 1.0)])
def test_quadratic_and_cubic_coefficients(along, across):
    """One site of a ring of three is moved, by ±a along and ±b across: only odd terms in a survive."""
    crystal, a, b = ring(3, (0.0, 0.0), along, across), 1e-3, 1e-3
    moves = np.zeros((4, 2, 3))
    moves[:, :, 1] = [(a, b), (-a, b), (a, 0), (-a, 0)]
    e = planar.energy(crystal, moves, np.zeros_like(moves))
    # two bonds with r = a and -a cancel the cubic term: it takes a third site that moves along with b
    assert (e[0] + e[1]) / 2 == pytest.approx(along * a * a + across * b * b, rel=1e-5)
    assert (e[2] + e[3]) / 2 == pytest.approx(along * a * a, rel=1e-5)
    moves[:, 0, 2] = -moves[:, 0, 1]  # now the stretches are a, -2a and a, across b, -b and 0
    e = planar.energy(crystal, moves, np.zeros_like(moves))
    odd = (e[0] - e[1]) / 2 - (e[2] - e[3]) / 2
    assert odd == pytest.approx((along - across) / 2 * (a - 2 * a) * b * b, rel=1e-4, abs=1e-15)


@pytest.mark.parametrize(
    ("scheme", "order", "steps"), [("verlet", 2, (40, 80)), ("fourth-order", 4, (20, 40))]
)
def test_order_of_the_splitting(scheme, order, steps):
    """In the state itself, against steps eight times as short."""
    crystal, begin = ring(8), start(8, 0.4, 4, 16)
    states = [planar.evolve(crystal, begin, [2.0], dt=2 / m, scheme=scheme) for m in (*steps, 8 * steps[1])]
    *found, exact = (np.concatenate([run.q, run.p]) for run in states)
    errors = [np.sqrt(np.mean((x - exact) ** 2)) for x in found]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)


def test_small_waves_are_harmonic():
    """What is left falls like the amplitude: the cubic term."""
    crystal, times = ring(16), [0.0, 3.0, 10.0]
    deviations = []
    for size in (1e-3, 1e-4):
        begin = start(16, size, 5, 8)
        run = planar.evolve(crystal, begin, times, dt=0.05, scheme="fourth-order")
        exact = np.array([crystals.propagate(crystal, begin.q, begin.p, time)[0] for time in times])
        assert (run.q[0] == begin.q).all()
        deviations.append(np.abs(run.q - exact).max() / size)
    assert deviations[1] < 1e-3
    assert deviations[0] / deviations[1] == pytest.approx(10, rel=0.1)


def test_what_is_kept():
    """Energy up to the error of the scheme, and without pins momentum to round-off."""
    crystal, begin = ring(12, (0.0, 0.0)), start(12, 0.8, 6, 3)
    run = planar.evolve(crystal, begin, [0.0, 50.0, 200.0], dt=0.05, scheme="fourth-order")
    energies = planar.energy(crystal, run.q, run.p)
    np.testing.assert_allclose(energies, energies[[0, 0, 0]], rtol=1e-5)
    np.testing.assert_allclose(run.p.sum(axis=-1), begin.p.sum(axis=-1)[None].repeat(3, 0), atol=1e-12)
    assert np.abs(run.q[2] - run.q[0]).max() > 0.1


def test_symmetries():
    """Reflection across the chain, to the bit; the way back in time."""
    crystal, begin, mirror = ring(9), start(9, 0.8, 7), np.array([[1.0], [-1.0]])
    one = planar.evolve(crystal, begin, [7.0], dt=0.1)
    other = planar.evolve(crystal, State(mirror * begin.q, mirror * begin.p), [7.0], dt=0.1)
    assert (other.q == mirror * one.q).all()
    assert (other.p == mirror * one.p).all()
    back = planar.evolve(crystal, State(one.q[0], -one.p[0]), [7.0], dt=0.1)
    np.testing.assert_allclose(back.q[0], begin.q, atol=1e-9)


def test_a_chain_that_stays_on_its_line_is_harmonic():
    """At any amplitude, for then Hooke's law is all there is."""
    # momenta so small that no spring is turned round, which would be a site that passes its neighbour
    draw = start(8, 0.9, 8)
    begin = State(draw.q * [[1.0], [0.0]], 0.05 * draw.p * [[1.0], [0.0]])
    run = planar.evolve(ring(8), begin, [0.3], dt=0.01, scheme="fourth-order")
    line = Chain(8, Bond(chi=ALONG), Pin(chi=PINS[0]))
    q, _ = crystals.propagate(line, begin.q[:, 0], begin.p[:, 0], 0.3)
    np.testing.assert_allclose(run.q[0, :, 0], q, atol=1e-9)
    assert (run.q[0, :, 1] == 0).all()


def test_result_carries_its_inputs():
    times, crystal = np.array([0.0, 1.0]), ring(4)
    run = planar.evolve(crystal, start(4, 0.1, 9), times, dt=0.1)
    times[1] = 5.0
    assert (run.crystal, run.dt, run.scheme, run.times.tolist()) == (crystal, 0.1, "verlet", [0.0, 1.0])


@pytest.mark.parametrize(
    ("crystal", "words"),
    [
        (Crystal((4,)), "pair of bonds"),
        (Crystal((4,), components=2), "pair of bonds"),
        (Crystal((4,), {2: (Bond(chi=2.0), Bond(chi=1.0))}, components=2), "pair of bonds"),
        (Crystal((4,), {1: (Bond(chi=2.0), Bond(chi=1.0))}, components=3), "pair of bonds"),
        (ring(4, along=1.0, across=1.5), "no more than along"),
        (ring(4, across=0.0), "above 0 across"),
    ],
)
def test_other_crystals_are_refused(crystal, words):
    with pytest.raises(ValueError, match=f"crystal .*; allowed: .*{words}"):
        planar.evolve(crystal, start(4, 0.1, 10), [1.0], dt=0.1)


def test_refusals():
    crystal, begin, q = ring(4), start(4, 0.1, 11), np.zeros((1, 2, 4))
    with pytest.raises(ValueError, match=r"dt = 0.7 with frequencies up to 3.209 .*: below 0.62"):
        planar.evolve(crystal, begin, [1.0], dt=0.7)
    assert np.isfinite(planar.evolve(crystal, begin, [1e3], dt=0.62).q).all()
    q[0, 0, 1] = -1.0
    with pytest.raises(ValueError, match=r"start .* a spring of length 0"):
        planar.evolve(crystal, State(q, 0 * q), [1.0], dt=0.1)
    with pytest.raises(ValueError, match=r"start .*allowed: a State of shape \(replicas, 2, 4\)"):
        planar.evolve(crystal, State(q[0], q[0]), [1.0], dt=0.1)
