//! Predicts how well an anchor set will work, from its pairs alone and without labels.

use std::collections::HashMap;

use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;

use super::gather;
use crate::anchors::stored::records::PairRecord;
use crate::anchors::{AnchorId, AnchorSet, AnchorsError};
use crate::embed::WorkControl;
use crate::eval::{IntervalEstimate, wilson};
use crate::modality::Modality;
pub use crate::space::diagnose::alignment::NeighbourAgreement;
use crate::space::diagnose::alignment::{cka_against_chance, mutual_neighbours};
use crate::space::diagnose::gram::{neighbours, products};
use crate::space::diagnose::{clusters, hubs, language};
use asif_index::random::sample;

/// The number of nearest neighbours.
const NEAR: usize = 10;
/// The number of shuffles that estimate CKA by chance.
const SHUFFLES: usize = 10;
/// The cosine from which two images count as near-duplicates.
const SAME: f32 = 0.99;
/// The number of hubs listed.
const NAMED: usize = 3;

/// Options of a diagnosis.
#[derive(Debug, Clone, Copy)]
pub struct DiagnosisOptions {
    /// The number of pairs that are compared with each other; 2,000 take about a second.
    pub sample: usize,
    /// The number of groups of texts.
    pub clusters: usize,
    /// Seed of all random draws.
    pub seed: u64,
}

impl Default for DiagnosisOptions {
    /// 2,000 pairs, 20 groups.
    fn default() -> Self {
        Self {
            sample: 2000,
            clusters: 20,
            seed: 0,
        }
    }
}

/// All measurements of a diagnosis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiagnosisReport {
    /// The number of pairs in the anchor set.
    pub pairs: usize,
    /// The number of pairs that were compared with each other.
    pub sampled: usize,
    /// The share of a pair's 10 nearest images that are among its 10 nearest texts.
    pub mutual_neighbours: NeighbourAgreement,
    /// Linear CKA of both sides, unbiased.
    pub cka: f64,
    /// The largest of 10 values for shuffled pairs.
    pub cka_chance: f64,
    /// Groups of texts, largest first.
    pub clusters: Vec<TextCluster>,
    /// Hubs among the sampled images.
    pub image_hubs: HubStatistics,
    /// Hubs among the sampled texts.
    pub text_hubs: HubStatistics,
    /// Duplicate images, captions and pairs.
    pub duplicates: DuplicateCounts,
    /// The lengths of captions.
    pub captions: CaptionLengths,
    /// The share of pairs in each language, largest first; `unsure` where captions are too short.
    pub languages: Vec<(String, f64)>,
}

/// A group of texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TextCluster {
    /// The number of its pairs.
    pub pairs: usize,
    /// The pair nearest to its centre.
    pub id: String,
    /// That pair's first caption.
    pub caption: String,
}

/// Hubness: how unevenly vectors occur among the 10 nearest neighbours of others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HubStatistics {
    /// The skewness of the numbers of occurrences: 0 to 1 is even, above 3 a few vectors are near everything.
    pub skewness: f64,
    /// The worst hubs.
    pub top: Vec<HubPair>,
}

/// A hub: a pair whose vector is among the nearest neighbours of many others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HubPair {
    /// The pair.
    pub id: String,
    /// Its first caption.
    pub caption: String,
    /// The number of sampled pairs that have it among their 10 nearest; the mean is 10.
    pub times: u32,
}

/// Duplicate images, captions and pairs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DuplicateCounts {
    /// The share of sampled pairs with another image in the anchor set at a cosine of 0.99 or more.
    pub near_images: IntervalEstimate,
    /// Pairs with exactly the same image vector as another pair.
    pub same_images: usize,
    /// Pairs with exactly the same captions as another pair.
    pub same_captions: usize,
    /// Pairs with exactly the same image vector and captions as another pair.
    pub same_pairs: usize,
}

/// The number and length of captions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaptionLengths {
    /// The mean number of captions a pair.
    pub per_pair: f64,
    /// The 5th, 50th and 95th percentile of words in a caption.
    pub words: [usize; 3],
}

/// Diagnoses an anchor set.
///
/// # Errors
/// When a record is damaged, the anchor set cannot be searched, or on cancellation.
pub fn diagnose(
    set: &AnchorSet,
    options: DiagnosisOptions,
    watch: WorkControl<'_>,
) -> Result<DiagnosisReport, AnchorsError> {
    let records = gather::records(set)?;
    let sampled = sample(set.len(), options.sample, options.seed);
    let sampled: Vec<AnchorId> = sampled.iter().map(|&i| i as AnchorId).collect();
    let images = gather::vectors(set, &sampled, Modality::Image)?;
    let texts = gather::vectors(set, &sampled, Modality::Text)?;
    let image_gram = products(images.view(), images.view());
    let text_gram = products(texts.view(), texts.view());
    let (cka, cka_chance) = cka_against_chance(&image_gram, &text_gram, SHUFFLES, options.seed);
    let named = |gram: &Array2<f32>| hubs_of(gram, &sampled, &records);
    Ok(DiagnosisReport {
        pairs: set.len(),
        sampled: sampled.len(),
        mutual_neighbours: mutual_neighbours(&image_gram, &text_gram, NEAR),
        cka,
        cka_chance,
        clusters: groups(set, &texts, &records, options)?,
        image_hubs: named(&image_gram),
        text_hubs: named(&text_gram),
        duplicates: duplicates(set, &sampled, &records, watch)?,
        captions: captions(&records),
        languages: languages(&records),
    })
}

