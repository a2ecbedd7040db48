//! Clocks, closed outputs, limits and environments: no panic and no signal.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::Bench;
use super::support::{Ended, run};

/// Codes that are documented for a command that was given good input.
fn documented(ended: &Ended, what: &str) {
    let code = ended
        .code
        .unwrap_or_else(|| panic!("{what}: a signal: {}", ended.err));
    assert!(
        [0, 1, 2, 3, 4, 5].contains(&code),
        "{what}: {code}: {}",
        ended.err
    );
    for word in ["panicked", "a bug in this program"] {
        assert!(!ended.err.contains(word), "{what}: {}", ended.err);
    }
}

/// A shell command with `$ASIF` and the environment of the bench.
fn shell(bench: &Bench, script: &str) -> Ended {
    let mut command = Command::new("bash");
    bench.equip(&mut command);
    run(command
        .args(["-c", script])
        .env("ASIF", env!("CARGO_BIN_EXE_asif")))
}

#[test]
fn texts_of_any_length_are_printed() {
    let bench = Bench::new();
    let long = "x".repeat(70_000);
    let rows: Vec<Value> = (0..4)
        .map(|n| {
            let mut row = bench.pair(n);
            // As long as an id may be.
            row["id"] = format!("{n}{}", "x".repeat(4_000)).into();
            row["caption"] = format!("dog {n} {long}").into();
            row["source"] = format!("s{long}").into();
            row["licence"] = format!("l{long}").into();
            row
        })
        .collect();
    bench.pairs("long.jsonl", &rows);
    // As long as a label may be.
    let label = "x".repeat(4_000);
    fs_err::write(bench.at("labels.txt"), format!("dog\ncat{label}\n")).unwrap();
    bench.picture("data/dog/a.png", 21);
    bench.picture("data/cat/b.png", 22);
    fs_err::write(
        bench.at("names.txt"),
        format!("dog: dog{label}\ncat: cat{label}\n"),
    )
    .unwrap();
    for words in [
        &["build", "--pairs", "long.jsonl", "--out", "a.asif"][..],
        &[
            "classify",
            "--index",
            "a.asif",
            "--labels-file",
            "labels.txt",
            "plain/1.png",
        ],
        &[
            "explain",
            "--index",
            "a.asif",
            "--labels-file",
            "labels.txt",
            "plain/1.png",
        ],
        &[
            "eval",
            "zeroshot",
            "--index",
            "a.asif",
            "--dataset",
            "data",
            "--classnames",
            "names.txt",
        ],
        &[
            "anchors",
            "influence",
            "a.asif",
            "--dataset",
            "data",
            "--classnames",
            "names.txt",
        ],
        &["anchors", "list", "a.asif"],
        &["anchors", "curate", "a.asif"],
        &["inspect", "a.asif"],
        &["history", "a.asif"],
        &["doctor", "a.asif"],
    ] {
        bench.run(words).ok();
    }
}

