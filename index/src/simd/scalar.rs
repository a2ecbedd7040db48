//! The scalar reference, which defines what every other kernel computes.

use super::four::four_queries;
use super::{CODE_ALIGN, EstimateParams, KernelTable, SKETCH_ROWS, f16};

/// Lanes of the f32 accumulator.
pub const LANES: usize = 16;

pub(super) const KERNELS: KernelTable = KernelTable {
    name: "scalar",
    f32_rows: |query, all, out| rows(query, all, out, dot_f32),
    f32_tile: |queries, all, out| tile(queries, all, out, dot_f32),
    f32_at: |query, all, ids, out| at(query, (all, query.len()), ids, out, dot_f32),
    f16_rows: |query, all, out| rows(query, all, out, dot_f16),
    f16_at: |query, all, ids, out| at(query, (all, query.len()), ids, out, dot_f16),
    u8_rows: |query, all, out| rows(query, all, out, dot_u8),
    u8_tile: |queries, all, out| tile(queries, all, out, dot_u8),
    u8_at: |query, all, ids, out| at(query, (all, query.len()), ids, out, dot_u8),
    u4_at: |query, all, ids, out| at(query, (all, query.len() / 2), ids, out, dot_u4),
    sketches,
    estimates,
    count_from,
    ids_from,
};

/// `sum a_j b_j` in the order defined in the module documentation.
///
/// # Panics
/// When the lengths differ.
pub fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b, |b| b)
}

/// [`dot_f32`] of a vector and a row of halves: each half is widened, which is exact, and the rest is
/// the same to the bit.
///
/// # Panics
/// When the lengths differ.
pub fn dot_f16(query: &[f32], row: &[f16]) -> f32 {
    dot(query, row, f16::to_f32)
}

fn dot<T: Copy>(a: &[f32], b: &[T], widen: impl Fn(T) -> f32) -> f32 {
    assert_eq!(a.len(), b.len(), "the lengths differ");
    let mut lanes = [0.0f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        fused(&mut lanes, a, &b.map(&widen));
    }
    if !a_rest.is_empty() {
        // A masked load reads zeros past the end, and every lane takes part.
        let (mut a, mut b) = ([0.0; LANES], [0.0; LANES]);
        a[..a_rest.len()].copy_from_slice(a_rest);
        for (b, &rest) in b.iter_mut().zip(b_rest) {
            *b = widen(rest);
        }
        fused(&mut lanes, &a, &b);
    }
    // Halves are added in this order in every kernel: floats are not associative.
    for half in [8, 4, 2, 1] {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
    }
    lanes[0]
}

fn fused(lanes: &mut [f32; LANES], a: &[f32; LANES], b: &[f32; LANES]) {
    for l in 0..LANES {
        lanes[l] = a[l].mul_add(b[l], lanes[l]);
    }
}

/// `sum c_j q_j` of stored codes (offset by 128) and a query's signed codes.
///
/// # Panics
/// When the lengths differ.
pub fn dot_u8(query: &[i8], codes: &[u8]) -> i32 {
    assert_eq!(query.len(), codes.len(), "the lengths differ");
    query
        .iter()
        .zip(codes)
        .map(|(&q, &c)| i32::from(q) * i32::from(c))
        .sum()
}

/// `sum c_j q_j` of 4-bit codes: in each 64 bytes, the low halves are 64 codes and the high halves
/// the next 64.
///
/// # Panics
/// When the length of the query is not twice the number of bytes.
pub fn dot_u4(query: &[i8], codes: &[u8]) -> i32 {
    assert_eq!(query.len(), 2 * codes.len(), "the lengths differ");
    let mut sum = 0;
    for (codes, query) in codes.chunks(CODE_ALIGN).zip(query.chunks(2 * CODE_ALIGN)) {
        let (low, high) = query.split_at(codes.len());
        for ((&c, &l), &h) in codes.iter().zip(low).zip(high) {
            sum += i32::from(c & 15) * i32::from(l) + i32::from(c >> 4) * i32::from(h);
        }
    }
    sum
}

/// The products of one query with all rows.
fn rows<Q, R, S>(query: &[Q], rows: &[R], out: &mut [S], dot: impl Fn(&[Q], &[R]) -> S) {
    for (row, out) in rows.chunks_exact(query.len().max(1)).zip(out) {
        *out = dot(query, row);
    }
}

/// The products of a tile's queries with all rows.
fn tile<Q, R, S>(queries: &[Q], all: &[R], out: &mut [S], dot: impl Fn(&[Q], &[R]) -> S) {
    let n = out.len() / super::TILE;
    let outs = out.chunks_exact_mut(n.max(1));
    for (query, out) in four_queries(queries).into_iter().zip(outs) {
        rows(query, all, out, &dot);
    }
}

/// The products of one query with the rows of some ids; `width` is the length of a row.
fn at<Q, R, S>(
    query: &[Q],
    (rows, width): (&[R], usize),
    ids: &[u32],
    out: &mut [S],
    dot: impl Fn(&[Q], &[R]) -> S,
) {
    for (&id, out) in ids.iter().zip(out) {
        *out = dot(query, &rows[id as usize * width..][..width]);
    }
}

/// For each of 64 rows the sum of the entries of `tables` `[width, 2, 16]` for its bits: byte `p` of
/// row `j` in block `b` is `bits[b, p, j]`; its low half indexes table `2 p`, its high half the next.
pub fn sketches(tables: &[u8], bits: &[u8], out: &mut [u16]) {
    let width = tables.len() / 32;
    for (block, out) in bits
        .chunks_exact((width * SKETCH_ROWS).max(1))
        .zip(out.chunks_exact_mut(SKETCH_ROWS))
    {
        out.fill(0);
        for (bytes, tables) in block.chunks_exact(SKETCH_ROWS).zip(tables.chunks_exact(32)) {
            for (&byte, sum) in bytes.iter().zip(&mut *out) {
                let (low, high) = (usize::from(byte & 15), usize::from(byte >> 4));
                *sum += u16::from(tables[low]) + u16::from(tables[16 + high]);
            }
        }
    }
}

/// `(2 sum - total) step * factor + base`, rounded after each product and the sum.
///
/// The compiler makes vectors of this loop, as wide as the function it is put into may have.
#[inline(always)]
pub fn estimates(sums: &[u16], factors: &[f32], line: EstimateParams, out: &mut [f32]) {
    for ((&sum, &factor), out) in sums.iter().zip(factors).zip(out) {
        let product = (2 * i32::from(sum) - line.total) as f32;
        *out = product * line.step * factor + line.base;
    }
}

/// How many values are `floor` or more; made vectors of as [`estimates`].
#[inline(always)]
pub fn count_from(values: &[f32], floor: f32) -> usize {
    let block = |values: &[f32]| values.iter().map(|&v| u32::from(v >= floor)).sum::<u32>();
    values
        // In parts, so that 32-bit counters, which can be vectorised, do not overflow.
        .chunks(1 << 16)
        .map(|part| block(part) as usize)
        .sum()
}

/// Appends the places of the values that are `floor` or more.
pub fn ids_from(values: &[f32], floor: f32, ids: &mut Vec<u32>) {
    for (part, values) in values.chunks(16).enumerate() {
        // Few values pass, so 16 are tested at once before any is looked at.
        if values.iter().any(|&v| v >= floor) {
            let places = (16 * part as u32..).zip(values);
            ids.extend(places.filter(|(_, v)| **v >= floor).map(|(at, _)| at));
        }
    }
}
