//! The messages: each is provoked through the binary, with its exit code, and what it advises is done.
//!
//! The variants of the error types are read from the sources: one that is neither provoked here nor said
//! to be provoked elsewhere, or to be out of reach, fails the test.

use std::collections::BTreeSet;
use std::path::Path;

use asif::anchors::AnchorSet;
use serde_json::json;

use super::Bench;
use super::support::{Ended, run};

/// What a command line is answered with.
struct Told {
    /// The variant of the error type.
    variant: &'static str,
    words: Vec<String>,
    code: i32,
    /// What the message says.
    says: &'static [&'static str],
    /// What it advises: words of a command that must succeed then.
    advice: Vec<String>,
}

fn told(
    variant: &'static str,
    command: &str,
    code: i32,
    says: &'static [&'static str],
    advice: &str,
) -> Told {
    // A word of several words has `~` for its blanks.
    let words = |text: &str| -> Vec<String> {
        text.split_whitespace()
            .map(|w| w.replace('~', " "))
            .collect()
    };
    Told {
        variant,
        words: words(command),
        code,
        says,
        advice: words(advice),
    }
}

/// Words that speak of the inside of the program.
const INSIDE: [&str; 10] = [
    "panicked",
    "os error 21",
    "os error 39",
    "Error {",
    "AnchorsError",
    "untagged enum",
    "struct ",
    ".adding-",
    ".building-",
    "unwrap",
];

fn messages() -> Vec<Told> {
    let classify = "classify --index a.asif --labels dog,cat plain/0.png";
    let with = |more: &str| format!("{classify} {more}");
    vec![
        told(
            "AnchorsError::NotASet",
            "inspect none.asif",
            3,
            &["no such folder", "asif build"],
            "",
        ),
        told(
            "AnchorsError::NotASet",
            "inspect folder",
            3,
            &["no file CURRENT"],
            "",
        ),
        told(
            "AnchorsError::Exists",
            "build --pairs a.asif.jsonl --out a.asif",
            3,
            &["exists already"],
            "build --pairs a.asif.jsonl --out a.asif --overwrite",
        ),
        told(
            "AnchorsError::InTheWay",
            "build --pairs a.asif.jsonl --out folder",
            3,
            &["left as it is"],
            "build --pairs a.asif.jsonl --out another.asif",
        ),
        told(
            "AnchorsError::Manifest",
            "inspect manifest.asif",
            3,
            &["not a manifest"],
            "",
        ),
        told(
            "AnchorsError::Format",
            "inspect format.asif",
            3,
            &["format 9"],
            "",
        ),
        told(
            "AnchorsError::NeedsRepair",
            "anchors compact current.asif",
            3,
            &["CURRENT"],
            "repair current.asif",
        ),
        told(
            "AnchorsError::Damaged",
            "anchors compact sums.asif",
            3,
            &["moments.sum", "asif repair"],
            "repair sums.asif",
        ),
        told(
            "AnchorsError::Recipe",
            "classify --index recipe.asif --labels dog,cat plain/0.png",
            3,
            &["part"],
            "",
        ),
        told(
            "AnchorsError::NoSuchPair",
            "anchors remove a.asif --id nobody",
            3,
            &["\"nobody\"", "anchors list"],
            "anchors remove a.asif --id p0 --id nobody --missing-ok --dry-run",
        ),
        told(
            "AnchorsError::NoMatch",
            "anchors remove a.asif --where source=none",
            3,
            &["source=none", "asif inspect"],
            "inspect a.asif",
        ),
        told(
            "AnchorsError::Filter",
            "anchors remove a.asif --where none",
            3,
            &["KEY=VALUE"],
            "anchors list a.asif --where source=none",
        ),
        told(
            "AnchorsError::WouldBeEmpty",
            "anchors remove a.asif --ids-file all.txt",
            3,
            &["no pair at all"],
            "",
        ),
        told(
            "AnchorsError::NoGeneration",
            "swap a.asif --to 99",
            3,
            &["99", "asif history"],
            "history a.asif",
        ),
        told(
            "AnchorsError::StillLive",
            "audit a.asif p0 --purge",
            3,
            &["live pair", "anchors remove"],
            "anchors remove a.asif --id p0 --dry-run",
        ),
        told(
            "AnchorsError::Strict",
            "build --strict --pairs bad.jsonl --out s.asif",
            3 + 2,
            &["--strict"],
            "build --pairs bad.jsonl --out s.asif",
        ),
        told(
            "AnchorsError::NoPairs",
            "build --pairs none.jsonl --out n.asif",
            3,
            &["no usable pair"],
            "",
        ),
        told(
            "AnchorsError::OtherEncoder",
            "classify --index a.asif --image-encoder brightest --labels dog,cat plain/0.png",
            3,
            &["image encoder", "name the encoder that built it"],
            classify,
        ),
        told(
            "RecipeError::Unknown",
            &with("--space none"),
            2,
            &["not a space", "fused"],
            &with("--space fused"),
        ),
        told(
            "RecipeError::Rows",
            &with("--k 0"),
            2,
            &["--k"],
            &with("--k 1"),
        ),
        told(
            "ParamsError::ZeroK",
            &with("--k 0"),
            2,
            &["k is 0"],
            &with("--k 1"),
        ),
        told(
            "ParamsError::Power",
            &with("--p 0"),
            2,
            &["p is 0"],
            &with("--p 8"),
        ),
        told(
            "ParamsError::FractionalRaw",
            &with("--p 1.5 --negatives raw"),
            2,
            &["whole p"],
            &with("--p 1.5 --negatives clamp"),
        ),
        told(
            "MeasureError::Task",
            "eval retrieval --index a.asif --dataset data",
            3,
            &[],
            "",
        ),
        told(
            "MeasureError::Anchors",
            "eval zeroshot --index none.asif --dataset data",
            3,
            &["no such folder"],
            "",
        ),
        told(
            "usage",
            "tune --index a.asif",
            2,
            &["asif COMMAND mine.asif"],
            "",
        ),
        told(
            "usage",
            "inspect --set a.asif",
            2,
            &["asif COMMAND mine.asif"],
            "inspect a.asif",
        ),
        told(
            "usage",
            &with("--paper --space fused"),
            2,
            &["--paper"],
            &with("--paper --hubness csls"),
        ),
        told(
            "usage",
            "audit a.asif --receipt r.json",
            2,
            &["--purge"],
            "audit a.asif --purge --receipt r.json",
        ),
        told("usage", &with("--indx x"), 2, &["--index"], classify),
        told(
            "BadInput",
            "templates none",
            3,
            &["asif templates"],
            "templates",
        ),
        told(
            "BadInput",
            "anchors show a.asif nobody",
            3,
            &["anchors list"],
            "anchors list a.asif",
        ),
        told(
            "BadInput",
            "anchors remove a.asif --ids-file none.txt",
            3,
            &["one id a line"],
            "",
        ),
        told(
            "StrictInput",
            &with("none.png --strict"),
            5,
            &["could not be used"],
            &with("none.png"),
        ),
        told(
            "Usage",
            "explain --index a.asif --text-pair plain/0.png",
            2,
            &["found 1 words"],
            "explain --index a.asif --text-pair plain/0.png dog",
        ),
    ]
}

