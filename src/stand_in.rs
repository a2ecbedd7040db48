//! Placeholder files: Git LFS or git-annex pointers, and server error pages saved in place of the file.

use std::io::{self, Read as _};
use std::path::Path;

const AGAIN: &str = "download it again from its source";
const AGAIN_OR_LIST: &str = "download it again from its source; a text that is intended goes into a \
JSON list, [\"...\"]";

/// How many bytes of a file's beginning are examined.
pub(crate) const LOOKED_AT: usize = 4096;

/// The message for a file that begins with `head`, if it is a placeholder for another.
pub fn said_of(head: &[u8]) -> Option<String> {
    stand_in(head).map(|(seems, advice)| format!("this seems to be {seems}; {advice}"))
}

/// As [`said_of`], for the file at `path`.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn said_of_file(path: &Path) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let file = fs_err::File::open(path)?;
    file.take(LOOKED_AT as u64).read_to_end(&mut head)?;
    Ok(said_of(&head))
}

/// As [`stand_in`], for a file whose texts are also read as JSON lists: a text that equals a server's
/// error message may be intended there.
pub(crate) fn stand_in_of_texts(head: &[u8]) -> Option<(&'static str, &'static str)> {
    stand_in(head).map(|(seems, advice)| match advice {
        AGAIN => (seems, AGAIN_OR_LIST),
        _ => (seems, advice),
    })
}

/// What kind of placeholder a file's beginning shows (completes "this seems to be"), and what to
/// do; `None` for anything else. A phrase such as `404: Not Found` counts only as the whole text.
pub(crate) fn stand_in(head: &[u8]) -> Option<(&'static str, &'static str)> {
    // Error pages are saved with a byte order mark by some tools.
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let text = String::from_utf8_lossy(&head[..head.len().min(LOOKED_AT)]);
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let begins = |start: &[&str]| start.iter().any(|start| lower.starts_with(start));
    if begins(&[
        "version https://git-lfs.github.com/spec/",
        "version https://hawser.github.com/spec/",
    ]) {
        let seems = "a pointer of Git LFS in place of the content";
        return Some((seems, "fetch the content with `git lfs pull`"));
    }
    if begins(&["/annex/objects/"]) {
        let seems = "a pointer of git-annex in place of the content";
        return Some((seems, "fetch the content with `git annex get`"));
    }
    if begins(&["<!doctype", "<html"]) {
        return Some(("a page of HTML", "download what the page shows"));
    }
    // An XML error has a code; any other XML may be content.
    let is_error = lower.split_once("<error").is_some_and(|(before, rest)| {
        (before.trim().is_empty() || before.starts_with("<?xml")) && rest.contains("<code>")
    });
    if is_error || is_refusal(&lower) {
        return Some((
            "the error that a server answered in place of the content",
            AGAIN,
        ));
    }
    None
}

/// `404: Not Found`, `Access Denied`, alone or as the message of a JSON object that has nothing which a
/// server does not say.
fn is_refusal(text: &str) -> bool {
    const PHRASES: [&str; 15] = [
        "bad gateway",
        "bad request",
        "not found",
        "forbidden",
        "unauthorized",
        "access denied",
        "accessdenied",
        "file not found",
        "page not found",
        "entry not found",
        "repository not found",
        "internal server error",
        "service unavailable",
        "too many requests",
        "invalid username or password",
    ];
    const KEYS: [&str; 7] = [
        "code",
        "detail",
        "documentation_url",
        "error",
        "errors",
        "message",
        "status",
    ];
    // Only with keys that servers use: an object with other keys may be content.
    if text.starts_with('{') {
        let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text);
        let says = |object: serde_json::Map<String, serde_json::Value>| {
            let is_known = |key: &String| KEYS.contains(&key.as_str());
            let said = ["error", "message", "detail"].into_iter();
            let mut said = said.filter_map(|key| object.get(key)?.as_str());
            object.keys().all(is_known) && said.any(is_refusal)
        };
        return object.is_ok_and(says);
    }
    // Only codes from 400 on are those of errors.
    let code = text.get(..3).is_some_and(|code| {
        code.starts_with(['4', '5']) && code.bytes().all(|byte| byte.is_ascii_digit())
    });
    let phrase = if code { &text[3..] } else { text };
    let phrase = phrase.trim_matches([' ', ':', '.', '-']);
    PHRASES.contains(&phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_another_file_is_told_and_lists_are_not() {
        for (text, seems) in [
            (
                "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n",
                "Git LFS",
            ),
            ("/annex/objects/SHA256E-s12--4d7a.txt\n", "git-annex"),
            ("<!DOCTYPE html><p>404", "HTML"),
            ("404: Not Found", "a server"),
            ("403 Forbidden\n", "a server"),
            ("Access denied", "a server"),
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code></Error>",
                "a server",
            ),
            ("<Error><Code>AccessDenied</Code></Error>", "a server"),
            (
                r#"{"message":"Not Found","documentation_url":"x"}"#,
                "a server",
            ),
        ] {
            let found = stand_in(text.as_bytes());
            assert!(
                found.is_some_and(|(said, _)| said.contains(seems)),
                "{text}: {found:?}"
            );
        }
        for text in [
            "cat\ndog\n",
            "version\n",
            "404\n",
            "not found\nfound\n",
            "forbidden sign\n",
            "access denied sign\n",
            r#"{"error": "a red cross", "message": "an envelope"}"#,
            r#"{"image":"b.jpg","caption":"x","message":"Not Found"}"#,
            r#"{"404": ["not found"], "error": "not found"}"#,
            "<3\n",
            "",
        ] {
            assert_eq!(stand_in(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_text_that_servers_answer_too_has_a_way_to_be_meant() {
        let (_, advice) = stand_in_of_texts(b"Forbidden\n").unwrap();
        assert!(advice.contains("JSON list"), "{advice}");
        assert_eq!(stand_in(b"[\"Forbidden\"]"), None);
        let (_, advice) =
            stand_in_of_texts(b"version https://git-lfs.github.com/spec/v1\n").unwrap();
        assert!(advice.ends_with("`git lfs pull`"), "{advice}");
    }
}
