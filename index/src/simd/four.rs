//! The loops around a vector kernel, which multiplies four rows or four queries at once.
#![allow(
    unused_macros,
    unused_imports,
    clippy::allow_attributes,
    reason = "unused where only the reference is"
)]

use super::{TILE, prefetch};

/// The four rows from `first` on of `n` rows of `width`; past the end the last row is repeated.
///
/// A kernel multiplies four rows at once; the padding avoids separate code for the last few.
#[inline(always)]
pub(super) fn four_rows<T>(rows: &[T], width: usize, first: usize, n: usize) -> [&[T]; 4] {
    let mut out: [&[T]; 4] = [&[]; 4];
    for (k, slot) in out.iter_mut().enumerate() {
        let row = (first + k).min(n - 1);
        *slot = &rows[row * width..][..width];
    }
    out
}

/// As [`four_rows`] for rows named by id.
#[inline(always)]
pub(super) fn four_at<'a, T>(
    rows: &'a [T],
    width: usize,
    ids: &[u32],
    first: usize,
) -> [&'a [T]; 4] {
    let mut out: [&[T]; 4] = [&[]; 4];
    for (k, slot) in out.iter_mut().enumerate() {
        let row = ids[(first + k).min(ids.len() - 1)] as usize;
        *slot = &rows[row * width..][..width];
    }
    out
}

/// The four queries of a tile.
#[inline(always)]
pub(super) fn four_queries<T>(queries: &[T]) -> [&[T]; 4] {
    let width = queries.len() / TILE;
    [
        &queries[..width],
        &queries[width..2 * width],
        &queries[2 * width..3 * width],
        &queries[3 * width..],
    ]
}

/// Prefetches the rows of some ids.
#[inline(always)]
pub(super) fn prefetch_at<'a, T>(rows: &[T], width: usize, ids: impl Iterator<Item = &'a u32>) {
    for &id in ids {
        prefetch(&rows[id as usize * width..][..width]);
    }
}

// The loops around the products are macros instead of functions that take the product as a closure: a
// function is compiled for the baseline processor, and code that needs a target feature is not inlined
// into it.

/// Makes a kernel of one query and all rows of `|query, four rows| -> four products`.
///
/// Prefetches the lines at the given distance in bytes after each row; none for 0.
macro_rules! rows_kernel {
    ($features:literal, $name:ident($query:ty, $row:ty) -> $out:ty, $behind:expr,
     |$one:ident, $four:ident| $sums:expr) => {
        #[target_feature(enable = $features)]
        fn $name($one: &[$query], rows: &[$row], out: &mut [$out]) {
            let n = out.len();
            for (group, out) in out.chunks_mut(4).enumerate() {
                let $four = $crate::simd::four::four_rows(rows, $one.len(), 4 * group, n);
                for row in $four {
                    $crate::simd::prefetch_behind(row, $behind);
                }
                let sums = $sums;
                out.copy_from_slice(&sums[..out.len()]);
            }
        }
    };
}

/// Makes a kernel of a tile's four queries and all rows from `|four queries, four rows| -> list`, with
/// one item for each query, and `|item| -> four products`. The items are the queries if a product takes
/// one query at a time, and the products if it takes all four at once.
///
/// `next` is whether the same number of rows follows and is prefetched.
macro_rules! tile_kernel {
    ($features:literal, $name:ident($query:ty, $row:ty) -> $out:ty, next: $next:literal,
     |$queries:ident, $four:ident| $list:expr, |$one:ident| $sums:expr) => {
        #[target_feature(enable = $features)]
        fn $name(queries: &[$query], rows: &[$row], out: &mut [$out]) {
            let n = out.len() / $crate::simd::TILE;
            let behind = if $next { size_of_val(rows) } else { 0 };
            let $queries = $crate::simd::four::four_queries(queries);
            for first in (0..n).step_by(4) {
                let $four = $crate::simd::four::four_rows(rows, $queries[0].len(), first, n);
                for row in $four {
                    $crate::simd::prefetch_behind(row, behind);
                }
                let count = (n - first).min(4);
                for (q, $one) in $list.into_iter().enumerate() {
                    let sums = $sums;
                    out[q * n + first..][..count].copy_from_slice(&sums[..count]);
                }
            }
        }
    };
}

/// Makes a kernel of one query and the rows of some ids, as [`rows_kernel`] does.
///
/// The parameters are how many numbers of the query correspond to one of a row, and how many rows ahead are
/// prefetched.
macro_rules! at_kernel {
    ($features:literal, $name:ident($query:ty, $row:ty) -> $out:ty, packed: $packed:expr,
     ahead: $ahead:expr, |$one:ident, $four:ident| $sums:expr) => {
        #[target_feature(enable = $features)]
        fn $name($one: &[$query], rows: &[$row], ids: &[u32], out: &mut [$out]) {
            let (packed, ahead): (usize, usize) = ($packed, $ahead);
            let width = $one.len() / packed;
            $crate::simd::four::prefetch_at(rows, width, ids.iter().take(ahead));
            for (group, out) in out.chunks_mut(4).enumerate() {
                if ahead > 0 {
                    let next = ids.iter().skip(4 * group + ahead).take(4);
                    $crate::simd::four::prefetch_at(rows, width, next);
                }
                let $four = $crate::simd::four::four_at(rows, width, ids, 4 * group);
                let sums = $sums;
                out.copy_from_slice(&sums[..out.len()]);
            }
        }
    };
}

pub(super) use {at_kernel, rows_kernel, tile_kernel};
