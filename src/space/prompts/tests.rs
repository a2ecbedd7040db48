use proptest::prelude::*;

use super::*;
use std::fmt;
use std::path::{Path, PathBuf};

fn file(text: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), text).unwrap();
    file
}

/// The message, with the file's path shortened.
fn message<T: fmt::Debug>(
    result: Result<T, PromptsError>,
    file: &tempfile::NamedTempFile,
) -> String {
    result
        .unwrap_err()
        .to_string()
        .replace(&file.path().display().to_string(), "FILE")
}

#[test]
fn both_placeholders_and_doubled_braces_are_rendered() {
    let templates =
        PromptTemplates::parse(["a {}.", "{c}", "", "{} beside a {c}", "{{{}}} }}"]).unwrap();
    assert_eq!(
        templates.render("cat"),
        ["a cat.", "cat", "cat beside a cat", "{cat} }"]
    );
    assert_eq!(templates.len(), 4);
    assert_eq!(templates.iter().next(), Some("a {}."));
}

#[test]
fn a_class_name_is_never_read_as_a_template() {
    assert_eq!(
        PromptTemplates::default().render("{} {c} {{"),
        ["a photo of a {} {c} {{."]
    );
}

#[test]
fn built_in_templates_are_what_the_parser_makes_of_them() {
    assert_eq!(
        PromptTemplates::parse(["a photo of a {}."]).unwrap(),
        PromptTemplates::default()
    );
}

#[test]
fn bad_templates_name_their_place() {
    let say = |line: &str| {
        PromptTemplates::parse(["{}", line])
            .unwrap_err()
            .to_string()
    };
    insta::assert_snapshot!(
        ["a photo", "a {class}", "a {", "a } {}", "{ }"].map(say).join("\n"),
        @r#"
    entry 2: "a photo" has no {}; put {} or {c} where the class name belongs (or are these labels?)
    entry 2: unknown placeholder {class}; the class name is {} or {c}, and a brace itself is written {{ or }}
    entry 2: "a {" has a single {; the class name is {} or {c}, and a brace itself is written {{ or }}
    entry 2: "a } {}" has a single }; the class name is {} or {c}, and a brace itself is written {{ or }}
    entry 2: unknown placeholder { }; the class name is {} or {c}, and a brace itself is written {{ or }}
    "#
    );
}

#[test]
fn files_are_read_by_line() {
    let good = file("\u{feff}# mine\r\na {}.\r\n\r\nthe {c}".as_bytes());
    assert_eq!(
        PromptTemplates::from_file(good.path()).unwrap().render("x"),
        ["a x.", "the x"]
    );
    let bad = file(b"# mine\n\na photo\n");
    assert_eq!(
        message(PromptTemplates::from_file(bad.path()), &bad),
        "FILE, line 3: \"a photo\" has no {}; put {} or {c} where the class name belongs (or are these labels?)"
    );
    let latin = file(b"a {}\ncaf\xE9 {}\n");
    assert_eq!(
        message(PromptTemplates::from_file(latin.path()), &latin),
        "FILE, line 2: not UTF-8; save the file as UTF-8"
    );
    let blank = file(b"# nothing\n");
    assert_eq!(
        message(PromptTemplates::from_file(blank.path()), &blank),
        "FILE: no templates; every line is a comment because it begins with #, such as \"# nothing\"; for \
         literal text write a JSON list in a .json file, else write one a line, such as: a photo of a {}."
    );
    let gone = Path::new("no-such-file");
    assert!(
        PromptTemplates::from_file(gone)
            .unwrap_err()
            .to_string()
            .contains("no-such-file")
    );
    assert!(
        LabelList::from_file(gone)
            .unwrap_err()
            .to_string()
            .contains("no-such-file")
    );
}

#[test]
fn labels_are_trimmed_and_checked() {
    assert_eq!(
        LabelList::parse(" cat, fire engine ").unwrap().as_slice(),
        ["cat", "fire engine"]
    );
    let say = |list: &str| LabelList::parse(list).unwrap_err().to_string();
    assert_eq!(say(" "), "the list given: no labels; name at least one");
    assert_eq!(
        say("a,,b"),
        "entry 2: a label or a name of one is blank; take out the extra comma or bar (|), or name it"
    );
    assert_eq!(
        say("b,a,b,c,a,b"),
        "the list given: labels given more than once: \"a\", \"b\"; name each once"
    );
    let labels = file(b"# animals\ncat\nbird, small\n\n");
    assert_eq!(
        LabelList::from_file(labels.path()).unwrap().as_slice(),
        ["cat", "bird, small"]
    );
    let twice = file(b"cat\ndog\ncat\n");
    assert_eq!(
        message(LabelList::from_file(twice.path()), &twice),
        "FILE: labels given more than once: \"cat\"; name each once"
    );
    let empty = file(b"\n");
    assert_eq!(
        message(LabelList::from_file(empty.path()), &empty),
        "FILE: no labels; name at least one"
    );
}

