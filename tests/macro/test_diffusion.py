"""The heat equation and its fractional sister, against closed forms, series and integrals in many digits."""

import math

import mpmath
import numpy as np
import pytest
from scipy.special import gamma, zeta

from lattice.macro import diffusion

PLACES = (1e-3, 0.8, 3.0, 9.0, 40.0)
# The density there, for some indices: `by_quadrature` with 40 digits and a step of 0.05/a.
DENSITIES = {
    1.001: (
        0.31817525788346518,
        0.19421155396443909,
        0.031836276002015028,
        0.0038763282479810331,
        0.00019818695104409703,
    ),
    1.1: (
        0.30714095611203988,
        0.20481659146620108,
        0.032207029069622624,
        0.0033308866236161299,
        0.0001430286327986324,
    ),
    1.49: (
        0.2875887742359144,
        0.22811261187491326,
        0.031552155614154412,
        0.0014279338607116988,
        3.1334111950787261e-5,
    ),
    1.51: (
        0.28712441952654106,
        0.22881922889110324,
        0.031466204255855134,
        0.001347918005045534,
        2.860270245320068e-5,
    ),
    1.9: (
        0.28245644142328238,
        0.23862073033620725,
        0.029941757147406033,
        0.00018369441492240584,
        2.0741426451572077e-6,
    ),
    1.999: (
        0.28209730416838525,
        0.24036862427358844,
        0.029734196882079049,
        1.6275276540827848e-6,
        1.5787094492590186e-8,
    ),
}
INDICES = tuple(DENSITIES)


def by_quadrature(x, index):
    """The density by its Fourier integral along a ray in the complex plane.

    (a/πx) Im ∫ q^(a-1) exp(iqx - q^a) dq with q = r exp(iπ/4a), by the trapezoidal rule in log r.
    """
    with mpmath.workdps(25):
        x, a = mpmath.mpf(x), mpmath.mpf(index)
        ray, step = mpmath.expj(mpmath.pi / (4 * a)), 0.12 / a
        start = -max(mpmath.log(x), 0) - 45 / a
        end = min(mpmath.log(150 / x), mpmath.log(100) / a)
        total = mpmath.mpf(0)
        for j in range(int((end - start) / step) + 1):
            q = ray * mpmath.exp(start + j * step)
            total += mpmath.im(q**a * mpmath.exp(1j * q * x - q**a))
        return float(a * step * total / (mpmath.pi * x))


def amplitudes(index, terms):
    """Of the powers |x|^(-1-ka) in the asymptotic series, k = 1, 2, …; 2 - a tells the sine near index 2."""
    k = np.arange(1, terms + 1)
    return np.sin(k * np.pi * (2 - index) / 2) * gamma(k * index + 1) / (np.pi * gamma(k + 1))


def far_away(x, index, terms=8):
    k = np.arange(1, terms + 1)
    return (amplitudes(index, terms) * np.power.outer(x, -k * index - 1)).sum(axis=-1)


def test_the_densities_are_those_of_the_integral():
    for index, i in ((1.1, 1), (1.9, 2)):
        np.testing.assert_allclose(by_quadrature(PLACES[i], index), DENSITIES[index][i], rtol=1e-13)


@pytest.mark.parametrize("index", INDICES)
def test_kernel_by_quadrature(index):
    expected, x = np.array(DENSITIES[index]), np.array(PLACES)
    np.testing.assert_allclose(diffusion.heat_kernel(x, 1.0, constant=1.0, index=index), expected, rtol=1e-13)
    width = (0.7 * 5.0) ** (1 / index)
    found = diffusion.heat_kernel(-x * width, 5.0, constant=0.7, index=index)
    np.testing.assert_allclose(found, expected / width, rtol=1e-12)
    middle = gamma(1 + 1 / index) / math.pi
    found = diffusion.heat_kernel([0.0, 1e-30], 1.0, constant=1.0, index=index)
    np.testing.assert_allclose(found, middle, rtol=1e-13)


