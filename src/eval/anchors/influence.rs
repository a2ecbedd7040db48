//! Which anchors, and which sources of them, help on labelled images.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::gather;
use crate::anchors::stored::plan::SearchMode;
use crate::anchors::{AnchorId, AnchorSet, AnchorsError, Searcher};
use crate::bad_inputs::BadInputs;
use crate::embed::{InputRejection, WorkControl};
use crate::eval::measure::{EvaluationSubject, MeasureError, classification};
use crate::eval::{Dataset, IntervalEstimate, wilson};
use crate::image_source::ImageSource;
use crate::modality::Modality;
use crate::space::anchors::NearestAnchors;
pub use crate::space::influence::MarginEffect;
use crate::space::influence::{LabelledRow, PromptRows, is_right, of_anchors, refilled};
use crate::space::prompts::{LabelList, PromptTemplates};
use crate::space::vector::mean_direction;
use crate::space::{PromptAggregation, RelativeParams, RelativeRow};

/// The number of sources that are measured, the largest first.
const SOURCES: usize = 50;

/// Options of the influence, which is measured in a space of plain relative rows, whose entries are anchors.
#[derive(Debug, Clone, Copy)]
pub struct InfluenceOptions {
    /// The settings of the rows.
    pub params: RelativeParams,
    /// How the anchors are searched.
    pub mode: SearchMode,
    /// How the prompts of a label become one score. The mean of scores has no row, so the score of the mean
    /// prompt is used in its place.
    pub aggregate: PromptAggregation,
}

/// The influence of all anchors on one data set.
#[derive(Debug, Clone, Serialize)]
pub struct InfluenceReport {
    /// The data set.
    pub dataset: String,
    /// The number of images that could be used.
    pub images: usize,
    /// The share of right answers with all anchors.
    pub accuracy: IntervalEstimate,
    /// The mean margin with all anchors.
    pub margin: f64,
    /// Each source (the 50 largest), the most helpful first.
    pub sources: Vec<SourceInfluence>,
    /// Each anchor that occurs in any row, the most helpful first.
    pub anchors: Vec<AnchorInfluence>,
    /// Images that could not be used; they are excluded.
    #[serde(skip)]
    pub rejected: Vec<InputRejection>,
}

/// The influence of a source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceInfluence {
    /// Its name; empty for pairs without a source.
    pub source: String,
    /// The number of its pairs.
    pub pairs: usize,
    /// The share of right answers without it.
    pub accuracy_without: f64,
    /// The effect of removing it.
    #[serde(flatten)]
    pub effect: MarginEffect,
}

/// The influence of an anchor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnchorInfluence {
    /// Its number in the anchor set.
    pub anchor: AnchorId,
    /// Its pair's id.
    pub id: String,
    /// That pair's source; empty if it has none.
    pub source: String,
    /// Its first caption.
    pub caption: String,
    /// The effect of removing it.
    #[serde(flatten)]
    pub effect: MarginEffect,
}

