#!/usr/bin/env python3
"""Reference results of Pillow, the tokenizers package and ONNX Runtime for the test inputs of tests/parity.rs.

    make_parity_reference.py OUT_DIR IMAGE_MODEL_DIR TEXT_MODEL_DIR [PHOTO...]

Needs numpy, Pillow, tokenizers and onnxruntime. It draws the images (and takes any PHOTOs given), and
writes into OUT_DIR:

    images/NAME.EXT            the inputs
    images.jsonl               one line per image: file, apply_exif, decoded, width, height, seen, vector
    decoded/NAME.png           what Pillow decoded, 8-bit RGB, after the EXIF turn where asked
    seen/NAME.png              the pixels that the model sees: resized and cropped by Pillow
    filters/...  filters.jsonl the same picture through other filters, sizes and crops, pixels only
    texts.jsonl                one line per text: text, ids, vector

All settings are read from the encoder folders, as the Python libraries do it.
"""
import json
import os
import struct
import sys
import zlib

import numpy as np
import onnxruntime as ort
from PIL import Image, ImageDraw, ImageOps
from tokenizers import Tokenizer


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def unit(v):
    v = np.asarray(v, np.float64)
    return (v / np.linalg.norm(v, axis=-1, keepdims=True)).astype(np.float32)


# ------------------------------------------------------------------ images
def draw(width, height, seed):
    """A picture with edges, gradients, texture and noise, to exercise a resampler."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    base = np.stack([127 + 120 * np.sin(x / (7 + seed) + y / 31), 255 * x / max(width - 1, 1),
                     255 * ((x // 9 + y // 13) % 2)], -1)
    base += rng.normal(0, 12, base.shape)
    image = Image.fromarray(base.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        cx, cy, r = rng.integers(0, width), rng.integers(0, height), rng.integers(2, 5 + min(width, height) // 5)
        pen.ellipse([int(cx - r), int(cy - r), int(cx + r), int(cy + r)],
                    fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    pen.line([0, 0, width, height], fill=(255, 255, 255), width=3)
    return image


def write_deep_png(path, pixels):
    """A 16-bit colour PNG, which Pillow reads but does not write."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunk = lambda kind, data: (struct.pack(">I", len(data)) + kind + data
                                + struct.pack(">I", zlib.crc32(kind + data)))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n"
                   + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0))
                   + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def inputs(folder, photos):
    """Writes the files; yields (name, file, apply_exif)."""
    os.makedirs(folder, exist_ok=True)

    def save(name, image, **how):
        image.save(os.path.join(folder, name), **how)
        return name

    def turned(orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        return exif

    photo, tall = draw(500, 375, 1), draw(333, 500, 2)
    made = [save("wide.jpg", photo, quality=90), save("tall.jpg", tall, quality=85),
            save("grey.jpg", photo.convert("L"), quality=90),
            save("grey.png", photo.convert("L")), save("palette.png", photo.quantize(64)),
            save("one_bit.png", photo.convert("1")),
            save("cmyk.jpg", photo.convert("CMYK"), quality=92),
            save("progressive.jpg", photo, quality=90, progressive=True),
            save("full_chroma.jpg", photo, quality=90, subsampling=0),
            save("half_chroma.jpg", photo, quality=90, subsampling=1),
            save("lossless.webp", tall, lossless=True), save("lossy.webp", tall, quality=90),
            save("animated.gif", photo.quantize(200)), save("plain.bmp", tall),
            save("one_pixel.png", Image.new("RGB", (1, 1), (200, 30, 90))),
            save("panorama.png", draw(6000, 400, 3)), save("panorama.jpg", draw(6000, 400, 4), quality=88),
            save("chimney.png", draw(60, 900, 5)), save("small.png", draw(40, 30, 6)),
            save("exact.png", draw(224, 224, 7)), save("large.jpg", draw(2016, 1512, 8), quality=85)]
    clear = photo.convert("RGBA")
    clear.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 500, dtype=np.uint8), (375, 1))))
    made += [save("alpha.png", clear), save("alpha.webp", clear, lossless=True, exact=True),
             save("grey_alpha.png", clear.convert("LA"))]
    low = (np.indices((375, 500))[1] % 251).astype(np.uint16)          # detail in both bytes
    deep = np.asarray(photo.convert("L"), np.uint16) * 257 ^ low
    made.append(save("deep_grey.png", Image.fromarray(deep)))
    for name, mode in (("deep_colour.png", "RGB"), ("deep_alpha.png", "RGBA")):
        write_deep_png(os.path.join(folder, name), np.asarray(clear.convert(mode), np.uint16) * 257 ^ low[..., None])
        made.append(name)
    for i, path in enumerate(photos):
        name = f"photo{i}{os.path.splitext(path)[1].lower()}"
        with open(path, "rb") as source, open(os.path.join(folder, name), "wb") as target:
            target.write(source.read())
        made.append(name)
    for name in made:
        yield name.replace(".", "_"), name, True
    for orientation in range(1, 9):
        name = save(f"exif{orientation}.jpg", photo, quality=90, exif=turned(orientation))
        yield f"exif{orientation}", name, True
        if orientation in (3, 6):
            yield f"exif{orientation}_as_stored", name, False
    yield "exif6_png", save("exif6.png", photo, exif=turned(6)), True


