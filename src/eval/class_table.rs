//! The classes of evaluations as CSV.

use std::fmt::Write as _;

use super::confusion::ConfusionMatrix;
use super::interval::wilson;
use super::layout::csv_cell;
use super::report::ZeroshotReport;

/// The columns of [`class_table`].
pub const CLASS_COLUMNS: &str = "dataset,class,images,right,accuracy,low,high,answered,precision";

/// One line for each class of each report: its images, how many were classified correctly, their share with its
/// 95 % interval (Wilson), how many images of any class got this answer, and how many of these rightly. A share of
/// nothing is left empty.
pub fn class_table(reports: &[ZeroshotReport]) -> String {
    let mut text = format!("{CLASS_COLUMNS}\n");
    for report in reports {
        let answered = answered(&report.asif.matrix);
        for (class, answered) in report.asif.per_class.iter().zip(answered) {
            let (images, right) = (class.images as u64, class.correct as u64);
            let of_images = wilson(right, images);
            let accuracy = match images {
                0 => ",,".to_owned(),
                _ => format!(
                    "{:.6},{:.6},{:.6}",
                    of_images.value, of_images.low, of_images.high
                ),
            };
            let precision = match answered {
                0 => String::new(),
                _ => format!("{:.6}", right as f64 / answered as f64),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{},{},{images},{right},{accuracy},{answered},{precision}",
                csv_cell(&report.dataset),
                csv_cell(&class.class),
            );
        }
    }
    text
}

/// How many images got each class as their answer.
fn answered(matrix: &ConfusionMatrix) -> Vec<usize> {
    let mut columns = vec![0; matrix.classes().len()];
    for cell in matrix.cells() {
        columns[cell.predicted] += cell.count;
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::sample::zeroshot_report;

    #[test]
    fn each_class_has_a_line_and_the_columns_add_up() {
        let report = zeroshot_report(&["cat", "a, b"]);
        let text = class_table(std::slice::from_ref(&report));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], CLASS_COLUMNS);
        assert!(lines[2].starts_with("pets,\"a, b\","), "{text}");
        let second = lines[2].replace("a, b", "ab");
        let cells = [lines[1], &second].map(|line| line.split(',').collect::<Vec<_>>());
        let sum = |at: usize| -> usize {
            let numbers = cells.iter().map(|line| line[at].parse::<usize>());
            numbers.map(|number| number.unwrap()).sum()
        };
        assert_eq!((sum(2), sum(7)), (40, 40), "{text}");
        let right = report.metrics.acc1 * 40.0;
        assert_eq!(sum(3), right.round() as usize, "{text}");
    }
}
