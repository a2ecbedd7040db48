//! Pillow's resampler, bit for bit, on 8-bit RGB.
//!
//! Encoders were trained on Pillow's pixels, so equality with it is a requirement. The
//! algorithm (`Resample.c` of Pillow; the same in its documentation's words: "convolution-based
//! resampling with a support that grows with the reduction"):
//!
//! 1. the weight of source pixel `j` for output pixel `i` is the filter at the distance of their
//!    centres, the filter stretched by the scale when reducing; weights of one output sum to 1;
//! 2. weights become integers of 22 fractional bits, rounded half away from zero;
//! 3. a horizontal pass over the rows that are needed, rounded and clipped to 8 bits, and then a
//!    vertical pass on its result, rounded and clipped again. A pass that would change nothing is
//!    left out.
//!
//! Pillow did so up to version 12, with which the encoders in use were trained. Version 13 begins with
//! the vertical pass where the height loses more than twice the pixels that the width loses; there its
//! pixels differ by the rounding between the passes.
//!
//! `NEAREST` takes the source pixel under the output pixel's centre instead.
//!
//! Only the pixels inside a wanted box are computed. Each output pixel depends on its own weights
//! alone, so the result equals a full resize followed by a crop.

use std::ops::Range;

use image::RgbImage;

/// The fractional bits of a weight: 32, less 8 for the pixel and 2 for overshoot.
const PRECISION: u32 = 32 - 8 - 2;

/// A resampling filter, numbered as Pillow and `preprocessor_config.json` number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResampleFilter {
    /// 0: the pixel under the centre.
    Nearest,
    /// 1: windowed sinc of three lobes.
    Lanczos,
    /// 2: a triangle.
    Bilinear,
    /// 3: Keys' cubic with a = -0.5.
    Bicubic,
    /// 4: the mean of the pixels covered.
    Box,
    /// 5: a Hamming window over one lobe of sinc.
    Hamming,
}

impl ResampleFilter {
    /// The filter of Pillow's number `code`.
    pub(crate) fn from_code(code: u64) -> Option<Self> {
        [
            Self::Nearest,
            Self::Lanczos,
            Self::Bilinear,
            Self::Bicubic,
            Self::Box,
            Self::Hamming,
        ]
        .get(usize::try_from(code).ok()?)
        .copied()
    }

    /// The name in JSON and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Lanczos => "lanczos",
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
            Self::Box => "box",
            Self::Hamming => "hamming",
        }
    }

    /// Half the width of the filter, in source pixels at scale 1.
    fn support(self) -> f64 {
        match self {
            Self::Nearest => 0.0,
            Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The filter's value at distance `x`.
    fn at(self, x: f64) -> f64 {
        use std::f64::consts::PI;
        match self {
            Self::Nearest => 0.0,
            // Half open, as in Pillow: a source pixel exactly between two output pixels counts for one of them.
            Self::Box => f64::from(x > -0.5 && x <= 0.5),
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
            Self::Hamming => {
                let x = x.abs();
                if x == 0.0 {
                    1.0
                } else if x >= 1.0 {
                    0.0
                } else {
                    let x = x * PI;
                    x.sin() / x * (0.54 + 0.46 * x.cos())
                }
            }
            Self::Bicubic => {
                // Horner's form in Pillow's order; another order of the operations would round differently.
                const A: f64 = -0.5;
                let x = x.abs();
                if x < 1.0 {
                    ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
                } else if x < 2.0 {
                    (((x - 5.0) * x + 8.0) * x - 4.0) * A
                } else {
                    0.0
                }
            }
            Self::Lanczos => {
                // Equal to the limit at 0, where the quotient would be 0 / 0.
                let sinc = |x: f64| {
                    if x == 0.0 {
                        1.0
                    } else {
                        (x * PI).sin() / (x * PI)
                    }
                };
                if (-3.0..3.0).contains(&x) {
                    sinc(x) * sinc(x / 3.0)
                } else {
                    0.0
                }
            }
        }
    }
}

/// A box of output pixels: `x` and `y` ranges inside the resized picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CropWindow {
    /// Columns.
    pub x: Range<u32>,
    /// Rows.
    pub y: Range<u32>,
}

