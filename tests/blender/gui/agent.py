"""Runs inside the root that has Blender, on its own Python: an X server, Blender in it, and what the test wants run beside them.

Requests come a line of JSON on stdin, `{"start": ARGV}`, `{"run": ARGV}` or `{"move": WORDS}`, answers go to stdout. The end of stdin
ends everything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from hand import Hand  # beside this file

SCREEN = sys.argv[1]


def main() -> None:
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", f"{SCREEN}x24", "+extension", "GLX", "-noreset", "-nolisten", "tcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    environment = {**os.environ, "DISPLAY": f":{server.stdout.readline().strip()}", "LIBGL_ALWAYS_SOFTWARE": "1"}
    started: list[subprocess.Popen] = []
    hand = Hand(environment["DISPLAY"])
    print(json.dumps({"display": environment["DISPLAY"]}), flush=True)
    try:
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line), environment, started, hand)), flush=True)
    finally:
        for process in [*started, server]:
            process.kill()
            process.wait()


def answer(request: dict, environment: dict[str, str], started: list[subprocess.Popen], hand: Hand) -> dict:
    if "move" in request:
        return {"at": hand.move(request["move"])}
    if "start" in request:
        log = open(request["log"], "wb")  # noqa: SIM115
        started.append(
            subprocess.Popen(request["start"], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        )
        return {"number": len(started) - 1, "pid": started[-1].pid}
    if "wait" in request:
        try:
            return {"code": started[request["wait"]].wait(request["timeout_s"])}
        except subprocess.TimeoutExpired:
            return {"code": None}
    done = subprocess.run(request["run"], env=environment, capture_output=True, text=True, check=False, timeout=120)
    return {"code": done.returncode, "output": done.stdout + done.stderr}


main()
