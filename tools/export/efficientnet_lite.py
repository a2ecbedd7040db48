"""Turns an EfficientNet-Lite state dict (.pth) into an image model folder.

    cd tools && python3 -m export.efficientnet_lite VARIANT WEIGHTS.pth OUT_DIR

Needs numpy and onnx, not torch. OUT_DIR gets model.onnx, config.json and
preprocessor_config.json.

Input, float32 [batch, 3, S, S]: pixel_values. Outputs, float32: pooler_output [batch, features]
(the mean over the last map) and logits [batch, 1000].
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx

from .graph import FLOAT, GraphBuilder, write_model
from .torch_pth import read_pth

OPSET = 13
BATCH_NORM_EPSILON = 1e-3


class Stage(NamedTuple):
    repeats: int
    stride: int


# EfficientNet-B0's seven stages (Tan and Le 2019, table 1); Lite drops squeeze-and-excitation and
# replaces swish by ReLU6. Kernel sizes and widths are read off the weights themselves.
STAGES = [Stage(1, 1), Stage(2, 2), Stage(2, 2), Stage(3, 2), Stage(3, 1), Stage(4, 2), Stage(1, 1)]


class Variant(NamedTuple):
    depth: float
    size: int


VARIANTS = {
    "lite0": Variant(1.0, 224),
    "lite1": Variant(1.1, 240),
    "lite2": Variant(1.2, 260),
    "lite3": Variant(1.4, 280),
    "lite4": Variant(1.8, 300),
}
# The published pipeline resizes the short side to S + 32 and crops S x S from the centre.
CROP_MARGIN = 32


def block_strides(depth: float) -> list[int]:
    """The stride of every block; Lite scales the depth of all stages but the first and last."""
    strides = []
    for number, stage in enumerate(STAGES):
        scaled = 0 < number < len(STAGES) - 1
        repeats = math.ceil(depth * stage.repeats) if scaled else stage.repeats
        strides += [stage.stride] + [1] * (repeats - 1)
    return strides


class Converter:
    """One conversion: the state dict, what was used of it, and the graph as it grows."""

    def __init__(self, weights: dict[str, np.ndarray], variant: str) -> None:
        self.weights, self.variant = weights, variant
        self.used: set[str] = set()
        self.graph = GraphBuilder()
        self.graph.const("zero", np.float32(0))
        self.graph.const("six", np.float32(6))

    def take(self, name: str) -> np.ndarray:
        if name not in self.weights:
            raise ValueError(f"{name} is missing, so this is not EfficientNet-{self.variant}")
        self.used.add(name)
        return self.weights[name]

    def conv(
        self, x: str, conv: str, norm: str, side: int, *, stride: int = 1, relu6: bool = True
    ) -> tuple[str, int]:
        """A convolution with its batch norm folded in (in float64), TensorFlow's SAME padding."""
        g = self.graph
        kernel = self.take(f"{conv}.weight").astype(np.float64)
        gamma, beta, mean, variance = (
            self.take(f"{norm}.{part}").astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        self.used.add(f"{norm}.num_batches_tracked")
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        folded = (kernel * scale[:, None, None, None]).astype(np.float32)
        bias = (beta - mean * scale).astype(np.float32)

        k, depthwise = kernel.shape[2], kernel.shape[1] == 1
        out_side = math.ceil(side / stride)
        padding = max((out_side - 1) * stride + k - side, 0)
        low, high = padding // 2, padding - padding // 2
        y = g.op(
            "Conv", x, g.const(f"{conv}.weight", folded), g.const(f"{conv}.bias", bias),
            kernel_shape=[k, k], strides=[stride, stride], pads=[low, low, high, high],
            group=kernel.shape[0] if depthwise else 1,
        )  # fmt: skip
        return (g.op("Clip", y, "zero", "six") if relu6 else y), out_side

    def block(self, x: str, number: int, side: int, stride: int) -> tuple[str, int]:
        """An inverted residual: expand, depthwise, project, and the sum where shapes allow it."""
        name, start = f"_blocks.{number}.", x
        if f"{name}_expand_conv.weight" in self.weights:
            channels = self.weights[f"{name}_expand_conv.weight"].shape[1]
            x, side = self.conv(x, f"{name}_expand_conv", f"{name}_bn0", side)
        else:
            channels = self.take(f"{name}_depthwise_conv.weight").shape[0]
        x, side = self.conv(x, f"{name}_depthwise_conv", f"{name}_bn1", side, stride=stride)
        x, side = self.conv(x, f"{name}_project_conv", f"{name}_bn2", side, relu6=False)
        if stride == 1 and channels == self.weights[f"{name}_project_conv.weight"].shape[0]:
            x = self.graph.op("Add", x, start)
        return x, side

    def build(self) -> onnx.ModelProto:
        g = self.graph
        depth, size = VARIANTS[self.variant]
        x, side = self.conv("pixel_values", "_conv_stem", "_bn0", size, stride=2)
        for number, stride in enumerate(block_strides(depth)):
            x, side = self.block(x, number, side, stride)
        x, _ = self.conv(x, "_conv_head", "_bn1", side)
        features = g.op("Flatten", g.op("GlobalAveragePool", x), out="pooler_output", axis=1)
        classes, bias = self.take("_fc.weight"), self.take("_fc.bias")
        g.op("Gemm", features, g.const("_fc.weight", classes), g.const("_fc.bias", bias),
             out="logits", transB=1)  # fmt: skip
        left = sorted(set(self.weights) - self.used)
        if left:
            raise ValueError(f"{left[0]} is not part of EfficientNet-{self.variant}")

        inputs = {"pixel_values": (FLOAT, ("batch", 3, size, size))}
        outputs = {
            "pooler_output": (FLOAT, ("batch", classes.shape[1])),
            "logits": (FLOAT, ("batch", classes.shape[0])),
        }
        return g.finish(f"efficientnet_{self.variant}", inputs, outputs, OPSET)


def preprocessing(size: int) -> dict:
    """preprocessor_config.json: bicubic resize, centre crop, (x - 127) / 128."""
    return {
        "do_resize": True,
        "size": {"shortest_edge": size + CROP_MARGIN},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": size, "width": size},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [127 / 255] * 3,
        "image_std": [128 / 255] * 3,
    }


def export(variant: str, weights: Path, folder: Path) -> str:
    """Writes the model folder; returns the sha256 of model.onnx."""
    model = Converter(read_pth(weights), variant).build()
    size = VARIANTS[variant].size
    features = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    config = {
        "model_type": f"efficientnet_{variant}",
        "hidden_size": features,
        "image_size": size,
        "num_labels": 1000,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("config.json", config),
        ("preprocessor_config.json", preprocessing(size)),
    ):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return write_model(model, folder / "model.onnx")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    print(args.folder / "model.onnx", "sha256", export(args.variant, args.weights, args.folder))


if __name__ == "__main__":
    main()
