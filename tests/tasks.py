"""Tasks for stores: in a file of their own, since pytest rewrites the functions of the test modules."""

import os

import numpy as np


def walk(rng):
    """A replica with a vector and a number."""
    steps = rng.normal(size=5)
    return {"path": np.cumsum(steps), "end": steps.sum()}


def index_of(rng):
    return rng.bit_generator.seed_seq.spawn_key[-1]


def fails_at_seven(rng):
    if index_of(rng) == 7:
        raise ArithmeticError("no such state")
    return rng.normal(size=2)


def logged(rng, log):
    """A replica that leaves its number in a file."""
    with open(log, "a") as file:
        file.write(f"{index_of(rng)}\n")
    return rng.normal(size=3)


def silent(rng):
    return {"x": rng.normal(size=3), "n": rng.integers(9)}


def paged(rng):
    # a page per replica: the pipe is soon full, and who writes waits for the reader
    os.write(1, b"%4095d\n" % index_of(rng))
    return silent(rng)


def oddly_named(rng):
    return {"file": rng.normal(), "allow_pickle": rng.normal(size=2), "numbers": 1j}


RETURNED = [1.0]


def returned(rng):
    return RETURNED[0]
