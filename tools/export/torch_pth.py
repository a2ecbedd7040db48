"""Reads a PyTorch `.pth` state dict without torch, and without running what it may hold.

A `.pth` file is a pickle, and a pickle can call anything. The unpickler here admits the three
globals that a plain state dict of tensors needs and refuses every other, so a hostile file ends
in an error. Both layouts are read: the zip archive (torch >= 1.6) and the older row of pickles
followed by raw storages.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001


@dataclass
class _StorageType:
    dtype: np.dtype


@dataclass
class _Storage:
    """Raw values of one or more tensors; the older layout fills them in after the pickles."""

    dtype: np.dtype
    count: int
    values: np.ndarray | None = None


@dataclass
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def numpy(self) -> np.ndarray:
        if self.storage.values is None:
            raise ValueError("a tensor's storage is missing from the file")
        if len(self.shape) != len(self.stride) or min((*self.shape, *self.stride, 0)) < 0:
            raise ValueError(f"a tensor has the shape {self.shape} and the strides {self.stride}")
        values = self.storage.values
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))
        if 0 in self.shape or not 0 <= self.offset <= last < len(values):
            raise ValueError(f"a tensor of shape {self.shape} ends outside its storage")
        steps = [s * values.itemsize for s in self.stride]
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, steps)
        return view.copy()


class _Dict(dict):
    """Stands in for OrderedDict, whose `_metadata` state nobody needs."""

    def __setstate__(self, state: Any) -> None:
        pass


def _rebuild_tensor_v2(storage: _Storage, offset: int, shape: Any, stride: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(stride))


class _StateDictUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO | io.BytesIO, storage_of: Callable[[Any], _Storage]) -> None:
        super().__init__(file, encoding="utf-8")
        self._storage_of = storage_of

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return _Dict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor_v2
        if module == "torch" and name in DTYPES:
            return _StorageType(np.dtype(DTYPES[name]))
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a file of weights")

    def persistent_load(self, pid: Any) -> _Storage:
        return self._storage_of(pid)


def read_pth(path: Path) -> dict[str, np.ndarray]:
    """Every tensor of the state dict by name."""
    state = _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
    return {name: tensor.numpy() for name, tensor in state.items()}


def _read_zip(path: Path) -> dict[str, _Tensor]:
    with zipfile.ZipFile(path) as archive:
        index = next((n for n in archive.namelist() if n.endswith("/data.pkl")), None)
        if index is None:
            raise ValueError(f"{path}: a zip archive without data.pkl is not a state dict")
        root = index.removesuffix("data.pkl")
        storages: dict[str, _Storage] = {}

        def storage_of(pid: Any) -> _Storage:
            _, kind, key, _, count = pid[:5]
            if key not in storages:
                raw = archive.read(f"{root}data/{key}")
                storages[key] = _Storage(kind.dtype, count, np.frombuffer(raw, kind.dtype, count))
            return storages[key]

        return _StateDictUnpickler(io.BytesIO(archive.read(index)), storage_of).load()


def _read_legacy(path: Path) -> dict[str, _Tensor]:
    storages: dict[str, _Storage] = {}

    def storage_of(pid: Any) -> _Storage:
        tag, kind, key, _, count, view = (*pid, None)[:6]
        if tag != "storage" or view is not None:
            raise ValueError(f"{path}: views of a storage are not supported")
        return storages.setdefault(key, _Storage(kind.dtype, count))

    with path.open("rb") as file:

        def load() -> Any:
            return _StateDictUnpickler(file, storage_of).load()

        if load() != LEGACY_MAGIC or load() != LEGACY_PROTOCOL:
            raise ValueError(f"{path}: not a PyTorch file")
        load()  # what machine wrote it
        state = load()
        for key in load():
            storage = storages[key]
            (count,) = struct.unpack("<q", file.read(8))
            if count != storage.count:
                raise ValueError(f"{path}: storage {key} holds {count}, not {storage.count} values")
            raw = file.read(count * storage.dtype.itemsize)
            storage.values = np.frombuffer(raw, storage.dtype, count)
    return state
