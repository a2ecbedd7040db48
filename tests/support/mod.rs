//! What the integration tests share: the real binary, the real encoders, the quick start's real
//! pairs, and images drawn on the spot.
//!
//! The encoders and pairs come from `ASIF_HOME` (or its default), which `tools/test.sh` fills.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may panic and print, and each test binary uses its own part of this module"
)]

pub mod skipped;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use asif::home::DataFolder;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;

/// The home folder that the set-up filled; a test without it fails and says what to do.
pub fn home() -> DataFolder {
    let home = DataFolder::from_env().expect("ASIF_HOME or HOME is set");
    assert!(
        home.runtime_library().is_file() && home.models().is_dir(),
        "{}: not set up; run tools/test.sh, which does it",
        home.root().display()
    );
    home
}

/// Where the program is.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_asif")
}

/// `asif` with the set-up home and an embedding cache that the tests of one run share.
pub fn asif() -> Command {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    let cache = CACHE.get_or_init(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_asif"));
    command
        .env("ASIF_HOME", home().root())
        .env("ASIF_CACHE", cache);
    for name in [
        "ASIF_K",
        "ASIF_P",
        "ASIF_CENTER",
        "ASIF_NEGATIVES",
        "ASIF_PAPER",
        "ASIF_JSON",
    ] {
        command.env_remove(name);
    }
    command
}

/// `asif` with an empty home: what needs no encoder must not look for one.
pub fn bare(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asif"));
    command
        .env("ASIF_HOME", folder.join("home"))
        .env_remove("ASIF_CACHE")
        .env_remove("ASIF_JSON");
    command
}

/// Runs such a command on the set in `path`.
pub fn on(folder: &Path, words: &[&str], path: &Path) -> Ended {
    run(bare(folder).args(words).arg(path))
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// The standard output as one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|e| panic!("{e}\nout: {}\nerr: {}", self.out, self.err))
    }

    /// The standard output as one JSON value a line.
    pub fn json_lines(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    }

    /// Asserts success.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// Asserts an exit code, and that standard error holds one message with all these words.
    pub fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "out: {}\nerr: {}",
            self.out,
            self.err
        );
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in: {}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
        let messages = self.err.lines().filter(|l| l.starts_with("asif: ")).count();
        assert!(messages >= 1, "no message in: {}", self.err);
        self
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ended {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the command starts");
    Ended {
        code: status.code(),
        out: String::from_utf8(stdout).expect("output is UTF-8"),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// The quick start's pairs as `(image, caption, record)`, the first `n`.
pub fn demo_pairs(n: usize) -> Vec<Value> {
    let file = home().root().join("demo/pairs.jsonl");
    let text = fs_err::read_to_string(&file).expect("the set-up fetched the demo pairs");
    let mut records: Vec<Value> = text
        .lines()
        .take(n)
        .map(|l| serde_json::from_str(l).expect("a record a line"))
        .collect();
    for record in &mut records {
        let image = file.with_file_name(record["image"].as_str().expect("an image"));
        record["image"] = image.display().to_string().into();
    }
    assert_eq!(
        records.len(),
        n,
        "{} has {} pairs",
        file.display(),
        records.len()
    );
    records
}

/// Writes records as JSONL and returns the file.
pub fn write_jsonl(folder: &Path, name: &str, records: &[Value]) -> PathBuf {
    let path = folder.join(name);
    let text: String = records.iter().map(|r| format!("{r}\n")).collect();
    fs_err::write(&path, text).expect("the folder is writable");
    path
}

/// A set of 60 demo pairs, built once for all tests of a binary.
pub fn demo_set() -> &'static Path {
    static SET: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, set) = SET.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pairs = write_jsonl(folder.path(), "pairs.jsonl", &demo_pairs(60));
        let set = folder.path().join("demo.asif");
        run(asif()
            .arg("build")
            .arg("--pairs")
            .arg(pairs)
            .arg("--out")
            .arg(&set))
        .ok();
        (folder, set)
    });
    set
}

/// A picture with some structure, different for each `seed`.
pub fn drawing(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let wave = |k: u32| ((x * (k + seed)) ^ (y * (3 * k + 1))) as u8;
        Rgb([wave(1), wave(2), wave(5)])
    })
}

/// Writes a drawing; the format follows from the name.
pub fn draw(folder: &Path, name: &str, seed: u32) -> PathBuf {
    let path = folder.join(name);
    drawing(96, 64, seed)
        .save(&path)
        .expect("the folder is writable");
    path
}

/// A drawing as the bytes of a JPEG file.
pub fn jpeg(seed: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    drawing(200, 120, seed)
        .write_to(&mut bytes, ImageFormat::Jpeg)
        .expect("memory is writable");
    bytes.into_inner()
}

/// The first bytes of a PNG that claims this size, with nothing behind them.
pub fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    png.extend(13u32.to_be_bytes());
    png.extend(&chunk);
    png.extend(crc32(&chunk).to_be_bytes());
    png
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, &byte: &u8| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| {
            if c & 1 == 1 {
                0xEDB8_8320 ^ (c >> 1)
            } else {
                c >> 1
            }
        })
    };
    !bytes.iter().fold(!0, step)
}

/// Copies a folder, such as a set that is to be changed.
pub fn copy_folder(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs_err::create_dir(target).unwrap();
        } else {
            fs_err::copy(entry.path(), target).unwrap();
        }
    }
}

/// The names in a folder, hidden ones too.
pub fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs_err::read_dir(folder)
        .expect("the folder exists")
        .map(|e| {
            e.expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
