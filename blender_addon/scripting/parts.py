"""Parts by their names, for scripts: buttons know a part's number."""

from typing import Any

import bpy

from dnerf_core.errors import UsageError, brief, did_you_mean
from dnerf_core.labels import IGNORE_ID, LabelSet

IGNORE_NAME = "ignore"
"""What paints pixels that say nothing."""


class PartByName:
    """The option `part` of an operator on a part."""

    part: bpy.props.StringProperty(
        name="Part by name", description="The part's name; empty: by its number", options={"HIDDEN", "SKIP_SAVE"}
    )

    def chosen_part(self, labels: LabelSet, number: int, *, ignored: bool = False) -> int:
        """The id of the part that a call names, or else the number.

        Args:
            ignored: whether `ignore` is one, too.

        Raises:
            UsageError: there is no part of that name.
        """
        return part_id_named(labels, self.part, ignored=ignored) if self.part else number


def part_id_named(labels: LabelSet, name: Any, *, ignored: bool = False) -> int:
    """A part's id by its name. See `PartByName.chosen_part`."""
    names = {**{label.name: label.id for label in labels.labels}, **({IGNORE_NAME: IGNORE_ID} if ignored else {})}
    if name not in names:
        near = did_you_mean(name, names)
        raise UsageError(f"part: expected {' or '.join(names)}, found {brief(name)}{near}; choose one of these")
    return names[name]
