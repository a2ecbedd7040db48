//! An anchor set with its encoders: the way into the library.
//!
//! The model is the set of pairs. [`AnchorModel`] opens one, answers from it, changes it and moves to the
//! generations that other processes publish. It owns what it needs, as do the classifiers that it hands out,
//! and both may be shared between threads.

mod error;
mod unwatched;
mod zero_shot;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::anchors::change::add::{AddOptions, AddReport, add_from};
use crate::anchors::change::remove::{PairSelection, remove};
use crate::anchors::live::{LiveError, LiveOptions, LiveSet, RefreshOutcome, Snapshot, Watcher};
use crate::anchors::stored::plan::{GraphPolicy, SearchMode};
use crate::anchors::{AnchorSet, AnchorsError, ChangeReceipt, WriteOptions};
use crate::classify::{LabelHead, ScoringOptions};
use crate::embed::{Embedder, EncoderSource};
use crate::encode::{EncoderOptions, runtime};
use crate::home::DataFolder;
use crate::modality::{Modality, PerModality};
use crate::pairs::{Pair, PairOptions};
use crate::space::Recipe;
use crate::space::prompts::{LabelList, PromptTemplates};

use unwatched::unwatched;

pub use error::AnchorModelError;
pub use zero_shot::ZeroShotClassifier;

/// How an [`AnchorModel`] is opened.
#[derive(Debug, Clone, Default)]
pub struct AnchorModelOptions {
    /// Where models, ONNX Runtime and the embedding cache lie; none is the environment's
    /// ([`DataFolder::from_env`]).
    pub home: Option<DataFolder>,
    /// The space; none is the one that each generation's manifest names.
    pub space: Option<Recipe>,
    /// What searches the vectors.
    pub search: SearchMode,
}

/// An anchor set, the encoders that built it and the space that is fitted to it.
///
/// It answers from one generation until [`refresh`](Self::refresh) or a [`Watcher`] moves it to a newer
/// one; a change that is made through it moves it too.
#[derive(Debug)]
pub struct AnchorModel {
    live: Arc<LiveSet>,
    embedder: Arc<Embedder>,
}

impl AnchorModel {
    /// Opens the anchor set at `path` with the encoders that built it, from the home folder that the
    /// environment names. Every file of the live generation is read and verified once. Where it is damaged,
    /// the newest kept generation that is sound answers, and [`live().status()`](LiveSet::status) says why.
    ///
    /// # Errors
    /// When there is no home folder, an encoder is not installed or is not the one that built the anchor
    /// set, or no generation can be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AnchorModelError> {
        Self::open_with(path, AnchorModelOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when the space makes no sense.
    pub fn open_with(
        path: impl AsRef<Path>,
        options: AnchorModelOptions,
    ) -> Result<Self, AnchorModelError> {
        let path = path.as_ref();
        let home = options.home.or_else(DataFolder::from_env);
        let home = home.ok_or(AnchorModelError::NoHome)?;
        let (set, _) = AnchorSet::open_or_last_good(path)?;
        let embedder = Arc::new(embedder_of(&set, &home)?);
        set.check_encoders(&embedder)?;
        drop(set);
        let of_each = Arc::clone(&embedder);
        let options = LiveOptions {
            space: options.space,
            search: options.search,
            canary: Some(Box::new(move |set| {
                set.check_encoders(&of_each).map_err(|e| e.to_string())
            })),
            ..LiveOptions::default()
        };
        Ok(Self {
            live: Arc::new(LiveSet::open(path, options)?),
            embedder,
        })
    }

    /// The generation that answers, with its space.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.load()
    }

    /// The encoders, which turn images and texts into unit vectors.
    pub fn embedder(&self) -> &Embedder {
        &self.embedder
    }

    /// The anchor set as it is followed: what is live, and whether that is what should be.
    pub fn live(&self) -> &LiveSet {
        &self.live
    }

    /// A classifier for these labels, each put into the default prompt templates.
    ///
    /// # Errors
    /// When there is no label or one twice, or a prompt cannot be encoded.
    pub fn classifier<S: AsRef<str>>(
        &self,
        labels: impl IntoIterator<Item = S>,
    ) -> Result<ZeroShotClassifier, AnchorModelError> {
        let labels = LabelList::new(labels)?;
        self.classifier_of(
            &labels,
            &PromptTemplates::default(),
            ScoringOptions::default(),
        )
    }

