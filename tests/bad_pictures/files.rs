//! Seeds of every format, and tools to take them apart.

/// A seed: its name and its bytes.
pub type Seed = (&'static str, &'static [u8]);

macro_rules! seeds {
    ($($name:literal),* $(,)?) => {
        /// The same drawing in every format and variant.
        pub const SEEDS: &[Seed] = &[$(($name, include_bytes!(concat!("seeds/", $name)))),*];
    };
}

seeds!(
    "baseline.jpg",
    "progressive.jpg",
    "grey.jpg",
    "cmyk.jpg",
    "restarts.jpg",
    "rgb.png",
    "rgba.png",
    "palette.png",
    "grey.png",
    "bit.png",
    "grey16.png",
    "rgb16.png",
    "interlaced.png",
    "animated.png",
    "lossy.webp",
    "lossy-alpha.webp",
    "lossless.webp",
    "lossless-alpha.webp",
    "animated.webp",
    "still.gif",
    "animated.gif",
    "rgb.bmp",
    "palette.bmp",
    "top-down.bmp",
    "rle8.bmp",
);

/// The seed of this name.
pub fn seed(name: &str) -> &'static [u8] {
    SEEDS.iter().find(|(n, _)| *n == name).unwrap().1
}

/// Where a marker `FF code` of a JPEG stands, each time. Coded data has none that are asked for here.
pub fn markers(jpeg: &[u8], code: u8) -> Vec<usize> {
    let pairs = jpeg.windows(2).enumerate();
    pairs
        .filter(|(_, pair)| *pair == [0xFF, code])
        .map(|(at, _)| at)
        .collect()
}

/// A chunk of a PNG or a WebP: its name and its data.
pub type Chunk = ([u8; 4], Vec<u8>);

/// The chunks of a PNG.
pub fn png_chunks(png: &[u8]) -> Vec<Chunk> {
    let (mut at, mut chunks) = (8, Vec::new());
    while at < png.len() {
        let length = u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
        let name = png[at + 4..at + 8].try_into().unwrap();
        chunks.push((name, png[at + 8..at + 8 + length].to_vec()));
        at += 12 + length;
    }
    chunks
}

/// A PNG of these chunks, with the right checksums.
pub fn png(chunks: &[Chunk]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in chunks {
        file.extend((data.len() as u32).to_be_bytes());
        let start = file.len();
        file.extend(name);
        file.extend(data);
        let crc = crc32(&file[start..]);
        file.extend(crc.to_be_bytes());
    }
    file
}

/// The same chunks, `change`d.
pub fn with_chunks(png_file: &[u8], change: impl FnOnce(&mut Vec<Chunk>)) -> Vec<u8> {
    let mut chunks = png_chunks(png_file);
    change(&mut chunks);
    png(&chunks)
}

/// Where the checksum of a chunk stands, the first of this name.
pub fn checksum_of(png: &[u8], name: &[u8; 4]) -> usize {
    let at = png.windows(4).position(|w| w == name).unwrap();
    let length = u32::from_be_bytes(png[at - 4..at].try_into().unwrap()) as usize;
    at + 4 + length
}

/// The file with another byte at this place.
pub fn flipped(file: &[u8], at: usize) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at] ^= 0x55;
    file
}

/// A file of parts.
pub fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A WebP whose own length says something else.
pub fn with_riff_length(webp: &[u8], length: u32) -> Vec<u8> {
    joined(&[&webp[..4], &length.to_le_bytes(), &webp[8..]])
}

/// `length` zeros as a zlib stream that any inflater reads: blocks of one symbol and long repeats.
pub fn zeros_deflated(length: usize) -> Vec<u8> {
    // A zero, then copies of 258 bytes at distance 1 in fixed codes: 13 bits give 258 bytes.
    let mut bits = CodedBits::default();
    bits.put(1, 1);
    bits.put(1, 2);
    bits.put_code(0b0011_0000, 8);
    let copies = (length - 1) / 258;
    for _ in 0..copies {
        bits.put_code(0b1100_0101, 8);
        bits.put_code(0, 5);
    }
    for _ in 0..(length - 1) % 258 {
        bits.put_code(0b0011_0000, 8);
    }
    bits.put_code(0, 7);
    let mut stream = vec![0x78, 0x01];
    stream.extend(bits.finish());
    // Adler-32 of zeros: the first sum stays 1.
    let second = (length % 65_521) as u32;
    stream.extend((second << 16 | 1).to_be_bytes());
    stream
}

#[derive(Default)]
struct CodedBits {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl CodedBits {
    fn put(&mut self, value: u64, bits: u32) {
        self.held |= value << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.bytes.push(self.held as u8);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    /// Codes have their highest bit first.
    fn put_code(&mut self, code: u64, bits: u32) {
        self.put(code.reverse_bits() >> (64 - bits), bits);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.bytes.push(self.held as u8);
        }
        self.bytes
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, &byte: &u8| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| {
            if c & 1 == 1 {
                0xEDB8_8320 ^ (c >> 1)
            } else {
                c >> 1
            }
        })
    };
    !bytes.iter().fold(!0, step)
}
