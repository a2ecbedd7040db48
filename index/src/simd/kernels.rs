//! The table of one instruction set's functions, which checks lengths before it calls them.

use std::fmt;

use super::{CODE_ALIGN, SKETCH_ROWS, TILE, f16};

/// The table of the functions of a module; may be used only where the processor has been found
/// to have the features that they are compiled for.
#[allow(
    unused_macros,
    clippy::allow_attributes,
    reason = "unused where only the reference is"
)]
macro_rules! kernel_table {
    ($name:literal) => {
        KernelTable {
            name: $name,
            // SAFETY: the features are there, as the macro demands.
            f32_rows: |query, rows, out| unsafe { f32_rows(query, rows, out) },
            // SAFETY: as above.
            f32_tile: |queries, rows, out| unsafe { f32_tile(queries, rows, out) },
            // SAFETY: as above.
            f32_at: |query, vectors, ids, out| unsafe { f32_at(query, vectors, ids, out) },
            // SAFETY: as above.
            f16_rows: |query, rows, out| unsafe { f16_rows(query, rows, out) },
            // SAFETY: as above.
            f16_at: |query, rows, ids, out| unsafe { f16_at(query, rows, ids, out) },
            // SAFETY: as above.
            u8_rows: |query, codes, out| unsafe { u8_rows(query, codes, out) },
            // SAFETY: as above.
            u8_tile: |queries, codes, out| unsafe { u8_tile(queries, codes, out) },
            // SAFETY: as above.
            u8_at: |query, codes, ids, out| unsafe { u8_at(query, codes, ids, out) },
            // SAFETY: as above.
            u4_at: |query, codes, ids, out| unsafe { u4_at(query, codes, ids, out) },
            // SAFETY: as above.
            sketches: |tables, bits, out| unsafe { sketches(tables, bits, out) },
            // SAFETY: as above.
            estimates: |sums, factors, line, out| unsafe { estimates(sums, factors, line, out) },
            // SAFETY: as above.
            count_from: |values, floor| unsafe { count_from(values, floor) },
            // SAFETY: as above.
            ids_from: |values, floor, ids| unsafe { ids_from(values, floor, ids) },
        }
    };
}
#[allow(unused_imports, clippy::allow_attributes, reason = "as above")]
pub(super) use kernel_table;

type F32Rows = fn(&[f32], &[f32], &mut [f32]);
type F32At = fn(&[f32], &[f32], &[u32], &mut [f32]);
type F16Rows = fn(&[f32], &[f16], &mut [f32]);
type F16At = fn(&[f32], &[f16], &[u32], &mut [f32]);
type U8Rows = fn(&[i8], &[u8], &mut [i32]);
type U8At = fn(&[i8], &[u8], &[u32], &mut [i32]);
type SketchKernel = fn(&[u8], &[u8], &mut [u16]);
type EstimateKernel = fn(&[u16], &[f32], EstimateParams, &mut [f32]);

/// The parameters that turn a sum of [`KernelTable::sketches`] into an estimate:
/// `(2 sum - total) step * factor + base`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EstimateParams {
    /// The largest possible sum.
    pub total: i32,
    /// The value of one integer step of the query.
    pub step: f32,
    /// Added to each estimate.
    pub base: f32,
}

/// The function table of one instruction set: dot products and scans of sketches.
#[derive(Clone, Copy)]
pub struct KernelTable {
    pub(super) name: &'static str,
    pub(super) f32_rows: F32Rows,
    pub(super) f32_tile: F32Rows,
    pub(super) f32_at: F32At,
    pub(super) f16_rows: F16Rows,
    pub(super) f16_at: F16At,
    pub(super) u8_rows: U8Rows,
    pub(super) u8_tile: U8Rows,
    pub(super) u8_at: U8At,
    pub(super) u4_at: U8At,
    pub(super) sketches: SketchKernel,
    pub(super) estimates: EstimateKernel,
    pub(super) count_from: fn(&[f32], f32) -> usize,
    pub(super) ids_from: fn(&[f32], f32, &mut Vec<u32>),
}

