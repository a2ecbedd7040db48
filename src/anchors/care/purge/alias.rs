//! Names for what may not be named any more.

/// What the log calls a purged pair, and the value of a filter: `blake3:` and the first 32 hex digits of
/// the BLAKE3 hash of its UTF-8 bytes.
pub fn alias(id: &str) -> String {
    format!("blake3:{}", &blake3::hash(id.as_bytes()).to_hex()[..32])
}
