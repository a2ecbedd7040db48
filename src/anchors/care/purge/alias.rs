//! Hashed names for purged pairs.

/// The alias of a purged pair's id or of a filter value in the log: `blake3:` and the first 32 hex digits of
/// the BLAKE3 hash of its UTF-8 bytes.
pub(crate) fn alias(id: &str) -> String {
    format!("blake3:{}", &blake3::hash(id.as_bytes()).to_hex()[..32])
}
