"""Installs pinned Python packages into a folder of their own, for the steps that import them.

    python3 -m setup.packages SET --home DIR      requirements/SET.txt -> DIR/python/SET

DIR/python/bin/python3 then is a Python that imports them, and nothing of the user's own.

`pip install --target` rather than a virtual environment: it works where python3-venv is missing
and where the system's Python is managed from outside, and touches nothing else.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

from .common import REQUIREMENTS, SetupError, replace_folder, run, sha256_of, temporary_folder
from .wheels import download, last_error, read_pins


def install(name: str, home: Path) -> str:
    requirements = REQUIREMENTS / f"{name}.txt"
    target = home / "python" / name
    stamp = f"{sha256_of(requirements)} {sys.version_info.major}.{sys.version_info.minor}\n"
    stamp_file = target / ".stamp"
    listing = ", ".join(f"{package} {pin[0]}" for package, pin in read_pins(requirements).items())
    write_wrapper(home / "python")
    if stamp_file.is_file() and stamp_file.read_text() == stamp:
        return f"already there: {listing}"
    with temporary_folder(home) as tmp:
        wheels, new = tmp / "wheels", tmp / "new"
        wheels.mkdir()
        download(requirements, wheels)
        result = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
             "--disable-pip-version-check", "--no-warn-script-location", "--no-compile",
             "--find-links", str(wheels), "--require-hashes", "--target", str(new),
             "--requirement", str(requirements)],
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        if result.returncode != 0:
            raise SetupError(f"pip could not install {requirements}: {last_error(result.stderr)}")
        (new / ".stamp").write_text(stamp)
        replace_folder(new, target)
    return f"installed {listing}"


def write_wrapper(folder: Path) -> None:
    """The `python3` that sees the installed sets."""
    sets = [folder / p.stem for p in sorted(REQUIREMENTS.glob("python-*.txt"))]
    path = shlex.quote(":".join(map(str, sets)))
    text = f'#!/bin/sh\nPYTHONPATH={path} exec {shlex.quote(sys.executable)} -s "$@"\n'
    wrapper = folder / "bin" / "python3"
    new = wrapper.with_name(f".python3.{os.getpid()}")
    if wrapper.is_file() and wrapper.read_text() == text:
        return
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    new.write_text(text)
    new.chmod(0o755)
    os.replace(new, wrapper)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sets = ("python-export", "python-tests", "serve-clients", "page-driver", "ci-tools")
    parser.add_argument("set", choices=sets)
    run(lambda args: install(args.set, args.home), parser)
