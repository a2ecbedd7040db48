"""Pins, downloads that are wrong, and outputs that are whole or absent."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

from setup import pairs, stamps
from setup.catalogue import CATALOGUE, DEFAULTS
from setup.common import REQUIREMENTS, SetupError, replace_folder
from setup.models import what_is_wrong
from setup.wheels import download, last_error, read_pins


class InFolder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class Pins(InFolder):
    def test_every_requirement_is_pinned(self) -> None:
        for file in REQUIREMENTS.glob("*.txt"):
            for name, (version, hashes) in read_pins(file).items():
                with self.subTest(f"{file.name}: {name}"):
                    self.assertRegex(version, r"^\d+(\.\d+)+$")
                    for sha256 in hashes:
                        self.assertRegex(sha256, "^[0-9a-f]{64}$")

    def test_the_catalogue_and_the_requirements_agree(self) -> None:
        self.assertLessEqual(set(DEFAULTS), set(CATALOGUE))
        for model in CATALOGUE.values():
            pins = read_pins(REQUIREMENTS / f"{model.name}.txt")
            self.assertEqual(tuple(pins), model.packages)
            self.assertEqual(len({version for version, _ in pins.values()}), 1)

    def test_a_requirement_without_a_hash_is_refused(self) -> None:
        file = self.folder / "r.txt"
        for line in ("numpy==1.0", "numpy --hash=sha256:00", "numpy"):
            file.write_text(f"# comment\n{line}\n")
            with self.assertRaisesRegex(SetupError, "pin both"):
                read_pins(file)


class Download(InFolder):
    """pip is the real one; its registry is a folder with one wheel."""

    def setUp(self) -> None:
        super().setUp()
        self.shop, self.out = self.folder / "shop", self.folder / "out"
        self.shop.mkdir()
        self.out.mkdir()
        self.wheel = self.shop / "some_thing-1.2-py3-none-any.whl"
        info = "some_thing-1.2.dist-info"
        with zipfile.ZipFile(self.wheel, "w") as out:
            out.writestr("some_thing/data.bin", b"data")
            out.writestr(
                f"{info}/METADATA", "Metadata-Version: 2.1\nName: some-thing\nVersion: 1.2\n"
            )
            out.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            out.writestr(f"{info}/RECORD", "")
        self.sha256 = hashlib.sha256(self.wheel.read_bytes()).hexdigest()
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.shop)}
        patch = mock.patch.dict(os.environ, offline)
        patch.start()
        self.addCleanup(patch.stop)

    def requirement(self, sha256: str, version: str = "1.2") -> Path:
        file = self.folder / "r.txt"
        file.write_text(f"some-thing=={version} \\\n    --hash=sha256:{sha256}\n")
        return file

    def test_gives_the_checked_wheel(self) -> None:
        wheels = download(self.requirement(self.sha256), self.out)
        self.assertEqual(wheels, {"some-thing": self.out / self.wheel.name})

    def test_names_file_and_both_hashes_when_they_differ(self) -> None:
        with self.assertRaises(SetupError) as raised:
            download(self.requirement("0" * 64), self.out)
        message = str(raised.exception)
        for part in (self.wheel.name, self.sha256, "0" * 64, "run this again"):
            self.assertIn(part, message)
        self.assertNotIn("\n", message)

    def test_names_the_package_when_there_is_none(self) -> None:
        with self.assertRaisesRegex(SetupError, "could not download some-thing==9.9: .*check the"):
            download(self.requirement(self.sha256, "9.9"), self.out)


class Outputs(InFolder):
    def test_a_folder_is_replaced_whole(self) -> None:
        new, target = self.folder / "new", self.folder / "there" / "target"
        for content in ("first", "second"):
            new.mkdir()
            (new / content).touch()
            replace_folder(new, target)
            self.assertEqual([p.name for p in target.iterdir()], [content])
        self.assertEqual([p.name for p in self.folder.iterdir()], ["there"])

    def test_a_damaged_model_folder_is_found_out(self) -> None:
        model, folder = CATALOGUE["efficientnet-lite0"], self.folder / "m"
        self.assertEqual(what_is_wrong(model, folder), "")
        folder.mkdir()
        self.assertIn("asif-model.json", what_is_wrong(model, folder))
        (folder / "asif-model.json").write_text("{}")
        self.assertEqual(what_is_wrong(model, folder), "model.onnx was missing")
        (folder / "model.onnx").write_bytes(b"")
        self.assertIn(f"expected {model.model_sha256}", what_is_wrong(model, folder))

    def test_pairs_without_a_picture_are_fetched_again(self) -> None:
        def collect(tmp: Path, images: Path) -> tuple[list[dict], str]:
            images.mkdir()
            (images / "a.png").touch()
            return [{"image": "images/a.png", "captions": ["é"]}], "1 pair"

        with mock.patch.dict(pairs.SOURCES, {"stamps": collect}):
            self.assertEqual(pairs.install(self.folder, "stamps"), "1 pair")
            self.assertEqual(pairs.install(self.folder, "auto"), "already there: 1 pair")
            (self.folder / "demo" / "images" / "a.png").unlink()
            self.assertIn("1 pair (again: ", pairs.install(self.folder, "stamps"))
        line = (self.folder / "demo" / "pairs.jsonl").read_text(encoding="utf-8")
        self.assertEqual(json.loads(line)["captions"], ["é"])

    def test_emoji_stand_in_for_stamps_and_say_why(self) -> None:
        def none(tmp: Path, images: Path) -> tuple[list[dict], str]:
            raise stamps.Unavailable("apt-get is not on this machine")

        def collect(tmp: Path, images: Path) -> tuple[list[dict], str]:
            images.mkdir()
            return [], "0 pairs of emoji"

        with mock.patch.dict(pairs.SOURCES, {"stamps": none, "emoji": collect}):
            said = pairs.install(self.folder, "auto")
            self.assertEqual(said, "0 pairs of emoji, because apt-get is not on this machine")
            self.assertEqual(pairs.install(self.folder, "emoji"), "already there: 0 pairs of emoji")


class Stamps(InFolder):
    def test_says_which_tool_is_missing(self) -> None:
        with mock.patch.dict(os.environ, {"PATH": str(self.folder)}):
            with self.assertRaisesRegex(stamps.Unavailable, "apt-get is not on this machine"):
                stamps.download(self.folder)

    @unittest.skipIf(shutil.which("dpkg-deb") is None, "dpkg-deb is not on this machine")
    def test_reads_pictures_and_texts_out_of_a_package(self) -> None:
        root = self.folder / "root"
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN" / "control").write_text(
            "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: m <m@example.org>\nDescription: d\n"
        )
        folder = root / stamps.ROOT / "animals"
        folder.mkdir(parents=True)
        for name in ("cat.v2.png", "dog.svg", "dog.txt"):
            (folder / name).write_bytes(name.encode())
        (folder / "cat.v2.txt").write_text("A café cat.\naf.utf8='n Kat.\n", encoding="utf-8")
        (root / "cat.png").touch()
        package = self.folder / "x.deb"
        subprocess.run(["dpkg-deb", "--build", root, package], check=True, capture_output=True)
        pictures, texts, vector = stamps.read_package(package)
        self.assertEqual(pictures, {"animals/cat.v2": b"cat.v2.png"})
        self.assertEqual(stamps.first_line(texts["animals/cat.v2"]), "A café cat.")
        self.assertEqual(vector, 1)


class Messages(unittest.TestCase):
    def test_the_last_error_of_a_tool(self) -> None:
        self.assertEqual(last_error("a\nERROR: b\nERROR: c\nd\n"), "ERROR: c")
        self.assertEqual(
            last_error("E: Unable to locate package x\n"), "E: Unable to locate package x"
        )
        self.assertEqual(last_error("npm error code E404\n\n"), "npm error code E404")
        self.assertEqual(last_error("\n"), "no message")
