//! Reports of invented scores, for tests.

use ndarray::Array2;
use serde_json::json;

use super::{
    ClassificationTask, Dataset, DatasetClass, EvaluationSetup, EvaluationTask, RetrievalReport,
    ZeroshotReport, retrieval, zeroshot,
};
use crate::space::prompts::PromptTemplates;

fn about() -> EvaluationSetup {
    EvaluationSetup {
        model: "lite0 + minilm".to_owned(),
        anchors: "1000 anchors".to_owned(),
        settings: serde_json::from_value(json!({ "k": 800, "p": 8, "aggregate": "max" })).unwrap(),
        notes: vec!["the image encoder learned these labels".to_owned()],
        ..EvaluationSetup::default()
    }
}

fn dataset(names: &[&str]) -> (Dataset, ClassificationTask) {
    let class = |name: &&str| DatasetClass {
        folder: (*name).to_owned(),
        name: (*name).to_owned(),
    };
    let task = ClassificationTask {
        classes: names.iter().map(class).collect(),
        images: Vec::new(),
        labels: Vec::new(),
        templates: None,
    };
    let dataset = Dataset {
        name: "pets".to_owned(),
        source: Some("made up".to_owned()),
        licence: Some("CC0".to_owned()),
        note: Some("32x32".to_owned()),
        left_out: Vec::new(),
        task: EvaluationTask::Classification(task.clone()),
    };
    (dataset, task)
}

pub(crate) fn zeroshot_report(names: &[&str]) -> ZeroshotReport {
    let (dataset, task) = dataset(names);
    // Some images of each class are taken for the next.
    let labels: Vec<_> = (0..40).map(|i| i % names.len()).collect();
    let mut scores = Array2::zeros((labels.len(), names.len()));
    for (i, label) in labels.iter().enumerate() {
        scores[[
            i,
            (label + usize::from((i * 5 + i / 6) % 7 < 2)) % names.len(),
        ]] = 1.0;
    }
    let metrics = zeroshot(scores.view(), &labels).unwrap();
    ZeroshotReport::new(
        about(),
        &dataset,
        &task,
        &PromptTemplates::default(),
        &metrics,
    )
}

pub(crate) fn retrieval_report() -> RetrievalReport {
    let (dataset, _) = dataset(&["unused"]);
    let scores = Array2::from_shape_fn((20, 40), |(i, j)| ((i * 7 + j * 3) % 11) as f32);
    let owners: Vec<_> = (0..40).map(|caption| caption / 2).collect();
    RetrievalReport::new(
        about(),
        &dataset,
        &retrieval(scores.view(), &owners).unwrap(),
    )
}
