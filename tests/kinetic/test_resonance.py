"""Resonant manifolds: every root is one, none is missing, and the Jacobians are derivatives."""

import numpy as np
import pytest

from lattice import Bond, Chain, Crystal, Pin, dispersion
from lattice.kinetic import resonance

PINS = [0.0, 1e-6, 0.5, 30.0]


def chain_of(pin, chi=1.7):
    return Chain(8, Bond(chi=chi), Pin(chi=pin))


def circle(a, b):
    """Distance of wave numbers."""
    return np.abs(np.mod(np.asarray(a) - b + 0.5, 1.0) - 0.5)


@pytest.mark.parametrize("pin", PINS)
def test_four_phonons_conserve_and_are_no_exchange(pin):
    chain = chain_of(pin)
    k1, k3 = np.random.default_rng(1).random((2, 20_000))
    found = resonance.four_phonons(chain, k1, k3)
    omega = [dispersion(chain, k) for k in (k1, found.k2, k3, found.k4)]
    assert np.abs(omega[0] + omega[1] - omega[2] - omega[3]).max() < 1e-14 * omega[0].max() * 4
    assert circle(k1 + found.k2, k3 + found.k4).max() < 1e-14
    assert np.median(circle(found.k2, k3)) > 0.05  # the exchange would be 0
    assert ((found.k2 >= 0) & (found.k2 < 1) & (found.k4 >= 0) & (found.k4 < 1)).all()


@pytest.mark.parametrize("pin", PINS)
def test_four_phonons_misses_no_root(pin):
    """All sign changes of the energy along the circle: the exchange, the partner, and nothing else."""
    chain = chain_of(pin)
    scan = (np.arange(40_000) + 0.31) / 40_000
    for k1, k3 in ((0.07, 0.31), (0.13, 0.88), (0.42, 0.47), (0.91, 0.22), (0.501, 0.98)):
        energy = dispersion(chain, k1) + dispersion(chain, scan) - dispersion(chain, k3)
        energy -= dispersion(chain, k1 + scan - k3)
        roots = scan[np.flatnonzero(energy * np.roll(energy, -1) < 0)]
        partner = float(resonance.four_phonons(chain, k1, k3).k2)
        assert len(roots) == 2
        for expected in (partner, k3):
            assert circle(roots, expected).min() < 1e-4


@pytest.mark.parametrize("pin", PINS)
def test_jacobians_of_four_phonons_are_derivatives(pin):
    chain, h = chain_of(pin), 1e-5
    k1, k3 = np.random.default_rng(2).uniform(0.05, 0.95, (2, 2000))
    found = resonance.four_phonons(chain, k1, k3)

    def slope(k):
        return (dispersion(chain, k + h) - dispersion(chain, k - h)) / (2 * h)

    away = np.minimum(circle(found.k2, 0), circle(found.k4, 0)) > 0.01  # of the kink of an unpinned chain
    for jacobian, pair in ((found.jacobian, (found.k2, found.k4)), (found.balance, (k1, k3))):
        exact = np.abs(slope(pair[0]) - slope(pair[1]))
        np.testing.assert_allclose(jacobian[away], exact[away], atol=3e-6 * exact.max())


def test_four_phonons_of_fput_in_the_form_of_the_literature():
    """Without a pin: the closed form that Lukkarinen and Spohn use for the chain of FPUT."""
    k1, k3 = np.random.default_rng(3).random((2, 5000))
    x, z = 2 * np.pi * k1, 2 * np.pi * k3
    half = 2 * np.arcsin(np.tan(np.abs(z - x) / 4) * np.cos((z + x) / 4))
    found = resonance.four_phonons(Chain(8), k1, k3)
    assert circle(found.k2, ((z - x) / 2 + half) / (2 * np.pi)).max() < 1e-6  # arcsin near ±1
    # long waves on either side of 0, where ω(p/2) and Ω/2 nearly agree
    k1, k3 = np.array([3e-7, 1e-6]), np.array([-2e-7, -3e-6])
    x, z = 2 * np.pi * k1, 2 * np.pi * (k3 + 1)
    half = 2 * np.arcsin(np.tan((z - x) / 4) * np.cos((z + x) / 4))
    expected = ((z - x) / 2 + half) / (2 * np.pi)
    assert (circle(expected, k3) > 0.1).all()
    assert circle(resonance.four_phonons(Chain(8), k1, k3).k2, expected).max() < 1e-9


def test_four_phonons_touch_the_exchange_where_the_jacobian_vanishes():
    """At k₂ = k₃, k₁ = k₃ and k₁ + k₂ = 0; forward scattering has a partner with the same velocity."""
    chain = chain_of(0.5)
    forward = resonance.four_phonons(chain, 0.3, 0.3)
    assert forward.jacobian == forward.balance == 0
    assert circle(forward.k2, 0.3) > 0.05
    near = resonance.four_phonons(chain, 0.3, 0.3 + 1e-6)
    assert circle(near.k2, forward.k2) < 1e-5
    for shift in (0.0, 3.0, -2.0):
        moved = resonance.four_phonons(chain, 0.15 + shift, 0.4)
        assert circle(moved.k2, resonance.four_phonons(chain, 0.15, 0.4).k2) < 1e-14


