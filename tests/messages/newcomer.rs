//! What is said of small sets, of data sets of one class, and of variables that nobody typed.

use super::Bench;
use super::support::run;

#[test]
fn a_small_set_says_that_its_space_is_plain_rows() {
    let bench = Bench::new();
    bench.pairs(
        "p.jsonl",
        &(0..5).map(|n| bench.pair(n)).collect::<Vec<_>>(),
    );
    let note = "fewer than 64, the space is plain relative rows";
    let built = bench
        .run(&["build", "--pairs", "p.jsonl", "--out", "a.asif"])
        .ok();
    assert!(built.err.contains(note), "{}", built.err);
    let inspected = bench.run(&["inspect", "a.asif"]).ok().out;
    assert!(
        inspected.contains(note) && inspected.contains("1 asif (k"),
        "{inspected}"
    );
    for words in [
        vec![
            "classify",
            "--index",
            "a.asif",
            "--labels",
            "dog,cat",
            "plain/0.png",
        ],
        vec![
            "explain",
            "--index",
            "a.asif",
            "--labels",
            "dog,cat",
            "plain/0.png",
        ],
    ] {
        let said = bench.run(&words).ok().err;
        assert!(said.contains(note), "{words:?}: {said}");
    }
    let mut named = vec!["classify", "--index", "a.asif", "--labels", "dog,cat"];
    named.extend(["--space", "asif", "plain/0.png"]);
    assert!(!bench.run(&named).ok().err.contains(note));
    let large = bench.set("b.asif", 70);
    let inspected = bench.run(&["inspect", &large]).ok().out;
    assert!(
        inspected.contains("calibrated on all 70 anchors, best 7"),
        "{inspected}"
    );
    assert!(!inspected.contains(note), "{inspected}");
}

#[test]
fn a_data_set_of_one_class_is_refused_by_all() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    bench.picture("only/dog/0.png", 0);
    bench.picture("only/dog/1.png", 1);
    for words in [
        "eval zeroshot --index a.asif --dataset only",
        "eval scaling --index a.asif --dataset only",
        "anchors influence a.asif --dataset only",
        "tune a.asif --validation only",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        bench.run(&words).fails(3, &["\"dog\" is the only class"]);
    }
}

#[test]
fn variables_of_flags_take_the_usual_words_and_are_named() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    let inspect = |value: &str| {
        run(bench
            .asif()
            .args(["inspect", "a.asif"])
            .env("ASIF_JSON", value))
    };
    for yes in ["1", "yes", "on", "true", "YES"] {
        assert!(inspect(yes).ok().out.starts_with('{'), "{yes}");
    }
    for no in ["0", "no", "off", "false", ""] {
        assert!(!inspect(no).ok().out.starts_with('{'), "{no}");
    }
    let wrong = inspect("maybe");
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.err.contains("for 'ASIF_JSON'") && !wrong.err.contains("--json"),
        "{}",
        wrong.err
    );
    // Also where two options exclude each other.
    for (variable, value, typed) in [
        ("ASIF_LABELS", "dog,cat", ["--labels-file", "l.txt"]),
        ("ASIF_LABELS_FILE", "l.txt", ["--labels", "dog,cat"]),
    ] {
        let words = ["classify", "--index", "a.asif", "plain/0.png"];
        let ended = run(bench.asif().args(words).args(typed).env(variable, value));
        assert_eq!(ended.code, Some(2));
        assert!(
            ended
                .err
                .contains(&format!("{variable} is set in the environment")),
            "{}",
            ended.err
        );
    }
    // A flag that is not given goes with everything.
    let mut dry = bench.asif();
    dry.args(["audit", "a.asif", "p0"]).env("ASIF_DRY_RUN", "0");
    assert_eq!(run(&mut dry).code, Some(3));
    let empty = run(bench.asif().arg("models").env("ASIF_HOME", ""));
    assert_eq!(empty.code, Some(2));
    assert!(empty.err.contains("ASIF_HOME"), "{}", empty.err);
    let typed = bench.run(&["--home", "", "models"]);
    assert!(typed.err.contains("--home"), "{}", typed.err);
}

#[test]
fn an_old_log_is_told_by_readers() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    let log = bench.at("a.asif/log/changes.jsonl");
    let old = fs_err::read(&log).unwrap();
    for id in ["p4", "p3"] {
        bench.run(&["anchors", "remove", "a.asif", "--id", id]).ok();
    }
    let ask = [
        "classify",
        "--index",
        "a.asif",
        "--labels",
        "dog,cat",
        "plain/0.png",
    ];
    assert!(!bench.run(&ask).ok().err.contains("warning"));
    fs_err::write(&log, old).unwrap();
    for words in [&["inspect", "a.asif"][..], &ask] {
        let said = bench.run(words).ok().err;
        assert!(
            said.contains("warning: ") && said.contains("`asif repair a.asif`"),
            "{said}"
        );
    }
    bench.run(&["verify", "a.asif"]).fails(3, &[]);
    let mended = bench.run(&["repair", "a.asif"]).ok().out;
    assert!(
        mended.contains("lacks the record") && !mended.contains("asif repair"),
        "{mended}"
    );
    assert!(
        !bench
            .run(&["inspect", "a.asif"])
            .ok()
            .err
            .contains("warning")
    );
}

#[test]
fn a_bad_picture_of_a_folder_is_named_once() {
    let bench = Bench::new();
    bench.picture("st/a.png", 1);
    fs_err::write(bench.at("st/b.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    for name in ["a", "b"] {
        fs_err::write(bench.at(&format!("st/{name}.txt")), "dog").unwrap();
    }
    let words = ["build", "--strict", "--pairs", "st", "--out", "a.asif"];
    let ended = bench.run(&words).fails(5, &["st/b.png: "]);
    assert_eq!(ended.err.matches("b.png").count(), 1, "{}", ended.err);
}

/// Other sets are told apart by what is live there, and pictures are counted.
#[test]
fn a_purge_advises_what_works_and_says_it_once() {
    let bench = Bench::new();
    for (name, removed) in [("a.asif", true), ("old.asif", true), ("live.asif", false)] {
        bench.set(name, 9);
        if removed {
            let mut words = vec!["anchors", "remove", name];
            words.extend([
                "--id", "p0", "--id", "p1", "--id", "p2", "--id", "p3", "--id", "p4",
            ]);
            bench.run(&words).ok();
        }
    }
    let purge = ["audit", "a.asif", "p0", "--purge"];
    let said = bench.run(&purge).err;
    let about = |name: &str| said.lines().find(|l| l.contains(name)).unwrap_or_default();
    assert!(!about("old.asif").contains("anchors remove"), "{said}");
    let pictures: Vec<&str> = said.lines().filter(|l| l.contains(" left: ")).collect();
    assert_eq!(pictures.len(), 1, "{said}");
    assert!(
        pictures[0].contains("5 pictures") && pictures[0].contains("and 2 more"),
        "{said}"
    );
    let live = about("live.asif");
    for n in 0..5 {
        assert!(live.contains(&format!("--id=p{n}")), "{said}");
    }
    for line in ["old.asif", "live.asif"].map(about) {
        let mut commands = line.split('`').skip(1).step_by(2).peekable();
        assert!(commands.peek().is_some(), "{said}");
        for command in commands {
            let words: Vec<&str> = command.split(' ').skip(1).collect();
            let ended = bench.run(&words);
            assert_eq!(ended.code, Some(0), "{command}: {}", ended.err);
        }
    }
}
