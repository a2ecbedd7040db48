//! `asif`: a shared image-text space made of your own pairs, without training.
//!
//! The method is ASIF (Norelli et al., NeurIPS 2023, arXiv 2210.01738): an input is represented by
//! its similarities to the anchors of its own modality, and because anchor `i` is one image-text
//! pair, an image's row and a text's row can be compared.
//!
//! ```no_run
//! use asif::{AnchorModel, Pair};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = AnchorModel::open("demo.asif")?;
//! let classifier = model.classifier(["a cat", "a dog"])?;
//! for answer in classifier.classify(&["photo.jpg"])? {
//!     let answer = answer?; // a bad image is an error of its own, the others are answered
//!     let best = &classifier.ranked(&answer, 1)[0];
//!     println!("{} {:.2}", best.label, best.score);
//!     for pair in classifier.explain(&answer, best.class, 3)?.supporting {
//!         println!("{:+.3} {} {:?}", pair.amount, pair.image, pair.captions);
//!     }
//! }
//! model.add([Pair::new("cat-17", "cats/17.jpg", ["a grey cat asleep"])])?; // answers from now on
//! # Ok(())
//! # }
//! ```
//!
//! | to do | use |
//! |---|---|
//! | classify, explain, change and follow an anchor set with its encoders | [`AnchorModel`], [`ZeroShotClassifier`] |
//! | build one from files of pairs, or from pairs in memory | [`anchors::build`], [`anchors::build_from`] |
//! | make one of your own vectors, without an encoder, and compare others in it | [`vectors`], [`Snapshot`] |
//! | answer from a generation while others change the anchor set | [`AnchorModel::follow`], [`LiveSet`] |
//!
//! `examples/` has three programs of a page each: `classify`, `own_vectors` and `follow`.
//!
//! # Modules
//!
//! | module | what it is |
//! |---|---|
//! | [`encode`] | a model folder becomes an encoder; the only place that knows ONNX Runtime |
//! | [`embed`] | inputs to unit vectors, through the cache, with every core busy; no anchor set is needed |
//! | [`pairs`], [`image_source`] | sources of anchor pairs, one file a format, all streaming; where an image is |
//! | [`vector_files`] | files of vectors that other tools wrote, and their metadata |
//! | [`anchors`] | an anchor set on disk: stored, searched, changed, looked after, followed |
//! | [`space`] | the arithmetic: functions over slices, without I/O; and prompts, whose files it reads |
//! | [`classify`] | labels become a class head, images become scores |
//! | [`eval`] | data sets, metrics with confidence intervals, reports |
//! | [`modality`], [`home`], [`progress`] | the two sides of a pair; the home folder; what long work tells its caller |
//!
//! Arrows run one way: `model, eval -> classify -> anchors -> embed -> encode`, from all of these but `encode`
//! `-> space -> pairs`, all that write `-> disk`, and `asif_index` is below all. Modules that the documentation
//! does not show belong to the program (the crates `asif-cli` and `asif-server`) and may change with any release.
//! Nothing here prints, exits or panics on input.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

/// Compiles the Rust example of the README with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod anchors;
#[doc(hidden)]
pub mod bad_inputs;
pub mod classify;
#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod disk;
pub mod embed;
pub mod encode;
pub mod eval;
pub mod filter;
pub mod home;
pub mod image_source;
pub mod modality;
mod model;
pub mod pairs;
#[doc(hidden)]
pub mod printable;
pub mod progress;
#[doc(hidden)]
pub mod remedy;
#[cfg(test)]
#[path = "../tests/support/skipped.rs"]
mod skipped;
pub mod space;
#[doc(hidden)]
pub mod stand_in;
pub mod vector_files;

pub use anchors::change::add::AddReport;
pub use anchors::change::vectors;
pub use anchors::live::{LiveSet, RefreshOutcome, Snapshot, Watcher};
pub use anchors::stored::plan::{GraphPolicy, SearchMode};
pub use anchors::stored::records::PairRecord;
pub use anchors::{AnchorSet, AnchorsError, ChangeReceipt};
pub use classify::{ClassifiedImage, LabelExplanation, PairContribution, RankedLabel};
pub use encode::EncoderEntry;
pub use home::DataFolder;
pub use image_source::ImageSource;
pub use modality::{Modality, PerModality};
pub use model::{AnchorModel, AnchorModelError, AnchorModelOptions, ZeroShotClassifier};
pub use pairs::Pair;
pub use space::Recipe;
pub use space::prompts::{LabelList, PromptTemplates};
