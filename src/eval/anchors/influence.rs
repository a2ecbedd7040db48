//! Which anchors, and which sources of them, help on labelled images.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::gather;
use crate::anchors::embed::Rejected;
use crate::anchors::plan::SearchMode;
use crate::anchors::searcher::Modality;
use crate::anchors::{AnchorId, AnchorsError, Searcher};
use crate::eval::measure::{MeasureError, Subject};
use crate::eval::{Dataset, Estimate, Task, wilson};
use crate::space::influence::{Effect, Labelled, PromptRows, of_anchors, of_groups};
use crate::space::prompts::{Labels, Templates};
use crate::space::vector::mean_direction;
use crate::space::{Aggregate, RelativeRow, SpaceParams};

/// In which space the influence is measured: plain ASIF, whose rows are anchors.
#[derive(Debug, Clone, Copy)]
pub struct InfluenceOptions {
    /// How similarities become rows.
    pub params: SpaceParams,
    /// What searches the anchors.
    pub mode: SearchMode,
    /// How the prompts of a label become one score.
    pub aggregate: Aggregate,
}

/// The influence of all anchors on one data set.
#[derive(Debug, Clone, Serialize)]
pub struct Influence {
    /// The data set.
    pub dataset: String,
    /// Images that could be used.
    pub images: usize,
    /// The share of right answers with all anchors.
    pub accuracy: Estimate,
    /// The mean margin with all anchors.
    pub margin: f64,
    /// Each source, the most helpful first.
    pub sources: Vec<SourceInfluence>,
    /// Each anchor that is in a row at all, the most helpful first.
    pub anchors: Vec<AnchorInfluence>,
    /// Images that could not be used; they are left out.
    #[serde(skip)]
    pub rejected: Vec<Rejected>,
}

/// The influence of a source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceInfluence {
    /// Its name; empty for pairs that name none.
    pub source: String,
    /// Its pairs.
    pub pairs: usize,
    /// The share of right answers without it.
    pub accuracy_without: f64,
    /// What is lost with it.
    #[serde(flatten)]
    pub effect: Effect,
}

/// The influence of an anchor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnchorInfluence {
    /// Its number in the set.
    pub anchor: AnchorId,
    /// Its pair's id.
    pub id: String,
    /// That pair's source; empty if it names none.
    pub source: String,
    /// Its first caption.
    pub caption: String,
    /// What is lost with it.
    #[serde(flatten)]
    pub effect: Effect,
}

/// Measures the influence of every anchor in one pass (see [`crate::space::influence`] for what is
/// left out).
///
/// # Errors
/// A [`MeasureError`]; an image that cannot be used is none.
pub fn influence(
    subject: Subject<'_>,
    dataset: &Dataset,
    templates: Option<&Templates>,
    options: InfluenceOptions,
) -> Result<Influence, MeasureError> {
    let Task::Classification(task) = &dataset.task else {
        return Err(MeasureError::Task {
            name: dataset.name.clone(),
            found: "retrieval",
            wanted: "zeroshot",
        });
    };
    let Subject {
        set,
        embedder,
        watch,
    } = subject;
    set.check_encoders(embedder)?;
    let searcher = Searcher::new(set, options.params, options.mode)?;
    let default = Templates::default();
    let templates = templates.or(task.templates.as_ref()).unwrap_or(&default);
    let labels = Labels::new(task.classes.iter().map(|c| c.name.as_str()))?;
    let classes = prompt_rows(subject, &searcher, &labels.prompts(templates), options)?;
    watch
        .progress
        .begin("images", Some(task.images.len() as u64));
    let embeddings = embedder.images(&task.images, watch)?;
    watch.progress.end();
    let vectors: Vec<f32> = embeddings.iter().flatten().flatten().copied().collect();
    let mut rows = searcher.rows(Modality::Image, &vectors)?.into_iter();
    let (mut images, mut rejected): (Vec<Labelled>, _) = (Vec::new(), Vec::new());
    for (embedding, &label) in embeddings.into_iter().zip(&task.labels) {
        match embedding {
            Ok(_) => images.push((rows.next().unwrap_or_default(), label)),
            Err(reason) => rejected.push(reason),
        }
    }
    let prompts = PromptRows::new(set.len(), &classes);
    let effects = of_anchors(&prompts, &images);
    let records = gather::records(set)?;
    let sources: Vec<String> = records
        .par_iter()
        .map(|r| r.meta_text("source").unwrap_or_default())
        .collect();
    let (right, margin) = prompts.summary(&images);
    let accuracy = wilson(right, images.len() as u64);
    let mut anchors: Vec<AnchorInfluence> = (0..)
        .zip(effects)
        .zip(&records)
        .filter(|((_, effect), _)| effect.images > 0)
        .map(|((anchor, effect), record)| AnchorInfluence {
            anchor,
            id: record.id.clone(),
            source: sources[anchor as usize].clone(),
            caption: record.captions.first().cloned().unwrap_or_default(),
            effect,
        })
        .collect();
    let order = |a: &Effect, b: &Effect| b.margin.total_cmp(&a.margin);
    anchors.sort_by(|a, b| order(&a.effect, &b.effect).then(a.anchor.cmp(&b.anchor)));
    let mut by_source = of_sources(&prompts, &images, &sources, right);
    by_source.sort_by(|a, b| order(&a.effect, &b.effect).then(a.source.cmp(&b.source)));
    Ok(Influence {
        dataset: dataset.name.clone(),
        images: images.len(),
        accuracy,
        margin,
        sources: by_source,
        anchors,
        rejected,
    })
}

/// The rows of each class's prompts; one row a class where prompts are averaged.
fn prompt_rows(
    subject: Subject<'_>,
    searcher: &Searcher<'_>,
    prompts: &[Vec<String>],
    options: InfluenceOptions,
) -> Result<Vec<Vec<RelativeRow>>, AnchorsError> {
    let Subject {
        embedder, watch, ..
    } = subject;
    let dim = embedder.text().dim();
    let mut classes = Vec::with_capacity(prompts.len());
    for prompts in prompts {
        let mut vectors = Vec::with_capacity(prompts.len() * dim);
        for (prompt, vector) in prompts.iter().zip(embedder.texts(prompts, watch)?) {
            let refuse = |r: Rejected| AnchorsError::Prompt {
                prompt: prompt.clone(),
                reason: r.reason,
            };
            vectors.extend(vector.map_err(refuse)?);
        }
        if options.aggregate == Aggregate::Mean {
            vectors = mean_direction(&vectors, dim);
        }
        classes.push(searcher.rows(Modality::Text, &vectors)?);
    }
    Ok(classes)
}

fn of_sources(
    prompts: &PromptRows,
    images: &[Labelled],
    sources: &[String],
    right: u64,
) -> Vec<SourceInfluence> {
    let mut numbers: BTreeMap<&str, (u32, usize)> = BTreeMap::new();
    for source in sources {
        let next = numbers.len() as u32;
        numbers.entry(source).or_insert((next, 0)).1 += 1;
    }
    let group_of: Vec<u32> = sources.iter().map(|s| numbers[s.as_str()].0).collect();
    let effects = of_groups(prompts, images, &group_of, numbers.len());
    let of = |(source, (number, pairs)): (&str, (u32, usize))| {
        let effect = effects[number as usize];
        let right = right + effect.gained - effect.lost;
        SourceInfluence {
            source: source.to_owned(),
            pairs,
            accuracy_without: right as f64 / images.len().max(1) as f64,
            effect,
        }
    };
    numbers.into_iter().map(of).collect()
}