@pytest.mark.parametrize("index", INDICES)
def test_tail_of_the_stable_law(index):
    """Power laws, down to what is no float any more."""
    x = np.array([1e3, 1e4, 1e7, 1e12, 0.99e16, 1.01e16, 1e40, 1e90])
    np.testing.assert_allclose(
        diffusion.heat_kernel(x, 1.0, constant=1.0, index=index), far_away(x, index), rtol=1e-12
    )
    # the places asked for together do not matter
    alone = [diffusion.heat_kernel(place, 1.0, constant=1.0, index=index) for place in x]
    np.testing.assert_allclose(diffusion.heat_kernel(x, 1.0, constant=1.0, index=index), alone, rtol=1e-13)
    assert diffusion.heat_kernel(-1e300, 1.0, constant=1.0, index=index) == 0


def test_between_cauchy_and_gauss():
    """Near the ends of the indices; 2 - a = 1e-4 has its tail all the same.  Nearer is refused."""
    x = np.linspace(-5, 5, 41)
    cauchy = [diffusion.heat_kernel(x, 1.0, constant=1.0, index=1 + gap) for gap in (2e-4, 4e-4)]
    np.testing.assert_allclose(2 * cauchy[0] - cauchy[1], 1 / (np.pi * (1 + x**2)), rtol=1e-6)
    gauss = np.exp(-(x**2) / 4) / math.sqrt(4 * math.pi)
    np.testing.assert_allclose(diffusion.heat_kernel(x, 1.0, constant=1.0), gauss, rtol=1e-14)
    near = [diffusion.heat_kernel(x, 1.0, constant=1.0, index=2 - gap) for gap in (2e-4, 4e-4)]
    np.testing.assert_allclose(2 * near[0] - near[1], gauss, rtol=1e-4)
    assert diffusion.heat_kernel(50.0, 1.0, constant=1.0) < 1e-270
    tail = diffusion.heat_kernel(50.0, 1.0, constant=1.0, index=2 - 1e-4)
    np.testing.assert_allclose(tail, far_away(50.0, 2 - 1e-4), rtol=1e-9)
    for index in (1 + 1e-9, 2 - 1e-9):
        with pytest.raises(ValueError, match=r"index = .*; allowed: 2, or 1\.0001 to 1\.9999"):
            diffusion.heat_kernel(x, 1.0, constant=1.0, index=index)


@pytest.mark.parametrize("index", [*INDICES, 2.0])
def test_kernel_holds_a_unit(index):
    """By the trapezoidal rule in u with x = sinh u, which converges exponentially."""
    u = np.arange(-45, 45, 0.05)
    density = diffusion.heat_kernel(np.sinh(u), 1.0, constant=1.0, index=index)
    np.testing.assert_allclose(np.sum(density * np.cosh(u)) * 0.05, 1, rtol=1e-13)


@pytest.mark.parametrize("index", [1.2, 1.5, 1.8, 2.0])
def test_a_point_of_heat_becomes_the_kernel(index):
    """On a ring, with all its images: 41 of them, the others by their power law."""
    n, images = 512, 20
    x = np.arange(n) - n / 2
    found = diffusion.evolve(np.where(x == 0, 1.0, 0.0), 30.0, constant=0.4, index=index)
    places = x[:, None] + n * np.arange(-images, images + 1)
    expected = diffusion.heat_kernel(places, 30.0, constant=0.4, index=index).sum(axis=1)
    for k, amplitude in enumerate(amplitudes(index, 5), start=1):
        power = 1 + k * index
        beyond = zeta(power, images + 1 + x / n) + zeta(power, images + 1 - x / n)
        expected += amplitude * 12.0**k * float(n) ** -power * beyond
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-16)
    np.testing.assert_allclose(found.sum(), 1, rtol=1e-13)


def test_kernels_of_any_width_and_shape():
    """Width 1 from a huge and a tiny factor; a width that is no float is refused."""
    for index in (1.3, 2.0):
        unit = diffusion.heat_kernel(0.7, 1.0, constant=1.0, index=index)
        np.testing.assert_allclose(
            diffusion.heat_kernel(0.7, 1e-200, constant=1e200, index=index), unit, rtol=1e-12
        )
        x = np.linspace(-1, 1, 24).reshape(2, 3, 4)
        together = diffusion.heat_kernel(x, 2.0, constant=1.0, index=index)
        assert together.shape == x.shape
        np.testing.assert_allclose(
            together[1, 2, 3], diffusion.heat_kernel(1.0, 2.0, constant=1.0, index=index)
        )
        assert diffusion.heat_kernel(1e300, 1e-100, constant=1e-100, index=index) == 0
        for huge in (1e300, 1e-300):
            with pytest.raises(ValueError, match=r"time = .* with constant = .* wide; allowed"):
                diffusion.heat_kernel(1.0, huge, constant=huge, index=1.001)


