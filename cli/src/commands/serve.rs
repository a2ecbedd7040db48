//! `asif serve`.

use std::env::VarError;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use asif::anchors::stored::place::refuse_in_set;
use asif_server::{
    AccessKey, ImageHost, LogFormat, NamedAnchorSet, ServeLimits, ServeOptions, serve, start_log,
};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::context::CommandContext;
use crate::errors::exit::{BadInput, UsageError};
use crate::files::read_text;
use crate::options::args::{EncoderArgs, EncodingLoad};
use crate::output::outputs::{OutputPlace, refuse_dash};

/// Serve anchor sets over HTTP, with a page to explore them.
///
/// The server follows each anchor set: a generation that `asif anchors`, `asif swap` or `asif rollback`
/// publishes is checked and goes live within a second, without interrupting requests. A generation that
/// fails the checks is not served, and /health reports it.
#[derive(Debug, Args)]
#[command(after_help = "\
Routes:
  POST /                  Hugging Face zero-shot-image-classification (POST /models/NAME: another anchor set)
  POST /v1/embeddings     OpenAI embeddings of texts and images
  POST /v1/classify       batches, as multipart or JSON    POST /v1/explain   the pairs of an answer
  POST /v1/similarity     images against texts             GET  /v1/sets      the served anchor sets
  GET  /                  the page                         GET  /openapi.json all routes
  GET  /health /ready /info /metrics

Examples:
  asif serve --index mine.asif
  asif serve --index pets=pets-v2.asif --index shop.asif --listen 0.0.0.0:8080 --api-key-file key
  curl -F image=@cat.jpg -F labels=cat -F labels=dog http://127.0.0.1:8080/v1/classify")]
pub struct ServeArgs {
    /// The anchor sets. Without NAME, an anchor set is named after its folder; the first one answers requests
    /// that name none.
    #[arg(
        long,
        env = "ASIF_INDEX",
        required = true,
        value_name = "[NAME=]DIR.asif"
    )]
    index: Vec<String>,

    /// The address to listen on; port 0 picks a free port.
    #[arg(
        long,
        env = "ASIF_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080"
    )]
    listen: SocketAddr,

    /// A second address that answers /health, /ready and /metrics, without a key and independently of the
    /// load on the first; port 0 picks a free port.
    #[arg(long, env = "ASIF_PROBE_LISTEN", value_name = "ADDRESS")]
    probe_listen: Option<SocketAddr>,

    #[command(flatten)]
    keys: KeyArgs,

    #[command(flatten)]
    limits: LimitArgs,

    /// The folder for the pictures of pairs that are added over HTTP; without it no pairs can be added.
    #[arg(long, env = "ASIF_UPLOADS", value_name = "DIR")]
    uploads: Option<PathBuf>,

    /// Hosts from which the server may fetch images that a request names by URL (`https://...`):
    /// images.example.org, *.example.org or 10.0.0.5:9000. Without it no images are fetched.
    #[arg(
        long,
        env = "ASIF_IMAGE_HOSTS",
        value_name = "HOST[:PORT]",
        value_delimiter = ','
    )]
    image_hosts: Vec<ImageHost>,

    /// The format of the log on standard error.
    #[arg(long, env = "ASIF_LOG", value_enum, default_value_t = LogArg::Json)]
    log: LogArg,

    #[command(flatten)]
    encoders: EncoderArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogArg {
    /// One JSON object per line.
    Json,
    /// Plain text for people.
    Text,
}

/// Access keys.
#[derive(Debug, Args)]
#[command(next_help_heading = "Keys")]
struct KeyArgs {
    /// A file with the key that clients send as `Authorization: Bearer KEY`. Required on addresses other than
    /// loopback. The key itself can be given in the environment as ASIF_API_KEY.
    #[arg(long, env = "ASIF_API_KEY_FILE", value_name = "FILE")]
    api_key_file: Option<PathBuf>,

    /// A file with the key of the routes that change anchor sets; without it these routes are disabled. The
    /// key itself can be given in the environment as ASIF_ADMIN_KEY.
    #[arg(long, env = "ASIF_ADMIN_KEY_FILE", value_name = "FILE")]
    admin_key_file: Option<PathBuf>,

    /// Serve on any address without a key.
    #[arg(long, env = "ASIF_INSECURE")]
    insecure: bool,
}

