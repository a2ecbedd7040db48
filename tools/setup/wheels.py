"""Downloads wheels by name, pinned version and sha256. Nothing of a wheel is run here.

A requirement file is pip's own format, `name==version --hash=sha256:...`, with one hash for each
platform and Python. The hashes are checked here, so that a wrong one ends in one clear line, and
again by pip when something is installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from .common import SetupError, sha256_of

# pip takes an explicit platform by its letters, so older ones must be named too.
GLIBC_TAGS = ("manylinux2014", *(f"manylinux_2_{n}" for n in (17, 24, 26, 27, 28)))
# For wheels that are only opened for the files in them, one tag serves every Python.
FILES_PYTHON = "3.11"

Pins = dict[str, tuple[str, set[str]]]


def read_pins(requirements: Path) -> Pins:
    """name -> (version, allowed sha256) of a requirement file."""
    text = re.sub(r"\\\n", " ", requirements.read_text(encoding="utf-8"))
    pins: Pins = {}
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        name, _, version = words[0].partition("==")
        hashes = {w.removeprefix("--hash=sha256:") for w in words[1:] if w.startswith("--hash=")}
        if not version or not hashes:
            raise SetupError(f"{requirements}: {words[0]} has no version or no hash; pin both")
        pins[name] = (version, hashes)
    return pins


def canonical(name: str) -> str:
    """A package name as wheels spell it (PEP 503, with the underscore of PEP 427)."""
    return re.sub(r"[-_.]+", "_", name).lower()


def download(requirements: Path, folder: Path, machine: str | None = None) -> dict[str, Path]:
    """Downloads and checks every wheel of the file; returns name -> path.

    With `machine` (such as x86_64) the wheels are only opened for their files: they are then the
    same ones whatever Python runs this.
    """
    pins = read_pins(requirements)
    wanted = [f"{name}=={version}" for name, (version, _) in pins.items()]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--dest",
        str(folder),
    ]
    if machine:
        command += ["--python-version", FILES_PYTHON]
        command += [f"--platform={tag}_{machine}" for tag in GLIBC_TAGS]
    result = subprocess.run(
        command + wanted, capture_output=True, text=True, errors="replace", check=False
    )
    if result.returncode != 0:
        raise SetupError(
            f"pip could not download {', '.join(wanted)}: {last_error(result.stderr)}; "
            "check the network and pip's settings (`pip config list`), then run this again"
        )
    wheels = {}
    for name, (version, hashes) in pins.items():
        prefix = f"{canonical(name)}-{version}-"
        found = [p for p in folder.glob("*.whl") if canonical_file(p).startswith(prefix)]
        if len(found) != 1:
            raise SetupError(f"pip downloaded {len(found)} wheels of {name}=={version}, not one")
        sha256 = sha256_of(found[0])
        if sha256 not in hashes:
            expected = hashes.copy().pop() if len(hashes) == 1 else f"one of {len(hashes)} pinned"
            raise SetupError(
                f"{found[0].name}: sha256 is {sha256}, expected {expected} "
                f"(tools/requirements/{requirements.name}): the download is damaged or is not the "
                "pinned file; run this again with PIP_NO_CACHE_DIR=1; if it stays, do not use it"
            )
        wheels[name] = found[0]
    return wheels


def canonical_file(wheel: Path) -> str:
    """A wheel's file name with its package name in canonical form."""
    name, _, rest = wheel.name.partition("-")
    return f"{canonical(name)}-{rest}"


def last_error(output: str) -> str:
    """The line of a tool's output that tells most: its last error, else its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(?i)(npm )?(err(or)?|e)\b", line)]
    return (errors or lines or ["no message"])[-1]
