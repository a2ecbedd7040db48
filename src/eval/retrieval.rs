//! Retrieval: recall at 1, 5 and 10, from images to texts and from texts to images.
//!
//! There are two conventions for images with several captions. Their figures must not be compared with each
//! other, so both are always reported:
//! * **all captions**: an image is a query among all captions, and *any* of its own counts as right; every
//!   caption is a query for its image. This is the convention of CLIP_benchmark.
//! * **first caption**: only the first caption of each image is used, so both directions have as many
//!   candidates as there are images. Papers on aligning frozen encoders often do so.

use ndarray::{ArrayView2, Axis};
use serde::Serialize;

use super::interval::{IntervalEstimate, wilson};
use super::metrics_error::{MetricsError, check};
use super::zeroshot::comes_before;

/// Recall at three depths; Wilson intervals. With several captions an image the queries are not
/// independent of one another, so the true intervals from text to image are a little wider.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RecallAtK {
    /// The right one came first.
    #[serde(rename = "recall@1")]
    pub at_1: IntervalEstimate,
    /// It was among the first five.
    #[serde(rename = "recall@5")]
    pub at_5: IntervalEstimate,
    /// It was among the first ten.
    #[serde(rename = "recall@10")]
    pub at_10: IntervalEstimate,
}

/// Recall in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BidirectionalRecall {
    /// Images as queries for their texts.
    pub image_to_text: RecallAtK,
    /// Texts as queries for their images.
    pub text_to_image: RecallAtK,
}

/// The result of [`retrieval`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetrievalMetrics {
    /// Images measured.
    pub images: usize,
    /// Captions of all images.
    pub captions: usize,
    /// Any caption of an image counts as right; every caption is a query.
    pub all_captions: BidirectionalRecall,
    /// As if each image had its first caption only.
    pub first_caption: BidirectionalRecall,
}

/// Measures `scores` (`[images, captions]`, higher is better) against the image that each caption
/// belongs to.
///
/// # Errors
/// [`MetricsError`]: an empty matrix, owners of another length, an owner past the last row, or an image
/// without a caption.
pub fn retrieval(
    scores: ArrayView2<'_, f32>,
    owners: &[usize],
) -> Result<RetrievalMetrics, MetricsError> {
    let (images, captions) = scores.dim();
    if images == 0 || captions == 0 {
        return Err(MetricsError::Empty {
            rows: images,
            columns: captions,
        });
    }
    check("caption", captions, owners, images)?;
    let mut first = vec![None; images];
    for (caption, &owner) in owners.iter().enumerate() {
        first[owner].get_or_insert(caption);
    }
    // An image without a caption could never be found, and its query has no right answer.
    if let Some(image) = first.iter().position(Option::is_none) {
        return Err(MetricsError::NoCaption { image });
    }
    let all: Vec<_> = (0..captions).collect();
    let first: Vec<_> = all
        .iter()
        .copied()
        .filter(|&c| first[owners[c]] == Some(c))
        .collect();
    Ok(RetrievalMetrics {
        images,
        captions,
        all_captions: two_ways(scores, owners, &all),
        first_caption: two_ways(scores, owners, &first),
    })
}

fn two_ways(
    scores: ArrayView2<'_, f32>,
    owners: &[usize],
    captions: &[usize],
) -> BidirectionalRecall {
    BidirectionalRecall {
        image_to_text: recalls(&texts_before(scores, owners, captions)),
        text_to_image: recalls(&images_before(scores, owners, captions)),
    }
}

fn recalls(ranks: &[usize]) -> RecallAtK {
    let at = |k| {
        let hits = ranks.iter().filter(|&&rank| rank < k).count();
        wilson(hits as u64, ranks.len() as u64)
    };
    RecallAtK {
        at_1: at(1),
        at_5: at(5),
        at_10: at(10),
    }
}

/// For each image, how many captions come before the best of its own.
fn texts_before(scores: ArrayView2<'_, f32>, owners: &[usize], captions: &[usize]) -> Vec<usize> {
    let rank = |(image, row): (usize, ndarray::ArrayView1<'_, f32>)| {
        // A caption without scores does not speak for its image while another one has some.
        let own = captions
            .iter()
            .filter(|&&c| owners[c] == image && !row[c].is_nan());
        let best = own
            .copied()
            .reduce(|best, c| if row[c] > row[best] { c } else { best });
        // Nothing of its own has a score: the image counts as not found at any depth.
        best.map_or(usize::MAX, |best| {
            captions
                .iter()
                .filter(|&&c| comes_before(row[c], c, row[best], best))
                .count()
        })
    };
    scores.axis_iter(Axis(0)).enumerate().map(rank).collect()
}

