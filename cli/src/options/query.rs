//! Query arguments, shared by all commands that compare images with texts.

use std::path::{Path, PathBuf};

use asif::anchors::AnchorSet;
use asif::anchors::stored::plan::SearchMode;
use asif::classify::HeadOptions;
use asif::embed::Embedder;
use asif::modality::PerModality;
use asif::space::Recipe;
use asif::space::prompts::{LabelList, PromptTemplates};
use clap::Args;

use crate::context::{CommandContext, open};
use crate::errors::exit::UsageError;
use crate::options::args::{
    AcceptArgs, BOTH_NEEDED, EncoderArgs, EncodingLoad, HeadArgs, SearchArgs, SpaceArgs,
};

/// The space, the search method and the encoders.
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
    /// The space of the anchor set, with the given options applied.
    pub fn recipe(&self, set: &AnchorSet) -> anyhow::Result<Recipe> {
        self.space.over(&set.manifest().space)
    }

    /// How the anchors are searched.
    pub fn mode(&self) -> SearchMode {
        self.search.mode()
    }

    /// Opens the encoders of `set`, and makes it accept them if that was requested.
    pub fn embedder(
        &self,
        context: &CommandContext,
        set: &mut AnchorSet,
        load: EncodingLoad,
    ) -> anyhow::Result<Embedder> {
        self.embedder_for(context, set, load, BOTH_NEEDED)
    }

    /// As [`embedder`](Self::embedder), without the encoders that are not needed, because vectors are given.
    pub fn embedder_for(
        &self,
        context: &CommandContext,
        set: &mut AnchorSet,
        load: EncodingLoad,
        needed: PerModality<bool>,
    ) -> anyhow::Result<Embedder> {
        let embedder = self.encoders.open_for(context, Some(set), load, needed)?;
        self.accept.apply(set, &embedder)?;
        Ok(embedder)
    }
}

/// [`AskArgs`], and how labels become scores.
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
    pub fn templates(&self, context: &CommandContext) -> anyhow::Result<Option<PromptTemplates>> {
        self.head.templates(context)
    }

    /// The options of a label head in the space of `set`, with the given options applied.
    pub fn options(&self, set: &AnchorSet) -> anyhow::Result<HeadOptions> {
        let AskArgs { space, search, .. } = &self.ask;
        self.head.options(space, search, &set.manifest().space)
    }
}

/// An anchor set, and how it is queried.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The anchor set.
    #[arg(long, env = "ASIF_INDEX", value_name = "DIR.asif")]
    index: PathBuf,

    #[command(flatten)]
    score: ScoreArgs,
}

/// An open anchor set with its encoders, templates and options.
#[derive(Debug)]
pub struct QuerySession {
    pub set: AnchorSet,
    pub embedder: Embedder,
    pub templates: Option<PromptTemplates>,
    pub options: HeadOptions,
}

impl QueryArgs {
    /// The file of templates that it reads, if one is given.
    pub fn templates_file(&self) -> Option<&Path> {
        self.score.templates_file()
    }

    /// Reads the templates, opens the anchor set, then the encoders: cheap steps first, so that their errors
    /// come before the models are loaded.
    pub fn open(
        &self,
        context: &CommandContext,
        load: EncodingLoad,
        needed: PerModality<bool>,
    ) -> anyhow::Result<QuerySession> {
        let templates = self.score.templates(context)?;
        let mut set = open(&self.index, context)?;
        let options = self.score.options(&set)?;
        note_few(&options.space, set.len(), context);
        let ask = &self.score.ask;
        let embedder = ask.embedder_for(context, &mut set, load, needed)?;
        Ok(QuerySession {
            set,
            embedder,
            templates,
            options,
        })
    }
}

/// Notes that an anchor set of so few pairs is queried with plain relative rows, if it is.
pub fn note_few(space: &Recipe, pairs: usize, context: &CommandContext) {
    if let Some(note) = space.few_anchors(pairs) {
        context.note(format!("asif: {note}"));
    }
}

/// The labels to choose from.
#[derive(Debug, Args)]
pub struct LabelArgs {
    /// The labels, separated by commas. Alternative names of a label, such as other languages, are separated
    /// by `|`: `cat|gato|Katze`.
    #[arg(long, env = "ASIF_LABELS", value_name = "A,B,C")]
    labels: Option<String>,

    /// A file of labels, one per line; `#` starts a comment. `label: description` gives a label its own
    /// prompt, tabs separate several prompts; .json (a list, labels with prompts, id2label) and .jsonl are
    /// read too.
    #[arg(
        long,
        env = "ASIF_LABELS_FILE",
        value_name = "FILE",
        conflicts_with = "labels"
    )]
    labels_file: Option<PathBuf>,
}

/// The files that a query reads, apart from the anchor set.
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

    /// Whether labels are given.
    pub fn are_given(&self) -> bool {
        self.labels.is_some() || self.labels_file.is_some()
    }

    /// The labels; an error if there are none.
    pub fn read(&self, context: &CommandContext) -> anyhow::Result<LabelList> {
        let labels = match (&self.labels, &self.labels_file) {
            (Some(list), _) => LabelList::parse(list)?,
            (None, Some(file)) => LabelList::from_file(file)?,
            (None, None) => {
                let said = "no labels are given; give --labels cat,dog or --labels-file FILE";
                return Err(UsageError(said.to_owned()).into());
            }
        };
        for note in labels.notes() {
            context.note(format!("asif: {note}"));
        }
        if let [only] = labels.as_slice() {
            context.note(format!(
                "asif: there is only one label, {only:?}, so every image gets it; write several as \
                 `--labels cat,dog`, one per line of a --labels-file, or [\"cat\", \"dog\"] in a .json file"
            ));
        }
        Ok(labels)
    }
}
