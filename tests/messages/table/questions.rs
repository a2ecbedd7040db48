//! Labels, templates and data sets.

use super::super::Bench;
use super::models::POINTER;
use super::{ProvokedMessage, judge, told};

pub fn messages() -> Vec<ProvokedMessage> {
    let with = |more: &str| format!("classify --index a.asif plain/0.png {more}");
    let labels = |variant, file: &str, says| {
        told(
            variant,
            &with(&format!("--labels-file {file}")),
            3,
            says,
            &with("--labels-file labels.txt"),
        )
    };
    let templates = |variant, file: &str, says| {
        told(
            variant,
            &with(&format!("--labels dog,cat --templates {file}")),
            3,
            says,
            &with("--labels dog,cat --templates templates.txt"),
        )
    };
    let eval = |variant, more: &str, says| {
        told(
            variant,
            &format!("eval zeroshot --index a.asif --dataset {more}"),
            3,
            says,
            "eval zeroshot --index a.asif --dataset data",
        )
    };
    let retrieval = |variant, more: &str, says| {
        told(
            variant,
            &format!("eval retrieval --index a.asif --dataset {more}"),
            3,
            says,
            "eval retrieval --index a.asif --dataset captions",
        )
    };
    vec![
        labels(
            "PromptsError::Missing",
            "none.txt",
            &["none.txt: there is no such file"],
        ),
        labels(
            "PromptsError::Missing",
            "labels.txt/x",
            &["there is no such file"],
        ),
        labels(
            "PromptsError::FolderForFile",
            "data",
            &["give a file inside it"],
        ),
        labels(
            "PromptsError::NoLabels",
            "empty.txt",
            &["name at least one"],
        ),
        labels(
            "PromptsError::Encoding",
            "latin.txt",
            &["line 2", "save the file as UTF-8"],
        ),
        labels("PromptsError::OtherForm", "binary.txt", &["seems to be"]),
        labels(
            "PromptsError::Json",
            "bad.json",
            &["a label file in JSON is"],
        ),
        labels(
            "PromptsError::Json",
            "number.json",
            &["a label file in JSON is"],
        ),
        labels(
            "PromptsError::DuplicateLabels",
            "twice.txt",
            &["\"dog\"", "name each once"],
        ),
        told(
            "PromptsError::TooLong",
            &with(&format!("--labels dog,{}", "x".repeat(5_000))),
            3,
            &["5000 characters, at most 4096"],
            &with("--labels dog,cat"),
        ),
        told(
            "PromptsError::BlankLabel",
            &with("--labels dog,,cat"),
            3,
            &["take out the extra comma or bar (|)"],
            &with("--labels dog,cat"),
        ),
        told(
            "PromptsError::ListForm",
            &with("--labels dog;cat"),
            3,
            &[
                "separated by semicolons",
                "by commas",
                "hint: --labels-file",
            ],
            &with("--labels dog,cat"),
        ),
        templates("PromptsError::NoPlaceholder", "labels.txt", &["has no {}"]),
        templates(
            "PromptsError::UnknownPlaceholder",
            "unknown.txt",
            &["{name}", "{} or {c}"],
        ),
        templates("PromptsError::LoneBrace", "lone.txt", &["single {"]),
        templates(
            "PromptsError::NoTemplates",
            "empty.txt",
            &["such as: a photo of a {}."],
        ),
        templates("PromptsError::UnknownSet", "none", &["clip:imagenet"]),
        eval("DatasetError::Missing", "nowhere", &["no such folder"]),
        eval("DatasetError::Missing", "labels.txt/x", &["no such folder"]),
        eval(
            "DatasetError::NotAFolder",
            "labels.txt",
            &["name the folder"],
        ),
        eval(
            "DatasetError::Meta",
            "list",
            &["meta.json", "an object", "correct the file"],
        ),
        eval(
            "DatasetError::Meta",
            "kind",
            &["classification or retrieval"],
        ),
        eval(
            "DatasetError::Row",
            "data --classnames labels.txt",
            &["row 1", "a folder and a name", "correct the line"],
        ),
        eval(
            "DatasetError::NoImages",
            "rows",
            &["row 1", "no text under \"label\"", "add it"],
        ),
        eval(
            "DatasetError::StandIn",
            "pointed-rows",
            &["labels.jsonl", "`git lfs pull`"],
        ),
        eval(
            "DatasetError::StandIn",
            "pointed-meta",
            &["meta.json", "`git lfs pull`"],
        ),
        eval(
            "DatasetError::NoImages",
            "empty",
            &["a folder for each class"],
        ),
        eval(
            "DatasetError::OneClass",
            "single",
            &["\"dog\" is the only class", "two classes or more"],
        ),
        eval("DatasetError::Splits", "split", &["give one of them"]),
        eval(
            "DatasetError::SameName",
            "data --classnames same.txt",
            &["both named \"x\"", "give them distinct names"],
        ),
        eval(
            "DatasetError::NoClassFile",
            "data --classnames none.txt",
            &["none.txt: there is no such file", "`folder: name`"],
        ),
        eval(
            "DatasetError::ClassFileIsFolder",
            "data --classnames data",
            &["found a folder", "`folder: name`"],
        ),
        eval(
            "DatasetError::Templates",
            "braces",
            &["meta.json", "has no {}"],
        ),
        eval(
            "MeasureError::Task",
            "captions",
            &["hint: `asif eval retrieval`"],
        ),
        retrieval(
            "MeasureError::Task",
            "data",
            &["hint: `asif eval zeroshot`"],
        ),
        retrieval("DatasetError::Pairs", "blank", &["no pairs found"]),
        retrieval("DatasetError::Pair", "broken", &["row 1", "add it"]),
        told(
            "DatasetError::NoClasses",
            "eval zeroshot --index a.asif --dataset captions --classnames same.txt",
            3,
            &["leave the file of class names out"],
            "",
        ),
        told(
            "FitError::TooFew",
            "classify --index one.asif --labels dog,cat plain/0.png --space canonical",
            3,
            &["needs at least 2 pairs that differ"],
            "classify --index one.asif --labels dog,cat plain/0.png --space asif",
        ),
    ]
}

