//! Every class against every answer, as a table and as a picture.
//!
//! | file | role |
//! |---|---|
//! | `mod` | [`ConfusionMatrix`], and the matrix as CSV |
//! | `picture` | the matrix as a PNG |
//! | `canvas` | pixels, boxes and letters |
//! | `letters` | the dots of the letters |

mod canvas;
mod letters;
mod picture;

use super::layout::csv_cell;
use super::zeroshot::{ClassConfusion, ZeroshotMetrics};

pub use picture::is_picture;

/// How often each class got each answer: a row for each true class, a column for each answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConfusionMatrix {
    classes: Vec<String>,
    /// The images of each class.
    images: Vec<usize>,
    /// The cells that are not 0, by row and column.
    cells: Vec<ClassConfusion>,
}

/// The first cell of the table, which names its rows.
const ROWS: &str = "true class";
/// The last column: images without an answer.
const NONE: &str = "no answer";

impl ConfusionMatrix {
    /// The matrix of `metrics`, whose classes have these names.
    pub(super) fn new(classes: Vec<String>, metrics: &ZeroshotMetrics) -> Self {
        let right = metrics.per_class.iter().enumerate();
        let right = right.map(|(class, of)| ClassConfusion {
            truth: class,
            predicted: class,
            count: of.correct,
        });
        let all = right.chain(metrics.confusions.iter().copied());
        let mut cells: Vec<_> = all.filter(|cell| cell.count > 0).collect();
        cells.sort_unstable_by_key(|cell| (cell.truth, cell.predicted));
        Self {
            classes,
            images: metrics.per_class.iter().map(|of| of.images).collect(),
            cells,
        }
    }

    /// The names of the classes, in the order of rows and columns.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The cells that are not 0, by row and column.
    pub fn cells(&self) -> &[ClassConfusion] {
        &self.cells
    }

    /// The images of a class that have no answer.
    fn unanswered(&self, class: usize) -> usize {
        let answered = self.of_class(class).iter().map(|cell| cell.count);
        self.images[class] - answered.sum::<usize>()
    }

    /// The cells of a row.
    fn of_class(&self, class: usize) -> &[ClassConfusion] {
        let begin = self.cells.partition_point(|cell| cell.truth < class);
        let end = self.cells.partition_point(|cell| cell.truth <= class);
        &self.cells[begin..end]
    }

    /// The whole matrix as CSV: a line for each true class with the number of its images that got each answer, and in
    /// the last column of those that got none.
    pub fn csv(&self) -> String {
        let mut text = ROWS.to_owned();
        for class in &self.classes {
            text.push(',');
            text.push_str(&csv_cell(class));
        }
        text.push_str(&format!(",{NONE}\n"));
        for (class, name) in self.classes.iter().enumerate() {
            text.push_str(&csv_cell(name));
            let mut cells = self.of_class(class).iter().peekable();
            for column in 0..self.classes.len() {
                let cell = cells.next_if(|cell| cell.predicted == column);
                text.push_str(&format!(",{}", cell.map_or(0, |cell| cell.count)));
            }
            text.push_str(&format!(",{}\n", self.unanswered(class)));
        }
        text
    }
}

/// Whether a file with this beginning is a table made by [`ConfusionMatrix::csv`].
pub fn is_matrix(head: &[u8]) -> bool {
    let first = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let begins = first.starts_with(format!("{ROWS},").as_bytes());
    // A class may have a line end in its name, and a header may be longer than what was read.
    let is_cut = first.len() == head.len() || first.contains(&b'"');
    begins && (is_cut || first.ends_with(format!(",{NONE}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::eval::zeroshot;

    /// Image `i` of class `truth[i]` gets the answer `told[i]`, or none.
    fn matrix(names: &[&str], truth: &[usize], told: &[Option<usize>]) -> ConfusionMatrix {
        let mut scores = Array2::from_elem((truth.len(), names.len()), f32::NAN);
        for (row, told) in told.iter().enumerate() {
            if let Some(told) = told {
                scores.row_mut(row).fill(0.0);
                scores[[row, *told]] = 1.0;
            }
        }
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        ConfusionMatrix::new(names, &zeroshot(scores.view(), truth).unwrap())
    }

    #[test]
    fn the_table_has_every_image_once() {
        let found = matrix(
            &["cat", "a, b", "dog"],
            &[0, 0, 0, 1, 2, 2],
            &[Some(0), Some(2), Some(2), Some(1), None, Some(0)],
        );
        assert_eq!(
            found.csv(),
            "true class,cat,\"a, b\",dog,no answer\ncat,1,0,2,0\n\"a, b\",0,1,0,0\ndog,1,0,0,1\n"
        );
        assert!(is_matrix(found.csv().as_bytes()));
        for other in ["true class,cat\n1,2\n", "truth,cat,no answer\n", ""] {
            assert!(!is_matrix(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_picture_is_darkest_where_a_class_has_its_answers() {
        for (classes, per_class) in [(2, 3), (12, 4), (150, 2), (5000, 1)] {
            let names: Vec<String> = (0..classes).map(|n| format!("class {n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let truth: Vec<usize> = (0..classes * per_class).map(|i| i % classes).collect();
            let told: Vec<_> = truth.iter().map(|class| Some(*class)).collect();
            // Scores of all images against 5,000 classes would be 100 MB.
            let found = match classes {
                5000 => ConfusionMatrix {
                    classes: names.iter().map(|name| (*name).to_owned()).collect(),
                    images: vec![1; classes],
                    cells: (0..classes)
                        .map(|class| ClassConfusion {
                            truth: class,
                            predicted: class,
                            count: 1,
                        })
                        .collect(),
                },
                _ => matrix(&names, &truth, &told),
            };
            let bytes = found.png("a data set \u{2014} café").unwrap();
            assert!(is_picture(&bytes));
            let shown = image::load_from_memory(&bytes).unwrap().to_rgb8();
            assert!(
                shown.width() < 5000 && shown.height() < 5000,
                "{} classes",
                classes
            );
            let dark = shown.pixels().filter(|p| p.0[2] > 100 && p.0[0] < 20);
            // Of 5,000 classes two share a cell.
            assert!(dark.count() >= classes.min(2500), "{classes} classes");
        }
        assert!(!is_picture(b"\x89PNG\r\n\x1a\n and others"));
    }
}
