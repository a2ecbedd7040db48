#!/usr/bin/env bash
# From a fresh clone to classified photos. See --help.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'USAGE'
Sets up asif and runs a demo: installs encoders and ONNX Runtime, fetches real image-text pairs,
compiles the release binary, builds an anchor set from the pairs, and classifies photos with it.

    tools/quickstart.sh [--setup-only] [--with MODEL]... [--pairs auto|stamps|emoji]
                        [--program FILE]

  --setup-only    only fetch models, runtime and demo data
  --with MODEL    install one more encoder: efficientnet-lite2 (24 MB, better image vectors at
                  half the speed) or all-mpnet-base-v2 (440 MB, the text encoder of the paper,
                  a sixth of the speed)
  --pairs SOURCE  the demo's pairs: stamps (785 cut-out photos and drawings with a sentence each,
                  from a Debian package) or emoji (1,850 drawings, from npm); auto takes the
                  stamps where apt-get works
  --program FILE  use this asif program instead of compiling one
  --help          this text

Everything goes to $ASIF_HOME (default: ~/.local/share/asif) and target/; nothing is installed
system-wide and root is not needed. A second run repeats only what is missing or damaged.
Needs cargo, cc, python3 (3.11 to 3.13) with pip, and apt-get or npm.
USAGE
}

setup_only=no
pairs=auto
program=
extra=()
while [ $# -gt 0 ]; do
    case $1 in
    --setup-only) setup_only=yes ;;
    --with | --pairs | --program)
        [ $# -gt 1 ] || fail "$1 needs a value; see --help"
        case $1 in
        --with) extra+=("$2") ;;
        --pairs) pairs=$2 ;;
        *) program=$2 ;;
        esac
        shift
        ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) fail "unknown argument '$1'; see --help" ;;
    esac
    shift
done
case $pairs in
auto | stamps | emoji) ;;
*) fail "--pairs is '$pairs', expected auto, stamps or emoji" ;;
esac
if [ -n "$program" ]; then
    "$program" --version >/dev/null || fail "--program is '$program', which does not run"
    program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program")
fi
for model in ${extra[@]+"${extra[@]}"}; do
    case $model in
    all-MiniLM-L6-v2 | efficientnet-lite0 | efficientnet-lite2 | all-mpnet-base-v2) ;;
    *) fail "--with is '$model', expected efficientnet-lite2 or all-mpnet-base-v2" ;;
    esac
done

ASIF_HOME=$(find_home)
export ASIF_HOME
python=$(find_python)
began=$(now)
build_pid=
trap '[ -z "$build_pid" ] || kill "$build_pid" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "asif quick start; everything goes to $ASIF_HOME"
lock_home
if [ "$setup_only" = no ] && [ -z "$program" ]; then
    check_rust
    build_log=$ASIF_HOME/build.log
    (cd "$repo" && exec cargo build --release --locked) >"$build_log" 2>&1 9>&- &
    build_pid=$!
    echo "the release build runs in the background (output: $build_log)"
fi

step 'python packages' setup packages python-export
step 'ONNX Runtime' setup runtime
for model in all-MiniLM-L6-v2 efficientnet-lite0 ${extra[@]+"${extra[@]}"}; do
    step 'encoder' setup models "$model"
done
step 'pairs' setup pairs --source "$pairs"
step 'photos' setup photos
if [ "$setup_only" = yes ]; then
    report "$began" 'total' 'set-up done'
    exit 0
fi

finish_build() {
    if ! wait "$build_pid"; then
        build_pid=
        fail "the build failed: $(grep -m 1 '^error' "$build_log" || tail -n 1 "$build_log") \
(full output: $build_log)"
    fi
    build_pid=
    if grep -q Compiling "$build_log"; then echo "compiled"; else echo "already there: the binary"; fi
}
if [ -n "$program" ]; then
    asif=$program
else
    start=$(now)
    if [ -t 1 ]; then printf '%7s    %s\r' '...' 'release build'; fi
    finish_build >"$build_log.said"
    report "$start" 'release build' "$(cat "$build_log.said") (seconds after the set-up)"
    rm "$build_log.said"

    target=$(cd "$repo" && cargo metadata --no-deps --format-version 1 --locked |
        "$python" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
    asif=$target/release/asif
fi
demo=$ASIF_HOME/demo
index=$demo/demo.asif

# The anchor set is up to date if it was built from these pairs with these encoders, and opens.
build_index() {
    local made_from
    made_from=$(sha256sum "$demo/pairs.jsonl" "$ASIF_HOME"/models/{all-MiniLM-L6-v2,efficientnet-lite0}/asif-model.json |
        sha256sum | cut -d ' ' -f 1)
    if [ "$(cat "$index.made-from" 2>/dev/null)" = "$made_from" ] &&
        "$asif" inspect "$index" >/dev/null 2>&1; then
        echo "already there: $index"
        return
    fi
    rm -rf "$index" "$index.made-from"
    "$asif" build --pairs "$demo/pairs.jsonl" --out "$index" \
        --image-encoder efficientnet-lite0 --text-encoder all-MiniLM-L6-v2 >"$demo/build.txt" ||
        fail "asif build failed; its message is above"
    echo "$made_from" >"$index.made-from"
    echo "built $index from $(wc -l <"$demo/pairs.jsonl") pairs"
}
step 'anchor set' build_index

start=$(now)
echo
"$asif" classify --index "$index" --labels-file "$demo/labels.txt" --top 3 \
    --html "$demo/report.html" "$demo"/photos/* ||
    fail "asif classify failed; its message is above"
echo
report "$start" 'classify' "$(find "$demo/photos" -type f | wc -l) photos; page: $demo/report.html"
report "$began" 'total' 'done'
echo
if grep -q '"source": "fluent-emoji"' "$demo/pairs.jsonl"; then
    echo "These pairs are drawings of emoji: expect low accuracy on photos. Where apt-get is available,"
    echo "'--pairs stamps' uses pairs that suit photos better."
else
    echo "The answers depend on the pairs: for a wrong answer, the page shows the pairs behind it. Of these"
    echo "785 pairs, a single one mentions a cat, and it is a drawing for Halloween."
fi

# Paths as a reader would type them from the repository's root.
show() { case $1 in "$repo"/*) printf './%s\n' "${1#"$repo"/}" ;; *) printf '%s\n' "$1" ;; esac; }
asif=$(show "$asif")
echo
echo "What to try next:"
[ "$ASIF_HOME" = "${XDG_DATA_HOME:-${HOME:-}/.local/share}/asif" ] ||
    printf '  export ASIF_HOME=%q\n' "$ASIF_HOME"
printf '  xdg-open %q\n' "$demo/report.html"
printf '      an HTML page of the answers, each with the pairs behind it\n'
printf '  %s classify --index %q --labels "a bird,a boat,a castle" YOUR_PHOTO.jpg\n' "$asif" "$index"
printf '      classify your own photo with your own labels, without training\n'
printf '  %s inspect %q\n' "$asif" "$index"
printf '      show the contents of the anchor set\n'
printf '  %s build --pairs YOUR_FOLDER --out mine.asif\n' "$asif"
printf '      build an anchor set from your own pairs: pictures with a .txt beside each, JSONL, CSV or TSV\n'
printf '  %s doctor\n' "$asif"
printf '      check the installation\n'
