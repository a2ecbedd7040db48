//! The matrix as a PNG: the darker a cell, the larger the share of the class's images with that answer.

use std::io;

use png::{BitDepth, ColorType, Encoder};

use super::canvas::{LINE, PixelCanvas, STEP, WritingDirection, length};
use super::letters::drawn;
use super::{ConfusionMatrix, NONE, ROWS};

/// The most pixels of the matrix on a side; with more classes, several share a pixel.
const MOST: usize = 4096;
/// The pixels that the cells of a side have together, as long as each is between the two next numbers.
const WANTED: usize = 1200;
const LARGEST_CELL: usize = 40;
/// A cell beside which a label has room.
const LABELLED_CELL: usize = LINE + 1;
/// The most letters of a label.
const LABEL: usize = 32;
/// Between the parts of the picture.
const GAP: usize = 12;
/// The bar of the scale.
const BAR: (usize, usize) = (16, 202);

/// Colours 0 to 100 are shares in per cent.
const FULL: u8 = 100;
const WHITE: u8 = 101;
const INK: u8 = 102;
const LINES: u8 = 103;
/// From the lightest to the darkest share: the palette "Blues" of ColorBrewer, which prints well and is safe for
/// colour blindness.
const BLUES: [[u8; 3]; 5] = [
    [247, 251, 255],
    [198, 219, 239],
    [107, 174, 214],
    [33, 113, 181],
    [8, 48, 107],
];

/// The keyword and text that mark such a picture as drawn here.
const MARK: (&str, &str) = ("Software", "asif confusion matrix");

/// Whether a file with this beginning is a picture made by [`ConfusionMatrix::png`].
pub fn is_picture(head: &[u8]) -> bool {
    let begin = &head[..head.len().min(1024)];
    let mark = [MARK.0, MARK.1].join("\0");
    let mut places = begin.windows(mark.len());
    begin.starts_with(b"\x89PNG\r\n\x1a\n") && places.any(|place| place == mark.as_bytes())
}

/// The colours, as PNG wants them.
fn palette() -> Vec<u8> {
    let mix = |percent: usize| {
        let at = percent * (BLUES.len() - 1);
        let (low, part) = (at / 100, at % 100);
        let high = (low + 1).min(BLUES.len() - 1);
        [0, 1, 2].map(|channel| {
            let [a, b] = [low, high].map(|stop| usize::from(BLUES[stop][channel]));
            // Between two bytes, so it is one.
            ((a * (100 - part) + b * part) / 100) as u8
        })
    };
    let shares = (0..=usize::from(FULL)).flat_map(mix);
    shares
        .chain([255, 255, 255])
        .chain([32, 32, 32])
        .chain([225, 225, 225])
        .collect()
}

/// The colour of a share. A single image of many is not as light as none.
fn colour(count: usize, of: usize) -> u8 {
    match count {
        0 => 0,
        // A share, so it is at most 100.
        _ => (100 * count / of.max(1)).clamp(4, 100) as u8,
    }
}

/// The sizes of the parts.
struct PictureLayout {
    /// Pixels of a cell.
    cell: usize,
    /// Classes that share a cell.
    shared: usize,
    /// Cells on a side; one more column if images have no answer.
    rows: usize,
    columns: usize,
    /// Pixels of a dot of the labels.
    scale: usize,
    /// The upper left corner of the matrix.
    left: usize,
    top: usize,
}

impl PictureLayout {
    fn of(matrix: &ConfusionMatrix, labels: &[Vec<char>], has_unanswered: bool) -> Self {
        let classes = matrix.classes.len();
        let shared = classes.div_ceil(MOST).max(1);
        let rows = classes.div_ceil(shared);
        let cell = (WANTED / rows.max(1)).clamp(1, LARGEST_CELL);
        let scale = if cell > 2 * LINE { 2 } else { 1 };
        let longest = labels.iter().map(Vec::len).max().unwrap_or(0);
        // Without labels, the numbers of classes.
        let longest = if cell < LABELLED_CELL { 6 } else { longest };
        let margin = length(longest, scale) + GAP;
        Self {
            cell,
            shared,
            rows,
            columns: rows + usize::from(has_unanswered),
            scale,
            left: GAP + 2 * LINE + GAP + margin,
            top: GAP + 4 * LINE + 2 * GAP + margin,
        }
    }

    fn right(&self) -> usize {
        self.left + self.columns * self.cell
    }

    fn bottom(&self) -> usize {
        self.top + self.rows * self.cell
    }
}

impl ConfusionMatrix {
    /// The whole matrix as a PNG under a title: true classes from top to bottom, answers from left to right. Cells
    /// have their numbers, and rows and columns their labels, where there is room for them; else every so many
    /// classes have their number, from 0. More than 4,096 classes share cells, each as dark as its darkest one.
    ///
    /// # Errors
    /// When the encoder of the picture fails, which it does not on such a picture.
    pub fn png(&self, title: &str) -> io::Result<Vec<u8>> {
        let unanswered: Vec<usize> = (0..self.classes.len())
            .map(|class| self.unanswered(class))
            .collect();
        let has_unanswered = unanswered.iter().any(|count| *count > 0);
        let mut labels: Vec<Vec<char>> = self
            .classes
            .iter()
            .map(|class| drawn(class, LABEL))
            .collect();
        if has_unanswered {
            labels.push(drawn(NONE, LABEL));
        }
        let layout = PictureLayout::of(self, &labels, has_unanswered);
        let title = drawn(title, 60);
        let right = layout.right() + 2 * GAP + BAR.0 + GAP + length(18, 1);
        let width = right.max(length(title.len(), 2) + 2 * GAP) + GAP;
        let height = layout.bottom().max(layout.top + BAR.1 + 3 * LINE) + 2 * GAP;
        let mut canvas = PixelCanvas::new(width, height, WHITE);
        canvas.write((GAP, GAP), WritingDirection::Right, 2, INK, &title);
        canvas.print((layout.left, GAP + 3 * LINE), 2, INK, "answer");
        let rows = drawn(ROWS, LABEL);
        let side = (
            GAP,
            layout.top + length(rows.len(), 2).min(height - layout.top - GAP),
        );
        canvas.write(side, WritingDirection::Up, 2, INK, &rows);
        self.draw_cells(&mut canvas, &layout, &unanswered);
        match layout.cell >= LABELLED_CELL {
            true => draw_labels(&mut canvas, &layout, &labels),
            false => self.draw_numbers(&mut canvas, &layout),
        }
        draw_scale(&mut canvas, &layout);
        encode(&canvas)
    }