proptest! {
    /// Text around the placeholder comes back as it was, whatever it holds.
    #[test]
    fn literals_survive(before in "[a-z{} ]{0,8}", after in "[a-z{} ]{0,8}", class in ".{0,8}") {
        let escape = |text: &str| text.replace('{', "{{").replace('}', "}}");
        let template = format!("x{}{{c}}{}x", escape(&before), escape(&after));
        let rendered = PromptTemplates::parse([template]).unwrap().render(&class);
        prop_assert_eq!(&rendered[0], &format!("x{before}{class}{after}x"));
    }
}

pub(super) fn named(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn further_names_of_a_label_are_prompted_too_and_it_is_shown_under_the_first() {
    let labels = LabelList::parse("cat | gato|Katze, dog").unwrap();
    assert_eq!(labels.as_slice(), ["cat", "dog"]);
    let templates = PromptTemplates::parse(["a {}.", "{}"]).unwrap();
    assert_eq!(
        labels.prompts(&templates),
        [
            vec!["a cat.", "cat", "a gato.", "gato", "a Katze.", "Katze"],
            vec!["a dog.", "dog"]
        ]
    );
    assert!(matches!(
        LabelList::parse("cat||gato"),
        Err(PromptsError::BlankLabel { .. })
    ));
    let same = LabelList::parse("puma|puma").unwrap();
    assert_eq!(
        same.prompts(&PromptTemplates::default()),
        [["a photo of a puma."]]
    );
}

#[test]
fn every_form_of_label_file_gives_the_same_prompts() {
    let forms = [
        (
            "l.txt",
            "# mine\ncat\ta small pet\tit purrs {}\n\ndog: a loyal pet\nfish\n",
        ),
        (
            "l.json",
            r#"{"cat": ["a small pet", " it purrs {}"], "dog": "a loyal pet", "fish": []}"#,
        ),
        (
            "l.jsonl",
            "{\"label\":\"cat\",\"prompts\":[\"a small pet\",\"it purrs {}\"]}\n\
             {\"label\":\"dog\",\"descriptions\":[\"a loyal pet\"]}\n\n{\"label\":\"fish\"}\n",
        ),
    ];
    for (name, text) in forms {
        let (_folder, path) = named(name, text);
        let labels = LabelList::from_file(&path).unwrap();
        assert_eq!(labels.as_slice(), ["cat", "dog", "fish"], "{name}");
        assert_eq!(
            labels.prompts(&PromptTemplates::parse(["a {}."]).unwrap()),
            [
                vec!["a cat.", "a small pet", "it purrs {}"],
                vec!["a dog.", "a loyal pet"],
                vec!["a fish."]
            ],
            "{name}: own prompts are taken as they are"
        );
    }
    let (_folder, path) = named("l.jsonl", "{\"label\":\"cat\",\"names\":[\"gato\"]}");
    let labels = LabelList::from_file(&path).unwrap();
    assert_eq!(
        labels.prompts(&PromptTemplates::parse(["{}"]).unwrap()),
        [["cat", "gato"]]
    );
}

#[test]
fn bad_label_files_name_the_line() {
    let say = |name: &str, text: &str| {
        let (folder, path) = named(name, text);
        let said = LabelList::from_file(&path).unwrap_err().to_string();
        said.replace(&format!("{}/", folder.path().display()), "")
    };
    let said = [
        say("l.json", "{\n\"cat\": 3}"),
        say("l.json", "{\"cat\": [], \"cat\": []}"),
        say("l.json", "[]"),
        say(
            "l.jsonl",
            "{\"label\":\"a\"}\n{\"label\":\"b\",\"prompt\":\"x\"}",
        ),
        say("l.jsonl", "{\"label\":\" \"}"),
        say("l.txt", "cat\n: a pet\n"),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    l.json, line 1: expected a prompt or a list of prompts under "cat"; a label file in JSON is {"label": ["a prompt", ...], ...}, one in JSON Lines has {"label": ..., "names": [...], "prompts": [...]} on each line
    l.json: labels given more than once: "cat"; name each once
    l.json, line 1: expected a list of labels as strings, such as ["cat", "dog"]; a label file in JSON is {"label": ["a prompt", ...], ...}, one in JSON Lines has {"label": ..., "names": [...], "prompts": [...]} on each line
    l.jsonl, line 2: unknown field `prompt`, expected one of `label`, `names`, `descriptions`, `prompts`; a label file in JSON is {"label": ["a prompt", ...], ...}, one in JSON Lines has {"label": ..., "names": [...], "prompts": [...]} on each line
    l.jsonl, line 1: a label or a name of one is blank; take out the extra comma or bar (|), or name it
    l.txt, line 2: a label or a name of one is blank; take out the extra comma or bar (|), or name it
    "#);
}

pub(super) fn labels_in(name: &str, text: &str) -> Result<LabelList, String> {
    let (_folder, path) = named(name, text);
    LabelList::from_file(&path).map_err(|error| error.to_string())
}

#[test]
fn files_that_models_come_with_give_their_labels() {
    for (name, text) in [
        ("l.json", r#"["tench", "goldfish: red"]"#),
        ("l.txt", r#"["tench", "goldfish: red"]"#),
        ("id2label.json", r#"{"1": "goldfish: red", "0": "tench"}"#),
        ("id2label.txt", r#"{"1": "goldfish: red", "0": "tench"}"#),
        ("label2id.json", r#"{"goldfish: red": 1, "tench": 0}"#),
        (
            "config.json",
            r#"{"model_type": "vit", "id2label": {"0": "tench", "1": "goldfish: red"}}"#,
        ),
        (
            "config.json",
            r#"{"model_type": "vit", "label2id": {"goldfish: red": 1, "tench": 0}}"#,
        ),
    ] {
        assert_eq!(
            labels_in(name, text).unwrap().as_slice(),
            ["tench", "goldfish: red"],
            "{text}"
        );
    }
    let keras = r#"{"0": ["n01440764", "tench"], "1": ["n01443537", "great_white"]}"#;
    assert_eq!(
        labels_in("class_index.json", keras).unwrap().as_slice(),
        ["tench", "great white"]
    );
    let ten: Vec<String> = (0..11).map(|i| format!("\"{i}\": \"c{i}\"")).collect();
    let ten = labels_in("i.json", &format!("{{{}}}", ten.join(","))).unwrap();
    assert_eq!(ten.as_slice()[2], "c2", "by number, not by text");
}

#[test]
fn characters_with_a_meaning_are_told_of() {
    let said = labels_in("films.txt", "Alien: Covenant\nAlien: Resurrection\ncat\n").unwrap_err();
    assert!(
        said.contains("\"Alien\"") && said.contains("after a colon"),
        "{said}"
    );
    let tags = labels_in("tags.txt", "#food\n#travel\n# a comment\ncat\n").unwrap();
    assert_eq!(tags.as_slice(), ["cat"]);
    assert!(
        tags.notes()[0].contains("2 lines were taken as comments"),
        "{:?}",
        tags.notes()
    );
    let films = labels_in("n.txt", "Mission: Impossible\nDune: Part Two\n").unwrap();
    assert!(films.notes()[0].contains("in 2 of 2 lines"));
    let described = "cat: a photo of a Cat\nDog: dogs, in a yard\n";
    assert!(labels_in("o.txt", described).unwrap().notes().is_empty());
    let mixed = labels_in("m.txt", "Alien: Covenant\nHeat\n").unwrap();
    assert!(
        mixed.notes()[0].contains("\"Alien: Covenant\""),
        "{:?}",
        mixed.notes()
    );
    // The advice followed.
    let list = r##"["Alien: Covenant", "Alien: Resurrection", "#food", "a|b"]"##;
    let names = ["Alien: Covenant", "Alien: Resurrection", "#food", "a|b"];
    assert_eq!(labels_in("l.json", list).unwrap().as_slice(), names);
    for (name, text) in [
        ("plain.txt", "# mine\ncat\n"),
        ("all.txt", "cat: a pet\ndog: a pet\n"),
    ] {
        assert_eq!(labels_in(name, text).unwrap().notes(), [""; 0]);
    }
}
