//! Finds pairs to review, to remove or to keep by their vectors. Changes nothing.

use ndarray::{Array2, Axis, concatenate};
use rayon::prelude::*;
use serde::Serialize;

use super::gather;
use crate::anchors::stored::records::PairRecord;
use crate::anchors::{AnchorId, AnchorSet, AnchorsError};
use crate::embed::WorkControl;
use crate::modality::{Modality, PerModality};
use crate::space::curate::{coreset, fit, groups};
use crate::space::diagnose::clusters;
use asif_index::random::sample;

/// The number of pairs that a pair's own vector is ranked among.
const OTHERS: usize = 1000;
/// The size of the sample on which groups are found.
const FITTED: usize = 4000;
/// The mean number of pairs in the groups that a coreset is chosen from.
const GROUP: usize = 100;

/// Options of curation.
#[derive(Debug, Clone, Copy)]
pub struct CurationOptions {
    /// The cosine from which two vectors count as near-duplicates, on both sides.
    pub same: f32,
    /// The number of neighbours that predict a pair's other side.
    pub neighbours: usize,
    /// The number of groups of texts.
    pub clusters: usize,
    /// Seed of all random draws.
    pub seed: u64,
}

impl Default for CurationOptions {
    /// Cosines of 0.98 on both sides, 20 neighbours, 20 groups.
    fn default() -> Self {
        Self {
            same: 0.98,
            neighbours: 20,
            clusters: 20,
            seed: 0,
        }
    }
}

/// The findings of curation in an anchor set.
#[derive(Debug, Clone, Serialize)]
pub struct CurationReport {
    /// The number of pairs in the anchor set.
    pub pairs: usize,
    /// Pairs that are nearly the same on both sides, the first of each group being the one to keep.
    pub duplicates: Vec<Vec<NamedPair>>,
    /// All pairs, the worst fitting first.
    #[serde(skip)]
    pub fits: Vec<PairFit>,
    /// Groups of texts, largest first.
    pub coverage: Vec<ClusterCoverage>,
}

/// A pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedPair {
    /// Its number in the anchor set.
    pub anchor: AnchorId,
    /// Its id.
    pub id: String,
    /// Its first caption.
    pub caption: String,
}

/// How well a pair's sides fit each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairFit {
    /// The pair.
    #[serde(flatten)]
    pub pair: NamedPair,
    /// The share of other texts that are nearer than its own to the text predicted by its image's
    /// neighbours: 0 is the best, 0.5 is chance.
    pub text_rank: f64,
    /// The same for images, by its text's neighbours.
    pub image_rank: f64,
}

impl PairFit {
    /// The mean of both ranks.
    pub(crate) fn rank(&self) -> f64 {
        (self.text_rank + self.image_rank) / 2.0
    }
}

/// A group of texts, and how well its pairs fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClusterCoverage {
    /// The pair nearest to its centre.
    #[serde(flatten)]
    pub medoid: NamedPair,
    /// The number of its pairs.
    pub pairs: usize,
    /// The mean of their ranks.
    pub mean_rank: f64,
    /// How many of them are near-duplicates of another.
    pub duplicates: usize,
}

/// Curates an anchor set. Most of the time goes to two searches for the neighbours of each pair on both
/// sides.
///
/// # Errors
/// When a record is damaged, the anchor set cannot be searched, or on cancellation.
pub fn curate(
    set: &AnchorSet,
    options: CurationOptions,
    watch: WorkControl<'_>,
) -> Result<CurationReport, AnchorsError> {
    let records = gather::records(set)?;
    let name = |anchor: AnchorId| named(anchor, &records);
    let all: Vec<AnchorId> = (0..set.len() as AnchorId).collect();
    let near = |modality| gather::nearest(set, &all, modality, options.neighbours, watch);
    let (images, texts) = (near(Modality::Image)?, near(Modality::Text)?);
    let duplicates = same_pairs(set, &images, options.same)?;
    let text_ranks = ranks(set, &images, Modality::Text, options.seed)?;
    let image_ranks = ranks(set, &texts, Modality::Image, options.seed)?;
    let mut spare = vec![false; set.len()];
    for group in &duplicates {
        group[1..].iter().for_each(|&a| spare[a as usize] = true);
    }
    let rank = |a: AnchorId| (text_ranks[a as usize] + image_ranks[a as usize]) / 2.0;
    let coverage = coverage(set, options, rank, &spare, name)?;
    let mut fits: Vec<PairFit> = all
        .iter()
        .map(|&a| PairFit {
            pair: name(a),
            text_rank: text_ranks[a as usize],
            image_rank: image_ranks[a as usize],
        })
        .collect();
    fits.sort_by(|a, b| {
        b.rank()
            .total_cmp(&a.rank())
            .then(a.pair.anchor.cmp(&b.pair.anchor))
    });
    let named_group = |group: &Vec<AnchorId>| group.iter().map(|&a| name(a)).collect();
    Ok(CurationReport {
        pairs: set.len(),
        duplicates: duplicates.iter().map(named_group).collect(),
        fits,
        coverage,
    })
}