/// Variants that are provoked by other tests, and those that no input reaches, with the reason.
const ELSEWHERE: [(&str, &str); 16] = [
    ("AnchorsError::MadeMeanwhile", "races: two builds"),
    ("AnchorsError::Locked", "races: several writers"),
    (
        "AnchorsError::Canary",
        "needs two exports of one model: tests/bad_input/encoders.rs",
    ),
    (
        "AnchorsError::Prompt",
        "a label that the tokeniser refuses: tests/bad_input/questions.rs",
    ),
    (
        "AnchorsError::TooMany",
        "more than four thousand million pairs",
    ),
    (
        "AnchorsError::Interrupted",
        "a signal in the middle of a build: tests/cli.rs",
    ),
    (
        "AnchorsError::Fit",
        "pairs that do not differ: tests/bad_input",
    ),
    ("AnchorsError::Pairs", "tests/bad_input/pairs.rs"),
    (
        "AnchorsError::Encode",
        "a model that fails while it runs: tests/bad_input/encoders.rs",
    ),
    (
        "AnchorsError::Index",
        "damaged vectors: tests/bad_input/sets.rs",
    ),
    ("AnchorsError::Io", "surroundings: a full device"),
    (
        "RecipeError::Empty",
        "from a manifest only, as `AnchorsError::Recipe` here",
    ),
    ("RecipeError::Scales", "from a manifest only"),
    ("RecipeError::Cohort", "from a manifest only"),
    ("RecipeError::Number", "from a manifest only"),
    (
        "MeasureError::Prompts",
        "class names that are blank: a folder without a name cannot be",
    ),
];
const FURTHER: [(&str, &str); 1] = [(
    "MeasureError::Metrics",
    "a data set without images is refused before",
)];

