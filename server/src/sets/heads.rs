//! Label heads, computed once per generation for each combination of labels, templates and aggregate.

use std::iter::repeat_n;
use std::sync::Arc;

use crate::error::Refusal;
use crate::inputs::encoders::SharedEncoders;
use crate::inputs::vector::unit;
use crate::options::ServeLimits;
use crate::sets::generation::{HeadKey, ServedGeneration};
use crate::state::AppState;
use asif::classify::{LabelHead, ScoringOptions};
use asif::modality::Modality;
use asif::space::PromptAggregation;
use asif::space::prompts::{LabelList, PromptTemplates};

/// How many characters of a prompt a message shows.
const SHOWN: usize = 60;
/// Up to this many prompts, a head counts as short work.
const FEW: usize = 32;

/// The average length of prompts, in bytes, that the limit on prompts allows. A request can combine long
/// labels with long templates, and a prompt has the length of both.
const MEAN: usize = 256;

/// Labels with their templates and aggregate.
#[derive(Debug, Clone)]
pub(crate) struct LabelHeadSpec {
    labels: Arc<LabelList>,
    templates: Arc<PromptTemplates>,
    aggregate: PromptAggregation,
    key: HeadKey,
    prompts: usize,
    /// The vector of each label, where labels are not to be encoded.
    vectors: Option<Arc<[Vec<f32>]>>,
}

impl LabelHeadSpec {
    /// Checks the limits before anything is computed.
    ///
    /// # Errors
    /// When labels are blank, duplicate or too many, or there are too many prompts.
    pub fn new(
        labels: &[String],
        templates: PromptTemplates,
        aggregate: PromptAggregation,
        limits: &ServeLimits,
    ) -> Result<Self, Refusal> {
        if labels.len() > limits.labels {
            return Err(Refusal::too_large(format!(
                "{} labels, at most {} are accepted; split them into several \
                 requests (the operator of the server can raise the limit)",
                labels.len(),
                limits.labels
            )));
        }
        let parsed = LabelList::new(labels)?;
        // Counted in the raw labels, before prompts are made: the limit is to prevent that work.
        let names: usize = labels.iter().map(|l| 1 + l.matches('|').count()).sum();
        let prompts = names.saturating_mul(templates.len());
        if prompts > limits.prompts {
            return Err(Refusal::too_large(format!(
                "{} names in {} templates are {prompts} prompts, at most {} are accepted; use \
                 fewer templates (the operator of the server can raise the limit)",
                names,
                templates.len(),
                limits.prompts
            )));
        }
        // Labels times templates: both may be at their limit and the product far beyond.
        let bytes = written(labels, names, &templates);
        let most = limits.prompts.saturating_mul(MEAN);
        if bytes > most {
            return Err(Refusal::too_large(format!(
                "the {prompts} prompts have {bytes} bytes, at most {most} are accepted; use shorter \
                 labels or fewer templates"
            )));
        }
        let mut hash = blake3::Hasher::new();
        // Each text is hashed with its length, so that ["ab"] and ["a", "b"] differ.
        let mut put = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        labels.iter().for_each(|label| put(label));
        // Ends the labels, so that no label can pass for a template.
        put("");
        templates.iter().for_each(&mut put);
        put(match aggregate {
            PromptAggregation::Max => "max",
            PromptAggregation::Mean => "mean",
            PromptAggregation::MeanScore => "mean-score",
        });
        Ok(Self {
            labels: Arc::new(parsed),
            templates: Arc::new(templates),
            aggregate,
            key: *hash.finalize().as_bytes(),
            prompts,
            vectors: None,
        })
    }