    /// A classifier for labels with prompts or templates of their own.
    ///
    /// # Errors
    /// When a prompt cannot be encoded.
    pub fn classifier_of(
        &self,
        labels: &LabelList,
        templates: &PromptTemplates,
        scoring: ScoringOptions,
    ) -> Result<ZeroShotClassifier, AnchorModelError> {
        let snapshot = self.snapshot();
        let (set, searcher) = (snapshot.set(), snapshot.searcher());
        let head = unwatched(|watch| {
            LabelHead::new(
                set,
                &searcher,
                &self.embedder,
                labels,
                templates,
                scoring,
                watch,
            )
        })?;
        drop(searcher);
        let embedder = Arc::clone(&self.embedder);
        Ok(ZeroShotClassifier::new(snapshot, embedder, Arc::new(head)))
    }

    /// Adds pairs as a new generation, which answers when this returns. A pair that cannot be used, or
    /// whose id a live pair has, is skipped and listed in the report; the others go on.
    ///
    /// # Errors
    /// When no pair can be used, somebody else writes, or the disk refuses; nothing has changed then.
    /// [`AnchorModelError::WrittenNotLive`] when the change is made, but does not answer here.
    pub fn add(
        &self,
        pairs: impl IntoIterator<Item = Pair>,
    ) -> Result<AddReport, AnchorModelError> {
        let options = AddOptions {
            set: self.live.path().to_owned(),
            pairs: Vec::new(),
            selection: Default::default(),
            reading: PairOptions::default(),
            strict: false,
            thumbnails: true,
            graphs: GraphPolicy::Auto,
            accept_encoder: false,
        };
        let pairs = pairs.into_iter().map(Ok);
        let encoders = |_: &AnchorSet| Ok::<_, AnchorsError>(&*self.embedder);
        let report = unwatched(|watch| {
            add_from(&options, &WriteOptions::default(), pairs, encoders, watch)
        })?;
        self.move_to(report.receipt.change.generation)?;
        Ok(report)
    }

    /// Removes the pairs with these ids as a new generation, which answers when this returns: from then
    /// on they have no influence on any answer.
    ///
    /// # Errors
    /// When no live pair has one of the ids, all pairs would go, somebody else writes, or the disk refuses;
    /// nothing has changed then. [`AnchorModelError::WrittenNotLive`] as for [`add`](Self::add).
    pub fn remove<S: Into<String>>(
        &self,
        ids: impl IntoIterator<Item = S>,
    ) -> Result<ChangeReceipt, AnchorModelError> {
        let selection = PairSelection::Ids {
            ids: ids.into_iter().map(Into::into).collect(),
            missing_ok: false,
        };
        let receipt = remove(self.live.path(), &selection, &WriteOptions::default())?;
        self.move_to(receipt.change.generation)?;
        Ok(receipt)
    }

    /// Moves to the generation that a change of this process has made.
    fn move_to(&self, generation: u64) -> Result<(), AnchorModelError> {
        let moved = self.refresh();
        let failed = |source| AnchorModelError::WrittenNotLive { generation, source };
        moved.map(|_| ()).map_err(failed)
    }

    /// Moves to the generation that is live on disk, if that is another one. Classifiers that were made
    /// before stay with theirs.
    ///
    /// # Errors
    /// Why that generation was not taken; the previous one stays in use.
    pub fn refresh(&self) -> Result<RefreshOutcome, LiveError> {
        self.live.refresh()
    }

    /// Refreshes by itself from now on, for as long as the watcher lives; `report` is told of each swap and
    /// each failure.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn follow(
        &self,
        interval: Duration,
        report: impl FnMut(Result<RefreshOutcome, LiveError>) + Send + 'static,
    ) -> Result<Watcher, LiveError> {
        Watcher::spawn(Arc::clone(&self.live), interval, report)
    }
}

/// The encoders that built the anchor set, from the home folder, with its cache.
fn embedder_of(set: &AnchorSet, home: &DataFolder) -> Result<Embedder, AnchorModelError> {
    let recorded = |modality| &set.encoder(modality).identity;
    let sources = PerModality::of(|modality| EncoderSource::recorded(recorded(modality)));
    if sources.iter().any(EncoderSource::is_installed) {
        runtime::load(None, home)?;
    }
    let options = EncoderOptions::throughput()
        .as_recorded(recorded(Modality::Image))
        .as_recorded(recorded(Modality::Text));
    let embedder = Embedder::open_some(home, sources, &options)?;
    // A cache that cannot be used costs time only, and a library has nobody to tell.
    let unheard = Arc::new(|_: &str| {});
    Ok(embedder.with_cache(&home.embedding_cache(), unheard)?)
}
