"""Reads exported files with the tools that they are for; prints what they hold as JSON."""

import json
import sys
from pathlib import Path


def numbers(table):
    """Floats as the integers that have their bits, so that nothing is rounded."""
    return table.astype("<f4").view("<u4").tolist()


def vectors(path):
    import numpy

    told = {}
    for side in ("img_emb", "text_emb"):
        table = numpy.load(path / side / f"{side}_0.npy")
        assert table.dtype == numpy.float32 and table.flags["C_CONTIGUOUS"]
        told[side] = numbers(table)
    return told


def metadata(path):
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path / "metadata" / "metadata_0.parquet").to_pylist()


MODULES = {"vectors": ["numpy"], "metadata": ["pyarrow"]}
READERS = {"vectors": vectors, "metadata": metadata}

if __name__ == "__main__":
    kind, path = sys.argv[1:]
    try:
        for module in MODULES[kind]:
            __import__(module)
    except ImportError as lacking:
        sys.exit(f"lacks {lacking.name}")
    print(json.dumps(READERS[kind](Path(path))))
