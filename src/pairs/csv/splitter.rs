//! Splits records into fields.

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};

use crate::pairs::RowRejection;
use crate::pairs::lines::MAX_LINE_BYTES;
use crate::pairs::records::RecordExtent;

/// Splits records into fields. One reader of the csv crate is kept, because making it costs more
/// than a record.
pub(crate) struct FieldSplitter {
    delimiter: u8,
    reader: csv::Reader<RecordBytes>,
    record: ByteRecord,
}

/// A record's bytes followed by a line end, so that the csv reader finishes the record.
#[derive(Default)]
struct RecordBytes {
    bytes: Vec<u8>,
    read: usize,
}

impl Read for RecordBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.bytes[self.read..]).read(buffer)?;
        self.read += count;
        Ok(count)
    }
}

impl FieldSplitter {
    pub(crate) fn new(delimiter: u8) -> Self {
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(RecordBytes::default());
        Self {
            delimiter,
            reader,
            record: ByteRecord::new(),
        }
    }

    /// The fields of one record of [`CsvRecords`](crate::pairs::records::CsvRecords), which are UTF-8 text.
    ///
    /// # Errors
    /// When the record is too long, its quotes are broken, or it is no text.
    pub(crate) fn fields(
        &mut self,
        raw: &[u8],
        found: RecordExtent,
    ) -> Result<&ByteRecord, RowRejection> {
        if found.too_long {
            return Err(RowRejection::TooLong {
                limit: MAX_LINE_BYTES,
            });
        }
        // The whole row, because a quoted field may contain line ends and be cut anywhere.
        str::from_utf8(raw).map_err(|error| RowRejection::Utf8 {
            at: error.valid_up_to() + 1,
        })?;
        // A zero byte cannot be part of a path and would cut it in C libraries.
        if raw.contains(&0) {
            return Err(RowRejection::NulByte);
        }
        if found.broken_quotes && self.delimiter != b'\t' {
            return Err(RowRejection::Quotes);
        }
        if found.broken_quotes {
            // As characters: writers of TSV do not quote, so the marks belong to the text.
            self.record = ByteRecord::from(raw.split(|&b| b == b'\t').collect::<Vec<_>>());
            return Ok(&self.record);
        }
        self.split(raw).map_err(|error| RowRejection::Malformed {
            message: error.to_string(),
        })
    }

    pub(super) fn split(&mut self, raw: &[u8]) -> csv::Result<&ByteRecord> {
        let next = self.reader.get_mut();
        next.read = 0;
        next.bytes.clear();
        next.bytes.extend_from_slice(raw);
        next.bytes.push(b'\n');
        self.reader.read_byte_record(&mut self.record)?;
        Ok(&self.record)
    }
}
