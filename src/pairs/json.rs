//! A JSON list of objects, `[{"image": path, "captions": [..]}, ...]`, with the fields of a line of JSONL.
//!
//! It is read object by object: serde_json says where each ends, and then it is read as a line of JSONL is. A row is
//! the number of the object, counted from 1, since the whole list may stand on one line. What is no JSON ends the
//! list, because nothing says where the next object begins.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde::de::IgnoredAny;

use super::input::{self, ListText};
use super::jsonl::object_of;
use super::lines::{BOM, MAX_LINE_BYTES};
use super::source::{DraftIterator, PairDraft, PairSource, base_of};
use super::{PairOptions, PairOrigin, PairsError, RowError, RowRejection, coco, record};

/// What a document is to be, if it is not a list.
pub(super) const LIST_ADVICE: &str = "expected a list, [{\"image\": \"a.jpg\", \"caption\": \"a cat\"}, ...], in a file named .json, \
                    or one such object a line in a file named .jsonl";

/// A file whose objects are counted.
struct JsonFile {
    path: PathBuf,
    options: PairOptions,
    rows: u64,
}

/// Counts the objects.
pub(super) fn open(path: &Path, options: &PairOptions) -> Result<Box<dyn PairSource>, PairsError> {
    if begins_with_object(path)? {
        return coco::open(path)?.ok_or_else(|| PairsError::OtherFormat {
            path: path.to_owned(),
            format: "one JSON document",
            advice: LIST_ADVICE.to_owned(),
        });
    }
    let mut elements = ListElements::new(input::open(path)?);
    let mut rows = 0;
    loop {
        match elements.next() {
            None => break,
            Some((_, Err(ElementFault::Io(error)))) if !input::is_damage(&error) => {
                return Err(error.into());
            }
            // The row where reading breaks off.
            Some((_, Err(_))) => {
                rows += 1;
                break;
            }
            Some((_, Ok(_))) => rows += 1,
        }
    }
    Ok(Box::new(JsonFile {
        path: path.to_owned(),
        options: options.clone(),
        rows,
    }))
}

/// Whether a file begins with `{`, as COCO files do.
fn begins_with_object(path: &Path) -> io::Result<bool> {
    let mut elements = ListElements::new(input::open(path)?);
    elements.skip_mark()?;
    Ok(elements.after_blanks()? == Some(b'{'))
}

impl PairSource for JsonFile {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn drafts(&mut self) -> io::Result<DraftIterator> {
        Ok(Box::new(JsonReader {
            elements: ListElements::new(input::open(&self.path)?),
            path: self.path.clone(),
            options: self.options.clone(),
            base: base_of(&self.path),
            ended: false,
        }))
    }
}

/// Reads a list object by object.
struct JsonReader {
    elements: ListElements<ListText>,
    path: PathBuf,
    options: PairOptions,
    base: PathBuf,
    ended: bool,
}

impl Iterator for JsonReader {
    type Item = Result<PairDraft, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let file = self.path.clone();
        let (row, found) = self.elements.next()?;
        let row = Some(row);
        let origin = PairOrigin { file, row };
        let object = match found {
            Ok(ElementText::Whole(text)) => object_of(text),
            Ok(ElementText::TooLong) => Err(RowRejection::TooLong {
                limit: MAX_LINE_BYTES,
            }),
            Err(fault) => {
                self.ended = true;
                Err(match fault {
                    ElementFault::Io(error) => RowRejection::broken(error),
                    ElementFault::Syntax(message) => RowRejection::Malformed { message },
                })
            }
        };
        Some(match object {
            Ok(object) => record::from_json(object, &self.options, &self.base, origin),
            Err(reason) => Err(RowError { origin, reason }),
        })
    }
}

/// The texts of the elements of a JSON list.
struct ListElements<R> {
    input: R,
    text: Vec<u8>,
    /// The number of the element that was read last.
    number: u64,
    /// The line that is being read.
    line: usize,
    ended: bool,
}

/// An element of a list.
enum ElementText<'a> {
    Whole(&'a [u8]),
    TooLong,
}

/// Why a list cannot be read on.
enum ElementFault {
    Io(io::Error),
    Syntax(String),
}

impl From<io::Error> for ElementFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Passes on the bytes of an element one by one, and keeps them up to the limit.
struct ElementRecorder<'a, R> {
    input: &'a mut R,
    text: &'a mut Vec<u8>,
    lines: usize,
    too_long: bool,
}

impl<R: BufRead> Read for ElementRecorder<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (Some(place), Some(&byte)) = (buffer.first_mut(), self.input.fill_buf()?.first())
        else {
            return Ok(0);
        };
        *place = byte;
        self.input.consume(1);
        self.lines += usize::from(byte == b'\n');
        match self.text.len() < MAX_LINE_BYTES {
            true => self.text.push(byte),
            false => self.too_long = true,
        }
        Ok(1)
    }
}

