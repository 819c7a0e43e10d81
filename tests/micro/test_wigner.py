"""Wigner functions: their definition, their marginals, and a Gaussian packet known in closed form."""

import math

import numpy as np
import pytest

from lattice.micro import wigner


def fields(n, replicas=3):
    a, b = np.random.default_rng(4).normal(size=(2, replicas, n))
    return a + 1j * b


def packet(n, place, k, spread):
    y = np.arange(n)
    return (
        np.exp(-((y - place) ** 2) / (4 * spread**2) + 2j * np.pi * k * y) / (2 * np.pi * spread**2) ** 0.25
    )


def test_wigner_is_the_stated_sum():
    """Against definition (18), pair by pair, for 20 test functions of place and wave number."""
    n, psi = 9, fields(9)
    psi[:, [0, 1, 7, 8]] = 0  # so that no pair reaches round the ring
    k = np.arange(n) / n
    J = np.random.default_rng(5).normal(size=(20, 2 * n, n))
    expected = 0.0
    for y in range(n):
        for y_prime in range(n):
            waves = np.exp(2j * np.pi * k * (y_prime - y))
            pair = (psi[:, y_prime].conj() * psi[:, y]).mean()
            expected = expected + pair * np.mean(waves * J[:, y + y_prime], axis=1)
    found = np.sum(np.mean(wigner.distribution(psi) * J, axis=-1), axis=-1)
    np.testing.assert_allclose(found, expected.real, rtol=0, atol=1e-13)
    assert np.abs(found).max() > 0.1


@pytest.mark.parametrize("n", [2, 11, 12])
def test_marginals(n):
    psi = fields(n)
    W = wigner.distribution(psi)
    np.testing.assert_allclose(W.sum(axis=0), (np.abs(np.fft.fft(psi)) ** 2).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(W.mean(axis=1)[::2], (np.abs(psi) ** 2).mean(axis=0), atol=1e-13)
    np.testing.assert_allclose(W.mean(axis=1)[1::2], 0, atol=1e-13)
    np.testing.assert_allclose(wigner.distribution(psi[0])[:, 0], wigner.distribution(psi[:1])[:, 0])


def test_it_moves_with_the_field():
    """Shifted by a site, and by a wave number, W is shifted."""
    psi = fields(10)
    W = wigner.distribution(psi)
    np.testing.assert_allclose(
        wigner.distribution(np.roll(psi, 1, axis=-1)), np.roll(W, 2, axis=0), atol=1e-12
    )
    turned = psi * np.exp(2j * np.pi * np.arange(10) / 10)
    np.testing.assert_allclose(wigner.distribution(turned), np.roll(W, 1, axis=1), atol=1e-12)


def test_smoothed_packet():
    """A Gaussian packet becomes one of variances s² + σ² in place and (1/s² + 1/σ²)/16π² in wave number."""
    n, place, k0, s, sigma = 256, 100.0, 0.25, 6.0, 4.0
    places = np.array([85.0, 95.5, 100.0, 110.0])
    W = wigner.husimi(packet(n, place, k0, s), places, width=sigma)
    k = np.arange(n) / n
    in_place = np.exp(-((places - place) ** 2) / (2 * (s**2 + sigma**2))) / math.sqrt(
        2 * np.pi * (s**2 + sigma**2)
    )
    variance = (1 / s**2 + 1 / sigma**2) / (16 * np.pi**2)
    # place and wave number are correlated only through the phase, which the modulus forgets
    in_k = np.exp(-((k - k0) ** 2) / (2 * variance)) / math.sqrt(2 * np.pi * variance)
    np.testing.assert_allclose(W, in_place[:, None] * in_k, atol=1e-10)
    assert W.min() >= 0
    np.testing.assert_allclose(W.mean(axis=1), in_place, rtol=1e-6)


def test_smoothing_is_an_average_of_wigner():
    """Near an edge-free field the smeared exact W is the positive one: Gaussians of σ and 1/4πσ."""
    n, sigma, x = 64, 3.0, 30.0
    psi = packet(n, 28.0, 0.3, 2.5) + 0.7 * packet(n, 36.0, 0.2, 2.0)
    W = wigner.distribution(psi)
    away = np.arange(2 * n) / 2 - x
    in_place = W.T @ (np.exp(-(away**2) / (2 * sigma**2)) / math.sqrt(2 * np.pi * sigma**2))
    z = np.fft.fftfreq(n, 1 / n)
    expected = np.fft.ifft(np.fft.fft(in_place) * np.exp(-(z**2) / (8 * sigma**2))).real
    np.testing.assert_allclose(wigner.husimi(psi, [x], width=sigma)[0], expected, atol=1e-6)
    assert W.min() < -0.1  # the exact one is negative between the packets


def test_bad_arguments():
    for field in ([], [1.0, np.nan]):
        with pytest.raises(ValueError, match="field has "):
            wigner.distribution(field)
    psi = np.ones(16)
    for width in (0.1, 2.5, math.nan, "1"):
        with pytest.raises(ValueError, match=f"width = {width!r}.*; allowed"):
            wigner.husimi(psi, [0.0], width=width)
    for places in (1.0, [math.inf]):
        with pytest.raises(ValueError, match="places has "):
            wigner.husimi(psi, places, width=1.0)
