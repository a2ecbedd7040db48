//! The page in a real browser: the real server, real encoders, a set of real pairs, and Chromium
//! driven by `tools/page_test`. Screenshots are kept in `target/page-screenshots`.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod serve_support;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use serve_support::Server;
use support::skipped::{Lack, skip};

/// All that the quick start has: a map of a few points would show nothing.
const PAIRS: usize = 785;
const KEY: &str = "a-key-for-the-page-test";

/// A Python that has the driver, and a Chromium that starts.
fn driver() -> Result<(Command, PathBuf), String> {
    let home = support::home();
    let python = std::env::var_os("ASIF_PYTHON")
        .map_or_else(|| home.root().join("python/bin/python3"), PathBuf::from);
    let packages = home.root().join("python/page-driver");
    if !python.is_file() || !packages.join("playwright").is_dir() {
        return Err(format!("{} is not there", packages.display()));
    }
    let chromium = home.root().join("browser/chromium");
    let starts = Command::new(&chromium).arg("--version").output();
    if !starts.is_ok_and(|ran| ran.status.success()) {
        return Err(format!("{} does not start", chromium.display()));
    }
    let mut driver = Command::new(&python);
    driver
        .args(["-B", "-m", "page_test", "--packages"])
        .arg(packages);
    Ok((driver, chromium))
}

/// The caption of the pair whose picture is deleted after the set was built.
const LOST: &str = "A dog.";

/// Demo pairs of every kind, each kind a source of its own; and the picture that is to be lost.
fn pairs(folder: &Path) -> (Vec<Value>, PathBuf) {
    let mut pairs = support::demo_pairs(PAIRS);
    let mut lost = None;
    for pair in &mut pairs {
        let category = pair["category"].as_str().unwrap_or("drawings");
        pair["source"] = category.split('/').next().unwrap().into();
        if lost.is_none() && pair["captions"] == json!([LOST]) {
            let own = folder.join("lost.png");
            fs_err::copy(pair["image"].as_str().unwrap(), &own).unwrap();
            pair["image"] = json!(own);
            lost = Some(own);
        }
    }
    (pairs, lost.unwrap())
}

#[test]
fn the_page_in_chromium() {
    let (mut driver, chromium) = match driver() {
        Ok(found) => found,
        Err(reason) => {
            // The set-up cannot install a browser everywhere.
            skip(
                Lack::Elsewhere,
                &format!("{reason}; tools/test.sh sets it up"),
            );
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let (pairs, lost) = pairs(folder.path());
    let file = support::write_jsonl(folder.path(), "pairs.jsonl", &pairs);
    let set = folder.path().join("demo.asif");
    let mut build = support::asif();
    support::run(
        build
            .args(["build", "--no-thumbnails", "--pairs"])
            .arg(&file)
            .arg("--out")
            .arg(&set),
    )
    .ok();
    fs_err::remove_file(lost).unwrap();
    let key = folder.path().join("key");
    fs_err::write(&key, KEY).unwrap();
    let server = Server::start(&[("demo", &set)], &[]);
    let locked = Server::start(
        &[("demo", &set)],
        &["--api-key-file", key.to_str().unwrap()],
    );

    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../page-screenshots");
    let status = driver
        .current_dir(root.join("tools"))
        .args([
            "--url",
            &server.url(),
            "--locked",
            &locked.url(),
            "--key",
            KEY,
        ])
        .arg("--photos")
        .arg(support::home().root().join("demo/photos"))
        .arg("--set")
        .arg(&set)
        .arg("--asif")
        .arg(env!("CARGO_BIN_EXE_asif"))
        .args(["--lost", LOST])
        .arg("--chromium")
        .arg(chromium)
        .arg("--out")
        .arg(out)
        .status()
        .unwrap();
    assert!(
        status.success(),
        "the output above says what failed: {status}"
    );
}
