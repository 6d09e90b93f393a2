"""Finds EG3D's generator in a checkpoint, whatever form it has there: a module, or a state dict under any prefix.

The published code pickles modules; others save state dicts, with the construction arguments beside them or without.
"""

from __future__ import annotations

import dataclasses
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dnerf_core.backbone.registry import FAMILIES, UNNAMED
from dnerf_core.checkpoints.inert.checkpoint_file import Checkpoint, check_own
from dnerf_core.checkpoints.inert.pickle_machine import shown
from dnerf_core.checkpoints.inert.records import ArrayRecord, ForeignRecord, ModuleRecord, TensorRecord
from dnerf_core.checkpoints.releases.families import relative_by_names, relative_by_settings, stranger, stranger_class
from dnerf_core.errors import CheckpointError, UsageError

MAX_MODULES = 5_000
"""A release's G_ema has about 150 modules."""

UNMODIFIED = "nothing was written; import an unmodified generator of EG3D"
_INSIDE = re.compile(r"((?:[^.\s]{1,80}\.){0,8}?)backbone\.synthesis\.b\d{1,5}\.")
"""A generator's tensor, after the prefix that a larger network gives it."""

_NEAR = 3
_CLASS = "TriPlaneGenerator"

_KNOWN_BESIDE = {"G", "D", "G_ema", "training_set_kwargs", "augment_pipe"}
"""What every snapshot of EG3D's training holds."""

_SETTINGS_BESIDE = ("rendering_kwargs", "neural_rendering_resolution", "img_resolution")
"""Settings that are met beside the construction arguments."""


@dataclass(frozen=True, eq=False)
class Network:
    """A generator as a checkpoint holds it.

    Attributes:
        place: where, for messages: "G_ema", "state_dict 'decoder.'".
        tensors: its state by published key name, with whatever else lies there under the same prefix.
        modules: every module by dotted name, the root as ''; None for a state dict.
        options: construction arguments that travel with a state dict; None: none do.
        beside: what the checkpoint holds beyond it, a phrase each; a training's own G, D and settings are not named.
        family: which family of generators it is of.
    """

    place: str
    tensors: Mapping[str, TensorRecord]
    modules: Mapping[str, ModuleRecord] | None
    options: dict[str, Any] | None
    beside: tuple[str, ...]
    family: str = UNNAMED


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A generator's place: keys from the tree's root, the value there, and the prefix of a state dict's names (None: a module)."""

    keys: tuple[str, ...]
    value: Any
    prefix: str | None
    holders: tuple[dict[Any, Any], ...]

    @property
    def place(self) -> str:
        """As messages and `--network` name it."""
        names = [*self.keys, *([self.prefix.rstrip(".")] if self.prefix else [])]
        return "/".join(names) or "its network"


def find_network(checkpoint: Checkpoint, path: object, wanted: str | None = None) -> Network:
    """The generator of a checkpoint: the averaged one (its place names "ema") where there are several.

    Args:
        path: the file, for messages.
        wanted: the place of the one to take, as the message that refuses several prints them.

    Raises:
        CheckpointError: there is none, or another family's; the message says what was found.
        MalformedPickleError: it holds an object of unknown meaning.
        UsageError: `wanted` is not there, or there are several and none is the averaged one.
    """
    tree = checkpoint.tree
    found = _distinct(_candidates(tree))
    if not found:
        if type(tree) is dict:
            check_own(tree.get("G_ema"), "G_ema")
        raise CheckpointError(_nothing(checkpoint, path))
    if wanted is not None:
        chosen = [candidate for candidate in found if candidate.place == wanted]
        if not chosen:
            raise UsageError(f"--network {wanted}: expected one of {_places(found)} of {path}, found no such; correct the name")
    else:
        averaged = [candidate for candidate in found if "ema" in candidate.place.lower()]
        chosen = averaged or found
    if len(chosen) > 1:
        raise UsageError(f"{path}: expected one generator, found {_places(chosen)}; choose one by --network")
    return _opened(chosen[0], path)


def _distinct(candidates: Iterator[_Candidate]) -> list[_Candidate]:
    """Each network once, however often a file refers to it; under the place that names the average, if one does."""
    found: dict[tuple[int, str | None], _Candidate] = {}
    for candidate in sorted(candidates, key=lambda one: "ema" not in one.place.lower()):
        found.setdefault((id(candidate.value), candidate.prefix), candidate)
    return list(found.values())


def _places(candidates: list[_Candidate]) -> str:
    return ", ".join(shown(candidate.place) for candidate in candidates[:8])


