"""What the functions of `kinetic` refuse: every message names the argument, its value and what is allowed."""

import math
from functools import partial

import numpy as np
import pytest

from lattice import (
    Bond,
    Chain,
    Crystal,
    Langevin,
    PairRotation,
    Pin,
    StretchFlip,
    ThreeSiteRotation,
    VelocityExchange,
    VelocityFlip,
)
from lattice.kinetic import ballistic, flights, noisy, transport
from lattice.kinetic.collisions import Collision

EXCHANGE, ROTATION = VelocityExchange(0.7), ThreeSiteRotation(0.7)
PINNED = Chain(8, pin=Pin(chi=1.0))
SHEET, BLOCK, PAIRS = Crystal((4, 4)), Crystal((4, 4, 4)), PairRotation(0.7)


def chain_of(pin: float, chi: float) -> Chain:
    return Chain(8, Bond(chi=chi), Pin(chi=pin))


def test_noises_that_are_refused():
    chain, k = chain_of(1, 1), 0.1
    calls = (
        lambda noise: noisy.kernel(noise, k, k),
        lambda noise: noisy.rate(noise, k),
        lambda noise: noisy.collision_matrix(noise, 4),
        lambda noise: noisy.collision(chain, noise, 4),
        lambda noise: noisy.conductivity(chain, noise),
        lambda noise: noisy.current_correlation(chain, noise, 1.0),
        lambda noise: noisy.tail(chain, noise),
        noisy.isolated_eigenvalue,
        lambda noise: noisy.collision(SHEET, noise, 4),
        lambda noise: noisy.conductivity(SHEET, noise),
        lambda noise: noisy.current_correlation(SHEET, noise, 1.0),
        lambda noise: noisy.tail(SHEET, noise),
    )
    for call in calls:
        for noise in (StretchFlip(1.0), Langevin(0, 1.0), chain, VelocityFlip, None):
            with pytest.raises(ValueError, match=r"noise = .*; allowed: a "):
                call(noise)
        for strength in (1e300, 1e-300, 5e-324):
            for kind in (ThreeSiteRotation, PairRotation):
                with pytest.raises(ValueError, match=r"noise.* = .*; allowed: .*(a |number from 1e-15 to)"):
                    call(kind(strength))
    for call in calls[2:8]:
        with pytest.raises(ValueError, match=r"noise = PairRotation.*; allowed: a "):
            call(PAIRS)
    for call in calls[8:]:
        with pytest.raises(ValueError, match=r"noise = ThreeSiteRotation.*; allowed: a PairRotation"):
            call(ROTATION)
    with pytest.raises(
        ValueError, match=r"noise = VelocityFlip.*; allowed: a VelocityExchange or a ThreeSiteRotation"
    ):
        noisy.tail(chain, VelocityFlip(1.0))
    with pytest.raises(ValueError, match=r"noise\.rate = 0\.0; allowed: a number from"):
        noisy.tail(chain, ThreeSiteRotation(0.0))
    with pytest.raises(ValueError, match=r"noise = VelocityFlip.*; allowed: a ThreeSiteRotation"):
        noisy.isolated_eigenvalue(VelocityFlip(1.0))


def test_chains_that_are_refused():
    calls = (
        lambda chain: noisy.conductivity(chain, ROTATION),
        lambda chain: noisy.tail(chain, ROTATION),
        lambda chain: noisy.current_correlation(chain, ROTATION, 1.0),
    )
    for call in calls:
        for bond in (Bond.fput(beta=1.0), Bond(chi=[1.0] * 7 + [2.0]), Bond(chi=-0.1), Bond()):
            with pytest.raises(ValueError, match="chain is not a uniform harmonic one"):
                call(Chain(8, bond, Pin(chi=1.0)))
        for chain in (None, ROTATION, 8):
            with pytest.raises(ValueError, match=r"medium = .*; allowed: a Chain or a Crystal"):
                call(chain)
        for size in (1e308, 1e-300):
            with pytest.raises(ValueError, match=r"chain\.bond\.chi = .*; allowed"):
                call(chain_of(1.0, size))
            with pytest.raises(ValueError, match=r"chain\.pin\.chi = .*; allowed"):
                call(chain_of(size, 1.0))


NO_NUMBERS = ("0.1", None, [0.1, math.nan], [[0.1], [0.1, 0.2]], 0.1j, [], True, np.ma.masked_less([1, 2], 2))


