//! A vector set's file, mapped.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::layout::{
    ALONG, CENTER, CODES, FACTORS, HALVES, KIND, META, SCALES, SKETCHES, VECTORS, VectorSetMeta,
    sketch_width_of, stride_of,
};
use crate::container::Container;
use crate::error::{Error, Result};
use crate::mmap::{AlignedBytes, ByteSource, MappedFile};
use crate::simd::f16;

/// Vectors `[len, dim]` and their int8 codes, used directly from the mapped file.
///
/// Immutable, and shared between threads without a lock.
#[derive(Debug)]
pub struct VectorSet {
    source: ByteSource,
    len: usize,
    dim: usize,
    vectors: Range<usize>,
    codes: Range<usize>,
    halves: Option<Range<usize>>,
    scales: Range<usize>,
    center: Option<Range<usize>>,
    sketches: Option<[Range<usize>; 2]>,
    along: Option<Range<usize>>,
    fingerprint: u64,
}

/// The sketches of all vectors: one bit a number, the sign of its difference from the centre.
///
/// The product of a query with these signs, times the vector's factor, estimates the dot product while
/// reading a thirty-second of its bytes.
#[derive(Debug, Clone, Copy)]
pub struct SignSketches<'a> {
    /// Bits `[ceil(len / 64), width, 64]` bytes: byte `[b, p, j]` holds columns `8 p` to `8 p + 7`
    /// of row `64 b + j`, the lowest in the lowest bit.
    pub bits: &'a [u8],
    /// The factors that turn a product with signs into an estimate `[len]`.
    pub factors: &'a [f32],
    /// The product of each row minus the centre with the centre `[len]`; empty without a centre.
    pub along: &'a [f32],
    /// Bytes of one row's bits.
    pub width: usize,
}

impl VectorSet {
    /// Maps a file and checks its structure and all lengths; reads two pages.
    ///
    /// # Errors
    /// Any of [`Error`]'s file variants, naming the file and, if known, the section.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_source(ByteSource::Mapped(MappedFile::open(path)?))
    }

    /// Opens a copy of bytes in memory; `name` is for messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: &[u8]) -> Result<Self> {
        Self::from_source(ByteSource::Memory(
            AlignedBytes::copy_of(bytes),
            name.into(),
        ))
    }

    fn from_source(source: ByteSource) -> Result<Self> {
        let path = source.path();
        let container = Container::open(source.bytes(), path, KIND)?;
        let meta = VectorSetMeta::decode(container.section(META)?, path)?;
        // Lengths first: the casts below rely on them.
        for (section, expected) in meta.lengths() {
            let found = container.range(section)?.len() as u64;
            if found != expected {
                return Err(Error::section(
                    path,
                    section,
                    format!("expected {expected} bytes, found {found}"),
                ));
            }
        }
        // A section that `meta` does not announce was written by something else; it is not ignored.
        for (section, expected) in [
            (CENTER, meta.has_center),
            (HALVES, meta.has_halves),
            (SKETCHES, meta.has_sketches),
            (FACTORS, meta.has_sketches),
            (ALONG, meta.has_sketches && meta.has_center),
        ] {
            if container.has(section) && !expected {
                return Err(Error::section(path, section, "expected none, found one"));
            }
        }
        let [vectors, codes, scales] = [VECTORS, CODES, SCALES].map(|s| container.range(s));
        let center = meta
            .has_center
            .then(|| container.range(CENTER))
            .transpose()?;
        let halves = meta
            .has_halves
            .then(|| container.range(HALVES))
            .transpose()?;
        let sketches = if meta.has_sketches {
            Some([container.range(SKETCHES)?, container.range(FACTORS)?])
        } else {
            None
        };
        let along = (meta.has_sketches && meta.has_center)
            .then(|| container.range(ALONG))
            .transpose()?;
        // The checksum in the table stands for the content, so that a graph can be matched without reading
        // vectors.
        let fingerprint = container.checksum(VECTORS)?;
        Ok(Self {
            len: meta.rows as usize,
            dim: meta.dim,
            vectors: vectors?,
            codes: codes?,
            halves,
            scales: scales?,
            center,
            sketches,
            along,
            fingerprint,
            source,
        })
    }

    /// Reads the whole file: checksums, padding, and that all numbers are finite.
    ///
    /// # Errors
    /// [`Error::Section`] naming the section, [`Error::Header`] for padding.
    pub fn verify(&self) -> Result<()> {
        let path = self.path();
        Container::open(self.source.bytes(), path, KIND)?.verify()?;
        let center = self.center().unwrap_or(&[]);
        for (section, numbers) in [
            (VECTORS, self.vectors()),
            (SCALES, self.scales()),
            (CENTER, center),
            (FACTORS, self.sketches().map_or(&[], |s| s.factors)),
            (ALONG, self.sketches().map_or(&[], |s| s.along)),
        ] {
            // NaN ranks behind every number, so the row would never be an answer, without an error.
            if let Some(at) = numbers.iter().position(|v| !v.is_finite()) {
                let problem = format!("expected finite numbers, found {} at {at}", numbers[at]);
                return Err(Error::section(path, section, problem));
            }
        }
        let halves = self.halves().unwrap_or(&[]);
        if let Some(at) = halves.iter().position(|v| !v.is_finite()) {
            let problem = format!("expected finite numbers, found {} at {at}", halves[at]);
            return Err(Error::section(path, HALVES, problem));
        }
        Ok(())
    }

    /// The number of vectors; their ids are `0..len`.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no vectors.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The dimension of the vectors.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Bytes of a row of [`codes`](Self::codes).
    pub fn stride(&self) -> usize {
        stride_of(self.dim)
    }

    /// The file, or the name that was given with bytes.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Length of the file in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.source.bytes().len() as u64
    }

    /// xxh3-64 of the vectors as stored in the file, which identifies their content.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// All vectors `[len, dim]`.
    pub fn vectors(&self) -> &[f32] {
        bytemuck::cast_slice(&self.source.bytes()[self.vectors.clone()])
    }

    /// The vector of one id `[dim]`.
    ///
    /// # Panics
    /// When `id` is not below [`len`](Self::len).
    pub fn vector(&self, id: usize) -> &[f32] {
        &self.vectors()[id * self.dim..(id + 1) * self.dim]
    }

    /// The int8 codes `[len, stride]`, each offset by 128.
    pub fn codes(&self) -> &[u8] {
        &self.source.bytes()[self.codes.clone()]
    }

    /// The vectors rounded to half precision `[len, dim]`, if the file has them.
    pub fn halves(&self) -> Option<&[f16]> {
        let range = self.halves.clone()?;
        Some(bytemuck::cast_slice(&self.source.bytes()[range]))
    }

    /// The step of each row's codes `[len]`.
    pub fn scales(&self) -> &[f32] {
        bytemuck::cast_slice(&self.source.bytes()[self.scales.clone()])
    }

    /// The centre of the codes `[dim]`, if there is one.
    pub fn center(&self) -> Option<&[f32]> {
        let range = self.center.clone()?;
        Some(bytemuck::cast_slice(&self.source.bytes()[range]))
    }

    /// The sketches of all vectors, if the file has them.
    pub fn sketches(&self) -> Option<SignSketches<'_>> {
        let [bits, factors] = self.sketches.clone()?;
        Some(SignSketches {
            bits: &self.source.bytes()[bits],
            factors: bytemuck::cast_slice(&self.source.bytes()[factors]),
            along: self.along.clone().map_or(&[], |range| {
                bytemuck::cast_slice(&self.source.bytes()[range])
            }),
            width: sketch_width_of(self.dim),
        })
    }
}
