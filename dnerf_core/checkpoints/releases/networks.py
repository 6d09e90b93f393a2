"""Finds a registered family's generator in a checkpoint, whatever form it has there: a module, or a state dict under any prefix.

The published code pickles modules; others save state dicts, with the construction arguments beside them or without.
"""

from __future__ import annotations

import dataclasses
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dnerf_core.backbone.family import Family
from dnerf_core.backbone.registry import family_titles
from dnerf_core.checkpoints.inert.checkpoint_file import Checkpoint, check_own
from dnerf_core.checkpoints.inert.pickle_machine import shown
from dnerf_core.checkpoints.inert.records import ArrayRecord, ForeignRecord, ModuleRecord, TensorRecord
from dnerf_core.checkpoints.releases.module_tree import state_of, walk_modules
from dnerf_core.checkpoints.releases.recognition import (
    families_of_class,
    families_of_state,
    family_of_own_tensors,
    family_of_settings,
    has_modules_of_a_family,
    network_classes,
    remaining_family,
    state_key_pattern,
)
from dnerf_core.checkpoints.releases.strangers import relative_by_names, relative_by_settings, stranger, stranger_class
from dnerf_core.errors import CheckpointError, UsageError, listed

_MAX_DEPTH = 3
"""Dictionaries in dictionaries, from the checkpoint's own on, in which a generator is looked for."""

_USUAL_ENTRIES = {"G", "D", "G_ema", "training_set_kwargs", "augment_pipe"}
"""What every snapshot of a StyleGAN's training holds."""

_LISTED = 3
"""Names of entries that a message has, before the rest is counted."""

_GIVE_ONE = "nothing was written; give a checkpoint of one of these"

_OUTER_SETTINGS = ("rendering_kwargs", "neural_rendering_resolution", "img_resolution")
"""Settings that are met beside the construction arguments."""


@dataclass(frozen=True, eq=False)
class Network:
    """A generator as a checkpoint holds it.

    Attributes:
        place: where, for messages: "G_ema", "state_dict 'decoder.'".
        tensors: its state by published key name, with whatever else lies there under the same prefix.
        modules: every module by dotted name, the root as ''; None for a state dict.
        options: construction arguments that travel with a state dict; None: none do.
        surroundings: what the checkpoint holds beyond it, a phrase each; a training's own G, D and settings are not named.
        family: which family of generators it is of.
    """

    place: str
    tensors: Mapping[str, TensorRecord]
    modules: Mapping[str, ModuleRecord] | None
    options: dict[str, Any] | None
    surroundings: tuple[str, ...]
    family: Family


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
    candidates = _distinct(_candidates(tree))
    if not candidates:
        if type(tree) is dict:
            check_own(tree.get("G_ema"), "G_ema")
        raise CheckpointError(_nothing(checkpoint, path))
    if wanted is not None:
        chosen = [candidate for candidate in candidates if candidate.place == wanted]
        if not chosen:
            raise UsageError(
                f"--network {wanted}: expected one of {_places(candidates)} of {path}, found no such; correct the name"
            )
    else:
        averaged = [candidate for candidate in candidates if "ema" in candidate.place.lower()]
        chosen = averaged or candidates
    if len(chosen) > 1:
        raise UsageError(f"{path}: expected one generator, found {_places(chosen)}; choose one by --network")
    return _opened(chosen[0], path)


def _distinct(candidates: Iterator[_Candidate]) -> list[_Candidate]:
    """Each network once, however often a file refers to it; under the place that names the average, if one does."""
    distinct: dict[tuple[int, str | None], _Candidate] = {}
    for candidate in sorted(candidates, key=lambda one: "ema" not in one.place.lower()):
        distinct.setdefault((id(candidate.value), candidate.prefix), candidate)
    return list(distinct.values())


def _places(candidates: list[_Candidate]) -> str:
    return ", ".join(shown(candidate.place) for candidate in candidates[:8])


def _candidates(tree: Any) -> Iterator[_Candidate]:
    """Every generator down to `_MAX_DEPTH` dictionaries deep. Each dictionary is walked once: shared and cyclic ones cost no more."""
    seen: set[int] = set()
    waiting: deque[_Candidate] = deque([_Candidate((), tree, None, ())])
    classes, pattern = network_classes(), state_key_pattern()
    while waiting:
        place = waiting.popleft()
        value = place.value
        if type(value) is ModuleRecord and value.class_name != "argparse.Namespace":
            if value.class_name in classes or place.keys[-1:] == ("G_ema",) or has_modules_of_a_family(value):
                yield place
            continue
        held = value.state if type(value) is ModuleRecord else value
        if type(held) is not dict:
            continue
        prefixes = _prefixes(held, pattern)
        yield from (dataclasses.replace(place, value=held, prefix=prefix) for prefix in prefixes)
        if not prefixes and len(place.keys) < _MAX_DEPTH and id(held) not in seen:
            seen.add(id(held))
            waiting.extend(
                _Candidate((*place.keys, key), part, None, (*place.holders, held))
                for key, part in held.items()
                if type(key) is str
            )


def _prefixes(state: dict[Any, Any], pattern: re.Pattern[str]) -> list[str]:
    """What a generator's published names begin with in a state dict; none: it is no generator's."""
    matches = (pattern.match(name) for name, value in state.items() if type(name) is str and type(value) is TensorRecord)
    return sorted({match[1] for match in matches if match})


