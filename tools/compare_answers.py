#!/usr/bin/env python3
"""Compares the answers of two asif programs.

    tools/compare_answers.py OLD NEW --set SET.asif --images FOLDER [--labels a,b,c] [--most 60]

Classifies the same images with both programs in every space and with every correction for hubs, and
explains some of them; prints the largest numeric difference of each. Exits with 1 if one is above --within
(1e-6), or if anything but numbers differs.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys

SPACES = ["fused", "asif", "paper", "whitened", "asif-canonical", "canonical", "ridge", "procrustes", "asif+ridge"]
CORRECTIONS = ["s-norm", "csls", "nnn", "none"]
ENDINGS = {".jpg", ".jpeg", ".png", ".webp"}


def answers(program, words):
    """The lines of JSON that a command prints."""
    ended = subprocess.run([program, *words, "--json", "--quiet"], capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        sys.exit(f"{program} {' '.join(words[:6])} ... ended with {ended.returncode}: {ended.stderr.strip()}")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    return lines or sys.exit(f"{program} {' '.join(words[:6])} ... answered nothing")


def difference(old, new, where="answer"):
    """The largest difference between corresponding numbers. Fields that only the new answer has are ignored."""
    if isinstance(old, dict):
        missing = old.keys() - new.keys()
        if missing:
            sys.exit(f"{where}: {missing} is missing")
        return max((difference(value, new[key], f"{where}.{key}") for key, value in old.items()), default=0.0)
    if isinstance(old, list):
        if len(old) != len(new):
            sys.exit(f"{where}: {len(old)} and {len(new)} entries")
        return max((difference(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(old, new))), default=0.0)
    if isinstance(old, (int, float)) and not isinstance(old, bool):
        # NaN differs from every number.
        return math.inf if math.isnan(old) or math.isnan(new) else abs(old - new)
    if old != new:
        sys.exit(f"{where}: {old!r} and {new!r}")
    return 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--set", required=True)
    parser.add_argument("--images", required=True, type=pathlib.Path)
    parser.add_argument("--labels", default="a dog,a cat,a horse,a car,a ship,a bird,a person,a house")
    parser.add_argument("--most", type=int, default=60)
    parser.add_argument("--within", type=float, default=1e-6)
    args = parser.parse_args()
    images = sorted(str(p) for p in args.images.rglob("*") if p.suffix.lower() in ENDINGS)
    images = images[:: max(1, len(images) // args.most)][: args.most]
    if not images:
        sys.exit(f"{args.images}: there are no images")
    worst = 0.0
    for space in SPACES:
        for correction in CORRECTIONS:
            words = ["--index", args.set, "--labels", args.labels, "--space", space, "--hubness", correction]
            found = difference(*(answers(p, ["classify", *words, *images]) for p in (args.old, args.new)))
            worst = max(worst, found)
            print(f"{space:16} {correction:7} {len(images)} images: {found:.1e}")
        words = ["--index", args.set, "--labels", args.labels, "--space", space]
        found = difference(*(answers(p, ["explain", *words, *images[:5]]) for p in (args.old, args.new)))
        worst = max(worst, found)
        print(f"{space:16} explain {len(images[:5])} images: {found:.1e}")
    print(f"largest difference {worst:.1e}")
    sys.exit(not worst <= args.within)


if __name__ == "__main__":
    main()