/// Measures the influence of every anchor in one pass, and of every source with rows refilled by the next
/// nearest anchors (see `crate::space::influence` for the approximations).
///
/// # Errors
/// A [`MeasureError`]; an image that cannot be used is not an error.
pub fn influence(
    subject: EvaluationSubject<'_>,
    dataset: &Dataset,
    templates: Option<&PromptTemplates>,
    options: InfluenceOptions,
) -> Result<InfluenceReport, MeasureError> {
    let task = classification(dataset)?;
    let EvaluationSubject {
        set,
        embedder,
        watch,
    } = subject;
    set.check_encoders(embedder)?;
    let searcher = Searcher::new(set, options.params, options.mode)?;
    let default = PromptTemplates::default();
    let templates = templates.or(task.templates.as_ref()).unwrap_or(&default);
    let labels = LabelList::new(task.classes.iter().map(|c| c.name.as_str()))?;
    let text_vectors = prompt_vectors(subject, &labels.prompts(templates), options)?;
    let classes = prompt_rows(&searcher, &text_vectors)?;
    watch
        .progress
        .begin("images", Some(task.images.len() as u64));
    let embeddings = embedder.images(&ImageSource::files(&task.images), watch)?;
    watch.progress.end();
    let (vectors, bad) = BadInputs::split(embeddings);
    let vectors = vectors.concat();
    let rows = bad.put_back(searcher.rows(Modality::Image, &vectors)?);
    let labelled = rows.into_iter().zip(&task.labels);
    let (images, bad) = BadInputs::split(labelled.map(|(row, &label)| Ok((row?, label))));
    let rejected: Vec<InputRejection> = bad.into_errors();
    let prompts = PromptRows::new(set.len(), &classes);
    let effects = of_anchors(&prompts, &images);
    let records = gather::records(set)?;
    let names: Vec<String> = records
        .par_iter()
        .map(|r| r.meta_text("source").unwrap_or_default())
        .collect();
    let margins = prompts.margins(&images);
    let right = margins.iter().filter(|&&m| is_right(m)).count() as u64;
    let accuracy = wilson(right, images.len() as u64);
    let sources = PairSources::of(&names);
    let without = SourceExclusion {
        set,
        options,
        source_of: &sources.number_of,
        sources: sources.measured.len(),
    };
    let labels: Vec<usize> = images.iter().map(|i| i.1).collect();
    let without = without.margins(&text_vectors, &vectors, &labels, watch)?;
    let mut anchors: Vec<AnchorInfluence> = (0..)
        .zip(effects)
        .zip(&records)
        .filter(|((_, effect), _)| effect.images > 0)
        .map(|((anchor, effect), record)| AnchorInfluence {
            anchor,
            id: record.id.clone(),
            source: names[anchor as usize].clone(),
            caption: record.first_caption().to_owned(),
            effect,
        })
        .collect();
    let order = |a: &MarginEffect, b: &MarginEffect| b.margin.total_cmp(&a.margin);
    anchors.sort_by(|a, b| order(&a.effect, &b.effect).then(a.anchor.cmp(&b.anchor)));
    let mut by_source = sources.effects(&margins, &without);
    by_source.sort_by(|a, b| order(&a.effect, &b.effect).then(a.source.cmp(&b.source)));
    Ok(InfluenceReport {
        dataset: dataset.name.clone(),
        images: images.len(),
        accuracy,
        margin: margins.iter().sum::<f64>() / margins.len().max(1) as f64,
        sources: by_source,
        anchors,
        rejected,
    })
}

/// The vectors of each class's prompts, `[prompts, dim]` flat; one for each class if prompts are averaged.
fn prompt_vectors(
    subject: EvaluationSubject<'_>,
    prompts: &[Vec<String>],
    options: InfluenceOptions,
) -> Result<Vec<Vec<f32>>, AnchorsError> {
    let EvaluationSubject {
        embedder, watch, ..
    } = subject;
    let dim = embedder.text().dim();
    let of = |prompts: &Vec<String>| {
        let vectors = embedder.prompts(prompts, watch)?;
        Ok(match options.aggregate {
            PromptAggregation::Max => vectors,
            PromptAggregation::Mean | PromptAggregation::MeanScore => mean_direction(&vectors, dim),
        })
    };
    prompts.iter().map(of).collect()
}

/// The rows of each class's prompts.
fn prompt_rows(
    searcher: &Searcher<'_>,
    classes: &[Vec<f32>],
) -> Result<Vec<Vec<RelativeRow>>, AnchorsError> {
    let rows = |vectors: &Vec<f32>| searcher.rows(Modality::Text, vectors);
    classes.iter().map(rows).collect()
}

/// The margins of all images without each source, with rows refilled by the next nearest anchors.
struct SourceExclusion<'a> {
    set: &'a AnchorSet,
    options: InfluenceOptions,
    source_of: &'a [u32],
    sources: usize,
}

