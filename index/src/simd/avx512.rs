//! AVX-512 with VNNI: a row of 16 numbers or 64 codes a step.

use std::arch::x86_64::*;

use super::four::{at_kernel, rows_kernel, tile_kernel};
use super::kernels::kernel_table;
use super::{EstimateParams, KernelTable, SKETCH_ROWS, f16};

/// The kernels, if this processor has the required features.
pub(super) fn detect() -> Option<KernelTable> {
    let has = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni");
    has.then_some(kernel_table!("avx512"))
}

/// How many rows ahead of the product are prefetched.
// Shorter rows are multiplied sooner, so that more of them have to be under way to hide the same latency.
const AHEAD_F32: usize = 8;
const AHEAD_F16: usize = 16;
const AHEAD_U8: usize = 24;
const AHEAD_U4: usize = 48;

/// Products of `Q` queries with four rows, all of one length.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn dots_f32<const Q: usize>(queries: [&[f32]; Q], rows: [&[f32]; 4]) -> [[f32; 4]; Q] {
    let dim = queries[0].len();
    debug_assert!(queries.iter().chain(&rows).all(|s| s.len() == dim));
    let mut sums = [[_mm512_setzero_ps(); 4]; Q];
    let mut at = 0;
    while at < dim {
        let left = dim - at;
        // A mask instead of a loop for the rest: the lanes past the end multiply zeros, as in the reference.
        let mask = if left >= 16 {
            u16::MAX
        } else {
            (1 << left) - 1
        };
        // Read once for all queries of a tile: rows come from memory, queries from the first-level cache.
        let mut r = [_mm512_setzero_ps(); 4];
        for k in 0..4 {
            // SAFETY: the mask keeps to the `dim` numbers that each slice has.
            r[k] = unsafe { _mm512_maskz_loadu_ps(mask, rows[k].as_ptr().add(at)) };
        }
        for (query, sums) in queries.iter().zip(&mut sums) {
            // SAFETY: as above.
            let q = unsafe { _mm512_maskz_loadu_ps(mask, query.as_ptr().add(at)) };
            for k in 0..4 {
                sums[k] = _mm512_fmadd_ps(q, r[k], sums[k]);
            }
        }
        at += 16;
    }
    let mut out = [[0.0; 4]; Q];
    for (sums, out) in sums.iter().zip(&mut out) {
        *out = sum_16(*sums);
    }
    out
}

/// The sum of the 16 lanes of each of four registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn sum_16(sums: [__m512; 4]) -> [f32; 4] {
    let mut quarter = [_mm_setzero_ps(); 4];
    for k in 0..4 {
        let half = _mm256_add_ps(
            _mm512_castps512_ps256(sums[k]),
            _mm512_extractf32x8_ps::<1>(sums[k]),
        );
        quarter[k] = _mm_add_ps(
            _mm256_castps256_ps128(half),
            _mm256_extractf128_ps::<1>(half),
        );
    }
    super::x86::sum_lanes_f32(quarter)
}

/// Products of one query with four rows of halves, all of one length.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn dots_f16(query: &[f32], rows: [&[f16]; 4]) -> [f32; 4] {
    let dim = query.len();
    debug_assert!(rows.iter().all(|s| s.len() == dim));
    let mut sums = [_mm512_setzero_ps(); 4];
    for at in (0..dim).step_by(16) {
        let left = dim - at;
        let mask = if left >= 16 {
            u16::MAX
        } else {
            (1 << left) - 1
        };
        // SAFETY: the mask keeps to the `dim` numbers that each slice has.
        let q = unsafe { _mm512_maskz_loadu_ps(mask, query.as_ptr().add(at)) };
        for k in 0..4 {
            // SAFETY: as above.
            let r = unsafe { _mm256_maskz_loadu_epi16(mask, rows[k].as_ptr().add(at).cast()) };
            sums[k] = _mm512_fmadd_ps(q, _mm512_cvtph_ps(r), sums[k]);
        }
    }
    sum_16(sums)
}

