//! Plots accuracy against the number of anchors as SVG, without scripts or fonts.
//!
//! The axis of anchors is logarithmic; each data set is a line with its interval as a band and its name
//! at the end of the line, so that no legend is needed.

use std::fmt::{Result, Write as _};

use super::html::escape::EscapedText;
use super::scaling::{ScalingCurve, ScalingPoint, ScalingReport};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 64.0;
/// The right margin, for the names of the data sets.
const RIGHT: f64 = 190.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 64.0;
/// The least vertical distance of two names.
const LINE: f64 = 17.0;
/// A palette that is safe for colour blindness (Okabe and Ito, 2008).
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#000000",
];

/// The plot of a report.
pub fn svg(report: &ScalingReport) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_svg(&mut text, report);
    text
}

/// The axes: maps values to positions in the plot.
struct PlotAxes {
    /// Logarithms of the fewest and most anchors.
    x: [f64; 2],
    /// The highest share.
    top: f64,
}

impl PlotAxes {
    fn of(report: &ScalingReport) -> Self {
        let points = || report.curves.iter().flat_map(|curve| &curve.points);
        let x = |p: &ScalingPoint| (p.anchors.max(1) as f64).ln();
        let first = points().map(x).fold(f64::INFINITY, f64::min);
        let last = points().map(x).fold(f64::NEG_INFINITY, f64::max);
        let high = points().map(|p| p.acc1.high).fold(0.0, f64::max);
        Self {
            x: if first < last {
                [first, last]
            } else {
                // A single size, or none: widened so that it is in the middle.
                let at = if first.is_finite() { first } else { 0.0 };
                [at - 1.0, at + 1.0]
            },
            top: ((high * 10.0).ceil() / 10.0).clamp(0.1, 1.0),
        }
    }

    fn x(&self, anchors: usize) -> f64 {
        let at = ((anchors.max(1) as f64).ln() - self.x[0]) / (self.x[1] - self.x[0]);
        LEFT + at * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, share: f64) -> f64 {
        HEIGHT - BOTTOM - share / self.top * (HEIGHT - TOP - BOTTOM)
    }
}

/// The beginning of every plot.
fn drawing_begin() -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="13" fill="#333">
<title>Top-1 accuracy against the number of anchors</title>
<desc>"##
    )
}

/// Whether a file with this beginning is a plot made by [`svg`].
pub fn is_drawing(head: &[u8]) -> bool {
    head.starts_with(drawing_begin().as_bytes())
}

fn write_svg(out: &mut String, report: &ScalingReport) -> Result {
    let axes = PlotAxes::of(report);
    write!(
        out,
        r##"{begin}{space}</desc>
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="24" font-size="16" font-weight="600">Top-1 accuracy against the number of anchors</text>
<text x="{LEFT}" y="43" font-size="11" fill="#666">{model}</text>
"##,
        begin = drawing_begin(),
        model = EscapedText(&report.model),
        space = EscapedText(&report.space),
    )?;
    write_grid(out, &axes, report)?;
    let mut names = Vec::new();
    for (curve, colour) in report.curves.iter().zip(COLOURS.iter().cycle()) {
        write_curve(out, &axes, curve, colour)?;
        if let Some(last) = curve.points.last() {
            let name = (&curve.dataset, last.acc1.value * 100.0);
            names.push((axes.y(last.acc1.value), axes.x(last.anchors), name, colour));
        }
    }
    // Names that would overlap are moved down, in the order of their lines.
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = f64::NEG_INFINITY;
    for (y, x, (dataset, value), colour) in names {
        let y = y.max(free);
        free = y + LINE;
        writeln!(
            out,
            r#"<text x="{:.1}" y="{:.1}" fill="{colour}" font-weight="600">{} {value:.1} %</text>"#,
            x + 10.0,
            y + 4.0,
            EscapedText(dataset),
        )?;
    }
    writeln!(out, "</svg>")
}