def test_each_wave_decays_alone():
    x = 0.5 * np.arange(60)
    q = 2 * np.pi * 3 / 30
    wave = np.cos(q * x)
    for index in (1.5, 2.0):
        found = diffusion.evolve(wave, 2.0, constant=0.2, index=index, spacing=0.5)
        np.testing.assert_allclose(found, wave * math.exp(-0.2 * q**index * 2), atol=1e-13)


def test_steps_add_up():
    start = np.random.default_rng(2).random((3, 40))
    once = diffusion.evolve(start, 1.5, constant=0.7, index=1.5)
    twice = diffusion.evolve(
        diffusion.evolve(start, 1.0, constant=0.7, index=1.5), 0.5, constant=0.7, index=1.5
    )
    np.testing.assert_allclose(once, twice, atol=1e-13)
    np.testing.assert_allclose(diffusion.evolve(start, 0.0, constant=0.7), start, atol=1e-14)


def test_numbers_of_any_size():
    """No overflow on the way: what has had for ever is flat, what has had no time is unchanged."""
    profile = np.array([1.0, 2.0, 3.0, 0.0])
    for spacing in (1e-300, 1.0, 1e300):
        np.testing.assert_allclose(diffusion.evolve(profile, 0.0, constant=1e300, spacing=spacing), profile)
    np.testing.assert_allclose(diffusion.evolve(profile, 1e300, constant=1e300), 1.5)
    np.testing.assert_allclose(diffusion.evolve(profile, 1e-300, constant=1e-300, index=1.2), profile)
    np.testing.assert_allclose(diffusion.evolve(1e300 * profile, 1e9, constant=1.0), 1.5e300)
    expected = diffusion.evolve(profile, 0.5, constant=1.0)
    np.testing.assert_allclose(
        diffusion.evolve(profile, 1e300, constant=1e300, spacing=2e300**0.5 * 1e150), expected
    )


def test_bad_arguments():
    good = {"constant": 1.0, "index": 1.5, "spacing": 1.0}
    strange = (True, "1", None, 1j, math.nan, math.inf, [1.0, 2.0])
    for name, values in (
        ("constant", (0.0, -1.0, *strange)),
        ("index", (1.0, 2.5, *strange)),
        ("spacing", (0.0, -1.0, *strange)),
    ):
        for value in values:
            with pytest.raises(ValueError, match=rf"{name} = .*; allowed: a finite number above"):
                diffusion.evolve(np.ones(4), 1.0, **(good | {name: value}))
            if name != "spacing":
                with pytest.raises(ValueError, match=rf"{name} = .*; allowed: a finite number above"):
                    diffusion.heat_kernel(
                        np.ones(4), 1.0, **({"constant": 1.0, "index": 1.5} | {name: value})
                    )
    for time in (-1.0, *strange):
        with pytest.raises(ValueError, match=r"time = .*; allowed: a finite number at least 0"):
            diffusion.evolve(np.ones(4), time, constant=1.0)
    for time in (0.0, -1.0, *strange):
        with pytest.raises(ValueError, match=r"time = .*; allowed: a finite number above 0"):
            diffusion.heat_kernel(0.0, time, constant=1.0)
    for array in (
        [],
        [1.0, math.nan],
        [1j],
        ["1"],
        [True],
        [[1.0], [1.0, 2.0]],
        np.ma.masked_equal([1, 2], 2),
    ):
        with pytest.raises(ValueError, match=r"profile .*; allowed"):
            diffusion.evolve(array, 1.0, constant=1.0)
        with pytest.raises(ValueError, match=r"x .*; allowed"):
            diffusion.heat_kernel(array, 1.0, constant=1.0)
    for profile in (1.0, [1e308] * 4):
        with pytest.raises(ValueError, match=r"profile .*; allowed"):
            diffusion.evolve(profile, 1.0, constant=1.0)
