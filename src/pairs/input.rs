//! The text of a list, unpacked while it is read.
//!
//! Whether a file is compressed with gzip or zstd is seen from its first bytes: downloads are often unpacked
//! on the way and keep their name.

use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use fs_err::File;

use crate::disk;

/// How many bytes of text any compressed file may hold.
const FREE_BYTES: u64 = 64 << 20;
/// How many bytes of text a compressed file may hold for each of its own, beyond [`FREE_BYTES`]. Lists come to 20; gzip
/// reaches a thousand with nothing but zeros, zstd thirty thousand.
const MOST_TIMES: u64 = 1_000;

/// The compressions that are read: the first bytes, the name, the ending of names.
pub(super) const PACKINGS: [(&[u8], &str, &str); 2] = [
    (b"\x1F\x8B", "gzip", "gz"),
    (b"\x28\xB5\x2F\xFD", "zstd", "zst"),
];

/// The text of a list.
pub(super) type ListText = BufReader<ListInput>;

/// The bytes of a list, unpacked.
pub(super) struct ListInput {
    bytes: Box<dyn Read + Send>,
    path: PathBuf,
    packing: Option<&'static str>,
    read: u64,
    most: u64,
}

/// Opens a list.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn open(path: &Path) -> io::Result<ListText> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut bytes = BufReader::new(file);
    let head = bytes.fill_buf()?;
    let packing = PACKINGS.iter().find(|(magic, ..)| head.starts_with(magic));
    let packing = packing.map(|(_, name, _)| *name);
    let input = ListInput {
        bytes: match packing {
            Some("gzip") => Box::new(MultiGzDecoder::new(bytes)),
            Some(_) => Box::new(zstd::Decoder::with_buffer(bytes)?),
            None => Box::new(bytes),
        },
        path: path.to_owned(),
        packing,
        read: 0,
        most: FREE_BYTES.saturating_add(length.saturating_mul(MOST_TIMES)),
    };
    Ok(BufReader::new(input))
}

impl Read for ListInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(packing) = self.packing else {
            return self.bytes.read(buffer);
        };
        let path = self.path.display();
        let bad = |what: String| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        match self.bytes.read(buffer) {
            Ok(more) => {
                self.read += more as u64;
                match self.read > self.most {
                    true => bad(format!(
                        "{path}: compressed with {packing}, unpacks to over {} bytes, which is more than any list \
                         of its size",
                        self.most
                    )),
                    false => Ok(more),
                }
            }
            Err(error)
                if error.kind() == io::ErrorKind::Interrupted || disk::is_exhausted(&error) =>
            {
                Err(error)
            }
            Err(error) => bad(format!(
                "{path}: compressed with {packing}, damaged or cut off after {} bytes of its text: {error}",
                self.read
            )),
        }
    }
}

impl ListInput {
    /// Whether the file is compressed.
    pub(super) fn is_packed(&self) -> bool {
        self.packing.is_some()
    }
}

/// Whether an error says that a file is damaged, not that it cannot be read.
pub(super) fn is_damage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), bytes).unwrap();
        let mut text = Vec::new();
        open(file.path())?.read_to_end(&mut text)?;
        Ok(text)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(text).unwrap();
        gz.finish().unwrap()
    }

    #[test]
    fn text_is_the_same_in_every_packing_and_in_several_members() {
        let text = b"some text ".repeat(10_000);
        let zst = zstd::encode_all(&text[..], 3).unwrap();
        for packed in [&text[..], &gzip(&text), &zst] {
            assert_eq!(read(packed).unwrap(), text);
        }
        // As `cat a.gz b.gz` and pigz write.
        assert_eq!(
            read(&[gzip(&text), gzip(b"end")].concat()).unwrap().len(),
            text.len() + 3
        );
        assert_eq!(read(b"").unwrap(), b"");
    }

    #[test]
    fn a_cut_or_changed_file_says_where() {
        let text: Vec<u8> = (0_u32..100_000)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        for packed in [gzip(&text), zstd::encode_all(&text[..], 3).unwrap()] {
            let error = read(&packed[..packed.len() / 2]).unwrap_err();
            assert!(is_damage(&error), "{error}");
            let said = error.to_string();
            assert!(
                said.contains("cut off after") && !said.contains("after 0 bytes"),
                "{said}"
            );
        }
    }

    #[test]
    fn a_file_that_unpacks_to_far_more_than_a_list_is_refused() {
        let bomb = zstd::encode_all(io::repeat(0).take(300 << 20), 1).unwrap();
        let said = read(&bomb).unwrap_err().to_string();
        assert!(said.contains("unpacks to over"), "{said}");
    }
}
