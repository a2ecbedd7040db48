//! `asif serve`.

use std::env::VarError;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use asif::anchors::stored::place::refuse_in_set;
use asif_server::{
    ImageHost, Key, Limits, LogForm, NamedSet, OpenError, ServeOptions, serve, start_log,
};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::args::{EncoderArgs, Load};
use super::context::Context;
use super::exit::{BadInput, Usage};
use super::files::read_text;
use super::outputs::{OutputPlace, refuse_dash};

/// Serve sets over HTTP, with a page to look into them.
///
/// Follows each set: what `asif anchors`, `asif swap` or `asif rollback` publish is checked and
/// answers within a second, while requests go on; what fails its checks does not answer, and /health
/// says so.
#[derive(Debug, Args)]
#[command(after_help = "\
Routes:
  POST /                  Hugging Face zero-shot-image-classification (POST /models/NAME for others)
  POST /v1/embeddings     OpenAI embeddings of texts and images
  POST /v1/classify       batches, as multipart or JSON    POST /v1/explain   the pairs of an answer
  POST /v1/similarity     images against texts             GET  /v1/sets      what is served
  GET  /                  the page                         GET  /openapi.json all routes
  GET  /health /ready /info /metrics

Examples:
  asif serve --index mine.asif
  asif serve --index pets=pets-v2.asif --index shop.asif --listen 0.0.0.0:8080 --api-key-file key
  curl -F image=@cat.jpg -F labels=cat -F labels=dog http://127.0.0.1:8080/v1/classify")]
pub struct ServeArgs {
    /// The sets. Without a name a set is called as its folder; the first answers where a request
    /// names none.
    #[arg(
        long,
        env = "ASIF_INDEX",
        required = true,
        value_name = "[NAME=]DIR.asif"
    )]
    index: Vec<String>,

    /// Where to listen; port 0 takes a free one.
    #[arg(
        long,
        env = "ASIF_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080"
    )]
    listen: SocketAddr,

    /// A second address that answers /health, /ready and /metrics, without a key and whatever the first
    /// one is asked for; port 0 takes a free one.
    #[arg(long, env = "ASIF_PROBE_LISTEN", value_name = "ADDRESS")]
    probe_listen: Option<SocketAddr>,

    #[command(flatten)]
    keys: KeyArgs,

    #[command(flatten)]
    limits: LimitArgs,

    /// The folder that takes the pictures of pairs added over HTTP; without it none can be added.
    #[arg(long, env = "ASIF_UPLOADS", value_name = "DIR")]
    uploads: Option<PathBuf>,

    /// Hosts that images may be fetched from when a request names them by address (`https://...`):
    /// images.example.org, *.example.org or 10.0.0.5:9000. Without it none are fetched.
    #[arg(
        long,
        env = "ASIF_IMAGE_HOSTS",
        value_name = "HOST[:PORT]",
        value_delimiter = ','
    )]
    image_hosts: Vec<ImageHost>,

    /// How the log on standard error is written.
    #[arg(long, env = "ASIF_LOG", value_enum, default_value_t = LogArg::Json)]
    log: LogArg,

    #[command(flatten)]
    encoders: EncoderArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogArg {
    /// A JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Who may ask.
#[derive(Debug, Args)]
#[command(next_help_heading = "Keys")]
struct KeyArgs {
    /// A file with the key that clients send as `Authorization: Bearer KEY`. On other addresses than
    /// loopback one is needed. The environment can give the key itself in ASIF_API_KEY.
    #[arg(long, env = "ASIF_API_KEY_FILE", value_name = "FILE")]
    api_key_file: Option<PathBuf>,

    /// A file with the key of the routes that change sets; without it there are none. The environment
    /// can give the key itself in ASIF_ADMIN_KEY.
    #[arg(long, env = "ASIF_ADMIN_KEY_FILE", value_name = "FILE")]
    admin_key_file: Option<PathBuf>,

    /// Serve any address without a key.
    #[arg(long, env = "ASIF_INSECURE")]
    insecure: bool,
}

/// How much requests may take.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// MiB of a request's body.
    #[arg(long, env = "ASIF_MAX_BODY", value_name = "MIB", default_value_t = 32)]
    max_body: usize,

    /// MiB of all bodies that are held at once; more are refused with 429.
    #[arg(
        long,
        env = "ASIF_MAX_MEMORY",
        value_name = "MIB",
        default_value_t = 256
    )]
    max_memory: usize,

    /// Millions of pixels of an image.
    #[arg(
        long,
        env = "ASIF_MAX_PIXELS",
        value_name = "MEGAPIXELS",
        default_value_t = 64
    )]
    max_pixels: u64,

    /// Images, vectors or texts of a request.
    #[arg(long, env = "ASIF_MAX_BATCH", value_name = "N", default_value_t = 64)]
    max_batch: usize,

    /// Labels of a request.
    #[arg(
        long,
        env = "ASIF_MAX_LABELS",
        value_name = "N",
        default_value_t = 1_000
    )]
    max_labels: usize,

    /// Prompts of a request: labels times templates.
    #[arg(
        long,
        env = "ASIF_MAX_PROMPTS",
        value_name = "N",
        default_value_t = 20_000
    )]
    max_prompts: usize,

    /// Requests that are worked on or wait; more are refused with 429. More means fewer refusals and
    /// longer waits.
    #[arg(
        long,
        env = "ASIF_MAX_REQUESTS",
        value_name = "N",
        default_value_t = 256
    )]
    max_requests: usize,

    /// Images that wait for the encoder, and as many again that are to be fetched first; more are
    /// refused with 429.
    #[arg(long, env = "ASIF_MAX_IMAGES", value_name = "N", default_value_t = 128)]
    max_images: usize,

    /// Open connections. For one more the one is closed that has been idle for longest; while every one
    /// is worked for, only /health, /ready and /metrics are answered.
    #[arg(
        long,
        env = "ASIF_MAX_CONNECTIONS",
        value_name = "N",
        default_value_t = 1_024
    )]
    max_connections: usize,

    /// Seconds that a request may take.
    #[arg(
        long,
        env = "ASIF_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 30
    )]
    timeout: u64,

    /// Seconds that requests may go on after the server was told to stop.
    #[arg(long, env = "ASIF_GRACE", value_name = "SECONDS", default_value_t = 20)]
    grace: u64,
}

