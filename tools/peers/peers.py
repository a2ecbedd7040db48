#!/usr/bin/env python3
"""Our index and its peers, side by side in one run: same vectors, same queries, equal recall.

    cargo build --release -p asif-index --example peer --features hnsw-rs
    pip install -r tools/peers/requirements.txt
    tools/peers/peers.py --vectors F.npy --queries Q.npy [--k 800] [--recall 0.98] [--only a,b]

`--only` takes names of systems, separated by commas, any number of times; a name that there is
none of is answered with the list of all.

Every system is built with M = 16 and ef_construction = 200 where it has such a thing, on two
threads. Its search parameter is the smallest of a ladder that reaches the wanted recall against
exact f32. Then the systems take turns, a block of single queries each on one thread and one batch on two,
for as many rounds; medians over the rounds are printed, as a table of ratios to `ours`.
"""
import argparse
import gc
import json
import os
import subprocess
import tempfile
import time

import numpy as np

M, EFC = 16, 200
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
# Our beam is a quarter wider than ef, so that an ef below k answers k as well.
OWN_LADDER = [672, 704, 736, 768, 800, 900, 1000, 1150, 1300, 1600, 2000, 3000, 5000, 8000]
PROBES = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768]
# Candidates rescored by int8 codes.
SKETCH_LADDER = [1200, 1600, 2000, 2400, 2800, 3200, 4000, 4800, 6400, 9600, 12800, 25600]
LADDER = [800, 900, 1000, 1150, 1300, 1600, 2000, 3000, 5000, 8000]


class Ours:
    """One of our indexes, in the process that `examples/peer.rs` is."""

    process = None

    def __init__(self, name, kind, ladder):
        self.name, self.kind, self.ladder = name, kind, ladder

    @classmethod
    def start(cls, binary, vectors, queries, k, folder):
        command = [binary, vectors, queries, str(k), folder]
        cls.folder = folder
        cls.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        cls.reply()

    @classmethod
    def reply(cls):
        return json.loads(cls.process.stdout.readline())

    @classmethod
    def ask(cls, *words):
        cls.process.stdin.write(" ".join(map(str, words)) + "\n")
        cls.process.stdin.flush()
        return cls.reply()

    def build(self):
        found = self.ask("build", self.kind.removesuffix("-codes"))
        return found["s"], found["cpu_s"]

    def answers(self, value):
        path = os.path.join(self.folder, "answers.bin")
        self.ask("answers", self.kind, value, path)
        return np.fromfile(path, np.uint32).reshape(len(Peer.queries), -1)

    def single(self, value, first, count):
        return self.ask("single", self.kind, value, first, count)["ms"]

    def batch(self, value, count):
        found = self.ask("batch", self.kind, value, count)
        return found["qps"], found["qps_cpu"]


class Peer:
    """A peer from a Python package; `one` and `many` answer ids."""

    vectors = queries = None
    k = 0

    def build(self):
        wall, cpu = time.perf_counter(), time.process_time()
        self.make()
        return time.perf_counter() - wall, time.process_time() - cpu

    def answers(self, value):
        self.set(value, 1)
        return np.stack([np.asarray(self.one(q[None])).ravel() for q in self.queries])

    def single(self, value, first, count):
        self.set(value, 1)
        times = []
        for i in range(first, first + count):
            query = self.queries[i % len(self.queries)][None]
            began = time.perf_counter()
            self.one(query)
            times.append((time.perf_counter() - began) * 1e3)
        return times

    def batch(self, value, count):
        self.set(value, 2)
        batch = np.resize(self.queries, (count, self.queries.shape[1]))
        wall, cpu = time.perf_counter(), time.process_time()
        self.many(batch)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return count / wall, 2 * count / cpu


class Hnswlib(Peer):
    name, ladder = "hnswlib", LADDER

    def make(self):
        import hnswlib

        self.index = hnswlib.Index("ip", self.vectors.shape[1])
        self.index.init_index(len(self.vectors), M=M, ef_construction=EFC, random_seed=1)
        self.index.set_num_threads(2)
        self.index.add_items(self.vectors)

    def set(self, value, threads):
        self.threads = threads
        self.index.set_ef(value)

    def one(self, query):
        return self.index.knn_query(query, self.k, num_threads=1)[0]

    def many(self, batch):
        return self.index.knn_query(batch, self.k, num_threads=2)[0]


class Usearch(Peer):
    ladder = LADDER

    def __init__(self, kind):
        self.kind, self.name = kind, f"usearch {kind}"

    def make(self):
        from usearch.index import Index

        # Of f32 rows it makes codes as if a number could be 1, of which unit vectors use a few
        # levels only. Codes over the whole range, and a cosine of them, are better to it.
        metric = "cos" if self.kind == "i8" else "ip"
        self.scale = 127 / np.abs(self.vectors).max()
        self.index = Index(
            ndim=self.vectors.shape[1], metric=metric, dtype=self.kind, connectivity=M,
            expansion_add=EFC, expansion_search=self.k,
        )
        self.index.add(np.arange(len(self.vectors)), self.given(self.vectors), threads=2)

    def given(self, rows):
        if self.kind != "i8":
            return rows
        return np.clip(np.rint(rows * self.scale), -127, 127).astype(np.int8)

    def set(self, value, threads):
        self.index.expansion_search = value

    def one(self, query):
        return self.index.search(self.given(query)[0], self.k, threads=1).keys

    def many(self, batch):
        return self.index.search(self.given(batch), self.k, threads=2).keys


