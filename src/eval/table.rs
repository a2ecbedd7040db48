//! A report as plain text, several as one table.

use std::fmt::{self, Display, Write as _};

use serde_json::Value;

use super::interval::Estimate;
use super::report::{RetrievalReport, ZeroshotReport};
use super::retrieval::{Recalls, TwoWays};
use super::scaling::ScalingReport;

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
            self.dataset,
            counted.join(", ")
        )?;
        head(f, &self.model, &self.pretrained, &asif.settings)?;
        writeln!(f)?;
        let acc5 = asif.intervals.acc5.map_or_else(
            || "-        (fewer than five classes)".to_owned(),
            |estimate| with_interval(&estimate),
        );
        writeln!(
            f,
            "  top-1                  {}",
            with_interval(&asif.intervals.acc1)
        )?;
        writeln!(f, "  top-5                  {acc5}")?;
        let recall = with_interval(&asif.intervals.mean_per_class_recall);
        writeln!(f, "  mean per-class recall  {recall}")?;
        writeln!(
            f,
            "  in brackets: 95 % intervals (Wilson; bootstrap over images for the recall)"
        )?;
        if asif.unscored > 0 {
            let images = plural(asif.unscored, "image", "images");
            writeln!(f, "  {images} got no score and counted as mistakes")?;
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
            self.dataset
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
            TwoWays {
                image_to_text,
                text_to_image,
            },
        ) in conventions
        {
            writeln!(f, "\n{name}")?;
            let row = |name: &str, recalls: Recalls| {
                let [one, five, ten] =
                    [recalls.at_1, recalls.at_5, recalls.at_10].map(|at| with_interval(&at));
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

/// A scaling report as one table: a line a data set and number of anchors.
pub fn scaling_table(report: &ScalingReport) -> String {
    let points = report.curves.iter().flat_map(|curve| {
        let row = move |point| (curve, point);
        curve.points.iter().map(row)
    });
    let rows = points.map(|(curve, point)| {
        let of = |pick: fn(f64, f64) -> f64| {
            let share = point.draws.iter().copied().reduce(pick).unwrap_or(0.0);
            format!("{:.1}", share * 100.0)
        };
        [
            curve.dataset.clone(),
            point.anchors.to_string(),
            point.draws.len().to_string(),
            bare_interval(&point.acc1),
            format!("{} to {}", of(f64::min), of(f64::max)),
            format!("{:.2}", point.seconds),
        ]
    });
    markdown(
        [
            "data set",
            "anchors",
            "draws",
            "top-1 %",
            "draws from, to",
            "seconds",
        ],
        rows,
    )
}

/// One line a report, in Markdown that reads well as plain text too; shares in %, with intervals.
pub fn zeroshot_table(reports: &[ZeroshotReport]) -> String {
    let rows = reports.iter().map(|report| {
        let cell = |estimate: Option<Estimate>| {
            estimate
                .as_ref()
                .map_or_else(|| "-".to_owned(), bare_interval)
        };
        let intervals = &report.asif.intervals;
        [
            report.dataset.clone(),
            report.asif.images.to_string(),
            report.asif.classes.to_string(),
            cell(Some(intervals.acc1)),
            cell(intervals.acc5),
            cell(Some(intervals.mean_per_class_recall)),
        ]
    });
    markdown(
        [
            "data set",
            "images",
            "classes",
            "top-1 %",
            "top-5 %",
            "mean recall %",
        ],
        rows,
    )
}

/// Four lines a report (two conventions, two directions), in Markdown; shares in %.
pub fn retrieval_table(reports: &[RetrievalReport]) -> String {
    let rows = reports.iter().flat_map(|report| {
        let details = &report.asif;
        let lines = [
            (
                "image to text",
                "all captions",
                details.all_captions.image_to_text,
            ),
            (
                "text to image",
                "all captions",
                details.all_captions.text_to_image,
            ),
            (
                "image to text",
                "first caption",
                details.first_caption.image_to_text,
            ),
            (
                "text to image",
                "first caption",
                details.first_caption.text_to_image,
            ),
        ];
        lines.map(|(way, convention, recalls)| {
            [
                report.dataset.clone(),
                way.to_owned(),
                convention.to_owned(),
                bare_interval(&recalls.at_1),
                bare_interval(&recalls.at_5),
                bare_interval(&recalls.at_10),
            ]
        })
    });
    markdown(
        ["data set", "way", "captions", "R@1 %", "R@5 %", "R@10 %"],
        rows,
    )
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
        .try_for_each(|(name, text)| writeln!(f, "  {name}: {text}"))
}

/// `61.2 % [56.9, 65.4]`, the parts right-aligned.
fn with_interval(estimate: &Estimate) -> String {
    let Estimate { value, low, high } = estimate;
    format!(
        "{:5.1} % [{:.1}, {:.1}]",
        value * 100.0,
        low * 100.0,
        high * 100.0
    )
}

/// `61.2 [56.9, 65.4]`
fn bare_interval(estimate: &Estimate) -> String {
    let Estimate { value, low, high } = estimate;
    format!(
        "{:.1} [{:.1}, {:.1}]",
        value * 100.0,
        low * 100.0,
        high * 100.0
    )
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Left-aligned columns, two blanks apart.
fn columns<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    indent: &str,
) -> String {
    let rows: Vec<_> = std::iter::once(header.map(str::to_owned))
        .chain(rows)
        .collect();
    let widths = widths(&rows);
    let mut text = String::new();
    for row in &rows {
        let mut line = indent.to_owned();
        for (cell, width) in row.iter().zip(widths) {
            pad(&mut line, cell, width + 2);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn markdown<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = std::iter::once(header.map(str::to_owned))
        .chain(rows.map(|row| row.map(|cell| cell.replace('|', "\\|"))))
        .collect();
    let widths = widths(&rows);
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str("| ");
            pad(&mut text, cell, width + 1);
        }
        text.push_str("|\n");
        if number == 0 {
            widths
                .iter()
                .for_each(|width| text.push_str(&format!("|{}", "-".repeat(width + 2))));
            text.push_str("|\n");
        }
    }
    text
}

fn widths<const N: usize>(rows: &[[String; N]]) -> [usize; N] {
    std::array::from_fn(|column| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    })
}

fn pad(line: &mut String, cell: &str, width: usize) {
    // Writing to a String cannot fail.
    let _ = write!(line, "{cell:<width$}");
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use serde_json::json;

    use super::super::{About, Class, Classification, Dataset, Task, retrieval, zeroshot};
    use super::*;
    use crate::space::prompts::Templates;

    fn about() -> About {
        About {
            model: "lite0 + minilm".to_owned(),
            anchors: "1000 anchors".to_owned(),
            settings: serde_json::from_value(json!({ "k": 800, "p": 8, "aggregate": "max" }))
                .unwrap(),
            notes: vec!["the image encoder learned these labels".to_owned()],
            ..About::default()
        }
    }

    fn dataset(names: &[&str]) -> (Dataset, Classification) {
        let class = |name: &&str| Class {
            folder: (*name).to_owned(),
            name: (*name).to_owned(),
        };
        let task = Classification {
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
            task: Task::Classification(task.clone()),
        };
        (dataset, task)
    }

    fn zeroshot_report(names: &[&str]) -> ZeroshotReport {
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
        ZeroshotReport::new(about(), &dataset, &task, &Templates::default(), &metrics)
    }

    fn retrieval_report() -> RetrievalReport {
        let (dataset, _) = dataset(&["unused"]);
        let scores = Array2::from_shape_fn((20, 40), |(i, j)| ((i * 7 + j * 3) % 11) as f32);
        let owners: Vec<_> = (0..40).map(|caption| caption / 2).collect();
        RetrievalReport::new(
            about(),
            &dataset,
            &retrieval(scores.view(), &owners).unwrap(),
        )
    }

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

    #[test]
    fn tables_line_up() {
        let zeroshot = [
            zeroshot_report(&["cat", "dog"]),
            zeroshot_report(&["a", "b", "c", "d", "e", "f"]),
        ];
        let text = format!(
            "{}\n{}",
            zeroshot_table(&zeroshot),
            retrieval_table(&[retrieval_report()])
        );
        insta::assert_snapshot!(text);
    }
}