fn write_grid(out: &mut String, axes: &PlotAxes, report: &ScalingReport) -> Result {
    let right = WIDTH - RIGHT;
    let step = if axes.top > 0.5 { 0.2 } else { 0.1 };
    let mut share = 0.0;
    while share <= axes.top + 1e-9 {
        let y = axes.y(share);
        writeln!(
            out,
            r##"<line x1="{LEFT}" x2="{right}" y1="{y:.1}" y2="{y:.1}" stroke="#e3e3e3"/><text x="{}" y="{:.1}" text-anchor="end">{:.0} %</text>"##,
            LEFT - 8.0,
            y + 4.0,
            share * 100.0,
        )?;
        share += step;
    }
    let points = report.curves.iter().flat_map(|curve| &curve.points);
    let mut sizes: Vec<usize> = points.map(|p| p.anchors).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let base = HEIGHT - BOTTOM;
    // Numbers that would overlap the previous one are skipped.
    let mut free = f64::NEG_INFINITY;
    for size in sizes {
        let x = axes.x(size);
        writeln!(
            out,
            r##"<line x1="{x:.1}" x2="{x:.1}" y1="{base}" y2="{}" stroke="#999"/>"##,
            base + 5.0
        )?;
        if x >= free {
            let y = base + 20.0;
            writeln!(
                out,
                r#"<text x="{x:.1}" y="{y}" text-anchor="middle">{size}</text>"#
            )?;
            free = x + 44.0;
        }
    }
    writeln!(
        out,
        r##"<text x="{:.1}" y="{}" text-anchor="middle" fill="#666">anchor pairs (logarithmic); bands are 95 % intervals</text>"##,
        (LEFT + right) / 2.0,
        base + 46.0,
    )
}

fn write_curve(out: &mut String, axes: &PlotAxes, curve: &ScalingCurve, colour: &str) -> Result {
    let corner =
        |p: &ScalingPoint, share: f64| format!("{:.1},{:.1}", axes.x(p.anchors), axes.y(share));
    let points = &curve.points;
    let high = points.iter().map(|p| corner(p, p.acc1.high));
    let low = points.iter().rev().map(|p| corner(p, p.acc1.low));
    let band: Vec<String> = high.chain(low).collect();
    let line: Vec<String> = points.iter().map(|p| corner(p, p.acc1.value)).collect();
    writeln!(
        out,
        r#"<polygon points="{}" fill="{colour}" fill-opacity="0.12"/>
<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#,
        band.join(" "),
        line.join(" "),
    )?;
    points.iter().try_for_each(|p| {
        writeln!(
            out,
            r#"<circle cx="{:.1}" cy="{:.1}" r="3.5" fill="{colour}"><title>{}, {} anchors: {:#}</title></circle>"#,
            axes.x(p.anchors),
            axes.y(p.acc1.value),
            EscapedText(&curve.dataset),
            p.anchors,
            p.acc1,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::interval::IntervalEstimate;

    fn report(name: &str, sizes: &[usize]) -> ScalingReport {
        let point = |(at, &anchors): (usize, &usize)| {
            let value = 0.2 + 0.1 * at as f64;
            ScalingPoint {
                anchors,
                acc1: IntervalEstimate {
                    value,
                    low: value - 0.05,
                    high: value + 0.05,
                },
                draws: vec![value],
                seconds: 0.5,
            }
        };
        let curve = |dataset: &str| ScalingCurve {
            dataset: dataset.to_owned(),
            images: 100,
            classes: 10,
            points: sizes.iter().enumerate().map(point).collect(),
        };
        ScalingReport {
            model: name.to_owned(),
            anchors: 1000,
            space: name.to_owned(),
            seed: 1,
            curves: vec![curve(name), curve("other, one")],
        }
    }

    #[test]
    fn hostile_names_stay_text_and_names_do_not_lie_on_each_other() {
        let hostile = "<script>\"'&";
        let tame = svg(&report("tame", &[10, 100, 1000]));
        let found = svg(&report(hostile, &[10, 100, 1000]));
        assert_eq!(found.matches('<').count(), tame.matches('<').count());
        let heights: Vec<f64> = tame
            .lines()
            .filter(|l| l.contains("font-weight=\"600\">") && l.contains(" %</text>"))
            .map(|l| l.split("y=\"").nth(1).unwrap().split('"').next().unwrap())
            .map(|y| y.parse().unwrap())
            .collect();
        assert_eq!(heights.len(), 2);
        assert!((heights[0] - heights[1]).abs() >= LINE - 0.1, "{heights:?}");
    }

    #[test]
    fn more_anchors_lie_further_right_and_one_size_is_a_picture() {
        let axes = PlotAxes::of(&report("a", &[10, 100, 1000]));
        assert!((axes.x(100) - (axes.x(10) + axes.x(1000)) / 2.0).abs() < 1e-6);
        assert!(axes.y(0.3) < axes.y(0.2));
        for sizes in [&[][..], &[100]] {
            let picture = svg(&report("a", sizes));
            assert!(
                !picture.contains("NaN") && !picture.contains("inf"),
                "{picture}"
            );
        }
    }

    #[test]
    fn csv_has_a_line_a_point_and_quotes_what_must_be() {
        let csv = report("a", &[10, 100]).csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(
            lines[0],
            "dataset,images,anchors,acc1,low,high,seconds,draw_1"
        );
        assert_eq!(lines[1], "a,100,10,0.2000,0.1500,0.2500,0.500,0.2000");
        assert!(lines[3].starts_with("\"other, one\",100,10,"));
        assert_eq!(lines.len(), 5);
    }
}
