"""Tests of the set-up scripts; `tools/test.sh` runs them."""
