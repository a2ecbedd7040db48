"""Writes the files of this folder: vectors as NumPy, safetensors and pyarrow write them."""
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save_file

ROWS = np.array([[r + 1, 2, -3, 0.5 * r] for r in range(6)])
F32 = ROWS.astype("f4")


def lists(rows, kind):
    return pa.array([None if r is None else [float(x) for x in r] for r in rows], type=kind)


def main():
    np.save("f16.npy", ROWS.astype("f2"))
    np.save("f32.npy", F32)
    np.save("f64.npy", ROWS)
    np.save("big-endian.npy", ROWS.astype(">f4"))
    np.save("one-dimension.npy", F32.ravel())
    np.save("integers.npy", ROWS.astype("i8"))
    np.save("objects.npy", np.array([[1, "a"]], dtype=object))
    np.save("fortran.npy", np.asfortranarray(F32))
    np.savez("stored.npz", vectors=F32, ids=np.arange(6))
    np.savez_compressed("deflated.npz", F32)
    np.savez_compressed("two.npz", image=F32, text=F32[:, :3])
    save_file({"vectors": F32, "ids": np.arange(6)}, "f32.safetensors")
    bf16 = (F32.view("u4") >> 16).astype("u2")
    save_bf16(bf16)
    for name, parts in {"parts": {1: F32[:2], 2: F32[2:4], 10: F32[4:]}, "mixed": {0: F32, 1: F32[:, :3]}}.items():
        pathlib.Path(name).mkdir(exist_ok=True)
        for number, rows in parts.items():
            np.save(f"{name}/part_{number}.npy", rows)
    pathlib.Path("no-vectors").mkdir(exist_ok=True)
    pathlib.Path("no-vectors/a.txt").write_text("no vectors\n")
    bad = F32.copy()
    bad[1, 2], bad[3], bad[4, 0] = np.nan, 0, np.inf
    np.save("bad-rows.npy", bad)
    f32 = pa.list_(pa.float32())
    pq.write_table(pa.table({"id": range(6), "v": lists(F32, f32)}), "list.parquet", row_group_size=4)
    pq.write_table(pa.table({"v": lists(ROWS, pa.list_(pa.float64(), 4))}), "fixed.parquet")
    half = pa.ListArray.from_arrays(range(0, 25, 4), pa.array(ROWS.astype("f2").ravel()))
    pq.write_table(pa.table({"v": half}), "half.parquet", compression="zstd")
    two = {"id": range(6), "image": lists(F32, f32), "text": lists(F32[:, :3], f32)}
    pq.write_table(pa.table(two), "two.parquet")
    rows = [F32[0], None, F32[2], F32[3][:3], [0, 0, 0, 0], F32[5]]
    pq.write_table(pa.table({"v": lists(rows, f32)}), "bad-rows.parquet")
    pq.write_table(
        pa.table(
            {
                "id": pa.array([7, None], type=pa.int64()),
                "image_path": ["a.jpg", None],
                "caption": ["a cat", "a dog"],
                "year": pa.array([2020, None], type=pa.int32()),
                "licence": pa.array([None, "CC0"]).dictionary_encode(),
                "tags": [["x", "y"], []],
                "when": pa.array([0, 1], type=pa.timestamp("s")),
            }
        ),
        "metadata.parquet",
    )


def save_bf16(words):
    """NumPy has no bfloat16, so the tensor is described to the serialiser as bytes."""
    from safetensors import TensorSpec, serialize_file

    spec = TensorSpec(
        dtype="bfloat16", shape=list(words.shape), data_ptr=words.ctypes.data, data_len=words.nbytes
    )
    serialize_file({"b": spec}, "bf16.safetensors", None)


if __name__ == "__main__":
    main()