def test_refusals_of_four_phonons():
    with pytest.raises(ValueError, match="k1 has integers"):
        resonance.four_phonons(Chain(8), [0.1, 2.0], 0.3)
    with pytest.raises(ValueError, match=r"k1 has shape .* fit together"):
        resonance.four_phonons(chain_of(1.0), [0.1, 0.2], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="positive stiffness"):
        resonance.four_phonons(Chain(8, Bond(chi=0.0), Pin(chi=1.0)), 0.1, 0.2)


PLANES = [  # χ_L, χ_T, and the pins of both branches
    (4.0, 1.0, 0.0, 0.0),
    (4.0, 1.0, 2.0, 0.25),
    (2.5, 1.0, 0.3, 0.2),
    (1.3, 0.7, 0.0, 0.1),
    (3.0, 1.0, 6.0, 0.0),
    (1.5, 1.0, 7.0, 2.0),  # no decays
    (9.0, 1.0, 1.0, 0.01),
]


def plane_of(along, across, pin_along, pin_across):
    bonds = {1: (Bond(chi=along), Bond(chi=across))}
    return Crystal((8,), bonds, (Pin(chi=pin_along), Pin(chi=pin_across)), components=2)


def branch(crystal, i, k):
    return dispersion(crystal, k[..., None])[i] if np.size(k) else k


def check_conserved(crystal, found, within):
    """Frequencies add up, and wave numbers up to an integer."""
    off = branch(crystal, 0, found.k) - branch(crystal, 1, found.k1) - branch(crystal, 1, found.k2)
    assert np.abs(off).max(initial=0) < within
    assert circle(found.k1 + found.k2, found.k).max(initial=0) < 1e-14


@pytest.mark.parametrize("laws", PLANES)
def test_decays_conserve_and_none_is_missed(laws):
    """Against all sign changes of the energy on a scan of k₁: both orders of each pair, and nothing else."""
    crystal = plane_of(*laws)
    k = np.random.default_rng(11).uniform(0.001, 0.999, 150)
    found = resonance.decays(crystal, k)
    np.testing.assert_array_equal(found.k, k[found.which])
    check_conserved(crystal, found, 1e-13)
    assert (found.k1 >= found.k2).all()
    assert (found.umklapp == (np.abs(found.k1 + found.k2 - found.k) > 0.5)).all()

    scan = (np.arange(20_000) + 0.317) / 20_000
    energy = branch(crystal, 0, k)[:, None] - branch(crystal, 1, scan)
    energy -= branch(crystal, 1, k[:, None] - scan)
    changes = (energy * np.roll(energy, -1, axis=1) < 0).sum(axis=1)
    number = np.bincount(found.which, minlength=len(k))
    clear = np.abs(energy).min(axis=1) * 20_000 > 1e-2  # of a pair of roots closer than the scan sees
    clear |= changes == 2 * number
    assert clear.all()
    assert (changes.sum() == 0) == (laws[3] == 2.0)


@pytest.mark.parametrize("laws", PLANES)
def test_fusions_are_decays_and_none_is_missed(laws):
    crystal = plane_of(*laws)
    k1 = np.random.default_rng(12).uniform(0.001, 0.999, 150)
    found = resonance.fusions(crystal, k1)
    np.testing.assert_array_equal(found.k1, k1[found.which])
    check_conserved(crystal, found, 1e-12)
    if len(found.k):
        again = resonance.decays(crystal, found.k)
        for i, pair in enumerate(np.sort([found.k1, found.k2], axis=0).T):
            same = again.which == i
            away = np.hypot(again.k2[same] - pair[0], again.k1[same] - pair[1])
            assert away.min() < 1e-6

    scan = (np.arange(20_000) + 0.317) / 20_000
    energy = branch(crystal, 0, k1[:, None] + scan) - branch(crystal, 1, k1)[:, None]
    energy -= branch(crystal, 1, scan)
    changes = (energy * np.roll(energy, -1, axis=1) < 0).sum(axis=1)
    differ = changes != np.bincount(found.which, minlength=len(k1))
    assert (np.abs(energy[differ]).min(axis=1, initial=1) * 20_000 < 1e-2).all()


