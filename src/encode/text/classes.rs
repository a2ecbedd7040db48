//! Tokenizer classes: which are known, and what they do to a loaded tokenizer.
//!
//! From `src/transformers/models/*/tokenization_*.py` of Hugging Face's transformers. A class that is
//! not known may do anything before and after tokenizer.json.

use serde_json::Value;

use super::super::error::ModelError;
use super::super::folder::{ModelFolder, Settings};

/// What a class does to a loaded tokenizer, partly by what its file does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenizerFamily {
    /// Small letters and no accents, and each Chinese character a word.
    Bert,
    /// No space before the text.
    Roberta,
    /// A token before the text and none after it.
    Llama,
    /// The token of a language before the text or after it.
    Language(LanguageToken),
    /// Small letters and no punctuation.
    Siglip,
    /// Small letters.
    Siglip2,
    /// Small letters whatever the file says.
    Clip,
    Other,
}

/// How a class writes the language of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LanguageToken {
    /// Whether its token comes before the text; else after the end token.
    pub first: bool,
    /// The language where the file names none.
    pub usual: &'static str,
    /// Whether the token of `en` is `__en__`.
    pub underscores: bool,
}

/// The class that a folder is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenizerClass {
    pub family: TokenizerFamily,
    /// The name without `Tokenizer`, in small letters; the model type where no class is named.
    pub stem: String,
    /// The class that is not known, of which the user says that tokenizer.json does all it does.
    pub trusted: Option<String>,
}

/// Classes that do what tokenizer.json and the family say, and nothing else.
const KNOWN: [&str; 62] = [
    "albert",
    "bart",
    "barthez",
    "bert",
    "bertweet",
    "bigbird",
    "blenderbot",
    "blenderbotsmall",
    "bloom",
    "camembert",
    "clip",
    "codegen",
    "codellama",
    "cohere",
    "convbert",
    "deberta",
    "debertav2",
    "distilbert",
    "dprcontextencoder",
    "dprquestionencoder",
    "dprreader",
    "electra",
    "fnet",
    "funnel",
    "gemma",
    "gpt2",
    "gptneox",
    "herbert",
    "layoutlm",
    "led",
    "llama",
    "longformer",
    "lxmert",
    "m2m100",
    "mbart",
    "mbart50",
    "mobilebert",
    "mpnet",
    "mt5",
    "mvp",
    "nllb",
    "openaigpt",
    "pegasus",
    "pretrained",
    "qwen2",
    "qwen3",
    "realm",
    "reformer",
    "rembert",
    "retribert",
    "roberta",
    "seamlessm4t",
    "siglip",
    "siglip2",
    "splinter",
    "squeezebert",
    "t5",
    "tokenizersbackend",
    "xglm",
    "xlmroberta",
    "xlnet",
    "modernbert",
];

/// Classes that do what no tokenizer.json says.
const DO_MORE: [(&str, &str); 9] = [
    ("bertjapanese", "it divides texts with a dictionary"),
    ("byt5", "its tokens are bytes"),
    ("canine", "its tokens are code points"),
    ("cpm", "it divides texts with a dictionary"),
    ("gptneoxjapanese", "it cleans texts by rules of its own"),
    ("perceiver", "its tokens are bytes"),
    ("plbart", "it writes the programming language after a text"),
    ("roformer", "it divides texts with a dictionary"),
    ("whisper", "it writes the task before a text"),
];

impl TokenizerClass {
    /// By `tokenizer_class` and `auto_map`; without them by `model_type` in config.json. With `trust` a
    /// class that is not known is taken for one that does what tokenizer.json says.
    ///
    /// # Errors
    /// [`ModelError::Setting`] for a class that is not known, or the model's own.
    pub fn of(
        folder: &ModelFolder,
        file: Option<&Settings>,
        trust: bool,
    ) -> Result<Self, ModelError> {
        let class = match file {
            Some(file) => file.text("tokenizer_class")?,
            None => None,
        };
        let stem = match class {
            Some(class) => stem_of(class),
            None => match folder.json("config.json")? {
                Some(config) => config.text("model_type")?.unwrap_or("").to_lowercase(),
                None => String::new(),
            },
        };
        let mut trusted = None;
        if let Some(file) = file {
            if let Some(own) = own_class(file, class.map(stem_of)) {
                trusted = Some((
                    "auto_map.AutoTokenizer",
                    own.to_owned(),
                    "absent: a tokenizer \
                    class of the model's own may do more than tokenizer.json says"
                        .to_owned(),
                ));
            } else if let Some(class) = class
                && let Some(expected) = doubt(file, &stem)?
            {
                trusted = Some(("tokenizer_class", class.to_owned(), expected));
            }
            if let Some((key, found, expected)) = trusted.as_ref().filter(|_| !trust) {
                return Err(file.bad(
                    key,
                    found,
                    expected,
                    "if tokenizer.json makes the same tokens, use --trust-preprocessing",
                ));
            }
        }
        Ok(Self {
            family: family_of(&stem),
            stem,
            trusted: trusted.map(|(_, class, _)| class),
        })
    }

