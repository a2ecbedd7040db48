//! Arguments that several commands share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use asif::anchors::AnchorSet;
use asif::anchors::stored::place::refuse_in_set;
use asif::anchors::stored::plan::SearchMode;
use asif::classify::HeadOptions;
use asif::embed::{Embedder, EncoderSource};
use asif::encode::image::decode::{DEFAULT_LIMIT, DecodeBudget};
use asif::encode::{
    DEFAULT_IMAGE_ENCODER, DEFAULT_TEXT_ENCODER, EncoderEntry, EncoderOptions, runtime,
};
use asif::modality::{Modality, PerModality};
use asif::space::prompts::{PromptTemplates, named};
use asif::space::recipe::known_spaces;
use asif::space::{NegativeSimilarity, PromptAggregation, Recipe};
use clap::{Args, ValueEnum};

use crate::context::CommandContext;
use crate::errors::exit::{BadInput, UsageError};
use crate::options::hubness::HubnessArgs;
use crate::output::outputs::{OutputPlace, refuse_dash};
use crate::output::say::say;

/// The most threads of anything: more than machines have cores.
pub const MAX_THREADS: usize = 1024;

/// Whether small pictures of pairs are kept.
#[derive(Debug, Args)]
pub struct ThumbnailArgs {
    /// Keep a small copy of each pair's image (at most 256 pixels wide or high), so that the anchor set can be
    /// explained, served and moved without the original images. `--no-thumbnails` turns it off.
    #[arg(
        long,
        env = "ASIF_THUMBNAILS",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        action = clap::ArgAction::Set,
        overrides_with = "no_thumbnails"
    )]
    thumbnails: bool,

    /// Keep no small pictures.
    #[arg(
        long,
        env = "ASIF_NO_THUMBNAILS",
        hide = true,
        overrides_with = "thumbnails"
    )]
    no_thumbnails: bool,
}

impl ThumbnailArgs {
    /// Whether they are kept.
    pub fn kept(&self) -> bool {
        self.thumbnails && !self.no_thumbnails
    }
}

/// Which encoders, and where their embeddings are cached.
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

    /// ONNX Runtime's shared library, if it is not the one that the set-up put into the home folder.
    #[arg(long, env = "ASIF_ONNXRUNTIME", value_name = "FILE")]
    onnxruntime: Option<PathBuf>,

    /// The embedding cache, keyed by content, so that nothing is encoded twice
    /// [default: cache/embeddings in the home folder].
    #[arg(
        long,
        env = "ASIF_CACHE",
        value_name = "DIR",
        conflicts_with = "no_cache"
    )]
    cache: Option<PathBuf>,

    /// Encode everything again and cache nothing.
    #[arg(long, env = "ASIF_NO_CACHE")]
    no_cache: bool,

    /// Use photos as they are stored and ignore the orientation that the camera recorded (EXIF).
    #[arg(long, env = "ASIF_IGNORE_EXIF")]
    ignore_exif: bool,

    /// Accept an unknown image processor class, assuming that its keys (size, crop_size, resample, mean,
    /// deviation) have their usual meaning, and an unknown tokenizer class, assuming that tokenizer.json
    /// makes its tokens. Recorded in the encoder's identity. An anchor set that was built with this option
    /// is queried with it.
    #[arg(long, env = "ASIF_TRUST_PREPROCESSING")]
    trust_preprocessing: bool,
    /// Memory for decoding, shared by all pictures that are decoded at the same time: further pictures
    /// wait, and a picture that needs more by itself is refused. At most about 12 bytes per pixel for JPEG,
    /// 11 for PNG, 16 for WebP.
    #[arg(
        long,
        env = "ASIF_MAX_DECODE_MEMORY",
        value_name = "MIB",
        default_value_t = DEFAULT_LIMIT >> 20,
        value_parser = clap::value_parser!(u64).range(1..=1 << 24)
    )]
    max_decode_memory: u64,
}

/// How much there is to encode, which decides between throughput and a quick start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodingLoad {
    /// A handful of inputs.
    Few,
    /// Many: every core gets its own session.
    Many,
}

