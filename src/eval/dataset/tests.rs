use super::*;

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }
    dir
}

fn classification(dataset: Dataset) -> ClassificationTask {
    match dataset.task {
        EvaluationTask::Classification(task) => task,
        EvaluationTask::Retrieval(_) => panic!("expected classification"),
    }
}

fn names(task: &ClassificationTask) -> Vec<&str> {
    task.classes
        .iter()
        .map(|class| class.name.as_str())
        .collect()
}

#[test]
fn class_folders_are_enough() {
    let dir = folder(&[
        ("fire_engine/b.jpg", b""),
        ("fire_engine/deep/a.PNG", b""),
        ("cat/x.jpg", b""),
        ("cat/.hidden.jpg", b""),
        ("cat/notes.txt", b""),
        ("stray.jpg", b""),
    ]);
    let dataset = Dataset::load(dir.path(), None).unwrap();
    assert_eq!(
        dataset.name,
        dir.path().file_name().unwrap().to_string_lossy()
    );
    let task = classification(dataset);
    assert_eq!(names(&task), ["cat", "fire engine"]);
    assert_eq!(task.labels, [0, 1, 1]);
    assert!(task.images[2].ends_with("fire_engine/deep/a.PNG"));
    assert_eq!(task.templates, None);
}

#[test]
fn meta_and_labels_are_followed() {
    let dir = folder(&[
        (
            "meta.json",
            br#"{"name": "pets", "classes": {"d": "dog", "c": "cat", "e": "emu"},
                "templates": ["a {c}"], "license": "CC0", "note": ""}"#,
        ),
        (
            "labels.jsonl",
            b"{\"image\":\"1.jpg\",\"label\":\"d\"}\n\n{\"image\":\"2.jpg\",\"label\":\"c\"}",
        ),
        ("1.jpg", b""),
        ("2.jpg", b""),
    ]);
    let dataset = Dataset::load(dir.path(), None).unwrap();
    assert_eq!(dataset.name, "pets");
    assert_eq!(dataset.licence.as_deref(), Some("CC0"));
    assert_eq!(dataset.note, None);
    let task = classification(dataset);
    assert_eq!(names(&task), ["cat", "dog", "emu"]);
    assert_eq!(task.labels, [1, 0]);
    assert_eq!(task.templates.unwrap().render("cat"), ["a cat"]);
}

#[test]
fn class_names_can_be_overridden() {
    let dir = folder(&[
        ("set/a/1.jpg", b""),
        ("set/b/1.jpg", b""),
        ("set/c/1.jpg", b""),
        (
            "names.txt",
            "\u{feff}# mine\r\na\tape: large\r\n\r\nb: bee, small\nc,cow".as_bytes(),
        ),
    ]);
    let names_file = dir.path().join("names.txt");
    let dataset = Dataset::load(&dir.path().join("set"), Some(&names_file)).unwrap();
    assert_eq!(
        names(&classification(dataset)),
        ["ape: large", "bee, small", "cow"]
    );
}

#[test]
fn retrieval_reads_pairs() {
    let dir = folder(&[
        ("pairs.jsonl", b"{\"image\":\"1.jpg\",\"captions\":[\"x\",\"y\"]}\n{\"image\":\"2.jpg\",\"caption\":\"z\"}\n"),
        ("1.jpg", b""),
        ("2.jpg", b""),
    ]);
    let dataset = Dataset::load(dir.path(), None).unwrap();
    let EvaluationTask::Retrieval(task) = dataset.task else {
        panic!("expected retrieval")
    };
    assert_eq!(task.captions, ["x", "y", "z"]);
    assert_eq!(task.owners, [0, 0, 1]);
    assert_eq!(task.images.len(), 2);
}

#[test]
fn what_is_left_out_of_class_folders_is_counted_by_ending() {
    let jpeg: &[u8] = b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01";
    let dir = folder(&[
        ("cat/1.jpg", jpeg),
        ("cat/y.jfif", jpeg),
        ("cat/x.tif", b"II*\0"),
        ("cat/z.heic", b"\0\0\0\x18ftypheic"),
        ("cat/.hidden.jpg", jpeg),
        ("dog/1", jpeg),
        ("scans/a.tif", b"II*\0"),
        ("scans/b.TIF", b"II*\0"),
        ("stray.jpg", jpeg),
        ("meta.json", b"{}"),
    ]);
    fs_err::create_dir(dir.path().join("empty")).unwrap();
    let dataset = Dataset::load(dir.path(), None).unwrap();
    assert_eq!(
        dataset.left_out,
        [
            "class \"empty\" is left out of the labels: it has no image that can be read, it is empty",
            "class \"scans\" is left out of the labels: it has no image that can be read, it holds only \
             2 files (ending .tif 2)",
            "left out beside the class folders: 1 file (ending .jpg 1)",
            "left out of class \"cat\": 3 files (ending .heic 1, ending .tif 1, hidden 1)",
        ]
    );
    let task = classification(dataset);
    assert_eq!(names(&task), ["cat", "dog"]);
    assert_eq!(task.labels, [0, 0, 1]);
}

