//! NEON, which every aarch64 processor has: four registers hold the 16 lanes of f32.

use std::arch::aarch64::*;
use std::arch::asm;

use super::four::{at_kernel, rows_kernel, tile_kernel};
use super::kernels::kernel_table;
use super::{EstimateParams, KernelTable, SKETCH_ROWS, f16};

/// The kernels, if this processor has what they need.
pub(super) fn detect() -> Option<KernelTable> {
    std::arch::is_aarch64_feature_detected!("neon").then_some(kernel_table!("neon"))
}

/// The 16 numbers at the start of a slice, zeros past its end.
#[inline]
#[target_feature(enable = "neon")]
fn load_16(slice: &[f32]) -> [float32x4_t; 4] {
    let mut padded = [0.0; 16];
    let start = if slice.len() >= 16 {
        slice.as_ptr()
    } else {
        padded[..slice.len()].copy_from_slice(slice);
        padded.as_ptr()
    };
    // SAFETY: `start` is the start of 16 numbers, the slice's own or `padded`.
    unsafe {
        [
            vld1q_f32(start),
            vld1q_f32(start.add(4)),
            vld1q_f32(start.add(8)),
            vld1q_f32(start.add(12)),
        ]
    }
}

/// Products of one query with four rows, all of one length.
#[inline]
#[target_feature(enable = "neon")]
fn dots_f32(query: &[f32], rows: [&[f32]; 4]) -> [f32; 4] {
    let mut sums = [[vdupq_n_f32(0.0); 4]; 4];
    for at in (0..query.len()).step_by(16) {
        let q = load_16(&query[at..]);
        for k in 0..4 {
            let r = load_16(&rows[k][at..]);
            for l in 0..4 {
                sums[k][l] = vfmaq_f32(sums[k][l], q[l], r[l]);
            }
        }
    }
    sum_16(sums)
}

/// The sum of the 16 lanes of each of four accumulators.
#[inline]
#[target_feature(enable = "neon")]
fn sum_16(sums: [[float32x4_t; 4]; 4]) -> [f32; 4] {
    let mut out = [0.0; 4];
    for k in 0..4 {
        // Lane l with l + 8, then with l + 4, then the tree inside one register.
        let s = vaddq_f32(
            vaddq_f32(sums[k][0], sums[k][2]),
            vaddq_f32(sums[k][1], sums[k][3]),
        );
        let s = vadd_f32(vget_low_f32(s), vget_high_f32(s));
        out[k] = vget_lane_f32::<0>(s) + vget_lane_f32::<1>(s);
    }
    out
}