def test_wave_numbers_that_are_refused():
    for k in NO_NUMBERS:
        for call in (
            lambda k: noisy.rate(ROTATION, k),
            lambda k: noisy.kernel(ROTATION, k, 0.1),
            lambda k: noisy.kernel(PAIRS, k, [0.1, 0.2]),
            lambda k: noisy.rate(PAIRS, k),
        ):
            with pytest.raises(ValueError, match=r"^k (=|has) .*; allowed"):
                call(k)
        with pytest.raises(ValueError, match=r"^k_prime (=|has) .*; allowed"):
            noisy.kernel(ROTATION, 0.1, k)
        with pytest.raises(ValueError, match=r"^k_prime (=|has) .*; allowed"):
            noisy.kernel(PAIRS, [0.1, 0.2], k)
    with pytest.raises(ValueError, match=r"k and k_prime have shapes \(2,\) and \(3,\); allowed: what broad"):
        noisy.kernel(ROTATION, [0.1, 0.2], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="k and k_prime have shapes"):
        noisy.kernel(PAIRS, [0.1, 0.2], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="k and k_prime have shapes"):
        noisy.kernel(PAIRS, np.zeros((4, 2)), np.zeros((3, 2)))
    for k in ([0.1], 0.1):
        with pytest.raises(ValueError, match=r"k has shape .*; allowed: \(..., d\) with d of at least 2"):
            noisy.rate(PAIRS, k)
    many = np.zeros((20_000, 2))  # a square of them would need 6 GB, and as much again on the way
    for call in (partial(noisy.kernel, ROTATION), partial(noisy.kernel, PAIRS)):
        with pytest.raises(ValueError, match=r"k_prime = .* needs .* steps; allowed"):
            call(many[:, None], many)


def test_numbers_that_are_refused():
    for n in (2, 3.0, True, None, 10**5, 10**400):
        with pytest.raises(ValueError, match=r"n = .*; allowed: an integer at least 3 and at most 10000"):
            noisy.collision_matrix(ROTATION, n)
    for times in ([-1.0], [0.0, math.nan], [], [1.0, 1e61], "1", None, [1j], True, [[1.0], [1.0, 2.0]]):
        for call in (
            lambda times: noisy.current_correlation(chain_of(1, 1), ROTATION, times),
            lambda times: noisy.current_correlation(SHEET, PAIRS, times),
        ):
            with pytest.raises(ValueError, match=r"times (=|has) .*; allowed"):
                call(times)
    many = np.ones(10**6)
    with pytest.raises(ValueError, match=r"times = .* needs .* steps; allowed"):
        noisy.current_correlation(chain_of(1, 1), ROTATION, many)
    with pytest.raises(ValueError, match=r"times = .* needs .* steps; allowed"):
        noisy.current_correlation(BLOCK, PAIRS, many)
    with pytest.raises(ValueError, match=r"noise\.rate = 0\.0; allowed"):
        noisy.tail(BLOCK, PairRotation(0.0))
    loose = Crystal((4, 4, 4), Bond(chi=1e15), Pin(chi=1e-15))
    assert math.isfinite(noisy.tail(loose, PairRotation(1e-15)).prefactor)


def test_crystals_that_are_refused():
    row, far = Crystal((8,)), Crystal((4, 4), {(1, 1): Bond(chi=1.0)})
    pinned, three = Crystal((4, 4), pin=(Pin(chi=1.0), Pin(chi=2.0))), Crystal((4, 4), components=3)
    for call in (noisy.conductivity, noisy.tail, lambda *both: noisy.current_correlation(*both, 1.0)):
        for crystal in (row, far, pinned, three):
            with pytest.raises(ValueError, match=r"medium = .*; allowed: a scalar crystal in 2 or 3 dim"):
                call(crystal, PAIRS)
        for size in (1e300, 1e-300):
            with pytest.raises(ValueError, match=r"bond\.chi = .*; allowed: a number from"):
                call(Crystal((4, 4), Bond(chi=size)), PAIRS)
            with pytest.raises(ValueError, match=r"pin\.chi = .*; allowed: 0 or a number from"):
                call(Crystal((4, 4), pin=Pin(chi=size)), PAIRS)
        with pytest.raises(ValueError, match=r"bond\.chi = .*; allowed: a number from"):
            call(Crystal((4, 4), Bond()), PAIRS)


def test_collisions_that_are_refused():
    for n in (2, 3.0, True, None, 4001, 10**400):
        with pytest.raises(ValueError, match=r"n = .*; allowed: an integer at least 3 and at most 4000"):
            noisy.collision(PINNED, ROTATION, n)
    for medium, n in ((SHEET, 45), (BLOCK, 12)):
        with pytest.raises(ValueError, match=r"n = .* needs .* steps; allowed: at most 4e\+03"):
            noisy.collision(medium, PAIRS, n)


