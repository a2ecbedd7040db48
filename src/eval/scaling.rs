//! Scaling curves: accuracy against the number of anchors, measured on random subsets of an anchor set.
//!
//! A draw is one random order of the pairs, and its subsets are prefixes of that order, so that within a draw
//! larger subsets contain smaller ones. Nothing is written, and no input is encoded more than once.

use std::sync::Arc;
use std::time::Instant;

use ndarray::Array2;
use serde::Serialize;

use super::dataset::{ClassificationTask, Dataset};
use super::interval::{IntervalEstimate, mean_of_draws};
use super::layout::csv_cell;
use super::measure::{EvaluationSubject, MeasureError, classification};
use super::zeroshot::zeroshot;
use crate::anchors::{AnchorSet, Searcher};
use crate::classify::{Classifier, HeadOptions, LabelHead, ScoringOptions};
use crate::embed::InputRejection;
use crate::image_source::ImageSource;
use crate::modality::Modality;
use crate::space::prompts::{LabelList, PromptTemplates};
use asif_index::random::SplitMix64;

/// Which subsets of an anchor set are measured.
#[derive(Debug, Clone)]
pub struct ScalingPlan {
    /// The sizes of the subsets; larger sizes than the anchor set mean all of it.
    pub sizes: Vec<usize>,
    /// The number of random subsets of each size; all anchors are measured once.
    pub draws: u64,
    /// The seed of the random orders.
    pub seed: u64,
}

/// Accuracy against the number of anchors, for each data set.
#[derive(Debug, Clone, Serialize)]
pub struct ScalingReport {
    /// The encoders.
    pub model: String,
    /// The number of anchors in the whole anchor set.
    pub anchors: usize,
    /// The space, as text.
    pub space: String,
    /// The seed of the draws.
    pub seed: u64,
    /// A curve a data set.
    pub curves: Vec<ScalingCurve>,
}

/// The scaling curve of one data set.
#[derive(Debug, Clone, Serialize)]
pub struct ScalingCurve {
    /// The data set's name.
    pub dataset: String,
    /// Its images.
    pub images: usize,
    /// Its classes.
    pub classes: usize,
    /// Fewest anchors first.
    pub points: Vec<ScalingPoint>,
}

/// The accuracy for one number of anchors.
#[derive(Debug, Clone, Serialize)]
pub struct ScalingPoint {
    /// The number of anchors.
    pub anchors: usize,
    /// Top-1: the mean over the draws, with a 95 % interval that covers both the sampling of images and the
    /// spread of the draws.
    pub acc1: IntervalEstimate,
    /// Top-1 of each draw.
    pub draws: Vec<f64>,
    /// Seconds to fit the space, build the head and score all images, mean over the draws.
    pub seconds: f64,
}

/// A data set with its images encoded.
struct EncodedDataset<'a> {
    name: &'a str,
    task: &'a ClassificationTask,
    labels: LabelList,
    templates: PromptTemplates,
    /// The images that could be used: index and unit vector.
    vectors: Vec<(usize, Vec<f32>)>,
}

/// Measures zero-shot accuracy with random subsets of an anchor set.
///
/// `templates` replace those of the data sets. Images that could not be used are returned beside
/// the report and count as errors.
///
/// # Errors
/// A [`MeasureError`]; an image that cannot be used is not an error.
pub fn measure_scaling(
    subject: EvaluationSubject<'_>,
    datasets: &[Dataset],
    templates: Option<&PromptTemplates>,
    options: &HeadOptions,
    plan: &ScalingPlan,
) -> Result<(ScalingReport, Vec<InputRejection>), MeasureError> {
    let EvaluationSubject { set, watch, .. } = subject;
    set.check_encoders(subject.embedder)?;
    let mut rejected = Vec::new();
    let prepared = datasets
        .iter()
        .map(|dataset| prepare(subject, dataset, templates, &mut rejected))
        .collect::<Result<Vec<_>, _>>()?;
    // All of the set is one size, whatever larger numbers were asked for.
    let mut sizes: Vec<usize> = plan
        .sizes
        .iter()
        .map(|n| (*n).clamp(1, set.len()))
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    // Without a choice of pairs every draw is the same, so one is enough.
    let draws_of = |size: usize| {
        if size == set.len() {
            1
        } else {
            plan.draws.max(1)
        }
    };
    let total = sizes.iter().map(|&size| draws_of(size)).sum();
    watch.progress.begin("parts", Some(total));
    let mut found: Vec<Vec<Vec<(f64, f64)>>> = vec![vec![Vec::new(); sizes.len()]; prepared.len()];
    for draw in 0..plan.draws.max(1) {
        // One order a draw for all sizes, so that larger subsets contain the smaller ones.
        let order = random_order(set, plan.seed.wrapping_add(draw));
        for (at, &size) in sizes.iter().enumerate() {
            if draw >= draws_of(size) {
                continue;
            }
            // Fitting counts for each data set, since each would need it alone.
            let begun = Instant::now();
            let rest;
            let part = if size == set.len() {
                set
            } else {
                rest = set.without(&order[size..])?;
                &rest
            };
            let searcher = Searcher::new(part, options.space.clone(), options.mode)?;
            let fitted = begun.elapsed().as_secs_f64();
            for (data, found) in prepared.iter().zip(&mut found) {
                let begun = Instant::now();
                let acc1 = accuracy(subject, part, &searcher, options, data)?;
                found[at].push((acc1, fitted + begun.elapsed().as_secs_f64()));
            }
            watch.progress.advance(1);
        }
    }
    watch.progress.end();
    let curves = prepared
        .iter()
        .zip(found)
        .map(|(data, found)| ScalingCurve {
            dataset: data.name.to_owned(),
            images: data.task.images.len(),
            classes: data.task.classes.len(),
            points: sizes
                .iter()
                .zip(found)
                .map(|(&anchors, draws)| point(anchors, data.task.images.len(), &draws))
                .collect(),
        });
    let name = |modality| set.encoder(modality).identity.name.as_str();
    let report = ScalingReport {
        model: format!("{} + {}", name(Modality::Image), name(Modality::Text)),
        anchors: set.len(),
        space: options.space.to_string(),
        seed: plan.seed,
        curves: curves.collect(),
    };
    Ok((report, rejected))
}

