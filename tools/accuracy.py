#!/usr/bin/env python3
"""The README's accuracy table: builds a set for each choice of anchors and evaluates it.

    python3 tools/accuracy.py [--data ../shared/data] [--asif target/release/asif] [--work DIR]
                              [--tuned | --ablation | --search]

After the table come the averages over all choices of anchors against the paper's setting; with
--tuned also of what `asif tune` makes of each set. Other tables in its place: --ablation says which
part of the default gives how much, --search what approximate search costs.

The data folder has anchors/pairs.jsonl and tests/NAME (README, "Accuracy"). Random anchors are
drawn with the seeds 1, 2, 3 and their figures averaged. Needs only Python; the embeddings are kept
by asif, so a second run takes seconds.
"""
import argparse
import json
import math
import pathlib
import random
import subprocess

ZEROSHOT = ["cifar10", "pacs-photo", "caltech101", "flowers5"]
RETRIEVAL = "flickr8k-dev"
SETTINGS = [("paper", ["--paper"]), ("asif", ["--space", "asif"]), ("default", [])]
# In place of options: the templates that CLIP's repository publishes for each data set.
OWN = {
    "cifar10": "clip:cifar",
    "pacs-photo": "clip:imagenet",
    "caltech101": "clip:caltech101",
    "flowers5": "clip:flowers",
}
HUBNESS = ("s-norm", "csls", "nnn", "none")
# Title of the table -> its rows: what is measured, and the options that ask for it.
ABLATION = {
    "from the paper's setting to the default, step by step": [
        ("the paper's setting", ["--paper"]),
        ("+ one mean prompt a label, not the best prompt", ["--space", "paper"]),
        ("+ negatives clamped", ["--space", "paper", "--negatives", "clamp"]),
        ("+ centred", ["--space", "paper", "--negatives", "clamp", "--center"]),
        ("+ k 200, p 4: `--space asif`", ["--space", "asif"]),
        ("+ both canonical parts: `--hubness none`", ["--hubness", "none"]),
        ("+ s-norm: the default", []),
    ],
    "each space alone, as scores are": [
        (f"`{name}`", ["--space", name])
        for name in ("paper", "asif", "whitened", "asif-canonical", "canonical", "ridge", "procrustes")
    ],
    "sums of two, with s-norm": [
        (f"`{name}`", ["--space", name])
        for name in ("asif+asif-canonical", "asif+canonical", "asif-canonical+canonical")
    ],
    "corrections for hubs": [
        (f"`{space}`, {hubness}", ["--space", space, "--hubness", hubness])
        for space in ("asif", "canonical", "fused")
        for hubness in HUBNESS
    ],
    "several prompts of a label to one score, default space": [
        (f"`{aggregate}`", ["--aggregate", aggregate]) for aggregate in ("mean", "mean-score", "max")
    ],
    "templates, default space": [
        ("the data sets' own", []),
        ("their names in CLIP's list", OWN),
        ("`clip:imagenet`", ["--templates", "clip:imagenet"]),
        ("`clip:imagenet7`", ["--templates", "clip:imagenet7"]),
        ("`asif:name`, the bare label", ["--templates", "asif:name"]),
    ],
}
SEARCHES = ("auto", "flat", "sketch", "hnsw")


def choices(rows):
    """Name of the choice -> the draws of anchors that it stands for."""
    yield "all", [rows]
    yield "flickr8k only", [[r for r in rows if r["source"] == "flickr8k"]]
    for n in (3000, 1000):
        yield f"{n:,} random", [random.Random(seed).sample(rows, n) for seed in (1, 2, 3)]


def asif(program, *arguments):
    """The JSON that a command prints."""
    done = subprocess.run([program, *map(str, arguments), "--json", "--quiet"], stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f"{program} {' '.join(map(str, arguments))}: exit code {done.returncode}")
    return json.loads(done.stdout)


def half_width(share, n):
    """Half the width of the 95 % Wilson interval of `share` over n images."""
    z2 = 1.96**2
    return 1.96 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)


