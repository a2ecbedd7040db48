//! Errors of anchor sets.

use std::path::{Path, PathBuf};

use crate::disk as fs;
use crate::embed::EmbedError;
use crate::filter::FilterError;
use crate::modality::Modality;
use crate::pairs::{PairsError, json_message};
use crate::remedy::InputRemedy;
use crate::space::linear::FitError;
use crate::space::recipe::RecipeError;
use crate::vector_files::VectorFileError;

/// An anchor set could not be built, opened or searched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorsError {
    /// The folder is not an anchor set.
    #[error("{path}: not an anchor set, {why}; give the folder of an anchor set, or build \
    one", path = path.display())]
    NotASet {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        why: &'static str,
    },
    /// The destination of a build is an anchor set already.
    #[error(
        "{path}: exists already; build in another folder, or allow the anchor set to be replaced",
        path = path.display()
    )]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Another process created the destination while this build ran.
    #[error(
        "{path}: another process created it during this build, so it was left unchanged; the embeddings \
        are cached: a build in another folder, or one that may replace this anchor set, continues from them",
        path = path.display()
    )]
    MadeMeanwhile {
        /// The file or folder.
        path: PathBuf,
    },
    /// The destination exists and is not an anchor set, so no build may replace it.
    #[error("{path}: exists and is not an anchor set, so it was left unchanged; build in another \
    folder", path = path.display())]
    InTheWay {
        /// The file or folder.
        path: PathBuf,
    },
    /// An output path lies in an anchor set.
    #[error(
        "{path}: lies in the anchor set {set}, which no other file may be written to; choose a path outside it",
        path = path.display(), set = set.display()
    )]
    InsideSet {
        /// The file or folder.
        path: PathBuf,
        /// The anchor set.
        set: PathBuf,
    },
    /// Another process is writing.
    #[error("{path}: another process is writing to this anchor set{}; wait for it, or stop \
    it", in_brackets(holder), path = path.display())]
    Locked {
        /// The anchor set.
        path: PathBuf,
        /// The holder according to the lock file; empty when it names no running process.
        holder: String,
    },
    /// The manifest cannot be parsed.
    #[error("{path}: not a manifest of an anchor set: {}; the anchor set is damaged: repair it, which may go back to a generation that has one", json_message(reason), path = path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The parser's message.
        reason: serde_json::Error,
    },
    /// Written by a newer program.
    #[error(
        "{path}: format {found}, made by {writer}, but this program (asif {own}) reads format {known}; \
         use that program or a newer one, or build the anchor set again under another name",
        path = path.display(), own = env!("CARGO_PKG_VERSION"), writer = writer(made_by)
    )]
    Format {
        /// The manifest or record file.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The program version that made it, if recorded.
        made_by: String,
        /// The supported format.
        known: u32,
    },
    /// The anchor set has data of a newer program, which a change would lose.
    #[error(
        "{path}: it has {field:?}, which this program (asif {own}) does not know and a change would lose; \
         {writer} wrote it: change the anchor set with that program or a newer one. Nothing was changed, and this \
         program answers from it as before",
        path = path.display(), own = env!("CARGO_PKG_VERSION"), writer = writer(made_by)
    )]
    UnknownField {
        /// The manifest, log or record file.
        path: PathBuf,
        /// The field or section.
        field: String,
        /// The program version that made it, if recorded.
        made_by: String,
    },
    /// A manifest is intact, but this program does not understand its content.
    #[error(
        "{path}: {writer} wrote what this program (asif {own}) does not know: {}; use that program or a newer one",
        json_message(reason), path = path.display(), own = env!("CARGO_PKG_VERSION"), writer = writer(made_by)
    )]
    UnknownContent {
        /// The manifest.
        path: PathBuf,
        /// The parser's message.
        reason: serde_json::Error,
        /// The program version that made it, if recorded.
        made_by: String,
    },
    /// Files of an anchor set are missing, damaged or inconsistent.
    #[error("{path}: {what}; the anchor set is damaged: repair it, else restore it from a copy, or build it again", path = path.display())]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// The problem.
        what: String,
    },
    /// A repair found no sound generation.
    #[error(
        "{what}; no kept generation of {set} is sound, and none can be repaired from its files: restore it from \
        a copy, or build it again; intact files were left unchanged", set = set.display()
    )]
    BeyondRepair {
        /// The anchor set.
        set: PathBuf,
        /// The problem, naming the file.
        what: String,
    },
    /// A file that can be rebuilt from others is damaged, or disagrees with them.
    #[error("{path}: {what}; a repair of {set} fixes it", path = path.display(), set = set.display())]
    NeedsRepair {
        /// The file.
        path: PathBuf,
        /// The anchor set.
        set: PathBuf,
        /// The problem.
        what: String,
    },
    /// The anchor set was built with another encoder.
    #[error(transparent)]
    OtherEncoder(Box<EncoderMismatch>),
    /// The encoder's canary embedding is not the one in the manifest.
    #[error(
        "{set}: the {modality} encoder {given} is not the one that built it, and its canary \
         embedding has a cosine of {cosine:.6} with the recorded one, below 0.99999; \
         use the encoder that built the anchor set, or build it again", set = set.display()
    )]
    Canary {
        /// The anchor set.
        set: PathBuf,
        /// What the encoder reads.
        modality: Modality,
        /// The encoder given.
        given: String,
        /// The cosine of both canary embeddings.
        cosine: f64,
    },
    /// Requested pairs are not in the anchor set.
    #[error(
        "{path}: no live pair has the id {ids}; remove it from the list, or allow missing ids to be ignored",
        path = path.display()
    )]
    NoSuchPair {
        /// The anchor set.
        path: PathBuf,
        /// The first few ids, and how many more.
        ids: String,
    },
    /// No pair matches the filter.
    #[error("{path}: no live pair has {filter}; {nearest}", path = path.display())]
    NoMatch {
        /// The anchor set.
        path: PathBuf,
        /// What was requested.
        filter: String,
        /// The keys and values that pairs have, nearest to the requested ones.
        nearest: String,
    },
    /// No pair of the sources matches the filter.
    #[error("no pair of the sources has {filter}; {nearest}")]
    NoneSelected {
        /// What was requested.
        filter: String,
        /// The keys and values that pairs have, nearest to the requested ones.
        nearest: String,
    },
    /// A filter cannot be parsed.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A change would leave no pair.
    #[error("{path}: that would leave no pair, and an empty anchor set cannot answer queries; delete the \
    folder, or build another anchor set in its place", path = path.display())]
    WouldBeEmpty {
        /// The anchor set.
        path: PathBuf,
    },
    /// A generation does not exist (any more).
    #[error("{path}: {wanted} is not kept; the kept ones are {kept}", path = path.display())]
    NoGeneration {
        /// The anchor set.
        path: PathBuf,
        /// What was requested.
        wanted: String,
        /// The kept generations.
        kept: String,
    },
    /// The pairs to purge were never in this anchor set.
    #[error(
        "{path}: no pair, log record or skipped row has {what}, so nothing was deleted; write it as in the \
        anchor set, or omit it to delete all removed pairs",
        path = path.display()
    )]
    NothingToPurge {
        /// The anchor set.
        path: PathBuf,
        /// What was requested.
        what: String,
    },
    /// A pair to purge is still live.
    #[error("{path}: {id:?} is a live pair; remove it first", path = path.display())]
    StillLive {
        /// The anchor set.
        path: PathBuf,
        /// The pair.
        id: String,
    },
    /// A purge failed part-way.
    #[error(
        "{source}; the purge of {set} is incomplete (done: {done}; not done: {left}); once that is fixed, \
        another purge completes it",
        set = set.display()
    )]
    PurgeStopped {
        /// The anchor set.
        set: PathBuf,
        /// The completed steps.
        done: String,
        /// The remaining steps.
        left: String,
        /// What stopped it.
        source: Box<AnchorsError>,
    },
    /// A row is bad, and strict mode allows none.
    #[error("{origin}: {reason}; nothing was written, because no row may be skipped")]
    Strict {
        /// File and row.
        origin: String,
        /// What is wrong with it.
        reason: String,
        /// What the caller can do so that it is accepted, if anything.
        remedy: Option<InputRemedy>,
    },
    /// More rows are bad than may be.
    #[error("over {allowed} bad rows, the last is {origin}: {reason}; nothing was written")]
    TooManyErrors {
        /// How many may be bad.
        allowed: u64,
        /// File and row of the one that was too much.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No pair is usable.
    #[error("no usable pair: all {skipped} rows were skipped, the first because {first}")]
    NoPairs {
        /// How many rows were skipped.
        skipped: u64,
        /// Why, for the first.
        first: String,
    },
    /// More pairs than anchor ids.
    #[error("more than {0} pairs; split them into several anchor sets")]
    TooMany(u64),
    /// A folder that is to be written has content already, or is no folder.
    #[error(
        "{path}: exists and is not an empty folder, so it was left unchanged; write to another folder",
        path = path.display()
    )]
    NotEmpty {
        /// What is there.
        path: PathBuf,
    },
    /// Something needs Parquet in a build without it.
    #[error(
        "metadata is written as Parquet, which this program was built without; leave the metadata out"
    )]
    NoParquet,
    /// The operation was cancelled.
    #[error(
        "interrupted; nothing was written, and another attempt continues from the embedding cache"
    )]
    Interrupted,
    /// The setting of the space is invalid.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The space cannot be fitted to the pairs.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The sources of pairs cannot be read at all.
    #[error(transparent)]
    Pairs(#[from] PairsError),
    /// A file of vectors cannot be read at all.
    #[error(transparent)]
    Vectors(#[from] VectorFileError),
    /// The inputs could not be embedded.
    #[error(transparent)]
    Embed(EmbedError),
    /// A vector or record file cannot be read or written, for another reason than damage.
    #[error(transparent)]
    Index(asif_index::Error),
    /// The file system refused; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<asif_index::Error> for AnchorsError {
    /// A vector or record file with unusable content is damage of its anchor set: it cannot be written again
    /// by itself, as the error of a single file advises.
    fn from(error: asif_index::Error) -> Self {
        match error.damage() {
            Some((path, what)) => Self::Damaged {
                path: path.to_owned(),
                what,
            },
            None => Self::Index(error),
        }
    }
}

impl From<EmbedError> for AnchorsError {
    fn from(error: EmbedError) -> Self {
        match error {
            EmbedError::Interrupted => Self::Interrupted,
            EmbedError::Io(error) => Self::Io(error),
            other => Self::Embed(other),
        }
    }
}

/// The program that wrote a file. One of the same version as this one is another build: naming the version
/// alone would send the reader back to this program.
fn writer(made_by: &str) -> String {
    const OWN: &str = concat!("asif ", env!("CARGO_PKG_VERSION"));
    match made_by {
        "" => "a newer asif".to_owned(),
        OWN => format!("a later build of {OWN}"),
        other => other.to_owned(),
    }
}

fn in_brackets(holder: &str) -> String {
    match holder {
        "" => String::new(),
        holder => format!(" ({holder})"),
    }
}

impl AnchorsError {
    /// Whether it says that files of the anchor set are damaged or contradict each other.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Manifest { .. }
            | Self::Damaged { .. }
            | Self::BeyondRepair { .. }
            | Self::NeedsRepair { .. } => true,
            Self::PurgeStopped { source, .. } => source.is_damage(),
            _ => false,
        }
    }

    /// The message without the advice, for callers that give their own or are carrying it out.
    pub fn without_advice(&self) -> String {
        match self {
            Self::Damaged { path, what } | Self::NeedsRepair { path, what, .. } => {
                format!("{}: {what}", path.display())
            }
            Self::Manifest { path, reason } => format!(
                "{}: not a manifest of an anchor set: {}",
                path.display(),
                json_message(reason)
            ),
            other => other.to_string(),
        }
    }

    /// Whether the operating system denied access to a file. That is not damage: the state of the file is
    /// unknown.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Io(error) => fs::is_refusal(error),
            Self::Index(asif_index::Error::Io { source, .. }) => fs::is_refusal(source),
            Self::PurgeStopped { source, .. } => source.is_refusal(),
            _ => false,
        }
    }

    /// Whether a file was made by a newer program. That is not damage either: that program can read it.
    pub fn is_of_newer(&self) -> bool {
        match self {
            Self::Format { .. }
            | Self::UnknownField { .. }
            | Self::UnknownContent { .. }
            | Self::Index(asif_index::Error::Version { .. }) => true,
            Self::PurgeStopped { source, .. } => source.is_of_newer(),
            _ => false,
        }
    }

    /// Returns this error if it means that the file is damaged.
    ///
    /// # Errors
    /// This error, if access was denied or a newer program made the file.
    pub(super) fn into_damage(self) -> Result<Self, Self> {
        match self.is_refusal() || self.is_of_newer() {
            true => Err(self),
            false => Ok(self),
        }
    }

    /// Converts an I/O error on a file of an anchor set: the set is damaged, unless it is
    /// the medium that refuses.
    pub(super) fn of_file(path: &Path, error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        if fs::is_refusal(&error) {
            return Self::Io(error);
        }
        let what = match error.kind() {
            ErrorKind::NotFound => "it is missing",
            ErrorKind::IsADirectory => "a folder stands in its place",
            ErrorKind::NotADirectory => "a file stands in the place of its folder",
            ErrorKind::UnexpectedEof => "it is cut off",
            _ => "it is not text",
        };
        Self::Damaged {
            path: path.to_owned(),
            what: what.to_owned(),
        }
    }
}

/// The value, if intact; `None` where it is damaged.
///
/// # Errors
/// When access was denied, or a newer program made it.
pub(super) fn if_whole<T>(looked: Result<T, AnchorsError>) -> Result<Option<T>, AnchorsError> {
    match looked {
        Ok(whole) => Ok(Some(whole)),
        Err(error) => error.into_damage().map(|_| None),
    }
}

/// An anchor set was built with one encoder and is used with another.
#[derive(Debug, thiserror::Error)]
#[error(
    "{set}: built with {modality} encoder {built} (fingerprint {built_print}), not with {given} \
     (fingerprint {given_print}); vectors of different encoders cannot be compared: \
     name the encoder that built it, or build the anchor set again",
    set = set.display()
)]
pub struct EncoderMismatch {
    /// The anchor set.
    pub set: PathBuf,
    /// What the encoder reads.
    pub modality: Modality,
    /// The name of the encoder in the manifest.
    pub built: String,
    /// Its fingerprint, shortened.
    pub built_print: String,
    /// The name of the encoder given.
    pub given: String,
    /// Its fingerprint, shortened.
    pub given_print: String,
}
