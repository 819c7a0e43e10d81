"""The Boltzmann equation in time and space: against dense matrices, exact flights, and its own moments."""

import math

import numpy as np
import pytest
import scipy.linalg

from lattice.kinetic import boltzmann, phonons
from lattice.model import Bond, Chain, Pin, StretchFlip, ThreeSiteRotation, VelocityExchange, VelocityFlip
from lattice.waves import group_velocity, wave_numbers

NOISES = (VelocityFlip(0.7), VelocityExchange(0.7), ThreeSiteRotation(0.7))
ROTATION = ThreeSiteRotation(1.0)
UNPINNED, PINNED = Chain(8), Chain(8, pin=Pin(chi=1.0))


@pytest.mark.parametrize("noise", NOISES)
def test_relax_is_the_exponential_of_the_collision_matrix(noise):
    n, times = 20, [0.0, 0.3, 5.0]
    start = np.random.default_rng(3).random(n)
    found = boltzmann.relax(noise, start, times)
    matrix = phonons.collision_matrix(noise, n)
    for W, t in zip(found, times, strict=True):
        np.testing.assert_allclose(W, scipy.linalg.expm(t * matrix) @ start, atol=1e-10)
    np.testing.assert_allclose(found.mean(axis=1), start.mean(), rtol=1e-13)
    assert np.abs(found[2] - start).max() > 0.1


