//! How good an anchor set is: data sets, metrics with confidence intervals, reports.
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
//! | `interval.rs` | [`Estimate`]: a figure with its 95 % interval; Wilson and bootstrap |
//! | `zeroshot.rs` | [`zeroshot`]: top-1, top-5, mean per-class recall, confusions |
//! | `retrieval.rs` | [`retrieval`]: recall at 1, 5 and 10, both ways |
//! | `report.rs` | what is written down of an evaluation, with the keys of CLIP_benchmark |
//! | `text.rs` | a report as plain text |
//! | `table.rs` | several reports as one table |
//! | `layout.rs` | rows of cells as text whose columns line up |
//! | `measure.rs` | a set, a space and a data set: files to report |
//! | `scaling.rs` | accuracy against the number of anchors |
//! | `plot.rs` | such curves as a picture |
//! | `tune.rs` | what `asif tune` needs of a set and of labelled folders |
//! | `page.rs` | answers to a page |
//! | [`anchors`] | what is to be said of the pairs themselves: diagnosis, curation, influence |
//! | `html/` | a page with pictures: predictions, and the anchors that carry them |
//!
//! The metrics are pure functions over a matrix of scores. Of equal scores the lowest index wins,
//! and a score that is not a number is lower than every other and never right.

pub mod anchors;
mod classes;
mod dataset;
pub mod html;
mod interval;
mod layout;
pub mod measure;
mod metrics_error;
pub mod page;
mod plot;
mod report;
mod retrieval;
#[cfg(test)]
mod sample;
pub mod scaling;
mod table;
mod text;
pub mod tune;
mod zeroshot;

pub use self::classes::Class;
pub use self::dataset::{Classification, Dataset, DatasetError, Retrieval, Task};
pub use self::interval::{Estimate, wilson};
pub use self::metrics_error::MetricsError;
pub use self::plot::{is_drawing, svg};
pub use self::report::{About, RetrievalReport, ZeroshotReport};
pub use self::retrieval::{Recalls, RetrievalMetrics, TwoWays, retrieval};
pub use self::table::{retrieval_table, scaling_table, zeroshot_table};
pub use self::zeroshot::{ClassRecall, Confusion, ZeroshotMetrics, zeroshot};