def _candidates(tree: Any) -> Iterator[_Candidate]:
    """Every generator down to `_NEAR` dictionaries deep. Each dictionary is walked once: shared and cyclic ones cost no more."""
    seen: set[int] = set()
    waiting: deque[_Candidate] = deque([_Candidate((), tree, None, ())])
    while waiting:
        place = waiting.popleft()
        value = place.value
        if type(value) is ModuleRecord and value.class_name != "argparse.Namespace":
            if value.class_name == _CLASS or place.keys[-1:] == ("G_ema",) or _looks_like_one(value):
                yield place
            continue
        held = value.state if type(value) is ModuleRecord else value
        if type(held) is not dict:
            continue
        prefixes = _prefixes(held)
        yield from (dataclasses.replace(place, value=held, prefix=prefix) for prefix in prefixes)
        if not prefixes and len(place.keys) < _NEAR and id(held) not in seen:
            seen.add(id(held))
            waiting.extend(
                _Candidate((*place.keys, key), part, None, (*place.holders, held))
                for key, part in held.items()
                if type(key) is str
            )


def _prefixes(state: dict[Any, Any]) -> list[str]:
    """What a generator's published names begin with in a state dict; none: it is no generator's."""
    found = (_INSIDE.match(name) for name, value in state.items() if type(name) is str and type(value) is TensorRecord)
    return sorted({match[1] for match in found if match})


def _looks_like_one(module: ModuleRecord) -> bool:
    inner = module.state.get("_modules")
    return type(inner) is dict and {"backbone", "decoder", "superresolution"} <= set(inner)


def _nothing(checkpoint: Checkpoint, path: object) -> str:
    tree, form = checkpoint.tree, checkpoint.form
    what = stranger(tree)
    if what is not None:
        return f"{path}: expected EG3D's generator, found {form} with {what}; {_imported()}"
    held = ""
    if type(tree) is dict and tree:
        held = f"; {form} that holds {_listed([f'{_short(key)} ({_kind(value)})' for key, value in tree.items()])}"
    return (
        f"{path}: expected a dictionary with the network 'G_ema', a generator, or a state dict of one, found none{held}; "
        "nothing was written; import what EG3D's training wrote, or a state dict of its generator"
    )


def _opened(candidate: _Candidate, path: object) -> Network:
    where = f"{path}: {candidate.place}"
    if candidate.prefix is None:
        root = candidate.value
        family = _family(relative_by_settings(root), where)
        if root.class_name != _CLASS:
            what = stranger_class(root)
            found = shown(root.class_name) if what is None else f"{shown(root.class_name)}, {what}"
            raise CheckpointError(f"{where}: expected a {_CLASS}, found {found}; {_imported()}")
        check_own(root, candidate.place)
        modules = dict(walk_modules(root, where))
        tensors = state_of(modules, where)
        if family == UNNAMED:
            family = _family(relative_by_names(tensors), where)
        return Network(candidate.place, tensors, modules, None, _beside(candidate, set()), family)
    prefix = candidate.prefix
    held = {name: value for name, value in candidate.value.items() if type(name) is str and type(value) is TensorRecord}
    tensors = {name.removeprefix(prefix): tensor for name, tensor in held.items() if name.startswith(prefix)}
    family = _family(relative_by_names(tensors), where)
    options, used = _options(candidate)
    others = [name for name in candidate.value if not (name in held and name.startswith(prefix))]
    beside = [f"{len(others)} more such as {_short(others[0])} ({_kind(candidate.value[others[0]])})"] if others else []
    return Network(candidate.place, tensors, None, options, (*_beside(candidate, used), *beside), family)


def _family(relative: str | None, where: str) -> str:
    """The family of what is EG3D's own (None) or one of its relatives, by the name that `families` gives it."""
    for family in FAMILIES.values():
        if family.relative == relative:
            return family.name
    raise CheckpointError(f"{where}: expected EG3D's generator, found {relative}; {_imported()}")


def _imported() -> str:
    """The end of a message about another generator."""
    titles = [f"{family.title}'s" for family in FAMILIES.values()]
    return f"nothing was written; of generators, {' and '.join(titles)} are imported"


def _options(candidate: _Candidate) -> tuple[dict[str, Any] | None, set[str]]:
    """Construction arguments in the nearest dictionary that holds the state dict, and the names they stand under."""
    for holder in reversed(candidate.holders):
        options: dict[str, Any] = {}
        used: set[str] = set()
        for name, value in holder.items():
            if type(value) is dict and type(name) is str and name not in candidate.keys and _are_arguments(name, value):
                options |= {key: part for key, part in value.items() if type(key) is str}
                used.add(name)
        for name in _SETTINGS_BESIDE:
            if name in holder and type(holder[name]) in (dict, int):
                options.setdefault(name, holder[name])
                used.add(name)
        if type(options.get("rendering_kwargs")) is dict:
            return options, used
    return None, set()


