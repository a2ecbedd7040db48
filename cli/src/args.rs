//! Arguments that several commands share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use asif::anchors::AnchorSet;
use asif::anchors::stored::place::refuse_in_set;
use asif::anchors::stored::plan::SearchMode;
use asif::classify::HeadOptions;
use asif::embed::Embedder;
use asif::encode::image::decode::{DEFAULT_LIMIT, DecodeBudget};
use asif::encode::{DEFAULT_IMAGE_ENCODER, DEFAULT_TEXT_ENCODER, EncoderOptions, runtime};
use asif::modality::{Modality, Sides};
use asif::space::prompts::{Templates, named};
use asif::space::{Aggregate, Negatives, Recipe};
use clap::{Args, ValueEnum};

use super::context::Context;
use super::exit::{BadInput, Usage};
use super::hubness::HubnessArgs;
use super::outputs::{OutputPlace, refuse_dash};
use super::say::say;

/// The most threads of anything: more than machines have cores.
pub const MAX_THREADS: usize = 1024;

/// Which encoders, and where their embeddings are kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Encoders")]
pub struct EncoderArgs {
    /// An installed image encoder (`asif models`), or a model folder; several whose similarities
    /// are averaged as `a+b`, or with weights as `a:0.7+b:0.3`.
    #[arg(long, env = "ASIF_IMAGE_ENCODER", value_name = "NAME|DIR[+..]")]
    image_encoder: Option<String>,

    /// An installed text encoder, or a model folder; several as for images.
    #[arg(long, env = "ASIF_TEXT_ENCODER", value_name = "NAME|DIR[+..]")]
    text_encoder: Option<String>,

    /// ONNX Runtime's shared library, where it is not the one that the set-up put into the home.
    #[arg(long, env = "ASIF_ONNXRUNTIME", value_name = "FILE")]
    onnxruntime: Option<PathBuf>,

    /// Where embeddings are kept by content, so that nothing is encoded twice
    /// [default: cache/embeddings in the home].
    #[arg(
        long,
        env = "ASIF_CACHE",
        value_name = "DIR",
        conflicts_with = "no_cache"
    )]
    cache: Option<PathBuf>,

    /// Encode everything anew and keep nothing.
    #[arg(long, env = "ASIF_NO_CACHE")]
    no_cache: bool,

    /// Take photos as they are stored, ignoring the orientation that the camera noted (EXIF).
    #[arg(long, env = "ASIF_IGNORE_EXIF")]
    ignore_exif: bool,

    /// Use an image processor class that is not known here, and believe that its keys (size,
    /// crop_size, resample, mean, deviation) mean what they say; and a tokenizer class that is not
    /// known, and believe that tokenizer.json makes its tokens. Noted in the encoder's identity. A set
    /// that was built so is asked so.
    #[arg(long, env = "ASIF_TRUST_PREPROCESSING")]
    trust_preprocessing: bool,
    /// Memory that decoding may take, all pictures at once: the others wait, and a picture that alone
    /// would take more is refused. Some 12 bytes a pixel at most for JPEG, 11 for PNG, 16 for WebP.
    #[arg(
        long,
        env = "ASIF_MAX_DECODE_MEMORY",
        value_name = "MIB",
        default_value_t = DEFAULT_LIMIT >> 20,
        value_parser = clap::value_parser!(u64).range(1..=1 << 24)
    )]
    max_decode_memory: u64,
}

/// How much is to be encoded, which decides between throughput and a quick start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// A handful of inputs.
    Few,
    /// Many: every core gets its own session.
    Many,
}

impl EncoderArgs {
    /// Opens the encoders: those named, else those that built `set`, else the defaults.
    pub fn open(
        &self,
        context: &Context,
        set: Option<&AnchorSet>,
        load: Load,
    ) -> anyhow::Result<Embedder> {
        let cache = self
            .cache
            .clone()
            .unwrap_or_else(|| context.home.embedding_cache());
        if !self.no_cache {
            refuse_dash("--cache", &cache, OutputPlace::Folder)?;
            refuse_in_set(&cache)?;
        }
        let embedder = self.open_uncached(context, set, load)?;
        if self.no_cache {
            return Ok(embedder);
        }
        let folder = cache.display().to_string();
        let is_told = AtomicBool::new(false);
        let warning = move |what: &str| {
            if !is_told.swap(true, Ordering::Relaxed) {
                say(format!(
                    "asif: warning: {folder}: the embedding cache {what}; it goes on without, and what \
                     is not kept is encoded again next time (--cache DIR takes another, --no-cache none)"
                ));
            }
        };
        let embedder = embedder.with_cache(&cache, Arc::new(warning))?;
        for name in embedder.uncached() {
            context.note(format!(
                "asif: {name}: its vectors depend on what else is in a batch, so they are not kept"
            ));
        }
        Ok(embedder)
    }

