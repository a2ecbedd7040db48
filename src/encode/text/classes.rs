//! The known tokenizer classes, and how they change a loaded tokenizer.
//!
//! From `src/transformers/models/*/tokenization_*.py` of Hugging Face's transformers. A class that is
//! not known may do anything before and after tokenizer.json.

use std::path::PathBuf;

use serde_json::Value;

use super::super::error::{EncoderChoice, ModelError};
use super::super::folder::{ModelFolder, SettingsFile};

/// How a class changes a loaded tokenizer, partly by defaults for absent keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenizerFamily {
    /// Lower case, no accents, and each Chinese character a word.
    Bert,
    /// No space before the text.
    Roberta,
    /// A token before the text and none after it.
    Llama,
    /// The token of a language before the text or after it.
    Language(LanguageToken),
    /// Lower case and no punctuation.
    Siglip,
    /// Lower case.
    Siglip2,
    /// Lower case whatever the file says.
    Clip,
    Other,
}

/// How a class writes the language of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LanguageToken {
    /// Whether its token comes before the text; else after the end token.
    pub first: bool,
    /// The default language.
    pub usual: &'static str,
    /// Whether the token of `en` is `__en__`.
    pub underscores: bool,
}

/// The tokenizer class of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenizerClass {
    pub family: TokenizerFamily,
    /// The name without `Tokenizer`, in lower case; the model type where no class is named.
    stem: String,
    /// An unknown class that the user trusts tokenizer.json to replace.
    pub trusted: Option<String>,
    /// Where it is named, if anywhere.
    origin: Option<ClassOrigin>,
}

/// The file and key that name the tokenizer class.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ClassOrigin {
    path: PathBuf,
    key: &'static str,
    value: String,
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

/// Classes that do more than a tokenizer.json can express.
const DO_MORE: [(&str, &str); 12] = [
    ("bertjapanese", "it divides texts with a dictionary"),
    ("byt5", "its tokens are bytes"),
    ("canine", "its tokens are code points"),
    ("cpm", "it divides texts with a dictionary"),
    ("cpmant", "it divides texts with a dictionary"),
    ("flaubert", "it cleans texts by rules of its own"),
    ("gptneoxjapanese", "it cleans texts by rules of its own"),
    ("perceiver", "its tokens are bytes"),
    ("plbart", "it writes the programming language after a text"),
    ("roformer", "it divides texts with a dictionary"),
    ("whisper", "it writes the task before a text"),
    ("xlm", "it cleans texts by rules of its own"),
];

/// Classes outside the families that honour `do_lower_case`; the other known ones ignore it.
const READ_LOWER_CASE: [&str; 5] = ["albert", "debertav2", "fnet", "rembert", "xlnet"];

impl TokenizerClass {
    /// By `tokenizer_class` in tokenizer_config.json, else in config.json, else by `model_type`, as
    /// Hugging Face's AutoTokenizer looks for it; and by `auto_map`. With `trust` a class that is not
    /// known is assumed to do what tokenizer.json says.
    ///
    /// # Errors
    /// [`ModelError::Setting`] for an unknown or custom class, or one that does more.
    pub(crate) fn of(
        folder: &ModelFolder,
        file: Option<&SettingsFile>,
        trust: bool,
    ) -> Result<Self, ModelError> {
        let config = folder.json("config.json")?;
        let mut named = None;
        // The first file that names a class is the last one read.
        let mut own = None;
        for file in [file, config.as_ref()].into_iter().flatten() {
            named = ClassOrigin::read(file, "tokenizer_class")?;
            own = own.or(own_class(file, named.as_ref()));
            if named.is_some() {
                break;
            }
        }
        if let (None, Some(config)) = (&named, &config) {
            named = ClassOrigin::read(config, "model_type")?;
        }
        let stem = named.as_ref().map_or(String::new(), ClassOrigin::stem);
        let doubt = match (own, &named) {
            (Some(own), _) => {
                let expected = "absent: a tokenizer class of the model's own may do more than \
                                tokenizer.json says";
                Some((own, expected.to_owned()))
            }
            (None, Some(named)) => doubt(file, named, &stem)?.map(|why| (named.clone(), why)),
            (None, None) => None,
        };
        if let Some((origin, expected)) = doubt.as_ref().filter(|_| !trust) {
            let advice = "if tokenizer.json makes the same tokens, have it trusted";
            let error = origin.bad(expected, advice);
            return Err(error.or_choose(EncoderChoice::TrustedPreprocessing));
        }
        let by_type = named
            .as_ref()
            .is_some_and(|named| named.key == "model_type");
        Ok(Self {
            // NLLB models have this type too, and write the language differently.
            family: match by_type && stem == "m2m100" {
                true => TokenizerFamily::Other,
                false => family_of(&stem),
            },
            stem,
            trusted: doubt.map(|(origin, _)| origin.value),
            origin: named,
        })
    }

