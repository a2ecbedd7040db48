//! Files of labels and templates as text.

use std::io::ErrorKind;
use std::path::Path;

use super::error::{PromptsError, place};
use super::form;

pub(super) fn read(path: &Path) -> Result<String, PromptsError> {
    if path.is_dir() {
        return Err(PromptsError::FolderForFile {
            path: path.to_owned(),
        });
    }
    let bytes = fs_err::read(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => PromptsError::Missing {
            path: path.to_owned(),
        },
        _ => PromptsError::Read { source },
    })?;
    form::refuse_stand_in(path, &bytes)?;
    form::refuse_binary(path, &bytes)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(of_any_line_end(
            text.strip_prefix('\u{feff}').unwrap_or(&text),
        )),
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|&&byte| byte == b'\n').count();
            Err(PromptsError::Encoding {
                at: place(Some(path), line),
            })
        }
    }
}

/// Replaces a lone `\r`, which `str::lines` does not take as a line end, by `\n`, and removes byte
/// order marks within the text, as in concatenated files.
fn of_any_line_end(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.replace("\n\u{feff}", "\n")
}
