//! What the program says and leaves behind, whatever it is given and wherever it runs.
//!
//! | file | what is tested |
//! |---|---|
//! | `control` | characters that a terminal obeys come out of no command |
//! | `caches` | a cache of embeddings that cannot be used costs time only |
//! | `surroundings` | clocks, closed outputs, limits, environments: no panic, no signal |
//! | `outputs` | what a command writes takes the place of nothing else |
//! | `lookalikes` | nor of what looks like its own: files of others, receipts, lists, what lies in `damaged/` |
//! | `purges` | a purge with every kind of trace, and its receipt |
//! | `leftovers` | a purge of what lies beside the stored pairs, and one that ends half way |
//! | `unread` | what the system refuses to show is not taken for absent |
//! | `newcomer` | what a small set is, data sets of one class, and variables of flags |
//! | `races` | two commands at once on one name |
//! | `table` | the messages themselves: exit code, and the advice followed |
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod caches;
mod control;
mod leftovers;
mod lookalikes;
mod newcomer;
#[path = "../support/newer.rs"]
mod newer;
mod outputs;
mod purges;
mod races;
#[path = "../serve_support/mod.rs"]
mod serve_support;
#[path = "../support/mod.rs"]
mod support;
mod surroundings;
mod table;
#[path = "../tiny_onnx/mod.rs"]
mod tiny_onnx;
mod unread;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{Ended, run};

/// A folder with two encoders that are loaded in no time, and a home of its own.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        tiny_onnx::encoders(folder.path());
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// `asif`, which finds the encoders by its environment.
    fn asif(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_asif"));
        self.equip(&mut command);
        command
    }

    fn equip(&self, command: &mut Command) {
        command
            .current_dir(self.path())
            .env("ASIF_HOME", self.at("home"))
            .env("ASIF_ONNXRUNTIME", support::home().runtime_library())
            .env("ASIF_IMAGE_ENCODER", self.at("image"))
            .env("ASIF_TEXT_ENCODER", self.at("text"))
            .env_remove("ASIF_CACHE")
            .env_remove("ASIF_JSON");
    }

    fn run(&self, words: &[&str]) -> Ended {
        run(self.asif().args(words))
    }

    /// A picture of one colour; another `n` is another content.
    fn picture(&self, name: &str, n: u8) -> PathBuf {
        let path = self.at(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        let colour = image::Rgb([n.wrapping_mul(37), 255 - n, n.wrapping_mul(91) ^ 40]);
        let bytes = {
            let mut bytes = std::io::Cursor::new(Vec::new());
            let picture = image::RgbImage::from_pixel(8, 8, colour);
            picture
                .write_to(&mut bytes, image::ImageFormat::Png)
                .unwrap();
            bytes.into_inner()
        };
        fs_err::write(&path, bytes).unwrap();
        path
    }

    /// A file of pairs.
    fn pairs(&self, name: &str, rows: &[Value]) -> String {
        let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
        fs_err::write(self.at(name), text).unwrap();
        name.to_owned()
    }

    /// A set of `n` plain pairs `p0`, `p1`, ... called `name`.
    fn set(&self, name: &str, n: u8) -> String {
        let rows: Vec<Value> = (0..n).map(|i| self.pair(i)).collect();
        let pairs = self.pairs(&format!("{name}.jsonl"), &rows);
        self.run(&["build", "--pairs", &pairs, "--out", name]).ok();
        name.to_owned()
    }

    fn pair(&self, n: u8) -> Value {
        let image = self.picture(&format!("plain/{n}.png"), n);
        let caption = ["dog", "cat", "tree", "dog cat", "cat tree"][usize::from(n) % 5];
        serde_json::json!({"id": format!("p{n}"), "image": image, "caption": caption})
    }
}
