"""Writes the files of written/ with the tools whose formats they are.

    pip install --target /tmp/tools pyarrow==26.0.1 datasets==5.2.0 webdataset==1.0.2 pillow==13.0.0
    PYTHONPATH=/tmp/tools python3 tests/formats/write.py

The packages take 400 MB, so the tests read what they wrote.
"""

import gzip
import json
import math
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import webdataset
from PIL import Image

OUT = Path(__file__).parent / "written"
CAPTIONS = {
    "red.jpg": ["a red wave", "stripes of red"],
    "green.png": ["a green wave"],
    "blue.webp": ["a blue wave"],
    "grey.jpg": ["a grey wave"],
}


def draw(number: int) -> Image.Image:
    """A picture of 72 x 48 with waves of a colour."""
    picture = Image.new("RGB", (72, 48))
    for x in range(72):
        for y in range(48):
            wave = int(127 + 120 * math.sin(x / (3 + number) + y / 9))
            colour = [30, 30, 30]
            for channel in [number] if number < 3 else [0, 1, 2]:
                colour[channel] = wave
            picture.putpixel((x, y), tuple(colour))
    return picture


def main() -> None:
    pictures = OUT / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    for number, (name, captions) in enumerate(CAPTIONS.items()):
        draw(number).save(pictures / name)
        (pictures / name).with_suffix(".txt").write_text("\n".join(captions) + "\n")
    content = {name: (pictures / name).read_bytes() for name in CAPTIONS}
    rows = [
        {"image": f"pictures/{name}", "captions": captions, "source": "drawn", "number": number}
        for number, (name, captions) in enumerate(CAPTIONS.items())
    ]

    with gzip.GzipFile(OUT / "list.jsonl.gz", "wb", mtime=0) as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows).encode())
    (OUT / "list.json").write_text(json.dumps(rows, indent=1))

    # Hugging Face datasets: the image column is a struct of bytes and path.
    features = datasets.Features({
        "image": datasets.Image(),
        "text": datasets.List(datasets.Value("string")),
        "label": datasets.ClassLabel(names=["red", "green", "blue", "grey"]),
    })
    columns = {
        "image": [{"bytes": content[name], "path": name} for name in CAPTIONS],
        "text": list(CAPTIONS.values()),
        "label": [0, 1, 2, 3],
    }
    table = pa.table(columns, schema=features.arrow_schema)
    # With a fingerprint, since that of datasets 5.2 cannot be computed beside pyarrow 26.
    data = datasets.Dataset(table, info=datasets.DatasetInfo(features=features), fingerprint="0")
    data.to_parquet(OUT / "datasets.parquet")

    # pyarrow: paths, two row groups, and columns of other types.
    table = pa.table({
        "file_name": [row["image"] for row in rows],
        "caption": pa.array([row["captions"][0] for row in rows]).dictionary_encode(),
        "number": pa.array([0, 1, None, 3], pa.int32()),
        "score": pa.array([0.1, 0.2, 0.3, 0.4], pa.float32()),
        "tags": [["a", "b"], [], None, ["c"]],
        "thumb": [b"\x00", b"\x01", b"\x02", b"\x03"],
    })
    pq.write_table(table, OUT / "paths.parquet", row_group_size=3, compression="zstd")

    # The layout of img2dataset (output_format="parquet"): the schema of img2dataset/writer.py and what it fills in; a
    # picture that could not be downloaded has a status and no bytes.
    keys = [f"{number:09}" for number in range(4)]
    jpg = [content["red.jpg"], content["green.png"], content["grey.jpg"], None]
    pq.write_table(
        pa.table({
            "key": keys,
            "caption": ["a red wave", "a green wave", "a grey wave", "gone"],
            "url": [f"https://example.org/{key}.jpg" for key in keys],
            "status": ["success", "success", "success", "failed_to_download"],
            "error_message": [None, None, None, "HTTP Error 404: Not Found"],
            "width": pa.array([72, 72, 72, None], pa.int32()),
            "jpg": pa.array(jpg, pa.binary()),
        }),
        OUT / "img2dataset.parquet",
        row_group_size=1,
    )

    # webdataset: two shards.
    shards = OUT / "shards"
    shards.mkdir(exist_ok=True)
    names = list(CAPTIONS)
    for shard, some in enumerate([names[:2], names[2:]]):
        with webdataset.TarWriter(str(shards / f"{shard:05}.tar"), mtime=0) as writer:
            for name in some:
                key, ending = name.split(".")
                writer.write({
                    "__key__": key,
                    ending: content[name],
                    "txt": "\n".join(CAPTIONS[name]),
                    "json": {"source": "drawn", "caption": CAPTIONS[name][0]},
                })


if __name__ == "__main__":
    main()
