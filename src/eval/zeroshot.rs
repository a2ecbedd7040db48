//! Zero-shot classification: top-1, top-5, mean per-class recall, confusions.

use std::collections::HashMap;

use ndarray::{ArrayView1, ArrayView2};

use super::interval::{IntervalEstimate, mean_recall, wilson};
use super::metrics_error::{MetricsError, check};

/// The result of [`zeroshot`].
#[derive(Debug, Clone, PartialEq)]
pub struct ZeroshotMetrics {
    /// Images measured.
    pub images: usize,
    /// Classes to choose between.
    pub classes: usize,
    /// Share of images whose class has the highest score; Wilson interval.
    pub acc1: IntervalEstimate,
    /// Share of images whose class is among the five highest; `None` below five classes, where it
    /// would say nothing. Wilson interval.
    pub acc5: Option<IntervalEstimate>,
    /// Mean over the classes with images of the share classified correctly; bootstrap interval.
    pub mean_per_class_recall: IntervalEstimate,
    /// One for each class, in the order of the columns.
    pub per_class: Vec<ClassRecall>,
    /// All confusions of two classes, the most frequent first, then by index.
    pub confusions: Vec<ClassConfusion>,
    /// Images whose scores are all NaN; they count as errors but not as confusions.
    pub unscored: usize,
}

/// The recall of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassRecall {
    /// Images of this class.
    pub images: usize,
    /// The number of images classified correctly (top-1).
    pub correct: usize,
}

/// Images of one class that were taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassConfusion {
    /// Their class.
    pub truth: usize,
    /// The predicted class.
    pub predicted: usize,
    /// The number of such images.
    pub count: usize,
}

/// Measures `scores` (`[images, classes]`, higher is better) against the class of each image.
///
/// # Errors
/// [`MetricsError`]: an empty matrix, labels of another length, or a label past the last column.
pub fn zeroshot(
    scores: ArrayView2<'_, f32>,
    labels: &[usize],
) -> Result<ZeroshotMetrics, MetricsError> {
    let (images, classes) = scores.dim();
    if images == 0 || classes == 0 {
        return Err(MetricsError::Empty {
            rows: images,
            columns: classes,
        });
    }
    check("image", images, labels, classes)?;

    let mut per_class = vec![
        ClassRecall {
            images: 0,
            correct: 0
        };
        classes
    ];
    let mut confused = HashMap::new();
    let mut answers = Vec::with_capacity(images);
    let (mut top1, mut top5, mut unscored) = (0, 0, 0);
    for (row, &label) in scores.rows().into_iter().zip(labels) {
        // The rank and not the predicted class, so that ties are decided by one rule for top-1 and top-5.
        let rank = rank_of(row, label);
        top1 += u64::from(rank < 1);
        top5 += u64::from(rank < 5);
        per_class[label].images += 1;
        per_class[label].correct += usize::from(rank < 1);
        answers.push((label, rank < 1));
        match best(row) {
            None => unscored += 1,
            Some(predicted) if predicted != label => {
                *confused.entry((label, predicted)).or_insert(0) += 1;
            }
            Some(_) => {}
        }
    }
    let mut confusions: Vec<_> = confused
        .into_iter()
        .map(|((truth, predicted), count)| ClassConfusion {
            truth,
            predicted,
            count,
        })
        .collect();
    // Ties have an order of their own, for a hash map has none.
    confusions.sort_unstable_by_key(|one| (std::cmp::Reverse(one.count), one.truth, one.predicted));
    let trials = images as u64;
    Ok(ZeroshotMetrics {
        images,
        classes,
        acc1: wilson(top1, trials),
        acc5: (classes >= 5).then(|| wilson(top5, trials)),
        mean_per_class_recall: mean_recall(&answers, classes),
        per_class,
        confusions,
        unscored,
    })
}

/// How many entries of `row` come before entry `truth`: those that are higher, or equal with a lower
/// index. NaN comes last.
pub(super) fn rank_of(row: ArrayView1<'_, f32>, truth: usize) -> usize {
    let own = row[truth];
    if own.is_nan() {
        return row.len();
    }
    row.iter()
        .enumerate()
        .filter(|&(i, &score)| comes_before(score, i, own, truth))
        .count()
}

/// Whether `score` at index `i` comes before `own`, a number, at index `truth`.
pub(super) fn comes_before(score: f32, i: usize, own: f32, truth: usize) -> bool {
    score > own || (score == own && i < truth)
}

