//! Dot products: one dispatcher, one file an instruction set, a scalar reference.
//!
//! | file | needs |
//! |---|---|
//! | [`scalar`] | nothing; it *defines* what the others compute |
//! | `avx2` | x86-64 with AVX2, FMA and F16C |
//! | `avx512` | x86-64 with AVX-512 F, BW, DQ, VL and VNNI |
//! | `neon` | aarch64 |
//!
//! **f32.** One product is defined to the last bit: 16 lanes, lane `l` adds up the columns
//! `l, l + 16, ..` in order, each by a fused multiply-add; then the lanes are added in a fixed tree
//! (`l` with `l + 8`, then `+ 4`, `+ 2`, `+ 1`). A wide register, two narrower ones or an array do
//! the same operations, so every instruction set, batch size and thread count gives the same bits.
//!
//! **f16.** A query in f32 and rows of halves: each half is widened, which is exact, and then the
//! product is that of f32, to the bit.
//!
//! **4 bits.** Two codes of 0 to 15 a byte, the layout of [`scalar::dot_u4`]; the kernels return
//! `sum c q`, exact.
//!
//! **int8.** A stored code is a byte `c + 128`, a query's code a signed byte `q`; the kernels return
//! `sum (c + 128) q`, exact in i32, and the caller takes `128 sum q` out.
//!
//! **1 bit.** For each of 64 vectors the sum of what tables say of each four of its bits
//! ([`scalar::sketches`]), exact in u16; and what such a scan needs next: estimates from the sums,
//! how many are above a floor, and which.
//!
//! The instruction set is chosen at run time, once. Slices are checked at the door of each
//! function, so that everything behind it may rely on their lengths.

