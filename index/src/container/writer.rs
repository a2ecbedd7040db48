//! Streams sections into a temporary file and renames it when it is complete.

use std::fmt;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3Default;

use super::layout::{
    ALIGN, HEADER_LEN, MAX_SECTIONS, SectionEntry, SectionName, TAIL, align_up, encode_header,
};
use super::medium::TemporaryFile;
use crate::error::{Error, Result};

const BUFFER: usize = 1 << 20;

/// Writes a container by streaming its sections one after another. Nothing is visible until
/// [`finish`](Self::finish), and a writer that is dropped before it leaves nothing behind.
///
/// `finish` atomically replaces an existing file at the destination; readers that have it mapped keep the old
/// one.
pub struct ContainerWriter {
    file: BufWriter<TemporaryFile>,
    destination: PathBuf,
    kind: [u8; 8],
    entries: Vec<SectionEntry>,
    /// The section being written, and the hash of its bytes so far.
    open: Option<(SectionEntry, Box<Xxh3Default>)>,
    position: u64,
}

impl fmt::Debug for ContainerWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerWriter")
            .field("destination", &self.destination)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// Summary of a written container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerSummary {
    /// Length of the file in bytes.
    pub file_bytes: u64,
}

impl ContainerWriter {
    /// Begins a file of `kind` that will be published at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder does not exist or cannot be written.
    pub fn create(path: impl AsRef<Path>, kind: [u8; 8]) -> Result<Self> {
        let destination = path.as_ref().to_owned();
        let temporary = TemporaryFile::beside(&destination)?;
        let mut writer = Self {
            file: BufWriter::with_capacity(BUFFER, temporary),
            destination,
            kind,
            entries: Vec::new(),
            open: None,
            position: 0,
        };
        // The first page is written last: a file that was cut short while it was written has no magic bytes.
        writer.put(&[0; HEADER_LEN])?;
        Ok(writer)
    }

    /// The destination of the file.
    pub fn path(&self) -> &Path {
        &self.destination
    }

    /// Begins a section; it ends where the next begins or the file is finished.
    ///
    /// # Errors
    /// [`Error::Argument`] for an illegal or duplicate name, or one section too many.
    pub fn begin(&mut self, name: impl Into<SectionName>) -> Result<()> {
        let name = name.into();
        // A section that was not ended has no checksum yet.
        self.end()?;
        let used = self.entries.iter().any(|e| e.name == name);
        if !name.is_legal() || used || self.entries.len() == MAX_SECTIONS {
            return Err(Error::Argument {
                what: "section name",
                expected: format!("a new one of 1 to 8 ASCII bytes, at most {MAX_SECTIONS}"),
                found: name.to_string(),
                advice: "choose another name",
            });
        }
        let entry = SectionEntry {
            name,
            offset: self.position,
            len: 0,
            checksum: 0,
        };
        self.open = Some((entry, Box::new(Xxh3Default::new())));
        Ok(())
    }