def test_boltzmann_refuses():
    box, v = np.ones((5, 4)), np.array([0.0, 1.0, 0.0, -1.0])
    four = noisy.collision(PINNED, ROTATION, 4)
    grid = {"spacing": 1.0, "dt": 0.1}

    def evolve(collision=four, velocity=v, energy=box, times=(1.0,), **rest):
        return transport.evolve(collision, velocity, energy, times, **(grid | rest))

    evolve()
    both = Collision(four.nodes, four.measure, four.invariants, [[[0], [1], [0], [1]]], [1, 1, -1, -1], [1.0])
    for collision in (ROTATION, PINNED, None, both):
        with pytest.raises(ValueError, match=r"collision = .*; allowed: a (Collision|linear one)"):
            evolve(collision)
    for velocity in (v[:3], 1.0, [v], 1e300 * v, [0.0, math.nan, 0.0, 0.0], None):
        with pytest.raises(ValueError, match=r"velocity (=|has) .*; allowed"):
            evolve(velocity=velocity)
    for times in ([], [1.0, 0.5], [-1.0], [math.inf], [1e61], "1", None, [1j], [[1.0], [1.0, 2.0]], [[1.0]]):
        with pytest.raises(ValueError, match=r"times (=|has) .*; allowed"):
            evolve(times=times)
    for energy in (np.ones((2, 4)), np.ones((4, 2)), np.ones(4), -box, 1e300 * box, box + 0j, box > 0, None):
        with pytest.raises(ValueError, match=r"energy (=|has) .*; allowed"):
            evolve(energy=energy)
    for name in ("spacing", "dt"):
        for value in (0.0, -1.0, math.nan, "1", True, None, 1j, [1.0], 1e300, 1e-300):
            with pytest.raises(ValueError, match=rf"{name} = .*; allowed"):
                evolve(**{name: value})


def test_boltzmann_refuses_to_work_for_ever():
    box, v = np.ones((5, 4)), np.array([0.0, 1.0, 0.0, -1.0])
    four = noisy.collision(PINNED, ROTATION, 4)
    evolve = partial(transport.evolve, four, v, box)
    with pytest.raises(ValueError, match=r"dt = 1e-14 needs 1\.0e\+14 steps; allowed: at most 1e\+08"):
        evolve([1.0], spacing=1.0, dt=1e-14)
    with pytest.raises(ValueError, match=r"dt = 1e-07 needs 3\.0e\+08 steps; allowed: at most 1e\+08"):
        evolve([10.0, 10.0, 20.0, 30.0], spacing=1.0, dt=1e-7)
    with pytest.raises(ValueError, match=r"spacing = 1e-12 is crossed .* times in a step; allowed"):
        evolve([1.0], spacing=1e-12, dt=1.0)
    with pytest.raises(ValueError, match=r"spacing = 1e-10 is crossed .* times in a step; allowed: 1e\+09"):
        evolve([1.0], spacing=1e-10, dt=1.0)
    (found,) = evolve([1.0], spacing=1.0, dt=1e15)  # one step of 1
    np.testing.assert_allclose(found, 1, rtol=1e-12)
    late = np.broadcast_to(1.0, 10**8)
    with pytest.raises(ValueError, match=r"times = .* needs .* steps; allowed"):
        evolve(late, spacing=1.0, dt=1.0)
    with pytest.raises(ValueError, match=r"times = .* needs .* steps; allowed"):
        noisy.collision(PINNED, ROTATION, 5).relax(np.ones(5), late)


def test_decay_rate_refuses():
    for q in (0.0, math.nan, [0.1], "1", None, True, 1j, 1e300, 1e-300):
        with pytest.raises(ValueError, match=r"q = .*; allowed: a"):
            transport.decay_rate(PINNED, ROTATION, q)
    with pytest.raises(ValueError, match=r"q = 1e-10; allowed: larger"):
        transport.decay_rate(PINNED, VelocityFlip(1e10), 1e-10)
    for q in (1.0, -1.0, 1e5, 1e14):
        with pytest.raises(ValueError, match=r"q = .*; allowed: small enough"):
            transport.decay_rate(PINNED, VelocityFlip(0.01), q)
    for noise in (StretchFlip(1.0), None):
        with pytest.raises(ValueError, match=r"noise = .*; allowed: a VelocityFlip"):
            transport.decay_rate(PINNED, noise, 0.1)
    with pytest.raises(ValueError, match=r"noise\.rate = 0\.0; allowed: a number"):
        transport.decay_rate(PINNED, VelocityFlip(0.0), 0.1)
    for chain in (None, Chain(8, Bond.fput(beta=1.0)), Chain(8, Bond())):
        with pytest.raises(ValueError, match=r"chain .*; allowed"):
            transport.decay_rate(chain, ROTATION, 0.1)


