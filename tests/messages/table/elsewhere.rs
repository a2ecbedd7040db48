//! Messages that other tests provoke, and those that no input reaches, with the reason.

/// Variants. A file of tests that a reason names must exist.
pub const ELSEWHERE: &[(&str, &str)] = &[
    (
        "AnchorsError::NoParquet",
        "a program without Parquet, which the tests do not build",
    ),
    ("AnchorsError::NotEmpty", "tests/vectors_out/folders.rs"),
    ("PairsError::ColumnType", "tests/formats/tables.rs"),
    ("RowRejection::MemberIsLink", "src/pairs/shards/tests.rs"),
    ("RowRejection::NoField", "tests/formats/tables.rs"),
    ("AnchorsError::Vectors", "says what the error in it says"),
    ("EmbedError::NoEncoder", "tests/vector_files.rs"),
    ("VectorFault::Length", "src/vector_files/tests.rs"),
    ("VectorFault::Missing", "src/vector_files/tests.rs"),
    ("VectorFault::NotFinite", "tests/vector_files.rs"),
    ("VectorFault::Zero", "tests/vector_files.rs"),
    ("VectorFileError::Checksum", "src/vector_files/tests.rs"),
    ("VectorFileError::NoSuchArray", "src/vector_files/tests.rs"),
    (
        "VectorFileError::SeveralArrays",
        "src/vector_files/tests.rs",
    ),
    ("VectorFileError::Unusable", "src/vector_files/tests.rs"),
    ("VectorFileError::Dimensions", "tests/vector_files.rs"),
    ("VectorFileError::Length", "tests/vector_files.rs"),
    ("VectorFileError::RowCounts", "tests/vector_files.rs"),
    ("VectorFileError::Io", "says what the system says"),
    (
        "VectorFileError::NoRows",
        "an array of no rows: src/vector_files/tests.rs",
    ),
    (
        "AnchorModelError::WrittenNotLive",
        "says what the error in it says",
    ),
    (
        "AnchorModelError::NoHome",
        "a library's caller: the program looks for the folder itself",
    ),
    (
        "AnchorModelError::Anchors",
        "says what the error in it says",
    ),
    ("AnchorModelError::Embed", "says what the error in it says"),
    ("AnchorModelError::Live", "says what the error in it says"),
    ("AnchorModelError::Model", "says what the error in it says"),
    (
        "AnchorModelError::Prompts",
        "says what the error in it says",
    ),
    (
        "AnchorModelError::Runtime",
        "says what the error in it says",
    ),
    (
        "AnchorsError::MadeMeanwhile",
        "two builds: tests/messages/races.rs",
    ),
    (
        "AnchorsError::Locked",
        "several writers: tests/messages/races.rs",
    ),
    (
        "AnchorsError::PurgeStopped",
        "a cache of a newer format: tests/messages/leftovers.rs",
    ),
    (
        "AnchorsError::Canary",
        "needs two exports of one model: tests/bad_input/encoders.rs",
    ),
    (
        "EmbedError::Prompt",
        "a label that the tokeniser refuses: tests/bad_input/questions.rs",
    ),
    (
        "AnchorsError::TooMany",
        "more than four thousand million pairs",
    ),
    (
        "AnchorsError::Interrupted",
        "a signal in the middle of a build: tests/cli.rs",
    ),
    (
        "AnchorsError::Fit",
        "says what FitError says, as in tests/messages/table/questions.rs",
    ),
    (
        "AnchorsError::Pairs",
        "says what PairsError says, as in tests/messages/table/pairs.rs",
    ),
    ("AnchorsError::Embed", "says what EmbedError says"),
    (
        "EmbedError::Interrupted",
        "a signal in the middle of a build: tests/cli.rs",
    ),
    (
        "EmbedError::Io",
        "limits on open files: tests/messages/surroundings.rs",
    ),
    ("MeasureError::Embed", "says what EmbedError says"),
    ("MeasureError::Io", "says what the system says"),
    (
        "EmbedError::Encode",
        "a model that fails while it runs: tests/bad_input/encoders.rs",
    ),
    (
        "AnchorsError::Index",
        "says what Error says, as in tests/messages/table/index.rs",
    ),
    ("AnchorsError::Io", "a full device: tests/bad_input/sets.rs"),
    (
        "EncoderMismatch",
        "is AnchorsError::OtherEncoder: tests/messages/table/anchors.rs",
    ),
    (
        "RecipeError::Empty",
        "from a manifest only, as AnchorsError::Recipe: tests/messages/table/anchors.rs",
    ),
    (
        "RecipeError::Scales",
        "from a manifest only, as AnchorsError::Recipe",
    ),
    (
        "RecipeError::Cohort",
        "from a manifest only, as AnchorsError::Recipe",
    ),
    (
        "RecipeError::Number",
        "from a manifest only, as AnchorsError::Recipe",
    ),
    (
        "MeasureError::Anchors",
        "says what AnchorsError says: OtherEncoder in tests/messages/table/anchors.rs",
    ),
    (
        "MeasureError::Prompts",
        "class names that are blank: a folder without a name cannot be",
    ),
    (
        "MeasureError::Metrics",
        "a data set without images is refused before",
    ),
    (
        "MetricsError::Empty",
        "a data set without images is refused before",
    ),
    (
        "MetricsError::Length",
        "labels and scores are made together; for callers of the library",
    ),
    (
        "MetricsError::Range",
        "labels and classes are made together; for callers of the library",
    ),
    (
        "MetricsError::NoCaption",
        "a row without a caption is refused before",
    ),
    (
        "PairsError::Read",
        "a file whose reading fails: the tests may run as a user who can read all",
    ),
    (
        "PairsError::Exhausted",
        "a system without files: src/pairs/tests.rs",
    ),
    ("RowRejection::Exhausted", "becomes PairsError::Exhausted"),
    (
        "ResourceExhausted",
        "what EncodeError::RuntimeLacking and ModelError::Io say of such a process: src/encode/runtime/lacking.rs",
    ),
    (
        "EncodeError::RuntimeLacking",
        "a process without files or memory: src/encode/runtime/lacking.rs",
    ),
    (
        "RowError",
        "is a row and its Reason: tests/messages/table/pairs.rs",
    ),
    (
        "RowRejection::TextFile",
        "a file whose reading fails: the tests may run as a user who can read all",
    ),
    ("RowRejection::Malformed", "src/pairs/json.rs"),
    (
        "RowRejection::Broken",
        "a disk that fails in the middle of a file: src/pairs/tests.rs",
    ),
    (
        "DatasetError::Read",
        "a file whose reading fails: the tests may run as a user who can read all",
    ),
    (
        "PromptsError::Read",
        "a file whose reading fails: the tests may run as a user who can read all",
    ),
    (
        "FitError::Decomposition",
        "moments of finite vectors have a decomposition once they are shrunk",
    ),
    (
        "TuneError::Fit",
        "says what FitError says: tests/messages/table/questions.rs",
    ),
    (
        "TuneError::Interrupted",
        "a signal in the middle, as AnchorsError::Interrupted: tests/cli.rs",
    ),
    (
        "InputError::TooManyPixels",
        "a server's own limit: tests/serve_faults/bodies.rs",
    ),
    (
        "InputError::DecodersBusy",
        "a server at its limit: tests/serve_faults/limits.rs",
    ),
    (
        "InputError::Panicked",
        "a fault of a library that prepares inputs: src/encode/isolate.rs",
    ),
    (
        "InputError::Tokenizer",
        "a tokeniser that refuses a text: tests/model_folders/text.rs",
    ),
    (
        "InputError::TokenBeyond",
        "a token that the model does not know: tests/model_folders/classes.rs",
    ),
    (
        "InputError::NoTokens",
        "a tokeniser that makes nothing of a text: tests/model_folders/text.rs",
    ),
    (
        "EncodeError::RuntimeNotLoaded",
        "every command loads it first; for callers of the library",
    ),
    (
        "EncodeError::Run",
        "a model that fails on every input: src/encode/isolate.rs",
    ),
    (
        "EncodeError::Shape",
        "a model that answers in another shape: tests/model_folders/image.rs",
    ),
    (
        "EncodeError::NoPooling",
        "an output of token vectors that has the usual name of finished ones: src/encode/output/tests.rs",
    ),
    (
        "ModelError::NoOutput",
        "outputs without the usual names: tests/model_folders/text.rs",
    ),
    (
        "EncodeError::NotAVector",
        "a model that answers no input: src/encode/isolate.rs",
    ),
    (
        "EncodeError::WeightsChanged",
        "tests/model_folders/weights.rs",
    ),
    (
        "EncodeError::Input",
        "for callers of the library, which encode several texts at once",
    ),
    (
        "EncodeError::WrongInput",
        "for callers of the library, which prepare inputs themselves",
    ),
    (
        "ModelError::Changed",
        "a file that changes while it is read: tests/model_folders/weights.rs",
    ),
    (
        "ModelError::Io",
        "a file whose reading fails: the tests may run as a user who can read all",
    ),
    (
        "ModelError::Runtime",
        "says what EncodeError says: tests/messages/table/models.rs",
    ),
    (
        "LiveError::Anchors",
        "says what AnchorsError says: tests/live/refusals.rs",
    ),
    ("LiveError::Canary", "tests/live/refusals.rs"),
    (
        "LiveError::Older",
        "a set that went back under a process: tests/live/swaps.rs",
    ),
    ("LiveError::OtherEncoder", "tests/live/refusals.rs"),
    (
        "LiveError::Restless",
        "a set that changes faster than it is opened",
    ),
    (
        "LiveError::Thread",
        "a machine that starts no thread: tests/messages/surroundings.rs",
    ),
    (
        "ServeError::NoSets",
        "the command line requires one; for callers of the library",
    ),
    ("ServeError::Certificates", "tests/messages/table/serve.rs"),
    (
        "ServeError::Live",
        "says what LiveError says: tests/live/refusals.rs",
    ),
    (
        "ServeError::System",
        "a machine that starts no thread: tests/messages/surroundings.rs",
    ),
    (
        "Error::Version",
        "a container of a newer version: index/src/container/reader.rs",
    ),
    (
        "Error::Section",
        "a damaged section: tests/bad_input/sets.rs",
    ),
    (
        "Error::NonFinite",
        "vectors are made finite before: index/src/vectors/writer.rs",
    ),
    (
        "Error::Argument",
        "lengths are those of the set; for callers of the library",
    ),
    (
        "InputRejection",
        "is an InputError and its file: tests/messages/table/models.rs",
    ),
    (
        "ThumbnailError",
        "a picture that was decoded is encoded in memory",
    ),
    ("SetupIncomplete", "tests/messages/table/anchors.rs"),
    (
        "StdoutError",
        "a closed output: tests/messages/surroundings.rs",
    ),
];

