"""The outermost edge: help, versions, exit codes and the one line of every failure."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dnerf_core import __version__
from dnerf_core.errors import AnnotationError, OutputError, UsageError
from headless import cli
from tests.headless.command_names import CALLED

REPOSITORY = Path(__file__).parents[2]


def call(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headless.cli", *args]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)


def test_help_is_quick_and_imports_no_torch() -> None:
    code = (
        "import sys; from headless import cli; code = cli.run(['--help']); "
        "heavy = {'torch', 'numpy', 'PIL', 'OpenEXR', 'rich'} & set(sys.modules); print(heavy, file=sys.stderr); sys.exit(code)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr.strip() == "set()"
    # Processor time, so that other work on the machine cannot fail the test.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
    for name in cli.COMMANDS:
        assert name in done.stdout


@pytest.mark.parametrize("name", CALLED)
def test_every_command_has_help_that_ends_with_an_example(name: str) -> None:
    result = CliRunner().invoke(cli.group, [*name.split(), "--help"])
    assert result.exit_code == 0
    *_, heading, example = result.output.rstrip().splitlines()
    assert heading.strip() == "Example:"
    assert example.strip().startswith(f"dnerf-headless {name}")
    assert ("--json" in result.output) == (name != "worker")  # whose stdout is JSON always
    assert "--debug" in result.output


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_overview_says_what_the_command_says(name: str) -> None:
    command = cli.group.get_command(click.Context(cli.group), name)
    assert command is not None
    assert command.name == name
    assert command.help is not None
    assert command.help.splitlines()[0] == cli.COMMANDS[name]


def test_version_and_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"dnerf-headless {__version__}\n"
    assert cli.run([]) == 0
    assert "Make data:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["rendr"], "No such command 'rendr'"),
        (["render", "--sedes", "1"], "No such option"),
        (["render", "--seeds", "7-0"], "the range '7-0' runs backwards; write 0-7"),
        (["render", "--yaw", "a:b"], "expected degrees such as 15 or -30:30, found 'a:b'"),
        (["render", "--pitch", "100"], "expected degrees from -90 to 90"),
        (["render", "--truncation", "nan"], "expected a finite number"),
        (["render", "--views", "0"], "0 is not in the range"),
        (["render", "--device", "tpu"], "'tpu' is not one of"),
        (["import", "/etc/hostname", "--camera-pivot", "0,0"], "expected three numbers such as 0,0,0.2, found '0,0'"),
        (["import", "/etc/hostname", "--camera-pivot", "0,0,nan"], "expected three numbers such as 0,0,0.2"),
        (["import", "/etc/hostname", "--camera-radius", "0"], "0.0 is not in the range"),
        (["import", "/etc/hostname", "--focal", "nan"], "expected a finite number"),
        (["import", "/etc/hostname", "--up", "x"], "'x' is not one of"),
        (["import", "/etc/hostname", "--neural-resolution", "0"], "0 is not in the range"),
        (["import", "/etc/hostname", "--cameras-from", "/nowhere.json"], "does not exist"),
        (["annotate"], "Missing command"),
        (["annotate", "export"], "No such command 'export'"),
        (["annotate", "import", "/", "/"], "Missing option '--from'"),
        (["annotate", "import", "/", "/", "--from", "paint"], "'paint' is not one of"),
        (["annotate", "import", "", "/", "--from", "coco"], "expected a path, found an empty text"),
        (["import"], "Missing argument 'CHECKPOINT'"),
        (["import", "/nowhere.pkl"], "does not exist"),
        (["import", ""], "expected a path, found an empty text"),
        *((["render", option, ""], "found an empty text") for option in ("-o", "--model")),
        *((["sample", option, ""], "found an empty text") for option in ("-o", "--model")),
        *((["train", "/", option, ""], "found an empty text") for option in ("-o", "--model")),
        (["train", "", "-o", "x"], "found an empty text"),
        (["evaluate", "--grid", ""], "found an empty text"),
        (["import", "/etc/hostname", "-o", ""], "found an empty text"),
        (["info", ""], "expected an embedded model such as demo-cars, or a model file, found an empty text"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(args: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert expected in captured.err
    assert captured.err.count("\n") == 1
    assert "--help'" in captured.err


@pytest.mark.parametrize("args", [["render", "--model"], ["sample", "--model"], ["evaluate", "--truth", "--model"], ["info"]])
def test_a_model_that_is_not_there_tells_which_are(
    args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run([*args, "nope"]) == 2
    assert capsys.readouterr().err == (
        "error: nope: expected the embedded model demo-cars or demo-people or a model file, found no such file; correct the name, or "
        "make a model file of a published checkpoint with `dnerf-headless import`\n"
    )
    assert list(tmp_path.iterdir()) == []


class Failing(click.Command):
    def __init__(self, error: BaseException) -> None:
        super().__init__("failing", params=list(_style_params()))
        self.error = error

    def invoke(self, ctx: click.Context) -> None:
        raise self.error


def _style_params() -> list[click.Parameter]:
    from headless.commands.doctor import command

    return [param for param in command.params if param.name in ("as_json", "debug")]


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda self, ctx, name: Failing(error))


@pytest.mark.parametrize(
    ("error", "exit_code", "line"),
    [
        (OutputError("the disk\nis full"), 1, "error: the disk is full\n"),
        (AnnotationError("m.png: wrong"), 1, "error: m.png: wrong\n"),
        (UsageError("--a and --b"), 2, "error: --a and --b\n"),
        (KeyboardInterrupt(), 130, "error: interrupted; the same command goes on later\n"),
        (ZeroDivisionError("a / 0"), 1, "error: ZeroDivisionError: a / 0; run again with --debug for the traceback\n"),
    ],
)
def test_every_failure_is_one_line(
    error: BaseException, exit_code: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, error)
    assert cli.run(["failing"]) == exit_code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", line)
    assert cli.run(["failing", "--json"]) == exit_code
    captured = capsys.readouterr()
    summary = json.loads(captured.out)
    assert captured.err == line
    assert (summary["event"], summary["exit_code"], f"error: {summary['error']}\n") == ("summary", exit_code, line)
    assert summary["status"] == ("interrupted" if exit_code == 130 else "failed")


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failing(monkeypatch, ZeroDivisionError("a / 0"))
    assert cli.run(["failing", "--debug"]) == 1
    error = capsys.readouterr().err
    assert "Traceback (most recent call last)" in error
    assert error.endswith("error: ZeroDivisionError: a / 0\n")


def test_a_reader_that_goes_away_is_no_complaint() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "headless.cli", "doctor", "--json"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 1
    process.stderr.close()


def test_sigterm_ends_a_command_as_ctrl_c_does(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "headless.cli", "render", "--seeds", "0-999", "-o", str(tmp_path / "out"), "--json"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline(), process.stdout.readline()]
    assert [json.loads(line)["event"] for line in lines] == ["start", "view"]
    process.terminate()
    output, error = process.communicate(timeout=60)
    assert process.returncode == 143
    assert error == "error: terminated; the same command goes on later\n"
    summary = json.loads(output.splitlines()[-1])
    assert (summary["event"], summary["status"], summary["exit_code"]) == ("summary", "interrupted", 143)
    assert not list((tmp_path / "out").rglob(".tmp-*"))


def test_exit_codes_reach_the_shell() -> None:
    assert call("render", "--seeds", "x").returncode == 2
    done = call("info", "/nowhere.safetensors", "--json")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "failed"


def test_the_overview_has_every_command_once() -> None:
    assert sorted(name for names in cli.GROUPS.values() for name in names) == sorted(cli.COMMANDS)


@pytest.mark.parametrize(
    ("call", "near"),
    [
        (["rendr"], "Did you mean 'render'?"),
        (["annotate", "imprt"], "Did you mean 'import'?"),
        (["render", "--chanels", "rgb"], "Did you mean one of: '--cameras', '--channels'"),
        (["render", "--channels", "rbg"], "found 'rbg' (did you mean rgb?)"),
        (["render", "--format", "cocoo"], "found 'cocoo' (did you mean coco?)"),
        (["render", "--device", "cdua"], "(did you mean cuda?)"),
        (["render", "--model", "demo-car"], "found no such file (did you mean demo-cars?)"),
        (["render", "--model", "zebra"], "found no such file; correct"),
    ],
)
def test_a_mistyped_name_is_told_the_nearest(call: list[str], near: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(call) == 2
    assert near in capsys.readouterr().err


def completed(instruction: str, words: str = "", number: int = 0) -> subprocess.CompletedProcess[str]:
    script = "import sys; sys.argv = ['dnerf-headless']\nfrom headless import cli\ntry: cli.main()\nfinally: print('torch' in sys.modules)"
    environment = os.environ | {cli.COMPLETE_VARIABLE: instruction, "COMP_WORDS": words, "COMP_CWORD": str(number)}
    return subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "complete -o"), ("zsh", "#compdef dnerf-headless"), ("fish", "complete --no-files")]
)
def test_a_shell_gets_its_completion_script(shell: str, word: str) -> None:
    done = completed(f"{shell}_source")
    assert done.returncode == 0 and word in done.stdout and "COMPLETE=" in done.stdout


@pytest.mark.parametrize(
    ("words", "number", "found"),
    [
        ("dnerf-headless rend", 1, ["plain,render"]),
        ("dnerf-headless render --chan", 2, ["plain,--channels"]),
        ("dnerf-headless render --device c", 3, ["plain,cpu", "plain,cuda"]),
        ("dnerf-headless annotate im", 2, ["plain,import"]),
    ],
)
def test_words_are_completed_without_torch(words: str, number: int, found: list[str]) -> None:
    done = completed("bash_complete", words, number)
    assert (done.returncode, done.stdout.splitlines()) == (0, [*found, "False"])


def test_another_shell_is_refused() -> None:
    done = completed("tcsh_source")
    assert done.returncode == 2
    assert "expected bash_source, zsh_source or fish_source, found 'tcsh_source'" in done.stderr


def test_the_summary_of_a_failure_names_its_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path)
    for command, args in (
        ("render", ["--model", "zebra"]),
        ("evaluate", ["--predictions", folder]),
        ("train", [folder, "-o", f"{folder}/x.safetensors"]),
        ("annotate import", [folder, folder, "--from", "coco"]),
        ("info", [f"{folder}/none"]),
    ):
        capsys.readouterr()
        assert cli.run([*command.split(), *args, "--json"]) in (1, 2)
        summary = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (summary["event"], summary["status"], summary["command"]) == ("summary", "failed", command)