/// Limits on requests.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// The largest request body, in MiB.
    #[arg(long, env = "ASIF_MAX_BODY", value_name = "MIB", default_value_t = 32)]
    max_body: usize,

    /// Memory for all request bodies held at the same time, in MiB; requests beyond it are refused with 429.
    #[arg(
        long,
        env = "ASIF_MAX_MEMORY",
        value_name = "MIB",
        default_value_t = 256
    )]
    max_memory: usize,

    /// The largest image, in millions of pixels.
    #[arg(
        long,
        env = "ASIF_MAX_PIXELS",
        value_name = "MEGAPIXELS",
        default_value_t = 64
    )]
    max_pixels: u64,

    /// Images, vectors or texts per request.
    #[arg(long, env = "ASIF_MAX_BATCH", value_name = "N", default_value_t = 64)]
    max_batch: usize,

    /// Labels per request.
    #[arg(
        long,
        env = "ASIF_MAX_LABELS",
        value_name = "N",
        default_value_t = 1_000
    )]
    max_labels: usize,

    /// Prompts per request: labels times templates.
    #[arg(
        long,
        env = "ASIF_MAX_PROMPTS",
        value_name = "N",
        default_value_t = 20_000
    )]
    max_prompts: usize,

    /// Requests that are running or waiting; further ones are refused with 429. A larger number means fewer
    /// refusals and longer waits.
    #[arg(
        long,
        env = "ASIF_MAX_REQUESTS",
        value_name = "N",
        default_value_t = 256
    )]
    max_requests: usize,

    /// Images that wait for the encoder, and as many again that wait to be fetched; further ones are refused
    /// with 429.
    #[arg(long, env = "ASIF_MAX_IMAGES", value_name = "N", default_value_t = 128)]
    max_images: usize,

    /// Open connections. For a further one, the connection that has been idle longest is closed; while all
    /// are busy, only /health, /ready and /metrics are answered.
    #[arg(
        long,
        env = "ASIF_MAX_CONNECTIONS",
        value_name = "N",
        default_value_t = 1_024
    )]
    max_connections: usize,

    /// The time limit of a request, in seconds.
    #[arg(
        long,
        env = "ASIF_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 30
    )]
    timeout: u64,

    /// Seconds that running requests may take to finish after a stop signal.
    #[arg(long, env = "ASIF_GRACE", value_name = "SECONDS", default_value_t = 20)]
    grace: u64,
}

pub fn run(args: &ServeArgs, context: &CommandContext) -> anyhow::Result<()> {
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
        LogArg::Json => LogFormat::Json,
        LogArg::Text => LogFormat::Text,
    });
    let open = |set: &asif::anchors::AnchorSet| {
        let embedder = args
            .encoders
            .open_uncached(context, Some(set), EncodingLoad::Many);
        embedder.map_err(anyhow::Error::reallocate_into_boxed_dyn_error_without_backtrace)
    };
    let ready = |address: SocketAddr, probe: Option<SocketAddr>| {
        let url = format!("http://{address}");
        let mut told = json!({"listen": address, "url": url});
        if let Some(probe) = probe {
            told["probe_listen"] = json!(probe);
        }
        // The server keeps running if standard output is closed.
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

/// `NAME=DIR`, or a folder whose name, without `.asif`, is the name of the anchor set.
fn named(text: &str) -> anyhow::Result<NamedAnchorSet> {
    if let Some((name, path)) = text.split_once('=')
        && !name.contains('/')
        && !path.is_empty()
    {
        return Ok(NamedAnchorSet {
            name: name.to_owned(),
            path: path.into(),
        });
    }
    let path = PathBuf::from(text);
    let folder = path.file_name().and_then(|folder| folder.to_str());
    let folder = folder.filter(|_| !text.ends_with('='));
    let folder = folder.ok_or_else(|| {
        UsageError(format!(
            "{text:?} does not name an anchor set; give --index NAME=DIR.asif"
        ))
    })?;
    Ok(NamedAnchorSet {
        name: folder.strip_suffix(".asif").unwrap_or(folder).to_owned(),
        path,
    })
}

/// The key in a file, or in the environment.
fn key(file: Option<&PathBuf>, variable: &str) -> anyhow::Result<Option<AccessKey>> {
    let text = match file {
        Some(file) => Some(read_text(file, "the key in it")?),
        None => match std::env::var(variable) {
            Ok(text) => Some(text).filter(|text| !text.is_empty()),
            Err(VarError::NotPresent) => None,
            // Must not be ignored: the server would run without a key.
            Err(VarError::NotUnicode(_)) => Err(BadInput(format!(
                "{variable}: not UTF-8; a key consists of visible ASCII characters"
            )))?,
        },
    };
    let from = file.map_or(variable.to_owned(), |file| file.display().to_string());
    let key = |text: String| AccessKey::new(&text).map_err(|e| BadInput(format!("{from}: {e}")));
    Ok(text.map(key).transpose()?)
}

impl LimitArgs {
    fn limits(&self) -> ServeLimits {
        const MIB: usize = 1 << 20;
        ServeLimits {
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
