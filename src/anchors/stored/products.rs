//! The second moments of a segment on disk, `products.sum`, from which spaces are fitted, so
//! that opening or changing an anchor set does not recompute them from all vectors.
//!
//! | section | bytes | content |
//! |---|---|---|
//! | `count` | 8 | u64: the pairs summed |
//! | `x`, `y` | dim * 8 | i64: the sums of both sides' vectors, in units of 2^-15 |
//! | `xx`, `yy` | dim * (dim + 1) / 2 * 8 | i64: the sums of `x x'` and `y y'` in units of 2^-30, the rows of the upper triangle |
//! | `xy` | dx * dy * 8 | i64: the sums of `x y'`, row-major |
//!
//! A small segment has no such file: there, computing is faster than reading.

use std::path::Path;

use asif_index::VectorSet;
use asif_index::container::{Container, ContainerWriter};
use asif_index::mmap::MappedFile;
use ndarray::Array2;

use crate::anchors::error::AnchorsError;
use crate::modality::PerModality;
use crate::space::linear::Moments;

/// The file kind in the container's header.
const KIND: [u8; 8] = *b"ASIFPROD";
const FIRST: PerModality<&str> = PerModality {
    image: "x",
    text: "y",
};
const SECOND: [&str; 3] = ["xx", "yy", "xy"];
/// The index in [`SECOND`] of the product of the two modalities, which is not symmetric.
const BETWEEN: usize = 2;
/// The ratio of pairs to dimensions from which on the file is a small part of a segment.
const WORTH: usize = 4;

/// Whether a segment with this many pairs and these dimensions has the file.
pub(crate) fn worth(pairs: usize, dims: PerModality<usize>) -> bool {
    pairs >= WORTH * (dims.image + dims.text)
}

/// Writes the moments of a segment.
///
/// # Errors
/// On an I/O error.
pub(crate) fn write(path: &Path, moments: &Moments) -> Result<(), AnchorsError> {
    let (count, first, second) = moments.parts();
    let mut file = ContainerWriter::create(path, KIND)?;
    file.section("count", &count.to_le_bytes())?;
    let bytes = |numbers: &mut dyn Iterator<Item = f64>| -> Vec<u8> {
        // Integers below 2^53 are exact in f64.
        numbers.flat_map(|v| (v as i64).to_le_bytes()).collect()
    };
    for (name, sum) in FIRST.zip(first.as_ref()) {
        file.section(name, &bytes(&mut sum.iter().copied()))?;
    }
    for (at, (name, sum)) in SECOND.iter().zip(second).enumerate() {
        file.begin(*name)?;
        for (i, row) in sum.rows().into_iter().enumerate() {
            file.write(&bytes(&mut row.iter().copied().skip(start(at, i))))?;
        }
    }
    file.finish()?;
    Ok(())
}

/// Reads the moments of `pairs` pairs with vectors of these lengths, if the segment has them. Every
/// answer in a fitted space depends on them, so checksums are compared.
///
/// # Errors
/// When the file exists and is damaged or belongs to something else.
pub(crate) fn read(
    path: &Path,
    dims: PerModality<usize>,
    pairs: u64,
) -> Result<Option<Moments>, AnchorsError> {
    if crate::disk::found(path)?.is_none() {
        return Ok(None);
    }
    let file = MappedFile::open(path)?;
    let container = Container::open(file.bytes(), path, KIND)?;
    container.verify()?;
    let damaged = |what: String| AnchorsError::Damaged {
        path: path.to_owned(),
        what,
    };
    let numbers = |name: &str, expected: usize| {
        let bytes = container.section(name)?;
        let (numbers, rest) = bytes.as_chunks::<8>();
        if numbers.len() != expected || !rest.is_empty() {
            let what = format!(
                "section `{name}` has {} bytes, not {}",
                bytes.len(),
                expected * 8
            );
            return Err(damaged(what));
        }
        Ok(numbers.iter().map(|b| i64::from_le_bytes(*b)))
    };
    let count = numbers("count", 1)?.next().expect("it has one number") as u64;
    if count != pairs {
        return Err(damaged(format!("it sums {count} pairs, not {pairs}")));
    }
    let first = PerModality::try_of(|side| -> Result<Vec<f64>, AnchorsError> {
        Ok(numbers(FIRST[side], dims[side])?
            .map(|v| v as f64)
            .collect())
    })?;
    let PerModality {
        image: dx,
        text: dy,
    } = dims;
    let second = |at: usize| {
        let (rows, columns) = [(dx, dx), (dy, dy), (dx, dy)][at];
        let stored = (0..rows).map(|i| columns - start(at, i)).sum();
        let mut values = numbers(SECOND[at], stored)?;
        let mut sum = Array2::zeros((rows, columns));
        for i in 0..rows {
            for j in start(at, i)..columns {
                let value = values.next().expect("they were counted") as f64;
                sum[[i, j]] = value;
                // Only the upper triangle of a symmetric product is stored.
                if at < BETWEEN {
                    sum[[j, i]] = value;
                }
            }
        }
        Ok::<_, AnchorsError>(sum)
    };
    let second = [second(0)?, second(1)?, second(2)?];
    Ok(Some(Moments::from_parts(count, first, second)))
}

/// The offset of row `i` of a sum in the file: of symmetric sums only the upper triangle is stored.
fn start(at: usize, i: usize) -> usize {
    if at < BETWEEN { i } else { 0 }
}

/// The moments of some vectors.
pub(crate) fn of_vectors(vectors: PerModality<&VectorSet>) -> Moments {
    let mut moments = Moments::new(vectors.map(VectorSet::dim));
    moments.add(vectors.map(VectorSet::vectors));
    moments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchors::stored::layout;

    const DIMS: PerModality<usize> = PerModality { image: 3, text: 2 };

    #[test]
    fn moments_come_back_as_they_were_and_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(layout::PRODUCTS);
        assert_eq!(read(&path, DIMS, 2).unwrap(), None);
        let mut moments = Moments::new(DIMS);
        moments.add(PerModality {
            image: &[0.6, -0.8, 0.0, 0.1, 0.2, 0.9],
            text: &[1.0, 0.0, -0.6, 0.8],
        });
        write(&path, &moments).unwrap();
        assert_eq!(read(&path, DIMS, 2).unwrap(), Some(moments));
        assert!(read(&path, DIMS, 3).is_err());
        assert!(read(&path, PerModality { image: 2, text: 2 }, 2).is_err());
        let mut bytes = fs_err::read(&path).unwrap();
        let at = bytes.len() - 100;
        bytes[at] ^= 1;
        fs_err::write(&path, bytes).unwrap();
        assert!(read(&path, DIMS, 2).is_err());
    }
}
