"""50 SIGKILLs with the real engine: a folder made by interrupted runs against one made at once, file for file.

    python benchmarks/interruptions.py [--kills 50] [--subjects 300] [--seed 0]

Each run of the same `render` command is killed at a random moment, its start-up included; the last one is left to end. Between the runs
every file that stands under its final name is compared with the whole folder's: nothing half-written may ever be seen there.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LATEST_KILL_S = 5.0


def command(folder: Path, subjects: int) -> list[str]:
    """The call whose folder is compared."""
    options = ["--subjects", str(subjects), "--views", "2", "--resolution", "64", "--channels", "rgb,mask,depth,uncertainty"]
    return [sys.executable, "-m", "headless.cli", "render", *options, "--format", "coco,webdataset", "--output", str(folder)]


def files(folder: Path) -> dict[str, Path]:
    """Everything under its final name, by its path in the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".tmp-"))
    return {path.relative_to(folder).as_posix(): path for path in paths}


def differing(folder: Path, whole: dict[str, Path]) -> list[str]:
    """Files that the whole folder does not have, or has otherwise."""
    return [name for name, path in files(folder).items() if name not in whole or path.read_bytes() != whole[name].read_bytes()]


def main() -> None:
    """Kill, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--subjects", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as place:
        once, again = Path(place, "once"), Path(place, "again")
        began = time.monotonic()
        subprocess.run(command(once, arguments.subjects), check=True, stdout=subprocess.DEVNULL)
        print(f"at once: {time.monotonic() - began:.1f} s, {len(files(once))} files", flush=True)
        whole, kills, wrong = files(once), 0, 0
        while kills < arguments.kills:
            process = subprocess.Popen(command(again, arguments.subjects), stdout=subprocess.DEVNULL)
            try:
                code = process.wait(chance.uniform(0.0, LATEST_KILL_S))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                code = process.wait()
            if code != -signal.SIGKILL:
                raise SystemExit(f"after {kills} kills the command ended with {code}; take more --subjects")
            kills += 1
            wrong += len(differing(again, whole))
        done = sum(name.startswith("images/") for name in files(again))
        subprocess.run(command(again, arguments.subjects), check=True, stdout=subprocess.DEVNULL)
        different = differing(again, whole) + sorted(whole.keys() - files(again).keys())
        left = [path for path in again.rglob(".tmp-*")]
        print(
            f"{kills} kills, {done} of {2 * arguments.subjects} views there after them; files seen half-written or other: {wrong}"
        )
        print(f"after the last run: {len(different)} files differ or are missing, {len(left)} temporary ones are left")


if __name__ == "__main__":
    main()
