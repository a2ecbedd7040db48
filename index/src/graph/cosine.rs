//! The similarity used by the builder: the cosine of int8 codes.

use crate::simd::{KernelTable, ZERO_CODE};
use crate::vectors::VectorSet;

/// The codes of a vector set, with the offsets and norms that turn their integer products into cosines.
///
/// The cosine is of the vectors minus the set's centre, so it does not depend on the codes' scales. It is
/// computed from integers in a fixed order, so it is symmetric and the same on every machine, and so is the
/// graph.
pub(super) struct CodeCosines<'a> {
    codes: &'a [u8],
    pub stride: usize,
    /// 128 times the sum of each row's codes.
    offsets: Vec<i32>,
    /// The reciprocal length of each row's codes, 0 for a row of zeros.
    inverse: Vec<f32>,
}

impl<'a> CodeCosines<'a> {
    pub fn new(set: &'a VectorSet) -> Self {
        use rayon::prelude::*;
        let stride = set.stride();
        let measure = |row: &[u8]| {
            let (mut sum, mut squares) = (0i32, 0i32);
            for &code in row {
                let code = i32::from(code) - i32::from(ZERO_CODE);
                sum += code;
                // At most 127^2 a column, so that even the widest vectors (65,536 columns) stay below 2^31.
                squares += code * code;
            }
            // A row equal to the centre has no direction and is similar to nothing.
            let inverse = if squares == 0 {
                0.0
            } else {
                1.0 / (squares as f32).sqrt()
            };
            // Too much in the product of this row's signed codes with stored ones, which are offset by 128.
            (sum * i32::from(ZERO_CODE), inverse)
        };
        let rows = set.codes().par_chunks_exact(stride).with_min_len(256);
        let (offsets, inverse) = rows.map(measure).unzip();
        Self {
            codes: set.codes(),
            stride,
            offsets,
            inverse,
        }
    }

    /// Copies the codes of `rows` side by side.
    pub fn gather(&self, rows: &[u32]) -> GatheredCodes {
        let mut out = GatheredCodes::default();
        self.gather_into(rows, &mut out);
        out
    }

    /// As [`gather`](Self::gather), into an existing buffer.
    pub fn gather_into(&self, rows: &[u32], out: &mut GatheredCodes) {
        out.clear();
        for &row in rows {
            let row = row as usize;
            out.stored
                .extend_from_slice(&self.codes[row * self.stride..][..self.stride]);
            out.offsets.push(self.offsets[row]);
            out.inverse.push(self.inverse[row]);
        }
        out.signed
            // The top bit flipped is 128 taken off.
            .extend(out.stored.iter().map(|&code| (code ^ ZERO_CODE) as i8));
    }
}

/// Some rows' codes side by side, as stored and as signed numbers.
#[derive(Default)]
pub(super) struct GatheredCodes {
    pub stored: Vec<u8>,
    pub signed: Vec<i8>,
    offsets: Vec<i32>,
    inverse: Vec<f32>,
}

impl GatheredCodes {
    fn clear(&mut self) {
        self.stored.clear();
        self.signed.clear();
        self.offsets.clear();
        self.inverse.clear();
    }

    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// The cosine of two of the rows from the product of `a` as signed and `b` as stored codes.
    #[inline(always)]
    pub fn cosine(&self, a: usize, b: usize, product: i32) -> f32 {
        (product - self.offsets[a]) as f32 * (self.inverse[a] * self.inverse[b])
    }

    /// The cosines of row `a` with all rows of `others`, from their products.
    ///
    /// A loop of its own, separate from the use of the cosines, so that it is vectorised.
    pub fn cosines_with(&self, a: usize, others: &Self, products: &[i32], out: &mut Vec<f32>) {
        let (offset, inverse) = (self.offsets[a], self.inverse[a]);
        out.clear();
        out.extend(
            products
                .iter()
                .zip(&others.inverse)
                .map(|(&product, &other)| (product - offset) as f32 * (inverse * other)),
        );
    }

    /// Products of row `a` with the rows from `first` on.
    pub fn products(&self, a: usize, first: usize, stride: usize, out: &mut Vec<i32>) {
        out.clear();
        out.resize(self.len() - first, 0);
        KernelTable::detect().u8_rows(
            &self.signed[a * stride..][..stride],
            &self.stored[first * stride..],
            out,
        );
    }
}
