//! Evaluation of anchor sets: data sets, metrics with confidence intervals, reports.
//!
//! ```text
//! folder -> Dataset (dataset) -> [the caller scores images against texts] -> scores [n, m]
//!        -> Zeroshot | Retrieval (zeroshot, retrieval; intervals from interval)
//!        -> ZeroshotReport | RetrievalReport (report): JSON, or text (text, table)
//! ```
//!
//! | file | role |
//! |---|---|
//! | `dataset.rs` | [`Dataset`]: a folder of labelled or captioned images |
//! | `classes.rs` | class folders, their names, and the file that renames them |
//! | `interval.rs` | [`IntervalEstimate`]: a figure with its 95 % interval; Wilson and bootstrap |
//! | `zeroshot.rs` | [`zeroshot`]: top-1, top-5, mean per-class recall, confusions |
//! | `retrieval.rs` | [`retrieval`]: recall at 1, 5 and 10, both ways |
//! | `report.rs` | the report of an evaluation, with the keys of CLIP_benchmark |
//! | `text.rs` | a report as plain text |
//! | `table.rs` | several reports as one table |
//! | `class_table.rs` | the classes of reports as CSV |
//! | `confusion/` | [`ConfusionMatrix`]: every class against every answer, as CSV and as a picture |
//! | [`predictions`] | the answer of each input as CSV, JSON lines or Parquet |
//! | `layout.rs` | rows of cells as text whose columns line up |
//! | `measure.rs` | evaluates an anchor set on a data set: files to report |
//! | `scaling.rs` | accuracy against the number of anchors |
//! | `plot.rs` | such curves as an SVG image |
//! | `tune.rs` | the vectors that tuning needs, of an anchor set and of labelled folders |
//! | `page.rs` | answers as a page |
//! | [`anchors`] | evaluation of the pairs themselves: diagnosis, curation, influence |
//! | `html/` | a page with images: predictions, and the anchors behind them |
//!
//! The metrics are pure functions over a matrix of scores. Ties go to the lowest index. NaN is lower than
//! every other score and never right.

pub mod anchors;
mod class_table;
mod classes;
mod confusion;
mod dataset;
pub mod html;
mod interval;
mod layout;
pub mod measure;
mod metrics_error;
pub mod page;
mod plot;
pub mod predictions;
mod report;
mod retrieval;
#[cfg(test)]
mod sample;
pub mod scaling;
mod table;
mod text;
pub mod tune;
mod zeroshot;

pub use self::class_table::{CLASS_COLUMNS, class_table};
pub use self::classes::DatasetClass;
pub use self::confusion::{ConfusionMatrix, is_matrix, is_picture};
pub use self::dataset::{ClassificationTask, Dataset, DatasetError, EvaluationTask, RetrievalTask};
pub use self::interval::{IntervalEstimate, wilson};
pub use self::metrics_error::MetricsError;
pub use self::plot::{is_drawing, svg};
pub use self::report::{
    EvaluationSetup, NamedConfusion, NamedRecall, RetrievalDetails, RetrievalFigures,
    RetrievalReport, ZeroshotDetails, ZeroshotFigures, ZeroshotIntervals, ZeroshotReport,
};
pub use self::retrieval::{BidirectionalRecall, RecallAtK, RetrievalMetrics, retrieval};
pub use self::table::{retrieval_table, scaling_table, zeroshot_table};
pub use self::zeroshot::{ClassConfusion, ClassRecall, ZeroshotMetrics, zeroshot};