#[test]
fn parts_of_a_data_set_are_not_its_classes() {
    let dir = folder(&[
        ("train/cat/1.jpg", b""),
        ("val/cat/1.jpg", b""),
        ("val/dog/1.jpg", b""),
    ]);
    let said = Dataset::load(dir.path(), None).unwrap_err().to_string();
    assert!(
        said.contains("train, val") && said.contains("give one of them"),
        "{said}"
    );
    assert!(Dataset::load(&dir.path().join("val"), None).is_ok());
    let said = Dataset::load(&dir.path().join("train"), None)
        .unwrap_err()
        .to_string();
    assert!(said.contains("\"cat\" is the only class"), "{said}");
}

#[test]
fn bad_data_sets_say_what_is_wrong() {
    let cases: &[&[(&str, &[u8])]] = &[
        &[("notes.txt", b"")],
        &[("meta.json", b"{")],
        &[("meta.json", br#"{"kind": "detection"}"#)],
        &[
            ("meta.json", br#"{"templates": ["a photo"]}"#),
            ("a/1.jpg", b""),
        ],
        &[
            ("meta.json", br#"{"classes": {"a": "x", "b": "x"}}"#),
            ("a/1.jpg", b""),
        ],
        &[
            ("meta.json", br#"{"classes": {"a": "x"}}"#),
            ("1.jpg", b""),
            ("labels.jsonl", br#"{"image":"1.jpg","label":"b"}"#),
        ],
        &[("labels.jsonl", b"{\"image\":\"1.jpg\",\"label\":\"b\"}\n")],
        &[("labels.jsonl", b"\n{\"image\":\"1.jpg\"}\n")],
        &[("labels.jsonl", b"\xFF\n")],
        &[("meta.json", br#"{"kind": "retrieval"}"#)],
        &[("pairs.jsonl", br#"{"image":"1.jpg","caption":"x"}"#)],
    ];
    let say = |files: &&[(&str, &[u8])]| {
        let dir = folder(files);
        let error = Dataset::load(dir.path(), None).unwrap_err().to_string();
        error.replace(&dir.path().display().to_string(), "SET")
    };
    insta::assert_snapshot!(cases.iter().map(say).collect::<Vec<_>>().join("\n"));
}

#[test]
fn bad_class_names_say_what_is_wrong() {
    let say = |text: &[u8]| {
        let dir = folder(&[("set/a/1.jpg", b""), ("set/b/1.jpg", b""), ("names", text)]);
        let file = dir.path().join("names");
        let error = Dataset::load(&dir.path().join("set"), Some(&file)).unwrap_err();
        error
            .to_string()
            .replace(&dir.path().display().to_string(), "DIR")
    };
    let cases: [&[u8]; 6] = [
        b"a\n",
        b"c: cat\n",
        b"a: \n",
        b"a: x\na: y\n",
        b"\n\xFF\n",
        b"a: x\nb: x",
    ];
    insta::assert_snapshot!(cases.map(say).join("\n"));
}

#[test]
fn names_of_classes_that_are_no_names_are_refused_or_told_of() {
    let load = |folders: [&str; 2], meta: &str, text: Option<&str>| {
        let images = folders.map(|name| format!("set/{name}/1.jpg"));
        let dir = folder(&[
            (&images[0], b""),
            (&images[1], b""),
            ("set/meta.json", meta.as_bytes()),
            ("names.txt", text.unwrap_or_default().as_bytes()),
        ]);
        let file = dir.path().join("names.txt");
        Dataset::load(&dir.path().join("set"), text.map(|_| file.as_path()))
    };
    for (text, seems) in [
        ("a: 0: cat\nb: 1: dog\n", "a number"),
        ("a,cat,5\nb,dog,6\n", "a number"),
        ("a: 'cat',\nb: 'dog',\n", "quotation marks"),
        ("a: n02119789\nb: n02100735\n", "WordNet"),
        ("a: cat.jpg\nb: dog.jpg\n", "files"),
        ("a: a photo of a {}\nb: dog\n", "templates"),
        ("a: salt&amp;pepper\nb: dog\n", "web page"),
    ] {
        let said = load(["a", "b"], "{}", Some(text)).unwrap_err().to_string();
        assert!(
            said.contains(seems) && said.contains("names.txt") && said.contains("meta.json"),
            "{text}: {said}"
        );
    }
    let notes = |folders, meta: &str, text| load(folders, meta, text).unwrap().left_out;
    for (folders, seems) in [
        (["0", "1"], "all labels are numbers"),
        (["n02119789", "n02100735"], "WordNet ids"),
        (["001.Black_Albatross", "002.Auklet"], "a number"),
    ] {
        let said = notes(folders, "{}", None);
        assert!(said.len() == 1 && said[0].contains(seems), "{said:?}");
    }
    // The advice followed.
    let meant = r#"{"classes": {"a": "0: cat", "b": "1: dog"}}"#;
    assert!(notes(["a", "b"], meant, None)[0].contains("as written"));
    let names = r#"{"classes": {"a": "12 Monkeys", "b": "21 Grams"}}"#;
    assert_eq!(notes(["a", "b"], names, None), [""; 0]);
    let named = notes(["0", "1"], "{}", Some("0: cat\n1: dog\n"));
    assert_eq!(named, [""; 0]);
    assert_eq!(notes(["a", "b"], "{}", Some("# none\n")), [""; 0]);
}

#[test]
fn paths_that_are_no_data_set_are_refused() {
    let dir = folder(&[("file", b""), ("pairs.jsonl", b"{}"), ("names", b"")]);
    let missing = Dataset::load(&dir.path().join("gone"), None).unwrap_err();
    assert!(matches!(missing, DatasetError::Missing { .. }));
    let file = Dataset::load(&dir.path().join("file"), None).unwrap_err();
    assert!(matches!(file, DatasetError::NotAFolder { .. }));
    let names = Dataset::load(dir.path(), Some(&dir.path().join("names"))).unwrap_err();
    assert!(matches!(names, DatasetError::NoClasses { .. }));
}

/// The sets used in development, where they are present.
#[test]
fn real_sets_are_read_whole() {
    let Some(data) = pairs::test_data() else {
        return;
    };
    for (name, images, classes) in [
        ("cifar10", 500, 10),
        ("pacs-photo", 280, 7),
        ("caltech101", 1200, 100),
        ("flowers5", 200, 5),
    ] {
        let dataset = Dataset::load(&data.join("tests").join(name), None).unwrap();
        assert_eq!(dataset.name, name);
        let task = classification(dataset);
        assert_eq!(
            (task.images.len(), task.classes.len()),
            (images, classes),
            "{name}"
        );
        assert!(task.templates.is_some());
    }
    let dataset = Dataset::load(&data.join("tests/flickr8k-dev"), None).unwrap();
    let EvaluationTask::Retrieval(task) = dataset.task else {
        panic!("expected retrieval")
    };
    assert_eq!((task.images.len(), task.captions.len()), (1000, 5000));
}

#[test]
fn a_pipe_in_a_class_is_left_out_without_being_opened() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let dir = folder(&[("cat/1.jpg", b""), ("dog/1.jpg", b"")]);
    let path = dir.path().join("cat/2.jpg");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
    let filed = folders::filed(dir.path()).unwrap();
    assert_eq!(filed.labelled.len(), 2);
    assert!(filed.left_out[0].contains("pipe"), "{:?}", filed.left_out);
}

#[test]
fn a_bad_row_of_a_list_costs_that_row_and_is_named() {
    let good = "{\"image\":\"1.jpg\",\"label\":\"a\"}\n{\"image\":\"2.jpg\",\"label\":\"b\"}\n";
    for (bad, why) in [
        ("{\"image\":", "not JSON"),
        ("{\"image\":\"9.jpg\",\"label\":\"a\"}", "image not found"),
        ("{\"image\":\"1.jpg\"}", "no text under \"label\""),
        (
            "{\"image\":\"3.jpg\",\"label\":\" \"}",
            "no text under \"label\"",
        ),
        (
            "{\"image\":\"3.jpg\",\"label\":3}",
            "no text under \"label\"",
        ),
        ("[1]", "a JSON object"),
        (
            "{\"image\":\"3.jpg\",\"label\":\"a\"} {}",
            "2 values on one line",
        ),
        (
            "{\"image\":\"./1.jpg\",\"label\":\"b\"}",
            "is on row 1 already",
        ),
    ] {
        let list = format!("{good}{bad}\n\u{feff}{{\"image\":\"4.jpg\",\"label\":\"b\"}}\n");
        let dir = folder(&[
            ("labels.jsonl", list.as_bytes()),
            ("1.jpg", b""),
            ("2.jpg", b""),
            ("3.jpg", b""),
            ("4.jpg", b""),
        ]);
        let dataset = Dataset::load(dir.path(), None).unwrap();
        let left = dataset.left_out.clone();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(
            left[0].starts_with("left out, 1 of 4 rows of labels.jsonl: row 3: ")
                && left[0].contains(why),
            "{bad}: {left:?}"
        );
        assert_eq!(classification(dataset).labels, [0, 1, 1]);
    }
    let dir = folder(&[
        (
            "pairs.jsonl",
            b"{\"image\":\"1.jpg\",\"caption\":\"x\"}\n{\"image\":\"9.jpg\",\"caption\":\"x\"}\n",
        ),
        ("1.jpg", b""),
    ]);
    let dataset = Dataset::load(dir.path(), None).unwrap();
    assert!(
        dataset.left_out[0].contains("row 2: image not found"),
        "{:?}",
        dataset.left_out
    );
}