fn point(anchors: usize, images: usize, found: &[(f64, f64)]) -> ScalingPoint {
    let draws: Vec<f64> = found.iter().map(|f| f.0).collect();
    ScalingPoint {
        anchors,
        acc1: mean_of_draws(&draws, images as u64),
        draws,
        seconds: found.iter().map(|f| f.1).sum::<f64>() / found.len().max(1) as f64,
    }
}

fn prepare<'a>(
    subject: EvaluationSubject<'_>,
    dataset: &'a Dataset,
    templates: Option<&PromptTemplates>,
    rejected: &mut Vec<InputRejection>,
) -> Result<EncodedDataset<'a>, MeasureError> {
    let task = classification(dataset)?;
    let EvaluationSubject {
        embedder, watch, ..
    } = subject;
    watch
        .progress
        .begin("images", Some(task.images.len() as u64));
    let mut vectors = Vec::with_capacity(task.images.len());
    for (at, vector) in embedder
        .images(&ImageSource::files(&task.images), watch)?
        .into_iter()
        .enumerate()
    {
        match vector {
            Ok(vector) => vectors.push((at, vector)),
            Err(reason) => rejected.push(reason),
        }
    }
    watch.progress.end();
    Ok(EncodedDataset {
        name: &dataset.name,
        task,
        labels: LabelList::new(task.classes.iter().map(|c| c.name.as_str()))?,
        templates: templates
            .or(task.templates.as_ref())
            .cloned()
            .unwrap_or_default(),
        vectors,
    })
}

/// Top-1 with the anchors of `part`.
fn accuracy(
    subject: EvaluationSubject<'_>,
    part: &AnchorSet,
    searcher: &Searcher<'_>,
    options: &HeadOptions,
    data: &EncodedDataset<'_>,
) -> Result<f64, MeasureError> {
    let EvaluationSubject {
        embedder, watch, ..
    } = subject;
    let scoring = ScoringOptions {
        aggregate: options.aggregate,
        logit_scale: options.logit_scale,
    };
    let (labels, templates) = (&data.labels, &data.templates);
    let head = LabelHead::new(part, searcher, embedder, labels, templates, scoring, watch)?;
    let classifier = Classifier::with_head(searcher.clone(), embedder, Arc::new(head))?;
    let vectors = data.vectors.iter().map(|(_, v)| v.clone()).collect();
    // Images that could not be used stay NaN and count as errors.
    let mut scores = Array2::from_elem(
        (data.task.images.len(), data.labels.as_slice().len()),
        f32::NAN,
    );
    for ((at, _), answer) in data.vectors.iter().zip(classifier.answers(vectors)?) {
        let row = scores.row_mut(*at).into_iter().zip(answer.similarities);
        row.for_each(|(score, similarity)| *score = similarity);
    }
    Ok(zeroshot(scores.view(), &data.task.labels)?.acc1.value)
}

/// The rows of all live pairs in a random order.
fn random_order(set: &AnchorSet, seed: u64) -> Vec<usize> {
    let mut random = SplitMix64::new(seed);
    let mut rows: Vec<usize> = set.live().rows().collect();
    for last in (1..rows.len()).rev() {
        rows.swap(last, random.below(last + 1));
    }
    rows
}

impl ScalingReport {
    /// The first columns of [`csv`](Self::csv).
    pub const CSV_COLUMNS: &str = "dataset,images,anchors,acc1,low,high,seconds";
    /// The prefix of the names of the other columns, one for each draw.
    pub const CSV_DRAW: &str = ",draw_";

    /// The figures as CSV: a line a data set and number of anchors.
    pub fn csv(&self) -> String {
        let points = || self.curves.iter().flat_map(|c| &c.points);
        // Sizes have different numbers of draws; the widest one decides the columns.
        let draws = points().map(|p| p.draws.len()).max().unwrap_or(0);
        let mut text = Self::CSV_COLUMNS.to_owned();
        (1..=draws).for_each(|draw| text.push_str(&format!("{}{draw}", Self::CSV_DRAW)));
        text.push('\n');
        for curve in &self.curves {
            let name = csv_cell(&curve.dataset);
            for ScalingPoint {
                anchors,
                acc1: IntervalEstimate { value, low, high },
                draws: each,
                seconds,
            } in &curve.points
            {
                let images = curve.images;
                text.push_str(&format!(
                    "{name},{images},{anchors},{value:.4},{low:.4},{high:.4},{seconds:.3}"
                ));
                (0..draws).for_each(|draw| match each.get(draw) {
                    Some(acc1) => text.push_str(&format!(",{acc1:.4}")),
                    None => text.push(','),
                });
                text.push('\n');
            }
        }
        text
    }
}