def test_relax_does_not_depend_on_the_grid():
    """Band-limited starts: 16 points give what 1024 give, to 1e-6, since the solution is smooth in k."""

    def at_quarters(n):
        k = wave_numbers(n)
        return boltzmann.relax(ROTATION, 1 + np.cos(2 * np.pi * k), [1.0])[0, [n // 4, n // 2]]

    np.testing.assert_allclose(at_quarters(16), at_quarters(1024), atol=1e-6)
    assert np.abs(at_quarters(4) - at_quarters(1024)).max() > 1e-3


def test_relax_at_rest():
    assert boltzmann.relax(ROTATION, np.zeros(5), [0.0, 2.0]).tolist() == [[0.0] * 5] * 2
    assert boltzmann.relax(ROTATION, np.arange(4.0), [0.0]).tolist() == [[0.0, 1.0, 2.0, 3.0]]


def wave(places, n, length):
    """Cell averages of a smooth positive state, and the width of a cell."""
    h, edges = length / places, np.linspace(0, length, places + 1)
    profile = np.diff(edges - 0.8 * np.cos(2 * np.pi * edges / length) * length / (2 * np.pi)) / h
    k = wave_numbers(n)
    return profile[:, None] * (1 + 0.5 * np.cos(2 * np.pi * k) + 0.3 * np.sin(2 * np.pi * k)), h


def exact(chain, noise, places, n, length, t):
    """Every Fourier mode in space by the exponential of its own matrix; averages over the cells."""
    W, h = wave(places, n, length)
    modes = np.fft.fft(W, axis=0)
    q = 2 * np.pi * np.fft.fftfreq(places, h)
    collisions, v = phonons.collision_matrix(noise, n), group_velocity(chain, wave_numbers(n))
    for i, mode in enumerate(modes):
        modes[i] = scipy.linalg.expm(t * (collisions - 1j * q[i] * np.diag(v))) @ mode
    return np.fft.ifft(modes, axis=0).real


@pytest.mark.parametrize("chain", [UNPINNED, PINNED])
@pytest.mark.parametrize("noise", NOISES)
def test_evolve_against_fourier_modes(chain, noise):
    W, h = wave(64, 8, 40.0)
    found = boltzmann.evolve(chain, noise, W, [3.0], spacing=h, dt=0.05)[0]
    np.testing.assert_allclose(found, exact(chain, noise, 64, 8, 40.0, 3.0), atol=1e-4)
    assert np.abs(found - W).max() > 0.1
    np.testing.assert_allclose(found.sum(), W.sum(), rtol=1e-12)


def slope(x, errors):
    return np.polyfit(np.log(x), np.log(errors), 1)[0]


def test_order_in_time():
    W, h = wave(640, 8, 40.0)
    target = exact(PINNED, ROTATION, 640, 8, 40.0, 2.0)
    steps = np.array([0.5, 0.25, 0.125])
    errors = [
        np.abs(boltzmann.evolve(PINNED, ROTATION, W, [2.0], spacing=h, dt=dt)[0] - target).max()
        for dt in steps
    ]
    assert abs(slope(steps, errors) - 2) < 0.1


def test_order_in_space():
    """Flight alone, in steps that are no whole number of cells."""
    places = np.array([20, 40, 80])
    errors = []
    for m in places:
        W, h = wave(m, 8, 40.0)
        found = boltzmann.evolve(PINNED, VelocityFlip(0.0), W, [2.0], spacing=h, dt=0.1)[0]
        errors.append(np.abs(found - exact(PINNED, VelocityFlip(0.0), m, 8, 40.0, 2.0)).max())
    assert abs(slope(places, errors) + 3) < 0.1


def test_evolve_keeps_a_box_positive_and_its_energy():
    """A box of energy in an empty ring: the parabolas of its edges would be negative."""
    W = np.zeros((50, 6))
    W[20:25] = 1.0
    for found in boltzmann.evolve(UNPINNED, ROTATION, W, [0.3, 2.0, 10.0], spacing=1.0, dt=0.13):
        assert found.min() >= 0
        np.testing.assert_allclose(found.sum(), W.sum(), rtol=1e-12)


def test_a_phonon_crosses_many_cells_in_a_step():
    """Without collisions and with whole cells a step, flight is exact."""
    W = np.random.default_rng(5).random((12, 4))
    v = group_velocity(UNPINNED, wave_numbers(4))
    found = boltzmann.evolve(UNPINNED, VelocityFlip(0.0), W, [30.0], spacing=math.sqrt(0.5), dt=30.0)[0]
    cells = np.rint(v * 30 / math.sqrt(0.5)).astype(int)
    for a in (1, 3):
        np.testing.assert_allclose(found[:, a], np.roll(W[:, a], cells[a]), atol=1e-10)


def test_homogeneous_states_relax_alike():
    start = 1 + np.cos(2 * np.pi * wave_numbers(12))
    found = boltzmann.evolve(PINNED, ROTATION, np.tile(start, (5, 1)), [1.5], spacing=1.0, dt=0.1)[0]
    np.testing.assert_allclose(found, np.tile(boltzmann.relax(ROTATION, start, [1.5])[0], (5, 1)), atol=1e-10)


@pytest.mark.parametrize("noise", NOISES)
def test_decay_rate_is_an_eigenvalue(noise):
    """The root of the determinant against the dense operator of one Fourier mode, 2000 wave numbers."""
    n, q = 2000, 0.2
    v = group_velocity(PINNED, (wave_numbers(n) + 0.25 / n) % 1)
    shifted = (wave_numbers(n) + 0.25 / n) % 1
    matrix = phonons.kernel(noise, shifted[:, None], shifted) / n - np.diag(phonons.rate(noise, shifted))
    # the slow mode is even under v → -v with a conjugate: iterate the inverse of the operator from a constant
    shift = -boltzmann.decay_rate(PINNED, noise, q) * 0.98
    solve = scipy.linalg.lu_factor(matrix - 1j * q * np.diag(v) - shift * np.eye(n))
    f = np.ones(n, complex)
    for _ in range(60):
        g = scipy.linalg.lu_solve(solve, f)
        value, f = 1 / (f.conj() @ g / (f.conj() @ f)) + shift, g / np.linalg.norm(g)
    np.testing.assert_allclose(-value.real, boltzmann.decay_rate(PINNED, noise, q), rtol=1e-4)
    assert abs(value.imag) < 1e-8


@pytest.mark.parametrize("noise", NOISES)
def test_long_waves_diffuse_with_a_pin(noise):
    kappa = phonons.conductivity(PINNED, noise)
    # the correction is of order q, not q²: noise that keeps the momentum remembers that φ(0) = 0
    assert abs(boltzmann.decay_rate(PINNED, noise, 1e-8) / 1e-16 / kappa - 1) < 2e-8
    assert boltzmann.decay_rate(PINNED, noise, -1e-3) == boltzmann.decay_rate(PINNED, noise, 1e-3)


@pytest.mark.parametrize("noise", NOISES[1:])
@pytest.mark.parametrize("chi", [1.0, 2.5])
def test_long_waves_superdiffuse_without(noise, chi):
    """c = χ^(3/4) / √(8γ), approached with a correction of order q^(1/2)."""
    chain, c = Chain(8, Bond(chi=chi)), chi**0.75 / math.sqrt(8 * noise.rate)
    q = np.array([4e-8, 1e-8])
    ratio = np.array([boltzmann.decay_rate(chain, noise, x) / (c * x**1.5) for x in q])
    assert abs(2 * ratio[1] - ratio[0] - 1) < 1e-7  # the correction halves
    assert 1e-5 < abs(ratio[0] - 1) < 1e-3


def test_flips_without_a_pin_diffuse():
    kappa = phonons.conductivity(UNPINNED, VelocityFlip(1.0))
    assert abs(boltzmann.decay_rate(UNPINNED, VelocityFlip(1.0), 1e-8) / 1e-16 / kappa - 1) < 2e-8


def test_bad_arguments():
    good = np.ones(6)
    for energy in (np.ones(2), np.ones((3, 3)), [1.0, np.nan, 1.0]):
        with pytest.raises(ValueError, match=r"energy has shape .*; allowed: \(n,\)"):
            boltzmann.relax(ROTATION, energy, [1.0])
    for times in ([], [1.0, 0.5], [-1.0], [math.inf], 1.0):
        with pytest.raises(ValueError, match=r"times = .*; allowed"):
            boltzmann.relax(ROTATION, good, times)
    with pytest.raises(ValueError, match=r"noise = .*; allowed"):
        boltzmann.relax(StretchFlip(1.0), good, [1.0])
    box = np.ones((5, 4))
    for energy, message in (
        (np.ones((2, 4)), "at least 3 places"),
        (np.ones(4), r"allowed: \(places, n\)"),
        (-box, "energy has negative entries"),
    ):
        with pytest.raises(ValueError, match=message):
            boltzmann.evolve(PINNED, ROTATION, energy, [1.0], spacing=1.0, dt=0.1)
    for name in ("spacing", "dt"):
        for value in (0.0, -1.0, math.nan, "1"):
            with pytest.raises(ValueError, match=f"{name} = {value!r}; allowed"):
                boltzmann.evolve(PINNED, ROTATION, box, [1.0], **{"spacing": 1.0, "dt": 0.1, name: value})
    for q in (0.0, math.nan, [0.1]):
        with pytest.raises(ValueError, match=r"q = .*; allowed: a finite number"):
            boltzmann.decay_rate(PINNED, ROTATION, q)
    with pytest.raises(ValueError, match="small enough"):
        boltzmann.decay_rate(PINNED, VelocityFlip(0.01), 1.0)
    for noise in (VelocityFlip(0.0), StretchFlip(1.0)):
        with pytest.raises(ValueError, match="noise = "):
            boltzmann.decay_rate(PINNED, noise, 0.1)