def mean(values):
    return sum(values) / len(values)


def figures(program, data, sets, setting):
    """One column a labelled set, then both ways of retrieval, each as (share, images)."""
    columns = []
    for name in ZEROSHOT:
        reports = [
            asif(program, "eval", "zeroshot", "--index", s, "--dataset", data / "tests" / name, *setting)
            for s in sets
        ]
        columns.append((mean([r["metrics"]["acc1"] for r in reports]), reports[0]["asif"]["images"]))
    reports = [
        asif(program, "eval", "retrieval", "--index", s, "--dataset", data / "tests" / RETRIEVAL, *setting)
        for s in sets
    ]
    for way in ("image_to_text", "text_to_image"):
        share = mean([r["asif"]["first_caption"][way]["recall@1"]["value"] for r in reports])
        columns.append((share, reports[0]["asif"]["images"]))
    return columns


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, default=root / "../shared/data")
    parser.add_argument("--asif", default=root / "target/release/asif")
    parser.add_argument("--work", type=pathlib.Path, default=root / "target/accuracy")
    parser.add_argument("--ablation", action="store_true", help="also the parts of the default space")
    parser.add_argument("--tuned", action="store_true", help="also the space that `asif tune` picks")
    arguments = parser.parse_args()
    anchors = arguments.data.resolve() / "anchors"
    rows = [json.loads(line) for line in open(anchors / "pairs.jsonl", encoding="utf-8")]
    for row in rows:
        row["image"] = str(anchors / row["image"])
    arguments.work.mkdir(parents=True, exist_ok=True)

    heads = ZEROSHOT + ["image to text", "text to image"]
    print("| anchors | setting | " + " | ".join(heads) + " |")
    print("|---|---|" + "---|" * len(heads))
    found = {}
    for choice, draws in choices(rows):
        sets = []
        for i, draw in enumerate(draws):
            stem = arguments.work / f"{choice.replace(' ', '-').replace(',', '')}-{i}"
            stem.with_suffix(".jsonl").write_text("".join(json.dumps(r) + "\n" for r in draw))
            sets.append(stem.with_suffix(".asif"))
            asif(arguments.asif, "build", "--overwrite", "--pairs", stem.with_suffix(".jsonl"), "--out", sets[-1])
        settings = SETTINGS + (ABLATION if arguments.ablation else [])
        for name, setting in settings:
            shares = figures(arguments.asif, arguments.data.resolve(), sets, setting)
            report(choice, name, shares)
            found.setdefault(name, []).append([share for share, _ in shares])
        if arguments.tuned:
            for s in sets:
                asif(arguments.asif, "tune", s, "--apply")
            shares = figures(arguments.asif, arguments.data.resolve(), sets, [])
            report(choice, "tuned", shares)
            found.setdefault("tuned", []).append([share for share, _ in shares])
    averages(found)


def report(choice, name, shares):
    """One row of the table."""
    cells = [f"{100 * share:.1f} ±{100 * half_width(share, n):.1f}" for share, n in shares]
    print(f"| {choice} | {name} | " + " | ".join(cells) + " |", flush=True)


def averages(found):
    """Each setting against the paper's: points of top-1 over all choices of anchors, on each set, and
    how many times the paper's recall at each choice."""
    print("\n| setting | top-1, points above paper | " + " | ".join(ZEROSHOT) + " | recall, times paper, at each choice |")
    print("|---|---|" + "---|" * len(ZEROSHOT) + "---|")
    paper = found["paper"]
    n = len(ZEROSHOT)
    for name, rows in found.items():
        above = [100 * mean([r[i] - p[i] for r, p in zip(rows, paper)]) for i in range(n)]
        recall = [f"{mean(r[n:]) / mean(p[n:]):.2f}" for r, p in zip(rows, paper)]
        cells = [f"{mean(above):+.1f}"] + [f"{a:+.1f}" for a in above] + [", ".join(recall)]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