/// Resizes `source` to `width` x `height` and returns the pixels of `window`, which must lie inside
/// (it is cut to the resized picture otherwise).
pub(crate) fn resize(
    source: &RgbImage,
    width: u32,
    height: u32,
    filter: ResampleFilter,
    window: &CropWindow,
) -> RgbImage {
    // Cutting keeps every later index inside the picture, whatever box a model's settings ask for.
    let window = CropWindow {
        x: window.x.start.min(width)..window.x.end.min(width),
        y: window.y.start.min(height)..window.y.end.min(height),
    };
    if source.width() == 0 || source.height() == 0 || window.x.is_empty() || window.y.is_empty() {
        return RgbImage::new(window.x.len() as u32, window.y.len() as u32);
    }
    // At the same size every filter is the identity, and copying pixels cannot round.
    if filter == ResampleFilter::Nearest || (width, height) == source.dimensions() {
        return pick(source, width, height, &window);
    }
    // Rows come first, because only the source rows that they need go through the horizontal pass.
    let rows = (height != source.height())
        .then(|| ResampleWeights::new(source.height(), height, filter, window.y.clone()));
    let needed = rows
        .as_ref()
        .map_or(window.y.clone(), ResampleWeights::span);
    let columns = (width != source.width())
        .then(|| ResampleWeights::new(source.width(), width, filter, window.x.clone()));
    let across = horizontal(source, columns.as_ref(), &window.x, needed.clone());
    match rows {
        None => across,
        Some(rows) => vertical(&across, &rows, needed.start),
    }
}

/// The source pixel under each output pixel's centre.
fn pick(source: &RgbImage, width: u32, height: u32, window: &CropWindow) -> RgbImage {
    let columns = centres(source.width(), width, &window.x);
    let rows = centres(source.height(), height, &window.y);
    let stride = source.width() as usize * 3;
    let pixels: &[u8] = source.as_raw();
    let mut out = Vec::with_capacity(columns.len() * rows.len() * 3);
    for &y in &rows {
        // Both `centres` are cut to the last pixel, so that no slice reaches past the picture.
        let row = &pixels[y * stride..][..stride];
        for &x in &columns {
            out.extend_from_slice(&row[x * 3..x * 3 + 3]);
        }
    }
    image_of(window.x.len(), window.y.len(), out)
}

/// Steps are added up one by one, as Pillow does: a product would round differently.
fn centres(from: u32, to: u32, wanted: &Range<u32>) -> Vec<usize> {
    let step = f64::from(from) / f64::from(to);
    let last = from as usize - 1;
    let mut at = step * 0.5;
    let mut out = Vec::with_capacity(wanted.len());
    // Positions before the wanted ones are stepped through too, for the sum must have Pillow's rounding.
    for i in 0..wanted.end {
        if i >= wanted.start {
            // The rounding of many steps can come to rest at `from`, one past the last pixel.
            out.push((at as usize).min(last));
        }
        at += step;
    }
    out
}

/// For each wanted output position: which source positions count, and how much.
struct ResampleWeights {
    /// First source position and number of weights.
    spans: Vec<(usize, usize)>,
    /// `longest` weights a position, the tail unused.
    weights: Vec<i32>,
    longest: usize,
}

