//! Streams rows into a vector set's file.

use std::path::{Path, PathBuf};

use super::derived::{write_codes, write_halves, write_sketches};
use super::layout::{
    ALONG, CENTER, FACTORS, KIND, MAX_DIM, MAX_ROWS, META, SCALES, VECTORS, VectorSetMeta,
};
use super::options::{CodeCenter, SketchPolicy, VectorOptions};
use crate::container::ContainerWriter;
use crate::error::{Error, Result};
use crate::simd::f16;

/// Summary of a written vector set.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct VectorSetSummary {
    /// The path of the file.
    pub path: PathBuf,
    /// The number of vectors.
    pub rows: u64,
    /// Their dimension.
    pub dim: usize,
    /// Length of the file in bytes.
    pub file_bytes: u64,
}

/// Writes a vector set, row by row.
///
/// Rows are streamed to a temporary file next to the destination; the derived sections are computed
/// from it when all rows are written, a few megabytes at a time. [`finish`](Self::finish) publishes the
/// file; a writer that is dropped before leaves nothing behind.
#[derive(Debug)]
pub struct VectorSetWriter {
    writer: ContainerWriter,
    dim: usize,
    rows: u64,
    center: CodeCenter,
    halves: bool,
    sketches: SketchPolicy,
    /// Sum of each column, for [`CodeCenter::Mean`].
    sums: Vec<f64>,
}

impl VectorSetWriter {
    /// Begins a file that will be published at `path`, for vectors of `dim` numbers.
    ///
    /// # Errors
    /// [`Error::Argument`] for a dimension out of range or an invalid centre, [`Error::Io`] when the
    /// folder does not exist or cannot be written.
    pub fn create(path: impl AsRef<Path>, dim: usize, options: VectorOptions) -> Result<Self> {
        if !(1..=MAX_DIM).contains(&dim) {
            return Err(Error::Argument {
                what: "dim",
                expected: format!("1 to {MAX_DIM}"),
                found: dim.to_string(),
                advice: "give vectors of a dimension in that range",
            });
        }
        // A given centre enters every code, so a NaN in it would spoil all rows at once.
        if let CodeCenter::Given(center) = &options.center
            && (center.len() != dim || center.iter().any(|v| !v.is_finite()))
        {
            return Err(Error::Argument {
                what: "center",
                expected: format!("{dim} finite numbers"),
                found: match center.iter().position(|v| !v.is_finite()) {
                    Some(at) => format!("{} at place {at} of {}", center[at], center.len()),
                    None => format!("{} numbers", center.len()),
                },
                advice: "give the mean of similar vectors, or none",
            });
        }
        let mut writer = ContainerWriter::create(path, KIND)?;
        // The vectors come first in the file, because their number is unknown until the last row.
        writer.begin(VECTORS)?;
        let mean = matches!(options.center, CodeCenter::Mean);
        let sums = vec![0.0; if mean { dim } else { 0 }];
        Ok(Self {
            writer,
            dim,
            rows: 0,
            center: options.center,
            halves: options.halves,
            sketches: options.sketches,
            sums,
        })
    }

    /// The number of rows pushed.
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Whether no row was pushed.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The width of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Appends one vector `[dim]`; its id is the number of rows before it.
    ///
    /// # Errors
    /// [`Error::NonFinite`] naming row and column; [`Error::Argument`] for a wrong length, one row
    /// too many or, if halves are written, a number too large for half precision. The set is then unchanged.
    /// [`Error::Io`] when writing fails.
    pub fn push(&mut self, row: &[f32]) -> Result<()> {
        if row.len() != self.dim {
            return Err(Error::length("vector", self.dim, row.len()));
        }
        self.push_rows(row)
    }

