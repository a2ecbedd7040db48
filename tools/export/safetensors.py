"""Reads a .safetensors file with numpy alone: a JSON header, then raw little-endian tensors.

Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
MAX_HEADER = 100_000_000


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Every tensor of the file by name; BF16 becomes float32. The file is mapped, not read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if length > min(size - 8, MAX_HEADER):
            raise ValueError(f"{path}: not a safetensors file (its header would be {length} bytes)")
        header = json.loads(file.read(length))
    data = np.memmap(path, mode="r", offset=0)[8 + length :]

    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        shape, kind = entry["shape"], entry["dtype"]
        dtype = "<u2" if kind == "BF16" else DTYPES.get(kind)
        if dtype is None:
            raise ValueError(f"{path}: {name} has the type {kind}, which is not supported")
        expected = math.prod(shape) * np.dtype(dtype).itemsize
        if not 0 <= start <= end <= len(data) or end - start != expected:
            raise ValueError(f"{path}: {name} should take {expected} bytes, not [{start}, {end})")
        values = np.frombuffer(data[start:end], dtype)
        if kind == "BF16":
            values = (values.astype("<u4") << 16).view("<f4")
        tensors[name] = values.reshape(shape)
    return tensors
