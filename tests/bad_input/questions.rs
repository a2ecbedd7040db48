//! Labels, images, templates and settings that make no question.

use super::support::*;
use super::{INPUT, STRICT, USAGE, classify, folder};

#[test]
fn labels_must_be_there_and_differ() {
    let dir = folder();
    let image = draw(dir.path(), "a.png", 1);
    run(classify(demo_set(), "").arg(&image)).fails(INPUT, &["label"]);
    run(classify(demo_set(), "cat,dog,cat").arg(&image)).fails(INPUT, &["cat"]);
    let file = dir.path().join("labels.txt");
    fs_err::write(&file, "# nothing yet\n\n").unwrap();
    run(asif()
        .args(["classify", "--labels-file"])
        .arg(&file)
        .arg("--index")
        .arg(demo_set())
        .arg(&image))
    .fails(INPUT, &["labels.txt"]);
    run(asif()
        .arg("classify")
        .arg("--index")
        .arg(demo_set())
        .arg(&image))
    .usage();
}

/// Every command that needs labels says so in the same way as the parser, and with its exit code.
#[test]
fn commands_without_labels_are_usage_errors() {
    let dir = folder();
    let image = draw(dir.path(), "a.png", 1);
    for command in ["classify", "explain"] {
        let ended = run(asif()
            .args([command, "--index"])
            .arg(demo_set())
            .arg(&image));
        assert_eq!(ended.code, Some(USAGE), "{}", ended.err);
        assert!(ended.err.contains("--labels-file"), "{}", ended.err);
    }
    // A target of a swap is named by what there is.
    let ended = run(asif().arg("swap").arg(demo_set()));
    ended.fails(USAGE, &["--to", "--from", "generation 1", "asif history"]);
}

/// Ids that are gone already are not an error for a caller that says so.
#[test]
fn nothing_left_to_remove_changes_nothing() {
    let dir = folder();
    let set = dir.path().join("a.asif");
    copy_folder(demo_set(), &set);
    let current = fs_err::read(set.join("CURRENT")).unwrap();
    let remove = |more: &[&str]| {
        let mut command = asif();
        command
            .args(["anchors", "remove", "--id", "nobody"])
            .args(more);
        run(command.arg(&set))
    };
    let done = remove(&["--missing-ok"]).ok();
    assert!(
        done.out.contains("nothing was changed") && done.out.contains("nobody"),
        "{}",
        done.out
    );
    remove(&[]).fails(INPUT, &["nobody", "--missing-ok"]);
    assert_eq!(fs_err::read(set.join("CURRENT")).unwrap(), current);
}

impl Ended {
    /// Asserts that the command line was refused.
    fn usage(&self) {
        assert_eq!(self.code, Some(USAGE), "{}", self.err);
        assert!(self.err.contains("Usage"), "{}", self.err);
    }
}

#[test]
fn a_bad_image_among_good_ones_is_said_and_the_others_go_on() {
    let dir = folder();
    let good = draw(dir.path(), "good.png", 1);
    let bad = dir.path().join("bad.jpg");
    fs_err::write(&bad, b"no picture").unwrap();
    let both = |more: &[&str]| {
        run(classify(demo_set(), "cat,dog")
            .arg("--json")
            .arg(&bad)
            .arg(&good)
            .args(more))
    };
    let lines = both(&[]).ok().json_lines();
    assert!(
        lines[0]["error"].as_str().unwrap().contains("bad.jpg"),
        "{}",
        lines[0]
    );
    assert_eq!(lines[1]["predictions"].as_array().unwrap().len(), 2);
    both(&["--strict"]).fails(STRICT, &["bad.jpg", "1 of 2 images"]);
    run(classify(demo_set(), "cat,dog").arg(&bad)).fails(INPUT, &["bad.jpg", "1 of 1 images"]);
}

#[test]
fn senseless_settings_are_usage_errors() {
    let image = draw(folder().path(), "a.png", 1);
    run(classify(demo_set(), "cat,dog")
        .args(["--k", "0"])
        .arg(&image))
    .fails(USAGE, &["--k"]);
    run(classify(demo_set(), "cat,dog")
        .args(["--paper", "--p", "2"])
        .arg(&image))
    .usage();
    let raw = ["--negatives", "raw", "--p", "1.5"];
    run(classify(demo_set(), "cat,dog").args(raw).arg(&image)).fails(USAGE, &["whole"]);
}

#[test]
fn a_template_without_a_place_for_the_label() {
    let dir = folder();
    let image = draw(dir.path(), "a.png", 1);
    let templates = dir.path().join("templates.txt");
    fs_err::write(&templates, "a photo of a {}.\na photo of a {thing}.\n").unwrap();
    run(classify(demo_set(), "cat,dog")
        .arg("--templates")
        .arg(&templates)
        .arg(&image))
    .fails(INPUT, &["templates.txt", "{thing}"]);
}