/// For each caption, how many images come before its own. Reads the matrix row by row, in memory order.
fn images_before(scores: ArrayView2<'_, f32>, owners: &[usize], captions: &[usize]) -> Vec<usize> {
    let own: Vec<_> = captions.iter().map(|&c| scores[[owners[c], c]]).collect();
    let mut ranks = vec![0; captions.len()];
    for (image, row) in scores.axis_iter(Axis(0)).enumerate() {
        for ((rank, &caption), &own) in ranks.iter_mut().zip(captions).zip(&own) {
            *rank += usize::from(comes_before(row[caption], image, own, owners[caption]));
        }
    }
    // Afterwards, for a comparison with NaN counts nothing and would leave the best rank.
    for (rank, own) in ranks.iter_mut().zip(&own) {
        if own.is_nan() {
            *rank = usize::MAX;
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, arr2};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn any_own_caption_will_do_and_the_first_alone_may_not() {
        // Image 0 owns captions 0 and 2, image 1 owns caption 1.
        let scores = arr2(&[[0.1, 0.5, 0.9], [0.0, 0.7, 0.2]]);
        let found = retrieval(scores.view(), &[0, 1, 0]).unwrap();
        assert_eq!((found.images, found.captions), (2, 3));
        assert_eq!(found.all_captions.image_to_text.at_1.value, 1.0);
        assert_eq!(found.first_caption.image_to_text.at_1.value, 0.5);
        assert_eq!(found.all_captions.text_to_image.at_1.value, 1.0);
    }

    #[test]
    fn ties_go_to_the_lowest_index_both_ways() {
        let scores = Array2::<f32>::zeros((2, 2));
        let found = retrieval(scores.view(), &[0, 1]).unwrap().all_captions;
        assert_eq!(found.image_to_text.at_1.value, 0.5);
        assert_eq!(found.text_to_image.at_1.value, 0.5);
        assert_eq!(found.text_to_image.at_5.value, 1.0);
    }

    #[test]
    fn what_is_not_a_number_is_never_found() {
        let scores = arr2(&[[f32::NAN]]);
        let found = retrieval(scores.view(), &[0]).unwrap().all_captions;
        assert_eq!(found.image_to_text.at_10.value, 0.0);
        assert_eq!(found.text_to_image.at_10.value, 0.0);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let scores = Array2::<f32>::zeros((2, 2));
        assert_eq!(
            retrieval(scores.view(), &[0, 0]),
            Err(MetricsError::NoCaption { image: 1 })
        );
        assert_eq!(
            retrieval(scores.view(), &[0]),
            Err(MetricsError::Length {
                what: "caption",
                expected: 2,
                found: 1
            })
        );
        assert_eq!(
            retrieval(scores.view(), &[0, 2]),
            Err(MetricsError::Range {
                entry: 1,
                label: 2,
                limit: 2
            })
        );
    }

    proptest! {
        /// The same figures as from sorting every row and column whole.
        #[test]
        fn agrees_with_sorting(
            (images, extra, values) in (1_usize..14, proptest::collection::vec(any::<usize>(), 0..14))
                .prop_flat_map(|(images, extra)| {
                    let size = images * (images + extra.len());
                    (Just(images), Just(extra), proptest::collection::vec(0_u8..12, size))
                })
        ) {
            let owners: Vec<_> =
                (0..images).rev().chain(extra.iter().map(|owner| owner % images)).collect();
            let captions = owners.len();
            let values = values.into_iter().map(f32::from).collect();
            let scores = Array2::from_shape_vec((images, captions), values).unwrap();
            let found = retrieval(scores.view(), &owners).unwrap();

            for k in [1, 5, 10] {
                let pick = |recalls: RecallAtK| match k {
                    1 => recalls.at_1.value,
                    5 => recalls.at_5.value,
                    _ => recalls.at_10.value,
                };
                for (ways, of) in
                    [(found.all_captions, captions), (found.first_caption, images)]
                {
                    let mut hits = 0;
                    for image in 0..images {
                        let mut order: Vec<_> = (0..of).collect();
                        order.sort_by(|&a, &b| scores[[image, b]].total_cmp(&scores[[image, a]]));
                        hits += usize::from(order.iter().take(k).any(|&c| owners[c] == image));
                    }
                    let expected = hits as f64 / images as f64;
                    prop_assert!((pick(ways.image_to_text) - expected).abs() < 1e-12);
                    let mut hits = 0;
                    for caption in 0..of {
                        let mut order: Vec<_> = (0..images).collect();
                        order.sort_by(|&a, &b| {
                            scores[[b, caption]].total_cmp(&scores[[a, caption]])
                        });
                        hits += usize::from(order.iter().take(k).any(|&i| i == owners[caption]));
                    }
                    let expected = hits as f64 / of as f64;
                    prop_assert!((pick(ways.text_to_image) - expected).abs() < 1e-12);
                }
            }
        }
    }
}
