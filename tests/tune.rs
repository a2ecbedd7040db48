//! `asif tune`: the space tried in memory is the space of the set, what is planted is found, and the
//! choice is one more generation.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

mod support;
mod synthetic;

use asif::anchors::AnchorSet;
use asif::anchors::change::vectors::{NewSetOptions, PairVectors, create};
use asif::anchors::search::searcher::Searcher;
use asif::anchors::stored::plan::SearchMode;
use asif::anchors::stored::records::PairRecord;
use asif::eval::tune::TunePairs;
use asif::modality::PerModality;
use asif::progress::{CancelToken, NoProgress};
use asif::space::linear::CanonicalParams;
use asif::space::linear::Moments;
use asif::space::matrices::MatrixAnchors;
use asif::space::recipe::{HubnessCorrection, WeightedPart};
use asif::space::tune::folds::FoldOptions;
use asif::space::tune::members::{EncoderBlocks, EnsembleBlocks};
use asif::space::tune::scorer::{RecipeLimits, RecipeScorer};
use asif::space::tune::{TuneError, TuneInput, TuneOutcome, tune};
use asif::space::vector::normalize;
use asif::space::{FittedSpace, Recipe, RelativeParams};
use asif_index::random::SplitMix64;
use ndarray::{Array2, Axis, concatenate};
use support::on;
use synthetic::{DIMS, making};

/// Pairs that share four numbers, which on both sides lie under much stronger ones of their own:
/// nearness says little, what varies together says all.
fn planted(n: usize) -> Vec<PairVectors> {
    let mut random = SplitMix64::new(7);
    let mut uniform = move || random.unit() as f32 - 0.5;
    let mut pair = |i: usize| {
        let shared: Vec<f32> = (0..4).map(|_| uniform()).collect();
        let mut side = |dim: usize| {
            let mut v: Vec<f32> = (0..dim)
                .map(|j| uniform() * if j < 9 { 3.0 } else { 0.1 })
                .collect();
            v.iter_mut().rev().zip(&shared).for_each(|(v, s)| *v += s);
            normalize(&mut v);
            v
        };
        let (image, text) = (side(DIMS.image), side(DIMS.text));
        PairVectors {
            record: PairRecord {
                id: format!("p{i:04}"),
                image: format!("/nowhere/{i}.jpg"),
                captions: vec![format!("caption {i}")],
                meta: "{}".to_owned(),
            },
            image,
            text,
        }
    };
    (0..n).map(&mut pair).collect()
}

fn matrix(pairs: &[PairVectors]) -> PerModality<Array2<f32>> {
    let side = |dim, of: fn(&PairVectors) -> &Vec<f32>| {
        let all = pairs.iter().flat_map(of).copied().collect();
        Array2::from_shape_vec((pairs.len(), dim), all).unwrap()
    };
    PerModality {
        image: side(DIMS.image, |p| &p.image),
        text: side(DIMS.text, |p| &p.text),
    }
}

fn made(path: &std::path::Path, pairs: &[PairVectors], space: Recipe) {
    let making = NewSetOptions {
        space,
        ..making(DIMS)
    };
    create(path, &making, pairs.iter().cloned()).unwrap();
}

