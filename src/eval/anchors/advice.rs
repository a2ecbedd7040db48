//! Advice for each finding of a diagnosis.

use std::fmt;

use serde::Serialize;

use super::diagnosis::DiagnosisReport;
use crate::eval::text::plural;

/// The topic of a finding, as text in one or two words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum AdviceTopic {
    /// Whether images and texts agree on which pairs are near each other.
    #[serde(rename = "mutual neighbours")]
    Neighbours,
    /// How alike the sides are over large distances.
    #[serde(rename = "CKA")]
    Cka,
    /// Groups of pairs by content.
    #[serde(rename = "clusters")]
    Clusters,
    /// Pairs that are nearest neighbours of very many others.
    #[serde(rename = "hubness")]
    Hubness,
    /// Duplicate images, captions and pairs.
    #[serde(rename = "duplicates")]
    Duplicates,
    /// How long the captions are.
    #[serde(rename = "caption length")]
    CaptionLength,
    /// The languages of the captions.
    #[serde(rename = "languages")]
    Languages,
}

impl fmt::Display for AdviceTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiagnosisAdvice {
    /// The topic.
    pub about: AdviceTopic,
    /// What was measured, as text.
    pub found: String,
    /// What it means, and what to do about it.
    pub advice: &'static str,
    /// Whether the finding is good; if not, something should be done.
    pub good: bool,
}

/// The findings of a diagnosis with advice, in the order of its fields.
///
/// The thresholds are round numbers between anchor sets that are known to work (photos with human captions)
/// and the same pairs shuffled. They are heuristics.
pub fn advice(found: &DiagnosisReport) -> Vec<DiagnosisAdvice> {
    vec![
        neighbours(found),
        cka(found),
        clusters(found),
        hubs(found),
        duplicates(found),
        captions(found),
        languages(found),
    ]
}

/// With fewer pairs than this the 10 nearest are too large a share of them to tell hubs apart.
const FEW_FOR_HUBS: usize = 100;

fn percent(share: f64) -> f64 {
    share * 100.0
}

fn neighbours(found: &DiagnosisReport) -> DiagnosisAdvice {
    let a = found.mutual_neighbours;
    let times = a.value / a.chance.max(f64::MIN_POSITIVE);
    let good = a.low > 4.0 * a.chance;
    let too_few = 4.0 * a.chance >= 1.0;
    DiagnosisAdvice {
        about: AdviceTopic::Neighbours,
        found: format!(
            "{:.1} % of a pair's 10 nearest images are also its nearest texts ({:.1} to {:.1}; \
             chance {:.1}, {times:.0} times that)",
            percent(a.value),
            percent(a.low),
            percent(a.high),
            percent(a.chance)
        ),
        advice: if good {
            "images and texts agree on which pairs are near, which is what the space relies on"
        } else if too_few {
            "too few pairs to tell: most are near each other by chance"
        } else if a.low > a.chance {
            "images and texts agree little: captions that describe the image, another encoder or more \
             pairs would help more than any setting"
        } else {
            "images and texts agree no more than by chance: do the captions belong to the images?"
        },
        good,
    }
}

fn cka(found: &DiagnosisReport) -> DiagnosisAdvice {
    let good = found.cka > 0.05 && found.cka > 3.0 * found.cka_chance;
    DiagnosisAdvice {
        about: AdviceTopic::Cka,
        found: format!(
            "{:.3} (0: unrelated, 1: identical up to scale; shuffled pairs reach {:.3})",
            found.cka, found.cka_chance
        ),
        advice: if good {
            "the two encoders agree over large distances as well"
        } else {
            "the two encoders disagree over large distances: expect fine distinctions at best, and try \
             other encoders"
        },
        good,
    }
}

