"""Normal modes: closed forms, tiny dense systems and products of frequencies as oracles."""

import math

import numpy as np
import pytest

from lattice import Bond, Chain, Pin
from lattice.modes import normal_modes
from lattice.waves import dispersion, wave_numbers

SIXTEEN = np.arange(16) / 32  # wave numbers of 16 sites with free ends


@pytest.mark.parametrize("ends", ["fixed", "free"])
def test_normal_modes_of_open_chains(ends):
    # standing waves: k = a/2(n+1) between walls, k = a/2n between free ends
    n = 9
    chain = Chain(n, Bond(chi=1.3), Pin(chi=0.4), boundary=ends)
    k = np.arange(1, n + 1) / (2 * (n + 1)) if ends == "fixed" else np.arange(n) / (2 * n)
    modes = normal_modes(chain)
    np.testing.assert_allclose(modes.frequencies, dispersion(chain, k), rtol=1e-12)
    np.testing.assert_allclose(modes.shapes @ modes.shapes.T, np.eye(n), atol=1e-13)
    rebuilt = modes.shapes.T @ np.diag(modes.frequencies**2) @ modes.shapes
    np.testing.assert_allclose(rebuilt, chain.stiffness_matrix(), atol=1e-13)


def test_normal_modes_of_a_disordered_chain_and_its_translation():
    chain = Chain(6, Bond(chi=[1.0, 2.0, 0.5, 3.0, 1.5]), boundary="free")
    modes = normal_modes(chain)
    assert modes.frequencies[0] == 0.0
    np.testing.assert_allclose(np.abs(modes.shapes[0]), 6**-0.5, rtol=1e-12)


@pytest.mark.parametrize("pin", [1e-8, 1e-14, 1e-30, 1e-200])
def test_soft_modes_to_twelve_digits(pin):
    """A pin holds a chain however soft it is: open, uniform and with coefficients of the same value."""
    expected = np.sqrt(pin + 4 * 1.3 * np.sin(np.pi * SIXTEEN) ** 2)
    for bond in (Bond(chi=1.3), Bond(chi=np.full(15, 1.3))):
        modes = normal_modes(Chain(16, bond, Pin(chi=pin), "free"))
        np.testing.assert_allclose(modes.frequencies, expected, rtol=1e-12)
        np.testing.assert_allclose(modes.shapes @ modes.shapes.T, np.eye(16), atol=1e-13)
        np.testing.assert_allclose(np.abs(modes.shapes[0]), 0.25, rtol=1e-12)
    ring = normal_modes(Chain(16, Bond(chi=np.full(16, 1.3)), Pin(chi=pin)))
    expected = np.sort(dispersion(Chain(16, Bond(chi=1.3), Pin(chi=pin)), wave_numbers(16)))
    np.testing.assert_allclose(ring.frequencies, expected, rtol=1e-12)


@pytest.mark.parametrize("pin", [1.0, 1e-14, 1e-100])
@pytest.mark.parametrize("site", [0, 3, 9])
def test_one_pin_holds_a_disordered_chain(pin, site):
    """Kirchhoff: the product of the ω² of a line held at one site is the pin times all the χ."""
    chi = 10.0 ** np.random.default_rng(site).uniform(-4, 4, 9)
    pins = np.zeros(10)
    pins[site] = pin
    frequencies = normal_modes(Chain(10, Bond(chi=chi), Pin(chi=pins), "free")).frequencies
    assert frequencies[0] > 0
    expected = math.log(pin) + np.log(chi).sum()
    assert abs(2 * np.log(frequencies).sum() - expected) < 1e-10


@pytest.mark.parametrize("pin", [1.0, 1e-14, 1e-100])
def test_one_pin_holds_a_disordered_ring(pin):
    """The same with all but one of the χ, in turn: a ring of bonds falls into lines."""
    chi = 10.0 ** np.random.default_rng(1).uniform(-3, 3, 9)
    pins = np.zeros(9)
    pins[4] = pin
    frequencies = normal_modes(Chain(9, Bond(chi=chi), Pin(chi=pins))).frequencies
    expected = math.log(pin) + np.log(chi).sum() + math.log(np.sum(1 / chi))
    assert abs(2 * np.log(frequencies).sum() - expected) < 1e-10