def test_flights_refuse():
    def fly(chain=PINNED, noise=ROTATION, times=(1.0,), size=2, rng=1, **rest):
        return flights.simulate(chain, noise, times, size, rng=rng, **rest)

    for noise in (StretchFlip(1.0), PINNED, None):
        with pytest.raises(ValueError, match=r"noise = .*; allowed: a VelocityFlip"):
            fly(noise=noise)
    for chain in (Chain(8, Bond.fput(beta=1.0)), Chain(8, Bond(chi=0.0)), Chain(8, pin=Pin(chi=-0.1)), None):
        with pytest.raises(ValueError, match=r"chain .*; allowed"):
            fly(chain=chain)
    for times in ([], [2.0, 1.0], [-1.0], [math.nan], "1", None, [1j], [1e61]):
        with pytest.raises(ValueError, match=r"times (=|has) .*; allowed"):
            fly(times=times)
    for size in (0, 2.0, True, None, "2", 10**400):
        with pytest.raises(ValueError, match=r"size = .*; allowed: an integer"):
            fly(size=size)
    for rng in (None, 0.5, True, -1, "1"):
        with pytest.raises(ValueError, match=r"rng = .*; allowed"):
            fly(rng=rng)
    for start in ([0.1, 0.2, 0.3], [0.1, math.nan], "1", [0.1j, 0.2], [[0.1, 0.2]], []):
        with pytest.raises(ValueError, match=r"start (=|has) .*; allowed"):
            fly(start=start)
    with pytest.raises(ValueError, match=r"map = 3; allowed"):
        fly(map=3)
    with pytest.raises(ValueError, match=r"map = .* left out 2 phonons; allowed"):
        fly(map=lambda function, jobs: [])


def test_flights_refuse_to_jump_for_ever():
    """The last two would not even get on: their jumps are closer together than the floats at that time."""
    for noise, times, size in (
        (ROTATION, [1.0, 1e7], 100_000),
        (VelocityFlip(1e14), [1.0], 1),
        (EXCHANGE, [1e14], 1),
    ):
        with pytest.raises(ValueError, match=r"times = .* needs .* steps; allowed: at most 1e\+12"):
            flights.simulate(PINNED, noise, times, size, rng=1)
    with pytest.raises(ValueError, match=r"size = .* needs .* steps; allowed"):
        flights.simulate(PINNED, VelocityFlip(0.0), np.zeros(10**4), 10**6, rng=1)
    far = flights.simulate(PINNED, VelocityFlip(0.0), [1e15], 2, rng=1, start=0.2)
    assert np.isfinite(far).all()


def test_ballistic_refuses():
    chain = Chain(4, boundary="fixed")
    left, right = Langevin(0, 1.0), Langevin(-1, 1.0)
    with pytest.raises(ValueError, match="chain has boundary = 'periodic'; allowed"):
        ballistic.current(Chain(4), left, right)
    with pytest.raises(ValueError, match=r"left\.site = 1; allowed: 0"):
        ballistic.current(chain, Langevin(1, 1.0), right)
    with pytest.raises(ValueError, match=r"right\.force = 2\.0; allowed: 0"):
        ballistic.current(chain, left, Langevin(-1, 1.0, 1.0, 2.0))
    for bath in (None, chain, 1.0, (left,)):
        with pytest.raises(ValueError, match=r"left = .*; allowed: a Langevin"):
            ballistic.current(chain, bath, right)
        with pytest.raises(ValueError, match=r"right = .*; allowed: a Langevin"):
            ballistic.current(chain, left, bath)
    for size in (1e300, 1e-300):
        with pytest.raises(ValueError, match=r"left\.friction = .*; allowed"):
            ballistic.current(chain, Langevin(0, 1.0, size), right)
        with pytest.raises(ValueError, match=r"right\.temperature = .*; allowed"):
            ballistic.current(chain, left, Langevin(-1, size))
    for friction in (-1.0, math.inf, math.nan, "1", True, None, 1j, [1.0], 1e300, 1e-300):
        with pytest.raises(ValueError, match=r"friction = .*; allowed"):
            ballistic.absorption(chain, friction, 0.1, end="free")
    for end in ("open", None, 1, ["free"]):
        with pytest.raises(ValueError, match=r"end = .*; allowed: 'fixed', 'free'"):
            ballistic.absorption(chain, 1.0, 0.1, end=end)
    for k in NO_NUMBERS:
        with pytest.raises(ValueError, match=r"^k (=|has) .*; allowed"):
            ballistic.absorption(chain, 1.0, k, end="free")
    for bond in (Bond.fput(beta=1.0), Bond(chi=[1.0, 2.0, 1.0, 1.0]), Bond(chi=-0.2), Bond()):
        with pytest.raises(ValueError, match="chain is not a uniform harmonic one"):
            ballistic.absorption(Chain(4, bond, Pin(chi=1.0)), 1.0, 0.1, end="free")
    for chain in (None, ROTATION):
        with pytest.raises(ValueError, match=r"chain = .*; allowed: a Chain"):
            ballistic.absorption(chain, 1.0, 0.1, end="free")
        with pytest.raises(ValueError, match=r"chain = .*; allowed: a Chain"):
            ballistic.current(chain, left, right)
