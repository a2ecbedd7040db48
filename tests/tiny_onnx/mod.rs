//! Writes ONNX files of a few nodes, so that tests need no exporter.
//!
//! Field numbers are those of `onnx.proto`; everything is protobuf's length-delimited or varint
//! encoding, written by hand.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "tests may panic, and each test binary uses its own part of this module"
)]

use std::path::Path;

/// A dimension: fixed, or free with a name.
#[derive(Clone, Copy)]
pub enum Dim {
    /// Always this size.
    Is(u64),
    /// Any size.
    Free(&'static str),
}

pub const FLOAT: u64 = 1;
pub const INT32: u64 = 6;
pub const INT64: u64 = 7;

/// A model being built.
#[derive(Default)]
pub struct Graph {
    nodes: Vec<Vec<u8>>,
    weights: Vec<Vec<u8>>,
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
}

impl Graph {
    pub fn input(mut self, name: &str, kind: u64, dims: &[Dim]) -> Self {
        self.inputs.push(port(name, kind, dims));
        self
    }

    pub fn output(mut self, name: &str, dims: &[Dim]) -> Self {
        self.outputs.push(port(name, FLOAT, dims));
        self
    }

    /// A node without attributes.
    pub fn node(self, op: &str, inputs: &[&str], output: &str) -> Self {
        self.node_with(op, inputs, output, &[])
    }

    /// A node with attributes that are lists of integers, or single ones where the list is marked.
    pub fn node_with(
        mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Attribute<'_>)],
    ) -> Self {
        let mut node = Vec::new();
        inputs
            .iter()
            .for_each(|i| bytes(&mut node, 1, i.as_bytes()));
        bytes(&mut node, 2, output.as_bytes());
        bytes(&mut node, 4, op.as_bytes());
        for (name, attribute) in attributes {
            let mut a = Vec::new();
            bytes(&mut a, 1, name.as_bytes());
            match attribute {
                Attribute::Int(value) => {
                    varint(&mut a, 3, *value as u64);
                    varint(&mut a, 20, 2);
                }
                Attribute::Ints(values) => {
                    values.iter().for_each(|v| varint(&mut a, 8, *v as u64));
                    varint(&mut a, 20, 7);
                }
            }
            bytes(&mut node, 5, &a);
        }
        self.nodes.push(node);
        self
    }

    /// A float constant stored in the file.
    pub fn weight(mut self, name: &str, dims: &[u64], values: &[f32]) -> Self {
        let mut tensor = tensor(name, FLOAT, dims);
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        bytes(&mut tensor, 9, &raw);
        self.weights.push(tensor);
        self
    }

    /// A float constant whose bytes lie in the file `location` beside the model.
    pub fn external_weight(mut self, name: &str, dims: &[u64], location: &str) -> Self {
        let mut tensor = tensor(name, FLOAT, dims);
        let mut entry = Vec::new();
        bytes(&mut entry, 1, b"location");
        bytes(&mut entry, 2, location.as_bytes());
        bytes(&mut tensor, 13, &entry);
        varint(&mut tensor, 14, 1);
        self.weights.push(tensor);
        self
    }

    /// [`external_weight`](Self::external_weight), from byte `offset` on, `length` bytes.
    pub fn external_part(
        mut self,
        name: &str,
        dims: &[u64],
        location: &str,
        offset: &str,
        length: &str,
    ) -> Self {
        self.weights.push(external(
            name,
            dims,
            &[
                ("location", location),
                ("offset", offset),
                ("length", length),
            ],
        ));
        self
    }

    /// A node whose subgraph has a weight in the file `location`; it is read and never run.
    pub fn external_in_subgraph(mut self, location: &str) -> Self {
        let (mut graph, mut attribute, mut node) = (Vec::new(), Vec::new(), Vec::new());
        let weight = external("inner", &[1], &[("location", location)]);
        bytes(&mut graph, 5, &weight);
        bytes(&mut attribute, 1, b"then_branch");
        bytes(&mut attribute, 6, &graph);
        bytes(&mut node, 4, b"If");
        bytes(&mut node, 5, &attribute);
        self.nodes.push(node);
        self
    }

    /// An integer constant.
    pub fn integers(mut self, name: &str, values: &[i64]) -> Self {
        let mut tensor = tensor(name, INT64, &[values.len() as u64]);
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        bytes(&mut tensor, 9, &raw);
        self.weights.push(tensor);
        self
    }

