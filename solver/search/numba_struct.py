"""
`NumbaStruct`: named numbers and arrays that kernels receive as one pointer.

Numba hands a `NamedTuple` over by value. With a hundred arrays in it every function has some eight hundred arguments:
each takes half a second to compile, and each call that LLVM does not inline copies them all. A struct writes the
numbers, the addresses and the shapes once into a block of words, and kernels read from there what they need. Kernels
read its fields as Python does; with ``NUMBA_DISABLE_JIT=1`` a struct is a plain object.

The block never changes, and LLVM is told so (``invariant.load``): otherwise it would read an address anew after every
write to any array.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    lower_getattr_generic,
    models,
    register_model,
    unbox,
)
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype
from numpy.typing import NDArray

WORD = ir.IntType(64)


class NumbaStructType(types.Type):
    """The numba type of a struct: where in its block each field lies, and the field's own type."""

    def __init__(self, name: str, layout: tuple[tuple[str, str, int, bool], ...]) -> None:
        self.layout = layout
        self.places: dict[str, tuple[int, Any]] = {}
        words = 0
        for field_name, kind, dimensions, writable in layout:
            inside = _array_type(kind, dimensions, writable) if dimensions else types.int64
            self.places[field_name] = (words, inside)
            words += 1 + dimensions
        # Names of functions hold the names of their argument types, so this one is short.
        digest = hashlib.sha256(repr(layout).encode()).hexdigest()[:8]
        super().__init__(name=f"{name}_{digest}")


def _array_type(kind: str, dimensions: int, writable: bool) -> Any:
    return types.Array(from_dtype(np.dtype(kind)), dimensions, "C", readonly=not writable)


@dataclass(frozen=True, eq=False)
class NumbaStruct:
    """
    Base of frozen dataclasses whose fields are whole numbers and C-contiguous arrays.

    Kernels see what the fields are when the object is made; writing to the arrays is seen, putting others in their
    place is impossible. Arrays that are read-only here are so in kernels.
    """

    address: int = field(init=False, repr=False)
    block: NDArray[np.int64] = field(init=False, repr=False)
    _numba_type_: NumbaStructType = field(init=False, repr=False)

    def contents(self) -> dict[str, Any]:
        """The numbers and arrays by name, in order."""
        own = {each.name for each in fields(NumbaStruct)}
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name not in own}

    def __post_init__(self) -> None:
        layout: list[tuple[str, str, int, bool]] = []
        words: list[int] = []
        for name, value in self.contents().items():
            if not isinstance(value, np.ndarray):
                layout.append((name, "", 0, False))
                words.append(int(value))
                continue
            if not value.flags.c_contiguous or value.ndim == 0:
                raise ValueError(f"{name} is not a C-contiguous array")
            layout.append((name, value.dtype.str, value.ndim, bool(value.flags.writeable)))
            words += [value.ctypes.data, *value.shape]
        block = np.array(words, dtype=np.int64)
        object.__setattr__(self, "block", block)
        object.__setattr__(self, "address", block.ctypes.data)
        object.__setattr__(self, "_numba_type_", NumbaStructType(type(self).__name__, tuple(layout)))


@register_model(NumbaStructType)
class _NumbaStructModel(models.PrimitiveModel):
    def __init__(self, manager: Any, struct: NumbaStructType) -> None:
        super().__init__(manager, struct, WORD.as_pointer())


@unbox(NumbaStructType)
def _unbox(typ: NumbaStructType, struct: Any, c: Any) -> NativeValue:
    number = c.pyapi.object_getattr_string(struct, "address")
    address = c.pyapi.long_as_longlong(number)
    c.pyapi.decref(number)
    failed = cgutils.is_not_null(c.builder, c.pyapi.err_occurred())
    return NativeValue(c.builder.inttoptr(address, WORD.as_pointer()), is_error=failed)


@infer_getattr
class _NumbaStructAttribute(AttributeTemplate):
    key = NumbaStructType

    def generic_resolve(self, struct: NumbaStructType, name: str) -> Any:  # type: ignore[override]
        place = struct.places.get(name)
        return None if place is None else place[1]


@lower_getattr_generic(NumbaStructType)
def _load_field(context: Any, builder: Any, struct: NumbaStructType, block: Any, name: str) -> Any:
    offset, inside = struct.places[name]
    if not isinstance(inside, types.Array):
        return _load_word(builder, block, offset)
    shape = [_load_word(builder, block, offset + 1 + i) for i in range(inside.ndim)]
    itemsize = ir.Constant(WORD, context.get_abi_sizeof(context.get_data_type(inside.dtype)))
    strides = [itemsize]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    array = make_array(inside)(context, builder)
    data = builder.inttoptr(_load_word(builder, block, offset), array.data.type)
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None)
    return array._getvalue()


def _load_word(builder: Any, block: Any, place: int) -> Any:
    word = builder.load(builder.gep(block, [ir.Constant(WORD, place)], inbounds=True))
    word.set_metadata("invariant.load", builder.module.add_metadata([]))
    return word
