"""Which of the folder's labels a tool's label name means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dnerf_core.errors import AnnotationError, UsageError, brief, counted, did_you_mean, listed
from dnerf_core.labels import IGNORE_ID, LabelSet

_BACKGROUND = "background"
_IGNORED = ("ignore", "ignored", "void")
_SHOWN = 8


class LabelNames:
    """Names out of files, matched to a label set without regard to case, spaces, `_` and `-`.

    The set's own names come first; then `_background_` and its like mean 0, `__ignore__`, `ignored` and `void` 255.

    Args:
        labels: the set.
        pairs: `name=label` for names that mean a label, background or ignore though they are spelled otherwise.

    Raises:
        UsageError: a pair that is none, or whose label is not in the set.
    """

    def __init__(self, labels: LabelSet, pairs: Sequence[str] = ()) -> None:
        self._labels = labels
        self._exact = {label.name: label.id for label in labels.labels}
        folded = Counter(_folded(name) for name in labels.names)
        self._folded = {_folded(_BACKGROUND): 0} | {_folded(name): IGNORE_ID for name in _IGNORED}
        self._folded |= {_folded(label.name): label.id for label in labels.labels if folded[_folded(label.name)] == 1}
        self._ambiguous = {name for name, count in folded.items() if count > 1}
        for name in self._ambiguous:
            self._folded.pop(name, None)
        self.unknown: Counter[str] = Counter()
        self._mapped: dict[str, int] = {}
        self._pairs = dict(self._add_pair(pair) for pair in pairs)
        self._seen: set[str] = set()

    @property
    def unused(self) -> list[str]:
        """Names of pairs that no file had."""
        return [name for folded, name in self._pairs.items() if folded not in self._seen]

    def _add_pair(self, pair: str) -> tuple[str, str]:
        name, equals, label = pair.rpartition("=")
        if not equals or not name.strip():
            raise UsageError(
                f"--map: expected a name of the file and a label, such as wheel=wheels, found {brief(pair)}; correct it"
            )
        value = self._own(label)
        if value is None:
            near = did_you_mean(label, self._labels.names)
            raise UsageError(
                f"--map: expected one of the labels {self._labels.names_text()} or ignore, found {brief(label)}{near}; correct it"
            )
        if self._mapped.setdefault(_folded(name), value) != value:
            raise UsageError(f"--map: expected each name once, found {brief(name)} with two labels; leave one out")
        return _folded(name), name

    def _own(self, name: str) -> int | None:
        return self._exact.get(name, self._folded.get(_folded(name)))

    def id_of(self, name: str) -> int | None:
        """The id that a name means; None: none, which is counted in `unknown`."""
        self._seen.add(_folded(name))
        value = self._mapped.get(_folded(name))
        if value is None:
            value = self._own(name)
        if value is None:
            self.unknown[name] += 1
        return value

    def _unknown_text(self, name: str) -> str:
        near = "" if _folded(name) in self._ambiguous else did_you_mean(name, self._labels.names)
        return f"{brief(name)} ({counted(self.unknown[name], 'time')}){near}"

    def check(self, where: str, labels_file: str) -> None:
        """Refuse names that mean no label, all of them at once.

        Raises:
            AnnotationError: there are some.
        """
        if not self.unknown:
            return
        names = sorted(self.unknown)
        found = listed([self._unknown_text(name) for name in names], _SHOWN)
        same = next((name for name in names if _folded(name) in self._ambiguous), None)
        hint = "" if same is None else f" ({brief(same)} fits several)"
        raise AnnotationError(
            f"{where}: expected the labels {self._labels.names_text()}, found {found}{hint}; say what each means, such as "
            f"--map {_quoted(names[0])}={_quoted(self._labels.names[-1])} or --map {_quoted(names[0])}=ignore, or add it to {labels_file}"
        )


def _folded(name: str) -> str:
    return "".join(char for char in name.casefold() if char not in " _-\t")


def _quoted(name: str) -> str:
    """A name as a shell takes it, cut where it is long."""
    short = name if len(name) <= 40 else f"{name[:37]}..."
    return short if short.isidentifier() else f'"{short}"'
