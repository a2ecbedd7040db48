//! The hash of records and vectors that names a segment.

use crate::modality::PerModality;

/// The hash of records and vectors that names a segment.
#[derive(Debug, Default)]
pub(super) struct ContentHash {
    hasher: blake3::Hasher,
    /// Buffer for a vector's bytes: one hasher call per vector, not per number.
    bytes: Vec<u8>,
}

impl ContentHash {
    pub(super) fn pair(&mut self, record: &[u8], vectors: PerModality<&[f32]>) {
        self.hasher.update(record);
        for vector in vectors {
            self.bytes.clear();
            self.bytes
                .extend(vector.iter().flat_map(|x| x.to_le_bytes()));
            self.hasher.update(&self.bytes);
        }
    }

    pub(super) fn name(&self) -> String {
        format!("s{}", &self.hasher.finalize().to_hex()[..16])
    }
}