/// The table of the functions of a module; may be used only where the processor has been found
/// to have the features that they are compiled for.
#[allow(
    unused_macros,
    clippy::allow_attributes,
    reason = "unused where only the reference is"
)]
macro_rules! kernel_table {
    ($name:literal) => {
        Kernels {
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
use kernel_table;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod scalar;

use std::fmt;
use std::sync::OnceLock;

pub use half::f16;

/// Queries that a tile multiplies at once.
pub const TILE: usize = 4;
/// Code rows are padded to a multiple of this many bytes.
pub const CODE_ALIGN: usize = 64;
/// The code of zero as it is stored.
pub const ZERO_CODE: u8 = 128;
/// Rows whose sketches lie together, byte by byte.
pub const SKETCH_ROWS: usize = 64;

type F32Rows = fn(&[f32], &[f32], &mut [f32]);
type F32At = fn(&[f32], &[f32], &[u32], &mut [f32]);
type F16Rows = fn(&[f32], &[f16], &mut [f32]);
type F16At = fn(&[f32], &[f16], &[u32], &mut [f32]);
type U8Rows = fn(&[i8], &[u8], &mut [i32]);
type U8At = fn(&[i8], &[u8], &[u32], &mut [i32]);
type Sketches = fn(&[u8], &[u8], &mut [u16]);
type Estimates = fn(&[u16], &[f32], Line, &mut [f32]);

/// What turns a sum of [`Kernels::sketches`] into an estimate: `(2 sum - total) step * factor + base`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// The largest sum there is.
    pub total: i32,
    /// What a whole number of the query stands for.
    pub step: f32,
    /// Added to each estimate.
    pub base: f32,
}

/// The dot products of one instruction set.
#[derive(Clone, Copy)]
pub struct Kernels {
    name: &'static str,
    f32_rows: F32Rows,
    f32_tile: F32Rows,
    f32_at: F32At,
    f16_rows: F16Rows,
    f16_at: F16At,
    u8_rows: U8Rows,
    u8_tile: U8Rows,
    u8_at: U8At,
    u4_at: U8At,
    sketches: Sketches,
    estimates: Estimates,
    count_from: fn(&[f32], f32) -> usize,
    ids_from: fn(&[f32], f32, &mut Vec<u32>),
}

impl Kernels {
    /// The best set that this processor has; looked up once.
    pub fn detect() -> &'static Self {
        static BEST: OnceLock<Kernels> = OnceLock::new();
        BEST.get_or_init(|| *Self::available().last().unwrap_or(&scalar::KERNELS))
    }

    /// The reference.
    pub fn scalar() -> &'static Self {
        &scalar::KERNELS
    }

    /// All sets that this processor has, the reference first and the best last.
    pub fn available() -> Vec<Self> {
        #[allow(
            unused_mut,
            clippy::allow_attributes,
            reason = "there may be nothing to add"
        )]
        let mut found = vec![scalar::KERNELS];
        // Miri interprets no vendor intrinsics.
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            found.extend(avx2::detect());
            found.extend(avx512::detect());
        }
        #[cfg(all(target_arch = "aarch64", not(miri)))]
        found.extend(neon::detect());
        found
    }

    /// The instruction set's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Dot products of `query` `[dim]` with the rows `[out.len(), dim]`.
    ///
    /// # Panics
    /// When the lengths do not fit.
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
    /// When the lengths do not fit.
    pub fn f32_tile(&self, queries: &[f32], rows: &[f32], out: &mut [f32]) {
        check_tile(queries.len(), rows.len(), out.len());
        (self.f32_tile)(queries, rows, out);
    }

    /// Dot products of `query` `[dim]` with the rows `ids` of `vectors` `[n, dim]`.
    ///
    /// # Panics
    /// When the lengths do not fit or an id is not below n.
    pub fn f32_at(&self, query: &[f32], vectors: &[f32], ids: &[u32], out: &mut [f32]) {
        check_at(query.len(), vectors.len(), ids, out.len());
        (self.f32_at)(query, vectors, ids, out);
    }

    /// As [`f32_rows`](Self::f32_rows) for rows of halves.
    ///
    /// # Panics
    /// When the lengths do not fit.
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
    /// When the lengths do not fit or an id is not below n.
    pub fn f16_at(&self, query: &[f32], rows: &[f16], ids: &[u32], out: &mut [f32]) {
        check_at(query.len(), rows.len(), ids, out.len());
        (self.f16_at)(query, rows, ids, out);
    }

    /// As [`f32_rows`](Self::f32_rows) for codes: `query` `[stride]`, `codes` `[out.len(), stride]`.
    ///
    /// # Panics
    /// When the lengths do not fit or the stride is not a multiple of [`CODE_ALIGN`].
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
    /// When the lengths do not fit or the stride is not a multiple of [`CODE_ALIGN`].
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
    /// When the lengths do not fit, an id is not below n or the stride is not a multiple of
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
    /// When the lengths do not fit, an id is not below n or the query's length is not a multiple
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
    /// `[blocks, 64]`.
    ///
    /// # Panics
    /// When the lengths do not fit, the width is not even or a table's entry is above 63.
    pub fn sketches(&self, tables: &[u8], bits: &[u8], out: &mut [u16]) {
        assert_eq!(tables.len() % 64, 0, "the width is not even");
        assert_eq!(out.len() % SKETCH_ROWS, 0, "out is not whole blocks");
        assert_eq!(
            bits.len(),
            out.len() * (tables.len() / 32),
            "bits and out do not fit"
        );
        // Not `all`: without an early end this is a few vector instructions.
        let bits_used = tables.iter().fold(0, |all, &entry| all | entry);
        assert!(bits_used < 64, "a table's entry is above 63");
        (self.sketches)(tables, bits, out);
    }

    /// The estimate of each sum, with its factor; three roundings each, the same everywhere.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn estimates(&self, sums: &[u16], factors: &[f32], line: Line, out: &mut [f32]) {
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

impl fmt::Debug for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kernels({})", self.name)
    }
}

/// Asks for the cache lines of some numbers, which will be read soon.
#[inline(always)]
pub(crate) fn prefetch<T>(soon: &[T]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    avx2::prefetch(soon);
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = soon;
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

/// The four rows from `first` on of `n` rows of `width`; past the end the last one again.
///
/// A kernel multiplies four rows at once; with this, the last few need no code of their own.
#[inline(always)]
fn four_rows<T>(rows: &[T], width: usize, first: usize, n: usize) -> [&[T]; 4] {
    let mut out: [&[T]; 4] = [&[]; 4];
    for (k, slot) in out.iter_mut().enumerate() {
        let row = (first + k).min(n - 1);
        *slot = &rows[row * width..][..width];
    }
    out
}

/// As [`four_rows`] for rows named by id.
#[inline(always)]
fn four_at<'a, T>(rows: &'a [T], width: usize, ids: &[u32], first: usize) -> [&'a [T]; 4] {
    let mut out: [&[T]; 4] = [&[]; 4];
    for (k, slot) in out.iter_mut().enumerate() {
        let row = ids[(first + k).min(ids.len() - 1)] as usize;
        *slot = &rows[row * width..][..width];
    }
    out
}

