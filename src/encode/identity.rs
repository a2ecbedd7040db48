//! Everything that changes a vector, so that two indexes, or a cache and an encoder, can tell
//! whether they speak of the same one.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Modality;

/// Who made a vector. Two encoders with equal fingerprints give equal vectors on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderIdentity {
    /// The folder's name: for people, not part of the fingerprint.
    pub name: String,
    /// What it reads.
    pub modality: Modality,
    /// The length of its vectors.
    pub dim: usize,
    /// SHA-256 of the ONNX file and, where there are any, of its external weight files, in hex.
    pub model_sha256: String,
    /// SHA-256 of `tokenizer.json` in hex; text encoders only.
    pub tokenizer_sha256: Option<String>,
    /// Every setting that changes a vector: output, pooling, and the modality's own.
    pub preprocessing: Value,
    /// BLAKE3 over all of the above except the name, in hex.
    pub fingerprint: String,
}

impl EncoderIdentity {
    /// The identity with its fingerprint.
    pub fn new(
        name: String,
        modality: Modality,
        dim: usize,
        model_sha256: String,
        tokenizer_sha256: Option<String>,
        preprocessing: Value,
    ) -> Self {
        let all = json!({
            "modality": modality,
            "dim": dim,
            "model_sha256": model_sha256,
            "tokenizer_sha256": tokenizer_sha256,
            "preprocessing": preprocessing,
        });
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
        }
    }
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
}
