"""Noises and baths: what they are, and at which sites baths act."""

import math
import re

import numpy as np
import pytest

import lattice
from lattice import (
    Chain,
    Langevin,
    StretchFlip,
    ThreeSiteRotation,
    VelocityExchange,
    VelocityFlip,
    bath_sites,
)

NOISES = [VelocityFlip, StretchFlip, VelocityExchange, ThreeSiteRotation]


@pytest.mark.parametrize("kind", NOISES)
def test_a_noise(kind):
    assert kind(2).rate == kind(rate=2.0).rate == 2
    assert kind(0.0) == kind(np.float64(0))
    assert hash(kind(0.5)) == hash(kind(0.5))
    assert kind(1.0) not in [other(1.0) for other in NOISES if other is not kind]
    assert all(name.__name__ in lattice.__all__ for name in NOISES)


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("rate", [-0.5, math.nan, math.inf, True, "1", None, 1j, np.ones(1)])
def test_bad_rates_are_refused(kind, rate):
    message = f"rate = {rate!r}; allowed: a finite number at least 0"
    with pytest.raises(ValueError, match=re.escape(message)):
        kind(rate)


def test_a_bath():
    bath = Langevin(site=-1, temperature=0.0)
    assert (bath.friction, bath.force) == (1, 0)
    assert Langevin(0, 1.0, force=-2.0) == Langevin(0, 1.0, 1.0, -2.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"site": 1.0}, "site = 1.0; allowed: an integer"),
        ({"site": True}, "site = True; allowed: an integer"),
        ({"temperature": -0.5}, "temperature = -0.5; allowed: a finite number at least 0"),
        ({"temperature": math.nan}, "temperature = nan; allowed: a finite number at least 0"),
        ({"friction": -1.0}, "friction = -1.0; allowed: a finite number at least 0"),
        ({"friction": math.inf}, "friction = inf; allowed: a finite number at least 0"),
        ({"force": math.inf}, "force = inf; allowed: a finite number$"),
    ],
)
def test_bad_baths_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Langevin(**{"site": 0, "temperature": 1.0} | arguments)


def test_sites_of_baths_count_from_either_end():
    chain = Chain(4, boundary="free")
    assert bath_sites(chain, [Langevin(-1, 1.0), Langevin(1, 1.0), Langevin(-4, 1.0)]) == [3, 1, 0]
    with pytest.raises(ValueError, match=r"baths act at sites \[3, 3\]; allowed: one bath a site"):
        bath_sites(chain, [Langevin(-1, 1.0), Langevin(3, 1.0)])
    with pytest.raises(ValueError, match="site = 4 of a bath; allowed: -4 to 3"):
        bath_sites(chain, [Langevin(4, 1.0)])
