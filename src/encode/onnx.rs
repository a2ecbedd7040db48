//! Reads from an ONNX file the names of its inputs, and the files that hold its weights.
//!
//! A walk over the protobuf messages of `onnx.proto` that reads names and skips tensors, so that a
//! large file costs no memory. The file is not trusted: every length is checked against the message
//! around it, and nesting is bounded as protobuf bounds it.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek};
use std::path::{Component, Path, PathBuf};

use super::error::ModelError;
use crate::stand_in;

/// The maximum nesting of messages: protobuf's own limit.
const MAX_DEPTH: u32 = 100;
/// The longest name or path that is read, in bytes.
const MAX_TEXT: u64 = 4096;
/// The longest name of a weight or of a node's input that is considered.
const MAX_NAME: u64 = 512;

/// A summary of an ONNX file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct OnnxSummary {
    /// The inputs of the main graph; older exporters list weights among them.
    pub inputs: Vec<String>,
    /// The files that hold the weights, as named in the ONNX file, each with the first byte
    /// after the last weight.
    pub locations: BTreeMap<String, u64>,
    /// Names of the embedding tables that the main graph looks token ids up in.
    tables: Vec<String>,
    /// The number of rows of each multi-dimensional weight of the main graph.
    rows: BTreeMap<String, u64>,
}

/// The message types on the way to a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageType {
    Model,
    Graph { main: bool },
    Node,
    Attribute,
    Function,
    Training,
    Sparse,
}

/// Why a file is not a readable ONNX file.
type MalformedOnnx = &'static str;

impl OnnxSummary {
    /// Reads the ONNX file `path`.
    ///
    /// # Errors
    /// [`ModelError::Io`] when it cannot be read, [`ModelError::Graph`] when it is not an ONNX file.
    pub(crate) fn read(path: &Path) -> Result<Self, ModelError> {
        refuse_stand_in(path)?;
        let file = fs_err::File::open(path)?;
        let length = file.metadata()?.len();
        let mut walk = OnnxWalker {
            source: BufReader::with_capacity(1 << 16, file),
            at: 0,
            found: Self::default(),
        };
        walk.message(MessageType::Model, length, 0)
            .map_err(|reason| ModelError::Graph {
                path: path.to_owned(),
                reason: format!("this is not an ONNX file ({reason}); export the model again"),
            })?;
        Ok(walk.found)
    }

    /// The vocabulary size of the model: the rows of the smallest table that `input_ids` are
    /// looked up in.
    pub(crate) fn token_rows(&self) -> Option<u64> {
        let tables = self.tables.iter();
        tables.filter_map(|name| self.rows.get(name).copied()).min()
    }
}

fn refuse_stand_in(path: &Path) -> Result<(), ModelError> {
    match stand_in::said_of_file(path)? {
        Some(said) => Err(ModelError::StandIn {
            path: path.to_owned(),
            said,
        }),
        None => Ok(()),
    }
}

/// The weight files that the ONNX file `onnx` of the model folder `root` names, sorted; `onnx` itself
/// is not among them.
///
/// # Errors
/// [`ModelError::Missing`] when one is not there; [`ModelError::Graph`] when the ONNX file cannot be
/// read, a file lies outside the folder, or ends before the weights do.
pub(crate) fn weight_files(root: &Path, onnx: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let refuse = |reason: String| ModelError::Graph {
        path: onnx.to_owned(),
        reason,
    };
    let summary = OnnxSummary::read(onnx)?;
    let beside = onnx.parent().unwrap_or(root);
    let mut files = Vec::new();
    for (location, end) in &summary.locations {
        let relative = Path::new(location);
        let stays = relative
            .components()
            .all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if !stays || location.is_empty() {
            return Err(refuse(format!(
                "its weights lie in {location:?}, expected a file in the model folder; export the \
                 model again with its weights beside it"
            )));
        }
        let path = beside.join(relative);
        if !path.is_file() {
            return Err(ModelError::Missing {
                path,
                what: "a file with weights that the ONNX file names",
                advice: "copy it from the model's source to this place",
            });
        }
        // A link could lead outside although its path does not, so real paths are compared as well.
        let real = fs_err::canonicalize(&path)?;
        // Weights in the file itself are hashed with it.
        if real == fs_err::canonicalize(onnx)? {
            continue;
        }
        if !real.starts_with(fs_err::canonicalize(root)?) {
            return Err(refuse(format!(
                "its weights in {location:?} are a link to {}, outside the model folder; copy the \
                 folder with its links followed (cp -rL) and use the copy",
                real.display()
            )));
        }
        refuse_stand_in(&path)?;
        let length = fs_err::metadata(&path)?.len();
        // Read past the end, ONNX Runtime would fail later with a message that names no file.
        if *end > length {
            return Err(refuse(format!(
                "its weights in {location:?} end at byte {end}, but that file has {length} bytes; \
                 copy both again from the model's source"
            )));
        }
        files.push(beside.join(relative.components().collect::<PathBuf>()));
    }
    // Several tensors name the same file.
    files.sort();
    files.dedup();
    Ok(files)
}

