"""Waves: closed forms, tiny dense systems and energies as oracles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice.model import Bond, Chain, Pin, energy
from lattice.waves import (
    dispersion,
    fourier,
    group_velocity,
    inverse_fourier,
    mode_energy,
    normal_modes,
    wave_action,
    wave_field,
    wave_numbers,
)

PINNED = Chain(12, Bond(chi=1.3), Pin(chi=0.4))
UNPINNED = Chain(12, Bond(chi=1.3))


def test_wave_numbers_cover_one_zone():
    assert wave_numbers(4).tolist() == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("n", [0, -3, 2.0, True])
def test_wave_numbers_reject(n):
    with pytest.raises(ValueError, match=r"n = .*; allowed: a positive integer"):
        wave_numbers(n)


def test_fourier_is_the_stated_sum():
    rng = np.random.default_rng(1)
    f = rng.normal(size=(2, 7))
    y = np.arange(7)
    k = wave_numbers(7)
    direct = (np.exp(-2j * np.pi * k[:, None] * y) * f[:, None, :]).sum(axis=-1)
    np.testing.assert_allclose(fourier(f), direct, atol=1e-13)
    np.testing.assert_allclose(inverse_fourier(fourier(f)), f, atol=1e-14)


@pytest.mark.parametrize("chain", [PINNED, UNPINNED])
def test_dispersion_is_the_spectrum_of_the_ring(chain):
    squares = np.linalg.eigvalsh(chain.stiffness_matrix())
    np.testing.assert_allclose(np.sort(dispersion(chain, wave_numbers(12)) ** 2), squares, atol=1e-13)


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


@given(k=st.floats(0.02, 0.98), pin=st.sampled_from([0.0, 0.4]))
def test_group_velocity_is_the_slope(k, pin):
    chain = Chain(8, Bond(chi=1.3), Pin(chi=pin))
    h = 1e-5
    slope = (dispersion(chain, k + h) - dispersion(chain, k - h)) / (2 * h)
    assert abs(group_velocity(chain, k) - slope / (2 * np.pi)) < 1e-7


def test_group_velocity_at_the_edges():
    assert group_velocity(PINNED, 0.0) == 0.0
    assert group_velocity(UNPINNED, 0.0) == 0.0
    assert abs(group_velocity(UNPINNED, 1e-9) - np.sqrt(1.3)) < 1e-8
    assert abs(group_velocity(UNPINNED, -1e-9) + np.sqrt(1.3)) < 1e-8
    assert group_velocity(UNPINNED, [1.0, -1.0, 2.0]).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("chain", [PINNED, UNPINNED])
def test_field_and_modes_carry_the_energy(chain):
    rng = np.random.default_rng(2)
    q, p = rng.normal(size=(2, 3, 12))
    total = energy(chain, q, p)
    np.testing.assert_allclose((np.abs(wave_field(chain, q, p)) ** 2).sum(axis=-1), total, rtol=1e-12)
    np.testing.assert_allclose(mode_energy(chain, q, p).mean(axis=-1) * 12, total, rtol=1e-12)


def test_field_turns_at_its_frequency():
    # one pinned normal mode, moved by hand: q = a cos(2πky − ωt), p = its time derivative
    k, t, y = 2 / 12, 0.7, np.arange(12)
    omega = dispersion(PINNED, k)

    def state(t):
        phase = 2 * np.pi * k * y - omega * t
        return np.cos(phase), omega * np.sin(phase)

    before, after = wave_field(PINNED, *state(0.0)), wave_field(PINNED, *state(t))
    np.testing.assert_allclose(after, np.exp(-1j * omega * t) * before, atol=1e-13)


def test_wave_action_is_energy_over_frequency():
    rng = np.random.default_rng(3)
    q, p = rng.normal(size=(2, 12))
    omega = dispersion(UNPINNED, wave_numbers(12))
    np.testing.assert_allclose(wave_action(UNPINNED, q, p) * omega, [0.0, *mode_energy(UNPINNED, q, p)[1:]])


def test_rejections():
    uneven = Chain(4, Bond(chi=[1.0, 1.0, 1.0, 2.0]))
    with pytest.raises(ValueError, match="allowed: a uniform chain"):
        dispersion(uneven, 0.1)
    with pytest.raises(ValueError, match="allowed: ω² ≥ 0"):
        group_velocity(Chain(4, Bond(chi=-1.0)), 0.1)
    for call in (dispersion, group_velocity):
        with pytest.raises(ValueError, match=r"k = .*; allowed: finite wave numbers"):
            call(PINNED, [0.1, np.nan])
    with pytest.raises(ValueError, match="ω² ≥ 0 for every mode"):
        normal_modes(Chain(4, Bond(chi=-1.0)))
    with pytest.raises(ValueError, match="boundary 'periodic'"):
        wave_field(Chain(4, boundary="free"), np.zeros(4), np.zeros(4))
    with pytest.raises(ValueError, match="no anharmonic coefficient"):
        wave_field(Chain(4, Bond.fput(beta=1.0)), np.zeros(4), np.zeros(4))
    with pytest.raises(ValueError, match=r"p has shape \(5,\); allowed: \(\.\.\., 4\)"):
        wave_field(Chain(4), np.zeros(4), np.zeros(5))


def test_group_velocity_where_the_edge_of_the_zone_is_soft():
    """χ < 0 and a pin with ω(½) = 0."""
    soft = Chain(12, Bond(chi=-0.25), Pin(chi=1.0))
    assert group_velocity(soft, 0.5) == 0
    assert np.isfinite(group_velocity(soft, wave_numbers(12))).all()
