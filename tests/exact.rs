//! The arithmetic on real embeddings, held against a plain double-precision model.

mod support;

use asif::anchors::AnchorSet;
use asif::anchors::search::searcher::Searcher;
use asif::anchors::stored::plan::SearchMode;
use asif::modality::Modality;
use asif::space::{ClassHead, NegativeSimilarity, PromptAggregation, RelativeParams, RelativeRow};
use support::demo_set;

/// Every vector of one side, in double precision.
fn vectors(set: &AnchorSet, modality: Modality) -> Vec<Vec<f64>> {
    let dim = set.dim(modality);
    let segments = set.segments().iter();
    segments
        .flat_map(|s| s.vectors(modality).vectors().chunks_exact(dim))
        .map(|v| v.iter().map(|&x| f64::from(x)).collect())
        .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn minus_mean(v: &[f64], mean: &[f64]) -> Vec<f64> {
    let shifted: Vec<f64> = v.iter().zip(mean).map(|(x, m)| x - m).collect();
    let norm = dot(&shifted, &shifted).sqrt();
    shifted.into_iter().map(|x| x / norm).collect()
}

/// The formulas as they are printed, dense, in `f64`: similarities and row of `x`.
fn model(anchors: &[Vec<f64>], x: &[f64], params: &RelativeParams) -> (Vec<f64>, Vec<f64>) {
    let n = anchors.len();
    let similarities: Vec<f64> = if params.center {
        let mean: Vec<f64> = (0..x.len())
            .map(|j| anchors.iter().map(|a| a[j]).sum::<f64>() / n as f64)
            .collect();
        let x = minus_mean(x, &mean);
        anchors
            .iter()
            .map(|a| dot(&minus_mean(a, &mean), &x))
            .collect()
    } else {
        anchors.iter().map(|a| dot(a, x)).collect()
    };
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| similarities[b].total_cmp(&similarities[a]).then(a.cmp(&b)));
    let mut row = vec![0.0; n];
    for &i in order.iter().take(params.k) {
        let s = similarities[i];
        row[i] = match params.negatives {
            NegativeSimilarity::Raw => s.powf(params.p),
            NegativeSimilarity::Clamp => s.max(0.0).powf(params.p),
            NegativeSimilarity::Signed => s.signum() * s.abs().powf(params.p),
        };
    }
    let norm = dot(&row, &row).sqrt();
    row.iter_mut().for_each(|v| *v /= norm);
    (similarities, row)
}

fn settings() -> Vec<RelativeParams> {
    let clamp = RelativeParams::default();
    vec![
        RelativeParams::PAPER,
        clamp,
        RelativeParams { k: 1, ..clamp },
        RelativeParams {
            k: 10,
            p: 3.0,
            negatives: NegativeSimilarity::Signed,
            ..clamp
        },
        RelativeParams {
            k: 17,
            p: 2.0,
            center: false,
            negatives: NegativeSimilarity::Raw,
        },
        RelativeParams {
            k: 100_000,
            p: 2.0,
            center: true,
            negatives: NegativeSimilarity::Raw,
        },
    ]
}

#[test]
fn rows_and_scores_are_those_of_the_model() {
    let set = AnchorSet::open(demo_set()).unwrap();
    let sides = [Modality::Image, Modality::Text].map(|m| (m, vectors(&set, m)));
    for params in settings() {
        let searcher = Searcher::new(&set, params, SearchMode::Exact).unwrap();
        // Anchors as queries, changed a little so that they are not their own anchor.
        let queries: Vec<Vec<Vec<f64>>> = sides
            .iter()
            .map(|(_, anchors)| {
                (0..12)
                    .map(|i| halfway(&anchors[i], &anchors[i + 20]))
                    .collect()
            })
            .collect();
        let mut rows: Vec<Vec<RelativeRow>> = Vec::new();
        let mut models: Vec<Vec<Vec<f64>>> = Vec::new();
        for ((modality, anchors), queries) in sides.iter().zip(&queries) {
            let flat: Vec<f32> = queries.iter().flatten().map(|&x| x as f32).collect();
            let found = searcher.rows(*modality, &flat).unwrap();
            let mut expected = Vec::new();
            for (query, row) in queries.iter().zip(&found) {
                let (similarities, want) = model(anchors, query, &params);
                same_row(row, &want, &similarities, &params);
                expected.push(want);
            }
            rows.push(found);
            models.push(expected);
        }
        let head = ClassHead::new(
            set.len(),
            &[1.0],
            &rows[1]
                .iter()
                .map(|r| vec![r.clone().into()])
                .collect::<Vec<_>>(),
            PromptAggregation::Max,
        );
        for (image, image_model) in rows[0].iter().zip(&models[0]) {
            for (score, text_model) in head.scores(&image.clone().into()).iter().zip(&models[1]) {
                let want = dot(image_model, text_model);
                assert!(
                    (f64::from(*score) - want).abs() < 1e-5,
                    "{params:?}: {score} {want}"
                );
            }
        }
    }
}

fn halfway(a: &[f64], b: &[f64]) -> Vec<f64> {
    let middle: Vec<f64> = a.iter().zip(b).map(|(x, y)| x + 0.7 * y).collect();
    let norm = dot(&middle, &middle).sqrt();
    middle
        .into_iter()
        .map(|x| f64::from((x / norm) as f32))
        .collect()
}

/// Equal anchors, values within 1e-5. Where two similarities at the cut differ by less than single
/// precision can tell (1e-6), either may be the one that is kept.
fn same_row(row: &RelativeRow, want: &[f64], similarities: &[f64], params: &RelativeParams) {
    let mut sorted = similarities.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let cut = sorted
        .get(params.k.min(sorted.len()) - 1)
        .copied()
        .unwrap_or(f64::MIN);
    let kept: Vec<u32> = row.entries().iter().map(|e| e.0).collect();
    for (i, &w) in want.iter().enumerate() {
        let at_the_cut = (similarities[i] - cut).abs() < 1e-6;
        let got = kept.contains(&(i as u32));
        let negligible = w.abs() < 1e-9;
        assert!(
            at_the_cut || got == (w != 0.0) || negligible,
            "anchor {i} of {params:?}"
        );
    }
    for &(i, w) in row.entries() {
        let want = want[i as usize];
        assert!(
            (f64::from(w) - want).abs() < 1e-5,
            "{params:?}, anchor {i}: {w} {want}"
        );
    }
}
