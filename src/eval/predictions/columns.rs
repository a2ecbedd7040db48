//! Predictions as Parquet: the best labels of a row are lists in its cells.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float32Builder, Int64Builder, ListBuilder, StringBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaDataReader};
use parquet::file::properties::WriterProperties;

use super::row::{PredictionLayout, PredictionRow, RowSink};
use crate::disk::FileReplacement;

/// Rows that are handed to the writer together.
const BATCH: usize = 4096;

/// What marks such a file as written here.
const MARK: (&str, &str) = ("asif", "predictions");

/// Whether a file has the mark.
pub(super) fn is_table(file: &Path) -> bool {
    let Ok(file) = fs_err::File::open(file) else {
        return false;
    };
    let metadata = ParquetMetaDataReader::new().parse_and_finish(file.file());
    let Ok(metadata) = metadata else {
        return false;
    };
    let pairs = metadata.file_metadata().key_value_metadata();
    pairs.is_some_and(|pairs| {
        let mut named = pairs.iter();
        named.any(|pair| pair.key == MARK.0 && pair.value.as_deref() == Some(MARK.1))
    })
}

/// The cells of the rows that are not written yet.
#[derive(Default)]
struct ColumnBuilders {
    rows: usize,
    row: Int64Builder,
    input: StringBuilder,
    dataset: StringBuilder,
    target: StringBuilder,
    right: BooleanBuilder,
    answer: StringBuilder,
    score: Float32Builder,
    similarity: Float32Builder,
    error: StringBuilder,
    labels: ListBuilder<StringBuilder>,
    scores: ListBuilder<Float32Builder>,
    similarities: ListBuilder<Float32Builder>,
}

impl ColumnBuilders {
    fn push(&mut self, row: &PredictionRow<'_>, layout: PredictionLayout) {
        self.rows += 1;
        self.row
            .append_value(i64::try_from(row.row).unwrap_or(i64::MAX));
        self.input.append_value(row.input);
        self.dataset.append_option(row.target.map(|t| t.dataset));
        self.target.append_option(row.target.map(|t| t.class));
        self.right.append_option(row.is_right());
        let best = row.best();
        self.answer.append_option(best.map(|best| &best.label));
        self.score.append_option(best.map(|best| best.score));
        self.similarity
            .append_option(best.map(|best| best.similarity));
        self.error.append_option(row.error());
        for label in row.told(layout) {
            self.labels.values().append_value(&label.label);
            self.scores.values().append_value(label.score);
            self.similarities.values().append_value(label.similarity);
        }
        self.labels.append(true);
        self.scores.append(true);
        self.similarities.append(true);
    }

    fn take(&mut self, layout: PredictionLayout) -> Result<RecordBatch, ParquetError> {
        self.rows = 0;
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("row", Arc::new(self.row.finish())),
            ("input", Arc::new(self.input.finish())),
        ];
        let dataset = Arc::new(self.dataset.finish());
        let target = Arc::new(self.target.finish());
        let right = Arc::new(self.right.finish());
        if layout.is_measured {
            columns.push(("dataset", dataset));
            columns.push(("target", target));
            columns.push(("right", right));
        }
        columns.extend([
            ("answer", Arc::new(self.answer.finish()) as ArrayRef),
            ("score", Arc::new(self.score.finish())),
            ("similarity", Arc::new(self.similarity.finish())),
            ("error", Arc::new(self.error.finish())),
            ("labels", Arc::new(self.labels.finish())),
            ("scores", Arc::new(self.scores.finish())),
            ("similarities", Arc::new(self.similarities.finish())),
        ]);
        // Nullable, whatever this batch holds, so that all batches have one schema.
        let columns = columns
            .into_iter()
            .map(|(name, column)| (name, column, true));
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }
}

/// A Parquet file.
pub(super) struct PredictionColumns {
    layout: PredictionLayout,
    cells: ColumnBuilders,
    out: ArrowWriter<FileReplacement>,
}

impl PredictionColumns {
    pub(super) fn begin(file: FileReplacement, layout: PredictionLayout) -> io::Result<Self> {
        let mark = KeyValue::new(MARK.0.to_owned(), MARK.1.to_owned());
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(vec![mark]));
        let mut cells = ColumnBuilders::default();
        let schema = cells.take(layout).map_err(failed)?.schema();
        let out = ArrowWriter::try_new(file, schema, Some(properties.build())).map_err(failed)?;
        Ok(Self { layout, cells, out })
    }

    fn flush(&mut self) -> io::Result<()> {
        let batch = self.cells.take(self.layout).map_err(failed)?;
        self.out.write(&batch).map_err(failed)
    }
}

impl RowSink for PredictionColumns {
    fn write(&mut self, row: &PredictionRow<'_>) -> io::Result<()> {
        self.cells.push(row, self.layout);
        match self.cells.rows {
            BATCH => self.flush(),
            _ => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> io::Result<FileReplacement> {
        self.flush()?;
        self.out.into_inner().map_err(failed)
    }
}

/// The system's own error, where there is one.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