/// The four queries of a tile.
#[inline(always)]
fn four_queries<T>(queries: &[T]) -> [&[T]; 4] {
    let width = queries.len() / TILE;
    [
        &queries[..width],
        &queries[width..2 * width],
        &queries[2 * width..3 * width],
        &queries[3 * width..],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vectors(n: usize, dim: usize) -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(-100.0f32..100.0, n * dim)
    }

    /// A width, a number of rows, four queries, the rows, and ids into them.
    fn case() -> impl Strategy<Value = (usize, Vec<f32>, Vec<f32>, Vec<u32>)> {
        (1usize..100, 1usize..20).prop_flat_map(|(dim, n)| {
            let ids = prop::collection::vec(0..n as u32, 0..40);
            (Just(dim), vectors(TILE, dim), vectors(n, dim), ids)
        })
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|v| v.to_bits()).collect()
    }

    proptest! {
        #[test]
        fn all_f32_kernels_agree_to_the_bit((dim, queries, rows, ids) in case()) {
            let n = rows.len() / dim;
            let mut expected = vec![0.0; TILE * n];
            for (q, out) in queries.chunks_exact(dim).zip(expected.chunks_exact_mut(n)) {
                for (row, out) in rows.chunks_exact(dim).zip(out) {
                    *out = scalar::dot_f32(q, row);
                }
            }
            for kernels in Kernels::available() {
                let mut out = vec![0.0; TILE * n];
                kernels.f32_tile(&queries, &rows, &mut out);
                prop_assert_eq!(bits(&out), bits(&expected), "{:?} tile", kernels);
                kernels.f32_rows(&queries[..dim], &rows, &mut out[..n]);
                prop_assert_eq!(bits(&out[..n]), bits(&expected[..n]), "{:?} rows", kernels);
                let mut out = vec![0.0; ids.len()];
                kernels.f32_at(&queries[..dim], &rows, &ids, &mut out);
                let picked: Vec<f32> = ids.iter().map(|&i| expected[i as usize]).collect();
                prop_assert_eq!(bits(&out), bits(&picked), "{:?} at", kernels);
            }
        }

        #[test]
        fn the_reference_is_near_the_exact_product((dim, queries, rows, _) in case()) {
            let exact = |a: &[f32], b: &[f32]| -> (f64, f64) {
                let products = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b));
                (products.clone().sum(), products.map(f64::abs).sum())
            };
            for row in rows.chunks_exact(dim) {
                let (sum, size) = exact(&queries[..dim], row);
                let found = f64::from(scalar::dot_f32(&queries[..dim], row));
                prop_assert!((found - sum).abs() <= size * 1e-6 + 1e-30, "{found} {sum}");
            }
        }

        #[test]
        fn all_f16_kernels_agree_to_the_bit(
            (dim, queries, rows, ids) in case(),
            small in any::<bool>(),
        ) {
            let query = &queries[..dim];
            // Halves below 2^-14 have fewer digits, and an instruction could take them for zero.
            let factor = if small { 1e-7 } else { 1.0 };
            let rows: Vec<f16> = rows.iter().map(|v| f16::from_f32(v * factor)).collect();
            let wide: Vec<f32> = rows.iter().map(|h| h.to_f32()).collect();
            let expected: Vec<f32> = wide
                .chunks_exact(dim)
                .map(|row| scalar::dot_f32(query, row))
                .collect();
            for kernels in Kernels::available() {
                let mut out = vec![0.0; expected.len()];
                kernels.f16_rows(query, &rows, &mut out);
                prop_assert_eq!(bits(&out), bits(&expected), "{:?} rows", kernels);
                let mut out = vec![0.0; ids.len()];
                kernels.f16_at(query, &rows, &ids, &mut out);
                let picked: Vec<f32> = ids.iter().map(|&i| expected[i as usize]).collect();
                prop_assert_eq!(bits(&out), bits(&picked), "{:?} at", kernels);
            }
        }

        #[test]
        fn all_code_kernels_agree(
            lines in 1usize..6,
            n in 1usize..20,
            seed in any::<u64>(),
            ids in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let stride = lines * CODE_ALIGN;
            let mut state = seed | 1;
            let mut byte = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            };
            let codes: Vec<u8> = (0..n * stride).map(|_| byte()).collect();
            let queries: Vec<i8> = (0..TILE * stride).map(|_| byte() as i8).collect();
            let ids: Vec<u32> = ids.iter().map(|i| i.index(n) as u32).collect();
            let mut expected = vec![0; TILE * n];
            for (q, out) in queries.chunks_exact(stride).zip(expected.chunks_exact_mut(n)) {
                for (row, out) in codes.chunks_exact(stride).zip(out) {
                    *out = scalar::dot_u8(q, row);
                }
            }
            for kernels in Kernels::available() {
                let mut out = vec![0; TILE * n];
                kernels.u8_tile(&queries, &codes, &mut out);
                prop_assert_eq!(&out, &expected, "{:?} tile", kernels);
                kernels.u8_rows(&queries[..stride], &codes, &mut out[..n]);
                prop_assert_eq!(&out[..n], &expected[..n], "{:?} rows", kernels);
                let mut out = vec![0; ids.len()];
                kernels.u8_at(&queries[..stride], &codes, &ids, &mut out);
                let picked: Vec<i32> = ids.iter().map(|&i| expected[i as usize]).collect();
                prop_assert_eq!(&out, &picked, "{:?} at", kernels);
            }
        }
    }

    #[test]
    fn all_4_bit_kernels_agree() {
        let mut random = crate::test_vectors::Random(5);
        for blocks in 1..5 {
            let (width, n) = (blocks * CODE_ALIGN, 11);
            let codes: Vec<u8> = (0..n * width).map(|_| random.next() as u8).collect();
            let query: Vec<i8> = (0..2 * width).map(|_| random.next() as i8).collect();
            let ids: Vec<u32> = (0..37).map(|_| (random.next() % n as u64) as u32).collect();
            let expected: Vec<i32> = ids
                .iter()
                .map(|&i| scalar::dot_u4(&query, &codes[i as usize * width..][..width]))
                .collect();
            for kernels in Kernels::available() {
                for count in [0, 1, 3, 4, 37] {
                    let mut out = vec![0; count];
                    kernels.u4_at(&query, &codes, &ids[..count], &mut out);
                    assert_eq!(out, expected[..count], "{kernels:?}");
                }
            }
        }
    }

    #[test]
    fn all_1_bit_kernels_agree() {
        let mut random = crate::test_vectors::Random(6);
        for (width, blocks) in [(2, 1), (2, 5), (4, 2), (48, 3), (160, 1), (166, 2)] {
            let n = blocks * SKETCH_ROWS;
            let bits: Vec<u8> = (0..n * width).map(|_| random.next() as u8).collect();
            for low in [0, 63] {
                let tables: Vec<u8> = (0..width * 32)
                    .map(|_| random.next() as u8 & 63 | low)
                    .collect();
                let mut expected = vec![0; n];
                scalar::sketches(&tables, &bits, &mut expected);
                // The definition, once more.
                for (row, &sum) in expected.iter().enumerate() {
                    let (block, j) = (row / SKETCH_ROWS, row % SKETCH_ROWS);
                    let byte = |p: usize| usize::from(bits[(block * width + p) * SKETCH_ROWS + j]);
                    let of = |p: usize| {
                        u16::from(tables[p * 32 + (byte(p) & 15)])
                            + u16::from(tables[p * 32 + 16 + (byte(p) >> 4)])
                    };
                    assert_eq!(sum, (0..width).map(of).sum::<u16>());
                }
                for kernels in Kernels::available() {
                    let mut out = vec![0xABCD; n];
                    kernels.sketches(&tables, &bits, &mut out);
                    assert_eq!(out, expected, "{kernels:?}, width {width}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "above 63")]
    fn tables_that_would_overflow_are_refused() {
        Kernels::detect().sketches(&[64; 64], &[0; 128], &mut [0; 64]);
    }

    proptest! {
        #[test]
        fn estimates_and_selection_agree_to_the_bit(
            sums in prop::collection::vec(any::<u16>(), 0..200),
            factors in prop::collection::vec(prop_oneof![9 => -2.0f32..2.0, 1 => any::<f32>()], 200),
            total in 0i32..65_536,
            step in 0.0f32..1.0,
            base in -10.0f32..10.0,
            at in any::<prop::sample::Index>(),
        ) {
            let factors = &factors[..sums.len()];
            let line = Line { total, step, base };
            let mut values = vec![0.0; sums.len()];
            scalar::estimates(&sums, factors, line, &mut values);
            let floor = if values.is_empty() { 0.0 } else { values[at.index(values.len())] };
            let ids: Vec<u32> = (0..).zip(&values).filter(|v| *v.1 >= floor).map(|v| v.0).collect();
            for kernels in Kernels::available() {
                let mut out = vec![9.0; sums.len()];
                kernels.estimates(&sums, factors, line, &mut out);
                let same = out.iter().zip(&values).all(|(a, b)| {
                    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
                });
                prop_assert!(same, "{:?}", kernels);
                prop_assert_eq!(kernels.count_from(&values, floor), ids.len(), "{:?}", kernels);
                let mut found = vec![7];
                kernels.ids_from(&values, floor, &mut found);
                prop_assert_eq!(found[0], 7);
                prop_assert_eq!(&found[1..], &ids, "{:?}", kernels);
            }
        }
    }

    #[test]
    fn every_half_there_is_is_widened_exactly() {
        let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
        for kernels in Kernels::available() {
            let mut out = vec![0.0; halves.len()];
            kernels.f16_rows(&[1.0], &halves, &mut out);
            for (half, found) in halves.iter().zip(out) {
                // Written out: one sign, five bits of exponent less 15, ten of fraction.
                let (exponent, fraction) = (half.to_bits() >> 10 & 31, half.to_bits() & 1023);
                let size = match exponent {
                    31 if fraction > 0 => f32::NAN,
                    31 => f32::INFINITY,
                    0 => f32::from(fraction) * 2f32.powi(-24),
                    _ => f32::from(fraction + 1024) * 2f32.powi(i32::from(exponent) - 25),
                };
                let expected = if half.to_bits() >> 15 == 1 {
                    -size
                } else {
                    size
                };
                assert!(
                    found == expected || found.is_nan() && expected.is_nan(),
                    "{kernels:?}: {:#06x} is {expected}, found {found}",
                    half.to_bits()
                );
            }
        }
    }

    #[test]
    fn extreme_codes_do_not_saturate() {
        let stride = 1280;
        for (q, c) in [(-128i8, 255u8), (127, 255), (-128, 0), (127, 0)] {
            let expected = i32::from(q) * i32::from(c) * stride as i32;
            for kernels in Kernels::available() {
                let mut out = [0; 5];
                kernels.u8_rows(&vec![q; stride], &vec![c; 5 * stride], &mut out);
                assert_eq!(out, [expected; 5], "{kernels:?}");
                let mut out = [0; 5];
                kernels.u4_at(&vec![q; stride], &vec![0xFF; stride / 2], &[0; 5], &mut out);
                assert_eq!(out, [i32::from(q) * 15 * stride as i32; 5], "{kernels:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "not below")]
    fn an_id_out_of_range_is_refused() {
        Kernels::detect().u8_at(&[0; 64], &[0; 128], &[2], &mut [0]);
    }

    #[test]
    fn empty_inputs_are_fine() {
        for kernels in Kernels::available() {
            kernels.f32_rows(&[1.0], &[], &mut []);
            kernels.f32_tile(&[1.0; 4], &[], &mut []);
            kernels.f32_at(&[1.0], &[1.0], &[], &mut []);
            kernels.f16_rows(&[1.0], &[], &mut []);
            kernels.f16_at(&[1.0], &[f16::ONE], &[], &mut []);
            kernels.u8_at(&[0; 64], &[0; 64], &[], &mut []);
        }
    }
}