impl<R: BufRead> ListElements<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            text: Vec::new(),
            number: 0,
            line: 1,
            ended: false,
        }
    }

    /// The next element with its number; `None` behind the list, and behind a fault.
    fn next(&mut self) -> Option<(u64, Result<ElementText<'_>, ElementFault>)> {
        if self.ended {
            return None;
        }
        self.number += 1;
        let read = self.read();
        self.ended = !matches!(read, Ok(Some(_)));
        let element = match read {
            Ok(None) => return None,
            Ok(Some(true)) => Ok(ElementText::TooLong),
            Ok(Some(false)) => Ok(ElementText::Whole(&self.text)),
            Err(fault) => Err(fault),
        };
        Some((self.number, element))
    }

    /// Reads the next element into the buffer; whether it is too long, or `None` at the end of the list.
    fn read(&mut self) -> Result<Option<bool>, ElementFault> {
        if self.number == 1 {
            self.skip_mark()?;
            if self.after_blanks()? != Some(b'[') {
                return Err(self.fault("expected `[`, which begins a list of objects"));
            }
            self.input.consume(1);
            if self.after_blanks()? == Some(b']') {
                return self.end();
            }
        } else {
            match self.after_blanks()? {
                Some(b',') => self.input.consume(1),
                Some(b']') => return self.end(),
                Some(_) => return Err(self.fault("expected `,` or `]` behind an object")),
                None => return Err(self.fault("the list ends without `]`")),
            }
        }
        self.text.clear();
        match self.after_blanks()? {
            None => Err(self.fault("the list ends without `]`")),
            Some(b'{' | b'[' | b'"') => self.value().map(Some),
            Some(_) => self.word().map(Some),
        }
    }

    /// Reads an object, a list or a text, whose last byte ends it.
    fn value(&mut self) -> Result<bool, ElementFault> {
        let mut recorder = ElementRecorder {
            input: &mut self.input,
            text: &mut self.text,
            lines: 0,
            too_long: false,
        };
        let mut json = serde_json::Deserializer::from_reader(&mut recorder);
        let read = IgnoredAny::deserialize(&mut json);
        let (lines, too_long) = (recorder.lines, recorder.too_long);
        let begun = self.line;
        self.line += lines;
        match read {
            Ok(IgnoredAny) => Ok(too_long),
            Err(error) if error.is_io() => Err(ElementFault::Io(error.into())),
            Err(error) => {
                let said = error.to_string();
                let said = said
                    .rsplit_once(" at line ")
                    .map_or(&*said, |(said, _)| said);
                self.line = begun + error.line().max(1) - 1;
                Err(self.fault(said))
            }
        }
    }

    /// Reads a number or a word, neither of which is a pair.
    fn word(&mut self) -> Result<bool, ElementFault> {
        let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b']');
        while let Some(&byte) = self.input.fill_buf()?.first().filter(|byte| !ends(**byte)) {
            self.input.consume(1);
            // None is longer, and one that is comes to nothing either.
            if self.text.len() < 64 {
                self.text.push(byte);
            }
        }
        match self.text.is_empty() {
            true => Err(self.fault("expected an object")),
            false => Ok(false),
        }
    }

    fn end(&mut self) -> Result<Option<bool>, ElementFault> {
        self.input.consume(1);
        match self.after_blanks()? {
            None => Ok(None),
            Some(_) => Err(self.fault("the list is closed, but the file goes on")),
        }
    }

    fn skip_mark(&mut self) -> io::Result<()> {
        if self.input.fill_buf()?.starts_with(BOM) {
            self.input.consume(BOM.len());
        }
        Ok(())
    }

    /// The next byte that is not blank, which stays to be read; `None` at the end.
    fn after_blanks(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf()?.first() {
                Some(&byte) if byte.is_ascii_whitespace() => {
                    self.line += usize::from(byte == b'\n');
                    self.input.consume(1);
                }
                found => return Ok(found.copied()),
            }
        }
    }

    fn fault(&self, what: &str) -> ElementFault {
        ElementFault::Syntax(format!("line {}: {what}", self.line))
    }
}

#[cfg(test)]
mod tests {
    use crate::pairs::tests::{fatal, ids, read_text};

    #[test]
    fn a_list_is_read_object_by_object() {
        let text = "\u{feff} [\n {\"image\": \"a.jpg\",\n \"captions\": [\"]}\", \"{\\\"\"], \"n\": {\"deep\": [1]}},\n\
                    {\"image\": \"b.jpg\", \"caption\": \"two\", \"id\": 7} ,7, \"x\", [1], null, {\"image\": \"a.jpg\",\
                     \"caption\": \"caf\\udce9\", \"caption\": \"twice\"},{\"image\":\"b.jpg\",\"text\":\"last\"}]\n";
        let (pairs, errors) = read_text("p.json", text);
        assert_eq!(ids(&pairs), ["a.jpg", "7", "b.jpg"], "{errors:?}");
        assert_eq!(pairs[0].captions, ["]}", "{\""]);
        assert_eq!(pairs[2].origin.row, Some(8));
        let rows: Vec<_> = errors
            .iter()
            .map(|e| e.split(':').next().unwrap())
            .collect();
        assert_eq!(
            rows,
            [3, 4, 5, 6, 7].map(|row| format!("p.json, row {row}"))
        );
        assert!(errors[4].contains("occurs twice"), "{errors:?}");
        assert!(fatal("p.json", " [ ] ").contains("no pairs found"));
    }

    #[test]
    fn where_a_list_breaks_off_the_objects_before_are_kept() {
        let first = "[{\"image\": \"a.jpg\", \"caption\": \"one\"},\n";
        for (rest, said) in [
            ("\n{\"image\": b.jpg}]", "line 3: expected value"),
            ("{\"image\":\n \"b.jpg\"", "line 3: EOF while parsing"),
            ("", "line 2: the list ends without `]`"),
            ("]", "line 2: expected an object"),
            ("{} {}]", "line 2: expected `,` or `]`"),
            ("{}]\n{}", "line 3: the list is closed"),
        ] {
            let (pairs, errors) = read_text("p.json", format!("{first}{rest}"));
            assert_eq!(ids(&pairs), ["a.jpg"], "{rest}");
            let last = errors.last().unwrap();
            assert!(
                last.starts_with("p.json, row ")
                    && last.contains("broke off")
                    && last.contains(said),
                "{rest}: {last}"
            );
        }
    }
}
