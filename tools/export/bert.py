"""Turns a BERT or MPNet sentence encoder (config.json, model.safetensors) into model.onnx.

    cd tools && python3 -m export.bert MODEL_DIR [OUT.onnx]

Needs numpy and onnx, neither torch nor transformers. Reads model_type "bert" with absolute
positions (MiniLM, bge, e5, gte, ...) and "mpnet" (all-mpnet-base-v2).

Inputs, int64 [batch, sequence]: input_ids, attention_mask and, for bert, token_type_ids.
Output, float32 [batch, sequence, hidden]: last_hidden_state; pooling is left to the reader.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import onnx

from .graph import FLOAT, INT64, GraphBuilder, write_model
from .safetensors import read_safetensors

OPSET = 17  # the first with LayerNormalization
# Added to the attention scores of padding; small enough that its softmax weight is exactly 0.
MASKED = -1e4
# Beyond this distance all positions share a bucket: fixed in MPNet's code, not in config.json.
MPNET_MAX_DISTANCE = 128

LAYER_NAMES = {
    "bert": ("attention.self.query", "attention.self.key", "attention.self.value",
             "attention.output.dense", "attention.output.LayerNorm"),
    "mpnet": ("attention.attn.q", "attention.attn.k", "attention.attn.v",
              "attention.attn.o", "attention.LayerNorm"),
}  # fmt: skip


def relative_buckets(length: int, buckets: int, max_distance: int) -> np.ndarray:
    """Buckets of relative position, [length, length] by (query, key).

    Half the buckets are for keys after the query. In each half, short distances have a bucket
    each and longer ones share buckets that grow geometrically up to `max_distance`
    (T5, Raffel et al. 2020, section 2.1). The geometric part is floor(m log(d/e) / log(D/e)),
    worked out in integers, so that rounding cannot move a distance on a border.
    """
    half = buckets // 2
    exact = half // 2
    steps = half - exact

    def bucket(distance: int) -> int:
        if distance < exact:
            return distance
        step = 0
        while step + 1 < steps and (
            distance**steps * exact ** (step + 1) >= max_distance ** (step + 1) * exact**steps
        ):
            step += 1
        return exact + step

    one_side = np.array([bucket(d) for d in range(length)], np.int64)
    positions = np.arange(length)
    offset = positions[None, :] - positions[:, None]
    return one_side[np.abs(offset)] + np.where(offset > 0, half, 0)


class Encoder:
    """One conversion: the checkpoint, its settings, and the graph as it grows."""

    def __init__(self, weights: dict[str, np.ndarray], config: dict) -> None:
        self.kind = config.get("model_type")
        if self.kind not in LAYER_NAMES:
            raise ValueError(f"model_type is {self.kind!r}; only bert and mpnet can be exported")
        if config.get("position_embedding_type", "absolute") != "absolute":
            raise ValueError(f"positions are {config['position_embedding_type']!r}, not absolute")
        if config.get("hidden_act") != "gelu":
            raise ValueError(f"hidden_act is {config.get('hidden_act')!r}, not gelu")
        self.weights, self.config, self.graph = weights, config, GraphBuilder()
        self.hidden, self.heads = config["hidden_size"], config["num_attention_heads"]
        nested = f"{self.kind}.embeddings.word_embeddings.weight" in weights
        self.prefix = f"{self.kind}." if nested else ""

    def weight(self, name: str) -> np.ndarray:
        if self.prefix + name not in self.weights:
            raise ValueError(f"the checkpoint has no {self.prefix}{name}")
        return np.asarray(self.weights[self.prefix + name], np.float32)

    def layer_norm(self, x: str, name: str, out: str | None = None) -> str:
        g = self.graph
        scale = g.const(f"{name}.weight", self.weight(f"{name}.weight"))
        bias = g.const(f"{name}.bias", self.weight(f"{name}.bias"))
        epsilon = self.config["layer_norm_eps"]
        return g.op("LayerNormalization", x, scale, bias, out=out, axis=-1, epsilon=epsilon)

    def linear(self, x: str, name: str) -> str:
        g = self.graph
        product = g.op("MatMul", x, g.const(f"{name}.weight_T", self.weight(f"{name}.weight").T))
        return g.op("Add", product, g.const(f"{name}.bias", self.weight(f"{name}.bias")))

    def constants(self) -> None:
        g, per_head = self.graph, self.hidden // self.heads
        g.const("float_one", np.float32(1))
        g.const("float_half", np.float32(0.5))
        g.const("sqrt_two", np.float32(math.sqrt(2)))
        g.const("sqrt_head", np.float32(math.sqrt(per_head)))
        g.const("masked", np.float32(MASKED))
        for name, value in (("zero", 0), ("one", 1), ("two", 2)):
            g.const(name, np.array([value], np.int64))
        g.const("last_axis", np.int64(1))
        g.const("split_heads", np.array([0, 0, self.heads, per_head], np.int64))
        g.const("merge_heads", np.array([0, 0, self.hidden], np.int64))

    def attention_bias(self) -> str:
        """0 where a key is a token and `MASKED` where it is padding: [batch, 1, 1, sequence]."""
        g = self.graph
        mask = g.op("Unsqueeze", g.op("Unsqueeze", "attention_mask", "one"), "two")
        padding = g.op("Sub", "float_one", g.op("Cast", mask, to=FLOAT))
        return g.op("Mul", padding, "masked")

    def positions_bert(self) -> str:
        """0, 1, 2, ... along the sequence, by operators that keep the symbolic shape."""
        g = self.graph
        ones = g.op("Add", g.op("Mul", "input_ids", "zero"), "one")
        return g.op("CumSum", ones, "last_axis", exclusive=1)

    def positions_mpnet(self) -> str:
        """pad + 1, pad + 2, ... over the tokens, pad where there is padding."""
        g = self.graph
        pad = g.const("pad", np.array([self.config["pad_token_id"]], np.int64))
        token = g.op("Cast", g.op("Not", g.op("Equal", "input_ids", pad)), to=INT64)
        return g.op("Add", g.op("Mul", g.op("CumSum", token, "last_axis"), token), pad)

    def relative_bias(self) -> str:
        """MPNet's bias by relative position, shared by all layers: [1, heads, seq, seq]."""
        g = self.graph
        longest = self.config["max_position_embeddings"] - 2
        count = self.config["relative_attention_num_buckets"]
        table = self.weight("encoder.relative_attention_bias.weight")
        full = table[relative_buckets(longest, count, MPNET_MAX_DISTANCE)]
        g.const("relative_bias", full.transpose(2, 0, 1)[None])
        length = g.op("Slice", g.op("Shape", "input_ids"), "one", "two", "zero")
        ends = g.op("Concat", length, length, axis=0)
        starts = g.const("relative_starts", np.array([0, 0], np.int64))
        axes = g.const("relative_axes", np.array([2, 3], np.int64))
        return g.op("Slice", "relative_bias", starts, ends, axes)

    def embeddings(self) -> str:
        g, name = self.graph, "embeddings."

        def table(kind: str) -> str:
            return g.const(f"{name}{kind}", self.weight(f"{name}{kind}_embeddings.weight"))

        x = g.op("Gather", table("word"), "input_ids")
        if self.kind == "bert":
            x = g.op("Add", x, g.op("Gather", table("token_type"), "token_type_ids"))
        positions = self.positions_bert() if self.kind == "bert" else self.positions_mpnet()
        x = g.op("Add", x, g.op("Gather", table("position"), positions))
        return self.layer_norm(x, f"{name}LayerNorm")

    def layer(self, x: str, number: int, bias: str, out: str | None) -> str:
        g, prefix = self.graph, f"encoder.layer.{number}."
        query, key, value, dense, norm = (prefix + n for n in LAYER_NAMES[self.kind])

        def heads(name: str, order: list[int]) -> str:
            split = g.op("Reshape", self.linear(x, name), "split_heads")
            return g.op("Transpose", split, perm=order)

        q, k, v = heads(query, [0, 2, 1, 3]), heads(key, [0, 2, 3, 1]), heads(value, [0, 2, 1, 3])
        scores = g.op("Add", g.op("Div", g.op("MatMul", q, k), "sqrt_head"), bias)
        mixed = g.op("MatMul", g.op("Softmax", scores, axis=-1), v)
        mixed = g.op("Reshape", g.op("Transpose", mixed, perm=[0, 2, 1, 3]), "merge_heads")
        x = self.layer_norm(g.op("Add", self.linear(mixed, dense), x), norm)

        h = self.linear(x, f"{prefix}intermediate.dense")
        gate = g.op("Add", g.op("Erf", g.op("Div", h, "sqrt_two")), "float_one")
        h = g.op("Mul", g.op("Mul", h, gate), "float_half")
        h = g.op("Add", self.linear(h, f"{prefix}output.dense"), x)
        return self.layer_norm(h, f"{prefix}output.LayerNorm", out=out)

    def build(self) -> onnx.ModelProto:
        self.constants()
        bias = self.attention_bias()
        if self.kind == "mpnet":
            bias = self.graph.op("Add", self.relative_bias(), bias)
        x = self.embeddings()
        count = self.config["num_hidden_layers"]
        for number in range(count):
            out = "last_hidden_state" if number == count - 1 else None
            x = self.layer(x, number, bias, out)

        names = ["input_ids", "attention_mask"] + ["token_type_ids"] * (self.kind == "bert")
        inputs = {name: (INT64, ("batch", "sequence")) for name in names}
        outputs = {"last_hidden_state": (FLOAT, ("batch", "sequence", self.hidden))}
        return self.graph.finish(self.kind, inputs, outputs, OPSET)


def export(folder: Path, out: Path) -> str:
    """Writes `out` from the checkpoint in `folder`; returns its sha256."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = read_safetensors(folder / "model.safetensors")
    return write_model(Encoder(weights, config).build(), out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds config.json and model.safetensors")
    parser.add_argument("out", type=Path, nargs="?", help="default: model.onnx in the folder")
    args = parser.parse_args()
    out = args.out or args.folder / "model.onnx"
    print(out, "sha256", export(args.folder, out))


if __name__ == "__main__":
    main()
