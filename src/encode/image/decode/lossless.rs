//! Bounds the memory of the prefix codes of a lossless WebP image, which its decoder builds all at once.
//!
//! An image may have up to 65,536 groups of five codes. Each takes a table of kilobytes once it is
//! built, and a few bytes in the file, so that megabytes become gigabytes. How many there are is the
//! largest value in a small image that precedes them. It is read here without storing pixels:
//! back references and the colour cache only repeat earlier literals, so the largest value is among
//! the literal pixels. The names are those of the WebP lossless bitstream specification.

/// Bytes per symbol that a group takes besides its tables: two tree nodes.
const SYMBOL: u64 = 32;
/// Bytes of the largest table of a code.
const TABLE: u64 = 4 << 10;
/// Symbols of the codes for red, blue, alpha and distances.
const OTHER_SYMBOLS: [usize; 4] = [256, 256, 256, 40];
/// The order in which the code length code lengths are stored.
const LENGTH_ORDER: [usize; 19] = [
    17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
];

/// An upper bound of the bytes of an image's prefix codes; `None` when its data ends or is invalid
/// before them, where the decoder fails as well. `size` is that of data without a header, such
/// as transparency.
pub(super) fn code_bytes(data: &[u8], size: Option<(u32, u32)>) -> Option<u64> {
    let mut bits = BitReader { data, at: 0 };
    let (mut width, height) = match size {
        Some(size) => size,
        None => {
            // The signature, two sides less 1, and a flag with the version.
            bits.read(8)?;
            let size = (bits.read(14)? + 1, bits.read(14)? + 1);
            bits.read(4)?;
            size
        }
    };
    // Each kind of transform comes at most once.
    let mut transforms = 0;
    while bits.read(1)? == 1 {
        transforms += 1;
        if transforms > 4 {
            return None;
        }
        match bits.read(2)? {
            0 | 1 => {
                let block = bits.read(3)? + 2;
                bits.image(blocks(width, block), blocks(height, block))?;
            }
            2 => {}
            _ => {
                let colors = bits.read(8)? + 1;
                bits.image(colors, 1)?;
                // Few colours are packed several to a pixel, which makes the coded picture narrower.
                let packed = match colors {
                    ..=2 => 3,
                    3..=4 => 2,
                    5..=16 => 1,
                    _ => 0,
                };
                width = blocks(width, packed);
            }
        }
    }
    let cache = bits.cache()?;
    let groups = match bits.read(1)? {
        0 => 1,
        _ => {
            let block = bits.read(3)? + 2;
            // Group numbers begin at 0, so there is one more than the largest.
            1 + u64::from(bits.image(blocks(width, block), blocks(height, block))?)
        }
    };
    let symbols = (280 + cache + OTHER_SYMBOLS.iter().sum::<usize>()) as u64;
    Some(groups * (5 * TABLE + SYMBOL * symbols))
}

fn blocks(side: u32, bits: u32) -> u32 {
    side.div_ceil(1 << bits)
}

/// Reads integers, least significant bit first.
struct BitReader<'a> {
    data: &'a [u8],
    /// In bits.
    at: usize,
}

impl BitReader<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = *self.data.get(self.at / 8)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Some(bit.into())
    }

    fn read(&mut self, bits: u32) -> Option<u32> {
        let mut value = 0;
        for place in 0..bits {
            value |= self.bit()? << place;
        }
        Some(value)
    }

    /// The colour cache: recent colours that symbols refer to.
    fn cache(&mut self) -> Option<usize> {
        match self.bit()? {
            0 => Some(0),
            _ => match self.read(4)? {
                bits @ 1..=11 => Some(1 << bits),
                _ => None,
            },
        }
    }

    /// Decodes an image of one group; returns the largest value of its red and green channels together.
    fn image(&mut self, width: u32, height: u32) -> Option<u32> {
        let cache = self.cache()?;
        let green = self.code(280 + cache)?;
        let mut others = Vec::with_capacity(OTHER_SYMBOLS.len());
        for symbols in OTHER_SYMBOLS {
            others.push(self.code(symbols)?);
        }
        let [red, blue, alpha, distance] = others.as_slice() else {
            return None;
        };
        let pixels = u64::from(width) * u64::from(height);
        let (mut done, mut largest) = (0u64, 0);
        while done < pixels {
            let before = self.at;
            match green.symbol(self)? {
                green @ 0..=255 => {
                    // A group's number is in the red and green channels of the small picture.
                    largest = largest.max(red.symbol(self)? << 8 | green);
                    blue.symbol(self)?;
                    alpha.symbol(self)?;
                    done += 1;
                    // Codes of a single symbol take no bits, so all remaining pixels are the same.
                    if self.at == before {
                        break;
                    }
                }
                length @ 256..=279 => {
                    done += u64::from(self.extended(length - 256)?);
                    let distance = distance.symbol(self)?;
                    self.extended(distance)?;
                }
                // A colour of the cache was literal before, so it is no larger.
                _ => done += 1,
            }
        }
        Some(largest)
    }

    /// The length or distance encoded by a symbol and its extra bits.
    fn extended(&mut self, symbol: u32) -> Option<u32> {
        match symbol {
            0..4 => return Some(symbol + 1),
            4..40 => {}
            _ => return None,
        }
        let extra = (symbol - 2) >> 1;
        Some(((2 + (symbol & 1)) << extra) + self.read(extra)? + 1)
    }

    fn code(&mut self, symbols: usize) -> Option<PrefixCode> {
        if self.bit()? == 1 {
            let two = self.bit()? == 1;
            let bits = if self.bit()? == 1 { 8 } else { 1 };
            let zero = self.read(bits)?;
            return Some(match two {
                true => PrefixCode::Two([zero, self.read(8)?]),
                false => PrefixCode::One(zero),
            });
        }
        let count = 4 + self.read(4)? as usize;
        let mut lengths = [0; 19];
        // At most 4 + 15 lengths, which is all of the order.
        for &place in LENGTH_ORDER.get(..count)? {
            lengths[place] = self.read(3)? as u8;
        }
        let of_lengths = PrefixCode::of(&lengths)?;
        let mut left = match self.bit()? {
            0 => symbols,
            _ => {
                let bits = 2 + 2 * self.read(3)?;
                2 + self.read(bits)? as usize
            }
        };
        let mut lengths: Vec<u8> = Vec::with_capacity(symbols);
        // 8 is the previous length at the start, as the specification says.
        let mut previous = 8;
        while lengths.len() < symbols && left > 0 {
            left -= 1;
            let (length, times) = match of_lengths.symbol(self)? {
                length @ 0..=15 => (length as u8, 1),
                16 => (previous, 3 + self.read(2)?),
                17 => (0, 3 + self.read(3)?),
                _ => (0, 11 + self.read(7)?),
            };
            if length != 0 {
                previous = length;
            }
            lengths.extend(std::iter::repeat_n(length, times as usize));
        }
        PrefixCode::of(lengths.get(..symbols.min(lengths.len()))?)
    }
}

