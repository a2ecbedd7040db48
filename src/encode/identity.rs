//! Everything that affects a vector, so that two anchor sets, or a cache and an encoder, can detect
//! whether they use the same encoder.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::modality::Modality;

/// The identity of an encoder. Two encoders with equal fingerprints give equal vectors on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderIdentity {
    /// The folder's name: for people, not part of the fingerprint.
    pub name: String,
    /// What it reads.
    pub modality: Modality,
    /// The length of its vectors.
    pub dim: usize,
    /// SHA-256 of the ONNX file and, where there are any, of its external weight files, in hex;
    /// empty for several encoders, which are identified by their fingerprints.
    pub model_sha256: String,
    /// SHA-256 of `tokenizer.json` in hex; text encoders only.
    pub tokenizer_sha256: Option<String>,
    /// Every setting that affects a vector: output, pooling, and those of the modality.
    pub preprocessing: Value,
    /// BLAKE3 over all of the above except the name, in hex; of several encoders over their
    /// fingerprints and weights.
    pub fingerprint: String,
    /// The encoders whose vectors are concatenated; empty for a single one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberIdentity>,
}

/// One of several encoders of a modality; see [`Ensemble`](super::Ensemble).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberIdentity {
    /// The folder's name.
    pub name: String,
    /// Its own fingerprint, under which its embeddings are cached.
    pub fingerprint: String,
    /// The length of its vectors.
    pub dim: usize,
    /// Its weight in the mean of similarities; all weights sum to 1.
    pub weight: f64,
}

impl MemberIdentity {
    /// Creates the identity of a member from that of a single encoder.
    pub(crate) fn of(encoder: &EncoderIdentity, weight: f64) -> Self {
        Self {
            name: encoder.name.clone(),
            fingerprint: encoder.fingerprint.clone(),
            dim: encoder.dim,
            weight,
        }
    }

    /// The factor of its unit vectors in the joined vector: the square root of the weight.
    pub(crate) fn scale(&self) -> f32 {
        self.weight.sqrt() as f32
    }
}

/// An encoder, and the embedding of its canary input when the anchor set was built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderEntry {
    /// Which model, with which preprocessing.
    #[serde(flatten)]
    pub identity: EncoderIdentity,
    /// The embedding of the canary input, `[dim]`.
    pub canary: Vec<f32>,
}

impl EncoderEntry {
    /// Of an encoder that runs elsewhere: vectors are given, and inputs are never encoded here.
    pub fn elsewhere(name: impl Into<String>, modality: Modality, dim: usize) -> Self {
        let settings = json!({ GIVEN: "given" });
        let name = name.into();
        let identity = EncoderIdentity::new(name.clone(), modality, dim, name, None, settings);
        Self {
            identity,
            // No encoder that is installed makes it, so none is taken for this one.
            canary: vec![0.0; dim],
        }
    }
}

/// The setting of an encoder that runs elsewhere.
const GIVEN: &str = "vectors";

impl EncoderIdentity {
    /// Whether the encoder runs elsewhere, so that only its vectors are known here.
    pub fn is_elsewhere(&self) -> bool {
        self.members.is_empty() && self.preprocessing[GIVEN] == "given"
    }

    /// The identity with its fingerprint.
    pub fn new(
        name: String,
        modality: Modality,
        dim: usize,
        model_sha256: String,
        tokenizer_sha256: Option<String>,
        preprocessing: Value,
    ) -> Self {
        // The name is left out: the same model in another folder makes the same vectors.
        let all = json!({
            "modality": modality,
            "dim": dim,
            "model_sha256": model_sha256,
            "tokenizer_sha256": tokenizer_sha256,
            "preprocessing": preprocessing,
        });
        // Keys are sorted, since the fingerprint must not depend on the order of a map.
        let mut text = String::new();
        canonical(&all, &mut text);
        let fingerprint = blake3::hash(text.as_bytes()).to_hex().to_string();
        Self {
            name,
            modality,
            dim,
            model_sha256,
            tokenizer_sha256,
            preprocessing,
            fingerprint,
            members: Vec::new(),
        }
    }

    /// Creates the identity of several encoders, whose vectors are concatenated in this order.
    ///
    /// `shared` are the settings common to all of them.
    pub fn joined(modality: Modality, mut shared: Value, members: Vec<MemberIdentity>) -> Self {
        let dim = members.iter().map(|m| m.dim).sum();
        let told = members
            .iter()
            .map(|m| json!({ "fingerprint": m.fingerprint, "weight": m.weight }))
            .collect();
        shared["members"] = Value::Array(told);
        let name = joint_name(&members);
        // Members stand in the fingerprint through the settings, and as a list for whoever opens them.
        Self {
            members,
            ..Self::new(name, modality, dim, String::new(), None, shared)
        }
    }