#[test]
fn a_recipe_scores_in_memory_as_it_does_on_disk() {
    // The three ways share units, levels and the sum, and differ in what they keep: a set on disk is searched
    // by its index, a space codes and compares one input at a time, and the scorer of `tune` keeps the scores
    // of each part, so that trials with other weights cost no comparison.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    let pairs = planted(300);
    let (asked, fit): (Vec<u32>, Vec<u32>) = (0..300).partition(|i| i % 10 == 3);
    let of = |rows: &[u32]| -> Vec<PairVectors> {
        rows.iter().map(|&i| pairs[i as usize].clone()).collect()
    };
    made(&path, &of(&fit), Recipe::fused());
    let set = AnchorSet::open(&path).unwrap();
    let all = matrix(&pairs);
    let moments = Moments::of(&matrix(&of(&fit)));
    let rows: Vec<usize> = asked.iter().map(|&i| i as usize).collect();
    let queries = all.as_ref().map(|side| side.select(Axis(0), &rows));
    let depth = RecipeLimits {
        k: 800,
        cohort: 1000,
        top: 400,
    };
    let views = all.as_ref().map(|side| side.view());
    let anchors = MatrixAnchors::new(views, fit, moments);
    let mut scorer = RecipeScorer::new(anchors.clone(), queries.clone(), depth);
    let mut narrow = Recipe::fused();
    for part in &mut narrow.parts {
        if let Some(canonical) = part.part.canonical_mut() {
            *canonical = CanonicalParams {
                dims: 6,
                shrinkage: 0.3,
                exponent: 1.0,
            };
        }
    }
    let named = [
        "fused",
        "paper",
        "asif",
        "asif-canonical",
        "whitened+ridge",
        "canonical+procrustes",
    ];
    let named = named.map(|name| Recipe::named(name).unwrap());
    let other = [
        HubnessCorrection::Csls,
        HubnessCorrection::NNN,
        HubnessCorrection::None,
    ];
    let corrected = ["asif", "fused"]
        .into_iter()
        .flat_map(|name| other.map(|hubness| Recipe::named(name).unwrap().with_hubness(hubness)));
    for recipe in named.into_iter().chain([narrow]).chain(corrected) {
        let scores = scorer.scores(&recipe).unwrap();
        let searcher = Searcher::new(&set, recipe.clone(), SearchMode::Exact).unwrap();
        let inputs = PerModality::of(|side| {
            let vectors = queries[side].as_slice().unwrap();
            searcher.represent(side, vectors).unwrap()
        });
        let fitted = FittedSpace::fit(&anchors, &recipe).unwrap();
        let in_memory = PerModality::of(|side| {
            let vectors = queries[side].as_slice().unwrap();
            fitted.represent(&anchors, side, vectors).unwrap()
        });
        let shares = searcher.recipe().shares();
        let close = |a: f64, b: f64| (a - b).abs() < 1e-3 * b.abs().max(0.1);
        for i in 0..3 {
            let [x, y] = [&inputs, &in_memory].map(|inputs| (&inputs.image[i], &inputs.text[i]));
            let on_disk = searcher.explain(x.0, x.1).unwrap();
            let in_memory = fitted.explain(&anchors, y.0, y.1).unwrap();
            assert!(
                close(in_memory.score.into(), on_disk.score.into()),
                "{recipe}"
            );
            for explanation in [&on_disk, &in_memory] {
                let parts: f64 = explanation.parts.iter().map(|part| part.amount).sum();
                let score = f64::from(explanation.score);
                assert!(close(explanation.offset + parts, score), "{recipe}");
                assert!(close(explanation.sum(), score), "{recipe}");
            }
        }
        for ((i, j), score) in scores.indexed_iter() {
            let want = inputs.image[i].score(&inputs.text[j], &shares);
            assert!(
                (score - want).abs() < 1e-3 * want.abs().max(0.1),
                "{recipe}: {score} {want}"
            );
        }
    }
}

/// One encoder of each modality.
fn single() -> EnsembleBlocks {
    DIMS.map(|dim| EncoderBlocks {
        dims: vec![dim],
        weights: vec![1.0],
    })
}

fn tuned(pairs: &[PairVectors], texts: &[usize], recipe: &Recipe) -> TuneOutcome {
    let mut sides = matrix(pairs);
    sides.text = sides.text.select(Axis(0), texts);
    let moments = Moments::of(&sides);
    let captions: Vec<Vec<String>> = pairs.iter().map(|p| p.record.captions.clone()).collect();
    let vectors = asif::space::tune::evaluator::SideVectors {
        sides: sides.as_ref().map(|side| side.view()),
        moments: &moments,
    };
    let subject = TuneInput {
        vectors,
        captions: &captions,
        recipe,
        labelled: &[],
        members: &single(),
    };
    let options = FoldOptions { seed: 1, inner: 2 };
    tune(subject, &options, &NoProgress, &CancelToken::default()).unwrap()
}

/// Mostly relative rows of the encoders' vectors, which say little of [`planted`] pairs.
fn misled() -> Recipe {
    let mut recipe = Recipe::named("asif+canonical").unwrap();
    recipe.parts[0] = WeightedPart {
        weight: 4.0,
        ..recipe.parts[0]
    };
    recipe
}

#[test]
fn a_part_that_is_better_is_found() {
    let pairs = planted(900);
    let straight: Vec<usize> = (0..900).collect();
    let found = tuned(&pairs, &straight, &misled());
    assert!(found.is_change(), "{}", found.reason);
    let estimate = found.estimate.as_ref().unwrap();
    assert!(
        estimate.found.pairs.unwrap() > 1.2 * estimate.present.pairs.unwrap(),
        "{estimate:?}"
    );
    assert!(estimate.interval[0] > 0.0, "{estimate:?}");
    let again = tuned(&pairs, &straight, &misled());
    assert_eq!(again.recommended, found.recommended, "seeded");
}