/// The highest entry that is a number, of equal ones the first.
fn best(row: ArrayView1<'_, f32>) -> Option<usize> {
    let numbers = row.iter().enumerate().filter(|(_, score)| !score.is_nan());
    let first = numbers.reduce(|best, next| if next.1 > best.1 { next } else { best });
    first.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, arr2};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ties_go_to_the_lowest_index() {
        let scores = arr2(&[[1.0, 1.0], [1.0, 1.0], [0.0, 1.0]]);
        let found = zeroshot(scores.view(), &[0, 1, 1]).unwrap();
        assert!((found.acc1.value - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.acc5, None);
        assert_eq!(found.mean_per_class_recall.value, 0.75);
        assert_eq!(
            found.confusions,
            [ClassConfusion {
                truth: 1,
                predicted: 0,
                count: 1
            }]
        );
        assert_eq!(
            found.per_class[1],
            ClassRecall {
                images: 2,
                correct: 1
            }
        );
    }

    #[test]
    fn what_is_not_a_number_is_never_right() {
        let nan = f32::NAN;
        let scores = arr2(&[
            [nan, -1.0],
            [nan, nan],
            [f32::NEG_INFINITY, nan],
            [f32::INFINITY, 0.0],
        ]);
        let found = zeroshot(scores.view(), &[0, 0, 0, 0]).unwrap();
        assert_eq!(
            found.per_class[0],
            ClassRecall {
                images: 4,
                correct: 2
            }
        );
        assert_eq!(found.unscored, 1);
        assert_eq!(
            found.confusions,
            [ClassConfusion {
                truth: 0,
                predicted: 1,
                count: 1
            }]
        );
    }

    #[test]
    fn confusions_are_sorted_by_count_then_index() {
        let picks = [(0, 1), (0, 1), (0, 2), (2, 1), (1, 0), (1, 0), (1, 1)];
        let mut scores = Array2::zeros((picks.len(), 5));
        for (i, (_, predicted)) in picks.iter().enumerate() {
            scores[[i, *predicted]] = 1.0;
        }
        let labels: Vec<_> = picks.iter().map(|(truth, _)| *truth).collect();
        let found = zeroshot(scores.view(), &labels).unwrap();
        let order: Vec<_> = found
            .confusions
            .iter()
            .map(|c| (c.truth, c.predicted, c.count))
            .collect();
        assert_eq!(order, [(0, 1, 2), (1, 0, 2), (0, 2, 1), (2, 1, 1)]);
        assert_eq!(found.acc5.unwrap().value, 1.0);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let scores = arr2(&[[0.0_f32, 1.0]]);
        assert_eq!(
            zeroshot(scores.view(), &[0, 1]),
            Err(MetricsError::Length {
                what: "image",
                expected: 1,
                found: 2
            })
        );
        assert_eq!(
            zeroshot(scores.view(), &[2]),
            Err(MetricsError::Range {
                entry: 0,
                label: 2,
                limit: 2
            })
        );
        let none = Array2::<f32>::zeros((0, 2));
        assert_eq!(
            zeroshot(none.view(), &[]),
            Err(MetricsError::Empty {
                rows: 0,
                columns: 2
            })
        );
    }

    fn score() -> impl Strategy<Value = f32> {
        prop_oneof![
            8 => (0_u8..6).prop_map(f32::from),
            1 => Just(f32::NAN),
            1 => Just(f32::NEG_INFINITY),
        ]
    }

    proptest! {
        /// The same figures as from sorting each row whole.
        #[test]
        fn agrees_with_sorting(
            (classes, values, labels) in (1_usize..9, 1_usize..20).prop_flat_map(|(classes, images)| (
                Just(classes),
                proptest::collection::vec(score(), images * classes),
                proptest::collection::vec(0..classes, images),
            ))
        ) {
            let scores = Array2::from_shape_vec((labels.len(), classes), values).unwrap();
            let found = zeroshot(scores.view(), &labels).unwrap();
            let (mut top1, mut top5) = (0.0, 0.0);
            let mut recalls = vec![(0.0, 0.0); classes];
            for (row, &label) in scores.rows().into_iter().zip(&labels) {
                let mut order: Vec<_> = (0..classes).filter(|&i| !row[i].is_nan()).collect();
                // A stable sort keeps the lower index first.
                order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
                let hit = order.first() == Some(&label);
                top1 += f64::from(u8::from(hit));
                top5 += f64::from(u8::from(order.iter().take(5).any(|&i| i == label)));
                recalls[label].0 += f64::from(u8::from(hit));
                recalls[label].1 += 1.0;
            }
            let n = labels.len() as f64;
            prop_assert!((found.acc1.value - top1 / n).abs() < 1e-12);
            prop_assert_eq!(found.acc5.is_some(), classes >= 5);
            if let Some(acc5) = found.acc5 {
                prop_assert!((acc5.value - top5 / n).abs() < 1e-12);
            }
            let shares: Vec<f64> =
                recalls.iter().filter(|(_, n)| *n > 0.0).map(|(hits, n)| hits / n).collect();
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            prop_assert!((found.mean_per_class_recall.value - mean).abs() < 1e-12);
            for estimate in [Some(found.acc1), found.acc5, Some(found.mean_per_class_recall)] {
                let Some(IntervalEstimate { value, low, high }) = estimate else { continue };
                prop_assert!(0.0 <= low && low <= value && value <= high && high <= 1.0);
            }
            let wrong: usize = found.confusions.iter().map(|one| one.count).sum();
            let right: usize = found.per_class.iter().map(|one| one.correct).sum();
            prop_assert_eq!(wrong + right + found.unscored, labels.len());
        }
    }
}
