use super::*;

fn port(name: &str, element: ElementType, shape: &[i64]) -> EncoderPort {
    EncoderPort {
        name: name.into(),
        element,
        shape: shape.to_vec(),
    }
}

fn tokens(ids: &[u32]) -> TokenizedText {
    TokenizedText {
        ids: ids.to_vec(),
        types: vec![0; ids.len()],
        truncated: false,
    }
}

fn padding(left: bool) -> TokenPadding {
    TokenPadding {
        id: 7,
        type_id: 3,
        left,
        rows: Some(RowLength::OWN),
        always: false,
        unmasked: false,
    }
}

fn values(batch: &PaddedBatch, input: usize) -> Vec<i64> {
    match &batch.columns[input].1 {
        TokenColumn::Wide(v) => v.clone(),
        TokenColumn::Narrow(v) => v.iter().map(|&v| i64::from(v)).collect(),
    }
}

#[test]
fn rows_are_padded_on_either_side() {
    let ports = [
        port("attention_mask", ElementType::I64, &[-1, -1]),
        port("input_ids", ElementType::I32, &[-1, -1]),
        port("token_type_ids", ElementType::I64, &[-1, -1]),
    ];
    let (a, b) = (tokens(&[1, 2, 3]), tokens(&[4]));
    let layout = InputLayout::of(&ports, padding(false), Path::new("m")).unwrap();
    let batch = layout.pad(&[&a, &b]);
    assert_eq!(values(&batch, 0), [1, 1, 1, 1, 0, 0]);
    assert_eq!(values(&batch, 1), [1, 2, 3, 4, 7, 7]);
    assert_eq!(values(&batch, 2), [0, 0, 0, 0, 3, 3]);
    assert_eq!(batch.spans, [(0, 3), (0, 1)]);
    let layout = InputLayout::of(&ports, padding(true), Path::new("m")).unwrap();
    let batch = layout.pad(&[&a, &b]);
    assert_eq!(values(&batch, 1), [1, 2, 3, 7, 7, 4]);
    assert_eq!(batch.spans, [(0, 3), (2, 1)]);
}

#[test]
fn fixed_shapes_and_missing_masks_are_respected() {
    let (a, b, c) = (tokens(&[1, 2]), tokens(&[3, 4]), tokens(&[5]));
    let fixed = [port("input_ids", ElementType::I64, &[1, 4])];
    let layout = InputLayout::of(&fixed, padding(false), Path::new("m")).unwrap();
    assert_eq!(
        (layout.fixed_length(), layout.one_by_one()),
        (Some(4), true)
    );
    assert_eq!(values(&layout.pad(&[&a]), 0), [1, 2, 7, 7]);
    assert_eq!(layout.batches(&[&a, &b, &c]).len(), 3);
    let bare = [port("input_ids", ElementType::I64, &[-1, -1])];
    let layout = InputLayout::of(&bare, padding(false), Path::new("m")).unwrap();
    let lengths: Vec<_> = layout
        .batches(&[&a, &b, &c])
        .iter()
        .map(|b| b.len())
        .collect();
    assert_eq!(lengths, [2, 1]);
}

#[test]
fn rows_whose_padding_is_read_get_their_own_length() {
    let bare = [port("input_ids", ElementType::I64, &[-1, -1])];
    let with = |fixed, multiple| TokenPadding {
        rows: Some(RowLength { fixed, multiple }),
        ..padding(false)
    };
    let (a, b) = (tokens(&[1, 2, 3]), tokens(&[4]));
    let fixed = InputLayout::of(&bare, with(5, 1), Path::new("m")).unwrap();
    assert_eq!(fixed.batches(&[&a, &b]).len(), 1);
    assert_eq!(values(&fixed.pad(&[&b]), 0), [4, 7, 7, 7, 7]);
    let even = InputLayout::of(&bare, with(0, 2), Path::new("m")).unwrap();
    assert_eq!(even.batches(&[&a, &b]).len(), 2);
    assert_eq!(values(&even.pad(&[&a]), 0), [1, 2, 3, 7]);
    let unknown = TokenPadding {
        rows: None,
        ..padding(false)
    };
    let error = InputLayout::of(&bare, unknown, Path::new("m.onnx")).unwrap_err();
    assert!(error.to_string().contains("attention_mask"), "{error}");
}

#[test]
fn a_mask_shows_what_the_tokenizer_shows() {
    let masked = [
        port("input_ids", ElementType::I64, &[-1, -1]),
        port("attention_mask", ElementType::I64, &[-1, -1]),
    ];
    let (a, b) = (tokens(&[1, 2, 3]), tokens(&[4]));
    let rows = Some(RowLength {
        fixed: 4,
        multiple: 1,
    });
    for (always, unmasked, mask, span) in [
        (true, false, [1, 0, 0, 0], (0, 1)),
        (false, true, [1, 1, 1, 1], (0, 4)),
    ] {
        let padding = TokenPadding {
            rows,
            always,
            unmasked,
            ..padding(false)
        };
        let layout = InputLayout::of(&masked, padding, Path::new("m")).unwrap();
        let batch = layout.pad(&[&a, &b]);
        assert_eq!(values(&batch, 0)[4..], [4, 7, 7, 7]);
        assert_eq!(values(&batch, 1)[4..], mask);
        assert_eq!(batch.spans[1], span);
        assert!(layout.reads_padding());
        let unknown = TokenPadding {
            rows: None,
            ..padding
        };
        assert!(InputLayout::of(&masked, unknown, Path::new("m")).is_err());
    }
}

#[test]
fn foreign_inputs_are_refused_by_name() {
    for (ports, word) in [
        (
            vec![port("pixel_values", ElementType::F32, &[-1, 3, 8, 8])],
            "pixel_values",
        ),
        (vec![port("input_ids", ElementType::F32, &[-1, -1])], "F32"),
        (
            vec![port("input_ids", ElementType::I64, &[4, -1])],
            "fixed batch of 4",
        ),
        (
            vec![port("attention_mask", ElementType::I64, &[-1, -1])],
            "no input `input_ids`",
        ),
    ] {
        let error = InputLayout::of(&ports, padding(false), Path::new("m.onnx")).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}
