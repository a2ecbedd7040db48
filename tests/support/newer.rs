//! Manifests as a newer program would write them.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

use std::path::Path;

use asif::anchors::stored::witness;

/// Replaces the first `from` in the manifest of a generation by `to`, and the program that wrote it by a newer
/// one; the checksums are what that program's would be. `CURRENT` names the generation afterwards.
pub fn rewrite_manifest(set: &Path, name: &str, from: &str, to: &str) {
    let path = set.join("generations").join(format!("{name}.json"));
    let text = fs_err::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    let text = text.replacen(from, to, 1);
    let program = format!("\"asif {}\"", env!("CARGO_PKG_VERSION"));
    let text = text.replacen(&program, "\"asif 99.0.0\"", 1);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let old = value["checksum"].as_str().unwrap();
    let zeros = text.replacen(old, &"0".repeat(old.len()), 1);
    let sum = blake3::hash(zeros.as_bytes()).to_hex().to_string();
    fs_err::write(&path, text.replacen(old, &sum, 1)).unwrap();
    fs_err::write(set.join("CURRENT"), witness::line(name, Some(&sum))).unwrap();
}
