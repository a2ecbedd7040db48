//! One or several encoders of a modality, used as one.
//!
//! The joined vector is the concatenation of the members' unit vectors, each times the square root of its
//! weight. So the dot product of two joined vectors is the weighted mean of the members'
//! similarities, and all code for vectors (search, means, maps) works on joined ones unchanged.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value, json};

use super::error::{EncodeError, ModelError};
use super::identity::{EncoderIdentity, MemberIdentity, weights};
use super::{ImageEncoder, TextEncoder};

/// A member of an [`Ensemble`].
pub trait Encoder {
    /// The identity of the encoder.
    fn identity(&self) -> &EncoderIdentity;

    /// The vector of a fixed input, which is the same on every machine.
    ///
    /// # Errors
    /// When the model cannot be run.
    fn canary(&self) -> Result<Vec<f32>, EncodeError>;
}

impl Encoder for ImageEncoder {
    fn identity(&self) -> &EncoderIdentity {
        self.identity()
    }

    fn canary(&self) -> Result<Vec<f32>, EncodeError> {
        self.canary()
    }
}

impl Encoder for TextEncoder {
    fn identity(&self) -> &EncoderIdentity {
        self.identity()
    }

    fn canary(&self) -> Result<Vec<f32>, EncodeError> {
        self.canary()
    }
}

/// One or several encoders of a modality.
#[derive(Debug)]
pub struct Ensemble<E> {
    members: Arc<[E]>,
    blocks: Vec<MemberBlock>,
    identity: EncoderIdentity,
}

/// The block of a member's vector in the joined one.
#[derive(Debug, Clone, Copy)]
struct MemberBlock {
    begin: usize,
    dim: usize,
    /// The square root of the weight.
    scale: f32,
}

impl<E: Encoder> Ensemble<E> {
    /// Combines encoders with weights, which are normalised to sum to 1. A single encoder stays as it is: its
    /// vectors keep their bits and its fingerprint stays.
    ///
    /// # Errors
    /// [`ModelError::Ensemble`] when there is none, their modalities differ, one is listed twice
    /// or a weight is not above 0.
    pub(crate) fn new(members: Vec<(E, f64)>) -> Result<Self, ModelError> {
        let weights = weights(&members.iter().map(|m| m.1).collect::<Vec<_>>());
        let given: Vec<MemberIdentity> = members
            .iter()
            .zip(weights)
            .map(|((member, _), weight)| MemberIdentity::of(member.identity(), weight))
            .collect();
        let refuse = |what: String| Err(ModelError::Ensemble { what });
        let Some((first, _)) = members.first() else {
            return refuse("no encoder is named".to_owned());
        };
        for (i, (member, weight)) in members.iter().enumerate() {
            let identity = member.identity();
            let name = &identity.name;
            if !(weight.is_finite() && *weight > 0.0) {
                return refuse(format!("{name} has the weight {weight}; give one above 0"));
            }
            if identity.modality != first.identity().modality {
                let (a, b) = (first.identity().modality, identity.modality);
                return refuse(format!("{} reads {a}s, {name} {b}s", given[0].name));
            }
            // The same model twice would be a longer vector with the same similarities.
            if given[..i]
                .iter()
                .any(|m| m.fingerprint == identity.fingerprint)
            {
                return refuse(format!("{name} is named twice"));
            }
        }
        // A single encoder keeps its own fingerprint, so that its cache and its sets stay valid.
        let identity = match given.as_slice() {
            [_] => first.identity().clone(),
            _ => EncoderIdentity::joined(
                first.identity().modality,
                settings(first.identity()),
                given.clone(),
            ),
        };
        Ok(Self {
            blocks: blocks(&identity),
            members: members.into_iter().map(|(member, _)| member).collect(),
            identity,
        })
    }

    /// The place of an encoder that is not here: its vectors are known by their identity, and nothing can be
    /// encoded.
    pub(crate) fn absent(identity: EncoderIdentity) -> Self {
        Self {
            members: Arc::from([]),
            blocks: blocks(&identity),
            identity,
        }
    }

    /// Whether there is no encoder that could encode anything.
    pub fn is_absent(&self) -> bool {
        self.members.is_empty()
    }

