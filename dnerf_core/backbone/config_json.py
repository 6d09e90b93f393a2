"""Configurations, which are frozen dataclasses, as JSON and back. No torch."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, Literal, TypeVar

from dnerf_core.errors import CheckpointError, brief

T = TypeVar("T")

OPTIONAL = types.MappingProxyType({"optional": True})
"""Metadata of a field that files written before it lack: its JSON has no such name where it is None, so that hashes stay."""


def config_to_json(config: Any) -> dict[str, Any]:
    """A frozen config dataclass as JSON values; an `OPTIONAL` field that is None is left out."""
    values = {}
    for entry in dataclasses.fields(config):
        value = getattr(config, entry.name)
        if value is not None or not _is_optional(entry):
            values[entry.name] = config_to_json(value) if dataclasses.is_dataclass(value) else value
    return values


def _is_optional(entry: dataclasses.Field[Any]) -> bool:
    return bool(entry.metadata.get("optional"))


def config_from_json(cls: type[T], data: Any, where: str = "config") -> T:
    """Rebuild a frozen config dataclass from JSON values, checking every name and type.

    Args:
        cls: the dataclass; nested dataclasses are rebuilt by their annotations.
        data: what `config_to_json` gave, after a trip through JSON.
        where: how to name the place in an error.

    Raises:
        CheckpointError: a surplus name, a missing one of a field that is not `OPTIONAL`, or a value of another type.
    """
    if not isinstance(data, dict):
        raise CheckpointError(
            f"{where}: expected a JSON object, found {type(data).__name__}; the file is damaged or not a model file"
        )
    hints = typing.get_type_hints(cls)
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    names, needed = {f.name for f in fields}, {f.name for f in fields if not _is_optional(f)}
    surplus, missing = set(data) - names, needed - set(data)
    if surplus or missing:
        raise CheckpointError(
            f"{where}: expected the names {sorted(names)}, missing {brief(sorted(missing))}, surplus {brief(sorted(surplus))}; "
            "the file was written by another version of datasetnerf"
        )
    return cls(**{key: _value_from_json(hints[key], value, f"{where}.{key}") for key, value in data.items()})


def _value_from_json(hint: Any, value: Any, where: str) -> Any:  # noqa: PLR0912 one branch a kind of annotation
    if dataclasses.is_dataclass(hint):
        return config_from_json(hint, value, where)  # type: ignore[arg-type]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for option in args:
            try:
                return _value_from_json(option, value, where)
            except CheckpointError:
                continue
    elif origin is Literal:
        if value in args:
            return value
    elif origin is tuple:
        if isinstance(value, list | tuple):
            kinds = [args[0]] * len(value) if len(args) == 2 and args[1] is Ellipsis else list(args)
            if len(kinds) == len(value):
                return tuple(_value_from_json(k, v, where) for k, v in zip(kinds, value, strict=True))
    elif hint is type(None):
        if value is None:
            return None
    elif hint is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif hint is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif hint in (str, bool) and isinstance(value, hint):
        return value
    raise CheckpointError(
        f"{where}: expected {_kind(hint)}, found {brief(value)}; the file is damaged or was written by another version"
    )


def _kind(hint: Any) -> str:
    """A type as a message names it: `float or 'auto'`."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(option) for option in args)
    if origin is Literal:
        return " or ".join(map(repr, args))
    if hint is type(None):
        return "null"
    return hint.__name__ if isinstance(hint, type) else str(hint)
