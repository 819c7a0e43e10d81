"""Compiled loops: arrays and numbers in, arrays out; numpy and numba only.

The flags of the compiler are set here and nowhere else.
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import numba
from numba import types
from numba.extending import intrinsic

# No fastmath: a test for NaN or infinity must stay one.  Without the numpy error model every
# division would test for zero.
FLAGS = {"nogil": True, "error_model": "numpy"}
# A product and a sum may become one instruction with one rounding; NaN and infinity stay what they are.
FUSED_FLAGS = {**FLAGS, "fastmath": {"contract"}}


def _stamp() -> str:
    """A hash of all kernel sources.

    A compiled kernel contains what it calls from the other files here, so a change
    in any of them has to make every cached kernel stale.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


_STAMP = _stamp()


def jit(function: Callable, *, options: dict = FLAGS) -> Callable:
    """Compile at the first call and cache the result on disk if there is a place for it."""
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
        dispatcher._cache._cache_file._source_stamp = _STAMP
    except RuntimeError:  # neither the package nor the home directory can be written to
        dispatcher = numba.njit(**options)(function)
    return dispatcher


fused_jit = functools.partial(jit, options=FUSED_FLAGS)


@intrinsic
def keep_apart(typing):
    """Forbid the compiler to inline the function that calls this.

    A hot loop keeps the form it has when compiled alone, and its callers compile faster.
    """

    def generate(context, builder, signature, arguments):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.none(), generate


@intrinsic
def as_float(typing, bits):
    """The float64 with these 64 bits."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.uint64), generate


@intrinsic
def as_bits(typing, x):
    """The 64 bits of a float64."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.uint64))

    return types.uint64(types.float64), generate