    /// The same encoders (shared) with the weights of `identity`; `None` when it belongs to
    /// others.
    pub(crate) fn weighed_as(&self, identity: &EncoderIdentity) -> Option<Self> {
        // Only weights may differ, else the models would not be those that the identity names.
        self.identity.factors_to(identity)?;
        Some(Self {
            blocks: blocks(identity),
            members: Arc::clone(&self.members),
            identity: identity.clone(),
        })
    }

    /// The encoders, in the order of their vectors.
    pub fn members(&self) -> &[E] {
        &self.members
    }

    /// The identity of the joined encoder.
    pub fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    /// The length of a joined vector.
    pub(crate) fn dim(&self) -> usize {
        self.identity.dim
    }

    /// Writes a member's vector `[its dim]` to its place in a joined one `[dim]`.
    pub(crate) fn place(&self, member: usize, vector: &[f32], joined: &mut [f32]) {
        let MemberBlock { begin, dim, scale } = self.blocks[member];
        for (place, x) in joined[begin..begin + dim].iter_mut().zip(vector) {
            *place = scale * x;
        }
    }

    /// The range of each member's vector in a joined one, in order.
    pub(crate) fn places(&self) -> impl Iterator<Item = Range<usize>> {
        self.blocks.iter().map(|b| b.begin..b.begin + b.dim)
    }

    /// The joined vector of the members' canaries.
    ///
    /// # Errors
    /// When a model cannot be run.
    pub(crate) fn canary(&self) -> Result<Vec<f32>, EncodeError> {
        let mut joined = vec![0.0; self.dim()];
        for (at, member) in self.members.iter().enumerate() {
            self.place(at, &member.canary()?, &mut joined);
        }
        Ok(joined)
    }
}

impl<E: Encoder> From<E> for Ensemble<E> {
    fn from(encoder: E) -> Self {
        let identity = encoder.identity().clone();
        Self {
            members: [encoder].into(),
            blocks: blocks(&identity),
            identity,
        }
    }
}

/// The ranges of the vectors of an identity's encoders, and their norms.
fn blocks(identity: &EncoderIdentity) -> Vec<MemberBlock> {
    let mut begin = 0;
    let block = |member: MemberIdentity| {
        let block = MemberBlock {
            begin,
            dim: member.dim,
            scale: member.scale(),
        };
        begin += member.dim;
        block
    };
    // `cached` lists the encoder itself where there is only one.
    identity.cached().into_iter().map(block).collect()
}

/// The settings that all members share and that a later process has to open them with.
fn settings(identity: &EncoderIdentity) -> Value {
    match &identity.preprocessing["exif"] {
        // Text encoders have no such setting.
        Value::Null => json!({}),
        exif => json!({ "exif": exif }),
    }
}