    /// The same, without a cache.
    pub fn open_uncached(
        &self,
        context: &Context,
        set: Option<&AnchorSet>,
        load: Load,
    ) -> anyhow::Result<Embedder> {
        DecodeBudget::process().set_limit(self.max_decode_memory << 20);
        runtime::load(self.onnxruntime.as_deref(), &context.home)?;
        let mut options = match load {
            Load::Few => EncoderOptions::latency(),
            Load::Many => EncoderOptions::throughput(),
        };
        let recorded = |modality| set.map(|s| &s.encoder(modality).identity);
        for identity in Modality::BOTH.into_iter().filter_map(recorded) {
            options = options.as_recorded(identity);
        }
        options.apply_exif &= !self.ignore_exif;
        options.trust_preprocessing |= self.trust_preprocessing;
        let name = |given: &Option<String>, modality, default: &str| {
            given
                .clone()
                .or_else(|| recorded(modality).map(|i| i.name.clone()))
                .unwrap_or_else(|| default.to_owned())
        };
        let image = name(&self.image_encoder, Modality::Image, DEFAULT_IMAGE_ENCODER);
        let text = name(&self.text_encoder, Modality::Text, DEFAULT_TEXT_ENCODER);
        let names = Sides {
            image: image.as_str(),
            text: text.as_str(),
        };
        Ok(Embedder::open(&context.home, names, &options)?)
    }
}

/// How an image is compared with a text.
#[derive(Debug, Args)]
#[command(next_help_heading = "Space")]
pub struct SpaceArgs {
    /// How images are compared with texts: `fused` is on average the most accurate on the sets that were measured
    /// (1,000 pairs and more) and is `asif` where there are fewer than 64 pairs; `asif` answers from
    /// relative rows alone, so that each answer is made of few pairs; `canonical`, `asif-canonical`,
    /// `whitened`, `ridge` and `procrustes` are the other closed forms; `paper` is the paper's
    /// setting. Several joined by `+` are calibrated and added. Without it, any of the options for
    /// relative rows below asks for `asif`.
    #[arg(long, env = "ASIF_SPACE", value_name = "NAME[+NAME]")]
    space: Option<String>,

    #[command(flatten)]
    hubness: HubnessArgs,

    /// Relative rows: how many of the most similar anchors an input is made of. More anchors, more k.
    #[arg(long, env = "ASIF_K", value_name = "N")]
    k: Option<usize>,

    /// Relative rows: the power that similarities are raised to: higher listens to the nearest anchors only.
    #[arg(long, env = "ASIF_P", value_name = "POWER")]
    p: Option<f64>,

    /// Relative rows: subtract the anchors' mean of each modality first (`--center=false` to keep it).
    #[arg(
        long,
        env = "ASIF_CENTER",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    center: Option<bool>,

    /// Relative rows: what becomes of anchors with a negative similarity.
    #[arg(long, env = "ASIF_NEGATIVES", value_enum)]
    negatives: Option<NegativesArg>,

    /// The paper's exact setting, made for millions of pairs: k 800, p 8, not centred, raw
    /// negatives, the best prompt of a label. --hubness goes with it.
    #[arg(
        long,
        env = "ASIF_PAPER",
        conflicts_with_all = ["space", "k", "p", "center", "negatives"]
    )]
    paper: bool,
}

/// Whether another encoder than the one that built a set may be used with it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Encoders")]
pub struct AcceptArgs {
    /// Use an encoder with another fingerprint than the set was built with, if its canary
    /// embedding agrees with the one that the set keeps (the same model, exported anew).
    #[arg(long, env = "ASIF_ACCEPT_ENCODER")]
    accept_encoder: bool,
}

impl AcceptArgs {
    /// Makes `set` accept these encoders, if that was asked for and their canaries agree.
    pub fn apply(&self, set: &mut AnchorSet, embedder: &Embedder) -> anyhow::Result<()> {
        if self.accept_encoder {
            set.accept_encoders(embedder)?;
        }
        Ok(())
    }

    /// Whether it was asked for.
    pub fn asked(&self) -> bool {
        self.accept_encoder
    }
}

/// What searches the anchors.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// What searches the anchors; all but `exact` may miss one answer in a hundred.
    #[arg(long, env = "ASIF_SEARCH", value_enum, default_value_t = SearchArg::Auto)]
    search: SearchArg,
}