    /// Appends to the section begun last.
    ///
    /// # Errors
    /// [`Error::Io`] when writing fails, [`Error::Argument`] when no section was begun.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some((entry, hash)) = &mut self.open else {
            return Err(Error::Argument {
                what: "section bytes",
                expected: "a section to write them to".to_owned(),
                found: "none".to_owned(),
                advice: "call begin first",
            });
        };
        hash.update(bytes);
        entry.len += bytes.len() as u64;
        self.put(bytes)
    }

    /// Writes a whole section.
    ///
    /// # Errors
    /// As [`begin`](Self::begin) and [`write`](Self::write).
    pub fn section(&mut self, name: impl Into<SectionName>, bytes: &[u8]) -> Result<()> {
        self.begin(name)?;
        self.write(bytes)?;
        self.end()
    }

    /// Reads back `buffer.len()` bytes of a section that has ended, starting at its byte `at`.
    ///
    /// # Errors
    /// [`Error::Io`] when reading fails, [`Error::Section`] when the section is too short.
    pub fn read_back(
        &mut self,
        name: impl Into<SectionName>,
        at: u64,
        buffer: &mut [u8],
    ) -> Result<()> {
        let name = name.into();
        let start = self
            .entries
            .iter()
            // Only within one section: padding and other sections are not what the caller wrote.
            .find(|e| e.name == name && at + buffer.len() as u64 <= e.len)
            .map(|e| e.offset + at)
            .ok_or_else(|| Error::section(self.temporary(), name, "read back past its end"))?;
        let path = self.temporary().to_owned();
        // What is still in the buffer would not be read back.
        self.file.flush().map_err(Error::io(&path, "writing"))?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(start))
            .and_then(|_| file.read_exact(buffer))
            // Back to the end, where the next section goes.
            .and_then(|()| file.seek(SeekFrom::Start(self.position)))
            .map(|_| ())
            .map_err(Error::io(&path, "reading back"))
    }

    /// Pads, writes the first page, syncs, renames, syncs the folder.
    ///
    /// # Errors
    /// [`Error::Io`]; the destination is then unchanged.
    pub fn finish(mut self) -> Result<ContainerSummary> {
        self.end()?;
        // Zeros behind the last section, so that a kernel that reads ahead stays inside of the map.
        self.put(&[0; TAIL as usize])?;
        let page = encode_header(self.kind, self.position, &self.entries);
        let path = self.temporary().to_owned();
        let file = &mut self.file;
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.write_all(&page))
            .and_then(|()| file.flush())
            .map_err(Error::io(&path, "writing"))?;
        // The page is on its way before the sync, which makes all of the file durable at once.
        file.get_mut().publish(&self.destination)?;
        Ok(ContainerSummary {
            file_bytes: self.position,
        })
    }

    /// Ends the open section, if any, and pads to the next legal offset.
    pub(crate) fn end(&mut self) -> Result<()> {
        // Ending twice is harmless, since `begin` and `finish` both end what is open.
        let Some((mut entry, hash)) = self.open.take() else {
            return Ok(());
        };
        entry.checksum = hash.digest();
        self.entries.push(entry);
        let padded = align_up(self.position).expect("no file is that long");
        self.put(&[0; ALIGN as usize][..(padded - self.position) as usize])
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            return Err(Error::io(self.temporary(), "writing")(error));
        }
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn temporary(&self) -> &Path {
        self.file.get_ref().path()
    }
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::super::Container;
    use super::*;

    const KIND: [u8; 8] = *b"TESTKIND";

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_dropped_writer_leaves_nothing_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"old").unwrap();
        let mut writer = ContainerWriter::create(&path, KIND).unwrap();
        writer.section("data", &[1; 5000]).unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(writer);
        assert_eq!(names(folder.path()), ["file"]);
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn streaming_gives_the_same_file_as_whole_sections() {
        let folder = tempfile::tempdir().unwrap();
        let data: Vec<u8> = (0..200_000u32).map(|i| ((i * 7) >> 3) as u8).collect();
        let [whole, streamed] = ["whole", "streamed"].map(|name| folder.path().join(name));
        let mut writer = ContainerWriter::create(&whole, KIND).unwrap();
        writer.section("data", &data).unwrap();
        writer.section("more", b"x").unwrap();
        let summary = writer.finish().unwrap();
        let mut writer = ContainerWriter::create(&streamed, KIND).unwrap();
        writer.begin("data").unwrap();
        for part in data.chunks(777) {
            writer.write(part).unwrap();
        }
        writer.begin("more").unwrap();
        let mut back = [0; 100];
        writer.read_back("data", 5000, &mut back).unwrap();
        assert_eq!(back, data[5000..5100]);
        assert!(writer.read_back("data", 199_950, &mut back).is_err());
        writer.write(b"x").unwrap();
        assert_eq!(writer.finish().unwrap(), summary);
        let bytes = fs::read(&streamed).unwrap();
        assert_eq!(bytes.len() as u64, summary.file_bytes);
        assert_eq!(bytes, fs::read(&whole).unwrap());
        Container::open(&bytes, &streamed, KIND)
            .unwrap()
            .verify()
            .unwrap();
        assert_eq!(names(folder.path()), ["streamed", "whole"]);
    }

    #[test]
    fn misuse_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = ContainerWriter::create(folder.path().join("f"), KIND).unwrap();
        assert!(writer.write(b"x").is_err(), "no section");
        writer.section("a", b"x").unwrap();
        assert!(writer.begin("a").is_err(), "the same name");
        assert!(writer.begin("").is_err(), "no name");
        for i in 1..MAX_SECTIONS {
            writer.section(format!("s{i}").as_str(), &[]).unwrap();
        }
        assert!(writer.begin("last").is_err(), "too many");
        assert!(ContainerWriter::create(folder.path().join("no/such/file"), KIND).is_err());
        assert!(ContainerWriter::create("/", KIND).is_err());
    }
}