/// Images and texts are encoded.
pub const BOTH_NEEDED: PerModality<bool> = PerModality {
    image: true,
    text: true,
};

impl EncoderArgs {
    /// Opens the encoders: those named, else those that built `set`, else the defaults.
    pub fn open(
        &self,
        context: &CommandContext,
        set: Option<&AnchorSet>,
        load: EncodingLoad,
    ) -> anyhow::Result<Embedder> {
        self.open_for(context, set, load, BOTH_NEEDED)
    }

    /// As [`open`](Self::open), without the encoders of `set` that are not needed, because vectors are given.
    pub fn open_for(
        &self,
        context: &CommandContext,
        set: Option<&AnchorSet>,
        load: EncodingLoad,
        needed: PerModality<bool>,
    ) -> anyhow::Result<Embedder> {
        let cache = self
            .cache
            .clone()
            .unwrap_or_else(|| context.home.embedding_cache());
        if !self.no_cache {
            refuse_dash("--cache", &cache, OutputPlace::Folder)?;
            refuse_in_set(&cache)?;
        }
        let embedder = self.open_needed(context, set, load, needed)?;
        if self.no_cache {
            return Ok(embedder);
        }
        let folder = cache.display().to_string();
        let is_told = AtomicBool::new(false);
        let warning = move |what: &str| {
            if !is_told.swap(true, Ordering::Relaxed) {
                say(format!(
                    "asif: warning: {folder}: the embedding cache {what}; the command continues without \
                     it, and what is not cached is encoded again next time (--cache DIR uses another \
                     folder, --no-cache none)"
                ));
            }
        };
        let embedder = embedder.with_cache(&cache, Arc::new(warning))?;
        for name in embedder.uncached() {
            context.note(format!(
                "asif: {name}: its vectors depend on the other inputs of a batch, so they are not cached"
            ));
        }
        Ok(embedder)
    }

    /// As [`open`](Self::open), without a cache.
    #[cfg(feature = "server")]
    pub fn open_uncached(
        &self,
        context: &CommandContext,
        set: Option<&AnchorSet>,
        load: EncodingLoad,
    ) -> anyhow::Result<Embedder> {
        self.open_needed(context, set, load, BOTH_NEEDED)
    }

    fn open_needed(
        &self,
        context: &CommandContext,
        set: Option<&AnchorSet>,
        load: EncodingLoad,
        needed: PerModality<bool>,
    ) -> anyhow::Result<Embedder> {
        DecodeBudget::process().set_limit(self.max_decode_memory << 20);
        let mut options = match load {
            EncodingLoad::Few => EncoderOptions::latency(),
            EncodingLoad::Many => EncoderOptions::throughput(),
        };
        let recorded = |modality| set.map(|s| &s.encoder(modality).identity);
        for identity in Modality::BOTH.into_iter().filter_map(recorded) {
            options = options.as_recorded(identity);
        }
        options.apply_exif &= !self.ignore_exif;
        options.trust_preprocessing |= self.trust_preprocessing;
        let default = PerModality {
            image: DEFAULT_IMAGE_ENCODER,
            text: DEFAULT_TEXT_ENCODER,
        };
        let sources =
            PerModality::of(
                |modality| match (self.named(modality), recorded(modality)) {
                    (_, Some(identity)) if !needed[modality] => EncoderSource::Absent(identity),
                    (Some(name), _) => EncoderSource::Installed(name),
                    (None, Some(identity)) => EncoderSource::recorded(identity),
                    (None, None) => EncoderSource::Installed(default[modality]),
                },
            );
        if sources.iter().any(EncoderSource::is_installed) {
            runtime::load(self.onnxruntime.as_deref(), &context.home)?;
        }
        Ok(Embedder::open_some(&context.home, sources, &options)?)
    }

    /// The encoder that is named, if one is.
    fn named(&self, modality: Modality) -> Option<&str> {
        let given = match modality {
            Modality::Image => &self.image_encoder,
            Modality::Text => &self.text_encoder,
        };
        given.as_deref()
    }

