"""Pairs from Tux Paint's stamps: cut-out photos and drawings, each with a sentence (GPL-2.0).

The Debian package is downloaded and read as an archive; nothing is installed, so no root is
needed. A stamp is NAME.png with NAME.txt, whose first line is an English sentence and whose other
lines are translations. Stamps in SVG are counted and left out.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

from .common import check_sha256
from .wheels import last_error

PACKAGE = "tuxpaint-stamps-default"
VERSION = "2022.06.04-1"
SHA256 = "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34"
ROOT = PurePosixPath("usr/share/tuxpaint/stamps")
TIMEOUT_S = 600


class Unavailable(Exception):
    """This machine cannot have the stamps, and why."""


def collect(tmp: Path, images: Path) -> tuple[list[dict], str]:
    """Writes the pictures below `images`; returns the rows and one line about them."""
    package, version = download(tmp)
    if version == VERSION:
        check_sha256(package, SHA256, "run this again; if it stays, do not use the file")
        note = ""
    else:
        note = f"; this is {version}, checked by apt's signature only: {VERSION} is pinned here"
    pictures, texts, vector = read_package(package)
    package.unlink()
    rows = []
    for stem in sorted(pictures):
        caption = first_line(texts.get(stem, b""))
        if not caption:
            continue
        path = images / "tuxpaint-stamps" / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pictures[stem])
        rows.append(
            {
                "image": f"images/tuxpaint-stamps/{stem}.png",
                "captions": [caption],
                "id": f"tuxpaint-stamps/{stem}",
                "source": "tuxpaint-stamps",
                "licence": "GPL-2.0",
                "category": str(PurePosixPath(stem).parent),
            }
        )
    left_out = f"{vector} in SVG and {len(pictures) - len(rows)} without a sentence left out"
    return rows, f"{len(rows)} pairs of Tux Paint stamps ({left_out}{note})"


def download(tmp: Path) -> tuple[Path, str]:
    """The package file and its version, by apt-get with its own lists, else with new ones."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unavailable(f"{tool} is not on this machine")
    folder = tmp / "deb"
    folder.mkdir()
    # apt's lists may be empty or old, and only root may renew them; anyone may have private ones.
    lists, cache = tmp / "apt-lists", tmp / "apt-cache"
    (lists / "partial").mkdir(parents=True)
    (cache / "archives" / "partial").mkdir(parents=True)
    private = [f"-oDir::State::lists={lists}", f"-oDir::Cache={cache}",
               "-oAcquire::Languages=none"]  # fmt: skip
    problem = apt_get(folder, "download", PACKAGE)
    if problem:
        # Its own outcome says little: one bad source of many fails it, no network does not.
        stale = apt_get(folder, *private, "update")
        problem = apt_get(folder, *private, "download", PACKAGE)
        problem = problem and (stale or problem)
    found = list(folder.glob(f"{PACKAGE}_*.deb"))
    if len(found) != 1:
        raise Unavailable(f"apt-get cannot download {PACKAGE} ({problem or 'no file came'})")
    shutil.rmtree(lists)
    shutil.rmtree(cache)
    return found[0], found[0].name.split("_")[1].replace("%3a", ":")


def apt_get(folder: Path, *arguments: str) -> str | None:
    """Runs apt-get in the folder; returns None, or what it said was wrong.

    `update` may say so and still succeed.
    """
    # The folder is this user's: apt's own download user could not write there.
    options = [
        "-q",
        "-oAPT::Sandbox::User=root",
        "-oAcquire::Retries=2",
        "-oAcquire::http::Timeout=30",
    ]
    try:
        result = subprocess.run(
            ["apt-get", *options, *arguments],
            cwd=folder, capture_output=True, text=True, errors="replace", check=False,
            timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"no answer in {TIMEOUT_S} s"
    unfetched = [
        line for line in result.stderr.splitlines() if line.startswith("W: Failed to fetch")
    ]
    if unfetched:
        return unfetched[0]
    return None if result.returncode == 0 else last_error(result.stderr)


def read_package(package: Path) -> tuple[dict[str, bytes], dict[str, bytes], int]:
    """Pictures and texts by path without suffix, and how many stamps are SVG."""
    pictures: dict[str, bytes] = {}
    texts: dict[str, bytes] = {}
    vector = 0
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
    ) as dpkg:
        with tarfile.open(fileobj=dpkg.stdout, mode="r|") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                if not member.isfile() or ".." in path.parts or not path.is_relative_to(ROOT):
                    continue
                stem = str(path.relative_to(ROOT).with_suffix(""))
                vector += path.suffix == ".svg"
                wanted = {".png": pictures, ".txt": texts}.get(path.suffix)
                if wanted is not None:
                    content = archive.extractfile(member) or io.BytesIO()
                    wanted[stem] = content.read()
    if dpkg.returncode != 0:
        raise ValueError(f"{package.name}: dpkg-deb could not read it; run this again")
    return pictures, texts, vector


def first_line(text: bytes) -> str:
    """The English sentence."""
    return text.decode("utf-8", "replace").split("\n", 1)[0].strip().lstrip("\ufeff")