    fn draw_cells(&self, canvas: &mut PixelCanvas, layout: &PictureLayout, unanswered: &[usize]) {
        let PictureLayout { cell, .. } = *layout;
        let size = (layout.columns * cell, layout.rows * cell);
        canvas.fill(layout.left, layout.top, size.0, size.1, 0);
        let none = (0..).zip(unanswered).map(|(class, &count)| {
            // The column behind the last class.
            (class, layout.rows * layout.shared, count)
        });
        let all = self.cells.iter().map(|c| (c.truth, c.predicted, c.count));
        for (truth, told, count) in all.chain(none.filter(|(.., count)| *count > 0)) {
            let x = layout.left + told / layout.shared * cell;
            let y = layout.top + truth / layout.shared * cell;
            let shade = colour(count, self.images[truth]);
            // Of classes that share a cell, the darkest is seen.
            if shade > canvas.pixels[y * canvas.width + x] {
                canvas.fill(x, y, cell, cell, shade);
            }
            let digits = drawn(&count.to_string(), LABEL);
            let long = length(digits.len(), 1);
            if long + 2 < cell && layout.shared == 1 && cell >= LABELLED_CELL {
                let ink = if shade > FULL / 2 { WHITE } else { INK };
                let place = (x + (cell - long) / 2, y + (cell - LINE).div_ceil(2));
                canvas.write(place, WritingDirection::Right, 1, ink, &digits);
            }
        }
        if cell >= LABELLED_CELL {
            for line in 0..=layout.columns {
                canvas.fill(layout.left + line * cell, layout.top, 1, size.1 + 1, LINES);
            }
            for line in 0..=layout.rows {
                canvas.fill(layout.left, layout.top + line * cell, size.0 + 1, 1, LINES);
            }
        }
    }

    /// The numbers of some classes, at round distances.
    fn draw_numbers(&self, canvas: &mut PixelCanvas, layout: &PictureLayout) {
        let room = 4 * LINE * layout.shared / layout.cell;
        let mut steps = (0..9).flat_map(|power| [1, 2, 5].map(|n| n * 10_usize.pow(power)));
        let step = steps.find(|step| *step >= room).unwrap_or(room);
        for class in (0..self.classes.len()).step_by(step.max(1)) {
            let digits = drawn(&class.to_string(), LABEL);
            let at = class / layout.shared * layout.cell;
            let long = length(digits.len(), 1);
            let side = (layout.left - 4 - long, layout.top + at);
            canvas.write(side, WritingDirection::Right, 1, INK, &digits);
            let above = (layout.left + at, layout.top - 4);
            canvas.write(above, WritingDirection::Up, 1, INK, &digits);
        }
    }
}

fn draw_labels(canvas: &mut PixelCanvas, layout: &PictureLayout, labels: &[Vec<char>]) {
    let PictureLayout { cell, scale, .. } = *layout;
    let across = cell.saturating_sub(LINE * scale - scale) / 2;
    for (at, label) in labels.iter().enumerate() {
        let above = (layout.left + at * cell + across, layout.top - 4);
        canvas.write(above, WritingDirection::Up, scale, INK, label);
        if at < layout.rows {
            let long = length(label.len(), scale);
            let side = (layout.left - 4 - long, layout.top + at * cell + across);
            canvas.write(side, WritingDirection::Right, scale, INK, label);
        }
    }
}

/// The colours of the shares, with their numbers.
fn draw_scale(canvas: &mut PixelCanvas, layout: &PictureLayout) {
    let (x, y) = (layout.right() + 2 * GAP, layout.top);
    for share in 0..=FULL {
        canvas.fill(x, y + usize::from(FULL - share) * 2, BAR.0, 2, share);
    }
    for (share, text) in [
        (100, "100 % of the class"),
        (75, "75 %"),
        (50, "50 %"),
        (25, "25 %"),
        (0, "0 %"),
    ] {
        let height = y + (usize::from(FULL) - share) * 2;
        let place = (x + BAR.0 + STEP, height.saturating_sub(LINE / 2).max(y));
        canvas.print(place, 1, INK, text);
    }
    if layout.shared > 1 {
        let place = (x, y + BAR.1 + LINE);
        let text = format!("{} classes a pixel", layout.shared);
        canvas.print(place, 1, INK, &text);
    }
}

fn encode(canvas: &PixelCanvas) -> io::Result<Vec<u8>> {
    let size = |pixels: usize| u32::try_from(pixels).map_err(io::Error::other);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, size(canvas.width)?, size(canvas.height)?);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette());
    encoder.add_text_chunk(MARK.0.to_owned(), MARK.1.to_owned())?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&canvas.pixels)?;
    writer.finish()?;
    Ok(bytes)
}
