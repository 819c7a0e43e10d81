"""The heat equation and its fractional sister, against closed forms and quadrature."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special

from lattice.macro import diffusion


def ring_and_line(index):
    x = np.arange(512) - 256.0
    point = np.where(x == 0, 1.0, 0.0)
    spread = diffusion.spread(point, 30.0, constant=0.4, index=index)
    return spread, diffusion.kernel(x, 30.0, constant=0.4, index=index)


@pytest.mark.parametrize("index", [2.0, 1.8])
def test_a_point_of_heat_becomes_the_kernel(index):
    """On a ring as long as this, up to the images beyond it: |x|^(-1-a) at twice the half length."""
    spread, kernel = ring_and_line(index)
    np.testing.assert_allclose(spread, kernel, atol=1e-12 if index == 2 else 1e-5)
    np.testing.assert_allclose(spread.sum(), 1, rtol=1e-13)
    assert np.abs(spread - ring_and_line(1.5)[0]).max() > 1e-3


def test_kernel_by_quadrature_and_in_the_middle():
    for x in (0.0, 3.0, 40.0):
        found = scipy.integrate.quad(
            lambda q, x=x: math.cos(q * x) * math.exp(-0.7 * 5 * q**1.5), 0, 12, limit=400
        )
        np.testing.assert_allclose(
            diffusion.kernel(x, 5.0, constant=0.7, index=1.5), found[0] / math.pi, rtol=1e-5, atol=1e-9
        )
    middle = scipy.special.gamma(1 + 1 / 1.5) / (math.pi * (0.7 * 5) ** (1 / 1.5))
    np.testing.assert_allclose(diffusion.kernel(0.0, 5.0, constant=0.7, index=1.5), middle, rtol=1e-10)


def test_tail_of_the_stable_law():
    """sin(πa/2) Γ(1 + a) c t / π |x|^(1 + a)."""
    x = 3000.0
    tail = math.sin(0.75 * math.pi) * scipy.special.gamma(2.5) * 2.0 / (math.pi * x**2.5)
    np.testing.assert_allclose(diffusion.kernel(x, 2.0, constant=1.0, index=1.5), tail, rtol=1e-3)


def test_kernels_scale():
    x = np.linspace(-5, 5, 7)
    for index in (1.5, 2.0):
        unit = diffusion.kernel(x, 1.0, constant=0.3, index=index)
        late = diffusion.kernel(x * 8 ** (1 / index), 8.0, constant=0.3, index=index)
        np.testing.assert_allclose(late * 8 ** (1 / index), unit, rtol=1e-6)


def test_each_wave_decays_alone():
    x = 0.5 * np.arange(60)
    q = 2 * np.pi * 3 / 30
    wave = np.cos(q * x)
    for index in (1.5, 2.0):
        found = diffusion.spread(wave, 2.0, constant=0.2, index=index, spacing=0.5)
        np.testing.assert_allclose(found, wave * math.exp(-0.2 * q**index * 2), atol=1e-13)


def test_steps_add_up():
    start = np.random.default_rng(2).random((3, 40))
    once = diffusion.spread(start, 1.5, constant=0.7, index=1.5)
    twice = diffusion.spread(
        diffusion.spread(start, 1.0, constant=0.7, index=1.5), 0.5, constant=0.7, index=1.5
    )
    np.testing.assert_allclose(once, twice, atol=1e-13)
    np.testing.assert_allclose(diffusion.spread(start, 0.0, constant=0.7), start, atol=1e-14)


def test_bad_arguments():
    good = {"constant": 1.0, "index": 1.5, "spacing": 1.0}
    for name, values in (
        ("constant", (0.0, -1.0, math.nan, "1")),
        ("index", (1.0, 2.5, "2")),
        ("spacing", (0.0,)),
    ):
        for value in values:
            with pytest.raises(ValueError, match=f"{name} = {value!r}; allowed"):
                diffusion.spread(np.ones(4), 1.0, **(good | {name: value}))
    for time in (-1.0, math.inf, None):
        with pytest.raises(ValueError, match=f"time = {time!r}; allowed"):
            diffusion.spread(np.ones(4), time, constant=1.0)
    with pytest.raises(ValueError, match=r"time = 0\.0; allowed"):
        diffusion.kernel(0.0, 0.0, constant=1.0)
    for profile in (1.0, [], [1.0, math.nan]):
        with pytest.raises(ValueError, match=r"profile = .*; allowed"):
            diffusion.spread(profile, 1.0, constant=1.0)