    /// Whether `do_lower_case` and similar keys are checked against tokenizer.json. For an unknown class
    /// it is not known whether it ignores them.
    pub(crate) fn reads_lower_case(&self) -> bool {
        let reads = matches!(
            self.family,
            TokenizerFamily::Bert | TokenizerFamily::Siglip | TokenizerFamily::Siglip2
        );
        let stem = self.stem.as_str();
        let passes = self.trusted.is_some() || KNOWN.contains(&stem);
        reads || READ_LOWER_CASE.contains(&stem) || !passes
    }

    /// The default token at the beginning or end of texts.
    pub(crate) fn usual_edge(&self, last: bool) -> Option<&'static str> {
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

impl ClassOrigin {
    fn read(file: &SettingsFile, key: &'static str) -> Result<Option<Self>, ModelError> {
        let value = file.text(key)?;
        Ok(value.map(|value| Self {
            path: file.path.clone(),
            key,
            value: value.to_owned(),
        }))
    }

    fn stem(&self) -> String {
        stem_of(&self.value)
    }

    fn bad(&self, expected: &str, advice: &str) -> ModelError {
        ModelError::Setting {
            path: self.path.clone(),
            key: self.key.to_owned(),
            found: self.value.clone(),
            expected: expected.to_owned(),
            advice: advice.into(),
            choice: None,
        }
    }
}

/// What is expected instead of the class of this stem; `None` for a supported one. A model
/// type that is not known is too weak a sign to reject the folder.
fn doubt(
    file: Option<&SettingsFile>,
    named: &ClassOrigin,
    stem: &str,
) -> Result<Option<String>, ModelError> {
    if let Some((_, why)) = DO_MORE.iter().find(|(class, _)| *class == stem) {
        return Ok(Some(format!(
            "a class of which tokenizer.json can say all: {why}"
        )));
    }
    let rewrites = match file {
        Some(file) if stem == "bertweet" => file.switch("normalization")? == Some(true),
        _ => false,
    };
    if rewrites {
        let expected = "a class of which tokenizer.json can say all: with `normalization` it rewrites \
                        names, links and emoji";
        return Ok(Some(expected.to_owned()));
    }
    let known = named.key == "model_type" || KNOWN.contains(&stem);
    Ok((!known).then(|| "a tokenizer class that is known here".to_owned()))
}

/// The name of a class without `Tokenizer` and `Fast`, or of a model type without the `_text_model` of
/// a half of its own, in lower case and without separators.
fn stem_of(name: &str) -> String {
    let stem = name.strip_suffix("Fast").unwrap_or(name);
    let stem = stem.strip_suffix("Tokenizer").unwrap_or(stem);
    let stem = stem.strip_suffix("_text_model").unwrap_or(stem);
    stem.replace(['-', '_'], "").to_ascii_lowercase()
}

/// The custom class (`auto_map`) that a file uses instead of the class `named` in it.
fn own_class(file: &SettingsFile, named: Option<&ClassOrigin>) -> Option<ClassOrigin> {
    let entry = file.get("auto_map")?.get("AutoTokenizer")?;
    let entries = entry
        .as_array()
        .map_or(std::slice::from_ref(entry), Vec::as_slice);
    let named = named.map(ClassOrigin::stem);
    let mut classes = entries.iter().filter_map(Value::as_str);
    let class = classes.find(|class| {
        let name = class.rsplit('.').next().unwrap_or(class);
        named.as_deref() != Some(&stem_of(name))
    })?;
    Some(ClassOrigin {
        path: file.path.clone(),
        key: "auto_map.AutoTokenizer",
        value: class.to_owned(),
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
        "bert" | "convbert" | "distilbert" | "dpr" | "dprcontextencoder" | "dprquestionencoder"
        | "dprreader" | "electra" | "funnel" | "layoutlm" | "lxmert" | "mobilebert" | "mpnet"
        | "realm" | "retribert" | "splinter" | "squeezebert" => TokenizerFamily::Bert,
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
        for (of_half, family) in [
            ("siglip_text_model", TokenizerFamily::Siglip),
            ("siglip2_text_model", TokenizerFamily::Siglip2),
            ("clip_text_model", TokenizerFamily::Clip),
        ] {
            assert_eq!(family_of(&stem_of(of_half)), family);
        }
        assert!(KNOWN.contains(&&*stem_of("PreTrainedTokenizerFast")));
        assert!(KNOWN.contains(&&*stem_of("TokenizersBackend")));
        assert!(DO_MORE.iter().all(|(class, _)| !KNOWN.contains(class)));
    }
}
