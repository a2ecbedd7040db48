#!/usr/bin/env python3
"""The accuracy table of the README: builds an anchor set for each choice of anchors and evaluates it.

    python3 tools/accuracy.py [--data ../shared/data] [--asif target/release/asif] [--work DIR]
                              [--tuned | --ablation | --search]

The table is followed by averages over all choices of anchors, compared with the paper's setting; with
--tuned it includes the recipe that `asif tune` finds for each anchor set. Other tables: --ablation for the
contribution of each part of the default, --search for the cost of approximate search.

The data folder has anchors/pairs.jsonl and tests/NAME (README, "Accuracy"). Random anchors are
drawn with the seeds 1, 2, 3 and their results averaged. Needs only Python; asif caches the embeddings,
so a second run takes seconds.
"""
import argparse
import json
import math
import pathlib
import random
import subprocess

ZEROSHOT = ["cifar10", "pacs-photo", "caltech101", "flowers5"]
RETRIEVAL = "flickr8k-dev"
WAYS = ("image_to_text", "text_to_image")
SETTINGS = [("paper", ["--paper"]), ("asif", ["--space", "asif"]), ("default", [])]
# Replaced by the templates that CLIP's repository publishes for each data set.
OWN = {
    "cifar10": "clip:cifar",
    "pacs-photo": "clip:imagenet",
    "caltech101": "clip:caltech101",
    "flowers5": "clip:flowers",
}
HUBNESS = ("s-norm", "csls", "nnn", "none")
# Title of the table -> its rows: what is measured, and the options for it.
ABLATION = {
    "from the paper's setting to the default, step by step": [
        ("the paper's setting", ["--paper"]),
        ("+ one mean prompt a label instead of its best", ["--space", "paper"]),
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
BUDGETS = ("all", "1,000 random")
SEARCHES = ("auto", "flat", "sketch", "hnsw")


class Evaluator:
    """Evaluates anchor sets, each combination only once."""

    def __init__(self, program, data):
        self.program = program
        self.tests = data / "tests"
        self.known = {}

    def asif(self, *arguments):
        """The JSON that a command prints."""
        command = [self.program, *map(str, arguments), "--json", "--quiet"]
        done = subprocess.run(command, stdout=subprocess.PIPE)
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, command))}: exit code {done.returncode}")
        return json.loads(done.stdout)

    def figures(self, sets, options=()):
        """One column per labelled data set, then both directions of retrieval: (share, images), mean over anchor sets.

        Options are of `asif eval`, or a dict with the templates of each labelled set.
        """
        columns = list(zip(*(self.of_one(s, options) for s in sets)))
        return [(mean([share for share, _ in column]), column[0][1]) for column in columns]

    def of_one(self, index, options):
        key = (index, json.dumps(options))
        if key not in self.known:
            self.known[key] = self.zeroshot(index, options) + self.retrieval(index, options)
        return self.known[key]

    def zeroshot(self, index, options):
        start = ("eval", "zeroshot", "--index", index, "--dataset")
        if isinstance(options, dict):
            reports = [self.asif(*start, self.tests / name, "--templates", options[name]) for name in ZEROSHOT]
        else:
            reports = self.asif(*start, *(self.tests / name for name in ZEROSHOT), *options)
        return [(r["metrics"]["acc1"], r["asif"]["images"]) for r in reports]

    def retrieval(self, index, options):
        options = [] if isinstance(options, dict) else about_the_space(options)
        report = self.asif("eval", "retrieval", "--index", index, "--dataset", self.tests / RETRIEVAL, *options)
        ways = [report["asif"]["first_caption"][way]["recall@1"]["value"] for way in WAYS]
        return [(share, report["asif"]["images"]) for share in ways]


def about_the_space(options):
    """The options without those for labels."""
    found = list(options)
    for name in ("--aggregate", "--templates"):
        if name in found:
            at = found.index(name)
            del found[at : at + 2]
    return found


def choices(rows):
    """Name of the choice -> the draws of anchors that it stands for."""
    yield "all", [rows]
    yield "flickr8k only", [[r for r in rows if r["source"] == "flickr8k"]]
    for n in (3000, 1000):
        yield f"{n:,} random", [random.Random(seed).sample(rows, n) for seed in (1, 2, 3)]


def build(evaluator, work, choice, draws, options=()):
    """The anchor sets of a choice of anchors."""
    sets = []
    for i, draw in enumerate(draws):
        stem = work / f"{choice.replace(' ', '-').replace(',', '')}-{i}"
        stem.with_suffix(".jsonl").write_text("".join(json.dumps(r) + "\n" for r in draw))
        sets.append(stem.with_suffix(".asif"))
        evaluator.asif("build", "--overwrite", "--pairs", stem.with_suffix(".jsonl"), "--out", sets[-1], *options)
    return sets


def half_width(share, n):
    """Half the width of the 95 % Wilson interval of `share` over n images."""
    z2 = 1.96**2
    return 1.96 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)


def mean(values):
    return sum(values) / len(values)


def header(*heads):
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads), flush=True)


