//! Dot products: one dispatcher, one file an instruction set, a scalar reference.
//!
//! | file | what it is |
//! |---|---|
//! | `detect` | the instruction sets of this processor |
//! | `kernels` | [`KernelTable`]: the function table of an instruction set, whose entry points check lengths |
//! | [`scalar`] | the reference; it *defines* what the others compute |
//! | `avx2` | x86-64 with AVX2, FMA and F16C |
//! | `avx512` | x86-64 with AVX-512 F, BW, DQ, VL and VNNI |
//! | `neon` | aarch64 |
//! | `x86` | code shared by both x86-64 sets |
//! | `four` | the loops around a vector kernel, which multiplies four rows or four queries at once |
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
//! `sum (c + 128) q`, exact in i32, and the caller subtracts `128 sum q`.
//!
//! **1 bit.** For each of 64 vectors the sum of the table entries of each group of four bits
//! ([`scalar::sketches`]), exact in u16; and the following steps of such a scan: estimates from the sums,
//! and the number and ids of those above a floor.
//!
//! The instruction set is chosen once at run time. The public functions check the lengths of slices, and the
//! kernels rely on them.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod detect;
mod four;
mod kernels;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod scalar;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use half::f16;

pub use kernels::{EstimateParams, KernelTable};

/// The number of queries in a tile.
pub const TILE: usize = 4;
/// Code rows are padded to a multiple of this many bytes.
pub const CODE_ALIGN: usize = 64;
/// The stored code of zero.
pub const ZERO_CODE: u8 = 128;
/// The number of rows whose sketches are interleaved byte by byte.
pub const SKETCH_ROWS: usize = 64;

/// Prefetches the cache lines of some numbers; does nothing on processors without a prefetch instruction.
#[inline(always)]
pub fn prefetch<T>(soon: &[T]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    x86::prefetch(soon);
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = soon;
}

/// As [`prefetch`] for the lines at this distance in bytes after a row's; does nothing for 0.
#[inline(always)]
fn prefetch_behind<T>(row: &[T], bytes: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if bytes > 0 {
        x86::prefetch_behind(row, bytes);
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (row, bytes);
}