    /// Appends vectors `[n, dim]`: all, or none if it fails for another reason than I/O.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_rows(&mut self, rows: &[f32]) -> Result<()> {
        if !rows.len().is_multiple_of(self.dim) {
            return Err(Error::length(
                "vectors",
                rows.len().next_multiple_of(self.dim),
                rows.len(),
            ));
        }
        // Compared by subtraction, which cannot overflow: `rows` never exceeds the maximum.
        let count = (rows.len() / self.dim) as u64;
        if count > MAX_ROWS - self.rows {
            return Err(Error::Argument {
                what: "rows of a vector set",
                expected: format!("at most {MAX_ROWS}"),
                found: (self.rows + count).to_string(),
                advice: "split them over several vector sets",
            });
        }
        // Everything is checked before the first byte is written, so that a refused call changes nothing.
        if let Some(at) = rows.iter().position(|v| !v.is_finite()) {
            return Err(Error::NonFinite {
                row: self.rows + (at / self.dim) as u64,
                column: at % self.dim,
                value: rows[at],
            });
        }
        // Infinity in half precision would win or lose every comparison, whatever the query.
        if self.halves
            && let Some(at) = rows.iter().position(|&v| !f16::from_f32(v).is_finite())
        {
            let row = self.rows + (at / self.dim) as u64;
            return Err(Error::Argument {
                what: "a vector to be written in half precision",
                expected: "numbers below 65520 in size".to_owned(),
                found: format!("{} in row {row}, column {}", rows[at], at % self.dim),
                advice: "scale the vectors, or turn half precision off",
            });
        }
        self.writer.write(bytemuck::cast_slice(rows))?;
        if !self.sums.is_empty() {
            for row in rows.chunks_exact(self.dim) {
                for (sum, &v) in self.sums.iter_mut().zip(row) {
                    // In double precision: a sum of millions loses the digits of single ones.
                    *sum += f64::from(v);
                }
            }
        }
        self.rows += count;
        Ok(())
    }

    /// Writes the derived sections and publishes the file.
    ///
    /// # Errors
    /// [`Error::Io`]; the destination is then unchanged.
    pub fn finish(mut self) -> Result<VectorSetSummary> {
        // From here on rows are read back from the temporary file, so their section must be complete.
        self.writer.end()?;
        let rows = self.rows;
        let center = match self.center {
            CodeCenter::None => None,
            CodeCenter::Given(center) => Some(center),
            // An empty set has no mean; 0 / 0 would write NaN.
            CodeCenter::Mean if rows == 0 => None,
            CodeCenter::Mean => Some(self.sums.iter().map(|s| (s / rows as f64) as f32).collect()),
        };
        let meta = VectorSetMeta {
            rows,
            dim: self.dim,
            has_center: center.is_some(),
            has_halves: self.halves,
            has_sketches: self.sketches.applies(rows),
        };
        let zero = center.as_deref().unwrap_or(&[]);
        let scales = write_codes(&mut self.writer, &meta, zero)?;
        if self.halves {
            write_halves(&mut self.writer, &meta)?;
        }
        if meta.has_sketches {
            let (factors, along) = write_sketches(&mut self.writer, &meta, zero)?;
            self.writer
                .section(FACTORS, bytemuck::cast_slice(&factors))?;
            if meta.has_center {
                self.writer.section(ALONG, bytemuck::cast_slice(&along))?;
            }
        }
        self.writer.section(SCALES, bytemuck::cast_slice(&scales))?;
        if let Some(center) = &center {
            self.writer.section(CENTER, bytemuck::cast_slice(center))?;
        }
        // `meta` comes last, when all that it announces is known to be written.
        self.writer.section(META, &meta.encode())?;
        let path = self.writer.path().to_owned();
        let file_bytes = self.writer.finish()?.file_bytes;
        Ok(VectorSetSummary {
            path,
            rows,
            dim: self.dim,
            file_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::VectorSet;
    use crate::vectors::quantize::quantize_row;

    #[test]
    fn rows_come_back_and_the_mean_is_the_centre() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        let options = VectorOptions::default().center(CodeCenter::Mean);
        let mut writer = VectorSetWriter::create(&path, 3, options).unwrap();
        writer.push(&[1.0, 2.0, 3.0]).unwrap();
        writer.push_rows(&[3.0, 2.0, 1.0, 5.0, 2.0, 2.0]).unwrap();
        let summary = writer.finish().unwrap();
        assert_eq!((summary.rows, summary.dim), (3, 3));
        let set = VectorSet::open(&path).unwrap();
        set.verify().unwrap();
        assert_eq!(set.len(), 3);
        assert_eq!(set.vector(1), [3.0, 2.0, 1.0]);
        assert_eq!(set.center(), Some(&[3.0, 2.0, 2.0][..]));
        assert_eq!(set.file_bytes(), summary.file_bytes);
        assert_eq!(set.codes()[..3], [1, 128, 192], "the steps are 2 / 127");
    }

    #[test]
    fn many_blocks_are_coded_as_one_would_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        let (n, dim) = (1500, 1000);
        let value = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
        let rows: Vec<f32> = (0..n * dim).map(value).collect();
        let options = VectorOptions::default().halves(true);
        let mut writer = VectorSetWriter::create(&path, dim, options).unwrap();
        for part in rows.chunks(dim * 7) {
            writer.push_rows(part).unwrap();
        }
        writer.finish().unwrap();
        let set = VectorSet::open(&path).unwrap();
        set.verify().unwrap();
        assert_eq!(set.vectors(), rows);
        let halves: Vec<f16> = rows.iter().map(|&v| f16::from_f32(v)).collect();
        assert_eq!(set.halves(), Some(&halves[..]));
        let mut out = vec![0; set.stride()];
        for (i, row) in rows.chunks(dim).enumerate() {
            let scale = quantize_row(row, &[], &mut out);
            assert_eq!(set.scales()[i], scale);
            assert_eq!(set.codes()[i * out.len()..][..out.len()], out);
        }
    }

    #[test]
    fn what_cannot_be_stored_is_refused_and_leaves_the_set_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        let mut writer = VectorSetWriter::create(&path, 2, VectorOptions::default()).unwrap();
        writer.push(&[1.0, 2.0]).unwrap();
        let error = writer.push_rows(&[0.0, 1.0, f32::NAN, 1.0]).unwrap_err();
        assert!(
            matches!(
                error,
                Error::NonFinite {
                    row: 2,
                    column: 0,
                    ..
                }
            ),
            "{error}"
        );
        for bad in [&[f32::INFINITY, 0.0][..], &[1.0], &[1.0, 2.0, 3.0], &[]] {
            assert!(writer.push(bad).is_err(), "{bad:?}");
        }
        writer.push(&[3.0, 4.0]).unwrap();
        assert_eq!(writer.finish().unwrap().rows, 2);
        assert_eq!(
            VectorSet::open(&path).unwrap().vectors(),
            [1.0, 2.0, 3.0, 4.0]
        );
        for dim in [0, MAX_DIM + 1, usize::MAX] {
            assert!(VectorSetWriter::create(&path, dim, VectorOptions::default()).is_err());
        }
        for (center, found) in [
            (vec![1.0], "1 numbers"),
            (vec![1.0, f32::NAN], "NaN at place 1 of 2"),
        ] {
            let options = VectorOptions::default().center(CodeCenter::Given(center));
            let error = VectorSetWriter::create(&path, 2, options).unwrap_err();
            assert!(error.to_string().contains(found), "{error}");
        }
    }

    #[test]
    fn numbers_too_large_for_a_half_are_refused_only_where_halves_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        for halves in [false, true] {
            let options = VectorOptions::default().halves(halves);
            let mut writer = VectorSetWriter::create(&path, 2, options).unwrap();
            writer.push(&[65_519.0, -65_504.0]).unwrap();
            let pushed = writer.push_rows(&[1.0, 1.0, 1.0, -65_520.0]);
            assert_eq!(pushed.is_err(), halves);
            if let Err(error) = pushed {
                assert!(error.to_string().contains("row 2, column 1"), "{error}");
                writer.push(&[1e-9, 0.1]).unwrap();
            }
            writer.finish().unwrap();
            let set = VectorSet::open(&path).unwrap();
            set.verify().unwrap();
            assert_eq!(set.halves().is_some(), halves);
        }
        let set = VectorSet::open(&path).unwrap();
        let found: Vec<f32> = set.halves().unwrap().iter().map(|h| h.to_f32()).collect();
        assert_eq!(found, [65_504.0, -65_504.0, 0.0, 0.099_975_586]);
    }

    #[test]
    fn a_set_may_be_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        let options = VectorOptions::default()
            .center(CodeCenter::Mean)
            .halves(true);
        VectorSetWriter::create(&path, 2, options)
            .unwrap()
            .finish()
            .unwrap();
        let set = VectorSet::open(&path).unwrap();
        set.verify().unwrap();
        assert!(set.is_empty());
        assert!(
            set.search(&crate::VectorQuery::new(&[1.0, 0.0]), 5)
                .unwrap()
                .is_empty()
        );
    }
}
