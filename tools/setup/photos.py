"""Puts the demo's photos and labels into DIR/demo. None of the photos is among the demo's pairs.

    python3 -m setup.photos --home DIR

They are sample pictures of scikit-image, whose documentation calls all of them free of
restrictions (public domain or CC0) but for the motorcycle, of the Middlebury 2014 stereo set.
"""

from __future__ import annotations

import platform
import zipfile
from pathlib import Path

from .common import (
    REQUIREMENTS,
    check_sha256,
    copy_member,
    replace_folder,
    run_step,
    sha256_of,
    temporary_folder,
)
from .wheels import download

# name here -> (name in the package, sha256)
PHOTOS = {
    "astronaut.png": (
        "astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
    "cat.png": (
        "chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    ),
    "coffee.png": (
        "coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    ),
    "coins.png": (
        "coins.png",
        "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
    ),
    "galaxies.jpg": (
        "hubble_deep_field.jpg",
        "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    ),
    "horse.png": (
        "horse.png",
        "c7fb60789fe394c485f842291ea3b21e50d140f39d6dcb5fb9917cc178225455",
    ),
    "motorcycle.png": (
        "motorcycle_left.png",
        "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    ),
    "rocket.jpg": (
        "rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
    ),
}
# What is in the photos, and as many things that are not.
LABELS = (
    "astronaut",
    "cat",
    "coins",
    "cup of coffee",
    "galaxies in deep space",
    "horse",
    "motorcycle",
    "rocket launch",
    "airplane",
    "bicycle",
    "bowl of fruit",
    "car",
    "dog",
    "flower",
    "guitar",
    "ship",
)


def install(home: Path) -> str:
    demo = home / "demo"
    folder, labels = demo / "photos", demo / "labels.txt"
    demo.mkdir(exist_ok=True)
    text = "".join(f"{label}\n" for label in LABELS)
    if not labels.is_file():
        labels.write_text(text, encoding="utf-8")
    if all(matches(folder / name, sha256) for name, (_, sha256) in PHOTOS.items()):
        return f"already there: {len(PHOTOS)} photos"
    with temporary_folder(home) as tmp:
        new = tmp / "photos"
        wheel = download(REQUIREMENTS / "demo-photos.txt", tmp, platform.machine())["scikit-image"]
        with zipfile.ZipFile(wheel) as archive:
            for name, (member, sha256) in PHOTOS.items():
                copy_member(archive, f"skimage/data/{member}", new / name)
                check_sha256(new / name, sha256, "renew its pin in tools/setup/photos.py")
        replace_folder(new, folder)
    return f"{len(PHOTOS)} photos and {len(LABELS)} labels"


def matches(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256


if __name__ == "__main__":
    run_step(install)
