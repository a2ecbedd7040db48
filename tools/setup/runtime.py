"""Puts ONNX Runtime's shared library at DIR/runtime/libonnxruntime.so.

    python3 -m setup.runtime --home DIR

The library comes out of the Python package, but needs no Python to be used.
"""

from __future__ import annotations

import os
import platform
import zipfile
from pathlib import Path

from .common import REQUIREMENTS, SetupError, copy_member, run_step, sha256_of, temporary_folder
from .wheels import download, read_pins

# sha256 of the library inside the pinned wheel, by machine.
LIBRARY_SHA256 = {
    "x86_64": "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
    "aarch64": "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
}


def install(home: Path) -> str:
    requirements = REQUIREMENTS / "onnxruntime.txt"
    version = read_pins(requirements)["onnxruntime"][0]
    machine = platform.machine()
    expected = LIBRARY_SHA256.get(machine)
    if platform.system() != "Linux" or expected is None:
        raise SetupError(
            f"no ONNX Runtime is pinned for {platform.system()} {machine}; install {version} by "
            "hand and give its path to asif in ASIF_ONNXRUNTIME"
        )
    library = home / "runtime" / "libonnxruntime.so"
    again = ""
    if library.is_file():
        found = sha256_of(library)
        if found == expected:
            return f"already there: ONNX Runtime {version}"
        again = f" (the old file's sha256 was {found}, expected {expected})"
    with temporary_folder(home) as tmp:
        wheel = download(requirements, tmp, machine)["onnxruntime"]
        member, new = f"onnxruntime/capi/libonnxruntime.so.{version}", tmp / library.name
        with zipfile.ZipFile(wheel) as archive:
            copy_member(archive, member, new)
        found = sha256_of(new)
        if found != expected:
            raise SetupError(f"{member}: sha256 is {found}, expected {expected} (setup/runtime.py)")
        library.parent.mkdir(exist_ok=True)
        os.replace(new, library)
    return f"installed ONNX Runtime {version}{again}"


if __name__ == "__main__":
    run_step(install)
