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
//! | `head` | [`LabelHead`]: the head of some labels, and the answer for an image |
//! | `reasons` | [`LabelExplanation`]: a score as a sum of contributions of pairs |

mod head;
mod reasons;

use std::path::Path;
use std::sync::Arc;

use crate::anchors::stored::plan::SearchMode;
use crate::anchors::{AnchorSet, AnchorsError, Searcher};
use crate::bad_inputs::BadInputs;
use crate::embed::{Embedder, InputRejection, WorkControl};
use crate::image_source::ImageSource;
use crate::modality::Modality;
use crate::space::explain::ScoreExplanation;
use crate::space::prompts::{LabelList, PromptTemplates};
use crate::space::{PromptAggregation, Recipe};

pub use head::{ClassifiedImage, LabelHead, RankedLabel, ScoringOptions, default_logit_scale};
pub use reasons::{LabelExplanation, PairContribution, UnlistedPairs};

/// A classifier: an anchor set, a space and the head of some labels.
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
    /// How the vectors of the anchor set are searched.
    pub mode: SearchMode,
    /// How the prompts of a label become one score.
    pub aggregate: PromptAggregation,
    /// The factor between similarities and logits; `None` means [`default_logit_scale`].
    pub logit_scale: Option<f64>,
}

impl<'a> Classifier<'a> {
    /// Fits the space, encodes the prompts of all labels and builds their head.
    ///
    /// A long-running process has a fitted space already, in its [`Snapshot`](crate::anchors::Snapshot): see
    /// [`with_head`](Self::with_head).
    ///
    /// # Errors
    /// When the anchor set was built with other encoders, the recipe is invalid, a prompt cannot be encoded,
    /// or on cancellation.
    pub fn new(
        set: &'a AnchorSet,
        embedder: &'a Embedder,
        labels: &LabelList,
        templates: &PromptTemplates,
        options: HeadOptions,
        watch: WorkControl<'_>,
    ) -> Result<Self, AnchorsError> {
        // Checked first because fitting the space reads all vectors.
        set.check_encoders(embedder)?;
        let searcher = Searcher::new(set, options.space, options.mode)?;
        let scoring = ScoringOptions {
            aggregate: options.aggregate,
            logit_scale: options.logit_scale,
        };
        let head = LabelHead::new(set, &searcher, embedder, labels, templates, scoring, watch)?;
        Self::with_head(searcher, embedder, Arc::new(head))
    }

    /// As [`new`](Self::new), of labels that are vectors already: `vectors` is `[labels, dim]`, the unit vector of each
    /// label, made by the text encoder of the anchor set.
    ///
    /// # Errors
    /// When the anchor set was built with other encoders, the recipe is invalid, or a vector is not of its length.
    pub fn of_label_vectors(
        set: &'a AnchorSet,
        embedder: &'a Embedder,
        labels: Vec<String>,
        vectors: Vec<f32>,
        options: HeadOptions,
    ) -> Result<Self, AnchorsError> {
        set.check_encoders(embedder)?;
        let searcher = Searcher::new(set, options.space, options.mode)?;
        let scoring = ScoringOptions {
            aggregate: options.aggregate,
            logit_scale: options.logit_scale,
        };
        let head = LabelHead::of_label_vectors(&searcher, labels, vectors, scoring)?;
        Self::with_head(searcher, embedder, Arc::new(head))
    }

    /// A classifier for an existing head, built with this searcher, a clone of it, or another of the same
    /// [`Snapshot`]. This is cheap, so a server builds one head for each [`Snapshot`] and a classifier for each
    /// request:
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use asif::anchors::{AnchorsError, Snapshot};
    /// # use asif::classify::{Classifier, LabelHead, ScoringOptions};
    /// # use asif::embed::{Embedder, WorkControl};
    /// # use asif::space::prompts::{LabelList, PromptTemplates};
    /// # fn f(snapshot: Arc<Snapshot>, embedder: &Embedder, labels: &LabelList,
    /// #      templates: &PromptTemplates, watch: WorkControl<'_>) -> Result<(), AnchorsError> {
    /// // When the snapshot is new:
    /// let (set, searcher) = (snapshot.set(), snapshot.searcher());
    /// let scoring = ScoringOptions::default();
    /// let head = LabelHead::new(set, &searcher, embedder, labels, templates, scoring, watch)?;
    /// let head = Arc::new(head);
    /// // For each request that is answered from it:
    /// let classifier = Classifier::with_head(snapshot.searcher(), embedder, Arc::clone(&head))?;
    /// let answers = classifier.classify(&["photo.jpg"], watch)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the head was made with another fitted space: its numbers of anchors mean other pairs.
    ///
    /// [`Snapshot`]: crate::anchors::Snapshot
    pub fn with_head(
        searcher: Searcher<'a>,
        embedder: &'a Embedder,
        head: Arc<LabelHead>,
    ) -> Result<Self, AnchorsError> {
        if !head.is_of(&searcher) {
            return Err(AnchorsError::Index(asif_index::Error::Argument {
                what: "label head",
                expected: "one made with a searcher of the same fitted space".to_owned(),
                found: "one of another generation or space".to_owned(),
                advice: "make the head again when the generation or the space changes",
            }));
        }
        Ok(Self {
            embedder,
            searcher,
            head,
        })
    }

