"""Pairs from drawings of emoji with their names and keywords (MIT), for machines without apt.

The pictures are Microsoft's Fluent emoji, the texts emojibase's English data, both from npm and
joined on the code points. As anchors they serve a search for emoji; they say little about photos.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

from .common import SetupError, check_sha256
from .wheels import last_error

PICTURES = (
    "@lobehub/fluent-emoji-3d@1.1.0",
    "lobehub-fluent-emoji-3d-1.1.0.tgz",
    "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
)
TEXTS = (
    "emojibase-data@17.0.0",
    "emojibase-data-17.0.0.tgz",
    "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
)
COMPONENTS = 2  # the group of skin tones and hair: parts, not things
TIMEOUT_S = 600


def collect(tmp: Path, images: Path) -> tuple[list[dict], str]:
    """Writes the pictures below `images`; returns the rows and one line about them."""
    if shutil.which("npm") is None:
        raise SetupError("npm is not on this machine: install it, or apt-get, and run this again")
    entries, groups = read_texts(npm_pack(tmp, *TEXTS))
    pictures = read_pictures(npm_pack(tmp, *PICTURES))
    folder = images / "fluent-emoji"
    folder.mkdir(parents=True)
    rows = []
    for entry in sorted(entries, key=lambda entry: entry.get("order", 0)):
        code, group = plain(entry["hexcode"]), entry.get("group")
        if group is None or group == COMPONENTS or code not in pictures:
            continue
        (folder / f"{code}.webp").write_bytes(pictures[code])
        keywords = ", ".join(entry.get("tags", []))
        rows.append(
            {
                "image": f"images/fluent-emoji/{code}.webp",
                "captions": [text for text in (entry["label"], keywords) if text],
                "id": f"fluent-emoji/{code}",
                "source": "fluent-emoji",
                "licence": "MIT",
                "category": groups[group],
            }
        )
    return rows, f"{len(rows)} pairs of emoji"


def npm_pack(tmp: Path, package: str, name: str, sha256: str) -> Path:
    """Downloads a package's archive and checks it; npm neither unpacks nor runs it."""
    try:
        result = subprocess.run(
            ["npm", "pack", "--silent", "--ignore-scripts", package],
            cwd=tmp, capture_output=True, text=True, errors="replace", check=False,
            timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise SetupError(f"npm gave no {package} in {TIMEOUT_S} s; check the network") from None
    if result.returncode != 0 or not (tmp / name).is_file():
        reason = last_error(result.stderr or result.stdout)
        raise SetupError(f"npm could not download {package} ({reason}); check the network")
    check_sha256(tmp / name, sha256, "run `npm cache clean --force` and then this again")
    return tmp / name


def read_texts(archive: Path) -> tuple[list[dict], dict[int, str]]:
    """emojibase's entries, and the name of each group."""
    with tarfile.open(archive) as tar:

        def load(member: str):
            file = tar.extractfile(member)
            assert file is not None, member
            return json.load(file)

        entries = load("package/en/data.json")
        groups = load("package/en/messages.json")["groups"]
    return entries, {group["order"]: group["key"] for group in groups}


def read_pictures(archive: Path) -> dict[str, bytes]:
    """WebP files by code points."""
    pictures = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            file = tar.extractfile(member) if path.suffix == ".webp" else None
            if file is not None:
                pictures[plain(path.stem)] = file.read()
    return pictures


def plain(code: str) -> str:
    """Code points in lower case, without the selector that only asks for a coloured picture."""
    return "-".join(part for part in code.lower().split("-") if part != "fe0f")
