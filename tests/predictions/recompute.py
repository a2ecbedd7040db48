"""Reads predictions as other programs do, and prints what they add up to.

    recompute.py FOLDER

FOLDER holds p.csv, p.jsonl, p.parquet, classes.csv and matrix.csv of one evaluation.
"""
import csv
import json
import pathlib
import sys

import pyarrow.parquet


def as_csv(path):
    """The rows as the other two formats have them; a list of labels ends at the first empty cell."""
    with open(path, newline="") as file:
        for cells in csv.DictReader(file):
            numbers = range(1, 1 + sum(name.startswith("label_") for name in cells))
            told = [n for n in numbers if cells[f"label_{n}"]]
            yield {
                "row": int(cells["row"]),
                "input": cells["input"],
                "target": cells["target"],
                "right": {"true": True, "false": False}[cells["right"]],
                "answer": cells["answer"] or None,
                "error": cells["error"] or None,
                "labels": [cells[f"label_{n}"] for n in told],
                "scores": [float(cells[f"score_{n}"]) for n in told],
            }


def plain(row, labels, scores):
    kept = {key: row[key] for key in ("row", "input", "target", "right", "answer", "error")}
    return {**kept, "labels": labels, "scores": scores}


def as_lines(path):
    for line in open(path):
        row = json.loads(line)
        told = row["predictions"]
        yield plain(row, [one["label"] for one in told], [one["score"] for one in told])


def as_columns(path):
    for row in pyarrow.parquet.read_table(path).to_pylist():
        yield plain(row, row["labels"] or [], row["scores"] or [])


def main():
    folder = pathlib.Path(sys.argv[1])
    rows = list(as_lines(folder / "p.jsonl"))
    for others in (as_csv(folder / "p.csv"), as_columns(folder / "p.parquet")):
        others = list(others)
        assert len(others) == len(rows), (len(others), len(rows))
        for one, other in zip(rows, others):
            near = zip(one.pop("scores"), other.pop("scores"), strict=True)
            assert all(abs(a - b) < 1e-6 for a, b in near), (one, other)
            assert one == other, (one, other)
            one["scores"] = []
            other["scores"] = []
        for row, again in zip(rows, as_lines(folder / "p.jsonl")):
            row["scores"] = again["scores"]
    for row in rows:
        assert row["right"] == (row["answer"] == row["target"]), row
        assert row["scores"] == sorted(row["scores"], reverse=True), row
        assert (row["answer"] is None) == (row["error"] is not None), row
        assert row["labels"][:1] == ([] if row["answer"] is None else [row["answer"]]), row
    with open(folder / "matrix.csv", newline="") as file:
        head, *lines = csv.reader(file)
    for line in lines:
        of_class = [row for row in rows if row["target"] == line[0]]
        counted = [sum(row["answer"] == name for row in of_class) for name in head[1:-1]]
        counted.append(sum(row["answer"] is None for row in of_class))
        assert list(map(int, line[1:])) == counted, (line, counted)
    with open(folder / "classes.csv", newline="") as file:
        classes = list(csv.DictReader(file))
    assert [one["class"] for one in classes] == head[1:-1]
    for one in classes:
        of_class = [row for row in rows if row["target"] == one["class"]]
        right = sum(row["right"] for row in of_class)
        answered = sum(row["answer"] == one["class"] for row in rows)
        assert (int(one["images"]), int(one["right"]), int(one["answered"])) == (len(of_class), right, answered), one
        share = right / len(of_class)
        assert abs(float(one["accuracy"]) - share) < 1e-6, one
        assert float(one["low"]) <= share <= float(one["high"]), one
        assert one["precision"] == "" if not answered else abs(float(one["precision"]) - right / answered) < 1e-6
    print(json.dumps({
        "images": len(rows),
        "right": sum(row["right"] for row in rows),
        "unscored": sum(row["error"] is not None for row in rows),
        "inputs": [row["input"] for row in rows],
    }))


main()
