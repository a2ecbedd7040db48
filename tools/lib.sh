# Shared functions, sourced by quickstart.sh and test.sh.
# shellcheck shell=bash

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# fail MESSAGE: prints one line to stderr and exits.
fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

# The home folder as an absolute path, by the same rule as the program.
find_home() {
    local home=${ASIF_HOME:-}
    if [ -z "$home" ]; then
        if [ -n "${XDG_DATA_HOME:-}" ]; then
            home=$XDG_DATA_HOME/asif
        elif [ -n "${HOME:-}" ]; then
            home=$HOME/.local/share/asif
        else
            fail "neither ASIF_HOME, XDG_DATA_HOME nor HOME is set; set ASIF_HOME to a folder"
        fi
    fi
    mkdir -p "$home" 2>/dev/null ||
        fail "$home cannot be created; set ASIF_HOME to a writable folder"
    home=$(cd "$home" && pwd)
    [ -w "$home" ] || fail "$home is not writable; set ASIF_HOME to another folder"
    printf '%s\n' "$home"
}

# A Python version with wheels of the pinned packages, with pip.
find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, pip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
            2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    fail "no Python 3.11, 3.12 or 3.13 with pip was found ($(python3 -V 2>&1 || true)); install \
python3 and python3-pip, or name one in PYTHON"
}

# A Rust compiler new enough for Cargo.toml, and the linker it calls.
check_rust() {
    local wanted found
    command -v cargo >/dev/null || export PATH="$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin"
    command -v cargo >/dev/null || fail "cargo was not found; install Rust (rustup.rs) and try again"
    command -v cc >/dev/null || fail "cc, which links the program, was not found; install gcc"
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$repo/Cargo.toml" | head -n 1)
    found=$(cd "$repo" && rustc --version | cut -d ' ' -f 2)
    [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] ||
        fail "Rust $wanted or newer is needed, found $found; run 'rustup update stable'"
}

# setup MODULE ARGUMENTS...: runs one step of tools/setup; needs $python and $ASIF_HOME.
setup() {
    # shellcheck disable=SC2154 # the script that sources this sets it, by find_python
    PYTHONPATH="$repo/tools:$ASIF_HOME/python/python-export" \
        "$python" -m "setup.$1" "${@:2}" --home "$ASIF_HOME"
}

now() { printf '%s\n' "${EPOCHREALTIME/[.,]/}"; }
seconds_since() { awk -v us="$(($(now) - $1))" 'BEGIN { printf "%.1f", us / 1e6 }'; }
report() { printf '%7s s  %-16s %s\n' "$(seconds_since "$1")" "$2" "$3"; }

# step NAME COMMAND...: runs a command, and prints its duration and its one line of output.
step() {
    local name=$1 start said
    shift
    start=$(now)
    if [ -t 1 ]; then printf '%7s    %s\r' '...' "$name"; fi
    said=$("$@") || exit 1
    report "$start" "$name" "$said"
}

# Allows one set-up at a time per home folder; released when the script exits.
lock_home() {
    exec 9>"$ASIF_HOME/.setup.lock"
    if command -v flock >/dev/null && ! flock --nonblock 9; then
        echo "another set-up is running in $ASIF_HOME; waiting for it"
        flock 9
    fi
    # Leftovers of a killed set-up; with the lock held, nothing else uses them.
    rm -rf "$ASIF_HOME"/.setup-*/
}
