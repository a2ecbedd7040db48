//! A score split into the anchor pairs that made it, in every part of a space.

use std::collections::HashMap;

use rayon::prelude::*;

use super::error::AnchorsError;
use super::searcher::Searcher;
use crate::encode::Modality;
use crate::space::explain::{Contribution, Explanation, Unsplit};
use crate::space::linear::LinearMap;
use crate::space::linear::moments::{UNITS, round};
use crate::space::recipe::Part;
use crate::space::relative::shared;
use crate::space::representation::weight;
use crate::space::{Code, Representation};

impl Searcher<'_> {
    /// The anchors behind the score of an image and a text, which are of this searcher.
    ///
    /// Relative rows split into the anchors that both sides share; canonical coordinates into all
    /// anchors, through the covariance (see [`canonical`](crate::space::linear::canonical)); ridge
    /// and Procrustes do not split and are listed as such. What calibration adds is the
    /// explanation's offset. Everything adds up to the score.
    ///
    /// # Errors
    /// When a stored vector cannot be read.
    pub fn explain(
        &self,
        image: &Representation,
        text: &Representation,
    ) -> Result<Explanation, AnchorsError> {
        let recipe = self.recipe();
        let shares = recipe.shares();
        let mut amounts: HashMap<u32, f64> = HashMap::new();
        let mut explanation = Explanation {
            score: image.score(text, &shares),
            ..Explanation::default()
        };
        let codes = image.codes.iter().zip(&text.codes);
        for (at, (part, (x, y))) in recipe.parts.iter().zip(codes).enumerate() {
            let (factor, summand) = weight(&shares, &image.levels, &text.levels, at);
            explanation.offset += summand;
            match (&part.part, x, y) {
                (_, Code::Row(x), Code::Row(y)) => {
                    for (anchor, a, b) in shared(x, y) {
                        *amounts.entry(anchor).or_default() += factor * f64::from(a) * f64::from(b);
                    }
                }
                (Part::Canonical(c), Code::Coordinates(u), Code::Coordinates(v)) => {
                    let Some((_, maps)) = self.view().maps().find(|m| m.0 == at) else {
                        continue;
                    };
                    let products = self.canonical(maps, [u, v], c.exponent as f32);
                    for (anchor, product) in (0u32..).zip(products) {
                        *amounts.entry(anchor).or_default() += factor * product;
                    }
                }
                (part, x, y) => explanation.unsplit.push(Unsplit {
                    part: part.name(),
                    amount: factor * f64::from(x.dot(y)),
                }),
            }
        }
        explanation.contributions = Contribution::sorted(amounts);
        Ok(explanation)
    }

    /// What each anchor gives to the product of two unit canonical coordinates, `[anchors]`.
    fn canonical(&self, maps: &[LinearMap; 2], codes: [&[f32]; 2], exponent: f32) -> Vec<f64> {
        let set = self.set();
        let directions = [
            maps[0].unscaled(codes[0], 1.0),
            maps[1].unscaled(codes[1], 2.0 * exponent),
        ];
        let product = |side: usize, vector: &[f32]| -> f64 {
            let (direction, center) = (&directions[side], maps[side].center());
            // As the moments have it, so that the sum is the score.
            let terms = vector.iter().zip(center).zip(direction);
            terms
                .map(|((v, c), d)| (round(*v) / UNITS - f64::from(*c)) * f64::from(*d))
                .sum()
        };
        let n = set.len() as f64;
        (0..set.len() as u32)
            .into_par_iter()
            .map(|anchor| {
                let sides = [Modality::Image, Modality::Text].map(|m| set.vector(anchor, m).ok());
                match sides {
                    [Some(a), Some(b)] => product(0, a) * product(1, b) / n,
                    _ => 0.0,
                }
            })
            .collect()
    }
}