fn caption(record: &PairRecord) -> String {
    record.first_caption().to_owned()
}

/// Groups of texts: centres are found on the sample, then all pairs are assigned.
fn groups(
    set: &AnchorSet,
    texts: &Array2<f32>,
    records: &[PairRecord],
    options: DiagnosisOptions,
) -> Result<Vec<TextCluster>, AnchorsError> {
    const ROWS: usize = 16_384;
    let centres = clusters::kmeans(texts.view(), options.clusters, options.seed);
    let mut found = vec![(0usize, 0usize, f32::NEG_INFINITY); centres.nrows()];
    let all: Vec<AnchorId> = (0..set.len() as AnchorId).collect();
    // In parts, so that the vectors of a large set are never all in memory at once.
    for anchors in all.chunks(ROWS) {
        let rows = gather::vectors(set, anchors, Modality::Text)?;
        let nearest = clusters::assign(rows.view(), centres.view());
        for (&anchor, (group, cosine)) in anchors.iter().zip(nearest) {
            let (pairs, medoid, best) = &mut found[group as usize];
            *pairs += 1;
            // The pair nearest to the centre stands for the group, since a centre has no caption.
            if cosine > *best {
                (*medoid, *best) = (anchor as usize, cosine);
            }
        }
    }
    // All of its pairs may be nearer to another centre once all pairs are assigned.
    found.retain(|f| f.0 > 0);
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let cluster = |(pairs, medoid, _): (usize, usize, f32)| TextCluster {
        pairs,
        id: records[medoid].id.clone(),
        caption: caption(&records[medoid]),
    };
    Ok(found.into_iter().map(cluster).collect())
}

fn hubs_of(gram: &Array2<f32>, sampled: &[AnchorId], records: &[PairRecord]) -> HubStatistics {
    let times = hubs::occurrences(&neighbours(gram, NEAR), sampled.len());
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(times[i]));
    let top = order.iter().take(NAMED).map(|&i| {
        let record = &records[sampled[i] as usize];
        HubPair {
            id: record.id.clone(),
            caption: caption(record),
            times: times[i],
        }
    });
    HubStatistics {
        skewness: hubs::skewness(&times),
        top: top.collect(),
    }
}

fn duplicates(
    set: &AnchorSet,
    sampled: &[AnchorId],
    records: &[PairRecord],
    watch: WorkControl<'_>,
) -> Result<DuplicateCounts, AnchorsError> {
    let near = gather::nearest(set, sampled, Modality::Image, 1, watch)?;
    let same = near
        .iter()
        .filter(|n| n.first().is_some_and(|f| f.1 >= SAME));
    let near_images = wilson(same.count() as u64, sampled.len() as u64);
    // Hashes of the stored bits: equal images have equal vectors, and 32 bytes are compared instead of all
    // numbers.
    let images: Vec<[u8; 32]> = (0..set.len() as AnchorId)
        .into_par_iter()
        .map(|anchor| {
            let mut hash = blake3::Hasher::new();
            for x in set.vector(anchor, Modality::Image)? {
                hash.update(&x.to_le_bytes());
            }
            Ok(*hash.finalize().as_bytes())
        })
        .collect::<Result<_, AnchorsError>>()?;
    let texts: Vec<&[String]> = records.iter().map(|r| r.captions.as_slice()).collect();
    // Both together, for a repeated image with another caption is no repeated pair.
    let both: Vec<_> = images.iter().zip(&texts).collect();
    Ok(DuplicateCounts {
        near_images,
        same_images: more_than_once(&images),
        same_captions: more_than_once(&texts),
        same_pairs: more_than_once(&both),
    })
}

/// The number of values that occur more than once, every occurrence counted.
fn more_than_once<T: std::hash::Hash + Eq>(all: &[T]) -> usize {
    let mut times: HashMap<&T, usize> = HashMap::new();
    all.iter()
        .for_each(|one| *times.entry(one).or_default() += 1);
    times.values().filter(|&&n| n > 1).sum()
}

fn captions(records: &[PairRecord]) -> CaptionLengths {
    let all = records.iter().flat_map(|r| &r.captions);
    let mut words: Vec<usize> = all.map(|c| c.split_whitespace().count()).collect();
    words.sort_unstable();
    let at = |share: f64| {
        // The nearest rank: the smallest length that this share does not exceed.
        let place = (words.len() as f64 * share).ceil() as usize;
        words.get(place.saturating_sub(1)).copied().unwrap_or(0)
    };
    CaptionLengths {
        per_pair: words.len() as f64 / records.len().max(1) as f64,
        words: [at(0.05), at(0.5), at(0.95)],
    }
}

fn languages(records: &[PairRecord]) -> Vec<(String, f64)> {
    let found: Vec<&str> = records
        .par_iter()
        // Captions are joined, because a language is hard to tell from a few words.
        .map(|r| language::language(&r.captions.join(" ")).unwrap_or("unsure"))
        .collect();
    let mut times: HashMap<&str, usize> = HashMap::new();
    found.iter().for_each(|l| *times.entry(l).or_default() += 1);
    let mut shares: Vec<(String, f64)> = times
        .into_iter()
        .map(|(l, n)| (l.to_owned(), n as f64 / found.len() as f64))
        .collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    shares
}
