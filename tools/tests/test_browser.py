"""The browser for the page's test: found on PATH, kept as a script, and its absence no failure."""

import os
import unittest
from unittest import mock

from setup import browser
from tests.test_setup import InFolder


class Browser(InFolder):
    def program(self, name: str, says: str) -> None:
        """A program in the folder that says this, and then its arguments."""
        browser.write_script(self.folder / name, f"echo {says}")

    def install_with_path(self, *folders: str) -> str:
        with mock.patch.dict(os.environ, {"PATH": os.pathsep.join([*folders, "/bin"])}):
            return browser.install(self.folder / "home")

    def test_the_one_on_path_is_taken(self) -> None:
        self.program("chromium", "Chromium 12.3")
        with mock.patch.object(browser, "NAMES", ("chromium",)):
            said = self.install_with_path(str(self.folder))
        self.assertEqual(f"Chromium 12.3, {self.folder / 'chromium'}", said)
        script = self.folder / "home/browser/chromium"
        self.assertEqual("Chromium 12.3", browser.version_of(script))

    def test_what_is_no_chromium_is_not_taken(self) -> None:
        self.program("chromium", "something else")
        self.assertIsNone(browser.version_of(self.folder / "chromium"))
        self.assertIsNone(browser.version_of(self.folder / "nothing"))

    def test_without_any_the_reason_is_said_and_no_script_is_left(self) -> None:
        script = self.folder / "home/browser/chromium"
        browser.write_script(script, "exec /of/an/earlier/one")
        unavailable = browser.Unavailable("no network")
        with (
            mock.patch.object(browser, "NAMES", ()),
            mock.patch.object(browser, "unpack", side_effect=unavailable),
        ):
            said = self.install_with_path()
        self.assertIn("not tested: no network", said)
        self.assertFalse(script.exists())


if __name__ == "__main__":
    unittest.main()