pub fn run(args: &ServeArgs, context: &Context) -> anyhow::Result<()> {
    if let Some(folder) = &args.uploads {
        refuse_dash("--uploads", folder, OutputPlace::Folder)?;
        refuse_in_set(folder)?;
    }
    let options = ServeOptions {
        sets: args
            .index
            .iter()
            .map(|text| named(text))
            .collect::<anyhow::Result<_>>()?,
        listen: args.listen,
        probe_listen: args.probe_listen,
        api_key: key(args.keys.api_key_file.as_ref(), "ASIF_API_KEY")?,
        admin_key: key(args.keys.admin_key_file.as_ref(), "ASIF_ADMIN_KEY")?,
        insecure: args.keys.insecure,
        uploads: args.uploads.clone(),
        image_hosts: args.image_hosts.clone(),
        limits: args.limits.limits(),
    };
    start_log(match args.log {
        LogArg::Json => LogForm::Json,
        LogArg::Text => LogForm::Text,
    });
    let open = |set: &asif::anchors::AnchorSet| {
        let embedder = args.encoders.open_uncached(context, Some(set), Load::Many);
        embedder.map_err(OpenError::from)
    };
    let ready = |address: SocketAddr, probe: Option<SocketAddr>| {
        let url = format!("http://{address}");
        let mut told = json!({"listen": address, "url": url});
        if let Some(probe) = probe {
            told["probe_listen"] = json!(probe);
        }
        // On a closed standard output the server goes on.
        let _ = match context.json {
            true => context.print_line_json(&told),
            false => context.print(match probe {
                Some(probe) => format!("serving on {url}, probes on http://{probe}"),
                None => format!("serving on {url}"),
            }),
        };
    };
    Ok(serve(options, &open, ready)?)
}

/// `NAME=DIR`, or a folder that is called as the set, with `.asif` behind it or not.
fn named(text: &str) -> anyhow::Result<NamedSet> {
    if let Some((name, path)) = text.split_once('=')
        && !name.contains('/')
        && !path.is_empty()
    {
        return Ok(NamedSet {
            name: name.to_owned(),
            path: path.into(),
        });
    }
    let path = PathBuf::from(text);
    let folder = path.file_name().and_then(|folder| folder.to_str());
    let folder = folder.filter(|_| !text.ends_with('='));
    let folder = folder
        .ok_or_else(|| Usage(format!("{text:?} names no set; give --index NAME=DIR.asif")))?;
    Ok(NamedSet {
        name: folder.strip_suffix(".asif").unwrap_or(folder).to_owned(),
        path,
    })
}

/// The key in a file, or in the environment.
fn key(file: Option<&PathBuf>, variable: &str) -> anyhow::Result<Option<Key>> {
    let text = match file {
        Some(file) => Some(read_text(file, "the key in it")?),
        None => match std::env::var(variable) {
            Ok(text) => Some(text).filter(|text| !text.is_empty()),
            Err(VarError::NotPresent) => None,
            // Left out, it would be taken for a wish to have no key.
            Err(VarError::NotUnicode(_)) => Err(BadInput(format!(
                "{variable}: not UTF-8; a key is of visible ASCII"
            )))?,
        },
    };
    let from = file.map_or(variable.to_owned(), |file| file.display().to_string());
    let key = |text: String| Key::new(&text).map_err(|e| BadInput(format!("{from}: {e}")));
    Ok(text.map(key).transpose()?)
}

impl LimitArgs {
    fn limits(&self) -> Limits {
        const MIB: usize = 1 << 20;
        Limits {
            body_bytes: self.max_body.saturating_mul(MIB),
            memory_bytes: self.max_memory.saturating_mul(MIB),
            pixels: self.max_pixels.saturating_mul(1_000_000),
            batch: self.max_batch,
            labels: self.max_labels,
            prompts: self.max_prompts,
            requests: self.max_requests,
            images: self.max_images,
            connections: self.max_connections,
            time: Duration::from_secs(self.timeout),
            grace: Duration::from_secs(self.grace),
        }
    }
}