fn clusters(found: &DiagnosisReport) -> DiagnosisAdvice {
    let share = |pairs: usize| percent(pairs as f64 / found.pairs.max(1) as f64);
    let (first, last) = (found.clusters.first(), found.clusters.last());
    let said = match (first, last) {
        (Some(first), Some(last)) => format!(
            "{}; largest {} ({:.0} %) around {:?}, smallest {} around {:?}",
            plural(found.clusters.len(), "group", "groups"),
            plural(first.pairs, "pair", "pairs"),
            share(first.pairs),
            first.caption,
            last.pairs,
            last.caption
        ),
        _ => "none".to_owned(),
    };
    let good = first.is_some_and(|c| share(c.pairs) < 30.0);
    DiagnosisAdvice {
        about: AdviceTopic::Clusters,
        found: said,
        advice: if good {
            "no group dominates; labels far from every group have no anchors nearby"
        } else {
            "one group dominates the anchor set: add pairs about the other labels that will be used"
        },
        good,
    }
}

fn hubs(found: &DiagnosisReport) -> DiagnosisAdvice {
    let (image, text) = (&found.image_hubs, &found.text_hubs);
    let hub = if image.skewness > text.skewness {
        image.top.first()
    } else {
        text.top.first()
    };
    let worst = hub.map_or_else(String::new, |hub| {
        format!(
            "; the worst, among the 10 nearest of {} of {}: {:?}",
            hub.times, found.sampled, hub.caption
        )
    });
    let good = image.skewness.max(text.skewness) < 3.0;
    DiagnosisAdvice {
        about: AdviceTopic::Hubness,
        found: format!(
            "skewness {:.1} of images, {:.1} of texts{worst}",
            image.skewness, text.skewness
        ),
        advice: if good && found.sampled < FEW_FOR_HUBS {
            "too few pairs to tell hubs apart: the 10 nearest are a large part of them"
        } else if good {
            "no pair is a nearest neighbour of unusually many others"
        } else {
            "a few pairs are nearest neighbours of very many others and contribute to most answers: \
             centring weakens them, removing them solves it"
        },
        good,
    }
}

fn duplicates(found: &DiagnosisReport) -> DiagnosisAdvice {
    let d = &found.duplicates;
    let good = d.near_images.value < 0.05 && d.same_pairs * 50 < found.pairs;
    let share = |n: usize| percent(n as f64 / found.pairs.max(1) as f64);
    DiagnosisAdvice {
        about: AdviceTopic::Duplicates,
        found: format!(
            "{:.1} % of images have a near-duplicate (cosine 0.99 or more; {:.1} to {:.1}); {:.1} % of \
             pairs share their captions, {:.1} % their image, {:.1} % both",
            percent(d.near_images.value),
            percent(d.near_images.low),
            percent(d.near_images.high),
            share(d.same_captions),
            share(d.same_images),
            share(d.same_pairs)
        ),
        advice: if good {
            "few enough to do no harm; many pairs with one caption act like a class of that name"
        } else {
            "duplicate images take several of the k places of a row: curation finds them"
        },
        good,
    }
}

fn captions(found: &DiagnosisReport) -> DiagnosisAdvice {
    let c = &found.captions;
    let [short, middle, long] = c.words;
    let good = middle >= 4 && long <= 60;
    DiagnosisAdvice {
        about: AdviceTopic::CaptionLength,
        found: format!(
            "median {middle} words, 5 % have {short} or fewer, 5 % {long} or more; {:.1} \
             captions a pair",
            c.per_pair
        ),
        advice: if good {
            "text encoders are trained on sentences of this length"
        } else if middle < 4 {
            "captions of a word or two say little about an image: write a sentence that describes it"
        } else {
            "long captions are cut off at the encoder's limit: describe the image first, or split them"
        },
        good,
    }
}

fn languages(found: &DiagnosisReport) -> DiagnosisAdvice {
    let shares: Vec<String> = found
        .languages
        .iter()
        .take_while(|(_, share)| *share >= 0.005)
        .take(5)
        .map(|(language, share)| format!("{language} {:.0} %", percent(*share)))
        .collect();
    let sure: f64 = found
        .languages
        .iter()
        .filter(|l| l.0 != "unsure")
        .map(|l| l.1)
        .sum();
    let first = found.languages.iter().find(|l| l.0 != "unsure");
    let good = first.is_none_or(|first| first.1 > 0.9 * sure);
    DiagnosisAdvice {
        about: AdviceTopic::Languages,
        found: shares.join(", "),
        advice: if good {
            "one language; write labels in it, unless the text encoder is multilingual"
        } else {
            "several languages: a text encoder trained on one of them embeds the others poorly"
        },
        good,
    }
}
