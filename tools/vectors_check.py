#!/usr/bin/env python3
"""Builds an anchor set from vectors that NumPy wrote, classifies, and compares the answers with a float64 ASIF.

    tools/vectors_check.py [--asif PROGRAM] [--embeddings FOLDER] [--pairs N] [--images N] [--labels N]

FOLDER has the layout of clip-retrieval (img_emb/, text_emb/); without it, vectors are drawn. The last pairs are
left out of the set: their images are asked, and their texts are the labels. Exit code 1 when a label that is first
in float64 is not first in the program's answer, except where float64 has two labels closer than 1e-6.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

K, P = 100, 8
CLOSE = 1e-6


def drawn(pairs, seed=7):
    """Image and text vectors: noisy linear maps of the same hidden numbers."""
    random = np.random.default_rng(seed)
    hidden = random.standard_normal((pairs, 24))
    sides = []
    for dim in (512, 384):
        signal = hidden @ random.standard_normal((24, dim))
        sides.append(signal + 0.5 * random.standard_normal((pairs, dim)))
    return sides


def given(folder):
    """The vectors of a clip-retrieval folder with one part a side."""
    return [np.load(next((folder / side).glob("*.npy"))) for side in ("img_emb", "text_emb")]


def unit(rows):
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def relative(asked, anchors):
    """Relative rows of the ASIF paper: the K largest similarities to the power P, at unit length."""
    similar = asked @ anchors.T
    kept = np.argpartition(-similar, K - 1, axis=1)[:, :K]
    rows = np.zeros_like(similar)
    np.put_along_axis(rows, kept, np.take_along_axis(similar, kept, axis=1) ** P, axis=1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def run(program, *words):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{program} {words[0]} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def answers(program, folder, image, text, asked, labels):
    """The label and the similarity that the program puts first for each asked image."""
    for name, rows in {"image": image, "text": text, "asked": asked, "labels": labels}.items():
        np.save(folder / f"{name}.npy", rows)
    out = folder / "v.asif"
    space = ["--space", "asif", "--k", K, "--p", P, "--center=false", "--negatives", "raw"]
    sides = ["--image-vectors", folder / "image.npy", "--text-vectors", folder / "text.npy"]
    run(program, "build", *sides, "--image-encoder-name", "a", "--text-encoder-name", "b", "--out", out, *space)
    sides = ["--image-vectors", folder / "asked.npy", "--label-vectors", folder / "labels.npy"]
    lines = run(program, "classify", "--index", out, *sides, "--search", "exact", "--json").splitlines()
    lines = [json.loads(line) for line in lines]
    assert [line["row"] for line in lines] == list(range(len(asked))), "a line for each row, in order"
    return np.array([[float(line["predictions"][0][key]) for key in ("label", "similarity")] for line in lines])


def main():
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--asif", default="asif", metavar="PROGRAM")
    told.add_argument("--embeddings", type=pathlib.Path, metavar="FOLDER")
    told.add_argument("--pairs", type=int, default=1000)
    told.add_argument("--images", type=int, default=200)
    told.add_argument("--labels", type=int, default=50)
    told = told.parse_args()
    image, text = given(told.embeddings) if told.embeddings else drawn(told.pairs)
    anchors = len(image) - told.images
    asked, labels = image[anchors:], text[anchors:][: told.labels]
    image, text = image[:anchors], text[:anchors]
    scores = relative(unit(asked), unit(image)) @ relative(unit(labels), unit(text)).T
    best = scores.argmax(axis=1)
    first = scores[np.arange(len(scores)), best]
    wrong = []
    worst = 0.0
    kinds = [np.float32, np.float64] + ([] if image.dtype != np.float16 else [np.float16])
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder:
            parts = [rows.astype(kind) for rows in (image, text, asked, labels)]
            found = answers(told.asif, pathlib.Path(folder), *parts)
        label = found[:, 0].astype(int)
        gap = first - scores[np.arange(len(scores)), label]
        wrong += [(np.dtype(kind).name, row) for row in np.flatnonzero(gap > CLOSE)]
        worst = max(worst, np.abs(found[:, 1] - first).max())
    print(
        json.dumps(
            {
                "anchors": anchors,
                "images": len(asked),
                "labels": len(labels),
                "types": [np.dtype(kind).name for kind in kinds],
                "other_top_1": [f"{kind} row {row}" for kind, row in wrong],
                "largest_difference_of_scores": float(worst),
            }
        )
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