    /// The same encoders with other weights, and the factor of each component of a joined
    /// vector, `[dim]`; `None` for a single encoder or another number of weights.
    pub fn reweighed(&self, given: &[f64]) -> Option<(Self, Vec<f32>)> {
        if self.members.is_empty() || self.members.len() != given.len() {
            return None;
        }
        let with = |(member, weight): (&MemberIdentity, f64)| MemberIdentity {
            weight,
            ..member.clone()
        };
        let members: Vec<_> = self.members.iter().zip(weights(given)).map(with).collect();
        let block = |(old, new): (&MemberIdentity, &MemberIdentity)| {
            // Computed from the rounded norms as stored, so that little is added to their error.
            vec![new.scale() / old.scale(); new.dim]
        };
        let factors = self.members.iter().zip(&members).flat_map(block).collect();
        let shared = self.preprocessing.clone();
        Some((Self::joined(self.modality, shared, members), factors))
    }

    /// The factors `[dim]` that turn these encoders' vectors into those of `other`,
    /// where only the weights differ. Empty where nothing differs, and `None` where
    /// `other` has other encoders.
    pub(crate) fn factors_to(&self, other: &Self) -> Option<Vec<f32>> {
        if self.fingerprint == other.fingerprint {
            return Some(Vec::new());
        }
        let weights: Vec<f64> = other.members.iter().map(|m| m.weight).collect();
        // Compared by fingerprint, so that other encoders with the same number of weights do not pass.
        let (same, factors) = self.reweighed(&weights)?;
        (same.fingerprint == other.fingerprint).then_some(factors)
    }

    /// The encoders that have a cache: the members, or the encoder itself.
    pub fn cached(&self) -> Vec<MemberIdentity> {
        match self.members.as_slice() {
            [] => vec![MemberIdentity::of(self, 1.0)],
            members => members.to_vec(),
        }
    }
}

/// `a+b`, or `a:0.7+b:0.3` where weights differ: what opens the encoders again.
fn joint_name(members: &[MemberIdentity]) -> String {
    let even = weights(&vec![1.0; members.len()]);
    // Equal weights are not written, so that the name is that by which people opened them.
    let even = members.iter().zip(even).all(|(m, even)| m.weight == even);
    let names = members.iter().map(|m| match even {
        true => m.name.clone(),
        false => format!("{}:{}", m.name, m.weight),
    });
    names.collect::<Vec<_>>().join("+")
}

/// Weights that sum to 1, in steps of 0.0001, so that they can be written, read and
/// normalised again without a change.
pub(super) fn weights(given: &[f64]) -> Vec<f64> {
    const STEPS: f64 = 10_000.0;
    let sum: f64 = given.iter().sum();
    let mut steps: Vec<f64> = given
        .iter()
        // At least one step, or an encoder of small weight would be dropped from the joined vector.
        .map(|w| (w / sum * STEPS).round().max(1.0))
        .collect();
    if let Some((last, others)) = steps.split_last_mut() {
        // The last weight takes what rounding left, so that the sum is 1.
        let left = STEPS - others.iter().sum::<f64>();
        *last = left.max(1.0);
        // Nothing may be left for it where the others were rounded up; then the largest gives it its step.
        let largest = others.iter_mut().max_by(|a, b| a.total_cmp(b));
        if let (Some(largest), true) = (largest, left < 1.0) {
            *largest -= 1.0 - left;
        }
    }
    steps.into_iter().map(|s| s / STEPS).collect()
}

/// Writes JSON without spaces and with sorted keys, whatever order the map type keeps.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str, pooling: &str) -> EncoderIdentity {
        EncoderIdentity::new(
            name.into(),
            Modality::Text,
            384,
            "ab".into(),
            Some("cd".into()),
            json!({"pooling": pooling, "max_length": 256}),
        )
    }

    #[test]
    fn the_fingerprint_ignores_the_name_and_nothing_else() {
        let one = identity("one", "mean");
        assert_eq!(one.fingerprint, identity("two", "mean").fingerprint);
        assert_ne!(one.fingerprint, identity("one", "cls").fingerprint);
        assert_eq!(one.fingerprint.len(), 64);
    }

    #[test]
    fn it_survives_json() {
        let one = identity("one", "mean");
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<EncoderIdentity>(&text).unwrap(), one);
    }

    #[test]
    fn canonical_json_sorts_keys() {
        let mut out = String::new();
        canonical(
            &json!({"b": [1, {"d": null, "c": "x\"y"}], "a": 0.5}),
            &mut out,
        );
        assert_eq!(out, r#"{"a":0.5,"b":[1,{"c":"x\"y","d":null}]}"#);
    }

    #[test]
    fn weights_sum_to_one_and_stay_when_they_are_normalised_again() {
        for given in [
            vec![1.0],
            vec![1.0, 1.0, 1.0],
            vec![0.7, 0.3],
            vec![20_001.0, 1.0],
            vec![1e9, 1.0, 1.0],
            vec![1.0, 1e9],
        ] {
            let once = weights(&given);
            assert!((once.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{once:?}");
            assert!(once.iter().all(|weight| *weight > 0.0), "{once:?}");
            assert_eq!(weights(&once), once, "{given:?}");
        }
    }
}
