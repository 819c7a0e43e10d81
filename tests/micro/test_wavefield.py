"""Exact harmonic motion, against matrices and against the chain of the ground floor."""

import math

import numpy as np
import pytest
import scipy.linalg

from lattice import Bond, Chain, Pin
from lattice.micro import wavefield
from lattice.waves import dispersion, wave_field, wave_numbers


def couplings(n):
    """Nearest and next-nearest neighbours and a pin, on a ring."""
    alpha = np.zeros(n)
    alpha[[0, 1, -1, 2, -2]] = 3.5, -1.0, -1.0, -0.4, -0.4
    return alpha


def test_frequencies_of_the_chain():
    alpha = np.zeros(9)
    alpha[[0, 1, -1]] = 2 * 1.3 + 0.4, -1.3, -1.3
    chain = Chain(9, Bond(chi=1.3), Pin(chi=0.4))
    np.testing.assert_allclose(wavefield.frequencies(alpha), dispersion(chain, wave_numbers(9)), rtol=1e-13)


def test_frequencies_of_a_sheet():
    alpha = np.zeros((4, 6))
    alpha[0, 0] = 4
    alpha[[1, -1, 0, 0], [0, 0, 1, -1]] = -1
    k1, k2 = np.meshgrid(wave_numbers(4), wave_numbers(6), indexing="ij")
    expected = 2 * np.sqrt(np.sin(np.pi * k1) ** 2 + np.sin(np.pi * k2) ** 2)
    found = wavefield.frequencies(alpha)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found[0, 0] == 0


def test_slow_waves_are_not_still():
    """A pin of 1e-14, and a torus whose second direction is softer by 1e13, to twelve digits."""
    alpha = np.zeros(12)
    alpha[[0, 1, -1]] = 2 + 1e-14, -1, -1
    pin = alpha[0] - 2  # exact; nothing else is left of it in the couplings
    found = wavefield.frequencies(alpha)
    np.testing.assert_allclose(found, np.sqrt(pin + 4 * np.sin(np.pi * wave_numbers(12)) ** 2), rtol=1e-12)

    soft, alpha = 1e-13, np.zeros((4, 6))
    alpha[0, 0] = 2 + 2 * soft
    alpha[[1, -1, 0, 0], [0, 0, 1, -1]] = -1, -1, -soft, -soft
    k1, k2 = np.meshgrid(wave_numbers(4), wave_numbers(6), indexing="ij")
    expected = 2 * np.sqrt(np.sin(np.pi * k1) ** 2 + soft * np.sin(np.pi * k2) ** 2)
    found = wavefield.frequencies(alpha)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.count_nonzero(found == 0) == 1


def test_springs_between_every_other_site_leave_two_waves_without_energy():
    alpha = np.zeros(8)
    alpha[[0, 2, -2]] = 2.6, -1.3, -1.3
    found = wavefield.frequencies(alpha)
    assert np.flatnonzero(found == 0).tolist() == [0, 4]
    np.testing.assert_allclose(
        found, 2 * np.sqrt(1.3) * np.abs(np.sin(2 * np.pi * wave_numbers(8))), atol=1e-15
    )


@pytest.mark.parametrize("pin", [0.7, 0.0])
def test_propagate_is_the_exponential(pin):
    n, t = 7, 2.3
    alpha = couplings(n)
    alpha[0] = pin + 2.8
    matrix = np.stack([np.roll(alpha, j) for j in range(n)])
    motion = np.block([[np.zeros((n, n)), np.eye(n)], [-matrix, np.zeros((n, n))]])
    q, p = np.random.default_rng(1).normal(size=(2, 3, n))
    found = wavefield.propagate(wavefield.frequencies(alpha), q, p, t)
    expected = np.concatenate([q, p], axis=1) @ scipy.linalg.expm(t * motion).T
    np.testing.assert_allclose(np.concatenate(found, axis=1), expected, atol=1e-11)
    assert np.abs(found[0] - q).max() > 0.1


def test_there_and_back_and_the_energy():
    omega = wavefield.frequencies(couplings(16))
    q, p = np.random.default_rng(2).normal(size=(2, 4, 16))
    late = wavefield.propagate(omega, q, p, 1e4)
    back = wavefield.propagate(omega, *late, -1e4)
    np.testing.assert_allclose(back, (q, p), atol=1e-10)
    energy = [(np.abs(wavefield.field(omega, *state)) ** 2).sum(axis=-1) for state in ((q, p), late)]
    np.testing.assert_allclose(energy[1], energy[0], rtol=1e-12)


def test_field_is_that_of_the_chain():
    chain = Chain(10, Bond(chi=0.8), Pin(chi=0.3))
    q, p = np.random.default_rng(3).normal(size=(2, 2, 10))
    found = wavefield.field(dispersion(chain, wave_numbers(10)), q, p)
    np.testing.assert_allclose(found, wave_field(chain, q, p), atol=1e-13)


def test_bad_arguments():
    odd = np.zeros(5)
    odd[[0, 1]] = 2.0, -1.0
    for alpha, message in (
        (odd, "couplings are not even"),
        ([1.0, -1.0, -1.0], "allowed: ω² ≥ 0"),
        (1.0, "couplings = "),
        ([1.0, np.nan], "couplings has entries"),
    ):
        with pytest.raises(ValueError, match=message):
            wavefield.frequencies(alpha)
    omega = np.ones(4)
    for call in (
        lambda q: wavefield.propagate(omega, q, np.ones(4), 1.0),
        lambda q: wavefield.field(omega, q, np.ones(4)),
    ):
        for q in (np.ones(3), np.full(4, np.nan), np.ones((2, 4))):
            with pytest.raises(ValueError, match="q has "):
                call(q)
    with pytest.raises(ValueError, match="omega has shape"):
        wavefield.field(-omega, omega, omega)
    with pytest.raises(ValueError, match="omega differs at k and -k"):
        wavefield.propagate(np.arange(4.0), omega, omega, 1.0)
    for time in (math.inf, None):
        with pytest.raises(ValueError, match=f"time = {time!r}; allowed"):
            wavefield.propagate(omega, omega, omega, time)