    /// The token that begins or ends texts where no file names one.
    pub fn usual_edge(&self, last: bool) -> Option<&'static str> {
        let (begin, end) = match self.stem.as_str() {
            "gpt2" | "codegen" | "gptneox" => ("<|endoftext|>", "<|endoftext|>"),
            "gemma" => ("<bos>", "<eos>"),
            "cohere" => ("<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>"),
            "codellama" | "llama" | "bart" | "roberta" | "xlmroberta" | "camembert" => {
                ("<s>", "</s>")
            }
            _ => return None,
        };
        Some(if last { end } else { begin })
    }
}

/// What a file should have instead of the class of this stem; none for one that is followed.
fn doubt(file: &Settings, stem: &str) -> Result<Option<String>, ModelError> {
    if let Some((_, why)) = DO_MORE.iter().find(|(class, _)| *class == stem) {
        return Ok(Some(format!(
            "a class of which tokenizer.json can say all: {why}"
        )));
    }
    if stem == "bertweet" && file.switch("normalization")? == Some(true) {
        let expected = "a class of which tokenizer.json can say all: with `normalization` it rewrites \
                        names, links and emoji";
        return Ok(Some(expected.to_owned()));
    }
    let known = KNOWN.contains(&stem);
    Ok((!known).then(|| "a tokenizer class that is known here".to_owned()))
}

/// The name of a class without `Tokenizer` and `Fast`, in small letters.
fn stem_of(class: &str) -> String {
    let stem = class.strip_suffix("Fast").unwrap_or(class);
    let stem = stem.strip_suffix("Tokenizer").unwrap_or(stem);
    stem.to_ascii_lowercase()
}

/// The class of the model's own code that is meant instead of that with the stem `named`.
fn own_class(file: &Settings, named: Option<String>) -> Option<&str> {
    let entry = file.get("auto_map")?.get("AutoTokenizer")?;
    let entries = entry
        .as_array()
        .map_or(std::slice::from_ref(entry), Vec::as_slice);
    let mut classes = entries.iter().filter_map(Value::as_str);
    classes.find(|class| {
        let name = class.rsplit('.').next().unwrap_or(class);
        named.as_deref() != Some(&stem_of(name))
    })
}

fn family_of(stem: &str) -> TokenizerFamily {
    let language = |first, usual, underscores| {
        TokenizerFamily::Language(LanguageToken {
            first,
            usual,
            underscores,
        })
    };
    match stem {
        "bert" | "convbert" | "distilbert" | "electra" | "funnel" | "layoutlm" | "lxmert"
        | "mobilebert" | "mpnet" | "squeezebert" => TokenizerFamily::Bert,
        "bart" | "deberta" | "gpt2" | "led" | "longformer" | "mvp" | "roberta" => {
            TokenizerFamily::Roberta
        }
        "codellama" | "cohere" | "gemma" | "llama" => TokenizerFamily::Llama,
        "nllb" => language(true, "eng_Latn", false),
        "mbart50" => language(true, "en_XX", false),
        "mbart" => language(false, "en_XX", false),
        "m2m100" => language(true, "en", true),
        "seamlessm4t" => language(true, "eng", true),
        "siglip" => TokenizerFamily::Siglip,
        "siglip2" => TokenizerFamily::Siglip2,
        "clip" => TokenizerFamily::Clip,
        _ => TokenizerFamily::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_class_is_found() {
        for class in ["BertTokenizer", "BertTokenizerFast", "bert"] {
            assert_eq!(family_of(&stem_of(class)), TokenizerFamily::Bert);
        }
        assert!(KNOWN.contains(&&*stem_of("PreTrainedTokenizerFast")));
        assert!(KNOWN.contains(&&*stem_of("TokenizersBackend")));
        assert!(DO_MORE.iter().all(|(class, _)| !KNOWN.contains(class)));
    }
}
