//! Several reports as one table.

use super::interval::IntervalEstimate;
use super::layout::markdown;
use super::report::{RetrievalReport, ZeroshotReport};
use super::scaling::ScalingReport;

/// A scaling report as one table: a line a data set and number of anchors.
pub fn scaling_table(report: &ScalingReport) -> String {
    let points = report.curves.iter().flat_map(|curve| {
        let row = move |point| (curve, point);
        curve.points.iter().map(row)
    });
    let rows = points.map(|(curve, point)| {
        let of = |pick: fn(f64, f64) -> f64| {
            let share = point.draws.iter().copied().reduce(pick);
            let share = share.expect("a point is measured with one draw at least");
            format!("{:.1}", share * 100.0)
        };
        [
            curve.dataset.clone(),
            point.anchors.to_string(),
            point.draws.len().to_string(),
            point.acc1.to_string(),
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
        let cell = |estimate: Option<IntervalEstimate>| {
            estimate.map_or_else(|| "-".to_owned(), |estimate| estimate.to_string())
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
                recalls.at_1.to_string(),
                recalls.at_5.to_string(),
                recalls.at_10.to_string(),
            ]
        })
    });
    markdown(
        ["data set", "way", "captions", "R@1 %", "R@5 %", "R@10 %"],
        rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::sample::{retrieval_report, zeroshot_report};

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
