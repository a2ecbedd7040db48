//! What can go wrong with an anchor set.

use std::path::{Path, PathBuf};

use crate::disk as fs;
use crate::embed::EmbedError;
use crate::modality::Modality;
use crate::pairs::{PairsError, json_message};
use crate::remedy::InputRemedy;
use crate::space::linear::FitError;
use crate::space::recipe::RecipeError;

/// An anchor set could not be built, opened or searched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorsError {
    /// The folder is not an anchor set.
    #[error("{path}: not an anchor set, {why}; give the folder of a set, or build one", path = path.display())]
    NotASet {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        why: &'static str,
    },
    /// A set is where a new one is to be built.
    #[error(
        "{path}: exists already; build in another folder, or allow the set to be replaced",
        path = path.display()
    )]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Somebody else has made the folder to build while this build ran.
    #[error(
        "{path}: somebody else has made it meanwhile, so it is left as it is; the embeddings are kept: \
         a build in another folder, or one that may replace this set, goes on from them",
        path = path.display()
    )]
    MadeMeanwhile {
        /// The file or folder.
        path: PathBuf,
    },
    /// The folder to build exists and is something else, which no build may replace.
    #[error("{path}: exists and is not an anchor set, so it is left as it is; build in another folder", path = path.display())]
    InTheWay {
        /// The file or folder.
        path: PathBuf,
    },
    /// A place to write to lies in a set.
    #[error(
        "{path}: lies in the anchor set {set}, into which nothing else is written; name a place outside \
         of it",
        path = path.display(), set = set.display()
    )]
    InsideSet {
        /// The file or folder.
        path: PathBuf,
        /// The set.
        set: PathBuf,
    },
    /// Somebody else is writing.
    #[error("{path}: another process is writing to this set{}; wait for it, or stop it", in_brackets(holder), path = path.display())]
    Locked {
        /// The set.
        path: PathBuf,
        /// What the lock file says of its holder; empty when it names none that lives.
        holder: String,
    },
    /// The manifest cannot be understood.
    #[error("{path}: not a manifest of an anchor set: {}; the set is damaged: repair it, which may go back to a generation that has one", json_message(reason), path = path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What the JSON reader says.
        reason: serde_json::Error,
    },
    /// Written by a newer program.
    #[error(
        "{path}: format {found}, made by {made_by}, but this program (asif {own}) reads format {known}; \
         use that asif or a newer one, or build the set again under another name",
        path = path.display(), own = env!("CARGO_PKG_VERSION")
    )]
    Format {
        /// The manifest or record file.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The program version that made it, as far as it says.
        made_by: String,
        /// The format that is read.
        known: u32,
    },
    /// A set is to be changed that has something of a newer program, which the change would lose.
    #[error(
        "{path}: it has {field:?}, which this program (asif {own}) does not know and a change would lose; \
         {made_by} wrote it: change the set with that asif or a newer one. Nothing was changed, and this \
         program answers from it as before",
        path = path.display(), own = env!("CARGO_PKG_VERSION")
    )]
    UnknownField {
        /// The manifest, log or record file.
        path: PathBuf,
        /// The field or section.
        field: String,
        /// The program version that made it, as far as it says.
        made_by: String,
    },
    /// A manifest is whole, and says what this program cannot understand.
    #[error(
        "{path}: {made_by} wrote what this program (asif {own}) does not know: {}; use that asif or a newer one",
        json_message(reason), path = path.display(), own = env!("CARGO_PKG_VERSION")
    )]
    UnknownContent {
        /// The manifest.
        path: PathBuf,
        /// What the JSON reader says.
        reason: serde_json::Error,
        /// The program version that made it, as far as it says.
        made_by: String,
    },
    /// Files of a set do not fit each other.
    #[error("{path}: {what}; the set is damaged: repair it, else restore it from a copy, or build it again", path = path.display())]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// A repair found no generation that is sound.
    #[error(
        "{what}; no generation of {set} that is kept is sound, and nothing in the set can make one so: \
         restore it from a copy, or build it again; what is intact was left as it is", set = set.display()
    )]
    BeyondRepair {
        /// The set.
        set: PathBuf,
        /// What does not fit, naming the file.
        what: String,
    },
    /// A file that can be made anew from others is damaged, or disagrees with them.
    #[error("{path}: {what}; a repair of {set} puts it right", path = path.display(), set = set.display())]
    NeedsRepair {
        /// The file.
        path: PathBuf,
        /// The set.
        set: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The set was made with another encoder.
    #[error(transparent)]
    OtherEncoder(Box<OtherEncoder>),
    /// The encoder's canary embedding is not the one in the manifest.
    #[error(
        "{set}: the {modality} encoder {given} is not the one that built it, and its canary \
         embedding has a cosine of {cosine:.6} with the recorded one, below 0.99999; \
         use the encoder that built the set, or build the set again", set = set.display()
    )]
    Canary {
        /// The set.
        set: PathBuf,
        /// What the encoder reads.
        modality: Modality,
        /// The encoder given.
        given: String,
        /// The cosine of both canary embeddings.
        cosine: f64,
    },
    /// Pairs were named that are not in the set.
    #[error(
        "{path}: no live pair has the id {ids}; take it out, or let ids that are not there be passed over",
        path = path.display()
    )]
    NoSuchPair {
        /// The set.
        path: PathBuf,
        /// The first few ids, and how many more.
        ids: String,
    },
    /// Pairs were named, and none of them is in the set; those that are not there were to be passed over.
    #[error(
        "{path}: no live pair has the id {ids}, so there is nothing to remove, and nothing was changed",
        path = path.display()
    )]
    NoneOfThese {
        /// The set.
        path: PathBuf,
        /// The first few ids, and how many more.
        ids: String,
    },
    /// Nothing was selected.
    #[error("{path}: no live pair has {filter}; ask for a value that pairs of the set have", path = path.display())]
    NoMatch {
        /// The set.
        path: PathBuf,
        /// What was asked for.
        filter: String,
    },
    /// A filter of pairs cannot be understood.
    #[error(
        "the filter {text:?} {what}; write KEY=VALUE, several with spaces between: \
         'licence=CC-BY-4.0 source=mine'; a value that has = or \" in it stands in double quotes: \
         'title=\"a = b\"'"
    )]
    Filter {
        /// The filter.
        text: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A change would leave nothing.
    #[error("{path}: that would leave no pair at all, and an empty set answers nothing; delete the folder, or build another set in its place", path = path.display())]
    WouldBeEmpty {
        /// The set.
        path: PathBuf,
    },
    /// A generation is not kept.
    #[error("{path}: {wanted} is not kept; there are {kept}", path = path.display())]
    NoGeneration {
        /// The set.
        path: PathBuf,
        /// What was asked for.
        wanted: String,
        /// The generations that are there.
        kept: String,
    },
    /// What is to be purged was never here.
    #[error(
        "{path}: no pair, no change of the log and no row that was left out has {what}, so nothing was \
         deleted; write it as the set does, or leave it out to delete all removed pairs",
        path = path.display()
    )]
    NothingToPurge {
        /// The set.
        path: PathBuf,
        /// What was asked for.
        what: String,
    },
    /// A pair that is to be purged is still live.
    #[error("{path}: {id:?} is a live pair; remove it first", path = path.display())]
    StillLive {
        /// The set.
        path: PathBuf,
        /// The pair.
        id: String,
    },
    /// A purge ended before it was done.
    #[error(
        "{source}; the purge of {set} is not done (done: {done}; not done: {left}); when that is mended, \
         another purge does the rest",
        set = set.display()
    )]
    PurgeStopped {
        /// The set.
        set: PathBuf,
        /// What it had done.
        done: String,
        /// What it had not.
        left: String,
        /// What stopped it.
        source: Box<AnchorsError>,
    },
    /// A row was bad, and none was to be left out.
    #[error("{origin}: {reason}; nothing was written, because no row was to be left out")]
    Strict {
        /// File and row.
        origin: String,
        /// What is wrong with it.
        reason: String,
        /// What the caller can do so that it is accepted, if anything.
        remedy: Option<InputRemedy>,
    },
    /// No pair was usable.
    #[error("no usable pair: all {skipped} rows were skipped, the first because {first}")]
    NoPairs {
        /// How many rows were skipped.
        skipped: u64,
        /// Why, for the first.
        first: String,
    },
    /// More pairs than an anchor id can number.
    #[error("more than {0} pairs; split them into several sets")]
    TooMany(u64),
    /// The operation was cancelled.
    #[error(
        "interrupted; nothing was written, and another attempt goes on from what the embedding cache holds"
    )]
    Interrupted,
    /// The setting of the space makes no sense.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The pairs do not allow the space.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The sources of pairs cannot be read at all.
    #[error(transparent)]
    Pairs(#[from] PairsError),
    /// What was to be embedded could not be.
    #[error(transparent)]
    Embed(EmbedError),
    /// A vector or record file cannot be read or written.
    #[error(transparent)]
    Index(#[from] asif_index::Error),
    /// The file system refused; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
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

fn in_brackets(holder: &str) -> String {
    match holder {
        "" => String::new(),
        holder => format!(" ({holder})"),
    }
}

impl AnchorsError {
    /// The message without what to do about it, for the command that is just doing it.
    pub(super) fn without_advice(&self) -> String {
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

    /// Whether the system refused to look at a file. That is no damage: nothing is known of the file.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Io(error) => fs::is_refusal(error),
            Self::Index(asif_index::Error::Io { source, .. }) => fs::is_refusal(source),
            Self::PurgeStopped { source, .. } => source.is_refusal(),
            _ => false,
        }
    }

    /// Whether a file was made by a newer program. That is no damage either: that program can read it.
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

    /// This error as damage of what was looked at.
    ///
    /// # Errors
    /// This error, where it is the system's refusal, or a newer program made the file.
    pub(super) fn into_damage(self) -> Result<Self, Self> {
        match self.is_refusal() || self.is_of_newer() {
            true => Err(self),
            false => Ok(self),
        }
    }

    /// What it means that a file of a set cannot be read: that the set is damaged, unless it is the
    /// medium that refuses.
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
            _ => "it is no text",
        };
        Self::Damaged {
            path: path.to_owned(),
            what: what.to_owned(),
        }
    }
}

/// What was looked at, if it is whole; none where it is damaged.
///
/// # Errors
/// When the system refused to look, or a newer program made it.
pub(super) fn if_whole<T>(looked: Result<T, AnchorsError>) -> Result<Option<T>, AnchorsError> {
    match looked {
        Ok(whole) => Ok(Some(whole)),
        Err(error) => error.into_damage().map(|_| None),
    }
}

/// A set was built with one encoder and is to be used with another.
#[derive(Debug, thiserror::Error)]
#[error(
    "{set}: built with {modality} encoder {built} (fingerprint {built_print}), not with {given} \
     (fingerprint {given_print}); vectors of different encoders cannot be compared: \
     name the encoder that built it, or build the set again",
    set = set.display()
)]
pub struct OtherEncoder {
    /// The set.
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