def decode(path, apply_exif):
    image = Image.open(path)
    image.load()
    if apply_exif:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode == "I":
        # convert() would clip everything above 255 to white; the high byte is the picture.
        return Image.fromarray((np.asarray(image, np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def see(image, resize, crop, resample):
    """Resize and centre crop as Hugging Face's image processors do it, with Pillow."""
    if isinstance(resize, int):
        w, h = image.size
        short, long = min(w, h), max(w, h)
        other = int(resize * long / short)
        size = (resize, other) if w <= h else (other, resize)
    else:
        size = resize
    image = image.resize(size, resample) if size else image
    if crop is None:
        return image
    w, h = image.size
    left, top = (w - crop[0]) // 2, (h - crop[1]) // 2
    return image.crop((left, top, left + crop[0], top + crop[1]))   # black outside


def images(out, model_dir, photos):
    config = json.load(open(os.path.join(model_dir, "preprocessor_config.json")))
    model = session(os.path.join(model_dir, "model.onnx"))
    mean, std = (np.array(config[k], np.float32) for k in ("image_mean", "image_std"))
    crop = (config["crop_size"]["width"], config["crop_size"]["height"])
    for folder in ("decoded", "seen"):
        os.makedirs(os.path.join(out, folder), exist_ok=True)
    with open(os.path.join(out, "images.jsonl"), "w") as lines:
        for name, file, apply_exif in inputs(os.path.join(out, "images"), photos):
            image = decode(os.path.join(out, "images", file), apply_exif)
            seen = see(image, config["size"]["shortest_edge"], crop, config["resample"])
            image.save(os.path.join(out, "decoded", name + ".png"), compress_level=1)
            seen.save(os.path.join(out, "seen", name + ".png"), compress_level=1)
            x = (np.asarray(seen).astype(np.float64) * config["rescale_factor"]).astype(np.float32)
            x = ((x - mean) / std).transpose(2, 0, 1)[None]
            vector = model.run(["pooler_output"], {"pixel_values": np.ascontiguousarray(x)})[0][0]
            lines.write(json.dumps({"name": name, "file": file, "apply_exif": apply_exif,
                                    "vector": unit(vector).tolist()}) + "\n")


def filters(out):
    """One picture through every filter, enlarged, reduced, squeezed and cropped."""
    os.makedirs(os.path.join(out, "filters"), exist_ok=True)
    source = draw(301, 203, 9)
    source.save(os.path.join(out, "filters", "source.png"))
    cases = [{"size": {"height": h, "width": w}, "do_center_crop": False} for h, w in
             ((64, 64), (203, 64), (64, 301), (406, 602), (1, 1), (203, 301), (500, 37))]
    cases += [{"size": {"shortest_edge": 96}, "crop_size": {"height": 80, "width": 72}},
              {"size": {"shortest_edge": 40}, "crop_size": {"height": 64, "width": 50}},
              {"do_resize": False, "crop_size": {"height": 128, "width": 129}}]
    with open(os.path.join(out, "filters.jsonl"), "w") as lines:
        for i, case in enumerate(cases):
            for resample in range(6):
                config = dict(case, resample=resample, do_normalize=False, do_rescale=False)
                size, crop = config.get("size", {}), config.get("crop_size")
                resize = size.get("shortest_edge") or (size and (size["width"], size["height"])) or None
                image = see(source, resize, crop and (crop["width"], crop["height"]), resample)
                name = f"{i}_{resample}.png"
                image.save(os.path.join(out, "filters", name))
                lines.write(json.dumps({"config": config, "file": name}) + "\n")


# ------------------------------------------------------------------ texts
def texts():
    plain = ["", " ", "dog", "A black dog is running after a white dog in the snow .", "  spaces   around  ",
             "UPPER lower MiXeD", "don't, can't; won't!", "e-mail: someone@example.org", "3.14159 and 1,000,000",
             "line\nbreaks\tand\ttabs\r\n", "[CLS] [SEP] [PAD] [MASK] [UNK]", "a" * 300, "word " * 20,
             "the quick brown fox " * 80, "x " * 253 + "end", "x " * 254 + "end", "x " * 255 + "end", "x " * 600,
             "supercalifragilisticexpialidocious antidisestablishmentarianism", "\u0000nul\u0001 and \u200b zero width",
             "\ufeffbyte order mark", "\u202eright to left override", "soft\u00adhyphen", "nb\u00a0space"]
    emoji = ["😀", "😀😃😄", "👩‍👩‍👧‍👦 family", "🏳️‍🌈 flag", "👍🏽 thumbs", "a ❤️ heart", "🇮🇹🇫🇷", "☃️ snowman ☃", "1️⃣ keycap"]
    accents = ["café", "cafe\u0301", "naïve façade", "Ångström", "Zürich Straße", "smörgåsbord", "İstanbul ıçğ", "ﬁne ﬂow ligatures",
               "Łódź", "Ñandú", "Việt Nam", "ȘȚ șț", "Ｆｕｌｌ ｗｉｄｔｈ", "x² + y³ = ½", "Ωμέγα", "ΣΊΣΥΦΟΣ", "ﷺ", "Ǆ ǅ ǆ"]
    scripts = ["一只黑狗在雪地里奔跑", "猫と犬", "ひらがな カタカナ 漢字", "한국어 문장입니다", "русский текст", "שלום עולם", "مرحبا بالعالم",
               "नमस्ते दुनिया", "สวัสดีชาวโลก", "ქართული", "Հայերեն", "中文 mixed with English 和 emoji 😀", "𠮷野家", "𝒜𝓁𝓅𝒽𝒶 𝔹",
               "\U0001F600\U00020000\U000E0001"]
    things = ["dog", "cat", "red car", "bicycle", "old house", "sunflower", "cup of coffee", "rocket", "sailing boat", "violin"]
    places = ["on a beach", "in the snow", "at night", "next to a river", "in a crowded street", "on a wooden table", "", "under water"]
    made = plain + emoji + accents + scripts
    for i, thing in enumerate(things):
        for j, place in enumerate(places):
            made.append(f"a photo of a {thing} {place}.".strip())
    for i in range(200 - len(made)):
        made.append(" ".join(things[(i * 7 + j * 3) % 10] + (",", " and", " near", "!")[(i + j) % 4] for j in range(1 + i % 23)))
    return made


def text_vectors(out, model_dir):
    tokenizer = Tokenizer.from_file(os.path.join(model_dir, "tokenizer.json"))
    longest = json.load(open(os.path.join(model_dir, "sentence_bert_config.json")))["max_seq_length"]
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    model = session(os.path.join(model_dir, "model.onnx"))
    declared = {i.name for i in model.get_inputs()}
    with open(os.path.join(out, "texts.jsonl"), "w") as lines:
        for text in texts():
            encoding = tokenizer.encode(text)
            ids = np.array([encoding.ids], np.int64)
            feed = {"input_ids": ids, "attention_mask": np.ones_like(ids),
                    "token_type_ids": np.array([encoding.type_ids], np.int64)}
            hidden = model.run(["last_hidden_state"], {k: v for k, v in feed.items() if k in declared})[0]
            lines.write(json.dumps({"text": text, "ids": encoding.ids, "vector": unit(hidden[0].mean(0)).tolist()}) + "\n")


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    out, image_model, text_model, photos = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    os.makedirs(out, exist_ok=True)
    images(out, image_model, photos)
    filters(out)
    text_vectors(out, text_model)


if __name__ == "__main__":
    main()