#[test]
fn an_encoder_that_says_nothing_loses_weight() {
    let pairs = planted(900);
    let PerModality { image: x, text } = matrix(&pairs);
    // A second image encoder: the vectors of other pairs, at half the weight.
    let others: Vec<usize> = (0..900).map(|i| (i * 367 + 11) % 900).collect();
    let noise = x.select(Axis(0), &others);
    let half = 0.5_f32.sqrt();
    let joined = concatenate(Axis(1), &[(&x * half).view(), (&noise * half).view()]).unwrap();
    let image = joined.as_standard_layout().into_owned();
    let sides = PerModality { image, text };
    let moments = Moments::of(&sides);
    let captions: Vec<Vec<String>> = pairs.iter().map(|p| p.record.captions.clone()).collect();
    let recipe = Recipe::named("asif+canonical").unwrap();
    let images = EncoderBlocks {
        dims: vec![DIMS.image; 2],
        weights: vec![0.5; 2],
    };
    let subject = TuneInput {
        vectors: asif::space::tune::evaluator::SideVectors {
            sides: sides.as_ref().map(|side| side.view()),
            moments: &moments,
        },
        captions: &captions,
        recipe: &recipe,
        labelled: &[],
        members: &PerModality {
            image: images,
            text: single().text,
        },
    };
    let options = FoldOptions { seed: 1, inner: 2 };
    let found = tune(subject, &options, &NoProgress, &CancelToken::default()).unwrap();
    let PerModality {
        image: images,
        text,
    } = found.members.as_ref().unwrap();
    assert!(images.weights[0] > 0.6, "{images:?}");
    assert_eq!(text.weights, [1.0]);
    assert!(found.estimate.unwrap().interval[0] > 0.0);
}

#[test]
fn shuffled_pairs_are_worth_what_chance_is() {
    let pairs = planted(900);
    let shuffled: Vec<usize> = (0..900).map(|i| (i * 367 + 11) % 900).collect();
    let found = tuned(&pairs, &shuffled, &misled());
    let estimate = found.estimate.unwrap();
    let n = estimate.asked.pairs;
    let chance = (1..=n).map(|r| 1.0 / r as f64).sum::<f64>() / n as f64;
    assert!(
        (estimate.present.pairs.unwrap() - chance).abs() < 0.04,
        "{estimate:?} {chance}"
    );
    assert!(
        (estimate.found.pairs.unwrap() - chance).abs() < 0.04,
        "{estimate:?} {chance}"
    );
}

#[test]
fn a_choice_is_a_generation_that_can_be_undone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    made(&path, &planted(900), misled());
    let space = || AnchorSet::open(&path).unwrap().manifest().space.clone();
    let dry = on(
        folder.path(),
        &["tune", "--folds", "2", "--apply", "--dry-run", "--json"],
        &path,
    );
    let dry = dry.ok().json();
    assert_eq!(dry["applied"]["dry_run"], true);
    assert_eq!(space(), misled());
    let done = on(
        folder.path(),
        &["tune", "--folds", "2", "--apply", "--json"],
        &path,
    )
    .ok()
    .json();
    assert_eq!(done["recommended"], dry["recommended"], "seeded");
    assert_eq!(done["applied"]["command"], "tune");
    assert_eq!(serde_json::to_value(space()).unwrap(), done["recommended"]);
    on(folder.path(), &["verify"], &path).ok();
    let log = on(folder.path(), &["history", "--json"], &path)
        .ok()
        .json_lines();
    assert_eq!(log.last().unwrap()["command"], "tune");
    on(folder.path(), &["rollback"], &path).ok();
    assert_eq!(space(), misled());
}

#[test]
fn what_was_not_asked_has_no_figure_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.asif");
    made(&path, &planted(210), misled());
    let found = on(folder.path(), &["tune", "--json"], &path).ok();
    let estimate = &found.json()["estimate"];
    assert_eq!(estimate["asked"][1], 0, "{estimate}");
    assert!(estimate["present"]["classes"].is_null(), "{estimate}");
    assert!(
        estimate["not_asked"]
            .as_str()
            .unwrap()
            .contains("labelled images")
    );
    assert!(!found.out.contains("-0.0,"), "{}", found.out);
    let said = on(folder.path(), &["tune", "--table"], &path).ok().out;
    assert!(
        said.contains("classes    - (0 images of held-out clusters: too few"),
        "{said}"
    );
    assert!(said.contains("hint: --validation"), "{said}");
}

#[test]
fn few_pairs_keep_what_they_have_and_a_request_to_stop_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("few.asif");
    made(&path, &planted(60), RelativeParams::default().into());
    let said = on(folder.path(), &["tune", "--apply"], &path).ok();
    assert!(
        said.out.contains("at least 200 distinct pairs") && said.out.contains("keep"),
        "{}",
        said.out
    );
    assert_eq!(AnchorSet::open(&path).unwrap().manifest().generation, 1);

    let path = folder.path().join("more.asif");
    made(&path, &planted(300), misled());
    let set = AnchorSet::open(&path).unwrap();
    let pairs = TunePairs::read(&set, 250).unwrap();
    assert_eq!(pairs.captions().len(), 250);
    let recipe = misled();
    let subject = TuneInput {
        vectors: pairs.vectors(),
        captions: pairs.captions(),
        recipe: &recipe,
        labelled: &[],
        members: &single(),
    };
    let cancel = CancelToken::default();
    cancel.request();
    let options = FoldOptions { seed: 1, inner: 1 };
    let stopped = tune(subject, &options, &NoProgress, &cancel);
    assert!(matches!(stopped, Err(TuneError::Interrupted)));
}