    /// The file's bytes.
    pub fn build(self) -> Vec<u8> {
        let mut graph = Vec::new();
        self.nodes.iter().for_each(|n| bytes(&mut graph, 1, n));
        bytes(&mut graph, 2, b"tiny");
        self.weights.iter().for_each(|w| bytes(&mut graph, 5, w));
        self.inputs.iter().for_each(|i| bytes(&mut graph, 11, i));
        self.outputs.iter().for_each(|o| bytes(&mut graph, 12, o));
        let mut opset = Vec::new();
        varint(&mut opset, 2, 13);
        let mut model = Vec::new();
        varint(&mut model, 1, 8);
        bytes(&mut model, 7, &graph);
        bytes(&mut model, 8, &opset);
        model
    }
}

/// An attribute's value.
pub enum Attribute<'a> {
    Int(i64),
    Ints(&'a [i64]),
}

fn tensor(name: &str, kind: u64, dims: &[u64]) -> Vec<u8> {
    let mut tensor = Vec::new();
    dims.iter().for_each(|&d| varint(&mut tensor, 1, d));
    varint(&mut tensor, 2, kind);
    bytes(&mut tensor, 8, name.as_bytes());
    tensor
}

fn external(name: &str, dims: &[u64], entries: &[(&str, &str)]) -> Vec<u8> {
    let mut tensor = tensor(name, FLOAT, dims);
    for (key, value) in entries {
        let mut entry = Vec::new();
        bytes(&mut entry, 1, key.as_bytes());
        bytes(&mut entry, 2, value.as_bytes());
        bytes(&mut tensor, 13, &entry);
    }
    varint(&mut tensor, 14, 1);
    tensor
}

fn port(name: &str, kind: u64, dims: &[Dim]) -> Vec<u8> {
    let mut shape = Vec::new();
    for dim in dims {
        let mut d = Vec::new();
        match dim {
            Dim::Is(size) => varint(&mut d, 1, *size),
            Dim::Free(name) => bytes(&mut d, 2, name.as_bytes()),
        }
        bytes(&mut shape, 1, &d);
    }
    let mut tensor = Vec::new();
    varint(&mut tensor, 1, kind);
    bytes(&mut tensor, 2, &shape);
    let mut kind = Vec::new();
    bytes(&mut kind, 1, &tensor);
    let mut port = Vec::new();
    bytes(&mut port, 1, name.as_bytes());
    bytes(&mut port, 2, &kind);
    port
}

fn varint(out: &mut Vec<u8>, field: u64, value: u64) {
    raw_varint(out, field << 3);
    raw_varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    raw_varint(out, field << 3 | 2);
    raw_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn raw_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes the folders `image` and `text` of two encoders that are loaded in no time: the mean of
/// each channel, and a table of two numbers for the words dog, cat and tree.
pub fn encoders(folder: &Path) {
    let batch = Dim::Free("batch");
    let image = Graph::default()
        .input(
            "pixel_values",
            FLOAT,
            &[batch, Dim::Is(3), Dim::Is(4), Dim::Is(4)],
        )
        .node("GlobalAveragePool", &["pixel_values"], "means")
        .node("Flatten", &["means"], "image_embeds")
        .output("image_embeds", &[batch, Dim::Is(3)])
        .build();
    let words = Dim::Free("sequence");
    let text = Graph::default()
        .input("input_ids", INT64, &[batch, words])
        .weight("table", &[5, 2], &[9., 9., 1., 1., 3., 0., 0., 4., -8., 6.])
        .node("Gather", &["table", "input_ids"], "last_hidden_state")
        .output("last_hidden_state", &[batch, words, Dim::Is(2)])
        .input("attention_mask", INT64, &[batch, words])
        .build();
    let square: &[u8] =
        br#"{"size": {"height": 4, "width": 4}, "resample": 0, "do_normalize": false}"#;
    let tokenizer: &[u8] = br#"{"version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "[UNK]",
                  "vocab": {"[PAD]": 0, "[UNK]": 1, "dog": 2, "cat": 3, "tree": 4}}}"#;
    let pooling: &[u8] = br#"{"word_embedding_dimension": 2, "pooling_mode_mean_tokens": true}"#;
    for (name, content) in [
        ("image/model.onnx", &image[..]),
        ("image/preprocessor_config.json", square),
        ("text/model.onnx", &text),
        ("text/tokenizer.json", tokenizer),
        ("text/1_Pooling/config.json", pooling),
    ] {
        let path = folder.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }
}

