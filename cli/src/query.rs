//! How a set is asked: what every command that compares images with texts shares.

use std::path::{Path, PathBuf};

use asif::anchors::AnchorSet;
use asif::anchors::stored::plan::SearchMode;
use asif::classify::HeadOptions;
use asif::embed::Embedder;
use asif::space::Recipe;
use asif::space::prompts::{Labels, Templates};
use clap::Args;

use super::args::{AcceptArgs, EncoderArgs, HeadArgs, Load, SearchArgs, SpaceArgs};
use super::context::Context;

/// The space, what searches it, and the encoders.
#[derive(Debug, Args)]
pub struct AskArgs {
    #[command(flatten)]
    space: SpaceArgs,

    #[command(flatten)]
    search: SearchArgs,

    #[command(flatten)]
    encoders: EncoderArgs,

    #[command(flatten)]
    accept: AcceptArgs,
}

impl AskArgs {
    /// The space: that of the set, changed by what was given.
    pub fn recipe(&self, set: &AnchorSet) -> anyhow::Result<Recipe> {
        self.space.over(&set.manifest().space)
    }

    /// What searches the anchors.
    pub fn mode(&self) -> SearchMode {
        self.search.mode()
    }

    /// The encoders of `set`, which is made to accept them where that was asked for.
    pub fn embedder(
        &self,
        context: &Context,
        set: &mut AnchorSet,
        load: Load,
    ) -> anyhow::Result<Embedder> {
        let embedder = self.encoders.open(context, Some(set), load)?;
        self.accept.apply(set, &embedder)?;
        Ok(embedder)
    }
}

/// The same, and how labels become scores.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    #[command(flatten)]
    head: HeadArgs,

    #[command(flatten)]
    ask: AskArgs,
}

impl ScoreArgs {
    /// The files that it reads.
    pub fn templates_file(&self) -> Option<&Path> {
        self.head.templates_file()
    }

    /// The space, the search and the encoders.
    pub fn ask(&self) -> &AskArgs {
        &self.ask
    }

    /// The templates given, if any.
    pub fn templates(&self, context: &Context) -> anyhow::Result<Option<Templates>> {
        self.head.templates(context)
    }

    /// How a head is made in the space of `set`, changed by what was given.
    pub fn options(&self, set: &AnchorSet) -> anyhow::Result<HeadOptions> {
        let AskArgs { space, search, .. } = &self.ask;
        self.head.options(space, search, &set.manifest().space)
    }
}

/// A set, and how it is asked.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The set.
    #[arg(long, env = "ASIF_INDEX", value_name = "DIR.asif")]
    index: PathBuf,

    #[command(flatten)]
    score: ScoreArgs,
}

/// A set that is open, with its encoders, and how it is asked.
#[derive(Debug)]
pub struct Question {
    pub set: AnchorSet,
    pub embedder: Embedder,
    pub templates: Option<Templates>,
    pub options: HeadOptions,
}

impl QueryArgs {
    /// The file of templates that it reads, if one is given.
    pub fn templates_file(&self) -> Option<&Path> {
        self.score.templates_file()
    }

    /// Reads the templates, opens the set, then the encoders: what is wrong with the small is said
    /// before the large is loaded.
    pub fn open(&self, context: &Context, load: Load) -> anyhow::Result<Question> {
        let templates = self.score.templates(context)?;
        let mut set = super::open(&self.index, context)?;
        let options = self.score.options(&set)?;
        note_few(&options.space, set.len(), context);
        let embedder = self.score.ask.embedder(context, &mut set, load)?;
        Ok(Question {
            set,
            embedder,
            templates,
            options,
        })
    }
}

/// Notes that so few pairs are compared in plain rows, if they are.
pub fn note_few(space: &Recipe, pairs: usize, context: &Context) {
    if let Some(note) = space.few_anchors(pairs) {
        context.note(format!("asif: {note}"));
    }
}

/// The labels to choose from.
#[derive(Debug, Args)]
pub struct LabelArgs {
    /// The labels, separated by commas; a label's names in several languages by `|`, as in
    /// `cat|gato|Katze`.
    #[arg(long, env = "ASIF_LABELS", value_name = "A,B,C")]
    labels: Option<String>,

    /// The labels, one a line; `#` begins a comment. `label: what it looks like` gives a label a
    /// prompt of its own, tabs several; .json (a list, labels with prompts, id2label) and .jsonl
    /// are read too.
    #[arg(
        long,
        env = "ASIF_LABELS_FILE",
        value_name = "FILE",
        conflicts_with = "labels"
    )]
    labels_file: Option<PathBuf>,
}

/// The files that a question about images reads, beside the set.
pub fn inputs<'a>(
    images: &'a [PathBuf],
    labels: &'a LabelArgs,
    query: &'a QueryArgs,
) -> Vec<&'a Path> {
    let lists = labels
        .labels_file()
        .into_iter()
        .chain(query.templates_file());
    images.iter().map(PathBuf::as_path).chain(lists).collect()
}

impl LabelArgs {
    /// The file that holds them, if one is given.
    pub fn labels_file(&self) -> Option<&Path> {
        self.labels_file.as_deref()
    }

    /// The labels; none given is an error that says so.
    pub fn read(&self, context: &Context) -> anyhow::Result<Labels> {
        let labels = match (&self.labels, &self.labels_file) {
            (Some(list), _) => Labels::parse(list)?,
            (None, Some(file)) => Labels::from_file(file)?,
            (None, None) => Labels::parse("")?,
        };
        for note in labels.notes() {
            context.note(format!("asif: {note}"));
        }
        if let [only] = labels.as_slice() {
            context.note(format!(
                "asif: there is one label only, {only:?}, so every image gets it; several are written \
                 `--labels cat,dog`, or in a --labels-file one a line, in a .json file [\"cat\", \"dog\"]"
            ));
        }
        Ok(labels)
    }
}