    /// The labels, in the order of every score list.
    pub fn labels(&self) -> &[String] {
        self.head.labels()
    }

    /// The space.
    pub fn recipe(&self) -> &Recipe {
        self.searcher.recipe()
    }

    /// One answer for each image file, in order; an image that cannot be used has the reason instead.
    ///
    /// # Errors
    /// When the encoder fails, or on cancellation.
    pub fn classify<P: AsRef<Path> + Sync>(
        &self,
        images: &[P],
        watch: WorkControl<'_>,
    ) -> Result<Vec<Result<ClassifiedImage, InputRejection>>, AnchorsError> {
        let images = ImageSource::files(images);
        let (vectors, bad) = BadInputs::split(self.embedder.images(&images, watch)?);
        Ok(bad.put_back(self.answers(vectors)?))
    }

    /// One answer for each image, given as a unit vector.
    ///
    /// # Errors
    /// When a vector has another length or is not finite.
    pub fn answers(&self, vectors: Vec<Vec<f32>>) -> Result<Vec<ClassifiedImage>, AnchorsError> {
        let dim = self.searcher.set().dim(Modality::Image);
        // Checked one by one: two wrong lengths may add up to the right one.
        if let Some(other) = vectors.iter().find(|vector| vector.len() != dim) {
            return Err(AnchorsError::Index(asif_index::Error::Argument {
                what: "image vector",
                expected: format!("{dim} numbers"),
                found: other.len().to_string(),
                advice: "give unit vectors made by the image encoder of this anchor set",
            }));
        }
        let inputs = self
            .searcher
            .represent(Modality::Image, &vectors.concat())?;
        let pairs = vectors.into_iter().zip(inputs);
        Ok(pairs.map(|(v, input)| self.head.answer(v, input)).collect())
    }

    /// The labels of an answer, best first, ties in the order of the labels; at most `top`.
    pub fn ranked(&self, answer: &ClassifiedImage, top: usize) -> Vec<RankedLabel> {
        self.head.ranked(answer, top)
    }

    /// Explains an image's similarity to a label by anchors: for its best prompt, or the mean over its
    /// prompts, in the same way as the label's score.
    ///
    /// # Errors
    /// When `class` is not the index of a label, and as [`Searcher::explain`].
    pub(crate) fn explain(
        &self,
        answer: &ClassifiedImage,
        class: usize,
    ) -> Result<ScoreExplanation, AnchorsError> {
        let known = self.labels().len();
        if class >= known {
            return Err(AnchorsError::Index(asif_index::Error::Argument {
                what: "label index",
                expected: format!("one below {known}"),
                found: class.to_string(),
                advice: "give the index of a label in the list of labels",
            }));
        }
        let prompts = self.head.prompts(class);
        let mut all = self
            .decisive(answer, class)
            .into_iter()
            .map(|at| self.searcher.explain(&answer.input, &prompts[at]))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(match all.len() {
            1 => all.swap_remove(0),
            _ => ScoreExplanation::mean(&all),
        })
    }

    /// The prompts that determine a label's score: all of them, or the best.
    fn decisive(&self, answer: &ClassifiedImage, class: usize) -> Vec<usize> {
        let prompts = self.head.prompts(class);
        if self.head.aggregate() == PromptAggregation::MeanScore {
            return (0..prompts.len()).collect();
        }
        let shares = self.recipe().shares();
        let scores = prompts.iter().map(|p| answer.input.score(p, &shares));
        let best = scores.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        best.map(|(at, _)| at).into_iter().collect()
    }
}
