//! AVX2 with FMA: two registers hold the 16 lanes of f32; codes are widened to 16 bits.

use std::arch::x86_64::*;

use super::{Kernels, TILE, four_at, four_queries, four_rows};

/// The kernels, if this processor has what they need.
pub(super) fn detect() -> Option<Kernels> {
    let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    has.then_some(super::kernel_table!("avx2"))
}

/// Rows ahead of the product whose lines are asked for.
const AHEAD: usize = 8;

/// Asks for all cache lines of a row. Every x86-64 processor can.
#[inline(always)]
pub(super) fn prefetch<T>(row: &[T]) {
    let start = row.as_ptr().cast::<i8>();
    for at in (0..size_of_val(row)).step_by(64) {
        // SAFETY: `at` lies inside the row; a prefetch reads nothing into the program.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.add(at)) };
    }
}

/// Asks for the lines that lie a page behind a row's.
#[inline(always)]
pub(super) fn prefetch_far<T>(row: &[T]) {
    let start = row.as_ptr().cast::<i8>();
    for at in (0..size_of_val(row)).step_by(64) {
        // SAFETY: a prefetch reads nothing into the program and never faults, and the address is
        // not computed as if it lay inside the row.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(at + 4096)) };
    }
}

/// The sum of each of four registers: lane `l` with `l + 2`, then the two that are left.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum_lanes_f32(v: [__m128; 4]) -> [f32; 4] {
    let ab = _mm_add_ps(_mm_unpacklo_ps(v[0], v[1]), _mm_unpackhi_ps(v[0], v[1]));
    let cd = _mm_add_ps(_mm_unpacklo_ps(v[2], v[3]), _mm_unpackhi_ps(v[2], v[3]));
    let sums = _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab));
    let mut out = [0.0; 4];
    // SAFETY: `out` has room for four numbers.
    unsafe { _mm_storeu_ps(out.as_mut_ptr(), sums) };
    out
}

/// The sum of each of four registers.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum_lanes_i32(v: [__m128i; 4]) -> [i32; 4] {
    let sums = _mm_hadd_epi32(_mm_hadd_epi32(v[0], v[1]), _mm_hadd_epi32(v[2], v[3]));
    let mut out = [0; 4];
    // SAFETY: `out` has room for four numbers.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), sums) };
    out
}

/// The 16 numbers at the start of a slice, zeros past its end.
#[inline]
#[target_feature(enable = "avx2")]
fn load_16(slice: &[f32]) -> [__m256; 2] {
    let mut padded = [0.0; 16];
    let start = if slice.len() >= 16 {
        slice.as_ptr()
    } else {
        padded[..slice.len()].copy_from_slice(slice);
        padded.as_ptr()
    };
    // SAFETY: `start` is the start of 16 numbers, the slice's own or `padded`.
    unsafe { [_mm256_loadu_ps(start), _mm256_loadu_ps(start.add(8))] }
}

/// Products of one query with four rows, all of one length.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn dots_f32(query: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
    let mut sums = [[_mm256_setzero_ps(); 2]; 4];
    for at in (0..query.len()).step_by(16) {
        let q = load_16(&query[at..]);
        for k in 0..4 {
            let r = load_16(&rows[k][at..]);
            sums[k][0] = _mm256_fmadd_ps(q[0], r[0], sums[k][0]);
            sums[k][1] = _mm256_fmadd_ps(q[1], r[1], sums[k][1]);
        }
    }
    let mut quarter = [_mm_setzero_ps(); 4];
    for k in 0..4 {
        let half = _mm256_add_ps(sums[k][0], sums[k][1]);
        quarter[k] = _mm_add_ps(
            _mm256_castps256_ps128(half),
            _mm256_extractf128_ps::<1>(half),
        );
    }
    sum_lanes_f32(quarter)
}

/// Products of one query with four rows of codes; the length is a multiple of 64.
#[inline]
#[target_feature(enable = "avx2")]
fn dots_u8(query: &[i8], rows: [&[u8]; 4]) -> [i32; 4] {
    debug_assert!(rows.iter().all(|s| s.len() == query.len()));
    let mut sums = [_mm256_setzero_si256(); 4];
    let mut at = 0;
    while at + 16 <= query.len() {
        // SAFETY: at + 16 <= the length of the query and of each row.
        let q = unsafe { _mm_loadu_si128(query.as_ptr().add(at).cast()) };
        let q = _mm256_cvtepi8_epi16(q);
        for k in 0..4 {
            // SAFETY: as above.
            let r = unsafe { _mm_loadu_si128(rows[k].as_ptr().add(at).cast()) };
            // 255 * 128 * 2 fits i32; the shorter `maddubs` would saturate at 16 bits.
            sums[k] = _mm256_add_epi32(sums[k], _mm256_madd_epi16(_mm256_cvtepu8_epi16(r), q));
        }
        at += 16;
    }
    let mut quarter = [_mm_setzero_si128(); 4];
    for k in 0..4 {
        let half = _mm256_extracti128_si256::<1>(sums[k]);
        quarter[k] = _mm_add_epi32(_mm256_castsi256_si128(sums[k]), half);
    }
    sum_lanes_i32(quarter)
}

#[target_feature(enable = "avx2,fma")]
fn f32_rows(query: &[f32], rows: &[f32], out: &mut [f32]) {
    let n = out.len();
    for (group, out) in out.chunks_mut(4).enumerate() {
        let sums = dots_f32(query, four_rows(rows, query.len(), 4 * group, n));
        out.copy_from_slice(&sums[..out.len()]);
    }
}

