//! An opened anchor set: one generation, its segments mapped.

use std::path::{Path, PathBuf};

use super::embed::Embedder;
use super::error::{AnchorsError, OtherEncoder};
use super::manifest::{EncoderEntry, Manifest};
use super::records::Record;
use super::segment::Segment;
use super::{AnchorId, publish};
use crate::encode::{EncoderIdentity, Modality};

/// One generation of an anchor set, open for reading; it stays whole whatever writers do.
#[derive(Debug)]
pub struct AnchorSet {
    path: PathBuf,
    manifest: Manifest,
    segments: Vec<Segment>,
    len: usize,
}

impl AnchorSet {
    /// Opens the live generation of the set in `path`: structure and lengths are checked, vectors
    /// are not read.
    ///
    /// # Errors
    /// When the folder is not a set, or its files do not fit each other.
    pub fn open(path: &Path) -> Result<Self, AnchorsError> {
        let manifest = Manifest::read(path, &publish::current(path)?)?;
        let segments: Vec<Segment> = manifest
            .segments
            .iter()
            .map(|entry| Segment::open(path, entry, &manifest))
            .collect::<Result<_, _>>()?;
        let len = segments.iter().map(Segment::len).sum();
        Ok(Self {
            path: path.to_owned(),
            manifest,
            segments,
            len,
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it is made of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The number of anchors.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no anchor at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The length of this modality's vectors.
    pub fn dim(&self, modality: Modality) -> usize {
        self.encoder(modality).identity.dim
    }

    /// The encoder that made this modality's vectors.
    pub fn encoder(&self, modality: Modality) -> &EncoderEntry {
        match modality {
            Modality::Image => &self.manifest.image_encoder,
            Modality::Text => &self.manifest.text_encoder,
        }
    }

    /// Its segments, in anchor order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What is known of an anchor besides its vectors.
    ///
    /// # Errors
    /// When there is no such anchor or its record is damaged.
    pub fn record(&self, anchor: AnchorId) -> Result<Record, AnchorsError> {
        let mut local = anchor as usize;
        for segment in &self.segments {
            if local < segment.len() {
                return segment.record(local);
            }
            local -= segment.len();
        }
        let what = format!("there is no anchor {anchor} among {}", self.len);
        Err(AnchorsError::Damaged {
            path: self.path.clone(),
            what,
        })
    }

    /// Reads everything and checks every checksum.
    ///
    /// # Errors
    /// The first damage found, naming file and section.
    pub fn verify(&self) -> Result<(), AnchorsError> {
        self.segments.iter().try_for_each(Segment::verify)
    }

    /// The bytes of its live files.
    ///
    /// # Errors
    /// When a file cannot be looked at.
    pub fn bytes(&self) -> Result<u64, AnchorsError> {
        self.segments.iter().map(Segment::bytes).sum()
    }

    /// Refuses encoders other than those that built the set.
    ///
    /// # Errors
    /// [`AnchorsError::OtherEncoder`] naming both.
    pub fn check_encoders(&self, embedder: &Embedder) -> Result<(), AnchorsError> {
        self.check(Modality::Image, embedder.image().identity())?;
        self.check(Modality::Text, embedder.text().identity())
    }

    fn check(&self, modality: Modality, given: &EncoderIdentity) -> Result<(), AnchorsError> {
        let built = &self.encoder(modality).identity;
        if built.fingerprint == given.fingerprint {
            return Ok(());
        }
        let short = |print: &str| print.chars().take(12).collect();
        Err(AnchorsError::OtherEncoder(Box::new(OtherEncoder {
            set: self.path.clone(),
            modality,
            built: built.name.clone(),
            built_print: short(&built.fingerprint),
            given: given.name.clone(),
            given_print: short(&given.fingerprint),
        })))
    }
}