/// The operator of a node and the names of its inputs.
#[derive(Default)]
struct NodeNames {
    operator: String,
    inputs: Vec<String>,
}

impl NodeNames {
    /// The table in which this node looks up the token ids.
    fn table(self) -> Option<String> {
        let (ids, table) = match self.operator.as_str() {
            "Gather" | "GatherBlockQuantized" => (1, 0),
            "EmbedLayerNormalization" => (0, 2),
            _ => return None,
        };
        let asked = self.inputs.get(ids).is_some_and(|name| name == "input_ids");
        // Another table, as of positions, is looked up by other numbers than token ids.
        self.inputs.into_iter().nth(table).filter(|_| asked)
    }
}

struct OnnxWalker<R> {
    source: R,
    at: u64,
    found: OnnxSummary,
}

impl<R: Read + Seek> OnnxWalker<R> {
    /// Reads a message that ends at `end`.
    fn message(&mut self, kind: MessageType, end: u64, depth: u32) -> Result<(), MalformedOnnx> {
        let mut node = NodeNames::default();
        // Files are not trusted: without a bound, nesting would exhaust the stack.
        if depth > MAX_DEPTH {
            return Err("messages are nested too deeply");
        }
        let mut known = false;
        while let Some((field, part)) = self.next_field(end)? {
            let FieldContent::Bytes(stop) = part else {
                continue;
            };
            let inner = child(kind, field);
            known |= inner.is_some();
            match inner {
                Some(ChildField::Message(message)) => self.message(message, stop, depth + 1)?,
                Some(ChildField::Tensor) => {
                    self.tensor(stop, kind == MessageType::Graph { main: true })?
                }
                Some(ChildField::Input) => self.input(stop)?,
                None if kind == MessageType::Node && stop - self.at <= MAX_NAME => match field {
                    1 => node.inputs.push(self.text(stop)?),
                    4 => node.operator = self.text(stop)?,
                    _ => {}
                },
                None => {}
            }
            self.skip_to(stop)?;
        }
        self.found.tables.extend(node.table());
        // Any bytes may parse as some message; without a graph they are no model.
        if kind == MessageType::Model && !known {
            return Err("it has no graph");
        }
        Ok(())
    }

    /// A `ValueInfoProto`: its name.
    fn input(&mut self, end: u64) -> Result<(), MalformedOnnx> {
        let mut name = String::new();
        while let Some((field, part)) = self.next_field(end)? {
            let FieldContent::Bytes(stop) = part else {
                continue;
            };
            if field == 1 {
                name = self.text(stop)?;
            }
            self.skip_to(stop)?;
        }
        self.found.inputs.push(name);
        Ok(())
    }

    /// A `TensorProto`: the location of its values, if external.
    fn tensor(&mut self, end: u64, main: bool) -> Result<(), MalformedOnnx> {
        let (mut entries, mut external) = (Vec::new(), false);
        let (mut name, mut dims) = (String::new(), Vec::new());
        while let Some((field, part)) = self.next_field(end)? {
            match (field, part) {
                // Duplicates of `data_location`: the last one wins, as in protobuf.
                (14, FieldContent::Number(place)) => external = place == 1,
                // An embedding table has few dimensions.
                (1, FieldContent::Number(dim)) if dims.len() < 3 => dims.push(dim),
                (1, FieldContent::Bytes(stop)) => dims.extend(self.packed(stop)?),
                (8, FieldContent::Bytes(stop)) if main && stop - self.at <= MAX_NAME => {
                    name = self.text(stop)?;
                }
                (13, FieldContent::Bytes(stop)) => entries.push(self.entry(stop)?),
                (_, FieldContent::Bytes(stop)) => self.skip_to(stop)?,
                (_, FieldContent::Number(_)) => {}
            }
        }
        // Biases have one dimension and are no tables.
        if let [rows, _, ..] = dims[..]
            && main
        {
            self.found.rows.insert(name, rows);
        }
        if !external {
            return Ok(());
        }
        // Readers differ in which of two duplicate entries they use.
        let largest = |key: &str| -> Result<u64, MalformedOnnx> {
            let values = entries.iter().filter(|(k, _)| k == key);
            let values = values.map(|(_, value)| value.parse::<u64>());
            let values: Result<Vec<_>, _> = values.collect();
            let values = values.map_err(|_| "an offset or length of weights is not a number")?;
            Ok(values.into_iter().max().unwrap_or(0))
        };
        let last = largest("offset")?
            .checked_add(largest("length")?)
            .ok_or("an offset of weights is too large")?;
        let mut locations = entries.iter().filter(|(k, _)| k == "location").peekable();
        if locations.peek().is_none() {
            return Err("weights lie outside, but no file is named");
        }
        for (_, location) in locations {
            let end = self.found.locations.entry(location.clone()).or_default();
            *end = last.max(*end);
        }
        Ok(())
    }

