//! The changes that are tried, and the sets that they change.

use std::path::{Path, PathBuf};

use asif::anchors::WriteOptions;
use asif::anchors::change::remove::{PairSelection, remove};
use asif::home::DataFolder;
use serde_json::json;

use super::skipped::{Lack, leave_out};
use super::synthetic::{pair, set};
use super::{asif, tiny_onnx};

/// A change whose every file operation fails once.
pub struct Change {
    pub template: PathBuf,
    /// The command, which the set follows.
    pub words: Vec<String>,
}

/// The changes that need no encoder.
pub fn changes(folder: &Path) -> Vec<Change> {
    let (template, other) = template(folder);
    let id = pair(5).record.id;
    let other = other.display().to_string();
    let change = |words: &[&str]| Change {
        template: template.clone(),
        words: words.iter().map(|w| (*w).to_owned()).collect(),
    };
    vec![
        change(&["anchors", "remove", "--id", &id]),
        change(&["anchors", "compact"]),
        change(&["rollback"]),
        change(&["swap", "--to", "1"]),
        change(&["swap", "--from", &other]),
        change(&["audit", "--purge"]),
    ]
}

/// A set with three generations, two of which have removed pairs, and another set.
fn template(folder: &Path) -> (PathBuf, PathBuf) {
    let path = folder.join("template.asif");
    let other = folder.join("other.asif");
    set(&path, 0..8);
    set(&other, 20..25);
    for n in [1, 2] {
        let selection = PairSelection::Ids {
            ids: [pair(n).record.id].into(),
            missing_ok: false,
        };
        remove(&path, &selection, &WriteOptions::default()).unwrap();
    }
    (path, other)
}

/// The changes that encode, with encoders of a few nodes; none where there is no ONNX Runtime.
pub fn encoding_changes(folder: &Path) -> Vec<Change> {
    let runtime = DataFolder::from_env().map(|home| home.runtime_library());
    let Some(runtime) = runtime.filter(|file| file.is_file()) else {
        leave_out(Lack::Setup, "build and add: no ONNX Runtime is set up");
        return Vec::new();
    };
    tiny_onnx::encoders(folder);
    let at = |name: &str| folder.join(name).display().to_string();
    // The captions' words, so that no two pairs are the same.
    let pairs = |name: &str, numbers: std::ops::Range<u8>| {
        let mut lines = String::new();
        for n in numbers {
            let (image, colour) = (at(&format!("{n}.png")), image::Rgb([n * 9, 255 - n, 40]));
            image::RgbImage::from_pixel(8, 8, colour)
                .save(&image)
                .unwrap();
            let caption = ["dog", "cat", "tree", "dog cat"][usize::from(n) % 4];
            lines +=
                &json!({"id": format!("p{n}"), "image": image, "caption": caption}).to_string();
            lines.push('\n');
        }
        // A row that is skipped makes one more file.
        lines += "{\"id\": \"bad\"}\n";
        fs_err::write(at(name), lines).unwrap();
        at(name)
    };
    let with = |words: &[&str], pairs: String| -> Vec<String> {
        let words = words.iter().map(|w| (*w).to_owned());
        let options = [
            ("--image-encoder", at("image")),
            ("--text-encoder", at("text")),
            ("--onnxruntime", runtime.display().to_string()),
            ("--pairs", pairs),
        ];
        let options = options.into_iter().flat_map(|(o, v)| [o.to_owned(), v]);
        words.chain(options).collect()
    };
    let template = folder.join("encoded.asif");
    let built = asif(folder)
        .args(with(&["build"], pairs("first.jsonl", 0..6)))
        .arg("--out")
        .arg(&template)
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    let mut added = with(&["anchors", "add"], pairs("more.jsonl", 6..9));
    let mut rebuilt = with(&["build", "--overwrite"], pairs("other.jsonl", 3..8));
    rebuilt.extend(["--graph", "always", "--out"].map(str::to_owned));
    // The set follows, and must be no further source.
    added.push("--".to_owned());
    [added, rebuilt]
        .map(|words| Change {
            template: template.clone(),
            words,
        })
        .into()
}