def _are_arguments(name: str, value: dict[Any, Any]) -> bool:
    return type(value.get("rendering_kwargs")) is dict or ("init" in name and "z_dim" in value)


def _beside(candidate: _Candidate, used: set[str]) -> tuple[str, ...]:
    """What lies in the dictionaries round a network, but for what every training writes."""
    told = []
    for holder, key in zip(candidate.holders, candidate.keys, strict=True):
        told += [
            f"{_short(name)} ({_kind(value)})"
            for name, value in holder.items()
            if name != key and name not in used and name not in _KNOWN_BESIDE
        ]
    return tuple(told)


def _short(name: Any) -> str:
    """A name out of the file, for a message that lists several."""
    return shown(name)[:60]


def _kind(value: Any) -> str:
    if type(value) is TensorRecord:
        return f"{value.dtype} {list(value.shape)}"
    if type(value) is ArrayRecord:
        return f"an array {list(value.shape)}"
    if type(value) is ModuleRecord:
        return f"a {value.class_name[:40]}" if value.class_name.isprintable() else "an object"
    if type(value) is ForeignRecord:
        return f"a {value.name[:40]}"
    if type(value) in (dict, list, tuple, set):
        return f"{len(value)} values"
    return shown(value)[:40]


def _listed(phrases: list[str]) -> str:
    return ", ".join(phrases[:3]) + (f" and {len(phrases) - 3} more" if len(phrases) > 3 else "")


def left_out(network: Network, surplus: list[str]) -> tuple[str, ...]:
    """A remark for what lies beside a network, and one for `surplus`, the tensors of it that its configuration does not demand."""
    remarks = []
    if network.beside:
        remarks.append(f"left out, beside {network.place}: {_listed(list(network.beside))}")
    if surplus:
        named = _listed([_short(name) for name in sorted(surplus)])
        remarks.append(f"left out of {network.place}: {named}, which {FAMILIES[network.family].title}'s generator does not have")
    return tuple(remarks)


def walk_modules(root: ModuleRecord, where: str) -> Iterator[tuple[str, ModuleRecord]]:
    """Every module with its dotted name, the root as ''. Bounded: a file may nest a module in itself.

    Raises:
        CheckpointError: too many, or something that is no module in a module's place.
    """
    waiting, count = [("", root, 0)], 0
    while waiting:
        name, module, depth = waiting.pop()
        count += 1
        if count > MAX_MODULES or depth > 16:
            raise CheckpointError(f"{where}: expected some 150 modules, found far more; {UNMODIFIED}")
        yield name, module
        for key, child in _attribute(module, "_modules", f"{where}.{name}").items():
            if child is None:
                continue
            if type(child) is not ModuleRecord:
                raise CheckpointError(f"{where}.{name}: module {key!r}: expected a module, found {shown(child)}; {UNMODIFIED}")
            waiting.append((f"{name}.{key}" if name else key, child, depth + 1))


def state_of(modules: Mapping[str, ModuleRecord], where: str) -> dict[str, TensorRecord]:
    """The state dict of modules: parameters and persistent buffers by full name.

    Raises:
        CheckpointError: something that is no tensor in a tensor's place.
    """
    records: dict[str, TensorRecord] = {}
    for name, module in modules.items():
        passing = module.state.get("_non_persistent_buffers_set")
        skipped = passing if type(passing) is set else set()
        owned = _attribute(module, "_parameters", f"{where}.{name}") | {
            key: value for key, value in _attribute(module, "_buffers", f"{where}.{name}").items() if key not in skipped
        }
        for key, record in owned.items():
            full = f"{name}.{key}" if name else key
            if record is None:
                continue
            if type(record) is not TensorRecord:
                raise CheckpointError(f"{where}: {full}: expected a float32 tensor, found {shown(record)}; {UNMODIFIED}")
            records[full] = record
    return records


def _attribute(module: ModuleRecord, attribute: str, where: str) -> dict[str, Any]:
    found = module.state.get(attribute)
    if type(found) is not dict or not all(type(key) is str and re.fullmatch(r"\w{1,80}", key, re.ASCII) for key in found):
        raise CheckpointError(f"{where}: expected {attribute!r} to be a dictionary of names, found another value; {UNMODIFIED}")
    return found