/// The formatter takes widths and precisions up to 65,535 and panics above: none may come from data.
#[test]
fn no_width_of_a_format_comes_from_data() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut found = Vec::new();
    let files = ["cli/src", "index/src", "server/src", "src"]
        .map(|folder| walkdir::WalkDir::new(root.join(folder)));
    for entry in files.into_iter().flatten() {
        let path = entry.unwrap().into_path();
        if path.extension() != Some(OsStr::new("rs")) {
            continue;
        }
        let text = fs_err::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            if !line.trim_start().starts_with("//") && has_free_width(line) {
                found.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(
        found.is_empty(),
        "use printable::padded:\n{}",
        found.join("\n")
    );
}

/// Whether a format string of the line has a width or precision that is an argument: `{:w$}`, `{:.*}`.
fn has_free_width(line: &str) -> bool {
    line.split('{').skip(1).any(|hole| {
        let hole = hole.split('}').next().unwrap_or_default();
        let spec = hole.split_once(':').map(|(_, spec)| spec);
        spec.is_some_and(|spec| {
            !spec.contains([' ', '"']) && (spec.contains('$') || spec.contains(".*"))
        })
    })
}

#[test]
fn free_widths_are_seen() {
    for line in [
        "format!(\"{label:<width$}\")",
        "\"{:1$}\"",
        "\"{x:.*}\"",
        "\"{:>w$.p$}\"",
    ] {
        assert!(has_free_width(line), "{line}");
    }
    for line in [
        "\"{x:<24}\"",
        "\"{:5.1} %\"",
        "\"${x}\"",
        "|x: u8| { y: \"$\" }",
    ] {
        assert!(!has_free_width(line), "{line}");
    }
}

#[test]
fn a_clock_may_say_anything() {
    let bench = Bench::new();
    let pairs = bench.pairs(
        "pairs.jsonl",
        &[bench.pair(0), bench.pair(1), bench.pair(2)],
    );
    for (clock, year) in [
        ("-5", "1970-"),
        ("-99999999999", "1970-"),
        ("999999999999", "9999-"),
    ] {
        let set = format!("set{clock}.asif");
        for words in [
            &["build", "--pairs", &pairs, "--out", &set][..],
            &["anchors", "remove", &set, "--id", "p1"],
            &["rollback", &set],
            &["audit", &set, "--purge"],
            &["verify", &set],
        ] {
            run(bench.asif().args(words).env("ASIF_TEST_CLOCK", clock)).ok();
        }
        let history = bench.run(&["history", &set]).ok();
        assert!(
            history.out.lines().all(|l| l.contains(year)),
            "{}",
            history.out
        );
    }
}

#[test]
fn outputs_may_be_closed_or_full() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    let json =
        json!({"id": "x", "image": bench.picture("x.png", 9), "caption": "y".repeat(200_000)});
    bench.pairs("big.jsonl", &[json]);
    bench
        .run(&["anchors", "add", "a.asif", "--pairs", "big.jsonl"])
        .ok();
    let classify = "$ASIF classify --index a.asif --labels dog,cat plain/0.png missing.png";
    for (script, code) in [
        (
            "$ASIF anchors show a.asif x | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}",
            0,
        ),
        (
            "$ASIF anchors export a.asif | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}",
            0,
        ),
        ("$ASIF anchors list a.asif >&-", 0),
        ("$ASIF anchors list a.asif >/dev/full", 1),
        ("$ASIF anchors list a.asif --json >/dev/full", 1),
        ("$ASIF anchors list a.asif 2>&- <&-", 0),
        ("$ASIF anchors list none.asif 2>&-", 3),
        ("$ASIF anchors list none.asif 2>/dev/full", 3),
        ("$ASIF --nonsense 2>/dev/full", 2),
        ("$ASIF --help >/dev/full", 1),
        ("$ASIF --version >/dev/full", 1),
        (
            "$ASIF --help | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}",
            0,
        ),
        (&format!("{classify} 2>/dev/full"), 0),
        (&format!("{classify} 2>&- >&- <&-"), 0),
        (&format!("{classify} --html /dev/full"), 1),
        ("$ASIF anchors export a.asif --out /dev/full", 1),
    ] {
        let ended = shell(&bench, script);
        documented(&ended, script);
        assert_eq!(ended.code, Some(code), "{script}: {}", ended.err);
        if script.contains(" >/dev/full") && code == 1 {
            let said = ended.err.trim_end();
            assert!(
                said.starts_with("asif: standard output: ") && said.lines().count() == 1,
                "{said}"
            );
        }
    }
}

#[test]
fn environments_may_be_odd() {
    let bench = Bench::new();
    let set = bench.set("a.asif", 5);
    let words = [
        "classify",
        "--index",
        &set,
        "--labels",
        "dog,cat",
        "plain/0.png",
    ];
    let expected = bench.run(&words).ok().out;
    let odd = OsStr::from_bytes(b"/tmp/\xff\xfe-none");
    for (name, value) in [
        ("HOME", odd),
        ("TMPDIR", OsStr::new("/nowhere/at/all")),
        ("TERM", OsStr::new("\u{1b}[31m")),
        ("COLUMNS", OsStr::new("0")),
        ("COLUMNS", OsStr::new("99999999999999999999")),
        ("LANG", OsStr::new("xx_YY.none")),
        ("LC_ALL", odd),
        ("RAYON_NUM_THREADS", OsStr::new("0")),
        ("RAYON_NUM_THREADS", OsStr::new("x")),
        ("RAYON_NUM_THREADS", OsStr::new("100000")),
        ("NO_COLOR", odd),
        ("PATH", OsStr::new("")),
    ] {
        let ended = run(bench.asif().args(words).env(name, value));
        documented(&ended, name);
        assert_eq!(
            (ended.code, &ended.out),
            (Some(0), &expected),
            "{name}: {}",
            ended.err
        );
    }
    for script in [
        "mkdir gone && cd gone && rmdir ../gone && $ASIF inspect a.asif",
        "mkdir gone && cd gone && rmdir ../gone && $ASIF models",
        "ulimit -n 12; $ASIF inspect a.asif",
        "ulimit -n 16; $ASIF classify --index a.asif --labels dog,cat plain/0.png",
        "umask 777; $ASIF anchors remove a.asif --id p4",
        "umask 777; $ASIF build --pairs a.asif.jsonl --out masked.asif",
        "$ASIF anchors list $'a\\xff.asif'",
        "$ASIF anchors show a.asif $'\\xff'",
        "$ASIF classify --index a.asif --labels $'\\xff' plain/0.png",
        "ASIF_K=$'\\xff' $ASIF classify --index a.asif --labels dog plain/0.png",
        "env -i $ASIF inspect a.asif",
        "env -i $ASIF --home home inspect a.asif",
        "$ASIF anchors show a.asif $(seq 1 20000)",
    ] {
        documented(&shell(&bench, script), script);
    }
}

