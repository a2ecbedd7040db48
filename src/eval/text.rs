//! A report as plain text.

use std::fmt::{self, Display};

use serde_json::Value;

use super::layout::columns;
use super::report::{RetrievalReport, ZeroshotReport};
use super::retrieval::{BidirectionalRecall, RecallAtK};
use crate::printable::line;
use crate::space::Recipe;

impl Display for ZeroshotReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asif, .. } = self;
        let counted = [
            plural(asif.images, "image", "images"),
            plural(asif.classes, "class", "classes"),
            plural(asif.templates.len(), "template", "templates"),
        ];
        writeln!(
            f,
            "{}: zero-shot classification of {}",
            line(&self.dataset),
            counted.join(", ")
        )?;
        head(f, &self.model, &self.pretrained, &asif.settings)?;
        writeln!(f)?;
        let acc5 = asif.intervals.acc5.map_or_else(
            || "-        (fewer than five classes)".to_owned(),
            |estimate| format!("{estimate:#5}"),
        );
        let acc1 = asif.intervals.acc1;
        writeln!(f, "  top-1                  {acc1:#5}")?;
        writeln!(f, "  chance                 {:>5.1} %", 100.0 * asif.chance)?;
        writeln!(f, "  top-5                  {acc5}")?;
        let recall = asif.intervals.mean_per_class_recall;
        writeln!(f, "  mean per-class recall  {recall:#5}")?;
        writeln!(
            f,
            "  in brackets: 95 % intervals (Wilson; bootstrap over images for the recall)"
        )?;
        if asif.unscored > 0 {
            let images = plural(asif.unscored, "image", "images");
            writeln!(f, "  {images} without a score, counted as errors")?;
        }
        if !asif.confusions.is_empty() {
            let rows = asif.confusions.iter().map(|one| {
                let count = format!("{} of {}", one.count, one.of);
                [one.truth.clone(), one.predicted.clone(), count]
            });
            writeln!(f, "\nmost frequent confusions")?;
            f.write_str(&columns(["true class", "taken for", "images"], rows, "  "))?;
        }
        foot(f, &asif.source, &asif.licence, &asif.notes)
    }
}

impl Display for RetrievalReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asif, .. } = self;
        let images = plural(asif.images, "image", "images");
        let captions = plural(asif.captions, "caption", "captions");
        writeln!(
            f,
            "{}: retrieval among {images} and {captions}",
            line(&self.dataset)
        )?;
        head(f, &self.model, &self.pretrained, &asif.settings)?;
        let conventions = [
            (
                "all captions (any of an image's own will do)",
                asif.all_captions,
            ),
            ("first caption of each image only", asif.first_caption),
        ];
        for (
            name,
            BidirectionalRecall {
                image_to_text,
                text_to_image,
            },
        ) in conventions
        {
            writeln!(f, "\n{name}")?;
            let row = |name: &str, recalls: RecallAtK| {
                let [one, five, ten] =
                    [recalls.at_1, recalls.at_5, recalls.at_10].map(|at| format!("{at:#5}"));
                [name.to_owned(), one, five, ten]
            };
            let rows = [
                row("image to text", image_to_text),
                row("text to image", text_to_image),
            ];
            let header = ["", "recall@1", "recall@5", "recall@10"];
            f.write_str(&columns(header, rows.into_iter(), "  "))?;
        }
        writeln!(f, "\n  in brackets: 95 % intervals (Wilson)")?;
        foot(f, &asif.source, &asif.licence, &asif.notes)
    }
}

fn head(
    f: &mut fmt::Formatter<'_>,
    model: &str,
    anchors: &str,
    settings: &serde_json::Map<String, Value>,
) -> fmt::Result {
    let parts: Vec<_> = [model, anchors]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    if !parts.is_empty() {
        writeln!(f, "  {}", parts.join("; "))?;
    }
    if !settings.is_empty() {
        let settings = settings.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            Value::Object(_) => format!("{name} {}", space_of(value)),
            other => format!("{name} {other}"),
        });
        writeln!(f, "  {}", settings.collect::<Vec<_>>().join(", "))?;
    }
    Ok(())
}

fn foot(
    f: &mut fmt::Formatter<'_>,
    source: &Option<String>,
    licence: &Option<String>,
    notes: &[String],
) -> fmt::Result {
    let about = [("source", source), ("licence", licence)];
    let about = about
        .iter()
        .filter_map(|(name, text)| Some((*name, text.as_deref()?)));
    let lines: Vec<_> = about
        .chain(notes.iter().map(|note| ("note", note.as_str())))
        .collect();
    if !lines.is_empty() {
        writeln!(f)?;
    }
    lines
        .iter()
        .try_for_each(|(name, text)| writeln!(f, "  {name}: {}", line(text)))
}

/// A recipe by its name if it has one, else as one line.
fn space_of(value: &Value) -> String {
    serde_json::from_value(value.clone()).map_or_else(
        |_| value.to_string(),
        |recipe: Recipe| match recipe.known_name() {
            Some(name) => name.to_owned(),
            None => recipe.to_string(),
        },
    )
}

pub(super) fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::sample::{retrieval_report, zeroshot_report};

    #[test]
    fn a_zeroshot_report_reads_well() {
        let report = zeroshot_report(&["cat", "dog", "fire engine", "emu", "caf\u{e9}", "owl"]);
        insta::assert_snapshot!(report.to_string());
        insta::assert_json_snapshot!("zeroshot_json", report);
    }

    #[test]
    fn few_classes_have_no_top_5() {
        let report = zeroshot_report(&["cat", "dog"]);
        assert!(report.to_string().contains("fewer than five classes"));
        assert_eq!(
            serde_json::to_value(&report).unwrap()["metrics"]["acc5"],
            Value::Null
        );
    }

    #[test]
    fn a_retrieval_report_reads_well() {
        let report = retrieval_report();
        insta::assert_snapshot!(report.to_string());
        insta::assert_json_snapshot!("retrieval_json", report);
    }
}
