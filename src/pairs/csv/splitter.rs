//! Splits records into fields.

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};

/// Splits records into fields. One reader of the csv crate is kept, because making it costs more
/// than a record.
pub(super) struct FieldSplitter {
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
    pub(super) fn new(delimiter: u8) -> Self {
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(RecordBytes::default());
        Self {
            reader,
            record: ByteRecord::new(),
        }
    }

    /// The fields of one record of [`Records`](crate::pairs::records::Records).
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
