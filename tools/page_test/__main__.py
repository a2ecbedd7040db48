"""The command line: what is tested against what."""

from __future__ import annotations

import argparse
import sys
import unittest
from pathlib import Path

from . import asks, explains, keys, looks, maps, stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="the server, with the set")
    parser.add_argument("--locked", help="a server that asks for a key")
    parser.add_argument("--key", help="that key")
    parser.add_argument("--photos", type=Path, required=True, help="the demo's photos")
    parser.add_argument("--set", type=Path, required=True, help="the set that is served")
    parser.add_argument("--asif", type=Path, required=True, help="the program, to change the set")
    parser.add_argument("--lost", required=True, help="the caption of a pair whose picture is gone")
    parser.add_argument("--chromium", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="where screenshots go")
    stage.told = parser.parse_args()
    stage.told.out.mkdir(parents=True, exist_ok=True)
    load = unittest.defaultTestLoader.loadTestsFromModule
    # What changes the set comes last.
    modules = (asks, maps, looks, keys, explains)
    suite = unittest.TestSuite(load(module) for module in modules)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    sys.exit(not result.wasSuccessful())


main()
