//! Files and lists that are something else than labels or templates.

use super::tests::{labels_in, named};
use super::*;

#[test]
fn files_that_are_something_else_are_refused_with_what_they_seem_to_be() {
    let labels = [
        ("l.csv", "id,label\n0,tench\n", "a table in CSV"),
        (
            "l.tsv",
            "label\tdescription\ncat\ta pet\n",
            "a table with a header",
        ),
        ("l.yaml", "- cat\n- dog\n", "YAML"),
        ("l.txt", "- cat\n- dog\n", "bullet"),
        ("l.txt", "0: tench\n1: goldfish\n", "number"),
        ("l.txt", "1. tench\n2. goldfish\n", "number"),
        ("l.txt", "n01440764 tench\nn01443537 goldfish\n", "WordNet"),
        (
            "l.txt",
            "{0: 'tench',\n 1: 'goldfish'}\n",
            "part of a program",
        ),
        ("l.txt", "'cat',\n'dog',\n", "quotation marks"),
        ("l.txt", "a photo of a {}.\n", "templates"),
        ("l.json", "[\"a photo of a {}.\"]", "templates"),
        (
            "l.json",
            r#"[{"id": 1, "name": "cat"}]"#,
            "expected a list of labels",
        ),
        (
            "l.json",
            r#"{"0": ["a", "b"], "1": ["c", "d"]}"#,
            "list of classes",
        ),
        ("l.txt", "PK\u{3}\u{4}", "ZIP"),
        ("l.txt", "cat\0dog", "binary"),
        ("l.txt", "<html><li>cat</li></html>", "HTML"),
    ];
    for (name, text, seems) in labels {
        let said = labels_in(name, text).unwrap_err();
        assert!(
            said.contains(seems) && said.contains(name),
            "{text}: {said}"
        );
    }
    let templates = [
        ("t.json", "{\"a\": \"b\"}", "not a list"),
        ("t.json", "[1]", "entries are not all templates"),
        (
            "t.txt",
            "['a photo of a {}.',\n 'art of the {}.']",
            "part of a program",
        ),
        (
            "t.txt",
            "'a photo of a {}.',\n'art of the {}.',\n",
            "quotation marks",
        ),
        ("t.jsonl", "\"a photo of a {}.\"\n", "quotation marks"),
        (
            "t.txt",
            "lambda c: f'a photo of a {c}.',\n",
            "quotation marks",
        ),
        ("t.yaml", "- a photo of a {}.\n", "YAML"),
        ("t.txt", "- a photo of a {}.\n", "bullet"),
        ("t.txt", "cat\ndog\n", "or are these labels"),
        ("t.txt", "a photo of a %s.\n", "put {} or {c}"),
        ("t.txt", "a photo of a {0}.\n", "unknown placeholder {0}"),
        (
            "t.txt",
            "a photo of a {label}.\n",
            "unknown placeholder {label}",
        ),
    ];
    for (name, text, seems) in templates {
        let (_folder, path) = named(name, text);
        let said = PromptTemplates::from_file(&path).unwrap_err().to_string();
        assert!(
            said.contains(seems) && said.contains(name),
            "{text}: {said}"
        );
    }
    let (_folder, path) = named("t.json", r##"["a photo of a {}.", "# art of the {}."]"##);
    assert_eq!(
        PromptTemplates::from_file(&path).unwrap().render("x"),
        ["a photo of a x.", "# art of the x."]
    );
    let folder = tempfile::tempdir().unwrap();
    for said in [
        LabelList::from_file(folder.path()).unwrap_err().to_string(),
        PromptTemplates::from_file(folder.path())
            .unwrap_err()
            .to_string(),
    ] {
        assert!(said.contains("found a folder"), "{said}");
    }
}

#[test]
fn no_message_names_a_type() {
    for text in [
        "\"cat\"\n",
        "3\n",
        "[\"cat\"]\n",
        "{\"label\": 3}\n",
        "{\"label\": \"a\", \"names\": 3}\n",
    ] {
        let said = labels_in("l.jsonl", text).unwrap_err();
        assert!(
            said.contains("\"label\"") && said.contains("line 1"),
            "{said}"
        );
        for word in ["struct", "enum", "LabelLine", "variant"] {
            assert!(!said.contains(word), "{said}");
        }
    }
}

#[test]
fn objects_and_lists_that_hold_no_labels_where_labels_are_read_are_refused() {
    for (name, text, word) in [
        ("a.json", r#"{"labels": ["cat", "dog"]}"#, "labels"),
        ("a.json", r#"{"classes": ["cat", "dog"]}"#, "classes"),
        ("a.json", r#"{"names": {"0": "cat", "1": "dog"}}"#, "names"),
        (
            "a.json",
            r#"{"n01440764": "tench", "n01443537": "goldfish"}"#,
            "WordNet",
        ),
        ("a.json", r#"{"cat": "0", "dog": "1"}"#, "numbers"),
        ("a.json", r#"{"-1": "ground", "0": "cat"}"#, "numbers"),
        ("a.json", r#"{"0": 0, "1": 1}"#, "numbers"),
        ("a.txt", "names:\n  0: cat\n  1: dog\n", "YAML"),
        ("a.txt", "names:\n- cat\n- dog\n", "YAML"),
        ("a.txt", "cat: 0\ndog: 1\n", "number"),
        ("a.txt", "cat\t0\ndog\t1\n", "number"),
        ("a.txt", "cat,0\ndog,1\n", "number"),
        ("a.txt", "(1) cat\n(2) dog\n", "number"),
        ("a.txt", "[0] cat\n[1] dog\n", "number"),
        ("a.txt", "cat,\ndog,\n", "comma"),
        ("a.txt", "• cat\n• dog\n", "bullet"),
    ] {
        let error = labels_in(name, text)
            .map_err(|e| e.to_string())
            .unwrap_err();
        assert!(error.contains(word), "{text}: {error}");
    }
    assert_eq!(
        labels_in("a.txt", "cat\rdog\r").unwrap().as_slice(),
        ["cat", "dog"]
    );
    assert_eq!(
        labels_in("a.txt", "Apollo, 13\ncat\n")
            .unwrap()
            .as_slice()
            .len(),
        2
    );
    assert_eq!(
        labels_in("a.json", r#"{"cat": "a pet", "names": "words"}"#)
            .unwrap()
            .as_slice()
            .len(),
        2
    );
}

#[test]
fn what_is_no_list_of_names_is_refused_with_what_to_do() {
    for (name, text, seems, advice) in [
        (
            "l.txt",
            "cat,dog,horse\n",
            "several labels on one line",
            "one label a line",
        ),
        (
            "l.txt",
            "cat; dog",
            "several labels on one line",
            "JSON list",
        ),
        (
            "l.txt",
            "label\ncat\ndog\n",
            "a header",
            "take the header out",
        ),
        (
            "l.txt",
            "LABEL_0\nLABEL_1\n",
            "without class names",
            "the name of each class",
        ),
        (
            "l.json",
            r#"{"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}"#,
            "without class names",
            "name of each class",
        ),
        (
            "l.json",
            r#"["label_0", "label_1"]"#,
            "without class names",
            "the name of each class",
        ),
        (
            "l.txt",
            "n01440764\nn01443537\n",
            "WordNet",
            "the name of each class",
        ),
        (
            "l.txt",
            "{\"label\": \"cat\"}\n{\"label\": \"dog\"}\n",
            "JSON on lines",
            "name the file .jsonl",
        ),
        (
            "l.txt",
            "cat\n{\"label\": \"dog\"}\n",
            "JSON on lines",
            "name the file .jsonl",
        ),
        ("l.txt", "---\n- cat\n- dog\n", "YAML", "one label a line"),
        (
            "l.txt",
            "nc: 2\nnames: [cat, dog]\n",
            "YAML",
            "one label a line",
        ),
        (
            "l.toml",
            "labels = [\"cat\", \"dog\"]\n",
            "part of a program",
            "one label a line",
        ),
        (
            "l.txt",
            "<li>cat</li>\n<li>dog</li>\n",
            "XML",
            "one label a line",
        ),
        (
            "l.txt",
            "cat 0\ndog 1\n",
            "beside each name",
            "only the names",
        ),
        (
            "l.json",
            "\"cat\"\n\"dog\"\n",
            "JSON Lines",
            "name the file .jsonl",
        ),
        (
            "l.json",
            r#"{"classes": ["cat"], "templates": ["a {}"]}"#,
            "\"classes\" seems to hold",
            "at the top",
        ),
        (
            "l.json",
            r#"{"candidate_labels": ["cat", "dog"]}"#,
            "\"candidate_labels\" seems to hold",
            "at the top",
        ),
        (
            "l.json",
            r#"{"things": ["cat", "dog"]}"#,
            "\"things\" seems to hold",
            "at the top",
        ),
        (
            "l.json",
            r#"{"label": "cat", "prompts": ["a cat photo"]}"#,
            "one row of a JSON Lines label file",
            ".jsonl",
        ),
    ] {
        let said = labels_in(name, text).unwrap_err();
        assert!(
            said.contains(seems) && said.contains(advice),
            "{text}: {said}"
        );
    }
    // The advice followed.
    assert_eq!(
        labels_in("l.json", r#"["cat, dog"]"#).unwrap().as_slice(),
        ["cat, dog"]
    );
    assert_eq!(
        labels_in("l.json", r#"["label", "cat 1"]"#)
            .unwrap()
            .as_slice(),
        ["label", "cat 1"]
    );
    // Commas of a description are its own, and a name may hold one among others.
    assert!(labels_in("l.txt", "cat: a small, furry pet\n").is_ok());
    assert!(labels_in("l.txt", "tench, Tinca tinca\ngoldfish\n").is_ok());
}

#[test]
fn lists_of_the_command_line_are_commas_alone() {
    for (list, seems) in [
        ("cat\ndog", "several lines"),
        ("[\"cat\",\"dog\"]", "JSON"),
        ("\"cat, big\",dog", "quotation marks"),
        ("cat;dog", "semicolons"),
    ] {
        let said = LabelList::parse(list).unwrap_err().to_string();
        assert!(said.contains(seems), "{list}: {said}");
    }
    assert_eq!(
        LabelList::parse("#a,b c,d;e").unwrap().as_slice(),
        ["#a", "b c", "d;e"]
    );
}

#[test]
fn labels_that_look_the_same_are_one_label_twice() {
    for text in [
        "cat\ncat\u{200b}\n",
        "caf\u{e9}\ncafe\u{301}\n",
        "polar bear\npolar  bear\n",
        "polar bear\npolar\u{a0}bear\n",
    ] {
        let said = labels_in("l.txt", text).unwrap_err();
        assert!(said.contains("more than once"), "{text}: {said}");
    }
    let blank = labels_in("l.txt", "\u{200b}\ncat\n").unwrap_err();
    assert!(
        blank.contains("line 1: a label or a name of one is blank"),
        "{blank}"
    );
    let joined = labels_in("l.txt", "cat\n\u{feff}dog\n").unwrap();
    assert_eq!(joined.as_slice(), ["cat", "dog"]);
    let cased = labels_in("l.txt", "cat\nCAT\n").unwrap();
    assert!(
        cased.notes()[0].contains("differ only in case"),
        "{:?}",
        cased.notes()
    );
}

#[test]
fn what_stands_for_another_file_gives_no_labels_and_no_templates() {
    for (name, text, seems) in [
        (
            "l.txt",
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n",
            "Git LFS",
        ),
        (
            "l.json",
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n",
            "Git LFS",
        ),
        ("l.txt", "404: Not Found", "a server"),
        (
            "l.txt",
            "<Error><Code>AccessDenied</Code></Error>\n",
            "a server",
        ),
    ] {
        let said = labels_in(name, text).unwrap_err();
        assert!(said.contains(seems), "{said}");
        let (_folder, path) = named(name, text);
        let said = PromptTemplates::from_file(&path).unwrap_err().to_string();
        assert!(said.contains(seems), "{said}");
    }
    assert!(labels_in("l.txt", "404\nnot found\n").is_ok());
}

#[test]
fn faults_of_label_json_are_said_as_they_are() {
    for (name, text, says) in [
        (
            "l.json",
            r#"{"0":"cat","0":"dog"}"#,
            "the number 0 occurs twice",
        ),
        (
            "l.json",
            r#"{"-1":"unknown","0":"cat"}"#,
            "the number -1 is negative",
        ),
        (
            "l.json",
            r#"{"0":"cat","1":null}"#,
            "expected a name under \"1\", found null",
        ),
        (
            "l.json",
            r#"{"id2label":{"0":"cat","0":"dog"}}"#,
            "the key \"0\" under \"id2label\" occurs twice",
        ),
        (
            "l.jsonl",
            r#"{"label":"cat","prompts":"a cat"}"#,
            "expected a list, found the text \"a cat\"",
        ),
        ("l.jsonl", r#"{"label":0}"#, "found the number 0"),
    ] {
        let said = labels_in(name, text).unwrap_err();
        assert!(said.contains(says), "{said}");
    }
}