impl SourceExclusion<'_> {
    /// The margins, `[sources][images]`; `vectors` are those of the images, `[images, dim]` flat.
    fn margins(
        &self,
        classes: &[Vec<f32>],
        vectors: &[f32],
        labels: &[usize],
        watch: WorkControl<'_>,
    ) -> Result<Vec<Vec<f64>>, AnchorsError> {
        const IMAGES: usize = 64;
        let searcher = Searcher::new(self.set, self.options.params, SearchMode::Exact)?;
        let nearest = |side, vectors: &[f32]| searcher.nearest(side, self.set.len(), vectors);
        let of_class = |vectors: &Vec<f32>| nearest(Modality::Text, vectors);
        let of_classes: Vec<Vec<NearestAnchors>> =
            classes.iter().map(of_class).collect::<Result<_, _>>()?;
        let without = |nearest: &NearestAnchors, source: usize| {
            let gone = |anchor: u32| self.source_of[anchor as usize] as usize == source;
            refilled(nearest, gone, &self.options.params)
        };
        let prompts: Vec<PromptRows> = (0..self.sources)
            .into_par_iter()
            .map(|source| {
                let rows = |prompts: &Vec<NearestAnchors>| -> Vec<RelativeRow> {
                    prompts
                        .iter()
                        .map(|prompt| without(prompt, source))
                        .collect()
                };
                let classes: Vec<Vec<RelativeRow>> = of_classes.iter().map(rows).collect();
                PromptRows::new(self.set.len(), &classes)
            })
            .collect();
        let mut margins = vec![Vec::with_capacity(labels.len()); self.sources];
        let dim = self.set.dim(Modality::Image);
        watch.progress.begin("sources", Some(labels.len() as u64));
        for (vectors, labels) in vectors.chunks(IMAGES * dim).zip(labels.chunks(IMAGES)) {
            if watch.cancel.requested() {
                return Err(AnchorsError::Interrupted);
            }
            let of_images = nearest(Modality::Image, vectors)?;
            for (source, margins) in margins.iter_mut().enumerate() {
                let images: Vec<LabelledRow> = of_images
                    .par_iter()
                    .zip(labels)
                    .map(|(image, &label)| (without(image, source), label))
                    .collect();
                margins.extend(prompts[source].margins(&images));
            }
            watch.progress.advance(labels.len() as u64);
        }
        watch.progress.end();
        Ok(margins)
    }
}

/// The sources of the pairs of an anchor set, the largest first.
struct PairSources {
    /// For each anchor, the number of its source; numbers past `measured` are not measured.
    number_of: Vec<u32>,
    /// Name and number of pairs of each measured source.
    measured: Vec<(String, usize)>,
}

impl PairSources {
    fn of(names: &[String]) -> Self {
        let mut pairs: BTreeMap<&str, usize> = BTreeMap::new();
        names
            .iter()
            .for_each(|name| *pairs.entry(name).or_default() += 1);
        let mut all: Vec<(&str, usize)> = pairs.into_iter().collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let number: BTreeMap<&str, u32> = all.iter().map(|s| s.0).zip(0..).collect();
        Self {
            number_of: names.iter().map(|name| number[name.as_str()]).collect(),
            measured: all
                .iter()
                .take(SOURCES)
                .map(|&(name, pairs)| (name.to_owned(), pairs))
                .collect(),
        }
    }

    fn effects(&self, margins: &[f64], without: &[Vec<f64>]) -> Vec<SourceInfluence> {
        let of = |((source, pairs), without): (&(String, usize), &Vec<f64>)| SourceInfluence {
            source: source.clone(),
            pairs: *pairs,
            accuracy_without: without.iter().filter(|&&m| is_right(m)).count() as f64
                / without.len().max(1) as f64,
            effect: MarginEffect::between(margins, without),
        };
        self.measured.iter().zip(without).map(of).collect()
    }
}
