#!/usr/bin/env python3
"""Adapts an anchor set to another domain with a few pairs of that domain, and measures the gain of each step.

    python3 tools/domain_update.py --pairs base.jsonl --dataset FOLDER [--where source=flickr8k]

The base anchor set is built from the pairs. For each draw, 100 images of the labelled folder, the same
number of each class as far as possible, become pairs ("a photo of a NAME."); the others are the test
images for all steps of the draw. `asif anchors add` adds the first 20 pairs, then those up to 50 and to
100; `asif swap` goes back to the base for the next draw. The output is top-1 with the half-width of the
95 % interval over the draws (Student's t), and the total wall-clock seconds of `asif anchors add`,
including encoding. Needs only Python.
"""
import argparse
import json
import pathlib
import random
import shutil
import statistics
import subprocess
import time

# The 97.5 % point of Student's t for 1, 2, ... degrees of freedom.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]


def asif(program, *arguments):
    """The JSON that a command prints."""
    done = subprocess.run([program, *map(str, arguments), "--json", "--quiet"], stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f"{program} {' '.join(map(str, arguments))}: exit code {done.returncode}")
    return json.loads(done.stdout)


def labelled(folder):
    """The images of a data set as (path, folder of the class), and its meta.json."""
    meta_file = folder / "meta.json"
    meta = json.loads(meta_file.read_text(encoding="utf-8")) if meta_file.exists() else {}
    listed = folder / "labels.jsonl"
    if listed.exists():
        rows = [json.loads(line) for line in open(listed, encoding="utf-8") if line.strip()]
        images = [(folder / row["image"], row["label"]) for row in rows]
    else:
        known = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}
        images = [
            (file, file.relative_to(folder).parts[0])
            for file in sorted(folder.glob("*/**/*"))
            if file.suffix.lower() in known
        ]
    if not images:
        raise SystemExit(f"{folder}: no labelled images; expected a folder for each class")
    return images, meta


def spread(images, n, seed):
    """`n` images, class after class in turn, and the others."""
    drawn = random.Random(seed)
    classes = {}
    for image in images:
        classes.setdefault(image[1], []).append(image)
    order = list(classes.values())
    for of_class in order:
        drawn.shuffle(of_class)
    drawn.shuffle(order)
    chosen = []
    while len(chosen) < n:
        for of_class in order:
            if of_class and len(chosen) < n:
                chosen.append(of_class.pop())
    return chosen, [image for of_class in order for image in of_class]


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_test(folder, images, meta):
    """A data set of these images, which stay where they are."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({**meta, "images": len(images)}), encoding="utf-8")
    for at, (path, label) in enumerate(images):
        (folder / label).mkdir(exist_ok=True)
        (folder / label / f"{at}{path.suffix}").symlink_to(path)
    rows = [
        {"image": f"{label}/{at}{path.suffix}", "label": label}
        for at, (path, label) in enumerate(images)
    ]
    write_jsonl(folder / "labels.jsonl", rows)
    return folder


def interval(values):
    """Mean and half-width in percent, as text."""
    mean = f"{100 * statistics.mean(values):.1f}"
    if len(values) < 2:
        return mean
    t = STUDENT[min(len(values) - 2, len(STUDENT) - 1)]
    return f"{mean} ±{100 * t * statistics.stdev(values) / len(values) ** 0.5:.1f}"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=pathlib.Path, required=True, help="the pairs of the base anchor set, JSONL")
    parser.add_argument("--where", default="", help="KEY=VALUE: only base pairs with this value")
    parser.add_argument("--dataset", type=pathlib.Path, required=True, help="labelled images, one folder per class")
    parser.add_argument("--steps", default="20,50,100", help="in-domain pairs after each step")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--spaces", default="default,asif,paper", help="spaces to evaluate in")
    parser.add_argument("--asif", default=root / "target/release/asif")
    parser.add_argument("--work", type=pathlib.Path, default=root / "target/domain-update")
    arguments = parser.parse_args()
    program = arguments.asif
    steps = [int(n) for n in arguments.steps.split(",")]
    known = {"default": [], "paper": ["--paper"]}
    settings = {name: known.get(name, ["--space", name]) for name in arguments.spaces.split(",")}

    base_file = arguments.pairs.resolve()
    rows = [json.loads(line) for line in open(base_file, encoding="utf-8") if line.strip()]
    key, _, value = arguments.where.partition("=")
    rows = [row for row in rows if not key or str(row.get(key)) == value]
    for row in rows:
        row["image"] = str(base_file.parent / row["image"])
    images, meta = labelled(arguments.dataset.resolve())
    if steps[-1] >= len(images):
        raise SystemExit(f"{len(images)} images are too few for {steps[-1]} pairs and a test")
    names = meta.get("classes", {})

    arguments.work.mkdir(parents=True, exist_ok=True)
    base = arguments.work / "base.asif"
    asif(program, "build", "--overwrite", "--pairs", write_jsonl(arguments.work / "base.jsonl", rows), "--out", base)
    generation = asif(program, "inspect", base)["generation"]

    accuracy = {(n, s): [] for n in [0, *steps] for s in settings}
    seconds = {n: [] for n in steps}
    for draw in range(arguments.draws):
        chosen, rest = spread(images, steps[-1], draw)
        test = write_test(arguments.work / f"test-{draw}", rest, meta)
        have = 0
        for n in [0, *steps]:
            if n > have:
                new = [
                    {
                        "id": f"domain-{have + i}",
                        "image": str(path),
                        "caption": f"a photo of a {names.get(label, label.replace('_', ' '))}.",
                        "source": "domain",
                    }
                    for i, (path, label) in enumerate(chosen[have:n])
                ]
                file = write_jsonl(arguments.work / "new.jsonl", new)
                begun = time.monotonic()
                asif(program, "anchors", "add", base, "--pairs", file, "--no-cache")
                seconds[n].append(time.monotonic() - begun)
                have = n
            for name, setting in settings.items():
                report = asif(program, "eval", "zeroshot", "--index", base, "--dataset", test, *setting)
                accuracy[n, name].append(report["metrics"]["acc1"])
        # Make the content of the base live again, as a new generation, for the next draw.
        generation = asif(program, "swap", base, "--to", generation)["generation"]

    print(f"{len(rows):,} base pairs; {len(images) - steps[-1]:,} test images of "
          f"{len({label for _, label in images})} classes; {arguments.draws} draws\n")
    print("| in-domain pairs | " + " | ".join(f"top-1, {name}" for name in settings) + " | seconds to add |")
    print("|---|" + "---|" * (len(settings) + 1))
    total = [0.0] * arguments.draws
    for n in [0, *steps]:
        if n:
            total = [a + b for a, b in zip(total, seconds[n])]
        cells = [interval(accuracy[n, name]) for name in settings]
        cells.append(f"{statistics.mean(total):.1f}" if n else "")
        print(f"| {'+' if n else ''}{n} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
