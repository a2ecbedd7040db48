//! Parses the markers of a JPEG before anything is decoded: size, coding, and the scans.

/// More scans than any encoder writes; each costs a pass over the picture.
pub(super) const MAX_SCANS: usize = 256;
/// The value in [`ScanCoverage::precision`] for a coefficient that is in no scan.
const MISSING: u8 = u8::MAX;

/// The header of a JPEG, from its markers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JpegHeader {
    /// Width and height in pixels, of the first frame.
    pub size: (u32, u32),
    /// Start-of-frame marker, which gives the kind of coding.
    pub(super) kind: u8,
    /// Bits of a sample.
    pub(super) bits: u8,
    pub(super) components: Vec<JpegComponent>,
    /// Whether an end-of-image marker follows the coded data.
    pub(super) ended: bool,
    /// How many bytes of the file belong to the picture.
    pub(super) length: usize,
    /// Why the scans do not form a complete image, as far as their headers tell.
    pub(super) lacking: Option<String>,
}

/// A colour component of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JpegComponent {
    pub(super) id: u8,
    /// Sampling factors, horizontal and vertical.
    pub(super) sampling: (u8, u8),
}

/// What the scans so far have coded.
#[derive(Debug)]
struct ScanCoverage {
    count: usize,
    progressive: bool,
    /// For each component and coefficient the lowest known bit; [`MISSING`] before the first scan.
    precision: Vec<[u8; 64]>,
}

impl JpegHeader {
    /// Parses the segments and scans; `None` when they are invalid, or end before the first
    /// scan.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut frame: Option<(u8, &[u8])> = None;
        let mut scans: Option<ScanCoverage> = None;
        let mut components = Vec::new();
        let (mut at, mut length, mut ended) = (2, 0, false);
        loop {
            // Data after a complete scan need not be valid.
            let Some((marker, segment)) = next_segment(bytes, &mut at) else {
                scans.as_ref()?;
                break;
            };
            match marker {
                0xD9 if scans.is_some() => {
                    (length, ended) = (at, true);
                    break;
                }
                0xD9 => return None,
                0xDA => {
                    let (kind, _) = frame?;
                    let scans =
                        scans.get_or_insert_with(|| ScanCoverage::new(kind, components.len()));
                    scans.meet(&components, segment);
                    at = after_coded_data(bytes, at);
                    length = at;
                    if scans.count > MAX_SCANS {
                        break;
                    }
                }
                // SOF0..SOF15, without DHT, JPG and DAC, which lie among them.
                0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) && frame.is_none() => {
                    frame = Some((marker, segment));
                    components = JpegComponent::all(segment);
                }
                _ => {}
            }
        }
        if !ended {
            length -= filled_up(&bytes[..length]);
        }
        let (kind, frame) = frame?;
        let size = (u32::from(word(frame, 3)?), u32::from(word(frame, 1)?));
        Some(Self {
            size,
            kind,
            bits: *frame.first()?,
            components,
            ended,
            length,
            lacking: scans?.lacking(ended),
        })
    }

    /// The most bytes that decoding takes, file and pixels included; measured at up to 0.9 of it.
    pub(crate) fn cost(&self, file: usize) -> u64 {
        let pixels = u64::from(self.size.0) * u64::from(self.size.1);
        let (across, down) = self.largest_sampling();
        let units =
            u64::from(self.size.0).div_ceil(8 * across) * u64::from(self.size.1).div_ceil(8 * down);
        let blocks = |c: &JpegComponent| u64::from(c.sampling.0) * u64::from(c.sampling.1);
        let samples = 64 * units * self.components.iter().map(blocks).sum::<u64>();
        // Coefficients take two bytes where a sample takes one.
        let coefficients = match is_progressive(self.kind) {
            true => 2 * samples + samples / 64,
            false => 0,
        };
        // Four colours and what is made of them, or three and rows of scratch.
        let output = pixels * if self.components.len() > 3 { 6 } else { 4 };
        file as u64 + samples + coefficients + output
    }

    /// Whether a frame is baseline, extended or progressive, of 8 bits, and grey or three colours of
    /// which the last two are stored in full, half or quarter size.
    pub(super) fn is_ordinary(&self) -> bool {
        let samplings: Vec<_> = self.components.iter().map(|c| c.sampling).collect();
        let usual = match samplings[..] {
            [_] => true,
            [first, (1, 1), (1, 1)] => matches!(first, (1, 1) | (2, 1) | (1, 2) | (2, 2)),
            _ => false,
        };
        matches!(self.kind, 0xC0..=0xC2) && self.bits == 8 && usual
    }

    pub(super) fn largest_sampling(&self) -> (u64, u64) {
        let most = |of: fn(&JpegComponent) -> u8| self.components.iter().map(of).max();
        let across = most(|c| c.sampling.0).unwrap_or(1).max(1);
        let down = most(|c| c.sampling.1).unwrap_or(1).max(1);
        (across.into(), down.into())
    }

    /// How many pixel rows the first `decoded` of `total` coding units (MCUs) fill.
    pub(super) fn rows(&self, decoded: usize, total: usize) -> u64 {
        let (across, down) = self.largest_sampling();
        let (width, height) = (u64::from(self.size.0), u64::from(self.size.1));
        let in_row = width.div_ceil(8 * across);
        let rows = match in_row * height.div_ceil(8 * down) == total as u64 {
            true => decoded as u64 / in_row.max(1) * 8 * down,
            // A scan of one component counts its own blocks.
            false => decoded as u64 * height / (total as u64).max(1),
        };
        rows.min(height.saturating_sub(1))
    }
}