    /// The first numbers of a packed list.
    fn packed(&mut self, end: u64) -> Result<Vec<u64>, MalformedOnnx> {
        let mut numbers = Vec::new();
        while self.at < end && numbers.len() < 3 {
            numbers.push(self.varint()?);
        }
        self.skip_to(end)?;
        Ok(numbers)
    }

    /// A `StringStringEntryProto`: key and value.
    fn entry(&mut self, end: u64) -> Result<(String, String), MalformedOnnx> {
        let (mut key, mut value) = (String::new(), String::new());
        while let Some((field, part)) = self.next_field(end)? {
            let FieldContent::Bytes(stop) = part else {
                continue;
            };
            match field {
                1 => key = self.text(stop)?,
                2 => value = self.text(stop)?,
                _ => self.skip_to(stop)?,
            }
        }
        Ok((key, value))
    }

    /// The next field of a message that ends at `end`: its number, and its integer value or where
    /// its bytes end; `None` at the end of the message.
    fn next_field(&mut self, end: u64) -> Result<Option<(u64, FieldContent)>, MalformedOnnx> {
        if self.at >= end {
            return Ok(None);
        }
        let tag = self.varint()?;
        let length = match tag & 7 {
            0 => {
                let value = self.varint()?;
                return Ok(Some((tag >> 3, FieldContent::Number(value))));
            }
            1 => 8,
            2 => self.varint()?,
            5 => 4,
            _ => return Err("a field is of an unknown kind"),
        };
        // Compared with the enclosing message, so that a length cannot reach past it.
        let stop = self.at.checked_add(length).filter(|&stop| stop <= end);
        let stop = stop.ok_or("a field is longer than what holds it")?;
        // No field of interest has a fixed-width type.
        let number = if tag & 7 == 2 { tag >> 3 } else { 0 };
        Ok(Some((number, FieldContent::Bytes(stop))))
    }

    fn text(&mut self, stop: u64) -> Result<String, MalformedOnnx> {
        let length = stop - self.at;
        if length > MAX_TEXT {
            return Err("a name is too long");
        }
        let mut bytes = Vec::new();
        let read = (&mut self.source)
            // `take`: memory grows with what is there, not with what a length claims.
            .take(length)
            .read_to_end(&mut bytes)
            .map_err(|_| "it ends too early")?;
        self.at += read as u64;
        if read as u64 != length {
            return Err("it ends too early");
        }
        String::from_utf8(bytes).map_err(|_| "a name is not text")
    }

    fn varint(&mut self) -> Result<u64, MalformedOnnx> {
        let mut value = 0u64;
        // Ten bytes of seven bits hold any 64-bit number.
        for shift in (0..70).step_by(7) {
            let mut byte = [0];
            self.source
                .read_exact(&mut byte)
                .map_err(|_| "it ends too early")?;
            self.at += 1;
            // Only one bit of the tenth byte is significant; protobuf drops the others, as the shift by 63 does.
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err("a number is too long")
    }

    fn skip_to(&mut self, stop: u64) -> Result<(), MalformedOnnx> {
        // A field that was read too far means that lengths contradict each other.
        let step = stop
            .checked_sub(self.at)
            .ok_or("a field overlaps the next")?;
        let step = i64::try_from(step).map_err(|_| "a field is too long")?;
        self.source
            .seek_relative(step)
            .map_err(|_| "it ends too early")?;
        self.at = stop;
        Ok(())
    }
}

/// The content of a field.
#[derive(Debug, Clone, Copy)]
enum FieldContent {
    Number(u64),
    /// Bytes up to this position.
    Bytes(u64),
}

#[derive(Debug, Clone, Copy)]
enum ChildField {
    Message(MessageType),
    Tensor,
    Input,
}

/// The type of field `field` of a message, by `onnx.proto`.
fn child(kind: MessageType, field: u64) -> Option<ChildField> {
    use MessageType::{Attribute, Function, Graph, Model, Node, Sparse, Training};
    let graph = Graph { main: false };
    Some(match (kind, field) {
        (Model, 7) => ChildField::Message(Graph { main: true }),
        (Model, 20) => ChildField::Message(Training),
        (Model, 25) => ChildField::Message(Function),
        (Graph { .. }, 1) | (Function, 7) => ChildField::Message(Node),
        (Graph { .. }, 5) | (Attribute, 5 | 10) | (Sparse, 1 | 2) => ChildField::Tensor,
        (Graph { main: true }, 11) => ChildField::Input,
        (Graph { .. }, 15) | (Attribute, 22 | 23) => ChildField::Message(Sparse),
        (Node, 5) | (Function, 11) => ChildField::Message(Attribute),
        (Attribute, 6 | 11) | (Training, 1 | 2) => ChildField::Message(graph),
        _ => return None,
    })
}
