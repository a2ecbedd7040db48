//! Predictions as CSV and as JSON lines.

use std::io::{self, BufWriter, Write as _};

use serde::Serialize;
use serde_json::{Map, Value};

use super::row::{PredictionLayout, PredictionRow, RowSink};
use crate::classify::RankedLabel;
use crate::disk::FileReplacement;

/// The first columns.
const INPUT: [&str; 2] = ["row", "input"];
/// Those of the right answer.
const TARGET: [&str; 3] = ["dataset", "target", "right"];
/// Those of the answer.
const ANSWER: [&str; 4] = ["answer", "score", "similarity", "error"];
/// What is told of each of the best labels; their number comes behind the name.
const LABEL: [&str; 3] = ["label", "score", "similarity"];

/// The header of a CSV file.
fn header(layout: PredictionLayout) -> Vec<String> {
    let target: &[&str] = if layout.is_measured { &TARGET } else { &[] };
    let fixed = INPUT.iter().chain(target).chain(&ANSWER);
    let numbered = (1..=layout.top).flat_map(|n| LABEL.map(|name| format!("{name}_{n}")));
    fixed
        .map(|name| (*name).to_owned())
        .chain(numbered)
        .collect()
}

/// Whether this is the beginning of a table with such a header.
pub(super) fn is_table(head: &[u8]) -> bool {
    let first = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let columns = first.split(|&byte| byte == b',').count();
    [false, true].into_iter().any(|is_measured| {
        let layout = PredictionLayout {
            top: 0,
            is_measured,
        };
        let labels = columns.saturating_sub(header(layout).len());
        let top = labels / LABEL.len();
        header(PredictionLayout { top, ..layout })
            .join(",")
            .as_bytes()
            == first
    })
}

/// Whether the first line is one of [`PredictionLines`].
pub(super) fn are_lines(head: &[u8]) -> bool {
    let first = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let Ok(object) = serde_json::from_slice::<Map<String, Value>>(first) else {
        return false;
    };
    let keys = INPUT.iter().chain(&ANSWER).chain([&"predictions"]);
    keys.copied().all(|key| object.contains_key(key)) && object["row"] == 0
}

/// A table with a header.
pub(super) struct PredictionTable {
    layout: PredictionLayout,
    out: csv::Writer<FileReplacement>,
}

impl PredictionTable {
    pub(super) fn begin(file: FileReplacement, layout: PredictionLayout) -> io::Result<Self> {
        let mut out = csv::Writer::from_writer(file);
        out.write_record(header(layout)).map_err(csv_failed)?;
        Ok(Self { layout, out })
    }
}

impl RowSink for PredictionTable {
    fn write(&mut self, row: &PredictionRow<'_>) -> io::Result<()> {
        let mut cells = vec![row.row.to_string(), row.input.to_owned()];
        if self.layout.is_measured {
            let target = row
                .target
                .map(|t| (t.dataset.to_owned(), t.class.to_owned()));
            let (dataset, class) = target.unwrap_or_default();
            let right = row.is_right().map(|right| right.to_string());
            cells.extend([dataset, class, right.unwrap_or_default()]);
        }
        cells.extend(label_cells(row.best()));
        cells.push(row.error().unwrap_or_default().to_owned());
        let told = row.told(self.layout);
        cells.extend((0..self.layout.top).flat_map(|at| label_cells(told.get(at))));
        self.out.write_record(cells).map_err(csv_failed)
    }

    fn finish(self: Box<Self>) -> io::Result<FileReplacement> {
        self.out.into_inner().map_err(|error| error.into_error())
    }
}

/// The label and its numbers; empty where there is none.
fn label_cells(label: Option<&RankedLabel>) -> [String; 3] {
    label.map_or_else(Default::default, |label| {
        let numbers = (label.score.to_string(), label.similarity.to_string());
        [label.label.clone(), numbers.0, numbers.1]
    })
}

/// The system's own error, where there is one.
fn csv_failed(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// An object a line. All keys are always there.
pub(super) struct PredictionLines {
    layout: PredictionLayout,
    out: BufWriter<FileReplacement>,
}

#[derive(Serialize)]
struct PredictionObject<'a> {
    row: u64,
    input: &'a str,
    #[serde(flatten)]
    target: Option<TargetKeys<'a>>,
    answer: Option<&'a str>,
    score: Option<f32>,
    similarity: Option<f32>,
    error: Option<&'a str>,
    predictions: &'a [RankedLabel],
}

#[derive(Serialize)]
struct TargetKeys<'a> {
    dataset: &'a str,
    target: &'a str,
    right: Option<bool>,
}

impl PredictionLines {
    pub(super) fn begin(file: FileReplacement, layout: PredictionLayout) -> Self {
        let out = BufWriter::new(file);
        Self { layout, out }
    }
}

impl RowSink for PredictionLines {
    fn write(&mut self, row: &PredictionRow<'_>) -> io::Result<()> {
        let best = row.best();
        let object = PredictionObject {
            row: row.row,
            input: row.input,
            target: row.target.map(|target| TargetKeys {
                dataset: target.dataset,
                target: target.class,
                right: row.is_right(),
            }),
            answer: best.map(|best| best.label.as_str()),
            score: best.map(|best| best.score),
            similarity: best.map(|best| best.similarity),
            error: row.error(),
            predictions: row.told(self.layout),
        };
        serde_json::to_writer(&mut self.out, &object)?;
        self.out.write_all(b"\n")
    }

    fn finish(self: Box<Self>) -> io::Result<FileReplacement> {
        self.out.into_inner().map_err(|error| error.into_error())
    }
}
