//! Hints: the option or command that helps with an error or a finding of the library.
//!
//! Messages of the library, the index and the server do not mention options, because callers without a
//! command line read them too. Here error variants are mapped to the option or command that helps; the hint
//! is printed below the message, on a line that begins with `hint: `.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use asif::anchors::AnchorsError;
use asif::anchors::live::LiveError;
use asif::anchors::stored::place::set_of;
use asif::embed::{EmbedError, InputRejection};
use asif::encode::doctor::{DoctorFinding, SetupRemedy};
use asif::encode::{EncodeError, EncoderChoice, ModelError};
use asif::eval::anchors::advice::{AdviceTopic, DiagnosisAdvice};
use asif::eval::measure::MeasureError;
use asif::modality::Modality;
use asif::remedy::InputRemedy;
use asif::space::RecipeError;
use asif::space::params::RelativeParamsError;
use asif::space::prompts::PromptsError;
use asif::space::tune::UnmeasuredReason;

use crate::output::format::word;

const DOCTOR: &str = "`asif doctor` checks the installed encoders";
const RUNTIME: &str = "tools/quickstart.sh installs ONNX Runtime and the default encoders";
const ENCODER: &str =
    "`asif models add NAME DIR` installs an encoder, tools/quickstart.sh the default ones";
const POOL: &str = "`asif models add NAME DIR --pool POOLING` installs the model with that pooling";