/// As [`dots_f32`] for codes; the length is a multiple of 64.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn dots_u8<const Q: usize>(queries: [&[i8]; Q], rows: [&[u8]; 4]) -> [[i32; 4]; Q] {
    let stride = queries[0].len();
    debug_assert!(queries.iter().all(|s| s.len() == stride));
    debug_assert!(rows.iter().all(|s| s.len() == stride));
    let mut sums = [[_mm512_setzero_si512(); 4]; Q];
    let mut at = 0;
    while at + 64 <= stride {
        let mut r = [_mm512_setzero_si512(); 4];
        for k in 0..4 {
            // SAFETY: at + 64 <= stride, the length of each slice.
            r[k] = unsafe { _mm512_loadu_si512(rows[k].as_ptr().add(at).cast()) };
        }
        for (query, sums) in queries.iter().zip(&mut sums) {
            // SAFETY: as above.
            let q = unsafe { _mm512_loadu_si512(query.as_ptr().add(at).cast()) };
            for k in 0..4 {
                // Unsigned codes times signed ones, which is why stored codes are offset; it does not saturate.
                sums[k] = _mm512_dpbusd_epi32(sums[k], r[k], q);
            }
        }
        at += 64;
    }
    let mut out = [[0; 4]; Q];
    for (sums, out) in sums.iter().zip(&mut out) {
        *out = sum_quarters(*sums);
    }
    out
}

/// The sum of the lanes of each of four registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn sum_quarters(sums: [__m512i; 4]) -> [i32; 4] {
    let mut quarter = [_mm_setzero_si128(); 4];
    for k in 0..4 {
        let half = _mm256_add_epi32(
            _mm512_castsi512_si256(sums[k]),
            _mm512_extracti64x4_epi64::<1>(sums[k]),
        );
        quarter[k] = _mm_add_epi32(
            _mm256_castsi256_si128(half),
            _mm256_extracti128_si256::<1>(half),
        );
    }
    super::x86::sum_lanes_i32(quarter)
}

rows_kernel!("avx512f,avx512bw,avx512dq,avx512vl", f32_rows(f32, f32) -> f32, 0, |query, rows| dots_f32([query], rows)[0]);
tile_kernel!("avx512f,avx512bw,avx512dq,avx512vl", f32_tile(f32, f32) -> f32, next: false,
    |queries, rows| dots_f32(queries, rows), |sums| sums);
at_kernel!("avx512f,avx512bw,avx512dq,avx512vl", f32_at(f32, f32) -> f32, packed: 1, ahead: AHEAD_F32,
    |query, rows| dots_f32([query], rows)[0]);
rows_kernel!("avx512f,avx512bw,avx512dq,avx512vl", f16_rows(f32, f16) -> f32, 0, |query, rows| dots_f16(query, rows));
at_kernel!("avx512f,avx512bw,avx512dq,avx512vl", f16_at(f32, f16) -> f32, packed: 1, ahead: AHEAD_F16,
    |query, rows| dots_f16(query, rows));
// The hardware prefetcher stops at the end of each page.
rows_kernel!("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni", u8_rows(i8, u8) -> i32, 4096, |query, rows| dots_u8([query], rows)[0]);
tile_kernel!("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni", u8_tile(i8, u8) -> i32, next: true,
    |queries, rows| dots_u8(queries, rows), |sums| sums);
at_kernel!("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni", u8_at(i8, u8) -> i32, packed: 1, ahead: AHEAD_U8,
    |query, rows| dots_u8([query], rows)[0]);

/// Products of one query with four rows of 4-bit codes; the length is a multiple of 64 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn dots_u4(query: &[i8], rows: [&[u8]; 4]) -> [i32; 4] {
    let width = query.len() / 2;
    debug_assert!(rows.iter().all(|s| s.len() == width));
    let low = _mm512_set1_epi8(15);
    let mut sums = [_mm512_setzero_si512(); 4];
    let mut at = 0;
    while at + 64 <= width {
        // SAFETY: 2 * at + 128 <= the length of the query.
        let q = unsafe {
            let start = query.as_ptr().add(2 * at);
            [
                _mm512_loadu_si512(start.cast()),
                _mm512_loadu_si512(start.add(64).cast()),
            ]
        };
        for k in 0..4 {
            // SAFETY: at + 64 <= width, the length of each row.
            let r = unsafe { _mm512_loadu_si512(rows[k].as_ptr().add(at).cast()) };
            // There is no shift of single bytes: the mask drops what comes over from the neighbour.
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(r), low);
            sums[k] = _mm512_dpbusd_epi32(sums[k], _mm512_and_si512(r, low), q[0]);
            sums[k] = _mm512_dpbusd_epi32(sums[k], high, q[1]);
        }
        at += 64;
    }
    sum_quarters(sums)
}

at_kernel!("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni", u4_at(i8, u8) -> i32, packed: 2, ahead: AHEAD_U4,
    |query, rows| dots_u4(query, rows));

