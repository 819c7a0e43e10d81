"""Basile, Olla and Spohn, the line after (74): the conductivity of chains between two heat baths.

The stationary covariances know nothing of equilibrium fluctuations, of phonons or of what the noise carries.
"""

import numpy as np
import pytest

from lattice import Bond, Chain, Langevin, Pin, ThreeSiteRotation, VelocityExchange, VelocityFlip
from lattice.micro import moments

LENGTHS = (12, 16, 24, 32, 48, 64, 96)
PIN = 4.0
SOFT, STIFF = np.sqrt(PIN), np.sqrt(PIN + 4)  # ω₀ and the largest frequency at χ = 1


def conductivity_between_baths(noise, least=12):
    """Slope of the resistance ΔT/J against n, with the corrections [1, log n, (log n)/n, 1/n]."""
    n = np.array([m for m in LENGTHS if m >= least])
    baths = Langevin(0, 1.5), Langevin(-1, 0.5)
    currents = [
        moments.stationary(Chain(m, Bond(chi=1.0), Pin(chi=PIN), boundary="fixed"), baths, noise).bath_powers[
            0
        ]
        for m in n
    ]
    terms = np.stack([n, n**0, np.log(n), np.log(n) / n, 1 / n], axis=1)
    return 1 / np.linalg.lstsq(terms, 1 / np.array(currents))[0][0]


def test_bos_73_between_baths(claim, record):
    """κ₀/ε + εγ is what two baths measure; what the springs carry alone is nine times less."""
    found = conductivity_between_baths(ThreeSiteRotation(1.0))
    kappa0 = 1 / (SOFT * (STIFF + SOFT / np.sqrt(3)))
    claim.agrees(found, kappa0 + 1, rtol=1e-5)
    for wrong in (0, 1 / 6, 1 / 3, 1 / 2, 2):
        claim.refutes(found, kappa0 + wrong, rtol=0.05)
    short = conductivity_between_baths(ThreeSiteRotation(1.0), least=16)
    record(
        "bos-73/between-baths",
        found,
        systematic=abs(found - short),
        method="total κ at ω₀² = 4, χ = γ = ε = 1: exact stationary chains of 12 to 96 sites, extrapolated",
    )


@pytest.mark.parametrize(
    ("noise", "kappa"),
    [
        (VelocityFlip(1.0), 1 / (STIFF + SOFT) ** 2),
        (VelocityExchange(1.0), 1 / (SOFT * (STIFF + SOFT)) + 1 / 2),
    ],
)
def test_between_baths_with_other_noises(noise, kappa):
    """The same route finds the closed forms of flips, which carry nothing, and of the exchange."""
    np.testing.assert_allclose(conductivity_between_baths(noise), kappa, rtol=1e-5)
