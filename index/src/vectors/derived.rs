//! Derived sections of a vector set: codes, halves and sketches, computed from the vectors in the file, a few
//! megabytes at a time.

use bytemuck::Pod;
use rayon::prelude::*;

use super::layout::{CODES, HALVES, SKETCHES, VECTORS, VectorSetMeta, sketch_width_of, stride_of};
use super::quantize::quantize_row;
use super::sketch::sketch_rows;
use crate::container::{ContainerWriter, SectionName};
use crate::error::Result;
use crate::simd::{SKETCH_ROWS, f16};

/// Bytes of vectors read back at a time.
const BLOCK: usize = 4 << 20;

/// Writes the codes section from the vectors already in the file; returns the scales.
pub(super) fn write_codes(
    writer: &mut ContainerWriter,
    meta: &VectorSetMeta,
    center: &[f32],
) -> Result<Vec<f32>> {
    let stride = stride_of(meta.dim);
    let mut scales = vec![0.0f32; meta.rows as usize];
    write_derived(
        writer,
        meta,
        CODES,
        [1, stride],
        |first, vectors, codes: &mut [u8]| {
            vectors
                .par_chunks_exact(meta.dim)
                .zip(codes.par_chunks_exact_mut(stride))
                .zip(&mut scales[first..])
                // A row takes a microsecond; fewer of them would cost more in scheduling than in work.
                .with_min_len(64)
                .for_each(|((row, out), scale)| *scale = quantize_row(row, center, out));
        },
    )?;
    Ok(scales)
}

/// Writes the halves section from the vectors already in the file.
pub(super) fn write_halves(writer: &mut ContainerWriter, meta: &VectorSetMeta) -> Result<()> {
    let dim = meta.dim;
    write_derived(
        writer,
        meta,
        HALVES,
        [1, dim],
        |_, vectors, halves: &mut [f16]| {
            vectors
                .par_iter()
                .zip(halves)
                .with_min_len(64 << 10)
                .for_each(|(&v, half)| *half = f16::from_f32(v));
        },
    )
}

/// Writes the sketches from the vectors already in the file; returns each row's factor and its product
/// with the centre.
pub(super) fn write_sketches(
    writer: &mut ContainerWriter,
    meta: &VectorSetMeta,
    center: &[f32],
) -> Result<(Vec<f32>, Vec<f32>)> {
    let (dim, block) = (meta.dim, SKETCH_ROWS * sketch_width_of(meta.dim));
    let mut factors = vec![0.0f32; meta.rows as usize];
    let mut along = factors.clone();
    write_derived(
        writer,
        meta,
        SKETCHES,
        [SKETCH_ROWS, block],
        |first, vectors, bits: &mut [u8]| {
            vectors
                .par_chunks(SKETCH_ROWS * dim)
                .zip(bits.par_chunks_exact_mut(block))
                .zip(factors[first..].par_chunks_mut(SKETCH_ROWS))
                .zip(along[first..].par_chunks_mut(SKETCH_ROWS))
                .for_each(|(((rows, bits), factors), along)| {
                    let count = rows.len() / dim;
                    let numbers = [&mut factors[..count], &mut along[..count]];
                    sketch_rows(rows, dim, center, bits, numbers);
                });
        },
    )?;
    Ok((factors, along))
}

/// Writes a section of `width` values for each started group of `unit` rows, computed from the vectors
/// already in the file: `derive` gets a block's first row number, its rows and the buffer for their
/// values.
fn write_derived<T: Pod>(
    writer: &mut ContainerWriter,
    meta: &VectorSetMeta,
    section: SectionName,
    [unit, width]: [usize; 2],
    mut derive: impl FnMut(usize, &[f32], &mut [T]),
) -> Result<()> {
    let (dim, rows) = (meta.dim, meta.rows as usize);
    let per_block = (BLOCK / (dim * 4)).clamp(1, rows.max(1));
    let per_block = per_block.next_multiple_of(unit);
    let mut vectors = vec![0.0f32; per_block * dim];
    let mut derived = vec![T::zeroed(); per_block / unit * width];
    writer.begin(section)?;
    for first in (0..rows).step_by(per_block) {
        let count = per_block.min(rows - first);
        let vectors = &mut vectors[..count * dim];
        let derived = &mut derived[..count.div_ceil(unit) * width];
        let at = (first * dim * 4) as u64;
        writer.read_back(VECTORS, at, bytemuck::cast_slice_mut(vectors))?;
        derive(first, vectors, derived);
        writer.write(bytemuck::cast_slice(derived))?;
    }
    writer.end()
}
