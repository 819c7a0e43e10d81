"""Operations: what the time loop can be told to do, and how it is compiled and called.

An operation is a function ``op(strip, a, b, own)``: the record of the replicas, two numbers that come
with every call, and the record of what belongs to it, by their addresses.  It is compiled once for each
type of `own`: the names of its fields are the law, and there are no flags.  An instruction of the loop
holds the address of the code, so that the loop itself is compiled once for whatever it may do.

A compiled function cannot raise, and an address cannot be sent to another process: programs are built
where they run.
"""

import ctypes
import functools
import os
import struct
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature
from numba.extending import intrinsic

from . import cached

PATIENCE = 3.0  # seconds of compiling without a word


class Kind:
    """A type of records: fields, the names of addresses of arrays, and the names of integers."""

    def __init__(self, addresses: str = "", integers: str = "", fields: Sequence[tuple] = ()) -> None:
        more = [(name, "u8") for name in addresses.split()] + [(name, "i8") for name in integers.split()]
        dtype = np.dtype([*fields, *more])
        self.names, self.pointer = dtype.names, types.CPointer(numba.from_dtype(dtype))
        entries = (form for name in dtype.names for _, form in dtype[name].descr)
        self.packed = struct.Struct("".join("d" if "f" in form else "q" for form in entries))


# Where replicas lie end to end, how many sites each has and what its ends are; see `march`.
STRIP = Kind("q p streams", "size n replicas left right")


def pointer_to(to: types.CPointer) -> Callable:
    """What makes an address a pointer, for `carray`."""

    @intrinsic
    def pointer(typing, address):
        def generate(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return to(types.uint64), generate

    return pointer


to_floats, to_integers, to_words = (
    pointer_to(types.CPointer(of)) for of in (types.float64, types.int64, types.uint64)
)


@intrinsic
def call(typing, code, strip, a, b, own):
    """Call the operation at the address `code`."""

    def generate(context, builder, signature, arguments):
        pointer, double = ir.IntType(8).as_pointer(), ir.DoubleType()
        kind = ir.FunctionType(ir.VoidType(), [pointer, double, double, pointer]).as_pointer()
        code, strip, a, b, own = arguments
        addresses = [builder.inttoptr(address, pointer) for address in (strip, own)]
        builder.call(builder.inttoptr(code, kind), [addresses[0], a, b, addresses[1]])
        return context.get_dummy_value()

    kinds = types.uint64, types.uint64, types.float64, types.float64, types.uint64
    return types.none(*kinds), generate


@intrinsic
def refill(typing, code, stream, scratch, store, size):
    """Call the filler at the address `code`."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 4).as_pointer()
        builder.call(builder.inttoptr(arguments[0], kind), arguments[1:])
        return context.get_dummy_value()

    return types.none(*[types.uint64] * 4, types.int64), generate


_spent = [0.0]  # seconds that this process has been compiling


@functools.cache
def compiled(function: Callable, signature: types.Type) -> CFunc:
    """A function for one signature, to be called by its address.

    When compiling takes long in all, stderr says so, once.
    """
    options = {"error_model": "numpy", "fastmath": False}
    code = cached(function, lambda f: CFunc(f, normalize_signature(signature), {}, options))
    begin, before = time.monotonic(), _spent[0]
    code.compile()
    _spent[0] += time.monotonic() - begin
    # who wants no progress bars wants no words
    if before < PATIENCE <= _spent[0] and not os.environ.get("TQDM_DISABLE"):
        print("lattice: compiling the time loop; the result is kept for later runs", file=sys.stderr)
    return code


@functools.cache
def operation(function: Callable, own: Kind) -> int:
    """Where the operation for records of this kind lies."""
    return compiled(function, types.void(STRIP.pointer, types.float64, types.float64, own.pointer)).address


@functools.cache
def filler(function: Callable) -> int:
    """Where a function lies that fills a store with random numbers: fill(stream, scratch, store, size)."""
    return compiled(function, types.void(types.uint64, types.uint64, types.uint64, types.int64)).address


def address(array: np.ndarray) -> int:
    """Where its first entry lies."""
    return ctypes.addressof(ctypes.c_char.from_buffer(array))


class Own:
    """A record of numbers and addresses of arrays, 8 bytes each; it keeps the arrays alive, and `keep`.

    `fill` says with what some of the arrays are filled.

    A tuple is a record within it.

    Attributes
    ----------
    kind : Kind
    values : dict
        What it was made from.
    address : int
        Where it lies.
    """

    def __init__(
        self, kind: Kind, keep: object = None, fill: Mapping[str, float] = {}, **values: object
    ) -> None:
        self.kind, self.values, self.keep, self.fill = kind, values, keep, fill
        entries: list[object] = []
        for name in kind.names:
            value = values[name]
            if isinstance(value, tuple):
                entries += value or (0,)
            else:
                entries.append(value)
        entries = [address(x) if isinstance(x, np.ndarray) else x for x in entries]
        self._start = kind.packed.pack(*entries)
        self._record = ctypes.create_string_buffer(self._start, len(self._start))
        self.address = ctypes.addressof(self._record)
        self.reset()

    def reset(self) -> None:
        """As it was made, the arrays in `fill` filled."""
        self._record.raw = self._start
        for name, number in self.fill.items():
            self.values[name].fill(number)
