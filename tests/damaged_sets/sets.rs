//! The set that is damaged.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use asif::anchors::WriteOptions;
use asif::anchors::change::compact::compact;
use asif::anchors::change::remove::PairSelection;
use asif::anchors::change::swap::{SwapTarget, swap};
use asif::anchors::stored::plan::GraphPolicy;
use asif::home::DataFolder;
use serde_json::json;

use super::skipped::{Lack, skip};
use super::tiny_onnx;

/// A folder with encoders of a few nodes, pictures, and a set.
pub struct SetWorkshop {
    pub folder: PathBuf,
    runtime: PathBuf,
    program: PathBuf,
}

impl SetWorkshop {
    /// None where there is no ONNX Runtime, which CI has.
    pub fn new(folder: &Path, program: &Path) -> Option<Self> {
        let runtime = DataFolder::from_env().map(|home| home.runtime_library());
        let Some(runtime) = runtime.filter(|file| file.is_file()) else {
            skip(Lack::Setup, "no ONNX Runtime is set up");
            return None;
        };
        tiny_onnx::encoders(folder);
        Some(Self {
            folder: folder.to_owned(),
            runtime,
            program: program.to_owned(),
        })
    }

    /// This build of the program.
    pub fn of_this(folder: &Path) -> Option<Self> {
        Self::new(folder, Path::new(env!("CARGO_BIN_EXE_asif")))
    }

    /// Runs the program without encoders.
    pub fn plain(&self, words: &[&str], set: &Path) -> Output {
        self.command().args(words).arg(set).output().unwrap()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("ASIF_HOME", self.folder.join("home"))
            .env_remove("ASIF_JSON")
            .env_remove("ASIF_CACHE");
        command
    }

    /// Runs the program with the encoders; `words` end with what comes before the set.
    pub fn encoding(&self, words: &[&str]) -> Output {
        let at = |name: &str| self.folder.join(name);
        let mut command = self.command();
        command
            .args(words)
            .arg("--image-encoder")
            .arg(at("image"))
            .arg("--text-encoder")
            .arg(at("text"))
            .arg("--onnxruntime")
            .arg(&self.runtime);
        command.output().unwrap()
    }

    /// Pictures and a list of pairs with these numbers, and a row that is bad.
    pub fn pairs(&self, name: &str, numbers: std::ops::Range<u8>) -> String {
        let mut lines = String::new();
        for n in numbers {
            let image = self.folder.join(format!("{n}.png"));
            let colour = image::Rgb([n * 5, 255 - n * 3, (n % 7) * 30]);
            image::RgbImage::from_pixel(8, 8, colour)
                .save(&image)
                .unwrap();
            let licence = ["CC0-1.0", "CC BY 4.0"][usize::from(n) % 2];
            let caption = ["dog", "cat", "tree", "dog cat", "cat tree"][usize::from(n) % 5];
            let pair = json!({
                "id": format!("p{n}"), "image": image, "caption": caption,
                "source": format!("s{}", n % 2), "licence": licence,
            });
            lines += &format!("{pair}\n");
        }
        lines += "{\"id\": \"bad\"}\n{\"id\": \"worse\"}\n";
        let path = self.folder.join(name);
        fs_err::write(&path, lines).unwrap();
        path.display().to_string()
    }

    /// Six generations: built with graphs, added to, 21 pairs removed, rolled back, a pair removed,
    /// merged with graphs. The first two segments have as many pairs each, two generations as many
    /// removed pairs.
    pub fn set(&self, name: &str) -> PathBuf {
        let set = self.folder.join(name);
        let out = set.display().to_string();
        let [first, more] = [
            self.pairs("first.jsonl", 0..24),
            self.pairs("more.jsonl", 24..48),
        ];
        let graphs = ["--graph", "always"];
        done(self.encoding(&[&["build", "--pairs", &first, "--out", &out][..], &graphs].concat()));
        done(self.encoding(&["anchors", "add", &out, "--pairs", &more]));
        let remove = |numbers: std::ops::Range<u8>| {
            let ids = numbers.map(|n| format!("p{n}")).collect();
            let selection = PairSelection::Ids {
                ids,
                missing_ok: false,
            };
            asif::anchors::change::remove::remove(&set, &selection, &KEEP_ALL).unwrap();
        };
        remove(3..24);
        swap(&set, SwapTarget::Previous, &KEEP_ALL).unwrap();
        remove(24..45);
        compact(&set, GraphPolicy::Always, &KEEP_ALL).unwrap();
        set
    }
}

const KEEP_ALL: WriteOptions = WriteOptions {
    dry_run: false,
    keep: 9,
};

/// Asserts success.
pub fn done(output: Output) -> Output {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    output
}

/// The files of a folder by their path in it, with their bytes.
pub fn files(folder: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = fs_err::read(&path) {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
            }
        }
    }
    found
}
