//! Answers queries with the library; every answer comes from one [`ServedGeneration`].

use std::sync::Arc;

use crate::error::Refusal;
use crate::inputs::encoders::EmbedResult;
use crate::inputs::picture::RequestPicture;
use crate::inputs::vector::unit;
use crate::sets::generation::ServedGeneration;
use crate::sets::heads::LabelHeadSpec;
use crate::sets::set::{PairExclusion, ServedSet};
use crate::state::AppState;
use asif::bad_inputs::BadInputs;
use asif::classify::{self, Classifier, LabelExplanation, RankedLabel};
use asif::embed::InputRejection;
use asif::modality::Modality;
use asif::space::Representation;

/// Up to this product of images and labels, scores are computed on the request's own thread, which is
/// cheaper than handing the work to the pool.
const SHORT: usize = 64;

/// Which generation a query asks, and which pairs it excludes.
#[derive(Debug, Clone, Default)]
pub(super) struct GenerationSelector {
    /// A kept generation; the live one if none is named.
    pub generation: Option<u64>,
    /// Excluded pairs.
    pub without: Option<PairExclusion>,
}

/// What is to be classified.
#[derive(Debug)]
pub(super) enum ImageInputs {
    /// Pictures, to be encoded.
    Pictures(Vec<RequestPicture>),
    /// Vectors of the image encoder.
    Vectors(Vec<Vec<f32>>),
}

/// Which labels are explained, and with how many pairs for and against at most.
#[derive(Debug, Clone, Copy)]
pub(super) enum ExplainedLabels {
    /// None.
    No,
    /// The best ones.
    Best { labels: usize, pairs: usize },
    /// The label with this index.
    Label { class: usize, pairs: usize },
}

/// A classification query.
#[derive(Debug)]
pub(super) struct ClassifyQuery {
    pub on: GenerationSelector,
    pub inputs: ImageInputs,
    pub words: LabelHeadSpec,
    /// The most labels per image.
    pub top: usize,
    pub why: ExplainedLabels,
}

/// The labels of an image, with explanations.
#[derive(Debug)]
pub(super) struct ClassifyAnswer {
    pub predictions: Vec<RankedLabel>,
    /// Those that [`ExplainedLabels`] requests; anchors have their numbers in the base generation.
    pub reasons: Vec<LabelExplanation>,
}

/// The answers for all images, and the generation that they come from.
#[derive(Debug)]
pub(super) struct ClassifiedBatch {
    pub served: Arc<ServedGeneration>,
    pub results: Vec<Result<ClassifyAnswer, InputRejection>>,
}

/// Classifies images; one that cannot be used has the reason instead of an answer.
pub(super) async fn classify(
    app: &AppState,
    set: &ServedSet,
    question: ClassifyQuery,
) -> Result<ClassifiedBatch, Refusal> {
    let served = served(app, set, question.on).await?;
    let encoders = set.encoders();
    // Concurrently, so that on an idle server the labels are encoded while the image is decoded.
    let (head, vectors) = tokio::try_join!(
        question.words.head(app, encoders, &served),
        vectors(set, &served, question.inputs),
    )?;
    let (good, bad) = BadInputs::split(vectors);
    let inputs = app.represent().images(&served, good.iter().cloned());
    let inputs = inputs.await?;
    let (top, why) = (question.top, question.why);
    let short = inputs.len() * head.labels().len() <= SHORT && matches!(why, ExplainedLabels::No);
    let (base, embedder) = (Arc::clone(&served), Arc::clone(encoders.embedder()));
    let work = move || {
        let classifier = Classifier::with_head(base.searcher(), &embedder, Arc::clone(&head))?;
        let answer = |(vector, input): (Arc<[f32]>, Representation)| {
            let answer = head.answer(vector.to_vec(), input);
            let mut answer = explained(&classifier, &answer, top, why)?;
            let reasons = answer.reasons.iter_mut();
            let pairs = reasons.flat_map(|r| r.supporting.iter_mut().chain(&mut r.opposing));
            base.renumber(pairs.map(|pair| &mut pair.anchor))?;
            Ok::<_, Refusal>(answer)
        };
        let answers = good.into_iter().zip(inputs).map(answer);
        Ok(bad.put_back(answers.collect::<Result<_, _>>()?))
    };
    let results = match short {
        true => work(),
        false => app.compute().run(work).await,
    };
    Ok(ClassifiedBatch {
        results: results?,
        served,
    })
}

