"""One line for every way in which an environment cannot be made: what was expected, what was found, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .source import Source

_LAST_LINES = 3
_LAST_WORDS_LINES = 10
_DISK_FULL = re.compile(r"No space left on device|\[Errno 28\]|Disk quota exceeded|WinError 112|not enough space on the disk")
_NOT_ALLOWED = re.compile(r"Permission denied|\[Errno 13\]|WinError 5\]")
_NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|Name or service not known|getaddrinfo failed|"
    r"nodename nor servname|Network is unreachable|No route to host|Connection refused|ConnectTimeoutError|ProxyError|"
    r"ReadTimeoutError|IncompleteRead|Connection broken|Connection aborted|timed out"
)
_CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError")
_NOT_LET_IN = re.compile(r"\b(?P<code>401|403|407) Client Error")
_SERVER_FAULT = re.compile(r"\b(?P<code>5[0-9]{2}) Server Error")
_NOT_FOUND = re.compile(r"404 Client Error")
_NO_MATCH = re.compile(r"No matching distribution found for (?P<what>[^\s(]+)")
_VERSIONS = re.compile(r"from versions: (?P<versions>[^)]*)\)")
_OTHER_PYTHON = re.compile(r"equires?[- ](?:a different )?Python")
_NO_ENSUREPIP = re.compile(r"ensurepip is not available|No module named '?(?:ensurepip|venv)")


def disk_full_line(folder: Path) -> str:
    return f"{folder}: expected room for the engine and torch, found the disk full; free some space, or choose another folder"


def system_line(folder: Path, error: OSError) -> str:
    """Of what the system refuses while nothing else runs."""
    text = str(error)
    if _DISK_FULL.search(text):
        return disk_full_line(folder)
    return f"{folder}: expected to make an environment there, the system says: {error.strerror or text}; choose another folder"


def venv_fault(python: str, folder: Path, code: int, lines: Sequence[str]) -> str:
    """Why the standard library's venv has failed."""
    text = "\n".join(lines)
    if _DISK_FULL.search(text):
        return disk_full_line(folder)
    if _NO_ENSUREPIP.search(text):
        return no_venv_line(python)
    if _NOT_ALLOWED.search(text):
        return f"{folder}: expected a folder that can be written to, found one that cannot; choose another folder"
    return f"{python}: expected it to make an environment, it ended with {code}: {_tail(lines)}; name another Base Python"


def no_venv_line(python: str) -> str:
    return (
        f"{python}: expected a Python that can make environments, found one without venv or ensurepip; install these (Debian: "
        "python3-venv), or name another Base Python"
    )


def pip_fault(
    package: str, source: Source, python_version: str, folder: Path, code: int, lines: Sequence[str], log: str = ""
) -> str:
    """Why pip has failed.

    Args:
        lines: what it said.
        log: what it wrote down besides.
    """
    said = "\n".join(lines)
    if _DISK_FULL.search(said):
        return disk_full_line(folder)
    missing = _NO_MATCH.search(said)
    if source.is_online and (line := _network_fault(source, f"{log}\n{said}", missing is not None)):
        return line
    if missing is not None:
        return _no_match_line(missing["what"], package, source, python_version, said)
    if _NOT_ALLOWED.search(said):
        return f"{folder}: expected a folder that can be written to, found one that cannot; choose another folder"
    return f"{package}: expected pip to install it, it ended with {code}: {_tail(lines)}; correct that, and try again"


def _network_fault(source: Source, text: str, nothing_found: bool) -> str:
    """What is wrong with the way to the packages, or nothing."""
    if match := _NOT_LET_IN.search(text):
        return (
            f"{source.name}: expected to be let in, it answers {match['code']}; put name and password into the file .netrc, which pip "
            "reads, or choose another source"
        )
    if _CERTIFICATE.search(text):
        return (
            f"{source.name}: expected a certificate that this computer trusts, found none; set PIP_CERT to your network's, correct "
            "the clock, or choose a folder of wheels"
        )
    if match := _SERVER_FAULT.search(text):
        return f"{source.name}: expected packages, it answers {match['code']}; try again later, or choose another source"
    last = "\n".join(text.splitlines()[-_LAST_WORDS_LINES:]) if not nothing_found else text  # else a broken try that was repeated
    if _NO_NETWORK.search(last):
        return (
            f"{source.name}: expected to reach it, found no connection; check the network and its proxy, or choose a mirror or a "
            "folder of wheels that you can reach"
        )
    if source.kind == "MIRROR" and nothing_found and _NOT_FOUND.search(text):
        return (
            f"{source.name}: expected a package index, it answers 404 (not found); correct the address, such as "
            "https://HOST/simple, or choose another source"
        )
    return ""


def _no_match_line(what: str, package: str, source: Source, python_version: str, said: str) -> str:
    project = re.split(r"[<>=!~;\[]", what)[0]
    versions = match["versions"].strip() if (match := _VERSIONS.search(said)) else "none"
    if project == package and versions == "none" and not _OTHER_PYTHON.search(said):
        return (
            f"{package}: expected it in {source.name}, found none; leave Package empty for the engine that the extension carries, or write "
            "a wheel or a folder on this computer"
        )
    return (
        f"{project}: expected one for Python {python_version} on this computer in {source.name}, found none (versions there: "
        f"{versions}); name another Base Python, or choose another source"
    )


def _tail(lines: Sequence[str]) -> str:
    return " / ".join(list(lines)[-_LAST_LINES:])
