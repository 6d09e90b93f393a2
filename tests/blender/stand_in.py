"""A worker that is none: standard library alone, so that the bridge is tested by any Python. `python stand_in.py BEHAVIOUR ...`."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def greet(protocol: int = 1, version: str = "0.1.0") -> None:
    say({"method": "ready", "params": {"protocol": protocol, "version": version, "torch": "2.9", "device_name": "a stand-in"}})


def serve() -> None:
    """Answer `echo` with its params, `steps` with parts and progress; `wait` is answered when cancelled, `die` not at all."""
    for line in sys.stdin:
        request = json.loads(line)
        method, params, number = request["method"], request["params"], request.get("id")
        if method == "echo":
            say({"id": number, "result": params})
        elif method == "steps":
            say({"method": "progress", "params": {"id": number, "done": 1, "total": 2, "text": "steps"}})
            say({"method": "part", "params": {"id": number, **params}})
            say({"id": number, "result": {"seconds": 0.1}})
        elif method == "cancel":
            say({"id": params["id"], "error": {"code": 3, "message": "cancelled"}})
        elif method == "die":
            print("a library's last words", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        elif method == "chatter":
            print("Downloading something 100%", flush=True)
        elif method == "mute":
            os.close(1)
            time.sleep(60)


def main(behaviour: str) -> None:
    if behaviour == "serve":
        greet()
        serve()
    elif behaviour == "newer":
        greet(protocol=99, version="9.9.9")
        time.sleep(60)
    elif behaviour == "older":
        print("Usage: dnerf-headless [OPTIONS]\nerror: No such command 'worker'", file=sys.stderr)
        sys.exit(2)
    elif behaviour == "garbage":
        print("Python 2.7 says hello", flush=True)
        time.sleep(60)
    elif behaviour == "endless":
        sys.stdout.write("x" * 100_000)
        sys.stdout.flush()
        time.sleep(60)
    elif behaviour == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        greet()
        time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1])