/// The generation that a query names.
pub(super) async fn served(
    app: &AppState,
    set: &ServedSet,
    on: GenerationSelector,
) -> Result<Arc<ServedGeneration>, Refusal> {
    match on {
        GenerationSelector {
            generation: None,
            without: None,
        } => Ok(set.served()),
        GenerationSelector {
            generation,
            without,
        } => set.other(app.compute(), generation, without).await,
    }
}

/// One unit vector for each input.
async fn vectors(
    set: &ServedSet,
    served: &ServedGeneration,
    inputs: ImageInputs,
) -> Result<Vec<EmbedResult>, Refusal> {
    match inputs {
        ImageInputs::Pictures(pictures) => set.encoders().pictures(pictures, served.set()).await,
        ImageInputs::Vectors(vectors) => {
            let dim = served.set().dim(Modality::Image);
            let check = |vector| unit(vector, dim, Modality::Image).map(Arc::from);
            Ok(vectors.into_iter().map(check).collect())
        }
    }
}

/// The best labels of an image, and the requested explanations.
fn explained(
    classifier: &Classifier<'_>,
    answer: &classify::ClassifiedImage,
    top: usize,
    why: ExplainedLabels,
) -> Result<ClassifyAnswer, Refusal> {
    let (classes, pairs) = match why {
        ExplainedLabels::No => (Vec::new(), 0),
        ExplainedLabels::Label { class, pairs } => (vec![class], pairs),
        ExplainedLabels::Best { labels, pairs } => {
            let best = classifier.ranked(answer, labels);
            (best.iter().map(|p| p.class).collect(), pairs)
        }
    };
    let reasons = classes.into_iter();
    let reasons = reasons.map(|class| classifier.reasons(answer, class, pairs));
    Ok(ClassifyAnswer {
        predictions: classifier.ranked(answer, top),
        reasons: reasons.collect::<Result<_, _>>()?,
    })
}

/// The score of each picture with each text, `[pictures][texts]`; the first bad input is the refusal.
pub(super) async fn similarities(
    app: &AppState,
    set: &ServedSet,
    on: GenerationSelector,
    pictures: Vec<RequestPicture>,
    texts: Vec<String>,
) -> Result<(Arc<ServedGeneration>, Vec<Vec<f32>>), Refusal> {
    let served = served(app, set, on).await?;
    let encoders = set.encoders();
    let (images, texts) = tokio::try_join!(
        encoders.pictures(pictures, served.set()),
        encoders.texts(&texts, served.set()),
    )?;
    let images = all("image", images)?;
    let texts = all("text", texts)?;
    let base = Arc::clone(&served);
    let scores = app.compute().run(move || {
        let searcher = base.searcher();
        let images = searcher.represent(Modality::Image, &images)?;
        let texts = searcher.represent(Modality::Text, &texts)?;
        let shares = searcher.recipe().shares();
        let row = |image: &Representation| texts.iter().map(|t| image.score(t, &shares)).collect();
        Ok(images.iter().map(row).collect())
    });
    Ok((served, scores.await?))
}

/// All vectors concatenated; the first input without a vector is the refusal.
pub(super) fn all(what: &str, vectors: Vec<EmbedResult>) -> Result<Vec<f32>, Refusal> {
    let mut flat = Vec::new();
    for (at, vector) in vectors.into_iter().enumerate() {
        match vector {
            Ok(vector) => flat.extend_from_slice(&vector),
            Err(InputRejection { reason, .. }) => {
                let message = format!("{what} {}: {reason}", at + 1);
                return Err(Refusal::invalid("unusable_input", message));
            }
        }
    }
    Ok(flat)
}

/// The relative rows of unit vectors in dense form, one number per anchor.
pub(super) async fn rows(
    app: &AppState,
    served: Arc<ServedGeneration>,
    modality: Modality,
    vectors: Vec<f32>,
) -> Result<Vec<Vec<f32>>, Refusal> {
    app.compute()
        .run(move || {
            let rows = served.searcher().rows(modality, &vectors)?;
            let dense = rows.iter().map(|row| {
                let mut dense = vec![0.0; served.set().len()];
                for &(anchor, value) in row.entries() {
                    dense[anchor as usize] = value;
                }
                dense
            });
            Ok(dense.collect())
        })
        .await
}
