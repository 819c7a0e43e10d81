"""Compiled loops: arrays and numbers in, arrays out; numpy and numba only.

The flags of the compiler are set here and nowhere else.
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

# All of them in every kernel: what a helper leaves open it takes from whoever compiles it first.
# No fastmath: a test for NaN or infinity must stay one.  Without the numpy error model every
# division would test for zero.
FLAGS = {"nogil": True, "error_model": "numpy", "forceinline": False, "fastmath": False}
# A product and a sum may become one instruction with one rounding; NaN and infinity stay what they are.
FUSED_FLAGS = {**FLAGS, "fastmath": {"contract"}}
# What only kernels call needs no way in from Python, and compiles faster.
_INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def _stamp() -> str:
    """A hash of all kernel sources.

    A compiled kernel contains what it calls from the other files here, so a change
    in any of them has to make every cached kernel stale.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


_STAMP = _stamp()


def cached(function: Callable, compiler: Callable) -> Callable:
    """Give what numba made of a function a place on disk, if there is one."""
    compiled = compiler(function)
    try:
        compiled.enable_caching()
    except RuntimeError:  # neither the package nor the home directory can be written to
        return compiled
    file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if not hasattr(file, "_source_stamp"):  # another numba: compiled each time rather than stale
        return compiler(function)
    file._source_stamp = _STAMP
    return compiled


def jit(function: Callable, *, options: dict = FLAGS) -> Callable:
    """Compile at the first call, once for each type of the arguments."""
    return cached(function, numba.njit(**options))


fused_jit = functools.partial(jit, options=FUSED_FLAGS)
fused_inner = functools.partial(jit, options={**FUSED_FLAGS, **_INNER})
inlined = functools.partial(jit, options={**FLAGS, **_INNER, "forceinline": True})
fused_inlined = functools.partial(jit, options={**FUSED_FLAGS, **_INNER, "forceinline": True})


def _attribute(text: str) -> Callable:
    """What gives the function that calls it an attribute."""

    @intrinsic
    def attribute(typing):
        def generate(context, builder, signature, arguments):
            set.add(builder.function.attributes, text)  # the method of the attributes knows few
            return context.get_dummy_value()

        return types.none(), generate

    return attribute


# A hot loop keeps the form it has when compiled alone, and its callers compile faster.
keep_apart = _attribute("noinline")
# LLVM takes 256 bits even where the processor has 512.  Must stand in the function of the innermost loop.
wide = _attribute('"prefer-vector-width"="512"')


@intrinsic
def unshared(typing):
    """What promises that no array which the calling function writes to is another of its arguments.

    Otherwise whatever is read has to be read again after each store.
    """

    def generate(context, builder, signature, arguments):
        for argument in builder.function.args:
            if isinstance(argument.type, ir.PointerType):
                argument.add_attribute("noalias")
        return context.get_dummy_value()

    return types.none(), generate


def _bitcast(source: types.Type, target: types.Type) -> Callable:
    """The same bits as another type."""

    @intrinsic
    def cast(typing, x):
        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], context.get_value_type(target))

        return target(source), generate

    return cast


as_float = _bitcast(types.uint64, types.float64)
as_bits = _bitcast(types.float64, types.uint64)