def accuracy(evaluator, rows, work, tuned):
    """Every choice of anchors in the paper's setting, plain relative rows, and the default."""
    header("anchors", "setting", *ZEROSHOT, *(way.replace("_", " ") for way in WAYS))
    found = {}

    def measure(choice, name, sets, options):
        figures = evaluator.figures(sets, options)
        cells = [f"{100 * share:.1f} ±{100 * half_width(share, n):.1f}" for share, n in figures]
        print(f"| {choice} | {name} | " + " | ".join(cells) + " |", flush=True)
        found.setdefault(name, []).append([share for share, _ in figures])

    for choice, draws in choices(rows):
        sets = build(evaluator, work, choice, draws)
        for name, options in SETTINGS:
            measure(choice, name, sets, options)
        if tuned:
            for s in sets:
                evaluator.asif("tune", s, "--apply")
            evaluator.known.clear()
            measure(choice, "tuned", sets, [])
    averages(found)


def averages(found):
    """Each setting compared with the paper's: points of top-1 over all choices of anchors, per data set, and
    how many times the paper's recall at each choice."""
    print()
    header("setting", "top-1, points above paper", *ZEROSHOT, "recall, times paper, at each choice")
    paper = found["paper"]
    n = len(ZEROSHOT)
    for name, rows in found.items():
        above = [100 * mean([r[i] - p[i] for r, p in zip(rows, paper)]) for i in range(n)]
        recall = [f"{mean(r[n:]) / mean(p[n:]):.2f}" for r, p in zip(rows, paper)]
        cells = [f"{mean(above):+.1f}"] + [f"{a:+.1f}" for a in above] + [", ".join(recall)]
        print(f"| {name} | " + " | ".join(cells) + " |")


def ablation(evaluator, rows, work):
    """The contribution of each part of the default: the mean top-1 of the four labelled data sets and the mean
    recall@1 of both directions, with the fewest and with all anchors."""
    of = {choice: build(evaluator, work, choice, draws) for choice, draws in choices(rows) if choice in BUDGETS}
    n = len(ZEROSHOT)
    for title, settings in ABLATION.items():
        print(f"\n{title[0].upper()}{title[1:]}:\n")
        measures = [f"{measure}, {choice}" for measure in ("top-1", "recall@1") for choice in BUDGETS]
        header("", *measures)
        for name, options in settings:
            shares = {c: [share for share, _ in evaluator.figures(of[c], options)] for c in BUDGETS}
            top1 = [f"{100 * mean(shares[c][:n]):.1f}" for c in BUDGETS]
            recall = [f"{100 * mean(shares[c][n:]):.1f}" for c in BUDGETS]
            print(f"| {name} | " + " | ".join(top1 + recall) + " |", flush=True)
    default = evaluator.figures(of["all"])[:n]
    width = math.sqrt(sum(half_width(share, images) ** 2 for share, images in default)) / n
    print(f"\nHalf the 95 % interval of the mean top-1 of the default, all anchors: {100 * width:.1f}")


def search(evaluator, rows, work):
    """The cost of approximate search: points lost compared with exact search, per data set."""
    header("space", "anchors", "search", *ZEROSHOT, *(way.replace("_", " ") for way in WAYS))
    worst = {}
    of = {choice: build(evaluator, work, choice, draws, ["--graph", "always"]) for choice, draws in choices(rows)}
    for space, options in (("default", []), ("paper", ["--paper"])):
        for choice, sets in of.items():
            exact = evaluator.figures(sets, options + ["--search", "exact"])
            cells = [f"{100 * share:.1f}" for share, _ in exact]
            print(f"| {space} | {choice} | exact, % | " + " | ".join(cells) + " |", flush=True)
            for mode in SEARCHES:
                found = evaluator.figures(sets, options + ["--search", mode])
                points = [100 * (a - b) for (a, _), (b, _) in zip(found, exact)]
                cells = [f"{p:+.1f}" if abs(p) >= 0.05 else "0" for p in points]
                print(f"| {space} | {choice} | {mode} | " + " | ".join(cells) + " |", flush=True)
                worst[mode] = min(worst.get(mode, 0), *points)
    print("\nThe largest loss, in points: " + ", ".join(f"{m} {-w:.2f}" for m, w in worst.items()))


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, default=root / "../shared/data")
    parser.add_argument("--asif", default=root / "target/release/asif")
    parser.add_argument("--work", type=pathlib.Path, default=root / "target/accuracy")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--ablation", action="store_true", help="the contribution of each part of the default")
    kinds.add_argument("--search", action="store_true", help="the cost of approximate search")
    kinds.add_argument("--tuned", action="store_true", help="also the space that `asif tune` finds")
    arguments = parser.parse_args()
    data = arguments.data.resolve()
    anchors = data / "anchors"
    rows = [json.loads(line) for line in open(anchors / "pairs.jsonl", encoding="utf-8")]
    for row in rows:
        row["image"] = str(anchors / row["image"])
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    evaluator = Evaluator(arguments.asif, data)
    if arguments.ablation:
        ablation(evaluator, rows, work)
    elif arguments.search:
        search(evaluator, rows, work)
    else:
        accuracy(evaluator, rows, work, arguments.tuned)


if __name__ == "__main__":
    main()