/// The hints for an error and its causes, each once.
pub fn of_error(error: &anyhow::Error) -> Vec<String> {
    let mut lines = Vec::new();
    for hint in error.chain().filter_map(of_cause) {
        let line = line(&hint);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// The hint for a damaged anchor set.
pub fn of_damaged(set: &Path) -> String {
    line(&repair(set))
}

/// The hints for inputs that were skipped, each once.
pub fn of_inputs(remedies: impl IntoIterator<Item = Option<InputRemedy>>) -> Vec<String> {
    let all: BTreeSet<InputRemedy> = remedies.into_iter().flatten().collect();
    let hints = all.into_iter().filter_map(of_input);
    hints.map(line).collect()
}

/// The hint for an input that was skipped.
pub fn of_input(remedy: InputRemedy) -> Option<&'static str> {
    Some(match remedy {
        InputRemedy::AllowOutside => {
            "--allow-outside reads images outside the folder of their list"
        }
        InputRemedy::OwnSource => "--pairs FILE_OR_DIR ... accepts several sources",
        InputRemedy::DecodeMemory => "--max-decode-memory MIB sets the memory for decoding",
        _ => return None,
    })
}

/// The hint for a finding about the pairs of an anchor set.
pub fn of_advice(advice: &DiagnosisAdvice) -> Option<String> {
    let hint = match advice.about {
        _ if advice.good => return None,
        AdviceTopic::Hubness => "--center centres both sides, with any command that takes --space",
        AdviceTopic::Duplicates => "`asif anchors curate` lists them",
        _ => return None,
    };
    Some(line(hint))
}

/// The hint for a finding about the installation.
pub fn of_finding(finding: &DoctorFinding) -> Option<String> {
    let hint = match finding.remedy? {
        SetupRemedy::Runtime => RUNTIME,
        SetupRemedy::Encoder => ENCODER,
        _ => return None,
    };
    Some(line(hint))
}

/// The hint for a task that could not be measured when recipes were compared.
pub fn of_not_asked(why: UnmeasuredReason) -> Option<String> {
    let hint = "--validation FOLDER measures on labelled images";
    matches!(why, UnmeasuredReason::FewGroups).then(|| line(hint))
}

/// A hint as printed.
pub fn line(hint: &str) -> String {
    format!("hint: {hint}")
}

fn of_cause(cause: &(dyn Error + 'static)) -> Option<String> {
    let found = cause.downcast_ref().and_then(anchors);
    let found = found.or_else(|| cause.downcast_ref().and_then(live));
    let found = found.or_else(|| cause.downcast_ref().and_then(measure));
    let found = found.or_else(|| cause.downcast_ref().and_then(model));
    let found = found.or_else(|| cause.downcast_ref().and_then(encode));
    let found = found.or_else(|| cause.downcast_ref().and_then(embed));
    let found = found.or_else(|| cause.downcast_ref().and_then(recipe));
    let found = found.or_else(|| cause.downcast_ref().and_then(prompts));
    let found = found.or_else(|| {
        let rejected = cause.downcast_ref::<InputRejection>()?;
        of_input(rejected.remedy?).map(str::to_owned)
    });
    found.or_else(|| server(cause))
}

/// The command that repairs an anchor set.
fn repair(set: &Path) -> String {
    let set = word(&set.display().to_string());
    format!("`asif repair {set}` mends the files, or goes back to an intact generation")
}

fn anchors(error: &AnchorsError) -> Option<String> {
    let hint = match error {
        AnchorsError::NotASet { .. } => "`asif build` builds an anchor set from pairs",
        AnchorsError::Exists { .. } => {
            "choose another --out, or add --overwrite to replace the content of the anchor set"
        }
        AnchorsError::MadeMeanwhile { .. } => {
            "run the command again with another --out, or with --overwrite if it is an anchor set"
        }
        AnchorsError::InTheWay { .. } | AnchorsError::NotEmpty { .. } => "choose another --out",
        AnchorsError::NoParquet => "--vectors writes the vectors alone",
        AnchorsError::Manifest { path, .. } | AnchorsError::Damaged { path, .. } => {
            return Some(match set_of(path) {
                Some(set) => repair(&set),
                None => {
                    "`asif repair` mends the files, or goes back to an intact generation".to_owned()
                }
            });
        }
        AnchorsError::NeedsRepair { set, .. } => return Some(repair(set)),
        AnchorsError::NoSuchPair { .. } => {
            "`asif anchors list` lists the ids of an anchor set; --missing-ok ignores unknown ids"
        }
        AnchorsError::NoMatch { .. } => "`asif inspect` lists sources and licences",
        AnchorsError::WouldBeEmpty { .. } => {
            "`asif build --overwrite` replaces all pairs of an anchor set"
        }
        AnchorsError::NoGeneration { .. } => "`asif history` lists the generations",
        AnchorsError::NothingToPurge { .. } => {
            "`asif anchors list` lists ids, `asif inspect` sources and licences"
        }
        AnchorsError::StillLive { .. } => "`asif anchors remove` removes it",
        AnchorsError::Strict { remedy, .. } => {
            let strict = "--strict stops at the first bad row; without it bad rows are skipped";
            return Some(match remedy.and_then(of_input) {
                Some(hint) => format!("{strict}; {hint}"),
                None => strict.to_owned(),
            });
        }
        AnchorsError::TooManyErrors { .. } => {
            "--max-errors N allows more; without it any number of bad rows is skipped"
        }
        AnchorsError::PurgeStopped { source, .. } => {
            let again = "run the same command again";
            return Some(match anchors(source) {
                Some(hint) => format!("{hint}; then {again}"),
                None => again.to_owned(),
            });
        }
        // Transparent: the next error of the chain is the source of this one, not the embedding error.
        AnchorsError::Embed(error) => return embed(error),
        _ => return None,
    };
    Some(hint.to_owned())
}

fn embed(error: &EmbedError) -> Option<String> {
    match error {
        EmbedError::Encode(error) => encode(error),
        EmbedError::NoEncoder { modality, .. } => Some(match modality {
            Modality::Image => "--image-vectors FILE gives images as vectors".to_owned(),
            Modality::Text => "--label-vectors FILE gives labels as vectors".to_owned(),
        }),
        _ => None,
    }
}

fn live(error: &LiveError) -> Option<String> {
    let path = match error {
        LiveError::Anchors(error) => return anchors(error),
        LiveError::Canary { path, .. }
        | LiveError::OtherEncoder { path, .. }
        | LiveError::Older { path, .. } => path,
        _ => return None,
    };
    Some(format!(
        "`asif rollback {}` goes back to the generation before",
        path.display()
    ))
}

fn measure(error: &MeasureError) -> Option<String> {
    match error {
        MeasureError::Task { found, .. } => {
            Some(format!("`asif eval {found}` measures on this data set"))
        }
        MeasureError::Anchors(error) => anchors(error),
        MeasureError::Embed(error) => embed(error),
        MeasureError::Prompts(error) => prompts(error),
        _ => None,
    }
}

fn model(error: &ModelError) -> Option<String> {
    let hint = match error {
        ModelError::NoFolder { .. } => "`asif models` lists the installed encoders",
        ModelError::NotInstalled { .. } => ENCODER,
        ModelError::OnnxFile { folder, others, .. } => {
            let (folder, first) = (folder.display(), others.first()?.display());
            return Some(format!(
                "`asif models add NAME {folder} --onnx-file {first}` installs one of them"
            ));
        }
        ModelError::Setting {
            choice: Some(choice),
            ..
        } => match choice {
            EncoderChoice::Pooling => POOL,
            EncoderChoice::TrustedPreprocessing => {
                "--trust-preprocessing accepts unknown classes, assuming the usual meaning of their files"
            }
            _ => return None,
        },
        ModelError::NoOutput { .. } => {
            "`asif models add NAME DIR --output NAME` selects the output, --pool how it is pooled"
        }
        ModelError::Runtime(error) => return encode(error),
        _ => return None,
    };
    Some(hint.to_owned())
}

fn encode(error: &EncodeError) -> Option<String> {
    let hint = match error {
        EncodeError::Run { .. } | EncodeError::NotAVector { .. } => DOCTOR,
        EncodeError::NoPooling { .. } => POOL,
        EncodeError::RuntimeMissing { .. } | EncodeError::RuntimeUnusable { .. } => RUNTIME,
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Errors of a recipe from the command line; one from a manifest is an [`AnchorsError`].
fn recipe(error: &RecipeError) -> Option<String> {
    let hint = match error {
        RecipeError::Rows(RelativeParamsError::ZeroK) => "--k N sets how many anchors a row keeps",
        RecipeError::Rows(RelativeParamsError::Power(_)) => "--p POWER sets the power",
        RecipeError::Rows(RelativeParamsError::FractionalRaw(_)) => {
            "--negatives clamp and --negatives signed work with every --p"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn prompts(error: &PromptsError) -> Option<String> {
    let hint = "--labels-file FILE reads labels from a file, --templates FILE templates";
    matches!(error, PromptsError::ListForm { .. }).then(|| hint.to_owned())
}

#[cfg(not(feature = "server"))]
fn server(_: &(dyn Error + 'static)) -> Option<String> {
    None
}

#[cfg(feature = "server")]
fn server(cause: &(dyn Error + 'static)) -> Option<String> {
    use asif_server::{LimitName, ServeError};
    let hint = match cause.downcast_ref()? {
        ServeError::NoSets => "--index DIR.asif names an anchor set",
        ServeError::Name { .. } | ServeError::TwoSets { .. } => {
            "--index NAME=DIR.asif gives an anchor set a name"
        }
        ServeError::Open { .. } => {
            "--api-key-file FILE sets a key; --insecure allows requests without one"
        }
        ServeError::ImageHost { .. } => "--image-hosts HOST[:PORT],... lists the allowed hosts",
        ServeError::Limit { limit, .. } => match limit {
            LimitName::Pixels => "--max-pixels sets this limit, in millions",
            LimitName::Labels => "--max-labels sets this limit",
            LimitName::Prompts => "--max-prompts sets this limit",
            LimitName::Requests => "--max-requests sets this limit",
            LimitName::Images => "--max-images sets this limit",
            LimitName::Connections => "--max-connections sets this limit",
            LimitName::Seconds => "--timeout sets this limit",
            _ => return None,
        },
        ServeError::BindProbe { .. } => "choose another --probe-listen",
        ServeError::Bind { .. } => "choose another --listen",
        ServeError::Uploads { .. } => "--uploads DIR sets the upload folder",
        ServeError::Encoders { .. } => DOCTOR,
        ServeError::Live(error) => return live(error),
        ServeError::Anchors(error) => return anchors(error),
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_found_behind_what_was_said_of_it() {
        let met = AnchorsError::Exists {
            path: "a.asif".into(),
        };
        let stopped = AnchorsError::PurgeStopped {
            set: "a.asif".into(),
            done: String::new(),
            left: String::new(),
            source: Box::new(met),
        };
        let found = of_error(&anyhow::Error::from(stopped).context("x"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("hint: ") && found[0].contains("--overwrite"));
        assert_eq!(of_error(&anyhow::anyhow!("x")), [""; 0]);
    }

    #[test]
    fn a_finding_has_a_hint_where_something_is_to_be_done() {
        let advice = |about, good| DiagnosisAdvice {
            about,
            found: String::new(),
            advice: "",
            good,
        };
        let found = of_advice(&advice(AdviceTopic::Duplicates, false));
        assert_eq!(found.unwrap(), "hint: `asif anchors curate` lists them");
        assert_eq!(of_advice(&advice(AdviceTopic::Duplicates, true)), None);
        assert_eq!(of_advice(&advice(AdviceTopic::Languages, false)), None);
    }

    #[test]
    fn inputs_that_lack_the_same_have_one_hint() {
        let memory = Some(InputRemedy::DecodeMemory);
        assert_eq!(of_inputs([memory, None, memory]).len(), 1);
        let rejected = InputRejection {
            reason: "a.png: too large".to_owned(),
            remedy: memory,
        };
        assert_eq!(of_error(&rejected.into()), of_inputs([memory]));
    }
}
