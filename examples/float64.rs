//! Holds the paper's setting against a plain double-precision implementation, on every image of
//! labelled data sets.
//!
//! ```text
//! cargo run --release --example float64 -- SET.asif DATASET...
//! ```
//!
//! The model knows nothing of this crate but the unit vectors: all similarities, a full sort, the
//! power, the norm, the best prompt. Prints the largest difference of scores, and every image whose
//! label differs; exits with 1 if there is one, or a difference above 1e-5.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use asif::anchors::stored::plan::SearchMode;
use asif::anchors::{AnchorId, AnchorSet};
use asif::classify::{Classifier, HeadOptions};
use asif::embed::{Embedder, WorkControl};
use asif::encode::{EncoderOptions, runtime};
use asif::eval::{Dataset, EvaluationTask};
use asif::home::DataFolder;
use asif::modality::{Modality, PerModality};
use asif::progress::{CancelToken, NoProgress};
use asif::space::prompts::{LabelList, PromptTemplates};
use asif::space::{PromptAggregation, RelativeParams};
use ndarray::{Array1, Array2, ArrayView1, s};

/// What scores may differ by.
const TOLERANCE: f64 = 1e-5;
/// Queries that are compared with all anchors at once.
const BLOCK: usize = 256;

#[expect(clippy::print_stdout, reason = "a table is what this is for")]
fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((set, datasets)) = arguments.split_first() else {
        bail!("usage: float64 SET.asif DATASET...");
    };
    let set = AnchorSet::open(Path::new(set))?;
    let embedder = embedder(&set)?;
    let anchors = PerModality::try_of(|modality| anchors(&set, modality))?;
    println!("data set, images, other labels, largest difference of scores");
    let mut sound = true;
    for folder in datasets {
        let dataset = Dataset::load(Path::new(folder), None)?;
        let (asked, other, difference) = compare(&set, &embedder, anchors.as_ref(), &dataset)?;
        println!("{}, {asked}, {other}, {difference:.1e}", dataset.name);
        sound &= other == 0 && difference <= TOLERANCE;
    }
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How many images were asked, how many got another label, and the largest difference of scores.
fn compare(
    set: &AnchorSet,
    embedder: &Embedder,
    anchors: PerModality<&Array2<f64>>,
    dataset: &Dataset,
) -> anyhow::Result<(usize, usize, f64)> {
    let EvaluationTask::Classification(task) = &dataset.task else {
        bail!("{}: not a labelled data set", dataset.name);
    };
    let labels = LabelList::new(task.classes.iter().map(|c| c.name.as_str()))?;
    let default = PromptTemplates::default();
    let templates = task.templates.as_ref().unwrap_or(&default);
    let watch = WorkControl {
        progress: &NoProgress,
        cancel: &CancelToken::default(),
    };
    let options = HeadOptions {
        space: RelativeParams::PAPER.into(),
        mode: SearchMode::Exact,
        aggregate: PromptAggregation::Max,
        logit_scale: None,
    };
    let classifier = Classifier::new(set, embedder, &labels, templates, options, watch)?;
    let answers = classifier.classify(&task.images, watch)?;
    let answers: Vec<_> = answers.into_iter().collect::<Result<_, _>>()?;

    let prompts = labels.prompts(templates);
    let mut classes = Vec::new();
    let mut flat = Vec::new();
    for (class, texts) in prompts.iter().enumerate() {
        classes.extend(vec![class; texts.len()]);
        flat.extend(embedder.prompts(texts, watch)?);
    }
    let text_rows = rows(anchors.text, &doubled(&flat, anchors.text.ncols()));
    let flat: Vec<f32> = answers.iter().flat_map(|a| &a.vector).copied().collect();
    let image_rows = rows(anchors.image, &doubled(&flat, anchors.image.ncols()));
    let products = image_rows.dot(&text_rows.t());

    let (mut other, mut largest) = (0, 0.0_f64);
    for (answer, products) in answers.iter().zip(products.rows()) {
        let mut best = vec![f64::NEG_INFINITY; prompts.len()];
        for (&class, &product) in classes.iter().zip(products) {
            best[class] = best[class].max(product);
        }
        for (ours, model) in answer.similarities.iter().zip(&best) {
            largest = largest.max((f64::from(*ours) - model).abs());
        }
        let ours: Vec<f64> = answer.similarities.iter().map(|&s| f64::from(s)).collect();
        other += usize::from(first(&ours) != first(&best));
    }
    Ok((answers.len(), other, largest))
}

/// The place of the largest; the first of equals.
fn first(scores: &[f64]) -> usize {
    let better = |best: usize, i: usize| if scores[i] > scores[best] { i } else { best };
    (0..scores.len()).fold(0, better)
}

/// The relative rows of unit vectors `[n, dim]`, dense: `[n, anchors]`.
fn rows(anchors: &Array2<f64>, queries: &Array2<f64>) -> Array2<f64> {
    let mut rows = Array2::zeros((queries.nrows(), anchors.nrows()));
    for start in (0..queries.nrows()).step_by(BLOCK) {
        let end = (start + BLOCK).min(queries.nrows());
        let similarities = queries.slice(s![start..end, ..]).dot(&anchors.t());
        let mut block = rows.slice_mut(s![start..end, ..]);
        for (mut row, similarities) in block.rows_mut().into_iter().zip(similarities.rows()) {
            row.assign(&row_of(similarities));
        }
    }
    rows
}

/// The `k` largest similarities to the power `p`, the others 0, at unit length.
fn row_of(similarities: ArrayView1<f64>) -> Array1<f64> {
    let RelativeParams { k, p, .. } = RelativeParams::PAPER;
    let mut order: Vec<usize> = (0..similarities.len()).collect();
    order.sort_by(|&a, &b| similarities[b].total_cmp(&similarities[a]).then(a.cmp(&b)));
    let mut row = Array1::zeros(similarities.len());
    for &i in order.iter().take(k) {
        row[i] = similarities[i].powf(p);
    }
    let norm = row.dot(&row).sqrt();
    row / norm
}

/// All anchors' vectors of one side, `[anchors, dim]`.
fn anchors(set: &AnchorSet, modality: Modality) -> anyhow::Result<Array2<f64>> {
    let mut flat = Vec::with_capacity(set.len() * set.dim(modality));
    for anchor in 0..set.len() as AnchorId {
        flat.extend_from_slice(set.vector(anchor, modality)?);
    }
    Ok(doubled(&flat, set.dim(modality)))
}

fn doubled(flat: &[f32], dim: usize) -> Array2<f64> {
    Array2::from_shape_fn((flat.len() / dim, dim), |(i, j)| {
        f64::from(flat[i * dim + j])
    })
}

/// The encoders that built the set, with the usual cache.
fn embedder(set: &AnchorSet) -> anyhow::Result<Embedder> {
    let home = DataFolder::from_env().context("set ASIF_HOME, or run tools/quickstart.sh")?;
    runtime::load(None, &home)?;
    let names = PerModality::of(|modality| set.encoder(modality).identity.name.as_str());
    let embedder = Embedder::open(&home, names, &EncoderOptions::throughput())?;
    let warning = std::sync::Arc::new(|_: &str| {});
    Ok(embedder.with_cache(&home.embedding_cache(), warning)?)
}