    /// The encoder that is named, as a manifest records it; `None` where none is. Of the other modality nothing is
    /// opened.
    pub fn entry(
        &self,
        context: &CommandContext,
        modality: Modality,
    ) -> anyhow::Result<Option<EncoderEntry>> {
        let Some(name) = self.named(modality) else {
            return Ok(None);
        };
        let nothing = EncoderEntry::elsewhere("", modality.other(), 1).identity;
        let sources = PerModality::of(|of| match of == modality {
            true => EncoderSource::Installed(name),
            false => EncoderSource::Absent(&nothing),
        });
        runtime::load(self.onnxruntime.as_deref(), &context.home)?;
        let mut options = EncoderOptions::latency();
        options.apply_exif &= !self.ignore_exif;
        options.trust_preprocessing |= self.trust_preprocessing;
        let embedder = Embedder::open_some(&context.home, sources, &options)?;
        let (image, text) = embedder.entries()?;
        Ok(Some(match modality {
            Modality::Image => image,
            Modality::Text => text,
        }))
    }
}

/// The help of `--space`, from the table of spaces.
fn space_help() -> String {
    let known: Vec<String> = known_spaces()
        .into_iter()
        .map(|(name, what)| format!("`{name}`: {}", what.trim_end_matches('.')))
        .collect();
    format!(
        "How images are compared with texts. {}. `fused` is on average the most accurate on the anchor sets \
         that were measured (1,000 pairs and more), and falls back to `asif` below 64 pairs. With `asif` each \
         answer depends on few pairs. Several names joined by `+` are calibrated and added. Without this \
         option, any of the options for relative rows below selects `asif`",
        known.join("; ")
    )
}

/// How an image is compared with a text.
#[derive(Debug, Args)]
#[command(next_help_heading = "Space")]
pub struct SpaceArgs {
    #[arg(long, env = "ASIF_SPACE", value_name = "NAME[+NAME]", help = space_help())]
    space: Option<String>,

    #[command(flatten)]
    hubness: HubnessArgs,

    /// Relative rows: how many of the most similar anchors a row keeps. Increase it with the number of pairs.
    #[arg(long, env = "ASIF_K", value_name = "N")]
    k: Option<usize>,

    /// Relative rows: the power that similarities are raised to; a higher one weights the nearest anchors more.
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

    /// Relative rows: how negative similarities are treated.
    #[arg(long, env = "ASIF_NEGATIVES", value_enum)]
    negatives: Option<NegativesArg>,

    /// The paper's exact setting, made for millions of pairs: k 800, p 8, not centred, raw negatives, the
    /// best prompt of a label. Can be combined with --hubness.
    #[arg(
        long,
        env = "ASIF_PAPER",
        conflicts_with_all = ["space", "k", "p", "center", "negatives"]
    )]
    paper: bool,
}

/// Whether an anchor set may be used with another encoder than the one that built it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Encoders")]
pub struct AcceptArgs {
    /// Accept an encoder whose fingerprint differs from that of the anchor set, if its canary embedding
    /// agrees with the stored one (the same model, exported again).
    #[arg(long, env = "ASIF_ACCEPT_ENCODER")]
    accept_encoder: bool,
}

impl AcceptArgs {
    /// Makes `set` accept these encoders, if that was requested and their canary embeddings agree.
    pub fn apply(&self, set: &mut AnchorSet, embedder: &Embedder) -> anyhow::Result<()> {
        if self.accept_encoder {
            set.accept_encoders(embedder)?;
        }
        Ok(())
    }

    /// Whether it was requested.
    pub fn asked(&self) -> bool {
        self.accept_encoder
    }
}

/// How the anchors are searched.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// How the anchors are searched; all methods but `exact` may miss one of a hundred nearest anchors.
    #[arg(long, env = "ASIF_SEARCH", value_enum, default_value_t = SearchArg::Auto)]
    search: SearchArg,
}

