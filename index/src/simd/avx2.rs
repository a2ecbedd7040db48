//! AVX2 with FMA and F16C: two registers hold the 16 lanes of f32; codes are widened to 16 bits.

use std::arch::x86_64::*;

use super::four::{at_kernel, rows_kernel, tile_kernel};
use super::kernels::kernel_table;
use super::x86::{sum_lanes_f32, sum_lanes_i32};
use super::{EstimateParams, KernelTable, SKETCH_ROWS, f16};

/// The kernels, if this processor has the required features.
pub(super) fn detect() -> Option<KernelTable> {
    let has = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    has.then_some(kernel_table!("avx2"))
}

/// How many rows ahead of the product are prefetched.
const AHEAD: usize = 8;

/// The 16 numbers at the start of a slice, zeros past its end.
#[inline]
#[target_feature(enable = "avx2")]
fn load_16(slice: &[f32]) -> [__m256; 2] {
    // The reference multiplies zeros past the end as well: all 16 lanes take part, so that the bits agree.
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

/// As [`load_16`] for halves, widened.
#[inline]
#[target_feature(enable = "avx2,f16c")]
fn load_16_halves(slice: &[f16]) -> [__m256; 2] {
    let mut padded = [f16::ZERO; 16];
    let start = if slice.len() >= 16 {
        slice.as_ptr()
    } else {
        padded[..slice.len()].copy_from_slice(slice);
        padded.as_ptr()
    };
    // SAFETY: `start` is the start of 16 halves, the slice's own or `padded`.
    let (low, high) = unsafe {
        (
            _mm_loadu_si128(start.cast()),
            _mm_loadu_si128(start.add(8).cast()),
        )
    };
    [_mm256_cvtph_ps(low), _mm256_cvtph_ps(high)]
}

/// The sum of the 16 lanes of each of four accumulators.
#[inline]
#[target_feature(enable = "avx2")]
fn sum_16(sums: [[__m256; 2]; 4]) -> [f32; 4] {
    let mut quarter = [_mm_setzero_ps(); 4];
    for k in 0..4 {
        // Lane l with l + 8, then with l + 4: in the reference's order, because sums of floats depend on it.
        let half = _mm256_add_ps(sums[k][0], sums[k][1]);
        quarter[k] = _mm_add_ps(
            _mm256_castps256_ps128(half),
            _mm256_extractf128_ps::<1>(half),
        );
    }
    sum_lanes_f32(quarter)
}

/// Products of one query with four rows, all of one length.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn dots_f32(query: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
    // Each load of the query serves four rows, and eight sums that do not wait for each other hide the
    // latency of a multiply-add.
    let mut sums = [[_mm256_setzero_ps(); 2]; 4];
    for at in (0..query.len()).step_by(16) {
        let q = load_16(&query[at..]);
        for k in 0..4 {
            let r = load_16(&rows[k][at..]);
            sums[k][0] = _mm256_fmadd_ps(q[0], r[0], sums[k][0]);
            sums[k][1] = _mm256_fmadd_ps(q[1], r[1], sums[k][1]);
        }
    }
    sum_16(sums)
}

/// As [`dots_f32`] with rows of halves.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn dots_f16(query: &[f32], rows: [&[f16]; 4]) -> [f32; 4] {
    let mut sums = [[_mm256_setzero_ps(); 2]; 4];
    for at in (0..query.len()).step_by(16) {
        let q = load_16(&query[at..]);
        for k in 0..4 {
            let r = load_16_halves(&rows[k][at..]);
            sums[k][0] = _mm256_fmadd_ps(q[0], r[0], sums[k][0]);
            sums[k][1] = _mm256_fmadd_ps(q[1], r[1], sums[k][1]);
        }
    }
    sum_16(sums)
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

rows_kernel!("avx2,fma", f32_rows(f32, f32) -> f32, 0, |query, rows| dots_f32(query, rows));
tile_kernel!("avx2,fma", f32_tile(f32, f32) -> f32, next: false,
    |queries, rows| queries, |query| dots_f32(query, rows));
at_kernel!("avx2,fma", f32_at(f32, f32) -> f32, packed: 1, ahead: AHEAD,
    |query, rows| dots_f32(query, rows));
rows_kernel!("avx2,fma,f16c", f16_rows(f32, f16) -> f32, 0, |query, rows| dots_f16(query, rows));
at_kernel!("avx2,fma,f16c", f16_at(f32, f16) -> f32, packed: 1, ahead: 2 * AHEAD,
    |query, rows| dots_f16(query, rows));
// The hardware prefetcher stops at the end of each page.
rows_kernel!("avx2", u8_rows(i8, u8) -> i32, 4096, |query, rows| dots_u8(query, rows));
tile_kernel!("avx2", u8_tile(i8, u8) -> i32, next: true,
    |queries, rows| queries, |query| dots_u8(query, rows));
