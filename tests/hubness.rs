//! The corrections for hubs, on a whole set: they are what their formulas say, rank as their papers
//! do, and take a hub's first places.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod synthetic;

use asif::anchors::AnchorSet;
use asif::anchors::change::vectors::{NewSetOptions, PairVectors, create};
use asif::anchors::search::searcher::Searcher;
use asif::anchors::stored::plan::SearchMode;
use asif::modality::{Modality, PerModality};
use asif::space::recipe::{HubnessCorrection, ScoreCalibration};
use asif::space::vector::normalize;
use asif::space::{Recipe, RelativeParams, Representation};
use synthetic::{DIMS, making, pair, unit};

const PAIRS: usize = 240;
const ASKED: usize = 40;

/// A pair whose sides share five numbers to this degree, on top of what all have in common.
fn related(number: usize, degree: f32) -> PairVectors {
    let shared = unit(number as u64 * 3 + 7919, 5);
    let side = |mut vector: Vec<f32>| {
        let spread = vector.iter_mut().zip(&shared);
        spread.for_each(|(v, s)| *v += degree * (s - 0.45));
        normalize(&mut vector);
        vector
    };
    let pair = pair(number as u64);
    PairVectors {
        image: side(pair.image),
        text: side(pair.text),
        ..pair
    }
}

/// A set of pairs, and vectors of others: images, and texts with a hub as the last.
struct World {
    _folder: tempfile::TempDir,
    set: AnchorSet,
    anchors: PerModality<Vec<f32>>,
    asked: PerModality<Vec<f32>>,
}

fn world(degree: f32) -> World {
    world_from(0, degree)
}

/// The same of other pairs, from this number on.
fn world_from(first: usize, degree: f32) -> World {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    let pairs: Vec<PairVectors> = (first..first + PAIRS + ASKED)
        .map(|n| related(n, degree))
        .collect();
    let making = NewSetOptions {
        space: Recipe::fused(),
        ..making(DIMS)
    };
    create(&path, &making, pairs[..PAIRS].iter().cloned()).unwrap();
    let sides = |pairs: &[PairVectors]| PerModality::<Vec<f32>> {
        image: pairs.iter().flat_map(|p| p.image.clone()).collect(),
        text: pairs.iter().flat_map(|p| p.text.clone()).collect(),
    };
    let mut asked = sides(&pairs[PAIRS..]);
    let mut hub = vec![0.0; DIMS.text];
    for text in asked.text.chunks(DIMS.text) {
        hub.iter_mut().zip(text).for_each(|(h, t)| *h += t);
    }
    normalize(&mut hub);
    asked.text.extend(hub);
    World {
        set: AnchorSet::open(&path).unwrap(),
        _folder: folder,
        anchors: sides(&pairs[..PAIRS]),
        asked,
    }
}

/// The scores of images with texts, a row an image.
struct Scored {
    images: Vec<Representation>,
    texts: Vec<Representation>,
    shares: Vec<f64>,
}

impl Scored {
    fn new(world: &World, recipe: &Recipe, images: &[f32], texts: &[f32]) -> Self {
        let searcher = Searcher::new(&world.set, recipe.clone(), SearchMode::Exact).unwrap();
        Self {
            images: searcher.represent(Modality::Image, images).unwrap(),
            texts: searcher.represent(Modality::Text, texts).unwrap(),
            shares: searcher.recipe().shares(),
        }
    }

    fn all(&self) -> Vec<Vec<f64>> {
        let row = |x: &Representation| {
            let texts = self.texts.iter();
            texts.map(|y| f64::from(x.score(y, &self.shares))).collect()
        };
        self.images.iter().map(row).collect()
    }
}

/// Turned around: a row a text.
fn turned(scores: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let column = |at: usize| scores.iter().map(|row| row[at]).collect();
    (0..scores[0].len()).map(column).collect()
}

fn means_of_best(rows: &[Vec<f64>], top: usize) -> Vec<f64> {
    let mean = |row: &Vec<f64>| {
        let mut row = row.clone();
        row.sort_by(|a, b| b.total_cmp(a));
        row[..top].iter().sum::<f64>() / top as f64
    };
    rows.iter().map(mean).collect()
}

/// Texts by score, best first, for each image.
fn order(scores: &[Vec<f64>]) -> Vec<Vec<usize>> {
    let of = |row: &Vec<f64>| {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
        order
    };
    scores.iter().map(of).collect()
}