/// Four halves as f32.
///
/// The intrinsic became stable after the oldest compiler that this crate builds with; the
/// instruction is part of every aarch64.
#[inline]
#[target_feature(enable = "neon")]
fn widen(halves: uint16x4_t) -> float32x4_t {
    let out: float32x4_t;
    // SAFETY: one instruction, from a register to a register.
    unsafe {
        asm!(
            "fcvtl {out:v}.4s, {halves:v}.4h",
            out = lateout(vreg) out,
            halves = in(vreg) halves,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    out
}

/// As [`load_16`] for halves, widened.
#[inline]
#[target_feature(enable = "neon")]
fn load_16_halves(slice: &[f16]) -> [float32x4_t; 4] {
    let mut padded = [f16::ZERO; 16];
    let start = if slice.len() >= 16 {
        slice.as_ptr().cast::<u16>()
    } else {
        padded[..slice.len()].copy_from_slice(slice);
        padded.as_ptr().cast::<u16>()
    };
    // SAFETY: `start` is the start of 16 halves, the slice's own or `padded`, each 16 bits.
    let parts = unsafe {
        [
            vld1_u16(start),
            vld1_u16(start.add(4)),
            vld1_u16(start.add(8)),
            vld1_u16(start.add(12)),
        ]
    };
    [
        widen(parts[0]),
        widen(parts[1]),
        widen(parts[2]),
        widen(parts[3]),
    ]
}

/// As [`dots_f32`] with rows of halves.
#[inline]
#[target_feature(enable = "neon")]
fn dots_f16(query: &[f32], rows: [&[f16]; 4]) -> [f32; 4] {
    let mut sums = [[vdupq_n_f32(0.0); 4]; 4];
    for at in (0..query.len()).step_by(16) {
        let q = load_16(&query[at..]);
        for k in 0..4 {
            let r = load_16_halves(&rows[k][at..]);
            for l in 0..4 {
                sums[k][l] = vfmaq_f32(sums[k][l], q[l], r[l]);
            }
        }
    }
    sum_16(sums)
}

/// Products of one query with four rows of codes; the length is a multiple of 64.
#[inline]
#[target_feature(enable = "neon")]
fn dots_u8(query: &[i8], rows: [&[u8]; 4]) -> [i32; 4] {
    debug_assert!(rows.iter().all(|s| s.len() == query.len()));
    let mut sums = [vdupq_n_s32(0); 4];
    let mut at = 0;
    while at + 8 <= query.len() {
        // SAFETY: at + 8 <= the length of the query and of each row.
        let q = vmovl_s8(unsafe { vld1_s8(query.as_ptr().add(at)) });
        for k in 0..4 {
            // SAFETY: as above.
            let r = unsafe { vld1_u8(rows[k].as_ptr().add(at)) };
            let r = vreinterpretq_s16_u16(vmovl_u8(r));
            sums[k] = vmlal_s16(sums[k], vget_low_s16(r), vget_low_s16(q));
            sums[k] = vmlal_s16(sums[k], vget_high_s16(r), vget_high_s16(q));
        }
        at += 8;
    }
    [
        vaddvq_s32(sums[0]),
        vaddvq_s32(sums[1]),
        vaddvq_s32(sums[2]),
        vaddvq_s32(sums[3]),
    ]
}

rows_kernel!("neon", f32_rows(f32, f32) -> f32, 0, |query, rows| dots_f32(query, rows));
tile_kernel!("neon", f32_tile(f32, f32) -> f32, next: false,
    |queries, rows| queries, |query| dots_f32(query, rows));
at_kernel!("neon", f32_at(f32, f32) -> f32, packed: 1, ahead: 0,
    |query, rows| dots_f32(query, rows));
rows_kernel!("neon", f16_rows(f32, f16) -> f32, 0, |query, rows| dots_f16(query, rows));
at_kernel!("neon", f16_at(f32, f16) -> f32, packed: 1, ahead: 0,
    |query, rows| dots_f16(query, rows));
rows_kernel!("neon", u8_rows(i8, u8) -> i32, 0, |query, rows| dots_u8(query, rows));
tile_kernel!("neon", u8_tile(i8, u8) -> i32, next: false,
    |queries, rows| queries, |query| dots_u8(query, rows));
at_kernel!("neon", u8_at(i8, u8) -> i32, packed: 1, ahead: 0,
    |query, rows| dots_u8(query, rows));

/// Products of one query with four rows of 4-bit codes; the length is a multiple of 64 bytes.
#[inline]
#[target_feature(enable = "neon")]
fn dots_u4(query: &[i8], rows: [&[u8]; 4]) -> [i32; 4] {
    let width = query.len() / 2;
    debug_assert!(rows.iter().all(|s| s.len() == width));
    let low = vdupq_n_u8(15);
    let mut sums = [vdupq_n_s32(0); 4];
    for block in (0..width).step_by(64) {
        for part in (0..64).step_by(16) {
            // SAFETY: 2 * block + 64 + part + 16 <= the length of the query.
            let (ql, qh) = unsafe {
                let start = query.as_ptr().add(2 * block + part);
                (vld1q_s8(start), vld1q_s8(start.add(64)))
            };
            for k in 0..4 {
                // SAFETY: block + part + 16 <= width, the length of each row.
                let r = unsafe { vld1q_u8(rows[k].as_ptr().add(block + part)) };
                let l = vreinterpretq_s8_u8(vandq_u8(r, low));
                let h = vreinterpretq_s8_u8(vshrq_n_u8::<4>(r));
                for (c, q) in [(l, ql), (h, qh)] {
                    let near = vmull_s8(vget_low_s8(c), vget_low_s8(q));
                    let far = vmull_s8(vget_high_s8(c), vget_high_s8(q));
                    sums[k] = vpadalq_s16(sums[k], vaddq_s16(near, far));
                }
            }
        }
    }
    [
        vaddvq_s32(sums[0]),
        vaddvq_s32(sums[1]),
        vaddvq_s32(sums[2]),
        vaddvq_s32(sums[3]),
    ]
}

at_kernel!("neon", u4_at(i8, u8) -> i32, packed: 2, ahead: 0,
    |query, rows| dots_u4(query, rows));

#[target_feature(enable = "neon")]
fn sketches(tables: &[u8], bits: &[u8], out: &mut [u16]) {
    let width = tables.len() / 32;
    let low = vdupq_n_u8(15);
    for (block, out) in bits
        .chunks_exact((width * SKETCH_ROWS).max(1))
        .zip(out.chunks_exact_mut(SKETCH_ROWS))
    {
        let (mut first, mut second) = ([vdupq_n_u16(0); 4], [vdupq_n_u16(0); 4]);
        for (bytes, tables) in block
            .chunks_exact(2 * SKETCH_ROWS)
            .zip(tables.chunks_exact(64))
        {
            let mut sums = [vdupq_n_u8(0); 4];
            for p in 0..2 {
                // SAFETY: `tables` has four times 16 bytes.
                let (t_low, t_high) = unsafe {
                    let t = tables.as_ptr().add(32 * p);
                    (vld1q_u8(t), vld1q_u8(t.add(16)))
                };
                for (h, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: `bytes` has eight times 16 bytes.
                    let b = unsafe { vld1q_u8(bytes.as_ptr().add(SKETCH_ROWS * p + 16 * h)) };
                    let of_low = vqtbl1q_u8(t_low, vandq_u8(b, low));
                    let of_high = vqtbl1q_u8(t_high, vshrq_n_u8::<4>(b));
                    *sum = vaddq_u8(*sum, vaddq_u8(of_low, of_high));
                }
            }
            // Four entries of at most 63 fit a byte.
            for h in 0..4 {
                first[h] = vaddw_u8(first[h], vget_low_u8(sums[h]));
                second[h] = vaddw_u8(second[h], vget_high_u8(sums[h]));
            }
        }
        for (h, out) in out.chunks_exact_mut(16).enumerate() {
            // SAFETY: `out` has 16 numbers of 16 bits.
            unsafe {
                vst1q_u16(out.as_mut_ptr(), first[h]);
                vst1q_u16(out.as_mut_ptr().add(8), second[h]);
            }
        }
    }
}

#[target_feature(enable = "neon")]
fn estimates(sums: &[u16], factors: &[f32], line: EstimateParams, out: &mut [f32]) {
    super::scalar::estimates(sums, factors, line, out);
}

#[target_feature(enable = "neon")]
fn count_from(values: &[f32], floor: f32) -> usize {
    super::scalar::count_from(values, floor)
}

#[target_feature(enable = "neon")]
fn ids_from(values: &[f32], floor: f32, ids: &mut Vec<u32>) {
    super::scalar::ids_from(values, floor, ids);
}