    /// Labels that are vectors of the text encoder already. Without names they are numbered from 0.
    ///
    /// # Errors
    /// When there are too many, or their names are duplicate or of another number.
    pub fn of_vectors(
        labels: &[String],
        vectors: Vec<Vec<f32>>,
        limits: &ServeLimits,
    ) -> Result<Self, Refusal> {
        let numbers = (0..vectors.len()).map(|number| number.to_string());
        let names = match labels {
            [] => numbers.collect(),
            names => names.to_vec(),
        };
        if names.len() != vectors.len() {
            return Err(Refusal::wrong_fields(format!(
                "{} labels and {} label vectors are given; give a vector for each label, or no labels to \
                 number them",
                names.len(),
                vectors.len()
            )));
        }
        let templates = PromptTemplates::parse(["{}"])?;
        let named = Self::new(&names, templates, PromptAggregation::Mean, limits)?;
        let mut hash = blake3::Hasher::new();
        hash.update(&named.key);
        for vector in &vectors {
            hash.update(&(vector.len() as u64).to_le_bytes());
            for number in vector {
                hash.update(&number.to_le_bytes());
            }
        }
        Ok(Self {
            key: *hash.finalize().as_bytes(),
            prompts: vectors.len(),
            vectors: Some(vectors.into()),
            ..named
        })
    }

    /// The labels as shown.
    pub fn labels(&self) -> &[String] {
        self.labels.as_slice()
    }

    /// Notes on labels that may be meant otherwise.
    pub fn notes(&self) -> &[String] {
        match self.vectors {
            Some(_) => &[],
            None => self.labels.notes(),
        }
    }

    /// The label head in this generation, from the cache if possible.
    ///
    /// # Errors
    /// When a prompt cannot be encoded, or the encoder fails.
    pub async fn head(
        &self,
        app: &AppState,
        encoders: &SharedEncoders,
        served: &Arc<ServedGeneration>,
    ) -> Result<Arc<LabelHead>, Refusal> {
        let make = || self.make(app, encoders, Arc::clone(served));
        // A head of mean prompts holds one row a label, the others one a prompt.
        let weight = match self.aggregate {
            PromptAggregation::Mean => self.labels().len(),
            PromptAggregation::Max | PromptAggregation::MeanScore => self.prompts,
        };
        let (head, hit) = served.heads.get(&self.key, weight, make).await?;
        app.metrics().looked_up("heads", hit, 1);
        Ok(head)
    }

    async fn make(
        &self,
        app: &AppState,
        encoders: &SharedEncoders,
        served: Arc<ServedGeneration>,
    ) -> Result<LabelHead, Refusal> {
        if let Some(vectors) = &self.vectors {
            return self.make_of_vectors(app, vectors, served).await;
        }
        let of_labels = self.labels.prompts(&self.templates);
        let counts = of_labels.iter().map(Vec::len).enumerate();
        let classes: Vec<usize> = counts.flat_map(|(class, n)| repeat_n(class, n)).collect();
        let prompts = of_labels.concat();
        let vectors = encoders.texts(&prompts, served.set()).await?;
        let mut flat = Vec::with_capacity(vectors.iter().flatten().map(|v| v.len()).sum());
        for ((class, prompt), vector) in classes.into_iter().zip(&prompts).zip(vectors) {
            let vector = vector.map_err(|rejected| {
                let begin = |text: &str| text.chars().take(SHOWN).collect::<String>();
                let label = begin(&self.labels()[class]);
                let (prompt, reason) = (begin(prompt), rejected.reason);
                let message = format!("label {label:?}, prompt {prompt:?}: {reason}");
                Refusal::invalid("prompt", message)
            })?;
            flat.extend_from_slice(&vector);
        }
        let words = self.clone();
        let head = move || {
            let scoring = ScoringOptions {
                aggregate: words.aggregate,
                logit_scale: None,
            };
            let (
                searcher,
                LabelHeadSpec {
                    labels, templates, ..
                },
            ) = (served.searcher(), &words);
            Ok(LabelHead::of_vectors(
                &searcher, labels, templates, flat, scoring,
            )?)
        };
        // Large heads must not hold up short requests.
        match prompts.len() {
            ..=FEW => app.compute().run(head).await,
            _ => app.compute().run_long(head).await,
        }
    }
}