def _nothing(checkpoint: Checkpoint, path: object) -> str:
    tree, form = checkpoint.tree, checkpoint.form
    what = stranger(tree)
    if what is not None:
        return f"{path}: expected a generator of {family_titles()}, found {form} with {what}; {_GIVE_ONE}"
    held = ""
    if type(tree) is dict and tree:
        held = f"; {form} that holds {listed([f'{_short(key)} ({_kind(value)})' for key, value in tree.items()], _LISTED)}"
    return (
        f"{path}: expected a dictionary with the network 'G_ema', a generator, or a state dict of one, found none{held}; "
        f"nothing was written; import what the training of {family_titles()} wrote, or a state dict of its generator"
    )


def _opened(candidate: _Candidate, path: object) -> Network:
    return _opened_module(candidate, path) if candidate.prefix is None else _opened_state(candidate, candidate.prefix, path)


def _opened_module(candidate: _Candidate, path: object) -> Network:
    root, where = candidate.value, f"{path}: {candidate.place}"
    family = family_of_settings(root)
    if family is None:
        _refuse_relative(relative_by_settings(root), where)
    families = families_of_class(root.class_name)
    if not families:
        what = stranger_class(root)
        found = shown(root.class_name) if what is None else f"{shown(root.class_name)}, {what}"
        raise CheckpointError(
            f"{where}: expected a {' or '.join(network_classes())}, found {found}; nothing was written; "
            f"import a generator of {family_titles()}"
        )
    check_own(root, candidate.place)
    modules = dict(walk_modules(root, where))
    tensors = state_of(modules, where)
    if family not in families:
        family = _family_by_tensors(tensors, families, where)
    return Network(candidate.place, tensors, modules, None, _surroundings(candidate, set()), family)


def _opened_state(candidate: _Candidate, prefix: str, path: object) -> Network:
    held = {name: value for name, value in candidate.value.items() if type(name) is str and type(value) is TensorRecord}
    tensors = {name.removeprefix(prefix): tensor for name, tensor in held.items() if name.startswith(prefix)}
    family = _family_by_tensors(tensors, families_of_state(tensors), f"{path}: {candidate.place}")
    options, used = _options(candidate)
    others = [name for name in candidate.value if not (name in held and name.startswith(prefix))]
    other_tensors = [f"{len(others)} more such as {_short(others[0])} ({_kind(candidate.value[others[0]])})"] if others else []
    return Network(candidate.place, tensors, None, options, (*_surroundings(candidate, used), *other_tensors), family)


def _family_by_tensors(tensors: Mapping[str, TensorRecord], families: list[Family], where: str) -> Family:
    """Which of `families`, at least one, a network is of; where none is told by its own tensors, the one that remains.

    Where none remains either it is the first, whose reader says what is missing.
    """
    family = family_of_own_tensors(tensors, families)
    if family is None:
        _refuse_relative(relative_by_names(tensors), where)
        family = remaining_family(families) or families[0]
    return family


def _refuse_relative(relative: str | None, where: str) -> None:
    """Raises the CheckpointError for a relative of EG3D that is not imported, as `strangers` names it; None: it is none."""
    if relative is not None:
        raise CheckpointError(f"{where}: expected a generator of {family_titles()}, found {relative}; {_GIVE_ONE}")


def _options(candidate: _Candidate) -> tuple[dict[str, Any] | None, set[str]]:
    """Construction arguments in the nearest dictionary that holds the state dict, and the names they stand under."""
    for holder in reversed(candidate.holders):
        options: dict[str, Any] = {}
        used: set[str] = set()
        for name, value in holder.items():
            if type(value) is dict and type(name) is str and name not in candidate.keys and _are_arguments(name, value):
                options |= {key: part for key, part in value.items() if type(key) is str}
                used.add(name)
        for name in _OUTER_SETTINGS:
            if name in holder and type(holder[name]) in (dict, int):
                options.setdefault(name, holder[name])
                used.add(name)
        if type(options.get("rendering_kwargs")) is dict:
            return options, used
    return None, set()


def _are_arguments(name: str, value: dict[Any, Any]) -> bool:
    return type(value.get("rendering_kwargs")) is dict or ("init" in name and "z_dim" in value)


def _surroundings(candidate: _Candidate, used: set[str]) -> tuple[str, ...]:
    """What lies in the dictionaries round a network, but for what every training writes."""
    phrases = []
    for holder, key in zip(candidate.holders, candidate.keys, strict=True):
        phrases += [
            f"{_short(name)} ({_kind(value)})"
            for name, value in holder.items()
            if name != key and name not in used and name not in _USUAL_ENTRIES
        ]
    return tuple(phrases)


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


def left_out(network: Network, surplus: list[str]) -> tuple[str, ...]:
    """A remark for what lies beside a network, and one for `surplus`, the tensors of it that its configuration does not demand."""
    remarks = []
    if network.surroundings:
        remarks.append(f"left out, beside {network.place}: {listed(list(network.surroundings), _LISTED)}")
    if surplus:
        named = listed([_short(name) for name in sorted(surplus)], _LISTED)
        remarks.append(f"left out of {network.place}: {named}, which {network.family.title}'s generator does not have")
    return tuple(remarks)
