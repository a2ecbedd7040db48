//! The header of a NumPy array (`.npy`) of f32.

use std::io;

use npyz::WriterBuilder as _;

use super::VectorTableShape;

/// The bytes before the first row.
///
/// # Errors
/// When the shape cannot be written.
pub(super) fn header(shape: VectorTableShape) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // The crate writes the header at once and numbers one by one; rows are faster as whole blocks.
    let options = npyz::WriteOptions::<f32>::new().default_dtype();
    let shape = [shape.rows, shape.dim as u64];
    drop(options.shape(&shape).writer(&mut bytes).begin_nd()?);
    Ok(bytes)
}