/// Nothing can be started by a user who may have no process: that is said, not a panic.
#[test]
fn a_machine_that_starts_no_thread_is_told() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    // A place that another user may read.
    let place = tempfile::Builder::new()
        .prefix("asif-threads")
        .tempdir_in("/tmp")
        .unwrap();
    let asif = place.path().join("asif");
    fs_err::copy(env!("CARGO_BIN_EXE_asif"), &asif).unwrap();
    super::support::copy_folder(&bench.at("a.asif"), &place.path().join("a.asif"));
    let open = format!("chmod -R a+rX {0}", place.path().display());
    shell(&bench, &open).ok();
    let (program, set) = (asif.display(), place.path().join("a.asif"));
    let limited = format!(
        "set -u; run='prlimit --nproc=1:1 {program} --home /tmp/none inspect {}'; \
         if [ $(id -u) = 0 ]; then setpriv --reuid 65534 --clear-groups $run; else $run; fi",
        set.display()
    );
    let ended = shell(&bench, &limited);
    documented(&ended, "no threads");
    assert_eq!(ended.code, Some(1), "{} {}", ended.out, ended.err);
    assert!(ended.err.contains("no thread can be started") && ended.err.contains("ulimit -u"));
}

/// Limits of the shell: what cannot be done is refused with a message, and no picture is charged for it.
#[test]
fn limits_of_the_process_are_told() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    let build = "$ASIF build --pairs a.asif.jsonl --out";
    for blocks in [0, 1, 4] {
        let script = format!("ulimit -f {blocks}; {build} f{blocks}.asif --no-cache");
        let ended = shell(&bench, &script);
        documented(&ended, &script);
        assert_eq!(ended.code, Some(1), "{script}: {}", ended.err);
        assert!(ended.err.contains("ulimit -f"), "{}", ended.err);
        assert!(!bench.at(&format!("f{blocks}.asif")).exists());
    }
    for kib in [64, 128, 256] {
        let script = format!("ulimit -s {kib}; $ASIF inspect a.asif");
        assert_eq!(shell(&bench, &script).code, Some(0), "{script}");
    }
    for files in 4..16 {
        let script = format!(
            "ulimit -n {files}; $ASIF classify --index a.asif --labels dog,cat plain/0.png"
        );
        let ended = shell(&bench, &script);
        documented(&ended, &script);
        // No photo is to blame, and no model.
        assert!(
            ended.code == Some(0) || ended.code == Some(1) && ended.err.contains("ulimit -n"),
            "{script}: {:?} {}",
            ended.code,
            ended.err
        );
    }
    for files in 5..16 {
        let script = format!("ulimit -n {files}; {build} n{files}.asif --no-cache");
        let ended = shell(&bench, &script);
        documented(&ended, &script);
        let refused = ended.code != Some(0) && ended.err.contains("Too many open files")
            || ended.err.contains("ulimit -n");
        let whole = ended.code == Some(0) && ended.out.contains("skipped     none");
        assert!(refused || whole, "{script}: {} {}", ended.out, ended.err);
    }
}

/// A cache that only saves time is not waited for.
#[test]
fn a_pipe_in_place_of_a_cache_is_passed_over() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    let script = "build() { timeout 60 $ASIF build --pairs a.asif.jsonl --cache kept --out $1; }; \
                  build first.asif && for f in kept/*.emb; do rm $f; mkfifo $f; done; \
                  build second.asif";
    let ended = shell(&bench, script);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        ended.err.contains("found a pipe or device"),
        "{}",
        ended.err
    );
}

#[test]
fn numbers_that_nothing_can_be_made_of_are_refused() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    for scale in ["nan", "inf", "0", "1e300"] {
        let classify = ["classify", "--index", "a.asif", "--labels", "dog,cat"];
        let ended = bench.run(&[&classify[..], &["--logit-scale", scale, "plain/0.png"]].concat());
        assert_eq!(ended.code, Some(2), "{scale}: {} {}", ended.out, ended.err);
    }
    for words in [
        ["--generate", "500,8", "--threads", "100000"],
        ["--generate", "500,8", "--threads", "0"],
        ["--generate", "99999999999,384", "--threads", "1"],
    ] {
        let ended = bench.run(&[&["bench", "index"][..], &words].concat());
        assert_eq!(ended.code, Some(2), "{words:?}: {}", ended.err);
    }
}