@pytest.mark.parametrize("pins", [(0.0, 1e-12), (0.0, 1e-6), (1e-6, 0.0), (1e-10, 1e-10), (1e-6, 1e-6)])
def test_fusions_of_the_longest_waves(pins):
    """With weak pins, on a scan that is finer the closer it comes to 0."""
    crystal = plane_of(4.0, 1.0, *pins)
    k1, half = np.geomspace(1e-10, 0.499, 100), np.geomspace(1e-12, 0.5, 4000)
    scan = np.concatenate([-half[::-1], [0.0], half])
    energy = branch(crystal, 0, k1[:, None] + scan) - branch(crystal, 1, k1)[:, None]
    energy -= branch(crystal, 1, scan)
    changes = (energy[:, 1:] * energy[:, :-1] < 0).sum(axis=1)
    assert changes.max() == 2
    np.testing.assert_array_equal(np.bincount(resonance.fusions(crystal, k1).which, minlength=100), changes)


@pytest.mark.parametrize("laws", PLANES)
def test_jacobians_of_three_phonons_are_derivatives(laws):
    crystal, h = plane_of(*laws), 1e-5
    k = np.random.default_rng(13).uniform(0.05, 0.95, 400)

    def slope(i, k):
        return (branch(crystal, i, k + h) - branch(crystal, i, k - h)) / (2 * h)

    decays, fusions = resonance.decays(crystal, k), resonance.fusions(crystal, k)
    for found, exact in (
        (decays, slope(1, decays.k1) - slope(1, decays.k2)),
        (fusions, slope(0, fusions.k) - slope(1, fusions.k2)),
    ):
        kink = np.min([circle(one, 0) for one in (found.k, found.k1, found.k2)], axis=0) < 1e-3
        np.testing.assert_allclose(found.jacobian[~kink], np.abs(exact[~kink]), rtol=1e-6, atol=1e-6)


def test_three_phonons_without_pins_in_closed_form():
    """cos(πδ/2) = √(χ_L/χ_T) cos(πk/2), and tan(πk₁/2) tan(πk₂/2) is the same for all pairs."""
    crystal, ratio = plane_of(3.0, 1.2, 0.0, 0.0), np.sqrt(3.0 / 1.2)
    edge = 2 / np.pi * np.arccos(1 / ratio)
    np.testing.assert_allclose(resonance.decay_ranges(crystal), [[edge, 1.0]], rtol=1e-14)
    k = np.linspace(edge, 1, 50)[1:-1]
    delta = 2 / np.pi * np.arccos(ratio * np.cos(np.pi * k / 2))
    for wave, pair in (
        (k, [(k + delta) / 2, (k - delta) / 2]),
        (1 - k, [1 - (k - delta) / 2, 1 - (k + delta) / 2]),
    ):
        found = resonance.decays(crystal, wave)
        mine = found.umklapp == (wave is not k)
        np.testing.assert_allclose([found.k1[mine], found.k2[mine]], pair, atol=1e-13)
    k1 = np.linspace(0, 1, 40)[1:-1]
    found = resonance.fusions(crystal, k1)
    product = np.tan(np.pi * found.k1 / 2) * np.tan(np.pi * found.k2 / 2)
    small = (ratio - 1) / (ratio + 1)
    assert (np.bincount(found.which) == 2).all()
    np.testing.assert_allclose(product, np.where(found.umklapp, 1 / small, small), rtol=1e-12)


@pytest.mark.parametrize("laws", PLANES)
def test_ranges_of_decay(laws):
    """A wave has as many decays as there are ranges that it lies in, one of the two roots mirrored."""
    crystal = plane_of(*laws)
    ranges = resonance.decay_ranges(crystal)
    k = (np.arange(4001) + 0.5) / 4001
    number = np.bincount(resonance.decays(crystal, k).which, minlength=len(k))
    inside = sum(((low < one) & (one < high)).astype(int) for low, high in ranges for one in (k, 1 - k))
    np.testing.assert_array_equal(number, inside if len(ranges) else 0)


def test_an_optical_wave_at_rest_decays_back_to_back():
    crystal = plane_of(3.0, 1.0, 6.0, 0.5)
    found = resonance.decays(crystal, [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(found.which, [0, 1, 2])
    np.testing.assert_allclose(found.k1 + found.k2, 1.0, rtol=1e-14)
    np.testing.assert_allclose(4 * (0.5 + 4 * np.sin(np.pi * found.k1) ** 2), 6.0, rtol=1e-12)
    assert not len(resonance.decays(plane_of(4.0, 1.0, 0.0, 0.0), 0.0).k)


def test_refusals_of_three_phonons():
    for other in (
        Crystal((8,)),
        Crystal((8,), {1: (Bond(chi=1.0), Bond(chi=2.0))}, components=2),
        Crystal((8,), {2: (Bond(chi=2.0), Bond(chi=1.0))}, components=2),
        Crystal((8, 8), pin=(Pin(chi=1.0), Pin(chi=2.0))),
    ):
        for function, rest in (
            (resonance.decays, (0.3,)),
            (resonance.fusions, (0.3,)),
            (resonance.decay_ranges, ()),
        ):
            with pytest.raises(ValueError, match="allowed: a chain in a plane"):
                function(other, *rest)