fn named(anchor: AnchorId, records: &[PairRecord]) -> NamedPair {
    let record = &records[anchor as usize];
    NamedPair {
        anchor,
        id: record.id.clone(),
        caption: record.first_caption().to_owned(),
    }
}

/// Groups of pairs whose images and texts both have a cosine of at least `same`.
fn same_pairs(
    set: &AnchorSet,
    images: &[Vec<(AnchorId, f32)>],
    same: f32,
) -> Result<Vec<Vec<AnchorId>>, AnchorsError> {
    let mut links = Vec::new();
    for (anchor, near) in images.iter().enumerate() {
        let anchor = anchor as AnchorId;
        let text = set.vector(anchor, Modality::Text)?;
        for &(other, _) in near.iter().take_while(|n| n.1 >= same) {
            let cosine = crate::space::vector::dot(text, set.vector(other, Modality::Text)?);
            if cosine >= f64::from(same) {
                links.push((anchor, other));
            }
        }
    }
    Ok(groups::connected(set.len(), links))
}

/// For each pair, the rank of its own vector of `modality` by its neighbours on the other side.
fn ranks(
    set: &AnchorSet,
    near: &[Vec<(AnchorId, f32)>],
    modality: Modality,
    seed: u64,
) -> Result<Vec<f64>, AnchorsError> {
    const ROWS: usize = 1024;
    let others = sample(set.len(), OTHERS, seed);
    let others: Vec<AnchorId> = others.into_iter().map(|i| i as AnchorId).collect();
    let others = gather::vectors(set, &others, modality)?;
    let mean = set.sum(modality).mean();
    let mut ranks = Vec::with_capacity(near.len());
    for (chunk, near) in near.chunks(ROWS).enumerate() {
        let first = (chunk * ROWS) as AnchorId;
        let anchors: Vec<AnchorId> = (first..first + near.len() as AnchorId).collect();
        let own = gather::vectors(set, &anchors, modality)?;
        let expected: Vec<Vec<f32>> = near
            .par_iter()
            .map(|near| {
                let vectors = near
                    .iter()
                    .map(|&(other, cosine)| Ok((cosine, set.vector(other, modality)?)))
                    .collect::<Result<Vec<_>, AnchorsError>>()?;
                Ok(fit::expected(vectors, &mean))
            })
            .collect::<Result<_, AnchorsError>>()?;
        let expected = Array2::from_shape_fn(own.raw_dim(), |(i, j)| expected[i][j]);
        ranks.extend(fit::rank_of_own(expected.view(), own.view(), others.view()));
    }
    Ok(ranks)
}

fn coverage(
    set: &AnchorSet,
    options: CurationOptions,
    rank: impl Fn(AnchorId) -> f64,
    spare: &[bool],
    name: impl Fn(AnchorId) -> NamedPair,
) -> Result<Vec<ClusterCoverage>, AnchorsError> {
    let side = |anchors: &[AnchorId]| gather::vectors(set, anchors, Modality::Text);
    let assigned = assigned(set.len(), options.clusters, options.seed, side)?;
    let mut groups = members(&assigned);
    groups.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    let of = |group: &Vec<AnchorId>| {
        let middle = group.iter().copied().max_by(|&a, &b| {
            let cosine = |a: AnchorId| assigned[a as usize].1;
            cosine(a).total_cmp(&cosine(b)).then(b.cmp(&a))
        });
        Some(ClusterCoverage {
            medoid: name(middle?),
            pairs: group.len(),
            mean_rank: group.iter().map(|&a| rank(a)).sum::<f64>() / group.len() as f64,
            duplicates: group.iter().filter(|&&a| spare[a as usize]).count(),
        })
    };
    Ok(groups.iter().filter_map(of).collect())
}

