//! Files of predictions and of what they add up to.

use std::path::{Path, PathBuf};

use asif::disk;
use asif::eval::predictions::{PredictionFormat, PredictionLayout, PredictionWriter};
use asif::eval::{CLASS_COLUMNS, ZeroshotReport, class_table};
use clap::Args;

use crate::context::CommandContext;
use crate::errors::exit::UsageError;
use crate::output::outputs::{OutputFile, OutputKind, output};

/// Where predictions are written.
#[derive(Debug, Args)]
pub struct PredictionArgs {
    /// Also write the answer of each input as a table, in order: .csv, .jsonl or .parquet. An input that cannot be
    /// used is a row with the reason.
    #[arg(long, env = "ASIF_PREDICTIONS", value_name = "FILE")]
    predictions: Option<PathBuf>,
}

impl PredictionArgs {
    /// Whether they are written.
    pub fn is_given(&self) -> bool {
        self.predictions.is_some()
    }

    /// The format, if they are written.
    ///
    /// # Errors
    /// When the ending of the name tells none.
    fn format(&self) -> anyhow::Result<Option<PredictionFormat>> {
        let Some(file) = &self.predictions else {
            return Ok(None);
        };
        let format = PredictionFormat::of_name(file);
        let endings = || wrong_ending("--predictions", file, &PredictionFormat::endings());
        Ok(Some(format.ok_or_else(endings)?))
    }

    /// The file as an output that is checked before the work.
    ///
    /// # Errors
    /// When the ending of its name tells no format.
    pub fn output(&self) -> anyhow::Result<Option<OutputFile<'_>>> {
        let kind = self.format()?.map(OutputKind::Predictions);
        Ok(kind.and_then(|kind| output("--predictions", &self.predictions, kind)))
    }

    /// Begins the file, if it is written.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn begin(&self, layout: PredictionLayout) -> anyhow::Result<Option<PredictionWriter>> {
        let (Some(file), Some(format)) = (&self.predictions, self.format()?) else {
            return Ok(None);
        };
        Ok(Some(PredictionWriter::begin(file, format, layout)?))
    }

    /// Gives the file its name, and says so.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn finish(
        &self,
        writer: Option<PredictionWriter>,
        context: &CommandContext,
    ) -> anyhow::Result<()> {
        if let (Some(file), Some(writer)) = (&self.predictions, writer) {
            writer.finish()?;
            context.note(format!("wrote {}", file.display()));
        }
        Ok(())
    }
}

/// Where the answers of all classes are written.
#[derive(Debug, Args)]
pub struct ClassFileArgs {
    /// Also write each class as CSV: its images, how many were right, the accuracy with its 95 % interval, how many
    /// images got this answer, and how many of these rightly.
    #[arg(long, env = "ASIF_PER_CLASS", value_name = "FILE.csv")]
    per_class: Option<PathBuf>,

    /// Also write the whole confusion matrix of one data set: a table (.csv), or a picture (.png).
    #[arg(long, env = "ASIF_CONFUSION", value_name = "FILE")]
    confusion: Option<PathBuf>,
}

/// Whether a file's name has this ending.
fn ends_in(file: &Path, ending: &str) -> bool {
    let found = file.extension();
    found.is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

fn wrong_ending(option: &str, file: &Path, endings: &str) -> UsageError {
    UsageError(format!(
        "{}: the ending of its name tells how {option} is written, expected one of {endings}; give the file another \
         name",
        file.display()
    ))
}

impl ClassFileArgs {
    /// The files as outputs that are checked before the work. `datasets` are measured.
    ///
    /// # Errors
    /// When the ending of a name tells no format; for the matrix of several data sets.
    pub fn outputs(&self, datasets: usize) -> anyhow::Result<[Option<OutputFile<'_>>; 2]> {
        if let Some(file) = self.per_class.as_ref().filter(|file| !ends_in(file, "csv")) {
            return Err(wrong_ending("--per-class", file, ".csv").into());
        }
        let matrix = match &self.confusion {
            Some(_) if datasets > 1 => {
                let said = "--confusion writes the matrix of one data set; give one --dataset";
                return Err(UsageError(said.to_owned()).into());
            }
            Some(file) if ends_in(file, "png") => OutputKind::MatrixPicture,
            Some(file) if !ends_in(file, "csv") => {
                return Err(wrong_ending("--confusion", file, ".csv, .png").into());
            }
            _ => OutputKind::Matrix,
        };
        Ok([
            output(
                "--per-class",
                &self.per_class,
                OutputKind::Table(CLASS_COLUMNS, None),
            ),
            output("--confusion", &self.confusion, matrix),
        ])
    }

    /// Writes the files.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn write(
        &self,
        reports: &[ZeroshotReport],
        context: &CommandContext,
    ) -> anyhow::Result<()> {
        let put = |file: &Path, bytes: Vec<u8>| -> anyhow::Result<()> {
            disk::replace_file(file, bytes)?;
            context.note(format!("wrote {}", file.display()));
            Ok(())
        };
        if let Some(file) = &self.per_class {
            put(file, class_table(reports).into_bytes())?;
        }
        let only = reports.first();
        if let (Some(file), Some(report)) = (&self.confusion, only) {
            let matrix = &report.asif.matrix;
            let accuracy = report.metrics.acc1 * 100.0;
            let title = format!("{}: top-1 {accuracy:.1} %", report.dataset);
            let bytes = match ends_in(file, "png") {
                true => matrix.png(&title)?,
                false => matrix.csv().into_bytes(),
            };
            put(file, bytes)?;
        }
        Ok(())
    }
}