impl SearchArgs {
    /// How the anchors are searched.
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
    /// The method that was planned when the anchor set was built.
    Auto,
    /// A scan of all vectors in 32-bit floating point.
    Exact,
    /// A scan of 8-bit codes; the best candidates are rescored.
    Flat,
    /// A scan of 1-bit sketches where the segment has them; the best candidates are rescored with 8-bit
    /// codes and then with 32-bit floats.
    Sketch,
    /// The graph (HNSW), where the segment has one.
    Hnsw,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NegativesArg {
    /// Unchanged; an even power makes them positive (the paper).
    Raw,
    /// Set to zero.
    Clamp,
    /// The power of the absolute value, with the sign kept.
    Signed,
}

impl SpaceArgs {
    /// `base` with the given options applied. Options for rows without a space select plain rows.
    pub fn over(&self, base: &Recipe) -> anyhow::Result<Recipe> {
        base.validate().map_err(|e| {
            BadInput(format!(
                "the space in the manifest of the anchor set cannot be used: {e}; `asif repair` goes back \
                 to a generation whose space can, or build the anchor set again"
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
                let name = self.space.as_deref();
                let name = name.expect("only a space that was named has no rows");
                UsageError(format!(
                    "--k, --p, --center and --negatives apply to relative rows, and {name} has none; \
                     omit them, or give --space asif"
                ))
            })?;
            rows.k = self.k.unwrap_or(rows.k);
            rows.p = self.p.unwrap_or(rows.p);
            rows.center = self.center.unwrap_or(rows.center);
            rows.negatives = self.negatives.map_or(rows.negatives, |n| match n {
                NegativesArg::Raw => NegativeSimilarity::Raw,
                NegativesArg::Clamp => NegativeSimilarity::Clamp,
                NegativesArg::Signed => NegativeSimilarity::Signed,
            });
        }
        let recipe = self.hubness.over(recipe);
        recipe.validate()?;
        Ok(recipe)
    }

    /// Whether the paper's setting was requested.
    pub fn paper(&self) -> bool {
        self.paper
    }
}

/// How labels become scores.
#[derive(Debug, Args)]
#[command(next_help_heading = "Labels")]
pub struct HeadArgs {
    /// Prompt templates: a name such as `clip:imagenet` (`asif templates` lists them), or a file with one
    /// template per line and `{}` in place of the label; several templates make the answer more stable.
    #[arg(long, env = "ASIF_TEMPLATES", value_name = "NAME|FILE")]
    templates: Option<String>,

    /// How the prompts of a label are combined into one score: the best of them (the ASIF paper), or one
    /// mean prompt (CLIP) [default: mean, with --paper max].
    #[arg(long, env = "ASIF_AGGREGATE", value_enum)]
    aggregate: Option<AggregateArg>,

    /// The factor between similarities and logits: a higher one makes the softmax more peaked, without
    /// changing the order.
    /// [default: 20, where scores are standard deviations 1.5; half with --hubness csls]
    #[arg(long, env = "ASIF_LOGIT_SCALE", value_name = "FACTOR", value_parser = logit_scale)]
    logit_scale: Option<f64>,
}

/// Above 0, or the order of the labels would be reversed or lost; bounded, or the softmax would saturate.
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
    pub fn templates(&self, context: &CommandContext) -> anyhow::Result<Option<PromptTemplates>> {
        let Some(given) = self.templates.as_deref() else {
            return Ok(None);
        };
        let templates = named::load(given)?;
        if named::find(given).is_none() {
            for note in PromptTemplates::notes_of_file(Path::new(given))? {
                context.note(format!("asif: {note}"));
            }
        }
        Ok(Some(templates))
    }

    /// The options of a label head in this space.
    pub fn options(
        &self,
        space: &SpaceArgs,
        search: &SearchArgs,
        base: &Recipe,
    ) -> anyhow::Result<HeadOptions> {
        let aggregate = match self.aggregate {
            Some(AggregateArg::Max) => PromptAggregation::Max,
            Some(AggregateArg::Mean) => PromptAggregation::Mean,
            Some(AggregateArg::MeanScore) => PromptAggregation::MeanScore,
            None if space.paper() => PromptAggregation::Max,
            None => PromptAggregation::Mean,
        };
        Ok(HeadOptions {
            space: space.over(base)?,
            mode: search.mode(),
            aggregate,
            logit_scale: self.logit_scale,
        })
    }
}