impl SearchArgs {
    /// What searches the anchors.
    pub fn mode(&self) -> SearchMode {
        match self.search {
            SearchArg::Auto => SearchMode::Auto,
            SearchArg::Exact => SearchMode::Exact,
            SearchArg::Flat => SearchMode::Flat,
            SearchArg::Sketch => SearchMode::Sketch,
            SearchArg::Hnsw => SearchMode::Hnsw,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SearchArg {
    /// What was planned when the set was built.
    Auto,
    /// Every vector in 32-bit floating point.
    Exact,
    /// Every vector as 8-bit codes, the best rescored.
    Flat,
    /// Every vector as one bit a number, the best rescored by 8-bit codes and again, where there
    /// are such bits.
    Sketch,
    /// The graph, where there is one.
    Hnsw,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NegativesArg {
    /// Unchanged, so that an even power makes them positive (the paper).
    Raw,
    /// As zero.
    Clamp,
    /// The power of their amount, with their sign.
    Signed,
}

impl SpaceArgs {
    /// `base`, changed by what was given. Settings of rows without a space ask for plain rows.
    pub fn over(&self, base: &Recipe) -> anyhow::Result<Recipe> {
        base.validate().map_err(|e| {
            BadInput(format!(
                "the space in the set's manifest cannot be used: {e}; `asif repair` goes back to a \
                 generation that can, a new build makes another"
            ))
        })?;
        let rows_given = self.k.is_some()
            || self.p.is_some()
            || self.center.is_some()
            || self.negatives.is_some();
        let mut recipe = match &self.space {
            _ if self.paper => Recipe::named("paper")?,
            Some(name) => Recipe::named(name)?,
            None if rows_given => base.plain().copied().unwrap_or_default().into(),
            None => base.clone(),
        };
        if rows_given {
            let rows = recipe.parts.iter_mut().find_map(|p| p.part.rows_mut());
            let rows = rows.ok_or_else(|| {
                let name = self.space.as_deref().unwrap_or_default();
                Usage(format!(
                    "--k, --p, --center and --negatives are of relative rows, and {name} has none; \
                     leave them out, or give --space asif"
                ))
            })?;
            rows.k = self.k.unwrap_or(rows.k);
            rows.p = self.p.unwrap_or(rows.p);
            rows.center = self.center.unwrap_or(rows.center);
            rows.negatives = self.negatives.map_or(rows.negatives, |n| match n {
                NegativesArg::Raw => Negatives::Raw,
                NegativesArg::Clamp => Negatives::Clamp,
                NegativesArg::Signed => Negatives::Signed,
            });
        }
        let recipe = self.hubness.over(recipe);
        recipe.validate()?;
        Ok(recipe)
    }

    /// Whether the paper's setting was asked for.
    pub fn paper(&self) -> bool {
        self.paper
    }
}

/// How labels become scores.
#[derive(Debug, Args)]
#[command(next_help_heading = "Labels")]
pub struct HeadArgs {
    /// Prompt templates: a name such as `clip:imagenet` (`asif templates` lists them), or a file
    /// with one a line and `{}` where the label goes; several templates steady the answer.
    #[arg(long, env = "ASIF_TEMPLATES", value_name = "NAME|FILE")]
    templates: Option<String>,

    /// How the prompts of a label become one score: the best of them (the ASIF paper), or one mean
    /// prompt (CLIP) [default: mean, with --paper max].
    #[arg(long, env = "ASIF_AGGREGATE", value_enum)]
    aggregate: Option<AggregateArg>,

    /// The factor between similarities and logits: higher makes the softmax surer of itself,
    /// without changing the order.
    /// [default: 20, where scores are standard deviations 1.5; half with --hubness csls]
    #[arg(long, env = "ASIF_LOGIT_SCALE", value_name = "FACTOR", value_parser = logit_scale)]
    logit_scale: Option<f64>,
}

/// Above 0, or the order of the labels would turn round or be lost; bounded, or the softmax would be
/// certain of anything.
fn logit_scale(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    match factor > 0.0 && factor <= 1e6 {
        true => Ok(factor),
        false => Err("expected a number above 0 and at most 1000000; CLIP uses 100".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AggregateArg {
    /// The best prompt's score.
    Max,
    /// The mean of the prompts' scores.
    MeanScore,
    /// The score of the mean prompt embedding.
    Mean,
}

impl HeadArgs {
    /// The file of templates, if one is given.
    pub fn templates_file(&self) -> Option<&Path> {
        let given = self.templates.as_deref()?;
        named::find(given).is_none().then(|| Path::new(given))
    }

    /// The templates given, if any.
    pub fn templates(&self, context: &Context) -> anyhow::Result<Option<Templates>> {
        let Some(given) = self.templates.as_deref() else {
            return Ok(None);
        };
        let templates = named::load(given)?;
        if named::find(given).is_none() {
            for note in Templates::notes_of_file(Path::new(given))? {
                context.note(format!("asif: {note}"));
            }
        }
        Ok(Some(templates))
    }

    /// How a head is made in this space.
    pub fn options(
        &self,
        space: &SpaceArgs,
        search: &SearchArgs,
        base: &Recipe,
    ) -> anyhow::Result<HeadOptions> {
        let aggregate = match self.aggregate {
            Some(AggregateArg::Max) => Aggregate::Max,
            Some(AggregateArg::Mean) => Aggregate::Mean,
            Some(AggregateArg::MeanScore) => Aggregate::MeanScore,
            None if space.paper() => Aggregate::Max,
            None => Aggregate::Mean,
        };
        Ok(HeadOptions {
            space: space.over(base)?,
            mode: search.mode(),
            aggregate,
            logit_scale: self.logit_scale,
        })
    }
}
