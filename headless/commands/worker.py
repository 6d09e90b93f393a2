"""`dnerf-headless worker`: the engine as a process of another program's, spoken to by lines of JSON."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from dnerf_core.errors import DNeRFError
from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option
from headless.commands.types import FilledPath


@click.command(
    "worker",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless worker --exchange FOLDER   # then a request a line, see docs/worker.md",
)
@options.device_option
@option(
    "--exchange",
    type=FilledPath(exists=True, file_okay=False),
    required=True,
    metavar="FOLDER",
    help="Exchange arrays through this folder, which is the client's own.",
)
@option("--parent", type=click.IntRange(1), metavar="PID", help="End when this process, the client's, is gone.")
@options.debug_option
def command(device: str, exchange: Path, parent: int | None) -> None:
    """Do what another program asks, such as the Blender extension.

    It speaks JSON-RPC 2.0 on stdin and stdout. Models and subjects stay loaded between requests. It opens no port, and ends with its
    client or when stdin does.
    """
    from headless.worker.wire import Wire, take_stdout

    wire = Wire(take_stdout())
    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: a shared library of torch that cannot be loaded
        reason = " ".join(str(error).split())
        raise DNeRFError(f"torch: expected it with datasetnerf, it cannot be imported ({reason}); install torch there") from error
    run(wire, device, exchange, parent)


def run(wire: Any, device: str, exchange: Path, parent: int | None) -> None:
    """Greet the client and serve it to the end.

    Raises:
        UsageError: the device is not there.
    """
    from dnerf_core.worker_protocol import PROTOCOL, notification
    from headless.worker.exchange import Exchange
    from headless.worker.facts import is_out_of_memory, worker_facts
    from headless.worker.held import HeldModels
    from headless.worker.methods import IMMEDIATE, METHODS
    from headless.worker.parent import watch
    from headless.worker.server import Server

    facts = worker_facts(device)
    held = HeldModels(device)
    methods = {name: partial(method, held=held) for name, method in METHODS.items()}
    immediate = {name: partial(answer, held=held) for name, answer in IMMEDIATE.items()}

    def out_of_memory(error: BaseException) -> bool:
        ran_out = is_out_of_memory(error)
        if ran_out:
            held.clear()
        return ran_out

    server = Server(wire, Exchange(exchange), methods, immediate, out_of_memory)

    def leave() -> None:
        server.end()
        os._exit(1)

    watch(parent, leave)
    wire.send(notification("ready", {"protocol": PROTOCOL, **facts}))
    try:
        server.serve(sys.stdin.buffer)
    finally:
        if not server.end():
            # A view of a large model cannot be left half-way, and nobody waits for it.
            os._exit(0)
