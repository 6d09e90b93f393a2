"""Memory of a long render: resident set every 100 subjects.

    python benchmarks/flat_memory.py [--subjects 1000] [--views 1] [--workers N]

Renders the demo's subjects into a temporary folder by the command line, in a process of its own, and reads what the system says of that
process whenever a subject is done. Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EVERY = 100


def resident_mb(pid: int) -> float:
    """Resident set of a process, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid}: no VmRSS in its status")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=1000)
    parser.add_argument("--views", type=int, default=1)
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "headless.cli",
            "render",
            "--subjects",
            str(arguments.subjects),
            "--views",
            str(arguments.views),
        ]
        command += ["--yaw", "0:0" if arguments.views == 1 else "-30:30", "--json", "--output", str(Path(folder) / "out")]
        command += [] if arguments.workers is None else ["--workers", str(arguments.workers)]
        began = time.perf_counter()
        print("| subjects | resident MB | s |\n|---|---|---|")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            done = 0
            for line in process.stdout:
                if json.loads(line)["event"] != "view":
                    continue
                done += 1
                if done % (EVERY * arguments.views) == 0:
                    seconds = time.perf_counter() - began
                    print(f"| {done // arguments.views} | {resident_mb(process.pid):.0f} | {seconds:.0f} |", flush=True)
        if process.returncode:
            raise SystemExit(f"render: expected exit code 0, found {process.returncode}")


if __name__ == "__main__":
    main()