impl KernelTable {
    /// The instruction set's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Dot products of `query` `[dim]` with the rows `[out.len(), dim]`.
    ///
    /// # Panics
    /// When the lengths do not match.
    pub fn f32_rows(&self, query: &[f32], rows: &[f32], out: &mut [f32]) {
        assert_eq!(
            rows.len(),
            out.len() * query.len(),
            "rows and out do not fit"
        );
        (self.f32_rows)(query, rows, out);
    }

    /// Dot products of four queries `[4, dim]` with the same rows `[n, dim]`; `out` is `[4, n]`.
    ///
    /// # Panics
    /// When the lengths do not match.
    pub fn f32_tile(&self, queries: &[f32], rows: &[f32], out: &mut [f32]) {
        check_tile(queries.len(), rows.len(), out.len());
        (self.f32_tile)(queries, rows, out);
    }

    /// Dot products of `query` `[dim]` with the rows `ids` of `vectors` `[n, dim]`.
    ///
    /// # Panics
    /// When the lengths do not match or an id is not below n.
    pub fn f32_at(&self, query: &[f32], vectors: &[f32], ids: &[u32], out: &mut [f32]) {
        check_at(query.len(), vectors.len(), ids, out.len());
        (self.f32_at)(query, vectors, ids, out);
    }

    /// As [`f32_rows`](Self::f32_rows) for rows of halves.
    ///
    /// # Panics
    /// When the lengths do not match.
    pub fn f16_rows(&self, query: &[f32], rows: &[f16], out: &mut [f32]) {
        assert_eq!(
            rows.len(),
            out.len() * query.len(),
            "rows and out do not fit"
        );
        (self.f16_rows)(query, rows, out);
    }

    /// As [`f32_at`](Self::f32_at) for rows of halves `[n, dim]`.
    ///
    /// # Panics
    /// When the lengths do not match or an id is not below n.
    pub fn f16_at(&self, query: &[f32], rows: &[f16], ids: &[u32], out: &mut [f32]) {
        check_at(query.len(), rows.len(), ids, out.len());
        (self.f16_at)(query, rows, ids, out);
    }

    /// As [`f32_rows`](Self::f32_rows) for codes: `query` `[stride]`, `codes` `[out.len(), stride]`.
    ///
    /// # Panics
    /// When the lengths do not match or the stride is not a multiple of [`CODE_ALIGN`].
    pub fn u8_rows(&self, query: &[i8], codes: &[u8], out: &mut [i32]) {
        assert_eq!(
            codes.len(),
            out.len() * query.len(),
            "codes and out do not fit"
        );
        assert_eq!(
            query.len() % CODE_ALIGN,
            0,
            "the stride is not a multiple of {CODE_ALIGN}"
        );
        (self.u8_rows)(query, codes, out);
    }

    /// As [`f32_tile`](Self::f32_tile) for codes.
    ///
    /// # Panics
    /// When the lengths do not match or the stride is not a multiple of [`CODE_ALIGN`].
    pub fn u8_tile(&self, queries: &[i8], codes: &[u8], out: &mut [i32]) {
        check_tile(queries.len(), codes.len(), out.len());
        assert_eq!(
            queries.len() % (TILE * CODE_ALIGN),
            0,
            "the stride does not fit"
        );
        (self.u8_tile)(queries, codes, out);
    }

    /// As [`f32_at`](Self::f32_at) for codes.
    ///
    /// # Panics
    /// When the lengths do not match, an id is not below n or the stride is not a multiple of
    /// [`CODE_ALIGN`].
    pub fn u8_at(&self, query: &[i8], codes: &[u8], ids: &[u32], out: &mut [i32]) {
        check_at(query.len(), codes.len(), ids, out.len());
        assert_eq!(
            query.len() % CODE_ALIGN,
            0,
            "the stride is not a multiple of {CODE_ALIGN}"
        );
        (self.u8_at)(query, codes, ids, out);
    }

