//! The members of a tar archive, one after another.
//!
//! The headers are read by the `tar` crate, one archive a member: it then holds nothing of the file, and what
//! headers may take is bounded. An archive that ends within a member or without its end mark is cut off.

use std::io::{self, BufRead as _, Read, Seek as _, SeekFrom};
use std::path::Path;

use fs_err::File;
use tar::{Archive, EntryType};

use crate::pairs::input::{self, ListText};

/// The most bytes of a member's headers: names in pax and GNU headers have no other bound.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// The most members of an archive; shards usually hold 30,000.
const MAX_MEMBERS: u64 = 100_000_000;
/// Contents are padded to whole blocks.
const BLOCK: u64 = 512;

/// A file in an archive.
pub(super) struct ShardMember {
    pub(super) name: Vec<u8>,
    /// Where its content begins.
    pub(super) at: u64,
    pub(super) length: u64,
    /// Whether it is only a link to another member or file.
    pub(super) is_link: bool,
}

/// Why an archive cannot be read on.
pub(super) enum ShardFault {
    Io(io::Error),
    Form(String),
}

impl From<io::Error> for ShardFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

enum ShardInput {
    /// An archive and its length.
    Plain(File, u64),
    Packed(ListText),
}

impl Read for ShardInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file, _) => file.read(buffer),
            Self::Packed(text) => text.read(buffer),
        }
    }
}

/// The members of an archive.
pub(super) struct ShardMembers {
    input: ShardInput,
    /// Where reading stands.
    at: u64,
    /// Where the next header begins.
    next: u64,
    members: u64,
    /// The name of the member before.
    last: String,
    /// Whether the end mark was read.
    is_at_end: bool,
}

impl ShardMembers {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut text = input::open(path)?;
        // What is damaged here is told as a pair that cannot be read.
        let _ = text.fill_buf();
        let is_packed = text.get_ref().is_packed();
        file.seek(SeekFrom::Start(0))?;
        Ok(Self {
            input: match is_packed {
                true => ShardInput::Packed(text),
                false => ShardInput::Plain(file, length),
            },
            at: 0,
            next: 0,
            members: 0,
            last: String::new(),
            is_at_end: false,
        })
    }

    /// Whether members lie in the file as they are.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.input, ShardInput::Plain(..))
    }

    /// The next file; folders are passed over. After the last one `None`, and when it is called again the error of
    /// an archive whose checksum does not match.
    pub(super) fn next(&mut self) -> Result<Option<ShardMember>, ShardFault> {
        if self.is_at_end {
            // Only now, so that what came before the end mark is taken whatever the checksum says.
            return self.finish().map(|()| None);
        }
        loop {
            self.skip_to(self.next)?;
            let mut counted = CountedInput {
                input: &mut self.input,
                read: 0,
            };
            let header = header(&mut counted);
            let read = counted.read;
            let Some(member) = header.map_err(|error| self.fault(error))? else {
                return match read {
                    0 => Err(ShardFault::Form(format!(
                        "the archive ends without its end mark {}, so members may be missing",
                        self.place()
                    ))),
                    _ => {
                        self.is_at_end = true;
                        Ok(None)
                    }
                };
            };
            let (kind, mut member) = member;
            self.members += 1;
            if self.members > MAX_MEMBERS {
                return Err(ShardFault::Form(format!("over {MAX_MEMBERS} members")));
            }
            self.at += read;
            member.at = self.at;
            self.last = String::from_utf8_lossy(&member.name).into_owned();
            let padded = member.length.checked_next_multiple_of(BLOCK);
            let next = padded.and_then(|padded| member.at.checked_add(padded));
            let end = member.at.saturating_add(member.length);
            match (&self.input, next) {
                (ShardInput::Plain(_, length), Some(next)) if end <= *length => self.next = next,
                (ShardInput::Packed(_), Some(next)) => self.next = next,
                _ => {
                    return Err(ShardFault::Form(format!(
                        "the archive ends within its member {}",
                        self.last
                    )));
                }
            }
            match kind {
                EntryType::Regular | EntryType::Continuous => return Ok(Some(member)),
                EntryType::Link | EntryType::Symlink => {
                    member.is_link = true;
                    return Ok(Some(member));
                }
                EntryType::GNUSparse => {
                    return Err(ShardFault::Form(format!(
                        "its member {} is stored with holes, which is not read",
                        self.last
                    )));
                }
                _ => {}
            }
        }
    }

    /// Reads what is behind the end mark of a compressed archive: its checksum stands at the end of the file.
    fn finish(&mut self) -> Result<(), ShardFault> {
        if let ShardInput::Packed(text) = &mut self.input {
            io::copy(text, &mut io::sink())?;
        }
        Ok(())
    }

    /// The content of the member that was read last.
    pub(super) fn content(&mut self, member: &ShardMember) -> Result<Vec<u8>, ShardFault> {
        self.skip_to(member.at)?;
        let mut content = Vec::new();
        (&mut self.input)
            .take(member.length)
            .read_to_end(&mut content)?;
        self.at += content.len() as u64;
        match content.len() as u64 == member.length {
            true => Ok(content),
            false => Err(ShardFault::Form(format!(
                "the archive ends within its member {}",
                self.last
            ))),
        }
    }

    fn skip_to(&mut self, to: u64) -> Result<(), ShardFault> {
        match &mut self.input {
            ShardInput::Plain(file, _) => drop(file.seek(SeekFrom::Start(to))?),
            ShardInput::Packed(text) => {
                let missing = to - self.at;
                let skipped = io::copy(&mut text.take(missing), &mut io::sink())?;
                // The padding of the last member is of no use to anyone.
                if skipped < missing.saturating_sub(BLOCK - 1) {
                    return Err(ShardFault::Form(format!(
                        "the archive ends within its member {}",
                        self.last
                    )));
                }
            }
        }
        self.at = to;
        Ok(())
    }

    fn fault(&self, error: io::Error) -> ShardFault {
        match crate::disk::is_exhausted(&error) || input::is_damage(&error) {
            true => ShardFault::Io(error),
            false => ShardFault::Form(format!(
                "no tar archive, or damaged {}: {error}",
                self.place()
            )),
        }
    }

    fn place(&self) -> String {
        match self.last.as_str() {
            "" => "at its beginning".to_owned(),
            last => format!("behind its member {last}"),
        }
    }
}

/// Reads the next header; `None` at the end mark and at the end of the input.
fn header(input: &mut impl Read) -> io::Result<Option<(EntryType, ShardMember)>> {
    let mut archive = Archive::new(input.take(MAX_HEADER_BYTES));
    let mut entries = archive.entries()?;
    let Some(entry) = entries.next() else {
        return Ok(None);
    };
    let entry = entry?;
    let member = ShardMember {
        name: entry.path_bytes().into_owned(),
        at: 0,
        length: entry.size(),
        is_link: false,
    };
    Ok(Some((entry.header().entry_type(), member)))
}

/// Counts what is read of the headers.
struct CountedInput<'a> {
    input: &'a mut ShardInput,
    read: u64,
}

impl Read for CountedInput<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}
