//! What the x86-64 kernels share.

use std::arch::x86_64::*;

/// Asks for all cache lines of a row. Every x86-64 processor can.
#[inline(always)]
pub(super) fn prefetch<T>(row: &[T]) {
    let start = row.as_ptr().cast::<i8>();
    for at in (0..size_of_val(row)).step_by(64) {
        // SAFETY: `at` lies inside the row; a prefetch reads nothing into the program.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.add(at)) };
    }
}

/// Prefetches the lines at this distance in bytes after a row.
#[inline(always)]
pub(super) fn prefetch_behind<T>(row: &[T], bytes: usize) {
    let start = row.as_ptr().cast::<i8>();
    for at in (0..size_of_val(row)).step_by(64) {
        // SAFETY: a prefetch reads nothing into the program and never faults, and the address is
        // not computed as if it lay inside the row.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(at + bytes)) };
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
