"""A small builder for ONNX graphs: the operators and weights of a frozen network, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Old enough for every ONNX Runtime of the last years; the bytes of a model depend on it.
IR_VERSION = 8

Shape = Sequence[int | str]


class GraphBuilder:
    """Collects nodes and weights; every method returns the name of the value that it made."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._names: set[str] = set()

    def const(self, name: str, value: Any) -> str:
        """Adds a weight; one name is one weight."""
        if name in self._names:
            raise ValueError(f"weight {name} was added twice")
        self._names.add(name)
        self._weights.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def op(self, kind: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        """Adds one operator with one output."""
        label = f"{kind}_{len(self._nodes) + 1}"
        out = out or f"{label}_out"
        self._nodes.append(helper.make_node(kind, list(inputs), [out], name=label, **attributes))
        return out

    def finish(
        self,
        name: str,
        inputs: dict[str, tuple[int, Shape]],
        outputs: dict[str, tuple[int, Shape]],
        opset: int,
    ) -> onnx.ModelProto:
        """The checked model; inputs and outputs are name -> (element type, shape)."""

        def infos(values: dict[str, tuple[int, Shape]]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(n, t, list(s)) for n, (t, s) in values.items()]

        graph = helper.make_graph(self._nodes, name, infos(inputs), infos(outputs), self._weights)
        opsets = [helper.make_opsetid("", opset)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="asif-export")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        return model


def write_model(model: onnx.ModelProto, path: Path) -> str:
    """Writes the model and returns its sha256; equal weights give equal bytes."""
    data = model.SerializeToString(deterministic=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
