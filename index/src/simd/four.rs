//! What a kernel multiplies at once: four rows, four queries.

use super::TILE;

/// The four rows from `first` on of `n` rows of `width`; past the end the last one again.
///
/// A kernel multiplies four rows at once; with this, the last few need no code of their own.
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
