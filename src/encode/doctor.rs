//! Diagnostics: what is installed, and whether it works.

use serde::Serialize;

use super::error::ModelError;
use super::folder::ModelFolder;
use super::registry::{self, InstallRecord, InstalledEncoder};
use super::{EncoderOptions, ImageEncoder, SelfCheck, TextEncoder, runtime};
use crate::disk;
use crate::home::DataFolder;
use crate::modality::Modality;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingStatus {
    /// As it should be.
    Ok,
    /// It works, with a caveat.
    Warning,
    /// It does not work.
    Error,
}

/// What is to be installed so that a finding goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetupRemedy {
    /// The data folder with ONNX Runtime.
    Runtime,
    /// An encoder.
    Encoder,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoctorFinding {
    /// What was checked.
    pub what: String,
    /// The outcome.
    pub status: FindingStatus,
    /// What was found.
    pub detail: String,
    /// What to do; empty when nothing needs doing.
    pub advice: String,
    /// What the advice is to install, if anything.
    #[serde(skip)]
    pub remedy: Option<SetupRemedy>,
}

impl DoctorFinding {
    fn new(what: &str, status: FindingStatus, detail: String, advice: &str) -> Self {
        Self {
            what: what.to_owned(),
            status,
            detail,
            advice: advice.to_owned(),
            remedy: None,
        }
    }

    fn that_needs(self, remedy: SetupRemedy) -> Self {
        Self {
            remedy: Some(remedy),
            ..self
        }
    }
}

/// The smallest cosine to the recorded canary that is rounding and not another model.
const SAME: f32 = 0.9999;

/// Checks the runtime library and every installed encoder: files, hashes against their
/// record, a canary, and whether vectors depend on their batch. Loads the library if it can.
pub fn diagnose(home: &DataFolder) -> Vec<DoctorFinding> {
    let mut findings = Vec::new();
    let root = home.root().display().to_string();
    // Not an error: everything may be named by other means than the home folder.
    findings.push(if home.root().is_dir() {
        DoctorFinding::new("home folder", FindingStatus::Ok, root, "")
    } else {
        DoctorFinding::new(
            "home folder",
            FindingStatus::Warning,
            format!("{root} does not exist"),
            "install the runtime and encoders there, or set ASIF_HOME to another folder",
        )
        .that_needs(SetupRemedy::Runtime)
    });
    findings.push(match runtime::load(None, home) {
        Ok(info) => DoctorFinding::new(
            "ONNX Runtime",
            FindingStatus::Ok,
            format!(
                "version {} at {} ({}), 1.{} or later is needed",
                info.version().unwrap_or("unknown"),
                info.path().display(),
                info.origin(),
                runtime::MINIMUM_MINOR_VERSION,
            ),
            "",
        ),
        Err(e) => DoctorFinding::new(
            "ONNX Runtime",
            FindingStatus::Error,
            e.to_string(),
            "install ONNX Runtime, or point ASIF_ONNXRUNTIME at a library",
        )
        .that_needs(SetupRemedy::Runtime),
    });
    match registry::installed(home) {
        Err(e) => findings.push(DoctorFinding::new(
            "encoders",
            FindingStatus::Error,
            disk::in_words(&e.to_string()).into_owned(),
            "check the permissions of that folder and its files, or the limit that is named",
        )),
        Ok(all) => {
            for modality in Modality::BOTH {
                if !all.iter().any(|i| i.modality == Some(modality)) {
                    let finding = DoctorFinding::new(
                        &format!("{modality} encoders"),
                        FindingStatus::Warning,
                        "none is installed".to_owned(),
                        "install one",
                    );
                    findings.push(finding.that_needs(SetupRemedy::Encoder));
                }
            }
            // Without the library nothing can be tried, and each encoder would repeat the same error.
            findings.extend(all.iter().map(|installed| match runtime::loaded() {
                Some(_) => encoder(installed),
                None => DoctorFinding::new(
                    &title(installed),
                    FindingStatus::Warning,
                    "not tested, because ONNX Runtime is missing".to_owned(),
                    "check again when ONNX Runtime is installed",
                ),
            }));
        }
    }
    findings
}

fn title(installed: &InstalledEncoder) -> String {
    match installed.modality {
        Some(modality) => format!("{modality} encoder {}", installed.name),
        None => format!("encoder {}", installed.name),
    }
}

/// Opens and tries one installed encoder.
fn encoder(installed: &InstalledEncoder) -> DoctorFinding {
    let what = title(installed);
    match try_encoder(installed) {
        Err(e) => DoctorFinding::new(
            &what,
            FindingStatus::Error,
            e.to_string(),
            "install it again",
        )
        .that_needs(SetupRemedy::Encoder),
        Ok((record, now, check)) => judge(&what, record.as_ref(), &now, &check),
    }
}

fn try_encoder(
    installed: &InstalledEncoder,
) -> Result<(Option<InstallRecord>, InstallRecord, SelfCheck), ModelError> {
    let folder = ModelFolder::open(&installed.path)?;
    let record = registry::record(&installed.path)?;
    let (now, check) = registry::examine_with(
        &folder,
        &EncoderOptions::latency(),
        ImageEncoder::self_check,
        TextEncoder::self_check,
    )?;
    Ok((record, now, check))
}