#[test]
fn a_set_corrects_as_the_formulas_do_and_ranks_as_the_papers_do_both_ways() {
    let world = world(4.0);
    let PerModality {
        image: images,
        text: texts,
    } = &world.asked;
    for name in ["asif", "canonical", "procrustes"] {
        let recipe = Recipe::named(name).unwrap();
        let plain = Scored::new(&world, &recipe, images, texts).all();
        let with_texts = Scored::new(&world, &recipe, images, &world.anchors.text).all();
        let with_images = turned(&Scored::new(&world, &recipe, &world.anchors.image, texts).all());
        for hubness in [HubnessCorrection::Csls, HubnessCorrection::NNN] {
            let top = ScoreCalibration::of(hubness).top_of(PAIRS);
            let (rx, ry) = (
                means_of_best(&with_texts, top),
                means_of_best(&with_images, top),
            );
            let found = Scored::new(&world, &recipe.clone().with_hubness(hubness), images, texts);
            let found = found.all();
            let corrected = |score: f64, x: f64, y: f64| match hubness {
                HubnessCorrection::Nnn { alpha } => score - alpha * (x + y),
                _ => 2.0 * score - x - y,
            };
            for (i, row) in plain.iter().enumerate() {
                for (j, &score) in row.iter().enumerate() {
                    let want = corrected(score, rx[i], ry[j]);
                    assert!(
                        (found[i][j] - want).abs() < 1e-5,
                        "{name}, {hubness:?}: {} {want}",
                        found[i][j]
                    );
                }
            }
            // The papers' retrieval corrects the candidates alone.
            let HubnessCorrection::Nnn { alpha } = hubness else {
                continue;
            };
            let less = |row: &Vec<f64>, r: &[f64]| -> Vec<f64> {
                row.iter().zip(r).map(|(s, r)| s - alpha * r).collect()
            };
            let to_texts: Vec<Vec<f64>> = plain.iter().map(|row| less(row, &ry)).collect();
            let to_images: Vec<Vec<f64>> = turned(&plain).iter().map(|r| less(r, &rx)).collect();
            for (found, want) in [(found.clone(), to_texts), (turned(&found), to_images)] {
                let first = |scores: &[Vec<f64>]| -> Vec<usize> {
                    order(scores).iter().map(|o| o[0]).collect()
                };
                assert_eq!(first(&found), first(&want), "{name}");
            }
        }
    }
}

#[test]
fn a_hub_loses_what_it_wins_for_nothing() {
    // Rows of all anchors in which similarities hardly differ: the mean text is near to every image.
    let recipe = Recipe::from(RelativeParams {
        k: PAIRS,
        p: 1.0,
        ..RelativeParams::PAPER
    });
    // One draw of pairs says little: a correction leaves 14 to 20 of 40 in single draws.
    let worlds: Vec<World> = (0..5).map(|n| world_from(n * 1000, 0.7)).collect();
    let firsts = |hubness: HubnessCorrection| {
        let recipe = recipe.clone().with_hubness(hubness);
        let of = |world: &World| {
            let PerModality { image, text } = &world.asked;
            let scores = Scored::new(world, &recipe, image, text).all();
            order(&scores).iter().filter(|o| o[0] == ASKED).count()
        };
        worlds.iter().map(of).sum::<usize>()
    };
    let before = firsts(HubnessCorrection::None);
    let after = [
        HubnessCorrection::SNorm,
        HubnessCorrection::Csls,
        HubnessCorrection::NNN,
    ]
    .map(firsts);
    assert!(before > worlds.len() * ASKED / 3, "{before}");
    assert!(after.iter().all(|&n| n < before / 2), "{before} {after:?}");
}

#[test]
fn parts_are_added_in_their_own_deviations() {
    let world = world(4.0);
    let PerModality {
        image: images,
        text: texts,
    } = &world.asked;
    let names = ["paper", "canonical"];
    let units = names.map(|name| {
        let recipe = Recipe::named(name).unwrap();
        let cohort = Scored::new(&world, &recipe, &world.anchors.image, &world.anchors.text).all();
        let top = ScoreCalibration::default().top_of(PAIRS);
        let both = [turned(&cohort), cohort].concat();
        both.iter()
            .map(|row| deviation_of_best(row, top))
            .sum::<f64>()
            / both.len() as f64
    });
    assert!(
        units[0] > 1.5 * units[1] || units[1] > 1.5 * units[0],
        "{units:?}"
    );
    for hubness in [
        HubnessCorrection::Csls,
        HubnessCorrection::NNN,
        HubnessCorrection::None,
    ] {
        let scores = |name: &str| {
            let recipe = Recipe::named(name).unwrap().with_hubness(hubness);
            Scored::new(&world, &recipe, images, texts).all().concat()
        };
        let [first, second] = names.map(scores);
        for ((sum, x), y) in scores("paper+canonical").iter().zip(first).zip(second) {
            let want = 0.5 * (x / units[0] + y / units[1]);
            assert!((sum - want).abs() < 1e-3, "{hubness:?}: {sum} {want}");
        }
    }
}

fn deviation_of_best(row: &[f64], top: usize) -> f64 {
    let mut row = row.to_vec();
    row.sort_by(|a, b| b.total_cmp(a));
    let best = &row[..top];
    let mean = best.iter().sum::<f64>() / top as f64;
    let squares = best.iter().map(|v| (v - mean).powi(2));
    (squares.sum::<f64>() / top as f64).sqrt()
}
