"""What an operator on files is given: the paths that the file browser, a drop or a script names."""

from collections.abc import Callable
from pathlib import Path

import bpy

from dnerf_core.errors import UsageError


class ChosenFiles:
    """Properties of an operator on files, by the names that Blender's file browser and its file handlers fill in."""

    execute: Callable[[bpy.types.Context], set[str]]

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Begin at once with what was dropped; else let the file browser choose."""
        if self.named_paths():
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def named_paths(self) -> list[Path]:
        """The files that are named, absolute; none where nothing has been chosen yet."""
        names = [item.name for item in self.files if item.name]
        if self.directory and names:
            folder = Path(bpy.path.abspath(self.directory))
            return [folder / name for name in names]
        return [Path(bpy.path.abspath(self.filepath))] if self.filepath else []

    def chosen_paths(self) -> list[Path]:
        """The same where there is nothing to do without a file.

        Raises:
            UsageError: no file is named, or one is not there.
        """
        paths = self.named_paths()
        if not paths:
            raise UsageError("files: expected one or more, found none chosen; choose a file")
        for path in paths:
            if not path.is_file():
                raise UsageError(f"{path}: expected a file, found none; choose it again")
        return paths
