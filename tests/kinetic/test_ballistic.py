"""Free phonons between two ends: closed forms and exact solutions of the wave equation."""

import numpy as np
import pytest

from lattice import Bond, Chain, Langevin, Pin
from lattice.kinetic import ballistic


@pytest.mark.parametrize("end", ["fixed", "free"])
@pytest.mark.parametrize("pin", [0.0, 0.5])
def test_absorption_is_one_minus_reflection(end, pin):
    """The reflected amplitude from the wave equation itself, solved on four sites next to the end."""
    chi, friction, k = 1.3, 0.7, 0.17
    chain = Chain(4, Bond(chi=chi), Pin(chi=pin), boundary=end)
    omega = np.sqrt(pin + 4 * chi * np.sin(np.pi * k) ** 2)
    incoming, outgoing = (np.exp(sign * 2j * np.pi * k * np.arange(1, 6)) for sign in (-1, 1))
    # unknowns: q_1..q_4 and R; sites 1..4 obey Newton, site 5 lies on the wave
    system = np.zeros((5, 5), complex)
    right = np.zeros(5, complex)
    for j in range(4):
        neighbours = 1 if (end == "free" and j == 0) else 2
        system[j, j] = -(omega**2) + pin + neighbours * chi - (1j * omega * friction if j == 0 else 0)
        if j > 0:
            system[j, j - 1] = -chi
        if j < 3:
            system[j, j + 1] = -chi
        else:
            system[j, 4], right[j] = -chi * outgoing[4], chi * incoming[4]
    system[4, 3], system[4, 4], right[4] = 1, -outgoing[3], incoming[3]
    reflected = np.linalg.solve(system, right)[4]
    exact = 1 - abs(reflected) ** 2
    assert 0.01 < exact < 0.99
    assert abs(ballistic.absorption(chain, friction, k, end=end) - exact) < 1e-12


@pytest.mark.parametrize(
    ("chi", "pin", "friction"),
    [
        (1.3, 0.5, 0.7),
        (1.3, 0.5, 1.0),
        (1.0, 1e-7, 1e4),
        (1.0, 1e-7, 1e-3),
        (2.0, 1e4, 1e-4),
        (1e-6, 1.0, 1e3),
        (1.0, 0.0, 1e12),
        (1.0, 1e-14, 1e12),
    ],
)
def test_current_between_walls_in_closed_form(chi, pin, friction):
    """To round-off, however far apart the scales of springs, pins and friction lie."""
    chain = Chain(2, Bond(chi=chi), Pin(chi=pin), boundary="fixed")
    beyond = pin / (2 * chi) + chi / (2 * friction**2)  # cosh - 1
    exact = chi / (2 * friction) / (1 + beyond + np.sqrt(beyond * (beyond + 2)))
    measured = ballistic.current(chain, Langevin(0, 2.0, friction), Langevin(-1, 1.0, friction))
    assert abs(measured / exact - 1) < 1e-12


@pytest.mark.parametrize("friction", [1e-5, 0.7, 1e5])
def test_current_between_free_ends_in_closed_form(friction):
    chain = Chain(9, Bond(chi=1.3), boundary="free")
    measured = ballistic.current(chain, Langevin(0, 1.0, friction), Langevin(8, 3.0, friction))
    exact = -2 * 1.3 * friction / (2 * (1.3 + friction**2))
    assert abs(measured / exact - 1) < 1e-12


def test_no_current_without_friction():
    chain = Chain(4, boundary="fixed")
    for frictions in ((0.0, 1.0), (1.0, 0.0), (0.0, 0.0)):
        left, right = (Langevin(s, t, g) for s, t, g in zip((0, -1), (2.0, 1.0), frictions, strict=True))
        assert ballistic.current(chain, left, right) == 0


def test_absorption_vanishes_without_friction_and_is_at_most_one():
    chain = Chain(4, boundary="fixed")
    k = np.linspace(0, 0.5, 101)
    assert (ballistic.absorption(chain, 0.0, k, end="free") == 0).all()
    for end in ("fixed", "free"):
        probability = ballistic.absorption(chain, 1.0, k, end=end)
        assert (probability >= 0).all()
        assert (probability <= 1 + 1e-15).all()


def test_absorption_of_the_longest_waves():
    """Between 0 and 1 where 1 - cos 2πk is rounding; at a matched free end everything is absorbed."""
    k = np.geomspace(1e-15, 1e-3, 40)
    for friction in (0.3, 1.0):
        a = ballistic.absorption(Chain(8), friction, k, end="free")
        assert (a <= 1).all()
        np.testing.assert_allclose(a, 4 * friction / (1 + friction) ** 2, rtol=1e-5)
    assert (ballistic.absorption(Chain(8), 1.0, [1e300, -3.0], end="free") == 0).all()