at_kernel!("avx2", u8_at(i8, u8) -> i32, packed: 1, ahead: AHEAD,
    |query, rows| dots_u8(query, rows));

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
                    // The high halves of these bytes are the codes 64 numbers further on: see `scalar::dot_u4`.
                    _mm256_loadu_si256(start.add(64).cast()),
                ]
            };
            for k in 0..4 {
                // SAFETY: block + half + 32 <= width, the length of each row.
                let r = unsafe { _mm256_loadu_si256(rows[k].as_ptr().add(block + half).cast()) };
                // There is no shift of single bytes: the mask drops what comes over from the neighbour.
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

at_kernel!("avx2", u4_at(i8, u8) -> i32, packed: 2, ahead: 2 * AHEAD,
    |query, rows| dots_u4(query, rows));

#[target_feature(enable = "avx2")]
fn sketches(tables: &[u8], bits: &[u8], out: &mut [u16]) {
    let width = tables.len() / 32;
    let low = _mm256_set1_epi8(15);
    for (block, out) in bits
        // Chunks of 0 would panic; without columns there are no bits to read either.
        .chunks_exact((width * SKETCH_ROWS).max(1))
        .zip(out.chunks_exact_mut(SKETCH_ROWS))
    {
        let (mut all, mut odd) = ([_mm256_setzero_si256(); 2], [_mm256_setzero_si256(); 2]);
        for (bytes, tables) in block
            .chunks_exact(2 * SKETCH_ROWS)
            .zip(tables.chunks_exact(64))
        {
            let mut sums = [_mm256_setzero_si256(); 2];
            for p in 0..2 {
                // SAFETY: `tables` has four times 16 bytes.
                let t = unsafe {
                    let t = tables.as_ptr().add(32 * p);
                    [_mm_loadu_si128(t.cast()), _mm_loadu_si128(t.add(16).cast())]
                };
                // A shuffle looks up within each half of a register, so both halves hold the table.
                let [t_low, t_high] = t.map(|t| _mm256_broadcastsi128_si256(t));
                for (h, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: `bytes` has four times 32 bytes.
                    let b = unsafe {
                        let start = bytes.as_ptr().add(SKETCH_ROWS * p + 32 * h);
                        _mm256_loadu_si256(start.cast())
                    };
                    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(b), low);
                    let of_low = _mm256_shuffle_epi8(t_low, _mm256_and_si256(b, low));
                    let of_high = _mm256_shuffle_epi8(t_high, high);
                    *sum = _mm256_add_epi8(*sum, _mm256_add_epi8(of_low, of_high));
                }
            }
            // Four entries of at most 63 fit a byte. The sums of 16 bits get the even rows' bytes
            // and 256 times the odd ones', which are subtracted at the end.
            for h in 0..2 {
                all[h] = _mm256_add_epi16(all[h], sums[h]);
                odd[h] = _mm256_add_epi16(odd[h], _mm256_srli_epi16::<8>(sums[h]));
            }
        }
        for (h, out) in out.chunks_exact_mut(SKETCH_ROWS / 2).enumerate() {
            let even = _mm256_sub_epi16(all[h], _mm256_slli_epi16::<8>(odd[h]));
            // Unpacking works inside halves of a register.
            let near = _mm256_unpacklo_epi16(even, odd[h]);
            let far = _mm256_unpackhi_epi16(even, odd[h]);
            // SAFETY: `out` has 32 numbers of 16 bits.
            unsafe {
                let out = out.as_mut_ptr();
                let first = _mm256_permute2x128_si256::<0x20>(near, far);
                let second = _mm256_permute2x128_si256::<0x31>(near, far);
                _mm256_storeu_si256(out.cast(), first);
                _mm256_storeu_si256(out.add(16).cast(), second);
            }
        }
    }
}

#[target_feature(enable = "avx2")]
fn estimates(sums: &[u16], factors: &[f32], line: EstimateParams, out: &mut [f32]) {
    // Inlined here, and so compiled to this function's vector instructions.
    super::scalar::estimates(sums, factors, line, out);
}

#[target_feature(enable = "avx2")]
fn count_from(values: &[f32], floor: f32) -> usize {
    // Inlined, as above.
    super::scalar::count_from(values, floor)
}

#[target_feature(enable = "avx2")]
fn ids_from(values: &[f32], floor: f32, ids: &mut Vec<u32>) {
    let (whole, rest) = values.as_chunks::<8>();
    let floors = _mm256_set1_ps(floor);
    for (part, values) in whole.iter().enumerate() {
        // SAFETY: there are eight numbers.
        let v = unsafe { _mm256_loadu_ps(values.as_ptr()) };
        // An ordered comparison: NaN is never kept, as by `>=` in the reference.
        let mut from = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(v, floors));
        while from != 0 {
            ids.push(8 * part as u32 + from.trailing_zeros());
            from &= from - 1;
        }
    }
    let places = (8 * whole.len() as u32..).zip(rest);
    ids.extend(places.filter(|(_, v)| **v >= floor).map(|(at, _)| at));
}