/// The group of each pair and its cosine with the group's centre; groups are found on a sample.
fn assigned(
    pairs: usize,
    groups: usize,
    seed: u64,
    vectors: impl Fn(&[AnchorId]) -> Result<Array2<f32>, AnchorsError>,
) -> Result<Vec<(u32, f32)>, AnchorsError> {
    const ROWS: usize = 8192;
    let fitted = sample(pairs, FITTED.max(4 * groups), seed);
    let fitted: Vec<AnchorId> = fitted.into_iter().map(|i| i as AnchorId).collect();
    let centres = clusters::kmeans(vectors(&fitted)?.view(), groups, seed);
    let all: Vec<AnchorId> = (0..pairs as AnchorId).collect();
    let mut assigned = Vec::with_capacity(pairs);
    for anchors in all.chunks(ROWS) {
        assigned.extend(clusters::assign(vectors(anchors)?.view(), centres.view()));
    }
    Ok(assigned)
}

/// The pairs of each group, ascending; none is empty.
fn members(assigned: &[(u32, f32)]) -> Vec<Vec<AnchorId>> {
    let groups = assigned.iter().map(|a| a.0 as usize + 1).max().unwrap_or(0);
    let mut members = vec![Vec::new(); groups];
    for (anchor, &(group, _)) in assigned.iter().enumerate() {
        members[group as usize].push(anchor as AnchorId);
    }
    members.retain(|m| !m.is_empty());
    members
}

/// Options of a coreset.
#[derive(Debug, Clone, Copy)]
pub struct CoresetOptions {
    /// Pairs to keep.
    pub size: usize,
    /// 1 keeps the shares of groups of pairs, 0 makes them equal.
    pub evenness: f64,
    /// The weight of a pair's fit relative to its distance from those chosen; 0 ignores the fit.
    pub fit: f64,
    /// Seed of all random draws.
    pub seed: u64,
}

/// Selects the pairs of an anchor set to keep, ascending: some of every group of pairs (clustered by their
/// concatenated image and text vectors), spread out within the group, with near-duplicates and badly fitting
/// pairs last.
///
/// # Errors
/// When the anchor set cannot be read.
pub fn coreset(
    set: &AnchorSet,
    curation: &CurationReport,
    options: CoresetOptions,
) -> Result<Vec<AnchorId>, AnchorsError> {
    let means = PerModality::of(|side| set.sum(side).mean());
    // Centred, because the large mean that all images share would hide their differences.
    let vectors = |anchors: &[AnchorId]| {
        let sides = PerModality::try_of(|side| {
            let mut vectors = gather::vectors(set, anchors, side)?;
            for mut row in vectors.rows_mut() {
                row.iter_mut().zip(&means[side]).for_each(|(v, m)| *v -= m);
                let norm = (2.0 * row.dot(&row)).sqrt();
                if norm > 0.0 {
                    row /= norm;
                }
            }
            Ok::<_, AnchorsError>(vectors)
        })?;
        let both = concatenate(Axis(1), &[sides.image.view(), sides.text.view()])
            .expect("both sides have a row for each anchor");
        Ok(both)
    };
    let count = set.len().div_ceil(GROUP);
    let groups = members(&assigned(set.len(), count, options.seed, vectors)?);
    let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    let quotas = coreset::quotas(&sizes, options.size, options.evenness);
    let mut worth = vec![1f64; set.len()];
    for fit in &curation.fits {
        worth[fit.pair.anchor as usize] = (1.0 - fit.rank()).powf(options.fit);
    }
    for spare in curation.duplicates.iter().flat_map(|group| &group[1..]) {
        worth[spare.anchor as usize] = 0.0;
    }
    let chosen: Vec<Vec<AnchorId>> = groups
        .par_iter()
        .zip(&quotas)
        .map(|(group, &quota)| {
            let x = vectors(group)?;
            let worth: Vec<f64> = group.iter().map(|&a| worth[a as usize]).collect();
            let kept = coreset::spread(x.view(), &worth, quota);
            Ok(kept.into_iter().map(|i| group[i]).collect())
        })
        .collect::<Result<_, AnchorsError>>()?;
    let mut all = chosen.concat();
    all.sort_unstable();
    Ok(all)
}
