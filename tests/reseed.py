"""Other random numbers for everything: every seed plus a fixed offset.

A check that holds for its own seed only is no check.  ``pytest --shift N`` runs the tests with
N added to every seed, ``make reseed SHIFT=N`` the tests, the claims and the cells of the pages.

Seeds enter at two places, `numpy.random.default_rng` and `numpy.random.SeedSequence`; both are
replaced before anything else is imported, in every process.  Generators, spawned children and
None stay as they are.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["shift_seeds"]

SHIFT = "LATTICE_SEED_SHIFT"  # for the processes that this one starts
STARTUP = str(Path(__file__).resolve().with_name("startup"))
default_rng, SeedSequence = np.random.default_rng, np.random.SeedSequence


class Shifted(int):
    """A seed that has its offset, so that it does not get it again from whoever hands it on."""

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return int, (int(self),)


class ShiftedSequence(type):
    """What stands in the place of the class SeedSequence: it makes and knows the true ones."""

    by: int

    def __call__(cls, entropy: Any = None, *, spawn_key: Any = (), **options: Any) -> SeedSequence:
        if not len(spawn_key):  # a child belongs to a seed that has its offset
            entropy = shifted(entropy, cls.by)
        return SeedSequence(entropy, spawn_key=spawn_key, **options)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, SeedSequence)


def shifted(seed: Any, by: int) -> Any:
    """The seed plus an offset, added to the first number of several; anything else as it is."""
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, (bool, Shifted)) and seed >= 0:
        return Shifted(int(seed) + by)
    if isinstance(seed, (list, tuple, np.ndarray)) and np.ndim(seed) == 1 and len(seed):
        return [shifted(seed[0], by), *seed[1:]]
    return seed


def shift_seeds(by: int) -> None:
    """Add an offset to every seed from now on, here and in processes started from here.

    It must be called before `lattice` is imported, and once.
    """
    if not by or SHIFT in vars(np.random):
        return
    np.random.default_rng = lambda seed=None: default_rng(shifted(seed, by))
    np.random.SeedSequence = ShiftedSequence("SeedSequence", (), {"by": by})
    setattr(np.random, SHIFT, by)
    paths = [STARTUP, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ |= {SHIFT: str(by), "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
