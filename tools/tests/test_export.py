"""The exports, against plain numpy in float64; the readers, against broken and hostile files."""

import json
import math
import os
import pickle
import struct
import tempfile
import unittest
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime

from export.bert import Encoder, relative_buckets
from export.efficientnet_lite import Converter
from export.safetensors import read_safetensors
from export.torch_pth import read_pth


class InFolder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


def write_safetensors(path: Path, header: dict, data: bytes) -> Path:
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)
    return path


class Safetensors(InFolder):
    def test_reads_what_was_written(self) -> None:
        a, b = np.arange(6, dtype="<f4").reshape(2, 3), np.array([-1, 7], "<i8")
        header = {
            "__metadata__": {"format": "pt"},
            "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
            "b": {"dtype": "I64", "shape": [2], "data_offsets": [24, 40]},
            "c": {"dtype": "BF16", "shape": [1], "data_offsets": [40, 42]},
        }
        path = write_safetensors(self.folder / "m", header, a.tobytes() + b.tobytes() + b"\xc0\x3f")
        tensors = read_safetensors(path)
        np.testing.assert_array_equal(tensors["a"], a)
        np.testing.assert_array_equal(tensors["b"], b)
        np.testing.assert_array_equal(tensors["c"], np.array([1.5], np.float32))

    def test_refuses_offsets_outside_the_file(self) -> None:
        header = {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
        path = write_safetensors(self.folder / "m", header, bytes(20))
        with self.assertRaisesRegex(ValueError, "a should take 24 bytes"):
            read_safetensors(path)

    def test_refuses_a_header_longer_than_the_file(self) -> None:
        path = self.folder / "m"
        for content in (b"", b"\x01", struct.pack("<Q", 1 << 60) + b"{}"):
            path.write_bytes(content)
            with self.assertRaisesRegex(ValueError, "not a safetensors file"):
                read_safetensors(path)


class HostilePickle:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


class TorchPth(InFolder):
    def test_refuses_to_call_anything(self) -> None:
        trace = self.folder / "called"
        plain, archive = self.folder / "plain.pth", self.folder / "zip.pth"
        plain.write_bytes(pickle.dumps(HostilePickle(trace)))
        with zipfile.ZipFile(archive, "w") as out:
            out.writestr("model/data.pkl", plain.read_bytes())
        for path in (plain, archive):
            with self.assertRaisesRegex(pickle.UnpicklingError, "mkdir is not allowed"):
                read_pth(path)
        self.assertFalse(trace.exists())

    def test_refuses_other_files(self) -> None:
        path = self.folder / "m.pth"
        path.write_bytes(pickle.dumps(42))
        with self.assertRaisesRegex(ValueError, "not a PyTorch file"):
            read_pth(path)
        with zipfile.ZipFile(path, "w") as out:
            out.writestr("README", "no weights")
        with self.assertRaisesRegex(ValueError, "without data.pkl"):
            read_pth(path)


def random_checkpoint(kind: str, rng: np.random.Generator) -> tuple[dict, dict]:
    """A small encoder with random weights: (weights, config)."""
    hidden, inner, words, places = 16, 24, 40, 34
    config = {
        "model_type": kind, "hidden_act": "gelu", "hidden_size": hidden, "num_attention_heads": 2,
        "num_hidden_layers": 2, "layer_norm_eps": 1e-5, "pad_token_id": 0 if kind == "bert" else 1,
        "max_position_embeddings": places, "relative_attention_num_buckets": 32,
    }  # fmt: skip
    weights = {}

    def add(name: str, *shape: int) -> None:
        weights[name] = rng.normal(0, 0.3, shape).astype(np.float32)

    def add_linear(name: str, out: int, width: int) -> None:
        add(f"{name}.weight", out, width)
        add(f"{name}.bias", out)

    def add_norm(name: str) -> None:
        add(f"{name}.weight", hidden)
        add(f"{name}.bias", hidden)

    add("embeddings.word_embeddings.weight", words, hidden)
    add("embeddings.position_embeddings.weight", places, hidden)
    add_norm("embeddings.LayerNorm")
    attention = ("self.query", "self.key", "self.value", "output.dense", "output.LayerNorm")
    if kind == "bert":
        add("embeddings.token_type_embeddings.weight", 2, hidden)
    else:
        attention = ("attn.q", "attn.k", "attn.v", "attn.o", "LayerNorm")
        add("encoder.relative_attention_bias.weight", 32, 2)
    for layer in range(2):
        prefix = f"encoder.layer.{layer}."
        for name in attention[:4]:
            add_linear(f"{prefix}attention.{name}", hidden, hidden)
        add_norm(f"{prefix}attention.{attention[4]}")
        add_linear(f"{prefix}intermediate.dense", inner, hidden)
        add_linear(f"{prefix}output.dense", hidden, inner)
        add_norm(f"{prefix}output.LayerNorm")
    return weights, config


def encode(weights: dict, config: dict, ids: list[int]) -> np.ndarray:
    """The encoder on one unpadded text, written plainly in float64."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    bert, n, heads = config["model_type"] == "bert", len(ids), config["num_attention_heads"]
    size = config["hidden_size"] // heads

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    start = 0 if bert else config["pad_token_id"] + 1
    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][start : start + n]
    bias = np.zeros((heads, n, n))
    names = ("self.query", "self.key", "self.value", "output.dense", "output.LayerNorm")
    if bert:
        x = x + w["embeddings.token_type_embeddings.weight"][0]
    else:
        names = ("attn.q", "attn.k", "attn.v", "attn.o", "LayerNorm")
        table = w["encoder.relative_attention_bias.weight"]
        bias = table[relative_buckets(n, 32, 128)].transpose(2, 0, 1)
    x = norm(x, "embeddings.LayerNorm")
    for layer in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}."
        q, k, v = (linear(x, f"{prefix}attention.{name}") for name in names[:3])
        mixed = np.empty_like(x)
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = q[:, part] @ k[:, part].T / math.sqrt(size) + bias[head]
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            mixed[:, part] = scores / scores.sum(-1, keepdims=True) @ v[:, part]
        x = norm(
            x + linear(mixed, f"{prefix}attention.{names[3]}"), f"{prefix}attention.{names[4]}"
        )
        inner = linear(x, f"{prefix}intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = norm(x + linear(inner, f"{prefix}output.dense"), f"{prefix}output.LayerNorm")
    return x


class Bert(unittest.TestCase):
    def test_equals_the_plain_encoder_whatever_the_padding(self) -> None:
        texts = [[3, 7, 9, 4, 21, 30, 2], [5, 6, 2]]
        for kind in ("bert", "mpnet"):
            with self.subTest(kind):
                weights, config = random_checkpoint(kind, np.random.default_rng(7))
                model = Encoder(weights, config).build().SerializeToString()
                session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
                longest = max(map(len, texts))
                ids = np.full((len(texts), longest), config["pad_token_id"], np.int64)
                mask = np.zeros_like(ids)
                for row, text in enumerate(texts):
                    ids[row, : len(text)], mask[row, : len(text)] = text, 1
                feed = {"input_ids": ids, "attention_mask": mask}
                if kind == "bert":
                    feed["token_type_ids"] = np.zeros_like(ids)
                (out,) = session.run(["last_hidden_state"], feed)
                for row, text in enumerate(texts):
                    plain = encode(weights, config, text)
                    np.testing.assert_allclose(out[row, : len(text)], plain, atol=2e-5)

    def test_buckets_grow_with_distance(self) -> None:
        buckets = relative_buckets(512, 32, 128)
        self.assertEqual([int(buckets[400, 400 - d]) for d in (0, 1, 7, 8, 16, 32, 64, 127, 128, 400)],
                         [0, 1, 7, 8, 10, 12, 14, 15, 15, 15])  # fmt: skip
        self.assertEqual(int(buckets[0, 1]), 17)
        self.assertTrue((np.diff(buckets[511, ::-1]) >= 0).all())

    def test_refuses_what_it_would_get_wrong(self) -> None:
        weights, config = random_checkpoint("bert", np.random.default_rng(0))
        for key, value in (
            ("model_type", "roberta"),
            ("hidden_act", "relu"),
            ("position_embedding_type", "relative_key"),
        ):
            with self.assertRaisesRegex(ValueError, key.split("_")[0]):
                Encoder(weights, config | {key: value})
        del weights["encoder.layer.1.output.dense.bias"]
        with self.assertRaisesRegex(ValueError, "no encoder.layer.1.output.dense.bias"):
            Encoder(weights, config).build()


class EfficientNetLite(unittest.TestCase):
    def test_refuses_other_weights(self) -> None:
        with self.assertRaisesRegex(ValueError, "_conv_stem.weight is missing"):
            Converter({}, "lite0").build()
