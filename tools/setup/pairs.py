"""Gets the demo's image-text pairs: DIR/demo/pairs.jsonl, with its pictures in DIR/demo/images.

    python3 -m setup.pairs [--source auto|stamps|emoji] --home DIR

`auto` takes Tux Paint's stamps where apt-get can download them, and drawings of emoji from npm
elsewhere. Each line is one pair in the project's own format:

    {"image": "images/..", "captions": [..], "id": .., "source": .., "licence": .., "category": ..}
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from . import emoji, stamps
from .common import SetupError, replace_folder, run, sha256_of, temporary_folder

SOURCES = {"stamps": stamps.collect, "emoji": emoji.collect}


def install(home: Path, wanted: str) -> str:
    demo = home / "demo"
    pairs, manifest = demo / "pairs.jsonl", demo / "pairs.manifest.json"
    there = present(pairs, manifest)
    if there and wanted in ("auto", there["taken"]):
        return f"already there: {there['summary']}"
    again = not there and manifest.is_file()
    demo.mkdir(exist_ok=True)
    with temporary_folder(home) as tmp:
        new = tmp / "images"
        taken, rows, summary, reason = collect(wanted, tmp, new)
        # The list goes last: while it is missing or old, this step is done again.
        pairs.unlink(missing_ok=True)
        replace_folder(new, demo / "images")
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp / "pairs").write_text(text, encoding="utf-8")
        entry = {"taken": taken, "summary": summary, "images": [row["image"] for row in rows]}
        entry["sha256"] = sha256_of(tmp / "pairs")
        manifest.write_text(json.dumps(entry) + "\n", encoding="utf-8")
        os.replace(tmp / "pairs", pairs)
    lost = " (again: some of them were missing or changed)" if again else ""
    return f"{summary}{lost}{reason}"


def collect(wanted: str, tmp: Path, images: Path) -> tuple[str, list[dict], str, str]:
    """The source taken, its rows, one line about it, and why it is not the first choice."""
    if wanted != "auto":
        return wanted, *SOURCES[wanted](tmp, images), ""
    try:
        return "stamps", *SOURCES["stamps"](tmp, images), ""
    except stamps.Unavailable as reason:
        return "emoji", *SOURCES["emoji"](tmp, images), f", because {reason}"


def present(pairs: Path, manifest: Path) -> dict | None:
    """The manifest of pairs that are whole: the list by hash, the pictures by their number."""
    try:
        entry = json.loads(manifest.read_text(encoding="utf-8"))
        if sha256_of(pairs) != entry["sha256"]:
            return None
        there = all((pairs.parent / image).is_file() for image in entry["images"])
        return entry if there else None
    except (OSError, ValueError, KeyError):
        return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", choices=("auto", *SOURCES), default="auto")

    def step(args: argparse.Namespace) -> str:
        try:
            return install(args.home, args.source)
        except stamps.Unavailable as reason:
            raise SetupError(f"{reason}; take --pairs emoji instead") from None

    run(step, parser)
