"""The command line: what is tested against what."""

from __future__ import annotations

import argparse
import sys
import unittest
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="the server, with the set")
    parser.add_argument("--locked", required=True, help="a server that asks for a key")
    parser.add_argument("--key", required=True, help="that key")
    parser.add_argument("--photos", type=Path, required=True, help="the demo's photos")
    parser.add_argument("--set", type=Path, required=True, help="the set that is served")
    parser.add_argument("--asif", type=Path, required=True, help="the program, to change the set")
    parser.add_argument("--lost", required=True, help="the caption of a pair whose picture is gone")
    parser.add_argument("--chromium", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="where screenshots go")
    parser.add_argument("--only", action="append", help="tests whose names hold this")
    parser.add_argument("--packages", type=Path, required=True, help="where the driver is")
    told = parser.parse_args()
    sys.path.insert(0, str(told.packages))
    # They import the driver.
    from . import asks, explains, keys, looks, maps, stage

    stage.told = told
    stage.told.out.mkdir(parents=True, exist_ok=True)
    loader = unittest.TestLoader()
    loader.testNamePatterns = told.only and [f"*{name}*" for name in told.only]
    load = loader.loadTestsFromModule
    # What changes the set comes last.
    modules = (asks, maps, looks, keys, explains)
    suite = unittest.TestSuite(load(module) for module in modules)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    sys.exit(not result.wasSuccessful())


main()