    /// As [`u8_at`](Self::u8_at) for codes of 4 bits: `codes` has half as many bytes a row as the
    /// query has numbers.
    ///
    /// # Panics
    /// When the lengths do not match, an id is not below n or the query's length is not a multiple
    /// of twice [`CODE_ALIGN`].
    pub fn u4_at(&self, query: &[i8], codes: &[u8], ids: &[u32], out: &mut [i32]) {
        check_at(query.len() / 2, codes.len(), ids, out.len());
        assert_eq!(
            query.len() % (2 * CODE_ALIGN),
            0,
            "the query's length does not fit"
        );
        (self.u4_at)(query, codes, ids, out);
    }

    /// Sums of `tables` `[width, 2, 16]` over the bits of each row of `bits` `[blocks, width, 64]`:
    /// for the low and the high half of each byte, the table's entry of that number. `out` is
    /// `[blocks, 64]`. The caller must ensure that no sum exceeds 65,535: above it the kernels differ.
    ///
    /// # Panics
    /// When the lengths do not match, the width is not even or a table's entry is above 63.
    pub fn sketches(&self, tables: &[u8], bits: &[u8], out: &mut [u16]) {
        assert_eq!(tables.len() % 64, 0, "the width is not even");
        assert_eq!(out.len() % SKETCH_ROWS, 0, "out is not whole blocks");
        assert_eq!(
            bits.len(),
            out.len() * (tables.len() / 32),
            "bits and out do not fit"
        );
        // Not `all`: without an early exit this compiles to a few vector instructions.
        let bits_used = tables.iter().fold(0, |all, &entry| all | entry);
        assert!(bits_used < 64, "a table's entry is above 63");
        (self.sketches)(tables, bits, out);
    }

    /// The estimate of each sum, with its factor; three roundings each, the same everywhere.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn estimates(&self, sums: &[u16], factors: &[f32], line: EstimateParams, out: &mut [f32]) {
        assert_eq!(sums.len(), out.len(), "sums and out do not fit");
        assert_eq!(factors.len(), out.len(), "factors and out do not fit");
        (self.estimates)(sums, factors, line, out);
    }

    /// How many values are `floor` or more.
    pub fn count_from(&self, values: &[f32], floor: f32) -> usize {
        (self.count_from)(values, floor)
    }

    /// Appends the places of the values that are `floor` or more, ascending.
    ///
    /// # Panics
    /// When there are more values than a `u32` counts.
    pub fn ids_from(&self, values: &[f32], floor: f32, ids: &mut Vec<u32>) {
        assert!(u32::try_from(values.len()).is_ok(), "too many values");
        (self.ids_from)(values, floor, ids);
    }

    /// One dot product of f32.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn f32_dot(&self, a: &[f32], b: &[f32]) -> f32 {
        let mut out = [0.0];
        self.f32_rows(a, b, &mut out);
        out[0]
    }
}

impl fmt::Debug for KernelTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KernelTable({})", self.name)
    }
}

fn check_tile(queries: usize, rows: usize, out: usize) {
    assert_eq!(queries % TILE, 0, "a tile has {TILE} queries");
    assert_eq!(out % TILE, 0, "a tile has {TILE} rows of results");
    assert_eq!(
        rows,
        out / TILE * (queries / TILE),
        "rows and out do not fit"
    );
}

fn check_at(width: usize, len: usize, ids: &[u32], out: usize) {
    assert_eq!(ids.len(), out, "ids and out do not fit");
    let n = len.checked_div(width).unwrap_or(0);
    assert!(
        ids.iter().all(|&id| (id as usize) < n),
        "an id is not below {n}"
    );
}
