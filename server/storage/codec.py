"""Frozen domain values to plain JSON values and back, by their type hints.

Knows dataclasses, enums, tuples, mappings, optionals and plain values: what the domain is made of.
A key the type does not know is ignored and a missing one takes its default, so that a value written
by an older version can be read.
"""

import dataclasses
import json
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Plain JSON values of a domain value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: to_plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(inner) for inner in value]
    return value


def from_plain(kind: type[T], plain: Any) -> T:
    """The domain value of that type; `ValueError`, `TypeError` or `KeyError` if it is none."""
    value: T = _read(kind, plain)
    return value


def encode(value: Any) -> bytes:
    """A domain value as JSON bytes."""
    return json.dumps(to_plain(value), ensure_ascii=False, separators=(",", ":")).encode()


def decode(kind: type[T], data: bytes) -> T:
    """A domain value from JSON bytes."""
    return from_plain(kind, json.loads(data))


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, plain: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _read_union(get_args(kind), plain)
    if origin is tuple:
        inner, *rest = get_args(kind)
        if rest == [...]:
            return tuple(_read(inner, each) for each in plain)
        return tuple(_read(k, each) for k, each in zip((inner, *rest), plain, strict=True))
    if origin is not None and origin is not Literal and issubclass(origin, Mapping):
        inner = get_args(kind)[1]
        return {key: _read(inner, each) for key, each in plain.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{key: _read(hints[key], each) for key, each in plain.items() if key in hints})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(plain)
    return plain


def _read_union(kinds: tuple[Any, ...], plain: Any) -> Any:
    if plain is None:
        return None
    for kind in kinds:
        shape = get_origin(kind) or kind
        fits_list = isinstance(plain, list) and shape is tuple
        fits_dict = isinstance(plain, dict) and (
            dataclasses.is_dataclass(kind)
            or (isinstance(shape, type) and issubclass(shape, Mapping))
        )
        if fits_list or fits_dict:
            return _read(kind, plain)
    return plain
