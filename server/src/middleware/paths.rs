//! Removes paths of this machine from messages to clients.

/// Paths of the server's own routes, which stay in messages.
const ROUTES: [&str; 8] = [
    "/openapi.json",
    "/health",
    "/ready",
    "/metrics",
    "/info",
    "/v1/",
    "/admin/",
    "/models/",
];

/// Shortens each absolute path in a text to its last component. Routes of the server stay.
///
/// A path begins with `/` at the beginning of a word, and ends at a quotation mark, comma, semicolon, colon
/// or line end; a blank belongs to the path if another `/` follows before such an end.
pub(crate) fn without_paths(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(at) = rest.find('/') {
        let (head, tail) = rest.split_at(at);
        told.push_str(head);
        before = head.chars().next_back().unwrap_or(before);
        let begins = !(before.is_alphanumeric() || matches!(before, '/' | '.' | '}' | '-' | '_'))
            // Not the second slash of a URL such as `https://host/`, and not a slash by itself.
            && tail[1..].starts_with(|c: char| c.is_alphanumeric() || "._~-".contains(c));
        let is_route = ROUTES.iter().any(|route| tail.starts_with(route));
        match begins && !is_route {
            true => {
                let path = &tail[..path_end(tail)];
                let name = path
                    .trim_end_matches('/')
                    .rsplit('/')
                    .next()
                    .unwrap_or_default();
                told.push_str(match name.starts_with(crate::sets::uploads::LIST) {
                    true => "upload",
                    false => name,
                });
                before = path.chars().next_back().unwrap_or('/');
                rest = &tail[path.len()..];
            }
            false => {
                told.push('/');
                before = '/';
                rest = &tail[1..];
            }
        }
    }
    told.push_str(rest);
    told
}

/// The end of a path at the beginning of a text.
fn path_end(text: &str) -> usize {
    let stop = |c: char| c.is_control() || "\"'`,;:()<>|".contains(c);
    let stretch = &text[..text.find(stop).unwrap_or(text.len())];
    let last = stretch.rfind('/').unwrap_or_default();
    let name = &stretch[last..];
    last + name.find(' ').unwrap_or(name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_lose_their_folders_and_nothing_else_does() {
        for (text, told) in [
            ("/srv/sets/a.asif: no", "a.asif: no"),
            ("a file, /srv/b c/x.jsonl:3: bad", "a file, x.jsonl:3: bad"),
            (
                "failed to open file `/tmp/x y/z.bin`: gone",
                "failed to open file `z.bin`: gone",
            ),
            ("/a/pairs.jsonl, /b/more.csv", "pairs.jsonl, more.csv"),
            ("detail=/home/me/", "detail=me"),
            (
                "ask /openapi.json, or /v1/sets",
                "ask /openapi.json, or /v1/sets",
            ),
            (
                "and/or 3/4 https://example.org/a/b",
                "and/or 3/4 https://example.org/a/b",
            ),
            ("text/html; a / b", "text/html; a / b"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_paths(text), told, "{text}");
        }
    }
}
