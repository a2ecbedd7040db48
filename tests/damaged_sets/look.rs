//! What each part of the program says of a set.

use std::path::Path;

use asif::anchors::care::check::{IntegrityFinding, verify};
use asif::anchors::care::repair::{RepairReport, repair};
use asif::anchors::live::{LiveError, LiveOptions, LiveSet};
use asif::anchors::stored::plan::SearchMode;
use asif::anchors::{AnchorSet, AnchorsError, Searcher};
use asif::embed::{Embedder, WorkControl};
use asif::modality::Modality;
use asif::progress::{CancelToken, NoProgress};

/// An answer to the bit, or none.
pub type Answer = Option<String>;

/// What was said before anything was mended.
#[derive(Debug)]
pub struct SetVerdict {
    /// What commands answer.
    pub answer: Answer,
    /// The generation that they answer from in the place of the live one, or why they do not answer.
    pub word: Option<String>,
    /// What a server that starts answers, and why it is degraded or does not start.
    pub served: (Answer, Option<String>),
    pub quick: Result<Vec<IntegrityFinding>, String>,
    pub full: Result<Vec<IntegrityFinding>, String>,
}

/// Asks everybody.
pub fn look(set: &Path) -> SetVerdict {
    let opened = AnchorSet::open_or_last_good(set).and_then(|(opened, fallback)| {
        let space = opened.manifest().space.clone();
        let searcher = Searcher::new(&opened, space, SearchMode::Auto)?;
        Ok((answer(&searcher)?, fallback.map(|f| f.to_string())))
    });
    let (given, word) = match opened {
        Ok((given, word)) => (Some(given), word),
        Err(error) => (None, Some(error.to_string())),
    };
    let served = match LiveSet::open(set, LiveOptions::default()) {
        Ok(live) => {
            let given = answer(&live.load().searcher()).unwrap();
            (Some(given), live.status().degraded.map(|d| d.reason))
        }
        Err(error) => {
            assert!(is_documented(&error), "{error:?}");
            (None, Some(error.to_string()))
        }
    };
    let findings = |full| verify(set, full).map_err(|e| e.to_string());
    SetVerdict {
        answer: given,
        word,
        served,
        quick: findings(false),
        full: findings(true),
    }
}

fn is_documented(error: &LiveError) -> bool {
    matches!(error, LiveError::Anchors(_))
}

/// The scores of some vectors in the set's space, with the ids of the pairs that made them.
fn answer(searcher: &Searcher<'_>) -> Result<String, AnchorsError> {
    let set = searcher.set();
    let shares = searcher.recipe().shares();
    let vectors = |dim: usize| -> Vec<f32> {
        let one = |i: usize| -> Vec<f32> {
            let raw: Vec<f32> = (0..dim)
                .map(|d| ((i * dim + d) as f32 * 1.7).sin())
                .collect();
            let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
            raw.iter().map(|x| x / norm).collect()
        };
        (0..4).flat_map(one).collect()
    };
    let of = |modality| searcher.represent(modality, &vectors(set.dim(modality)));
    let (images, texts) = (of(Modality::Image)?, of(Modality::Text)?);
    let mut said = String::new();
    for image in &images {
        for text in &texts {
            said += &format!("{:08x} ", image.score(text, &shares).to_bits());
        }
        for &(anchor, _) in image.row().map(|r| r.entries()).unwrap_or_default() {
            said += &format!("{} ", set.pair_id(anchor)?);
        }
    }
    Ok(said)
}

/// A repair without encoders: vectors that are lost stay lost.
pub fn mend(set: &Path) -> Result<RepairReport, AnchorsError> {
    let without = |_: &_| -> Result<Embedder, AnchorsError> {
        Err(AnchorsError::NoPairs {
            skipped: 0,
            first: "no encoder".to_owned(),
        })
    };
    let watch = WorkControl {
        progress: &NoProgress,
        cancel: &CancelToken::default(),
    };
    repair(set, false, without, watch)
}