impl ResampleWeights {
    fn new(from: u32, to: u32, filter: ResampleFilter, wanted: Range<u32>) -> Self {
        let scale = f64::from(from) / f64::from(to);
        // Enlarging leaves the filter at the source's scale; only reducing widens it.
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let longest = (support.ceil() as usize) * 2 + 1;
        let inverse = 1.0 / stretch;
        let mut spans = Vec::with_capacity(wanted.len());
        let mut weights = vec![0i32; wanted.len() * longest];
        let mut exact = vec![0f64; longest];
        for (i, slot) in wanted.zip(weights.chunks_exact_mut(longest)) {
            let centre = (f64::from(i) + 0.5) * scale;
            // The casts cut towards zero, as C's casts in Pillow do; floor would differ for negative bounds.
            let first = ((centre - support + 0.5) as i64).max(0);
            let end = ((centre + support + 0.5) as i64).min(i64::from(from));
            let n = ((end - first).max(0) as usize).min(longest);
            let mut sum = 0.0;
            for (j, w) in exact[..n].iter_mut().enumerate() {
                *w = filter.at(((j as i64 + first) as f64 - centre + 0.5) * inverse);
                sum += *w;
            }
            for (w, out) in exact[..n].iter().zip(slot.iter_mut()) {
                // Weights cut off at an edge still sum to 1; Pillow leaves a sum of 0 as it is.
                let w = if sum != 0.0 { w / sum } else { *w };
                let scaled = w * f64::from(1u32 << PRECISION);
                // Half away from zero: adding 0.5 alone would round negative weights towards zero.
                *out = if w < 0.0 {
                    (scaled - 0.5) as i32
                } else {
                    (scaled + 0.5) as i32
                };
            }
            spans.push((first as usize, n));
        }
        Self {
            spans,
            weights,
            longest,
        }
    }

    /// All source positions that count for any wanted one.
    fn span(&self) -> Range<u32> {
        let start = self.spans.iter().map(|s| s.0).min().unwrap_or(0);
        let end = self.spans.iter().map(|s| s.0 + s.1).max().unwrap_or(0);
        start as u32..end as u32
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.spans
            .iter()
            .zip(self.weights.chunks_exact(self.longest))
            .map(|(&(first, n), w)| (first, &w[..n]))
    }
}

// Each sum begins with one half of a unit, so that the shift rounds instead of cutting.
const HALF: i32 = 1 << (PRECISION - 1);

fn round_and_clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// The `rows` of `source`, resampled along x; cut to `keep` where there is nothing to resample.
fn horizontal(
    source: &RgbImage,
    columns: Option<&ResampleWeights>,
    keep: &Range<u32>,
    rows: Range<u32>,
) -> RgbImage {
    let stride = source.width() as usize * 3;
    let height = rows.len();
    let width = keep.len();
    let mut out = Vec::with_capacity(width * height * 3);
    let wanted = &source.as_raw()[rows.start as usize * stride..rows.end as usize * stride];
    for row in wanted.chunks_exact(stride) {
        match columns {
            None => out.extend_from_slice(&row[keep.start as usize * 3..keep.end as usize * 3]),
            Some(columns) => {
                for (first, weights) in columns.iter() {
                    // 32 bits suffice: 8 of the pixel, 22 of the weight, 2 for the overshoot of negative lobes.
                    let mut sum = [HALF; 3];
                    let pixels = row[first * 3..(first + weights.len()) * 3].chunks_exact(3);
                    for (pixel, &w) in pixels.zip(weights) {
                        sum[0] += i32::from(pixel[0]) * w;
                        sum[1] += i32::from(pixel[1]) * w;
                        sum[2] += i32::from(pixel[2]) * w;
                    }
                    out.extend_from_slice(&sum.map(round_and_clip));
                }
            }
        }
    }
    image_of(width, height, out)
}

/// `source`, whose first row is row `offset` of the picture, resampled along y.
fn vertical(source: &RgbImage, rows: &ResampleWeights, offset: u32) -> RgbImage {
    let stride = source.width() as usize * 3;
    let pixels: &[u8] = source.as_raw();
    let mut out = Vec::with_capacity(stride * rows.spans.len());
    let mut sums = vec![0i32; stride];
    for (first, weights) in rows.iter() {
        sums.fill(HALF);
        // The rows before `offset` were left out of the horizontal pass.
        let from = (first - offset as usize) * stride;
        for (row, &w) in pixels[from..].chunks_exact(stride).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * w;
            }
        }
        out.extend(sums.iter().map(|&sum| round_and_clip(sum)));
    }
    image_of(source.width() as usize, rows.spans.len(), out)
}

fn image_of(width: usize, height: usize, pixels: Vec<u8>) -> RgbImage {
    RgbImage::from_raw(width as u32, height as u32, pixels).expect("three bytes for each pixel")
}

#[cfg(test)]
mod tests;
