"""The tensors that Hugging Face's image processors make, by Pillow and numpy.

Reads {"picture": PATH, "folders": {NAME: [class, settings]}} on standard input and writes {NAME: [values]}.
Each formula is that of the class's file src/transformers/models/*/image_processing_*.py (timm's:
timm/data/transforms_factory.py), written anew.
"""
import json
import sys
from math import ceil, floor

import numpy as np
from PIL import Image

HALF = ([0.5] * 3, [0.5] * 3)
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
NEAREST, BILINEAR, BICUBIC = 0, 2, 3


def shortest(image, side):
    w, h = image.size
    if w <= h:
        return side, int(side * h / w)
    return int(side * w / h), side


def crop(image, w, h):
    """image_transforms.center_crop: zeros around what is smaller."""
    a = np.asarray(image)
    big_w, big_h = max(w, image.width), max(h, image.height)
    framed = np.zeros((big_h, big_w, 3), np.uint8)
    top, left = ceil((big_h - image.height) / 2), ceil((big_w - image.width) / 2)
    framed[top:top + image.height, left:left + image.width] = a
    top, left = (image.height - h) // 2 + top, (image.width - w) // 2 + left
    return Image.fromarray(framed[max(0, top):top + h, max(0, left):left + w])


def tensor(image, norm, factor=1 / 255, flip=False, again=False):
    x = (np.asarray(image).astype(np.float64) * factor).astype(np.float32)
    if flip:
        x = x[..., ::-1]
    if norm:
        mean, std = (np.array(v, np.float32) for v in norm)
        x = (x - mean) / std
        if again:
            x = x / std
    return x.transpose(2, 0, 1)


def made(name, s, i):
    r = s.get("resample", {"EfficientNet": NEAREST}.get(name, BILINEAR if name in BILINEAR_BY_DEFAULT else BICUBIC))
    square = lambda n: i.resize((n, n), r)
    short = lambda n: i.resize(shortest(i, n), r)
    if name in ("ViT", "Siglip", "Blip", "Segformer", "Pvt", "DPT"):
        return tensor(square(s["size"]), {"Blip": CLIP, "Segformer": IMAGENET, "Pvt": IMAGENET}.get(name, HALF))
    if name in ("DeiT", "Beit", "Flava", "EfficientFormer"):
        seen = square(s["size"])
        if s.get("do_center_crop", True):
            seen = crop(seen, s["crop_size"], s["crop_size"])
        return tensor(seen, {"Flava": CLIP, "EfficientFormer": IMAGENET}.get(name, HALF))
    if name in ("CLIP", "ChineseCLIP", "Bit", "ViTHybrid", "MobileNetV1", "MobileNetV2"):
        return tensor(crop(short(s["size"]), s["crop_size"], s["crop_size"]), HALF if "Mobile" in name else CLIP)
    if name == "MobileViT":
        return tensor(crop(short(s["size"]), s["crop_size"], s["crop_size"]), None, flip=s.get("do_flip_channel_order", True))
    if name == "Levit":
        return tensor(crop(short(int((256 / 224) * s["size"])), s["crop_size"], s["crop_size"]), IMAGENET)
    if name == "PoolFormer":
        return tensor(crop(short(int(s["size"] / s.get("crop_pct", 0.9))), s["crop_size"], s["crop_size"]), IMAGENET)
    if name == "ConvNext":
        n = s["size"]
        if n >= 384:
            return tensor(square(n), HALF)
        return tensor(crop(short(int(n / s.get("crop_pct", 224 / 256))), n, n), HALF)
    if name == "EfficientNet":
        return tensor(square(s["size"]), HALF, again=s.get("include_top", True))
    if name == "OwlViT":
        return tensor(square(s["size"]), CLIP)
    if name == "Perceiver":
        part = int(s["size"] / s["crop_size"] * min(i.size))
        i = crop(i, part, part)
        return tensor(i.resize((s["size"],) * 2, r), IMAGENET)
    if name == "timm":
        n = floor(s["size"] / s["crop_pct"])
        seen = i.resize(shortest(i, n), BICUBIC)
        top, left = (int(round((side - s["size"]) / 2)) for side in (seen.height, seen.width))
        return tensor(seen.crop((left, top, left + s["size"], top + s["size"])), IMAGENET)
    raise ValueError(name)


BILINEAR_BY_DEFAULT = ("ViT", "Segformer", "Pvt", "ConvNext", "MobileNetV1", "MobileNetV2", "MobileViT")

if __name__ == "__main__":
    asked = json.load(sys.stdin)
    picture = Image.open(asked["picture"]).convert("RGB")
    out = {n: made(name, s, picture).reshape(-1).tolist() for n, (name, s) in asked["folders"].items()}
    json.dump(out, sys.stdout)
