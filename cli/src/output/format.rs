//! Numbers and small tables for people.

pub use asif::printable::{line, padded};

/// A path on one line.
pub fn path(path: &std::path::Path) -> String {
    line(&path.display().to_string()).into_owned()
}

/// Values from data below each other, each on one line.
pub fn list<T: AsRef<str>>(values: &[T]) -> String {
    let shown: Vec<_> = values.iter().map(|value| line(value.as_ref())).collect();
    shown.join("\n")
}

/// A word quoted for a shell.
pub fn word(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:@%+,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// `12.3 MB`, decimal units.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{n} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// `13,957`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    groups.join(",")
}

/// A number with its noun: `1 finding`, `2 findings`.
pub fn number_of(n: u64, noun: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(n))
}

/// Names and values below each other, values aligned.
pub fn facts(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| {
        let mut lines = value.lines();
        let first = lines.next().unwrap_or_default();
        let mut text = format!("{}  {first}", padded(name, width));
        for more in lines {
            text.push_str(&format!("\n{}  {more}", padded("", width)));
        }
        text
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "1.0 kB");
        assert_eq!(bytes(999_960), "1.0 MB");
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(number_of(0, "finding"), "0 findings");
        assert_eq!(number_of(1, "finding"), "1 finding");
        assert_eq!(number_of(1_000, "finding"), "1,000 findings");
    }
}
