//! The objective of tuning: the reciprocal rank of each right answer on one fold.

use ndarray::ArrayView2;
use rayon::prelude::*;

/// A question to a matrix of scores, `[images, texts]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TuneQuestion {
    /// Image `i` belongs to text `i`, both ways, for the given number of both.
    Pairs(usize),
    /// Each of these images belongs to one of these texts.
    Classes {
        /// The first text, and their number.
        texts: (usize, usize),
        /// The first image.
        first: usize,
        /// The class of each.
        labels: Vec<u32>,
    },
}

/// The quality of one answer between 0 and 1, and the unit of answers that it is correlated with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ReciprocalRank {
    /// The reciprocal of the right answer's rank.
    pub rank: f64,
    /// 1 if the right answer alone is at rank 1, else 0.
    pub first: f64,
    /// The unit: answers of one unit, such as the images of a class, are not independent.
    pub unit: u32,
}

impl TuneQuestion {
    /// The quality of each answer in `scores`.
    pub(crate) fn answers(&self, scores: ArrayView2<f32>) -> Vec<ReciprocalRank> {
        match self {
            Self::Pairs(n) => (0..*n)
                .into_par_iter()
                .map(|i| {
                    // Only the pairs among themselves: behind them stand the images and prompts of the classes.
                    let image = place(scores.row(i).iter().take(*n), i);
                    let text = place(scores.column(i).iter().take(*n), i);
                    ReciprocalRank {
                        rank: (1.0 / image + 1.0 / text) / 2.0,
                        first: (first(image) + first(text)) / 2.0,
                        unit: i as u32,
                    }
                })
                .collect(),
            Self::Classes {
                texts: (start, count),
                first: image,
                labels,
            } => labels
                .par_iter()
                .enumerate()
                .map(|(i, &label)| {
                    let row = scores.row(image + i);
                    let rank = place(row.iter().skip(*start).take(*count), label as usize);
                    ReciprocalRank {
                        rank: 1.0 / rank,
                        first: first(rank),
                        unit: label,
                    }
                })
                .collect(),
        }
    }
}

/// The rank of the score at `right`, from 1; ties share the mean of their ranks.
fn place<'a>(scores: impl Iterator<Item = &'a f32> + Clone, right: usize) -> f64 {
    let own = *scores
        .clone()
        .nth(right)
        .expect("the right one is among them");
    let (above, ties) = scores.fold((0u32, 0u32), |(above, ties), &s| {
        (above + u32::from(s > own), ties + u32::from(s == own))
    });
    // The right answer ties with itself, which does not count.
    1.0 + f64::from(above) + f64::from(ties.saturating_sub(1)) / 2.0
}

fn first(rank: f64) -> f64 {
    // With ties the mean rank of two best ones is 1.5, so neither is alone at rank 1.
    if rank < 1.5 { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn ranks_are_of_the_right_answer_both_ways() {
        let scores = array![[0.9, 0.1, 0.0], [0.8, 0.5, 0.0], [0.0, 0.0, 0.0]];
        let answers = TuneQuestion::Pairs(3).answers(scores.view());
        assert_eq!(answers[0].rank, 1.0);
        // Its text is second of its row; its image is first of its column.
        assert_eq!((answers[1].rank, answers[1].first), (0.75, 0.5));
        // Three equal scores share the second rank.
        assert_eq!(answers[2].rank, 0.5);
    }

    #[test]
    fn classes_are_ranked_among_their_own_prompts() {
        let scores = array![[9.0, 0.2, 0.7], [9.0, 0.6, 0.5]];
        let question = TuneQuestion::Classes {
            texts: (1, 2),
            first: 0,
            labels: vec![0, 0],
        };
        let ranks: Vec<f64> = question
            .answers(scores.view())
            .iter()
            .map(|a| a.rank)
            .collect();
        assert_eq!(ranks, [0.5, 1.0]);
    }
}