/// Names of encoders with weights, as people write them: `a`, `a+b`, `a:0.7+b:0.3`.
///
/// # Errors
/// [`ModelError::Ensemble`] for an empty name or a weight that is not a number.
pub(crate) fn parse(text: &str) -> Result<Vec<(String, f64)>, ModelError> {
    let refuse = |what: String| Err(ModelError::Ensemble { what });
    let mut named = Vec::new();
    for one in text.split('+').map(str::trim) {
        // The weight is behind the last colon, for names of folders may contain one.
        let (name, weight) = match one.rsplit_once(':') {
            Some((name, weight)) => match weight.trim().parse::<f64>() {
                Ok(number) => (name.trim(), number),
                Err(_) => return refuse(format!("{weight:?} after {name:?} is not a weight")),
            },
            None => (one, 1.0),
        };
        if name.is_empty() {
            return refuse(format!("a name is missing in {text:?}"));
        }
        named.push((name.to_owned(), weight));
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modality::Modality;

    #[derive(Debug)]
    struct FixedEncoder(EncoderIdentity, Vec<f32>);

    impl Encoder for FixedEncoder {
        fn identity(&self) -> &EncoderIdentity {
            &self.0
        }

        fn canary(&self) -> Result<Vec<f32>, EncodeError> {
            Ok(self.1.clone())
        }
    }

    fn fixed(name: &str, modality: Modality, canary: &[f32]) -> FixedEncoder {
        let settings = json!({ "name": name });
        let identity = EncoderIdentity::new(
            name.into(),
            modality,
            canary.len(),
            "ab".into(),
            None,
            settings,
        );
        FixedEncoder(identity, canary.to_vec())
    }

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn the_product_of_joined_vectors_is_the_weighted_mean_of_similarities() {
        let a = fixed("a", Modality::Image, &[0.6, 0.8]);
        let b = fixed("b", Modality::Image, &[1.0, 0.0, 0.0]);
        let both = Ensemble::new(vec![(a, 3.0), (b, 1.0)]).unwrap();
        assert_eq!((both.dim(), both.members().len()), (5, 2));
        let mut other = vec![0.0; 5];
        both.place(0, &[1.0, 0.0], &mut other);
        both.place(1, &[0.0, 1.0, 0.0], &mut other);
        let canary = both.canary().unwrap();
        assert!((dot(&canary, &canary) - 1.0).abs() < 1e-6);
        assert!((dot(&canary, &other) - (0.75 * 0.6 + 0.25 * 0.0)).abs() < 1e-6);
        assert_eq!(both.places().collect::<Vec<_>>(), [0..2, 2..5]);
    }

    #[test]
    fn one_alone_is_itself() {
        let a = fixed("a", Modality::Text, &[0.6, 0.8]);
        let print = a.0.fingerprint.clone();
        let one = Ensemble::new(vec![(a, 0.3)]).unwrap();
        assert_eq!(one.identity().fingerprint, print);
        assert_eq!(one.canary().unwrap(), [0.6, 0.8]);
    }

    #[test]
    fn weights_and_order_are_part_of_the_identity_and_its_name_opens_it_again() {
        let pair = |first: f64| {
            let a = fixed("a", Modality::Image, &[1.0]);
            let b = fixed("b", Modality::Image, &[1.0]);
            Ensemble::new(vec![(a, first), (b, 1.0)]).unwrap().identity
        };
        assert_eq!(pair(1.0).name, "a+b");
        assert_eq!(pair(3.0).name, "a:0.75+b:0.25");
        assert_ne!(pair(1.0).fingerprint, pair(3.0).fingerprint);
        assert_eq!(
            parse("a+b").unwrap(),
            [("a".into(), 1.0), ("b".into(), 1.0)]
        );
        for first in [0.123, 1.0, 2.0, 7.7] {
            let identity = pair(first);
            let again = parse(&identity.name).unwrap();
            assert_eq!(pair(again[0].1 / again[1].1), identity);
        }
    }

    #[test]
    fn vectors_of_one_weighting_become_those_of_another() {
        let of = |names: [&str; 2], weights: [f64; 2]| {
            let [a, b] = names.map(|name| fixed(name, Modality::Image, &[0.6, 0.8]));
            Ensemble::new(vec![(a, weights[0]), (b, weights[1])]).unwrap()
        };
        let even = of(["a", "b"], [1.0, 1.0]);
        let other = of(["a", "b"], [1.0, 5.0]);
        let factors = even.identity().factors_to(other.identity()).unwrap();
        let canary = even.canary().unwrap();
        for ((x, f), y) in canary.iter().zip(&factors).zip(other.canary().unwrap()) {
            assert!((x * f - y).abs() < 1e-7, "{x} {f} {y}");
        }
        let shared = even.weighed_as(other.identity()).unwrap();
        assert_eq!(shared.canary().unwrap(), other.canary().unwrap());
        assert_eq!(shared.identity(), other.identity());
        assert!(
            even.identity()
                .factors_to(even.identity())
                .unwrap()
                .is_empty()
        );
        for names in [["b", "a"], ["a", "c"]] {
            let strange = of(names, [1.0, 5.0]);
            assert!(even.identity().factors_to(strange.identity()).is_none());
            assert!(even.weighed_as(strange.identity()).is_none());
        }
        let alone = Ensemble::from(fixed("a", Modality::Image, &[0.6, 0.8]));
        assert!(alone.identity().factors_to(even.identity()).is_none());
        assert!(even.identity().factors_to(alone.identity()).is_none());
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let a = || fixed("a", Modality::Image, &[1.0]);
        let text = fixed("t", Modality::Text, &[1.0]);
        let said = |members| Ensemble::new(members).unwrap_err().to_string();
        assert!(said(vec![]).contains("no encoder"));
        assert!(said(vec![(a(), 1.0), (a(), 1.0)]).contains("a is named twice"));
        assert!(said(vec![(a(), 1.0), (text, 1.0)]).contains("reads images, t texts"));
        assert!(said(vec![(a(), 0.0)]).contains("above 0"));
        for bad in ["", "a+", "a:x", ":1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