#[test]
fn messages_of_questions_have_their_code_and_their_advice_works() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    bench.set("one.asif", 1);
    for (n, name) in [
        "data/dog/a.png",
        "data/cat/b.png",
        "split/train/a.png",
        "split/test/b.png",
        "braces/dog/a.png",
        "single/dog/a.png",
        "list/dog/a.png",
        "kind/dog/a.png",
        "rows/a.png",
        "pointed-rows/a.png",
        "pointed-meta/dog/a.png",
        "captions/a.png",
    ]
    .into_iter()
    .enumerate()
    {
        bench.picture(name, n as u8);
    }
    for part in ["train", "test"] {
        bench.picture(&format!("split/{part}/dog/a.png"), 1);
        bench.picture(&format!("split/{part}/cat/a.png"), 2);
    }
    for (name, content) in [
        ("labels.txt", &b"dog\ncat\n"[..]),
        ("empty.txt", b"\n"),
        ("latin.txt", b"dog\nk\xe4tzchen\n"),
        ("binary.txt", b"\x7fELF\0\0\0\x01\x02\0\0"),
        ("bad.json", b"{\"dog\": "),
        ("number.json", b"{\"dog\": 7}"),
        ("twice.txt", b"dog\ndog\n"),
        ("templates.txt", b"a photo of a {}.\n"),
        ("unknown.txt", b"a {name}\n"),
        ("lone.txt", b"a { b {}\n"),
        ("same.txt", b"dog: x\ncat: x\n"),
        ("list/meta.json", b"[1]"),
        ("kind/meta.json", b"{\"kind\": \"none\"}"),
        ("rows/labels.jsonl", b"{\"image\": \"a.png\"}\n"),
        ("pointed-rows/labels.jsonl", POINTER),
        ("pointed-meta/meta.json", POINTER),
        ("braces/meta.json", b"{\"templates\": [\"a photo\"]}"),
        (
            "captions/pairs.jsonl",
            b"{\"image\": \"a.png\", \"captions\": [\"dog\", \"cat\"]}\n",
        ),
        ("blank/pairs.jsonl", b""),
        ("broken/pairs.jsonl", b"{\"image\": \"a.png\"}\n"),
    ] {
        fs_err::create_dir_all(bench.at(name).parent().unwrap()).unwrap();
        fs_err::write(bench.at(name), content).unwrap();
    }
    fs_err::create_dir(bench.at("empty")).unwrap();
    judge(&bench, messages());
}