/// Another image encoder beside [`encoders`], in `brightest`, of the same input: its vectors are the
/// largest values instead of the means.
pub fn brightest(folder: &Path) {
    let batch = Dim::Free("batch");
    let pixels = [batch, Dim::Is(3), Dim::Is(4), Dim::Is(4)];
    let model = Graph::default()
        .input("pixel_values", FLOAT, &pixels)
        .node("GlobalMaxPool", &["pixel_values"], "most")
        .node("Flatten", &["most"], "image_embeds")
        .output("image_embeds", &[batch, Dim::Is(3)])
        .build();
    let own = folder.join("brightest");
    fs_err::create_dir_all(&own).unwrap();
    fs_err::write(own.join("model.onnx"), model).unwrap();
    let settings = "preprocessor_config.json";
    fs_err::copy(folder.join("image").join(settings), own.join(settings)).unwrap();
}

/// Writes the folders `fragile-image` and `fragile-text` of two encoders that cannot answer every
/// input.
///
/// The image model has its L2 norm inside the graph: a black picture gives NaN (0/0). On a white one
/// its run fails, a place beyond a table. The texts are those of [`encoders`]; the word `void` gives
/// NaN, and on `bomb` the run fails.
pub fn fragile(folder: &Path) {
    encoders(folder);
    let batch = Dim::Free("batch");
    let pixels = [batch, Dim::Is(3), Dim::Is(4), Dim::Is(4)];
    let last = [
        ("axes", Attribute::Ints(&[1])),
        ("keepdims", Attribute::Int(1)),
    ];
    let none = [
        ("axes", Attribute::Ints(&[1])),
        ("keepdims", Attribute::Int(0)),
    ];
    let image = Graph::default()
        .input("pixel_values", FLOAT, &pixels)
        .node("GlobalAveragePool", &["pixel_values"], "pooled")
        .node("Flatten", &["pooled"], "means")
        .node_with("ReduceL2", &["means"], "norm", &last)
        .node("Div", &["means", "norm"], "unit")
        // Nothing is as bright as 1 in all channels but pure white.
        .node_with("ReduceMin", &["means"], "darkest", &none)
        .node_with(
            "Cast",
            &["darkest"],
            "place",
            &[("to", Attribute::Int(INT64 as i64))],
        )
        .weight("zeros", &[1, 3], &[0.; 3])
        .node("Gather", &["zeros", "place"], "added")
        .node("Add", &["unit", "added"], "image_embeds")
        .output("image_embeds", &[batch, Dim::Is(3)])
        .build();
    let words = Dim::Free("sequence");
    let nan = f32::NAN;
    let table = [9., 9., 1., 1., 3., 0., 0., 4., -8., 6., nan, nan, 1., 2.];
    let text = Graph::default()
        .input("input_ids", INT64, &[batch, words])
        .weight("table", &[7, 2], &table)
        .node("Gather", &["table", "input_ids"], "rows")
        // A place beyond a table for the last word.
        .integers("places", &[0, 0, 0, 0, 0, 0, 9])
        .node("Gather", &["places", "input_ids"], "place")
        .weight("zeros", &[1, 2], &[0.; 2])
        .node("Gather", &["zeros", "place"], "added")
        .node("Add", &["rows", "added"], "last_hidden_state")
        .output("last_hidden_state", &[batch, words, Dim::Is(2)])
        .input("attention_mask", INT64, &[batch, words])
        .build();
    for (kind, model) in [("image", image), ("text", text)] {
        let own = folder.join(format!("fragile-{kind}"));
        fs_err::create_dir_all(&own).unwrap();
        fs_err::write(own.join("model.onnx"), model).unwrap();
    }
    let settings = "preprocessor_config.json";
    fs_err::copy(
        folder.join("image").join(settings),
        folder.join("fragile-image").join(settings),
    )
    .unwrap();
    let tokenizer = fs_err::read_to_string(folder.join("text/tokenizer.json")).unwrap();
    let tokenizer = tokenizer.replace("\"tree\": 4", "\"tree\": 4, \"void\": 5, \"bomb\": 6");
    let own = folder.join("fragile-text");
    fs_err::write(own.join("tokenizer.json"), tokenizer).unwrap();
    fs_err::create_dir_all(own.join("1_Pooling")).unwrap();
    let pooling = "1_Pooling/config.json";
    fs_err::copy(folder.join("text").join(pooling), own.join(pooling)).unwrap();
}
