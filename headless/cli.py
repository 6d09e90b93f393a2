"""The entry point `dnerf-headless`: finds the command, runs it, and turns every failure into one line and an exit code.

Adding a command is a line in `COMMANDS`, its place in the overview in `GROUPS`, and a module `headless/commands/NAME.py` (`NAME_.py` for
a Python keyword, `_` for each dash) that holds a click command called `command`. Modules are imported only when their command is called,
so `--help` stays quick.
"""

from __future__ import annotations

import importlib
import json
import keyword
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class, shell_complete

from dnerf_core import __version__
from dnerf_core.errors import DNeRFError
from dnerf_core.work.cores import machine_cores
from dnerf_core.work.torch_start import torch_environment
from headless.work.reporting import printable

PROGRAM = "dnerf-headless"

GROUPS: dict[str, tuple[str, ...]] = {
    "Make data": ("render", "video", "pointcloud", "mesh", "world"),
    "Teach labels": ("sample", "annotate", "train", "evaluate"),
    "From a photo or a mask": ("invert", "edit"),
    "Learn from data": ("train-segmenter", "train-pointnet", "segment", "reproduce"),
    "Files": ("import", "template", "info"),
    "This machine and Blender": ("bench", "doctor", "worker", "extension"),
}
"""The overview's titles with the commands below each."""

COMMANDS: dict[str, str] = {
    "render": "Write labelled, posed views of generated subjects to a folder.",
    "video": "Write label videos along a camera path.",
    "pointcloud": "Write point clouds with labelled parts, fused from views all around.",
    "mesh": "Write each subject's surface as a closed mesh with labelled parts.",
    "world": "Write exact test sets of the demo's worlds, and of a harder one: views, or labelled clouds.",
    "sample": "Write views of a few subjects to annotate: images, and empty masks to paint.",
    "annotate": "Bring in what other programs painted, as masks of a folder of sample.",
    "train": "Train a semantic branch on painted views and write a model file.",
    "evaluate": "Score a model against painted masks or the exact truth, or views against each other.",
    "invert": "Find the subject of a photo or a mask, and where it was taken from.",
    "edit": "Change a subject's shape by repainting its mask.",
    "train-segmenter": "Train a network that labels images on data sets, and write a network file.",
    "train-pointnet": "Train a network that labels the points of clouds, and write a network file.",
    "segment": "Label pictures and videos, or point clouds and meshes, by a trained network.",
    "reproduce": "Make the paper's experiments, and a report of their scores.",
    "import": "Turn a checkpoint with EG3D's, PanoHead's or GNARF's generator into a model file.",
    "template": "Turn a rigged mesh into the template of a body that moves.",
    "info": "Print what is inside a model file, a subject file, a template file or a network file.",
    "bench": "Measure the fast path against the literal method on this machine.",
    "worker": "Do what another program asks, such as the Blender extension.",
    "doctor": "Tell what this machine can do.",
    "extension": "Write the Blender extension.",
}
"""Every command and its line in the overview, in the order a user meets them."""

COMPLETE_VARIABLE = "_DNERF_HEADLESS_COMPLETE"
"""`bash_source`, `zsh_source` or `fish_source` there prints the script that completes the program's words in that shell."""

EXIT_FAILED = 1
EXIT_WRONG_CALL = 2
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class LazyGroup(click.Group):
    """A click group that imports a command's module only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module_name = cmd_name.replace("-", "_") + ("_" if keyword.iskeyword(cmd_name) else "")
        module = importlib.import_module(f"headless.commands.{module_name}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names; where it names none, the message tells which is near."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so, without importing any; and the program's own options."""
        found = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, COMMANDS[name]) for name in names])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=f"\b\nExample:\n  {PROGRAM} render --seeds 0-7 --views 3 --output cars",
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def group() -> None:
    """Labelled, posed, 3D-consistent images from a frozen 3D generator, without a window."""


def run(args: Sequence[str]) -> int:
    """Run one call of the command line.

    Args:
        args: the arguments after the program's name.

    Returns:
        The exit code: 0 done, 1 the job failed, 2 the call was wrong, 130 interrupted, 143 terminated.
    """
    meta: dict[str, Any] = {}
    if not args:
        args = ["--help"]
    exit_code = 0
    try:
        with group.make_context(PROGRAM, list(args)) as context:
            meta = context.meta
            group.invoke(context)
            sys.stdout.flush()
    except click.exceptions.Exit as end:
        exit_code = end.exit_code
    except click.ClickException as error:
        exit_code = _fail(_click_message(error), error.exit_code, meta)
    except DNeRFError as error:
        exit_code = _fail(str(error), error.exit_code, meta)
    except _Terminated:
        exit_code = _fail("terminated; the same command goes on later", EXIT_TERMINATED, meta)
    except (KeyboardInterrupt, click.Abort):
        exit_code = _fail("interrupted; the same command goes on later", EXIT_INTERRUPTED, meta)
    except BrokenPipeError:
        # The reader of our output has gone. Python would complain once more while flushing at exit, so stdout goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        exit_code = EXIT_FAILED
    except Exception as error:
        # The one place that catches everything: the outermost edge, where a fault of ours becomes a line instead of a traceback.
        message = f"{type(error).__name__}: {error}"
        hint = "" if meta.get("debug") else "; run again with --debug for the traceback"
        exit_code = _fail(message + hint, EXIT_FAILED, meta)
    return exit_code


def main() -> None:
    """The console script: run the call in `sys.argv` and exit with its code."""
    os.environ.update(torch_environment(os.environ, machine_cores()))  # before anything loads torch, which reads it once
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        sys.exit(_complete(instruction))
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run(sys.argv[1:]))


def _complete(instruction: str) -> int:
    """Answer a shell: its completion script, or the words that may follow; returns the exit code."""
    shell, _, what = instruction.partition("_")
    if get_completion_class(shell) is None or what not in ("source", "complete"):
        return _fail(
            f"{COMPLETE_VARIABLE}: expected bash_source, zsh_source or fish_source, found {instruction!r}; correct it",
            EXIT_WRONG_CALL,
            {},
        )
    return shell_complete(group, {}, PROGRAM, COMPLETE_VARIABLE, instruction)


class _Terminated(KeyboardInterrupt):
    """SIGTERM: ends a command as Ctrl-C does, with what it has written whole and its closing line."""


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends the process at once
    raise _Terminated


def _fail(message: str, exit_code: int, meta: dict[str, Any]) -> int:
    """Say why in one line on stderr (after the traceback, with --debug) and, with --json, as the closing object on stdout."""
    line = printable(" ".join(message.split()))
    if meta.get("debug"):
        traceback.print_exc()
    print(f"error: {line}", file=sys.stderr)
    if meta.get("json"):
        status = "interrupted" if exit_code in (EXIT_INTERRUPTED, EXIT_TERMINATED) else "failed"
        fields = {"status": status, "command": meta["command"], "error": line, "exit_code": exit_code}
        print(json.dumps({"event": "summary", **fields}), flush=True)
    return exit_code


def _click_message(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{message}; see '{context.command_path if context else PROGRAM} --help'"


if __name__ == "__main__":
    main()
