"""Import of a full-size EG3D release: seconds and peak memory, against reading and hashing the file alone.

    python benchmarks/import_release.py [--release X.pkl] [--form snapshot-pickle2,bare-zip,..]

Without a release it writes a synthetic one of a release's structure and size (G, D and G_ema of ffhq512-128, some 360 MB) in a
temporary folder, or full-size checkpoints in the forms of tests/core/checkpoint_writer.py. The import runs in a process of its own, so
that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))


def write_release(path: Path) -> None:
    """A synthetic release: G, D and G_ema with the tensors of ffhq512-128."""
    from dnerf_core.generator.config import preset
    from tests.core.hostile import Raw, dump, network, pickled, weights

    config = preset("ffhq512-128")
    opcodes = Raw(dump(network(config, weights(config, scale=1.0))))
    path.write_bytes(pickled({"G": opcodes, "D": opcodes, "G_ema": opcodes, "training_set_kwargs": {}, "augment_pipe": None}))


def write_form(path: Path, form: str) -> None:
    """A full-size checkpoint of ffhq512-128 in a form that `checkpoint_writer` knows, in a process of its own: torch takes memory."""
    from dnerf_core.generator.config import preset
    from tests.core.checkpoint_spec import spec

    described = path.with_suffix(".json")
    described.write_text(json.dumps(spec(preset("ffhq512-128"))))
    writer = REPOSITORY / "tests" / "core" / "checkpoint_writer.py"
    subprocess.run([sys.executable, "-W", "ignore", writer, described, path, form], check=True)


def import_alone(source: Path, output: Path) -> None:
    """The measured process: prints seconds and peak MiB."""
    started = time.perf_counter()
    from dnerf_core.checkpoints.release import ImportOptions, import_release

    import_release(source, output, ImportOptions(config="ffhq512-128") if "bare" in source.name else None)
    seconds = time.perf_counter() - started
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def read_alone(source: Path) -> float:
    """Seconds to read and hash the file: what no importer can avoid."""
    from dnerf_core.checkpoints.model_file import file_sha256

    started = time.perf_counter()
    file_sha256(source)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--release", type=Path)
    parser.add_argument("--form", help="forms of tests/core/checkpoint_writer.py, by commas")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--alone", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        import_alone(*arguments.alone)
        return
    if arguments.write:
        write_release(arguments.write)
        return
    with tempfile.TemporaryDirectory() as name:
        if arguments.form:
            for form in arguments.form.split(","):
                source = Path(name) / f"ffhq512-128-{form}.bin"
                write_form(source, form)
                measure(source, Path(name) / "out.safetensors")
                source.unlink()
            return
        source = arguments.release or Path(name) / "ffhq512-128.pkl"
        if arguments.release is None:
            # in a process of its own: what this one once held would count as held by those it starts
            subprocess.run([sys.executable, __file__, "--write", str(source)], check=True)
        measure(source, Path(name) / "out.safetensors")


def measure(source: Path, output: Path) -> None:
    """Prints what the import of `source` takes."""
    baseline = read_alone(source)
    command = [sys.executable, __file__, "--alone", str(source), str(output)]
    measured = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout.split()
    seconds, peak = float(measured[0]), float(measured[1])
    size = source.stat().st_size / 1e6
    print(f"{source.name}: {size:.0f} MB -> {output.stat().st_size / 1e6:.0f} MB")
    print(f"import {seconds:.2f} s ({seconds / baseline:.1f} x reading and hashing the file), peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