class Faiss(Peer):
    def __init__(self, spec, ladder, name=None):
        self.spec, self.name, self.ladder = spec, f"faiss {name or spec}", ladder

    def make(self):
        import faiss

        faiss.omp_set_num_threads(2)
        self.index = faiss.index_factory(
            self.vectors.shape[1], self.spec, faiss.METRIC_INNER_PRODUCT
        )
        if "HNSW" in self.spec:
            self.index.hnsw.efConstruction = EFC
        if not self.index.is_trained:
            self.index.train(self.vectors[: 100_000])
        self.index.add(self.vectors)

    def set(self, value, threads):
        import faiss

        faiss.omp_set_num_threads(threads)
        if "HNSW" in self.spec:
            self.index.hnsw.efSearch = value
        elif "IVF" in self.spec:
            self.index.nprobe = value

    def one(self, query):
        return self.index.search(query, self.k)[1]

    many = one


def recall(found, exact):
    shares = [len(set(f.tolist()) & set(e.tolist())) / len(e) for f, e in zip(found, exact)]
    return float(np.mean(shares))


def chosen(systems, only):
    """Those that are named; all, if none is."""
    names = [name for text in only for name in text.split(",") if name]
    known = [system.name for system in systems]
    for name in names:
        if name not in known:
            raise SystemExit(f"--only: there is no {name!r}; choose among {', '.join(known)}")
    return [system for system in systems if not names or system.name in names]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--vectors", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--k", type=int, default=800)
    parser.add_argument("--recall", type=float, default=0.98)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--block", type=int, default=40, help="single queries a turn")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--used", type=int, default=200, help="queries that are used")
    parser.add_argument(
        "--only", action="append", default=[], help="names, separated by commas; may be repeated"
    )
    parser.add_argument("--no-batch", action="store_true")
    parser.add_argument("--json", help="write all figures here")
    parser.add_argument(
        "--binary", default=os.path.join(ROOT, "target/release/examples/peer")
    )
    options = parser.parse_args()
    Peer.vectors, Peer.k = np.load(options.vectors), options.k
    Peer.queries = np.ascontiguousarray(np.load(options.queries)[: options.used])
    n = len(Peer.vectors)
    lists = int(4 * np.sqrt(n))
    systems = [
        Ours("ours hnsw", "hnsw", OWN_LADDER),
        Ours("ours hnsw-codes", "hnsw-codes", OWN_LADDER),
        Ours("ours sketch", "sketch", SKETCH_LADDER),
        Ours("ours sketch-codes", "sketch-codes", SKETCH_LADDER),
        Ours("ours flat", "flat", [0]),
        Ours("ours flat-codes", "flat-codes", [0]),
        Ours("ours exact", "exact", [0]),
        Ours("hnsw_rs", "hnsw_rs", LADDER),
        Hnswlib(),
        Usearch("f32"), Usearch("f16"), Usearch("i8"),
        Faiss(f"HNSW{M}", LADDER), Faiss(f"HNSW{M}_SQ8", LADDER),
        # Its parameter is how many of the lists are read.
        Faiss(f"IVF{lists},Flat", [p for p in PROBES if p < lists] + [lists], name="IVF"),
        Faiss("Flat", [0]),
    ]
    systems = chosen(systems, options.only)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        queries = os.path.join(folder, "queries.npy")
        np.save(queries, Peer.queries)
        Ours.start(options.binary, options.vectors, queries, options.k, folder)
        exact = Ours("exact", "exact", [0]).answers(0)
        ready = []
        for system in systems:
            wall, cpu = system.build()
            for value in system.ladder:
                found = recall(system.answers(value), exact)
                if found >= options.recall:
                    break
            ready.append((system, value))
            results[system.name] = {
                "parameter": value, "recall": found, "build_s": wall, "build_cpu_s": cpu,
                "ms": [], "qps": [], "qps_cpu": [],
            }
            print(f"# {system.name}: {value}, recall {found:.4f}, build {wall:.2f} s "
                  f"({cpu:.2f} s of processor time)", flush=True)
            gc.collect()
        for round_ in range(options.rounds):
            for system, value in ready:
                times = system.single(value, round_ * options.block, options.block)
                results[system.name]["ms"].append(float(np.median(times)))
                if not options.no_batch:
                    wall, cpu = system.batch(value, options.batch)
                    results[system.name]["qps"].append(wall)
                    results[system.name]["qps_cpu"].append(cpu)
        Ours.process.stdin.close()
        Ours.process.wait()
    report(results, n, Peer.vectors.shape[1], options)


def report(results, n, dim, options):
    middle = lambda values: float(np.median(values)) if values else float("nan")
    for result in results.values():
        for key in ("ms", "qps", "qps_cpu"):
            result[key] = middle(result[key])
    ours = results.get("ours hnsw") or next(iter(results.values()))
    print(f"\nn {n}, dim {dim}, k {options.k}, recall >= {options.recall}, medians of "
          f"{options.rounds} interleaved rounds; ratio: how many times ours is faster\n")
    print("| system | parameter | recall | query ms | ratio | batch q/s | q/s by processor time "
          "| build s | build processor s | ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, r in results.items():
        print(f"| {name} | {r['parameter']} | {r['recall']:.4f} | {r['ms']:.3f} "
              f"| {r['ms'] / ours['ms']:.2f} | {r['qps']:.0f} | {r['qps_cpu']:.0f} "
              f"| {r['build_s']:.2f} | {r['build_cpu_s']:.2f} "
              f"| {r['build_cpu_s'] / ours['build_cpu_s']:.1f} |", flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"n": n, "dim": dim, "k": options.k, "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
