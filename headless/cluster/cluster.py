"""Joining a Ray cluster: the one that RAY_ADDRESS names, or one of this machine alone, for as long as the command runs."""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from types import FrameType
from typing import Any

from dnerf_core.errors import DNeRFError, UsageError
from dnerf_core.work.cores import usable_cores
from headless.work.workers import MAX_DEFAULT_WORKERS

ADDRESS_VARIABLE = "RAY_ADDRESS"
CONNECT_PATIENCE_S = 10.0
"""Ray itself tries for more than two minutes."""
STORE_BYTES = 2**27
"""Shared memory of a cluster of this machine alone. Views go to disk, not through it."""


@dataclass(frozen=True)
class Cluster:
    """What a cluster has: cores and GPUs, of all nodes together."""

    cpus: int
    gpus: int

    def view_threads(self, gpu: bool) -> int:
        """Threads by which an actor makes the views of its subject: one on a core of its own.

        A GPU's actor takes its share of the cores, as the thread engine does: while one view's files are compressed, which is
        the processor's work, the GPU makes the next one.
        """
        return max(1, min(self.cpus // self.gpus, MAX_DEFAULT_WORKERS)) if gpu else 1


def require_ray() -> None:
    """Make sure that Ray is installed.

    Raises:
        UsageError: it is not.
    """
    if importlib.util.find_spec("ray") is None:
        raise UsageError("--engine ray: expected the package ray, found none; pip install 'datasetnerf[ray]'")


@contextmanager
def joined(workers: int | None, device: str) -> Iterator[Cluster]:
    """A cluster, joined for the length of the block; one that was started for it ends with it.

    Args:
        workers: actors that shall run; None: as many as there are cores or GPUs.
        device: "auto", "cpu" or "cuda".

    Raises:
        UsageError: no cluster answers, or "cuda" is asked for and it has no GPU.
        DNeRFError: none can be started here.
    """
    address = os.environ.get(ADDRESS_VARIABLE) or "local"
    with _own_cluster(workers, device) if address == "local" else _named_cluster(address):
        import ray

        resources = ray.cluster_resources()
        cluster = Cluster(int(resources.get("CPU", 0)), int(resources.get("GPU", 0)))
        if device == "cuda" and not cluster.gpus:
            raise UsageError(
                "--device cuda: expected a Ray cluster with GPUs, found none in it; use --device cpu, or add a node that has one"
            )
        yield cluster


@contextmanager
def _own_cluster(workers: int | None, device: str) -> Iterator[None]:
    """A cluster of this machine alone, which nobody else can reach or is told of, and which leaves nothing behind."""
    # all of them are read when ray is imported; the first makes its servers listen on the loopback interface only
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    temporary = tempfile.mkdtemp(prefix="dnerf-ray-", dir=os.environ.get("RAY_TMPDIR"))
    try:
        with _connection(
            "local",
            num_cpus=workers or usable_cores(),
            num_gpus=0 if device == "cpu" else None,
            object_store_memory=STORE_BYTES,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=temporary,
        ):
            yield
    finally:
        _remove_folder(temporary)


@contextmanager
def _named_cluster(address: str) -> Iterator[None]:
    """The cluster that runs there, whoever started it."""
    host, _, port = address.rpartition(":")
    if address != "auto":
        if "://" in address or not (host and port.isdecimal() and int(port) < 2**16):
            raise UsageError(
                f"{ADDRESS_VARIABLE}: expected HOST:PORT of the cluster's head node, or auto, found {address}; "
                "call the command on one of its nodes, without ray://"
            )
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_PATIENCE_S).close()
        except OSError as error:
            raise UsageError(
                f"{ADDRESS_VARIABLE}: expected a Ray cluster at {address}, the system says: {error.strerror or error}; "
                "start one with `ray start --head`, or unset the variable"
            ) from error
    with _connection(address):
        yield


@contextmanager
def _connection(address: str, **options: Any) -> Iterator[None]:
    """Ray's connection of this process, without a word of Ray's own on the terminal."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray prints what it thinks of dead workers to stdout, which is for results; the engine tells of them itself
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")
    # keeps a FutureWarning off the terminal; processes without a GPU of their own are told to use the processor anyway
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    connect = partial(ray.init, address, log_to_driver=False, logging_level=logging.CRITICAL, **options)
    with _Connection(connect, ray.shutdown) as link:
        try:
            link.wait()
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise _connection_error(address, error) from error
        with _keeping_sigterm():
            yield


class _Connection:
    """Ray's connection, made and ended by a thread that waits in between.

    Ctrl-C and SIGTERM do not reach that thread, so that one which comes while a cluster is being started leaves no half of it behind;
    and Ray leaves the answer to SIGTERM as it is. Processes of a cluster of this machine alone die with the thread that started them.
    """

    def __init__(self, connect: Callable[[], object], disconnect: Callable[[], object]) -> None:
        self._connect, self._disconnect = connect, disconnect
        self._tried, self._unwanted = Event(), Event()
        self._error: Exception | None = None
        self._thread = Thread(target=self._serve, name="ray", daemon=True)

    def _serve(self) -> None:
        try:
            self._connect()
        except Exception as error:  # whatever it is goes to the command's thread, which raises it
            self._error = error
        self._tried.set()
        self._unwanted.wait()
        self._disconnect()

    def wait(self) -> None:
        """Until there is a connection; raises what it failed with."""
        self._tried.wait()
        if self._error is not None:
            raise self._error

    def __enter__(self) -> _Connection:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._unwanted.set()
        self._thread.join()


@contextmanager
def _keeping_sigterm() -> Iterator[None]:
    """The command's own answer to SIGTERM, in place of Ray's, which prints a stack.

    Where the signal ends Ray's waiting, Ray raises a plain KeyboardInterrupt in place of what the handler raised, which is put right.
    """
    handler = signal.getsignal(signal.SIGTERM)
    raised: list[BaseException] = []

    def answer(number: int, frame: FrameType | None) -> None:
        assert callable(handler)
        try:
            handler(number, frame)
        except BaseException as error:
            raised.append(error)
            raise

    signal.signal(signal.SIGTERM, answer if callable(handler) else handler)
    try:
        yield
    except KeyboardInterrupt as error:
        if raised and raised[0] is not error:
            raise raised[0] from error
        raise
    finally:
        if not raised:
            signal.signal(signal.SIGTERM, handler)


def _connection_error(address: str, error: Exception) -> DNeRFError:
    reason = " ".join(str(error).split())
    if address == "local":
        return DNeRFError(f"--engine ray: expected Ray to start on this machine, it says: {reason}; use --engine threads")
    return UsageError(
        f"{ADDRESS_VARIABLE}: expected a Ray cluster of this machine's Ray and Python versions at {address}, Ray says: {reason}; "
        "start one with `ray start --head`, or unset the variable"
    )


def _remove_folder(path: str) -> None:
    """Remove the folder of Ray's logs and sockets, where its last processes may still write for a moment."""
    for _ in range(50):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            return
        time.sleep(0.1)
