//! Zero-shot classification: labels become a class head, images become scores.
//!
//! ```text
//! labels x templates -> prompts -> text encoder -> rows -> LabelHead
//! image file         ------------> image encoder -> row  -> scores, and the anchors behind them
//! ```
//!
//! | file | role |
//! |---|---|
//! | `mod` | [`Classifier`]: image files to answers |
//! | `head` | [`LabelHead`]: labels to a head, a row to an answer |

mod head;

use std::path::Path;
use std::sync::Arc;

use crate::anchors::embed::{Rejected, Watch};
use crate::anchors::plan::SearchMode;
use crate::anchors::searcher::Modality;
use crate::anchors::{AnchorSet, AnchorsError, Embedder, Searcher};
use crate::space::explain::Explanation;
use crate::space::prompts::{Labels, Templates};
use crate::space::{Aggregate, Recipe, Representation};

pub use head::{Answer, LabelHead, Prediction, Scoring, default_logit_scale};

/// A set, a space and the head of some labels, ready to score images.
#[derive(Debug)]
pub struct Classifier<'a> {
    embedder: &'a Embedder,
    searcher: Searcher<'a>,
    head: Arc<LabelHead>,
}

/// How labels are turned into a class head.
#[derive(Debug, Clone)]
pub struct HeadOptions {
    /// The space.
    pub space: Recipe,
    /// What searches the set's vectors.
    pub mode: SearchMode,
    /// How the prompts of a label become one score.
    pub aggregate: Aggregate,
    /// The factor between similarities and logits; none is [`default_logit_scale`].
    pub logit_scale: Option<f64>,
}

impl<'a> Classifier<'a> {
    /// Centres the space, encodes the prompts of all labels and makes their head.
    ///
    /// A process that answers for long has the space centred already, in its
    /// [`Snapshot`](crate::anchors::Snapshot): see [`with_head`](Self::with_head).
    ///
    /// # Errors
    /// When the set was built with other encoders, the space makes no sense, a prompt cannot be
    /// encoded, or somebody asked to stop.
    pub fn new(
        set: &'a AnchorSet,
        embedder: &'a Embedder,
        labels: &Labels,
        templates: &Templates,
        options: HeadOptions,
        watch: Watch<'_>,
    ) -> Result<Self, AnchorsError> {
        // Before the vectors are read for their distance to the mean.
        set.check_encoders(embedder)?;
        let searcher = Searcher::new(set, options.space, options.mode)?;
        let scoring = Scoring {
            aggregate: options.aggregate,
            logit_scale: options.logit_scale,
        };
        let head = LabelHead::new(set, &searcher, embedder, labels, templates, scoring, watch)?;
        Ok(Self::with_head(searcher, embedder, Arc::new(head)))
    }

    /// Of a head that was made with this searcher, or with another of the same generation and
    /// space. Costs nothing, so that a server makes a head once a [`Snapshot`] and a classifier for
    /// each request:
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use asif::anchors::{embed::Watch, AnchorsError, Embedder, Snapshot};
    /// # use asif::classify::{Classifier, LabelHead, Scoring};
    /// # use asif::space::prompts::{Labels, Templates};
    /// # fn f(snapshot: Arc<Snapshot>, embedder: &Embedder, labels: &Labels,
    /// #      templates: &Templates, watch: Watch<'_>) -> Result<(), AnchorsError> {
    /// // When the snapshot is new:
    /// let (set, searcher) = (snapshot.set(), snapshot.searcher());
    /// let scoring = Scoring::default();
    /// let head = LabelHead::new(set, &searcher, embedder, labels, templates, scoring, watch)?;
    /// let head = Arc::new(head);
    /// // For each request that is answered from it:
    /// let classifier = Classifier::with_head(snapshot.searcher(), embedder, Arc::clone(&head));
    /// let answers = classifier.classify(&["photo.jpg"], watch)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`Snapshot`]: crate::anchors::Snapshot
    pub fn with_head(searcher: Searcher<'a>, embedder: &'a Embedder, head: Arc<LabelHead>) -> Self {
        Self {
            embedder,
            searcher,
            head,
        }
    }

    /// The labels, in the order of every score list.
    pub fn labels(&self) -> &[String] {
        self.head.labels()
    }

    /// The space.
    pub fn recipe(&self) -> &Recipe {
        self.searcher.recipe()
    }

    /// One answer for each image file, in order; a bad image has the reason instead.
    ///
    /// # Errors
    /// When the encoder fails or somebody asked to stop.
    pub fn classify<P: AsRef<Path> + Sync>(
        &self,
        images: &[P],
        watch: Watch<'_>,
    ) -> Result<Vec<Result<Answer, Rejected>>, AnchorsError> {
        let embeddings = self.embedder.images(images, watch)?;
        let vectors: Vec<f32> = embeddings.iter().flatten().flatten().copied().collect();
        let mut inputs = self
            .searcher
            .represent(Modality::Image, &vectors)?
            .into_iter();
        let mut answer = |_| self.head.answer(inputs.next().unwrap_or_default());
        Ok(embeddings
            .into_iter()
            .map(|embedding| embedding.map(&mut answer))
            .collect())
    }

    /// As [`LabelHead::ranked`].
    pub fn ranked(&self, answer: &Answer, top: usize) -> Vec<Prediction> {
        self.head.ranked(answer, top)
    }

    /// The anchors that made an image's similarity to a label: of its best prompt, or the mean over
    /// its prompts, as the label's score is.
    ///
    /// # Errors
    /// As [`Searcher::explain`].
    pub fn explain(&self, answer: &Answer, class: usize) -> Result<Explanation, AnchorsError> {
        let of = |prompt: &Representation| self.searcher.explain(&answer.input, prompt);
        let prompts = self.head.prompts(class);
        if self.head.aggregate() == Aggregate::MeanScore {
            let all: Vec<Explanation> = prompts.iter().map(of).collect::<Result<_, _>>()?;
            return Ok(Explanation::mean(&all));
        }
        let shares = self.recipe().shares();
        let score = |p: &&Representation| answer.input.score(p, &shares);
        let best = prompts.iter().max_by(|a, b| score(a).total_cmp(&score(b)));
        best.map_or_else(|| Ok(Explanation::default()), of)
    }
}
