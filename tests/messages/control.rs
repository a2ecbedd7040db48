//! Characters that a terminal obeys come out of no command.

use asif::printable::is_obeyed;
use serde_json::{Value, json};

use super::Bench;

const ODD: &str = "\u{1b}[31m\u{7}\u{0}\u{9b}2J\u{7f}\u{202e}\u{2066}\u{2028}\u{200b}\u{feff}\u{200e}\ttab\rback\nnext";

/// Pairs, labels, classes and files that are called so; ids cannot be, and captions and labels have no
/// NUL.
fn odd_bench() -> Bench {
    let bench = Bench::new();
    // A file name has no NUL.
    let file = ODD.replace('\0', "");
    let rows: Vec<Value> = (0..6)
        .map(|n| {
            let image = bench.picture(&format!("odd/{n}{file}.png"), n);
            json!({
                "id": format!("id{n}"),
                "image": image,
                "caption": format!("dog {n} {file}"),
                "source": format!("source{ODD}"),
                "licence": format!("licence{ODD}"),
            })
        })
        .chain([json!({"id": ODD, "image": format!("missing{file}"), "caption": ODD})])
        .chain([json!({"id": ODD, "image": "odd", "caption": "dog"})])
        .collect();
    bench.pairs(&format!("pairs{file}.jsonl"), &rows);
    bench.picture(&format!("data/dog{file}/a.png"), 1);
    bench.picture(&format!("data/cat{file}/b.png"), 2);
    let labels = json!({format!("dog{file}"): ["dog"], format!("cat{file}"): ["cat"]});
    fs_err::write(bench.at("labels.json"), labels.to_string()).unwrap();
    bench
}

#[test]
fn nothing_that_a_terminal_obeys_is_printed() {
    let bench = odd_bench();
    let file = ODD.replace('\0', "");
    let (pairs, set) = (format!("pairs{file}.jsonl"), format!("set{file}.asif"));
    let (id, image) = (format!("id1{file}"), format!("odd/1{file}.png"));
    let set = set.as_str();
    let where_ = "source=nobody\u{1b}[31m";
    let labels = [
        "--labels-file",
        "labels.json",
        &image,
        "missing\u{1b}[2J.png",
    ];
    let with = |words: &[&str], more: &[&str]| -> Vec<String> {
        words.iter().chain(more).map(|w| (*w).to_owned()).collect()
    };
    let removed = ["anchors", "remove", set, "--where", "source=other\u{1b}[1m"];
    let mut more = bench.pair(9);
    more["source"] = "other\u{1b}[1m".into();
    bench.pairs("more.jsonl", &[more]);
    let commands = [
        (0, with(&["build", "--pairs", &pairs, "--out", set], &[])),
        (3, with(&["build", "--pairs", &pairs, "--out", set], &[])),
        (
            3,
            with(
                &["build", "--pairs", "none\u{9b}.jsonl", "--out", "x.asif"],
                &[],
            ),
        ),
        (0, with(&["anchors", "list", set], &[])),
        (3, with(&["anchors", "show", set, &id], &[])),
        (
            0,
            with(&["anchors", "add", set, "--pairs", "more.jsonl"], &[]),
        ),
        (0, with(&removed, &[])),
        (3, with(&["anchors", "remove", set, "--where", where_], &[])),
        (3, with(&["anchors", "remove", set, "--id", &id], &[])),
        (0, with(&["anchors", "curate", set], &[])),
        (0, with(&["inspect", set], &[])),
        (0, with(&["history", set], &[])),
        (0, with(&["verify", set], &[])),
        (0, with(&["doctor", set], &[])),
        (0, with(&["diff", &format!("{set}@1"), set], &[])),
        (0, with(&["audit", set, "nobody\u{1b}[1m"], &[])),
        (
            3,
            with(&["audit", set, "--where", "source=other\u{1b}[1m"], &[]),
        ),
        (0, with(&["classify", "--index", set], &labels)),
        (0, with(&["explain", "--index", set], &labels)),
        (
            0,
            with(
                &["eval", "zeroshot", "--index", set, "--dataset", "data"],
                &[],
            ),
        ),
        (
            0,
            with(&["anchors", "influence", set, "--dataset", "data"], &[]),
        ),
        (0, with(&["audit", set, "--purge"], &[])),
        (3, with(&["swap", set, "--from", "none\u{1b}.asif"], &[])),
        (3, with(&["templates", "none\u{1b}[1m"], &[])),
        (2, with(&["classify", "--indx\u{1b}[1m", set], &[])),
        (
            2,
            with(
                &[
                    "build",
                    "--space",
                    "none\u{202e}",
                    "--pairs",
                    "x",
                    "--out",
                    "y",
                ],
                &[],
            ),
        ),
    ];
    for (code, words) in commands {
        let ended = bench.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(
            ended.code,
            Some(code),
            "{words:?}: {} {}",
            ended.out,
            ended.err
        );
        for text in [&ended.out, &ended.err] {
            let raw = text.chars().find(|c| *c != '\n' && is_obeyed(*c));
            assert_eq!(raw, None, "{words:?}: {text:?}");
        }
        for message in ended.err.lines().filter(|_| code != 2) {
            let is_whole = ["asif: ", "hint: ", "wrote "]
                .iter()
                .any(|begin| message.starts_with(begin));
            assert!(
                is_whole,
                "{words:?}: a message of several lines: {}",
                ended.err
            );
        }
    }
    let listed = bench.run(&["anchors", "list", set]).ok();
    assert_eq!(listed.out.lines().count(), 6, "{}", listed.out);
    assert!(listed.out.contains("\\x1b[31m") && listed.out.contains("\\nnext"));
    let json = bench
        .run(&["anchors", "list", set, "--json"])
        .ok()
        .json_lines();
    let caption = serde_json::to_string(&format!("dog 0 {file}")).unwrap();
    let row = json[0].to_string();
    assert!(row.contains(&caption), "programs get it as it is: {row}");
}

#[test]
fn the_page_shows_them_too() {
    let bench = odd_bench();
    let pairs = format!("pairs{}.jsonl", ODD.replace('\0', ""));
    bench
        .run(&["build", "--pairs", &pairs, "--out", "a.asif"])
        .ok();
    let image = format!("odd/1{}.png", ODD.replace('\0', ""));
    let asked = ["--labels-file", "labels.json", "--html", "page.html"];
    let asked = [&["explain", "--index", "a.asif"][..], &asked, &[&image]].concat();
    bench.run(&asked).ok();
    let page = fs_err::read_to_string(bench.at("page.html")).unwrap();
    assert!(page.contains("\\x1b[31m"), "captions are on the page");
    let raw = page.chars().find(|c| *c != '\n' && is_obeyed(*c));
    assert_eq!(raw, None);
}