impl LabelHeadSpec {
    async fn make_of_vectors(
        &self,
        app: &AppState,
        vectors: &[Vec<f32>],
        served: Arc<ServedGeneration>,
    ) -> Result<LabelHead, Refusal> {
        let dim = served.set().dim(Modality::Text);
        let mut flat = Vec::with_capacity(vectors.len() * dim);
        for (label, vector) in self.labels().iter().zip(vectors) {
            let vector = unit(vector.clone(), dim, Modality::Text).map_err(|rejected| {
                let label: String = label.chars().take(SHOWN).collect();
                let message = format!("label {label:?}: {}", rejected.reason);
                Refusal::invalid("unusable_input", message)
            })?;
            flat.extend_from_slice(&vector);
        }
        let labels = self.labels().to_vec();
        let many = labels.len() > FEW;
        let head = move || {
            let scoring = ScoringOptions::default();
            let searcher = served.searcher();
            Ok(LabelHead::of_label_vectors(
                &searcher, labels, flat, scoring,
            )?)
        };
        match many {
            false => app.compute().run(head).await,
            true => app.compute().run_long(head).await,
        }
    }
}

/// An upper bound for the bytes of all prompts: a template may contain the label several times.
fn written(labels: &[String], names: usize, templates: &PromptTemplates) -> usize {
    let of_labels: usize = labels.iter().map(String::len).sum();
    let of_templates: usize = templates.iter().map(str::len).sum();
    let places: usize = templates.iter().map(|t| t.matches('{').count()).sum();
    let own = names.saturating_mul(of_templates);
    own.saturating_add(places.saturating_mul(of_labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(labels: &[&str], templates: &[&str]) -> Result<LabelHeadSpec, Refusal> {
        let labels: Vec<String> = labels.iter().map(|l| (*l).to_owned()).collect();
        let limits = ServeLimits {
            labels: 3,
            prompts: 4,
            ..ServeLimits::default()
        };
        let templates = PromptTemplates::parse(templates).unwrap();
        LabelHeadSpec::new(&labels, templates, PromptAggregation::Mean, &limits)
    }

    #[test]
    fn what_differs_has_another_key() {
        let keys = [
            (vec!["a", "b"], vec!["{}"]),
            (vec!["b", "a"], vec!["{}"]),
            (vec!["ab"], vec!["{}"]),
            (vec!["a"], vec!["b{}"]),
            (vec!["a", "b"], vec!["{}", "{}!"]),
        ]
        .map(|(labels, templates)| words(&labels, &templates).unwrap().key);
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key));
        }
        assert_eq!(
            words(&["a"], &["{}"]).unwrap().key,
            words(&["a"], &["{}"]).unwrap().key
        );
    }

    #[test]
    fn limits_hold_before_anything_is_encoded() {
        let status = |labels: &[&str], templates: &[&str]| {
            words(labels, templates)
                .map_err(|r| r.status().as_u16())
                .err()
        };
        assert_eq!(status(&["a", "b", "c", "d"], &["{}"]), Some(413));
        assert_eq!(status(&["a", "b", "c"], &["{}", "{}!"]), Some(413));
        assert_eq!(status(&["a|b|c"], &["{}", "{}!"]), Some(413));
        assert_eq!(status(&["a", "a"], &["{}"]), Some(400));
        assert_eq!(status(&[" "], &["{}"]), Some(400));
        assert_eq!(status(&["a", "b"], &["{}", "{}!"]), None);
        // Short labels and templates whose prompts are too long.
        let long = "x".repeat(MEAN);
        assert_eq!(status(&[&long], &["{}"]), None);
        assert_eq!(status(&[&long], &["{}", "{} {} {}"]), Some(413));
        assert_eq!(
            status(&["a", "b", "c"], &[&format!("{long}{long}{{}}")]),
            Some(413)
        );
    }
}
