#!/usr/bin/env bash
# Sets up what the tests need and runs all of them. Arguments are passed to `cargo test`.
#
#     tools/test.sh [CARGO_TEST_ARGUMENTS...]        tools/test.sh parity
#
# The last line is `N passed, N failed, N skipped`, summed over the summaries of all test binaries; the
# exit code is 0 only if everything passed. The lines before it give the reason for each skipped test.
# A test fails if something is missing that this script sets up (ASIF_TEST_STRICT=setup, the default here);
# with ASIF_TEST_STRICT=1 or all in the environment also if something is missing that it cannot set up, such
# as the development data (ASIF_TEST_DATA, or ../shared/data) or a right of the user.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in --help | -h)
    sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed '/^set/d; s/^# \{0,1\}//'
    exit 0
    ;;
esac
ASIF_HOME=$(find_home)
export ASIF_HOME
python=$(find_python)
check_rust
cd "$repo"

tools/quickstart.sh --setup-only
step 'test packages' setup packages python-tests
step 'http clients' setup packages serve-clients
step 'page driver' setup packages page-driver
step 'browser' setup browser
# A Python with numpy, Pillow, tokenizers and onnxruntime, for tests that compare with these packages.
export ASIF_PYTHON=$ASIF_HOME/python/bin/python3
# The set-up succeeded, so a test that does not find it must fail. What only some machines have is counted
# as skipped, so that a change can be checked on any of them.
export ASIF_TEST_STRICT=${ASIF_TEST_STRICT:-setup}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT

status=0
run() {
    echo
    echo "\$ $*"
    "$@" 2>&1 | tee -a "$log" || status=$?
}
run "$ASIF_PYTHON" -m unittest discover --start-directory tools/tests --top-level-directory tools
# Documentation tests first, so that the last summary is that of the tests proper.
[ $# -gt 0 ] || run cargo test --workspace --locked --no-fail-fast --doc
# The programs of examples/, which a test runs.
run cargo build --workspace --locked --examples
run cargo test --workspace --locked --no-fail-fast --lib --bins --tests "$@"

# Sums the summaries of unittest (`Ran 9 tests`, `FAILED (failures=1)`) and of cargo's test binaries
# (`test result: ok. 9 passed; 0 failed; 0 ignored`, of which those that said `skipped test: NAME:` as
# they ended did not run, see tests/support/skipped.rs). A run that failed without a test that
# failed, such as a crash or an error of the compiler, counts as one failure.
summary=$(awk -v status="$status" '
    /^Ran [0-9]+ tests? in / { ran = $2; passed += ran }
    /^(OK|FAILED) \(/ {
        count = split($0, parts, /[(,)] */)
        for (i = 1; i <= count; i++) if (split(parts[i], pair, "=") == 2) {
            passed -= pair[2]
            if (pair[1] == "skipped") skipped += pair[2]; else failed += pair[2]
        }
    }
    /^test result: / {
        for (i = 1; i < NF; i++) {
            if ($(i + 1) == "passed;") passed += $i
            if ($(i + 1) == "failed;") failed += $i
            if ($(i + 1) == "ignored;") skipped += $i
        }
    }
    { told += gsub(/skipped test: [A-Za-z0-9_:?]+: /, "&") }
    END {
        passed -= told
        skipped += told
        if (status != 0 && failed == 0) failed = 1
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    }' "$log")
echo
grep -o 'skipped test: .*' "$log" | sort || true
echo "$summary"
exit "$status"