/// The variants of an error type, as its source has them.
fn variants(file: &str, name: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = fs_err::read_to_string(path).unwrap();
    let begin = text.find(&format!("pub enum {name} {{")).unwrap();
    let body = &text[begin..begin + text[begin..].find("\n}").unwrap()];
    let variant = |line: &str| {
        let line = line.strip_prefix("    ")?;
        let name: String = line.chars().take_while(|c| c.is_alphanumeric()).collect();
        let is_variant =
            name.starts_with(char::is_uppercase) && line[name.len()..].starts_with([' ', '(', ',']);
        is_variant.then_some(name)
    };
    body.lines()
        .skip(1)
        .filter_map(variant)
        .map(|v| format!("{name}::{v}"))
        .collect()
}

#[test]
fn every_variant_is_provoked_or_said_to_be_out_of_reach() {
    let mut all = BTreeSet::new();
    for (file, name) in [
        ("src/anchors/error.rs", "AnchorsError"),
        ("src/space/recipe/error.rs", "RecipeError"),
        ("src/space/params.rs", "ParamsError"),
        ("src/eval/measure.rs", "MeasureError"),
    ] {
        let of_type = variants(file, name);
        assert!(of_type.len() >= 3, "{name}: {of_type:?}");
        all.extend(of_type);
    }
    let listed = ELSEWHERE
        .iter()
        .chain(&FURTHER)
        .map(|(variant, _)| (*variant).to_owned());
    let mut known: BTreeSet<String> = listed.collect();
    known.extend(messages().iter().map(|m| m.variant.to_owned()));
    let missing: Vec<_> = all.difference(&known).collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
    let gone: Vec<_> = known
        .difference(&all)
        .filter(|v| v.contains("::"))
        .collect();
    assert!(gone.is_empty(), "no such variant: {gone:?}");
}

/// A bench with a set, and others that are spoiled.
fn spoiled_bench() -> Bench {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    fs_err::create_dir(bench.at("folder")).unwrap();
    fs_err::write(bench.at("all.txt"), "p0\np1\np2\np3\np4\n").unwrap();
    bench.pairs("bad.jsonl", &[bench.pair(0), json!({"id": "bad"})]);
    bench.pairs("none.jsonl", &[json!({"id": "bad"})]);
    super::tiny_onnx::brightest(bench.path());
    bench.picture("data/dog/a.png", 21);
    bench.picture("data/cat/b.png", 22);
    let spoil = |name: &str, change: &dyn Fn(&Path)| {
        let copy = bench.at(name);
        super::support::copy_folder(&bench.at("a.asif"), &copy);
        change(&copy);
    };
    spoil("manifest.asif", &|set| {
        fs_err::write(set.join("generations/g000001.json"), "{}").unwrap();
    });
    spoil("current.asif", &|set| {
        fs_err::write(set.join("CURRENT"), "nonsense").unwrap()
    });
    // A newer format is said before its checksum is looked at.
    spoil("format.asif", &|set| {
        let path = set.join("generations/g000001.json");
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(path, text.replacen("\"format\": 1", "\"format\": 9", 1)).unwrap();
    });
    spoil("recipe.asif", &|set| {
        let mut manifest = AnchorSet::open(set).unwrap().manifest().clone();
        manifest.space.parts.clear();
        asif::anchors::publish::publish(set, &manifest).unwrap();
    });
    spoil("sums.asif", &|set| {
        let live = AnchorSet::open(set).unwrap();
        fs_err::remove_file(live.segments()[0].path().join("moments.sum")).unwrap();
    });
    bench
}

#[test]
fn messages_have_their_code_and_their_advice_works() {
    let bench = spoiled_bench();
    let ask = |words: &[String]| -> Ended { run(bench.asif().args(words)) };
    let mut faults = Vec::new();
    for Told {
        variant,
        words,
        code,
        says,
        advice,
    } in messages()
    {
        let Ended {
            code: ended, err, ..
        } = ask(&words);
        let lacking: Vec<_> = says.iter().filter(|word| !err.contains(**word)).collect();
        let inside: Vec<_> = INSIDE.iter().filter(|word| err.contains(**word)).collect();
        if ended != Some(code) || !lacking.is_empty() || !inside.is_empty() {
            faults.push(format!(
                "{variant}: {words:?}: code {ended:?} for {code}, lacks {lacking:?}, has {inside:?}: {err}"
            ));
        }
        let followed = (!advice.is_empty()).then(|| ask(&advice));
        if let Some(ended) = followed.filter(|ended| ended.code != Some(0)) {
            faults.push(format!("{variant}: advice {advice:?}: {}", ended.err));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

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