impl JpegComponent {
    fn all(frame: &[u8]) -> Vec<Self> {
        let count = frame.get(5).map_or(0, |&n| usize::from(n));
        let rest = frame.get(6..).unwrap_or(&[]).chunks_exact(3);
        let components = rest.take(count).map(|c| Self {
            id: c[0],
            sampling: (c[1] >> 4, c[1] & 15),
        });
        components.collect()
    }
}

impl ScanCoverage {
    fn new(kind: u8, components: usize) -> Self {
        Self {
            count: 0,
            progressive: is_progressive(kind),
            precision: vec![[MISSING; 64]; components],
        }
    }

    /// Records what a scan adds.
    fn meet(&mut self, components: &[JpegComponent], header: &[u8]) {
        self.count += 1;
        let count = header.first().map_or(0, |&n| usize::from(n));
        let (Some(named), Some(&[first, last, bits])) = (
            header.get(1..1 + 2 * count),
            header.get(1 + 2 * count..4 + 2 * count),
        ) else {
            return;
        };
        // A non-progressive scan codes all of a component, whatever its parameters say.
        let (range, bits) = match self.progressive {
            true => (usize::from(first)..usize::from(last) + 1, bits & 15),
            false => (0..64, 0),
        };
        for id in named.chunks_exact(2).map(|pair| pair[0]) {
            let place = components.iter().position(|c| c.id == id);
            let known = place.and_then(|place| self.precision.get_mut(place));
            let coefficients = known.and_then(|known| known.get_mut(range.clone()));
            coefficients.into_iter().flatten().for_each(|k| *k = bits);
        }
    }

    fn lacking(&self, ended: bool) -> Option<String> {
        let all = self.precision.len();
        let coded = self.precision.iter().filter(|known| known[0] != MISSING);
        let coded = coded.count();
        if coded < all {
            return Some(format!("{coded} of its {all} colour components are coded"));
        }
        let refined = self.precision.iter().flatten().all(|&bits| bits == 0);
        (!ended && !refined).then(|| {
            let count = self.count;
            format!("it ends after scan {count}, and later ones with its details are missing")
        })
    }
}

fn is_progressive(kind: u8) -> bool {
    matches!(kind, 0xC2 | 0xC6 | 0xCA | 0xCE)
}

/// The next marker with its segment, which is empty where a marker has none; `at` is left behind it.
fn next_segment<'a>(bytes: &'a [u8], at: &mut usize) -> Option<(u8, &'a [u8])> {
    loop {
        // Bytes between segments are skipped, as libjpeg does.
        while *bytes.get(*at)? != 0xFF {
            *at += 1;
        }
        let marker = *bytes.get(*at + 1)?;
        match marker {
            0xFF => *at += 1,
            0x00 | 0x01 | 0xD0..=0xD8 => *at += 2,
            0xD9 => {
                *at += 2;
                return Some((marker, &[]));
            }
            _ => {
                let length = usize::from(word(bytes, *at + 2)?);
                let segment = bytes.get(*at + 4..*at + 2 + length)?;
                *at += 2 + length;
                return Some((marker, segment));
            }
        }
    }
}

/// The position of the marker that ends the coded data beginning at `at`. Inside coded data FF is byte-stuffed.
fn after_coded_data(bytes: &[u8], at: usize) -> usize {
    let data = bytes.get(at..).unwrap_or(&[]);
    let ends = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF | 0xD0..=0xD7);
    data.windows(2)
        .position(ends)
        .map_or(bytes.len(), |n| at + n)
}

/// How many zeros at the end of a file without an end marker are not image data, but what an incomplete
/// download left unwritten: they would be decoded as rows. As many as a last row may end with are kept.
fn filled_up(bytes: &[u8]) -> usize {
    const DATA: usize = 2;
    const FILLING: usize = 16;
    let zeros = bytes.iter().rev().take_while(|&&byte| byte == 0).count();
    if zeros < FILLING { 0 } else { zeros - DATA }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let &[high, low] = bytes.get(at..at + 2)? else {
        return None;
    };
    Some(u16::from_be_bytes([high, low]))
}
