"""Finds Chromium for the page's test, or gets Debian's without installing it.

    python3 -m setup.browser --home DIR      DIR/browser/chromium, a script that starts it

Where no Chromium is on PATH, the package and those that it needs and this machine lacks are
downloaded by apt-get and unpacked into DIR/browser/root; no root is needed. Where that cannot be
done either, this step says so and the test is skipped.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from .common import SetupError, replace_folder, run, temporary_folder
from .stamps import Unavailable, apt_get

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PACKAGES = ("chromium", "fonts-dejavu-core")
BINARY = "usr/lib/chromium/chromium"
TIMEOUT_S = 60
APT_TIMEOUT_S = 600


def install(home: Path) -> str:
    folder = home / "browser"
    script = folder / "chromium"
    for name in NAMES:
        path = shutil.which(name)
        if path and (said := version_of(Path(path))):
            write_script(script, f"exec {shlex.quote(path)}")
            return f"{said}, {path}"
    if script.is_file() and (said := version_of(script)):
        return f"already there: {said}"
    try:
        return unpack(home, folder, script)
    except (Unavailable, SetupError, subprocess.SubprocessError) as reason:
        script.unlink(missing_ok=True)
        return f"none, so the page is not tested: {reason}"


def unpack(home: Path, folder: Path, script: Path) -> str:
    """Debian's package with what it needs, below `folder/root`."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unavailable(f"no Chromium is on PATH, and no {tool}")
    with temporary_folder(home) as tmp:
        debs, root = tmp / "debs", tmp / "root"
        debs.mkdir()
        lists, cache = tmp / "lists", tmp / "cache"
        (lists / "partial").mkdir(parents=True)
        (cache / "archives" / "partial").mkdir(parents=True)
        private = [f"-oDir::State::lists={lists}", f"-oDir::Cache={cache}",
                   "-oAcquire::Languages=none"]  # fmt: skip
        options: list[str] = []
        wanted = needed(options)
        if not wanted:
            # apt's own lists are empty or old.
            apt_get(debs, *private, "update")
            options = private
            wanted = needed(options)
        if not wanted:
            raise Unavailable("apt-get knows no package chromium")
        problem = apt_get(debs, *options, "download", *wanted)
        if problem:
            raise Unavailable(f"apt-get cannot download chromium ({problem})")
        for deb in sorted(debs.glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", deb, root], check=True)
        folder.mkdir(exist_ok=True)
        replace_folder(root, folder / "root")
    root = folder / "root"
    # Its own libraries; what the machine has comes after them.
    shared = (p for p in root.glob("**/*.so*") if re.search(r"\.so(\.\d+)*$", p.name))
    libraries = sorted({str(p.parent) for p in shared})
    fonts = root / "etc/fonts"
    start = [f"export LD_LIBRARY_PATH={shlex.quote(':'.join(libraries))}"]
    if fonts.is_dir() and not Path("/etc/fonts").is_dir():
        start.append(f"export FONTCONFIG_SYSROOT={shlex.quote(str(root))}")
    write_script(script, *start, f"exec {shlex.quote(str(root / BINARY))}")
    said = version_of(script)
    if said is None:
        raise Unavailable("the downloaded Chromium does not start")
    return f"{said}, unpacked into {root}"


def needed(options: list[str]) -> list[str]:
    """Chromium and those of its packages that this machine lacks, by apt's own reckoning."""
    said = subprocess.run(
        ["apt-get", *options, "install", "--print-uris", "--yes", "--no-install-recommends",
         *PACKAGES],
        capture_output=True, text=True, errors="replace", check=False, timeout=APT_TIMEOUT_S,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if said.returncode != 0:
        return []
    # 'http://...' chromium_1.2_amd64.deb 123 SHA256:...
    names = re.findall(r"^'[^']+' (\S+?)_\S+\.deb ", said.stdout, re.MULTILINE)
    return sorted(set(names) | {"chromium"})


def write_script(script: Path, *lines: str) -> None:
    """A script that ends in a command and hands it its arguments."""
    script.parent.mkdir(parents=True, exist_ok=True)
    new = script.with_name(f".chromium.{os.getpid()}")
    new.write_text("#!/bin/sh\n" + "\n".join(lines) + ' "$@"\n')
    new.chmod(0o755)
    os.replace(new, script)


def version_of(program: Path) -> str | None:
    """What it calls itself, if it starts."""
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, errors="replace", check=False,
            timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"Chrom\S* [\d.]+", said.stdout)
    return found.group() if said.returncode == 0 and found else None


if __name__ == "__main__":
    run(lambda args: install(args.home), argparse.ArgumentParser(description=__doc__.splitlines()[0]))
