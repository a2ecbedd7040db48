//! Suggestions of the parser, and what an evaluation says of itself.

use super::super::Bench;
use super::anchors::spoiled_bench;

#[test]
fn no_suggestion_is_far_from_what_was_given() {
    let bench = Bench::new();
    for words in [
        ["tune", "--index", "a.asif"],
        ["history", "--index", "a.asif"],
        ["verify", "--index", "a.asif"],
    ] {
        let said = bench.run(&words);
        assert_eq!(said.code, Some(2));
        assert!(
            !said.err.contains("a similar argument exists"),
            "{}",
            said.err
        );
        assert!(!said.err.contains("--ignore-exif"), "{}", said.err);
    }
}

#[test]
fn an_evaluation_names_its_space_and_says_what_chance_is() {
    let bench = spoiled_bench();
    let words = ["eval", "zeroshot", "--index", "a.asif", "--dataset", "data"];
    let text = bench.run(&words).ok().out;
    assert!(
        text.contains("space asif\n") && text.contains("chance"),
        "{text}"
    );
    assert!(text.contains(" 50.0 %") && !text.contains('{'), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() < 200),
        "{text}"
    );
    let json = bench
        .run(&[&words[..], &["--json", "--paper"]].concat())
        .ok()
        .json();
    assert_eq!(json["asif"]["chance"], 0.5);
    let paper = bench.run(&[&words[..], &["--paper"]].concat()).ok().out;
    assert!(paper.contains("space paper"), "{paper}");
}

#[test]
fn the_papers_setting_goes_with_every_correction() {
    let bench = spoiled_bench();
    for hubness in ["s-norm", "csls", "nnn", "none"] {
        let words = [
            "classify",
            "--index",
            "a.asif",
            "--labels",
            "dog,cat",
            "plain/0.png",
        ];
        bench
            .run(&[&words[..], &["--paper", "--hubness", hubness]].concat())
            .ok();
    }
}