@pytest.mark.parametrize(
    ("chain", "parts"),
    [
        (Chain(5, boundary="free"), [[0, 1, 2, 3, 4]]),
        (Chain(5, boundary="fixed"), []),
        (Chain(5), [[0, 1, 2, 3, 4]]),
        (Chain(5, pin=Pin(chi=1e-300)), []),
        (Chain(5, Bond(chi=1e-300)), [[0, 1, 2, 3, 4]]),
        (Chain(4, Bond(chi=0.0)), [[0], [1], [2], [3]]),
        (Chain(5, Bond(chi=[1, 0, 2, 1]), boundary="free"), [[0, 1], [2, 3, 4]]),
        (Chain(5, Bond(chi=[1, 0, 1, 1, 1])), [[0, 1, 2, 3, 4]]),  # a ring cut once is a line
        (Chain(5, Bond(chi=[1, 0, 1, 0, 1])), [[0, 1, 4], [2, 3]]),
        (Chain(5, Bond(chi=[1, 0, 1, 1, 0])), [[0, 1], [2, 3, 4]]),
        (Chain(5, Bond(chi=[1, 0, 1, 0, 1]), Pin(chi=[0, 0, 0, 0, 1e-9])), [[2, 3]]),
        (Chain(5, Bond(chi=[1, 1, 0, 1, 0, 1]), boundary="fixed"), [[2, 3]]),
        (Chain(5, Bond(chi=[0, 1, 0, 1, 1, 1]), boundary="fixed"), [[0, 1]]),
        (Chain(5, Bond(chi=[1, 0, 1, 1, 0]), boundary=("free", "fixed")), [[0, 1], [2, 3, 4]]),
        (Chain(5, Bond.rotor(), Pin(J=1.0)), []),
        (Chain(3, Bond(beta=1.0)), [[0], [1], [2]]),  # at rest nothing holds
        (Chain(4, Bond(chi=[2, -0.25, 2]), Pin(chi=[9, 1, 1, 9]), "free"), []),
    ],
    ids=str,
)
def test_what_no_pin_and_no_wall_holds_is_free(chain, parts):
    """One translation for each such part: its frequency is 0 exactly, its shape constant; no other is 0."""
    modes = normal_modes(chain)
    free = modes.frequencies == 0
    shapes = sorted(modes.shapes[free].tolist(), reverse=True)
    assert shapes == [[(j in part) / math.sqrt(len(part)) for j in range(chain.n)] for part in parts]
    assert np.all(np.diff(modes.frequencies) >= 0)
    np.testing.assert_allclose(modes.shapes @ modes.shapes.T, np.eye(chain.n), atol=1e-13)
    rebuilt = modes.shapes.T @ np.diag(modes.frequencies**2) @ modes.shapes
    stiffness = chain.stiffness_matrix()
    np.testing.assert_allclose(rebuilt, stiffness, atol=1e-13 * max(np.abs(stiffness).max(), 1e-300))


def test_a_negative_stiffness_may_cancel_a_pin():
    """χ < 0 and ω₀² = -4χ: the wave k = ½ costs nothing, up to rounding of either sign."""
    for n in range(4, 60, 2):
        soft = normal_modes(Chain(n, Bond(chi=np.full(n, -0.25)), Pin(chi=1.0)))
        assert np.flatnonzero(soft.frequencies == 0).tolist() == [0]
    soft = normal_modes(Chain(12, Bond(chi=np.full(12, -0.25)), Pin(chi=1.0)))
    np.testing.assert_allclose(np.abs(soft.shapes[0]), 12**-0.5, rtol=1e-12)
    np.testing.assert_allclose(soft.frequencies[1:3], np.cos(np.pi * 5 / 12), rtol=1e-12)
    with pytest.raises(ValueError, match="chain has a mode of ω² = -1"):
        normal_modes(Chain(12, Bond(chi=np.full(12, -0.25)), Pin(chi=1 - 1e-10)))


def test_very_many_modes_are_refused():
    with pytest.raises(ValueError, match=r"chain = .* needs 1\.0e\+15 steps; allowed"):
        normal_modes(Chain(10**5))