#[target_feature(enable = "avx2,fma")]
fn f32_tile(queries: &[f32], rows: &[f32], out: &mut [f32]) {
    let n = out.len() / TILE;
    let queries = four_queries(queries);
    for first in (0..n).step_by(4) {
        let rows = four_rows(rows, queries[0].len(), first, n);
        let count = (n - first).min(4);
        for (q, query) in queries.iter().enumerate() {
            let sums = dots_f32(query, rows);
            out[q * n + first..][..count].copy_from_slice(&sums[..count]);
        }
    }
}

#[target_feature(enable = "avx2,fma")]
fn f32_at(query: &[f32], vectors: &[f32], ids: &[u32], out: &mut [f32]) {
    let dim = query.len();
    for &id in ids.iter().take(AHEAD) {
        prefetch(&vectors[id as usize * dim..][..dim]);
    }
    for (group, out) in out.chunks_mut(4).enumerate() {
        for &id in ids.iter().skip(4 * group + AHEAD).take(4) {
            prefetch(&vectors[id as usize * dim..][..dim]);
        }
        let sums = dots_f32(query, four_at(vectors, dim, ids, 4 * group));
        out.copy_from_slice(&sums[..out.len()]);
    }
}

#[target_feature(enable = "avx2")]
fn u8_rows(query: &[i8], codes: &[u8], out: &mut [i32]) {
    let n = out.len();
    for (group, out) in out.chunks_mut(4).enumerate() {
        let rows = four_rows(codes, query.len(), 4 * group, n);
        for row in rows {
            prefetch_far(row);
        }
        let sums = dots_u8(query, rows);
        out.copy_from_slice(&sums[..out.len()]);
    }
}

#[target_feature(enable = "avx2")]
fn u8_tile(queries: &[i8], codes: &[u8], out: &mut [i32]) {
    let n = out.len() / TILE;
    let queries = four_queries(queries);
    for first in (0..n).step_by(4) {
        let rows = four_rows(codes, queries[0].len(), first, n);
        let count = (n - first).min(4);
        for (q, query) in queries.iter().enumerate() {
            let sums = dots_u8(query, rows);
            out[q * n + first..][..count].copy_from_slice(&sums[..count]);
        }
    }
}

#[target_feature(enable = "avx2")]
fn u8_at(query: &[i8], codes: &[u8], ids: &[u32], out: &mut [i32]) {
    let stride = query.len();
    for &id in ids.iter().take(AHEAD) {
        prefetch(&codes[id as usize * stride..][..stride]);
    }
    for (group, out) in out.chunks_mut(4).enumerate() {
        for &id in ids.iter().skip(4 * group + AHEAD).take(4) {
            prefetch(&codes[id as usize * stride..][..stride]);
        }
        let sums = dots_u8(query, four_at(codes, stride, ids, 4 * group));
        out.copy_from_slice(&sums[..out.len()]);
    }
}

/// Products of one query with four rows of 4-bit codes; the length is a multiple of 64 bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn dots_u4(query: &[i8], rows: [&[u8]; 4]) -> [i32; 4] {
    let width = query.len() / 2;
    debug_assert!(rows.iter().all(|s| s.len() == width));
    let low = _mm256_set1_epi8(15);
    let ones = _mm256_set1_epi16(1);
    let mut sums = [_mm256_setzero_si256(); 4];
    for block in (0..width).step_by(64) {
        for half in [0, 32] {
            // SAFETY: 2 * block + 64 + half + 32 <= the length of the query.
            let q = unsafe {
                let start = query.as_ptr().add(2 * block + half);
                [
                    _mm256_loadu_si256(start.cast()),
                    _mm256_loadu_si256(start.add(64).cast()),
                ]
            };
            for k in 0..4 {
                // SAFETY: block + half + 32 <= width, the length of each row.
                let r = unsafe { _mm256_loadu_si256(rows[k].as_ptr().add(block + half).cast()) };
                let high = _mm256_and_si256(_mm256_srli_epi16::<4>(r), low);
                // Four products of at most 15 * 128 fit 16 bits.
                let both = _mm256_add_epi16(
                    _mm256_maddubs_epi16(_mm256_and_si256(r, low), q[0]),
                    _mm256_maddubs_epi16(high, q[1]),
                );
                sums[k] = _mm256_add_epi32(sums[k], _mm256_madd_epi16(both, ones));
            }
        }
    }
    let mut quarter = [_mm_setzero_si128(); 4];
    for k in 0..4 {
        let half = _mm256_extracti128_si256::<1>(sums[k]);
        quarter[k] = _mm_add_epi32(_mm256_castsi256_si128(sums[k]), half);
    }
    sum_lanes_i32(quarter)
}

#[target_feature(enable = "avx2")]
fn u4_at(query: &[i8], codes: &[u8], ids: &[u32], out: &mut [i32]) {
    let width = query.len() / 2;
    for &id in ids.iter().take(2 * AHEAD) {
        prefetch(&codes[id as usize * width..][..width]);
    }
    for (group, out) in out.chunks_mut(4).enumerate() {
        for &id in ids.iter().skip(4 * group + 2 * AHEAD).take(4) {
            prefetch(&codes[id as usize * width..][..width]);
        }
        let sums = dots_u4(query, four_at(codes, width, ids, 4 * group));
        out.copy_from_slice(&sums[..out.len()]);
    }
}