/// A canonical prefix code.
enum PrefixCode {
    One(u32),
    Two([u32; 2]),
    Many {
        /// How many codes have each length.
        counts: [u32; 16],
        /// The symbols by length, then by number.
        symbols: Vec<u16>,
    },
}

impl PrefixCode {
    fn of(lengths: &[u8]) -> Option<Self> {
        let mut counts = [0; 16];
        let mut symbols: Vec<u16> = Vec::new();
        // Code lengths are at most 15 by the specification.
        for length in 1..16u8 {
            let same = (0u16..).zip(lengths).filter(|(_, l)| **l == length);
            let before = symbols.len();
            symbols.extend(same.map(|(symbol, _)| symbol));
            counts[usize::from(length)] = (symbols.len() - before) as u32;
        }
        // A single symbol takes no bits at all.
        match symbols[..] {
            [] => None,
            [one] => Some(Self::One(one.into())),
            _ => Some(Self::Many { counts, symbols }),
        }
    }

    fn symbol(&self, bits: &mut BitReader<'_>) -> Option<u32> {
        let (counts, symbols) = match self {
            Self::One(symbol) => return Some(*symbol),
            Self::Two(symbols) => return Some(symbols[bits.bit()? as usize]),
            Self::Many { counts, symbols } => (counts, symbols),
        };
        let (mut code, mut first, mut place) = (0u32, 0u32, 0u32);
        for &count in &counts[1..] {
            code |= bits.bit()?;
            if let Some(offset) = code.checked_sub(first).filter(|offset| *offset < count) {
                return symbols
                    .get((place + offset) as usize)
                    .map(|s| u32::from(*s));
            }
            place += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes numbers whose lowest bit comes first.
    #[derive(Default)]
    struct BitWriter(Vec<bool>);

    impl BitWriter {
        fn put(&mut self, value: u32, bits: u32) -> &mut Self {
            self.0
                .extend((0..bits).map(|place| value >> place & 1 == 1));
            self
        }

        fn bytes(&self) -> Vec<u8> {
            let byte = |bits: &[bool]| {
                let places = bits.iter().enumerate();
                places.fold(0, |byte, (place, bit)| byte | u8::from(*bit) << place)
            };
            self.0.chunks(8).map(byte).collect()
        }

        /// A code of one symbol.
        fn one(&mut self, symbol: u32) -> &mut Self {
            self.put(0b101, 3).put(symbol, 8)
        }
    }

    #[test]
    fn the_largest_number_of_a_group_tells_how_many_there_are() {
        for (red, green, groups) in [(0, 0, 1), (0, 6, 7), (255, 255, 65_536)] {
            let mut bits = BitWriter::default();
            bits.put(0x2F, 8).put(9, 14).put(9, 14).put(0, 4);
            // No transform, no cache, groups in blocks of 4 x 4: a picture of 3 x 3.
            bits.put(0, 1).put(0, 1).put(1, 1).put(0, 3);
            bits.put(0, 1).one(green).one(red).one(0).one(0).one(0);
            let bytes = code_bytes(&bits.bytes(), None).unwrap();
            assert_eq!(bytes, groups * (5 * TABLE + SYMBOL * (280 + 808)));
        }
        assert_eq!(code_bytes(b"\x2F\0\0", None), None);
    }

    #[test]
    fn what_an_encoder_writes_is_stepped_over() {
        // Predictors, colours and groups of their own, as an encoder chooses them.
        let picture = image::RgbImage::from_fn(300, 200, |x, y| {
            image::Rgb([(x * y) as u8, (x ^ y) as u8, y as u8])
        });
        let mut file = std::io::Cursor::new(Vec::new());
        picture
            .write_to(&mut file, image::ImageFormat::WebP)
            .unwrap();
        let file = file.into_inner();
        let bytes = code_bytes(&file[20..], None).unwrap();
        assert!((1..64 << 20).contains(&bytes), "{bytes}");
        for seed in ["lossless.webp", "lossless-alpha.webp"] {
            let path = format!(
                "{}/tests/bad_pictures/seeds/{seed}",
                env!("CARGO_MANIFEST_DIR")
            );
            let file = fs_err::read(path).unwrap();
            assert!(code_bytes(&file[20..], None).unwrap() < 1 << 20);
        }
    }
}