/// What a server answers: the code, and the test that has it.
pub const ANSWERS: [(&str, &str); 35] = [
    ("no_encoder", "tests/vector_files.rs"),
    ("damaged", "tests/serve_faults/told.rs"),
    ("content_encoding", "tests/serve_faults/own_words.rs"),
    ("expectation", "tests/serve_faults/connections.rs"),
    ("forbidden", "tests/serve_keys.rs"),
    ("http_version", "tests/serve_faults/connections.rs"),
    ("incomplete_body", "tests/serve_faults/connections.rs"),
    ("labels", "tests/serve_fetch.rs"),
    ("locked", "tests/serve_faults/own_words.rs"),
    ("long_headers", "tests/serve_faults/connections.rs"),
    ("long_target", "tests/serve_faults/connections.rs"),
    ("malformed_form", "tests/serve_faults/bodies.rs"),
    ("malformed_json", "tests/serve_faults/bodies.rs"),
    ("malformed_query", "tests/serve_faults/fields.rs"),
    ("malformed_request", "tests/serve_faults/connections.rs"),
    ("no_file", "tests/serve_routes/server.rs"),
    ("no_generation", "tests/serve_keys.rs"),
    ("no_picture", "tests/serve_routes/sets.rs"),
    ("no_such_anchor", "tests/serve_faults/bodies.rs"),
    ("no_such_label", "tests/serve_routes/explanations.rs"),
    ("no_such_pair", "tests/serve_routes/explanations.rs"),
    ("no_such_templates", "tests/serve_routes/answers.rs"),
    ("other_encoders", "tests/serve_encoders.rs"),
    ("prompt", "tests/serve_faults/limits.rs"),
    ("slow_head", "tests/serve_faults/clients.rs"),
    ("slow_body", "tests/serve_faults/clients.rs"),
    ("transfer_coding", "tests/serve_faults/connections.rs"),
    ("too_large", "tests/serve_faults/limits.rs"),
    ("unusable", "tests/serve_keys.rs"),
    ("stopping", "server/src/inputs/batching/tests.rs"),
    ("timeout", "tests/serve_faults/limits.rs"),
    ("busy", "tests/serve_faults/limits.rs"),
    ("internal", "tests/serve_faults/told.rs"),
    ("invalid_api_key", "tests/serve_keys.rs"),
    ("connections", "server/src/error.rs"),
];