/// How many bytes ahead of the bits in use are prefetched: one page, because the hardware prefetcher
/// stops at the end of a page.
const AHEAD_BITS: usize = 4096;

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn sketches(tables: &[u8], bits: &[u8], out: &mut [u16]) {
    let width = tables.len() / 32;
    let low = _mm512_set1_epi8(15);
    for (block, out) in bits
        // Chunks of 0 would panic; without columns there are no bits to read either.
        .chunks_exact((width * SKETCH_ROWS).max(1))
        .zip(out.chunks_exact_mut(SKETCH_ROWS))
    {
        let (mut all, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for (bytes, tables) in block
            .chunks_exact(2 * SKETCH_ROWS)
            .zip(tables.chunks_exact(64))
        {
            let mut sum = _mm512_setzero_si512();
            for p in 0..2 {
                // SAFETY: `bytes` has twice 64 bytes and `tables` four times 16; a prefetch reads
                // nothing into the program.
                let (b, t) = unsafe {
                    let start = bytes.as_ptr().add(SKETCH_ROWS * p);
                    _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(AHEAD_BITS).cast());
                    let t = tables.as_ptr().add(32 * p);
                    (
                        _mm512_loadu_si512(start.cast()),
                        [_mm_loadu_si128(t.cast()), _mm_loadu_si128(t.add(16).cast())],
                    )
                };
                // A shuffle looks up within each quarter of a register, so all four hold the table.
                let [t_low, t_high] = t.map(|t| _mm512_broadcast_i32x4(t));
                let high = _mm512_and_si512(_mm512_srli_epi16::<4>(b), low);
                let of_low = _mm512_shuffle_epi8(t_low, _mm512_and_si512(b, low));
                let of_high = _mm512_shuffle_epi8(t_high, high);
                sum = _mm512_add_epi8(sum, _mm512_add_epi8(of_low, of_high));
            }
            // Four entries of at most 63 fit a byte. The sums of 16 bits get the even rows' bytes
            // and 256 times the odd ones', which are subtracted at the end.
            all = _mm512_add_epi16(all, sum);
            odd = _mm512_add_epi16(odd, _mm512_srli_epi16::<8>(sum));
        }
        let even = _mm512_sub_epi16(all, _mm512_slli_epi16::<8>(odd));
        // Unpacking works inside quarters of a register; these orders make them whole again.
        let near = _mm512_unpacklo_epi16(even, odd);
        let far = _mm512_unpackhi_epi16(even, odd);
        let first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
        let second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
        // SAFETY: `out` has 64 numbers of 16 bits.
        unsafe {
            let out = out.as_mut_ptr();
            _mm512_storeu_si512(out.cast(), _mm512_permutex2var_epi64(near, first, far));
            let out = out.add(SKETCH_ROWS / 2);
            _mm512_storeu_si512(out.cast(), _mm512_permutex2var_epi64(near, second, far));
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn estimates(sums: &[u16], factors: &[f32], line: EstimateParams, out: &mut [f32]) {
    // Inlined here, and so compiled to this function's vector instructions.
    super::scalar::estimates(sums, factors, line, out);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn count_from(values: &[f32], floor: f32) -> usize {
    // Inlined, as above.
    super::scalar::count_from(values, floor)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn ids_from(values: &[f32], floor: f32, ids: &mut Vec<u32>) {
    let floor = _mm512_set1_ps(floor);
    let mut places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for values in values.chunks(16) {
        let here = if values.len() == 16 {
            u16::MAX
        } else {
            (1 << values.len()) - 1
        };
        // SAFETY: the mask limits the access to the slice.
        let v = unsafe { _mm512_maskz_loadu_ps(here, values.as_ptr()) };
        // An ordered comparison: NaN is never kept, as by `>=` in the reference.
        let from = _mm512_mask_cmp_ps_mask::<_CMP_GE_OQ>(here, v, floor);
        // The number of hits is unpredictable, so there is no branch on it: sixteen ids are written, and the
        // length grows by the number of hits.
        ids.reserve(16);
        let kept = ids.len() + from.count_ones() as usize;
        // SAFETY: there is room for sixteen more; those kept were written.
        unsafe {
            let end = ids.as_mut_ptr().add(ids.len());
            _mm512_storeu_si512(end.cast(), _mm512_maskz_compress_epi32(from, places));
            ids.set_len(kept);
        }
        places = _mm512_add_epi32(places, _mm512_set1_epi32(16));
    }
}
