//! Filters, samples, limits and repetitions: of lists, removals and builds.

use serde_json::json;

use crate::support::{asif, demo_pairs, on, run, write_jsonl};
use crate::synthetic::{pair, set};

#[test]
fn lists_count_and_name_what_a_filter_selects() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    set(&path, 0..12);
    let list = |words: &[&str]| {
        on(
            folder.path(),
            &[&["anchors", "list"], words].concat(),
            &path,
        )
    };
    let all = list(&["--json"]).ok().json_lines();
    let of = |licence: &str| all.iter().filter(|pair| pair["licence"] == licence).count();
    let both = of("CC0-1.0") + of("CC BY 4.0");
    let filter = "licence in ('CC0-1.0', 'CC BY 4.0') and source is not null";
    let counted = list(&["--where", filter, "--count"]).ok();
    assert_eq!(counted.out.trim(), both.to_string());
    assert_eq!(
        list(&["--where", filter, "--count", "--json"]).ok().json(),
        json!({"pairs": both})
    );
    let not = format!("not ({filter})");
    let rest = list(&["--where", &not, "--json"]).ok().json_lines();
    assert_eq!(rest.len(), all.len() - both);
    let keys = list(&["--keys", "--json"]).ok().json_lines();
    assert!(
        keys.contains(&json!({"key": "source", "pairs": 12})),
        "{keys:?}"
    );
    let values = list(&["--values", "licence", "--json"]).ok().json_lines();
    assert!(values.contains(&json!({"value": "CC0-1.0", "pairs": of("CC0-1.0")})));
    let told: u64 = values
        .iter()
        .map(|value| value["pairs"].as_u64().unwrap())
        .sum();
    assert_eq!(told, 12);
    list(&["--values", "nothing"]).fails(3, &["\"nothing\"", "--keys"]);
    // Nothing is an answer, with what was perhaps meant.
    let none = list(&["--where", "licence=CC0"]).ok();
    assert_eq!(none.out, "");
    assert!(
        none.err.contains("the nearest values are \"CC0-1.0\""),
        "{}",
        none.err
    );
    // The same form of filter removes, and stands in the log as it was meant.
    let id = pair(3).record.id;
    let remove = ["anchors", "remove", "--where", &format!("id = '{id}'")];
    on(folder.path(), &remove, &path).ok();
    let log = on(folder.path(), &["history", "--json"], &path)
        .ok()
        .json_lines();
    assert!(
        log.iter()
            .any(|change| change["detail"] == format!("\"id\" = '{id}'")),
        "{log:?}"
    );
    let typo = ["anchors", "remove", "--where", "licence = 'CC BY 4'"];
    on(folder.path(), &typo, &path).fails(3, &["nearest values are \"CC BY 4.0\""]);
}

#[test]
fn builds_take_what_was_selected_and_count_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = demo_pairs(12);
    for (n, row) in rows.iter_mut().enumerate() {
        row["n"] = json!(n);
    }
    let mut again = rows[2].clone();
    again["id"] = json!("again");
    rows.push(again);
    let pairs = write_jsonl(folder.path(), "pairs.jsonl", &rows);
    let build = |name: &str, words: &[&str]| {
        let mut command = asif();
        command.args(["build", "--json", "--no-thumbnails", "--pairs"]);
        command
            .arg(&pairs)
            .arg("--out")
            .arg(folder.path().join(name));
        run(command.args(words))
    };
    let ids = |name: &str| -> Vec<String> {
        let listed = on(
            folder.path(),
            &["anchors", "list", "--json"],
            &folder.path().join(name),
        );
        let lines = listed.ok().json_lines();
        lines
            .iter()
            .map(|line| line["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let report = build(
        "some.asif",
        &["--where", "n < 6", "--dedup", "exact", "--limit", "4"],
    );
    let report = report.ok().json();
    assert_eq!((&report["pairs"], ids("some.asif").len()), (&json!(4), 4));
    assert_eq!(report["not_taken"]["reached_limit"], true);
    let report = build("distinct.asif", &["--dedup", "exact"]).ok().json();
    assert_eq!(report["not_taken"]["duplicates"], 1, "{report}");
    assert_eq!(report["pairs"], 12);
    let report = build("one.asif", &["--sample", "5", "--seed", "7"])
        .ok()
        .json();
    assert_eq!(report["not_taken"]["not_sampled"], 8);
    build("two.asif", &["--sample", "5", "--seed", "7"]).ok();
    assert_eq!(ids("one.asif"), ids("two.asif"));
    build("none.asif", &["--where", "m < 6"]).fails(3, &["no pair of the sources", "\"n\""]);
    assert!(!folder.path().join("none.asif").exists());
}