/// Compares the current state with the recorded one.
fn judge(
    what: &str,
    record: Option<&InstallRecord>,
    now: &InstallRecord,
    check: &SelfCheck,
) -> DoctorFinding {
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    let mut detail = format!(
        "{} numbers a vector, {:.1} ms each, sha256 {}",
        now.dim.expect("an encoder that runs has a length"),
        check.millis,
        short(&now.model_sha256)
    );
    let again = "install it again; anchor sets built with the old files need them";
    let mut status = FindingStatus::Ok;
    let mut advice = "";
    if let Some(record) = record {
        // The model file comes first: with another model all further comparisons would be about it.
        if record.model_sha256 != now.model_sha256 {
            let old = short(&record.model_sha256);
            detail = format!("{detail}; the model file has changed: {old} was installed");
            return DoctorFinding::new(what, FindingStatus::Error, detail, again);
        }
        // Older records have no hash of the tokenizer.
        if record.tokenizer_sha256.is_some() && record.tokenizer_sha256 != now.tokenizer_sha256 {
            detail.push_str("; tokenizer.json has changed since it was installed");
            return DoctorFinding::new(what, FindingStatus::Error, detail, again);
        }
        detail.push_str("; hash as installed");
        let canaries = record.canary.as_deref().zip(now.canary.as_deref());
        if let Some(cosine) = canaries.and_then(|(old, new)| cosine(old, new))
            && cosine < SAME
        {
            status = FindingStatus::Warning;
            detail =
                format!("{detail}, but the canary differs from the installed one: {cosine:.5}");
            advice = "the runtime library or the preprocessing changed: rebuild the anchor sets";
        }
    } else {
        detail.push_str("; no record of its hash");
    }
    // Vectors are normalised in 32 bits, so a norm is 1 only up to rounding.
    if (check.norm - 1.0).abs() > 1e-3 {
        detail = format!("{detail}; a vector has norm {}", check.norm);
        return DoctorFinding::new(what, FindingStatus::Error, detail, "export the model again");
    }
    // Last, because it is a property of the model and no damage; earlier findings return before.
    if !check.batch_invariant {
        status = FindingStatus::Warning;
        detail = format!(
            "{detail}; an input's vector depends on its batch (cosine {:.5})",
            check.worst_cosine
        );
        advice = "use the float32 export: dynamically quantised models do this";
    }
    DoctorFinding::new(what, status, detail, advice)
}

/// The cosine over the common prefix of both vectors; `None` when it is empty.
fn cosine(a: &[f32], b: &[f32]) -> Option<f32> {
    let n = a.len().min(b.len());
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    let norms = dot(&a[..n], &a[..n]) * dot(&b[..n], &b[..n]);
    (norms > 0.0).then(|| dot(&a[..n], &b[..n]) / norms.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(hash: &str, canary: &[f32]) -> InstallRecord {
        InstallRecord {
            model_sha256: hash.into(),
            tokenizer_sha256: Some("t".into()),
            modality: Some(Modality::Text),
            dim: Some(2),
            canary: Some(canary.to_vec()),
            overrides: Default::default(),
        }
    }

    const GOOD: SelfCheck = SelfCheck {
        batch_invariant: true,
        worst_cosine: 1.0,
        norm: 1.0,
        millis: 2.0,
    };

    #[test]
    fn changes_since_the_installation_are_found() {
        let old = record("aa", &[0.6, 0.8]);
        let status = |now: &InstallRecord, check| judge("x", Some(&old), now, &check).status;
        assert_eq!(status(&old, GOOD), FindingStatus::Ok);
        assert_eq!(
            status(&record("bb", &[0.6, 0.8]), GOOD),
            FindingStatus::Error
        );
        assert_eq!(
            status(&record("aa", &[0.8, 0.6]), GOOD),
            FindingStatus::Warning
        );
        let mut tokenizer = old.clone();
        tokenizer.tokenizer_sha256 = Some("u".into());
        assert_eq!(status(&tokenizer, GOOD), FindingStatus::Error);
        let company = SelfCheck {
            batch_invariant: false,
            worst_cosine: 0.98,
            ..GOOD
        };
        let finding = judge("x", Some(&old), &old, &company);
        assert_eq!(finding.status, FindingStatus::Warning);
        assert!(finding.detail.contains("0.98"), "{}", finding.detail);
        assert_eq!(
            status(&old, SelfCheck { norm: 2.0, ..GOOD }),
            FindingStatus::Error
        );
        assert_eq!(judge("x", None, &old, &GOOD).status, FindingStatus::Ok);
    }

    #[test]
    fn an_empty_data_folder_is_described() {
        let dir = tempfile::tempdir().unwrap();
        let findings = diagnose(&DataFolder::at(dir.path().join("none")));
        assert_eq!(findings[0].status, FindingStatus::Warning);
        assert!(
            findings
                .iter()
                .any(|f| f.what == "text encoders" && !f.advice.is_empty())
        );
    }
}
