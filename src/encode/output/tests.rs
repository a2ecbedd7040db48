use super::*;

fn port(name: &str, rank: usize) -> EncoderPort {
    EncoderPort {
        name: name.into(),
        element: ElementType::F32,
        shape: vec![-1; rank],
    }
}

fn chosen(
    modality: Modality,
    outputs: &[EncoderPort],
    options: &EncoderOptions,
    folder: Option<Pooling>,
) -> Result<String, String> {
    OutputReader::choose(modality, outputs, options, folder, Path::new("m.onnx"))
        .map(|r| r.output)
        .map_err(|e| e.to_string())
}

#[test]
fn the_convention_picks_the_output() {
    let (text, image) = (Modality::Text, Modality::Image);
    let usual = EncoderOptions::latency();
    let bert = [port("last_hidden_state", 3), port("pooler_output", 2)];
    let mean = Some(Pooling::Mean);
    assert_eq!(
        chosen(text, &bert, &usual, mean).unwrap(),
        "last_hidden_state"
    );
    assert_eq!(chosen(text, &bert, &usual, None).unwrap(), "pooler_output");
    assert_eq!(chosen(image, &bert, &usual, None).unwrap(), "pooler_output");
    let ready = [port("token_embeddings", 3), port("sentence_embedding", 2)];
    assert_eq!(
        chosen(text, &ready, &usual, mean).unwrap(),
        "sentence_embedding"
    );
    let pooled = EncoderOptions {
        pooling: Some(Pooling::Cls),
        ..usual.clone()
    };
    assert_eq!(
        chosen(text, &ready, &pooled, None).unwrap(),
        "token_embeddings"
    );
    let named = EncoderOptions {
        output: Some("pooler_output".into()),
        ..usual.clone()
    };
    assert_eq!(chosen(text, &bert, &named, mean).unwrap(), "pooler_output");
    let maps = [port("last_hidden_state", 4)];
    assert_eq!(
        chosen(image, &maps, &usual, None).unwrap(),
        "last_hidden_state"
    );
}

#[test]
fn what_cannot_be_chosen_is_listed() {
    let two = [port("a", 2), port("b", 2)];
    let error = chosen(Modality::Text, &two, &EncoderOptions::latency(), None).unwrap_err();
    assert!(
        error.contains("a [-1, -1], b") && error.contains("choose one"),
        "{error}"
    );
    let wrong = EncoderOptions {
        output: Some("c".into()),
        ..EncoderOptions::latency()
    };
    let error = chosen(Modality::Text, &two, &wrong, None).unwrap_err();
    assert!(error.contains("no output `c`"), "{error}");
    let half = [EncoderPort {
        element: ElementType::Other("float16".into()),
        ..port("a", 2)
    }];
    let error = chosen(Modality::Image, &half, &EncoderOptions::latency(), None).unwrap_err();
    assert!(error.contains("float16"), "{error}");
}

#[test]
fn pooling_sees_real_tokens_only() {
    // Two rows of three tokens of two numbers; row 0 has padding on the right, row 1 on the left.
    let data = [3., 0., 1., 4., 99., 99., 99., 99., 0., 2., 0., 6.];
    let spans = [(0, 2), (1, 2)];
    let pooled = |pooling| {
        let reader = OutputReader {
            output: "o".into(),
            pooling: Some(pooling),
        };
        reader
            .vectors(Modality::Text, "m", 2, &[2, 3, 2], &data, Some(&spans))
            .unwrap()
    };
    let half = std::f32::consts::FRAC_1_SQRT_2;
    assert_eq!(pooled(Pooling::Mean), [half, half, 0.0, 1.0]);
    assert_eq!(pooled(Pooling::Cls), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(pooled(Pooling::Max), [0.6, 0.8, 0.0, 1.0]);
}

#[test]
fn the_largest_of_numbers_and_nan_is_no_number() {
    let reader = OutputReader {
        output: "o".into(),
        pooling: Some(Pooling::Max),
    };
    for (shape, data) in [
        (&[1, 2, 2][..], [f32::NAN, 1., 2., 3.]),
        (&[1, 2, 2], [1., 2., 3., f32::NAN]),
        (&[1, 2, 1, 2], [1., f32::NAN, 2., 3.]),
        (&[1, 2, 1, 2], [f32::NAN, 1., 2., 3.]),
    ] {
        let error = reader.vectors(Modality::Image, "m", 1, shape, &data, None);
        assert!(matches!(error, Err(EncodeError::NotAVector { row: 0, .. })));
    }
}

#[test]
fn images_take_the_first_token_or_the_mean_of_a_map() {
    let reader = OutputReader {
        output: "o".into(),
        pooling: None,
    };
    let tokens = reader
        .vectors(Modality::Image, "m", 1, &[1, 2, 2], &[0., 2., 9., 9.], None)
        .unwrap();
    assert_eq!(tokens, [0.0, 1.0]);
    let map = reader
        .vectors(
            Modality::Image,
            "m",
            1,
            &[1, 2, 1, 2],
            &[2., 4., 0., 8.],
            None,
        )
        .unwrap();
    assert_eq!(map, [0.6, 0.8]);
}

#[test]
fn vectors_without_a_direction_and_wrong_shapes_are_errors() {
    let reader = OutputReader {
        output: "o".into(),
        pooling: None,
    };
    let go = |shape: &[i64], data: &[f32]| {
        reader
            .vectors(Modality::Text, "m", 1, shape, data, None)
            .unwrap_err()
            .to_string()
    };
    assert!(go(&[1, 2], &[0., 0.]).contains("zero"));
    assert!(go(&[1, 2], &[f32::NAN, 0.]).contains("finite"));
    assert!(go(&[2, 1], &[1., 1.]).contains("1 rows"));
    assert!(go(&[1, 1, 2], &[1., 1.]).contains("choose a pooling"));
    assert!(go(&[1], &[1.]).contains("rank"));
}
