//! The sums of a segment's vectors, `moments.sum`.

use std::path::Path;

use asif_index::container::{Container, ContainerWriter};
use asif_index::mmap::MappedFile;

use crate::anchors::error::AnchorsError;
use crate::modality::{Modality, PerModality};
use crate::space::vector::VectorSum;

/// The file kind of `moments.sum` in the container's header.
const MOMENTS_KIND: [u8; 8] = *b"ASIFSUMS";

pub(super) fn write_sums(path: &Path, sums: &PerModality<VectorSum>) -> Result<(), AnchorsError> {
    let mut file = ContainerWriter::create(path, MOMENTS_KIND)?;
    for modality in Modality::BOTH {
        let sum = &sums[modality];
        let bytes: Vec<u8> = sum.sums().iter().flat_map(|s| s.to_le_bytes()).collect();
        file.section(modality.name(), &bytes)?;
    }
    file.finish()?;
    Ok(())
}

/// Reads both sums. They are small and every answer of a centred space depends on them, so unlike the vectors
/// their checksums are compared at each open.
pub(super) fn read_sums(
    path: &Path,
    dims: PerModality<usize>,
    pairs: u64,
) -> Result<PerModality<VectorSum>, AnchorsError> {
    let file = MappedFile::open(path)?;
    let container = Container::open(file.bytes(), path, MOMENTS_KIND)?;
    container.verify()?;
    PerModality::try_of(|modality| {
        let (name, dim) = (modality.name(), dims[modality]);
        let bytes = container.section(name)?;
        let (numbers, rest) = bytes.as_chunks::<16>();
        if numbers.len() != dim || !rest.is_empty() {
            let what = format!(
                "section `{name}` has {} bytes, not {}",
                bytes.len(),
                dim * 16
            );
            return Err(AnchorsError::Damaged {
                path: path.to_owned(),
                what,
            });
        }
        let sums = numbers.iter().map(|b| i128::from_le_bytes(*b)).collect();
        Ok(VectorSum::from_parts(sums, pairs))
    })
}
