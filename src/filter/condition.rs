//! The meaning of an expression for the fields of a pair, with the three values of SQL's logic: a comparison
//! with a key that the pair lacks is neither true nor false.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use super::fields::PairFields;

/// An expression over the fields of a pair.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FilterCondition {
    All(Vec<FilterCondition>),
    Any(Vec<FilterCondition>),
    Not(Box<FilterCondition>),
    Compare {
        key: String,
        comparison: ValueComparison,
        value: FilterValue,
    },
    OneOf {
        key: String,
        values: Vec<FilterValue>,
    },
    Like {
        key: String,
        pattern: LikePattern,
    },
    /// The pair has no such key, or null in it.
    IsNull {
        key: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueComparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl ValueComparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// A value of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FilterValue {
    Text(String),
    /// As it was written.
    Number(String),
    Truth(bool),
}

impl FilterValue {
    /// How a held value compares with it; `None` for values that cannot be compared.
    fn order(&self, held: &Value) -> Option<Ordering> {
        match (self, held) {
            (Self::Number(wanted), Value::String(held)) => numeric_order(held.trim(), wanted),
            (Self::Number(wanted), Value::Number(held)) => numeric_order(&held.to_string(), wanted),
            (Self::Text(wanted), Value::Number(held)) => {
                let held = held.to_string();
                numeric_order(&held, wanted).or_else(|| Some(held.as_str().cmp(wanted)))
            }
            (Self::Text(wanted), Value::String(held)) => Some(held.as_str().cmp(wanted)),
            (Self::Text(wanted), Value::Null) => {
                // As in the short form, what is written as null.
                (wanted == "null").then_some(Ordering::Equal)
            }
            (Self::Text(wanted), held) => Some(held.to_string().as_str().cmp(wanted)),
            (Self::Truth(wanted), Value::Bool(held)) => Some(held.cmp(wanted)),
            (Self::Truth(wanted), Value::String(held)) => {
                let held = held.trim().to_ascii_lowercase().parse::<bool>().ok()?;
                Some(held.cmp(wanted))
            }
            (Self::Number(_) | Self::Truth(_), _) => None,
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Text(text) | Self::Number(text) => text.clone(),
            Self::Truth(truth) => truth.to_string(),
        }
    }
}

/// Integers are compared exactly, everything else as f64.
fn numeric_order(held: &str, wanted: &str) -> Option<Ordering> {
    if let (Ok(held), Ok(wanted)) = (held.parse::<i128>(), wanted.parse::<i128>()) {
        return Some(held.cmp(&wanted));
    }
    held.parse::<f64>()
        .ok()?
        .partial_cmp(&wanted.parse::<f64>().ok()?)
}

/// A pattern in which `%` stands for any characters and `_` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LikePattern {
    pub(super) text: String,
    /// Before a `%`, a `_` or itself, which are then plain characters.
    pub(super) escape: Option<char>,
    pub(super) ignores_case: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PatternSign {
    Any,
    One,
    Plain(char),
}

impl LikePattern {
    fn signs(&self) -> Vec<PatternSign> {
        let mut signs = Vec::new();
        let folded = self.folded(&self.text);
        let mut text = folded.chars();
        while let Some(sign) = text.next() {
            signs.push(match sign {
                sign if Some(sign) == self.escape => {
                    PatternSign::Plain(text.next().unwrap_or(sign))
                }
                '%' => PatternSign::Any,
                '_' => PatternSign::One,
                sign => PatternSign::Plain(sign),
            });
        }
        signs
    }

    fn folded(&self, text: &str) -> String {
        match self.ignores_case {
            true => text.to_lowercase(),
            false => text.to_owned(),
        }
    }

    fn matches(&self, text: &str) -> bool {
        let signs = self.signs();
        let text: Vec<char> = self.folded(text).chars().collect();
        let (mut at, mut sign) = (0, 0);
        // Where the last `%` was, and how far what it stands for reaches: only that one ever has to be extended.
        let mut retry = None;
        while at < text.len() {
            match signs.get(sign) {
                Some(PatternSign::Any) => {
                    retry = Some((sign + 1, at));
                    sign += 1;
                }
                Some(PatternSign::One) => (at, sign) = (at + 1, sign + 1),
                Some(PatternSign::Plain(wanted)) if *wanted == text[at] => {
                    (at, sign) = (at + 1, sign + 1);
                }
                _ => {
                    let Some((after, reached)) = retry else {
                        return false;
                    };
                    retry = Some((after, reached + 1));
                    (at, sign) = (reached + 1, after);
                }
            }
        }
        signs[sign..].iter().all(|sign| *sign == PatternSign::Any)
    }
}

impl FilterCondition {
    /// Whether it is true for a pair; `None` where a key that it needs is missing.
    pub(super) fn holds(&self, pair: &PairFields<'_>) -> Option<bool> {
        match self {
            Self::All(parts) => decided(parts, pair, false),
            Self::Any(parts) => decided(parts, pair, true),
            Self::Not(part) => part.holds(pair).map(|holds| !holds),
            Self::Compare {
                key,
                comparison,
                value,
            } => any_value(pair, key, |held| {
                value.order(held).map(|order| comparison.holds(order))
            }),
            Self::OneOf { key, values } => any_value(pair, key, |held| {
                let mut orders = values.iter().filter_map(|value| value.order(held));
                Some(orders.any(Ordering::is_eq))
            }),
            Self::Like { key, pattern } => any_value(pair, key, |held| {
                Some(match held {
                    Value::String(text) => pattern.matches(text),
                    held => pattern.matches(&held.to_string()),
                })
            }),
            Self::IsNull { key } => {
                Some(pair.values(key, |held| held.iter().all(|value| value.is_null())))
            }
        }
    }

    /// The keys with the values that they are compared with.
    pub(super) fn terms(&self) -> Vec<(String, String)> {
        let mut terms = Vec::new();
        self.each_leaf(&mut |leaf| match leaf {
            Self::Compare { key, value, .. } => terms.push((key.clone(), value.written())),
            Self::OneOf { key, values } => {
                terms.extend(values.iter().map(|value| (key.clone(), value.written())));
            }
            Self::Like { key, pattern } => terms.push((key.clone(), pattern.text.clone())),
            Self::IsNull { key } => terms.push((key.clone(), "null".to_owned())),
            Self::All(_) | Self::Any(_) | Self::Not(_) => {}
        });
        terms
    }

    fn each_leaf<'a>(&'a self, look: &mut impl FnMut(&'a Self)) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().for_each(|part| part.each_leaf(look));
            }
            Self::Not(part) => part.each_leaf(look),
            leaf => look(leaf),
        }
    }

    /// The same keys and comparisons with other values, as texts.
    pub(super) fn with_values(&self, value: &impl Fn(&str) -> String) -> Self {
        let other = |old: &FilterValue| FilterValue::Text(value(&old.written()));
        let all = |parts: &[Self]| parts.iter().map(|part| part.with_values(value)).collect();
        match self {
            Self::All(parts) => Self::All(all(parts)),
            Self::Any(parts) => Self::Any(all(parts)),
            Self::Not(part) => Self::Not(Box::new(part.with_values(value))),
            Self::Compare {
                key,
                comparison,
                value: old,
            } => Self::Compare {
                key: key.clone(),
                comparison: *comparison,
                value: other(old),
            },
            Self::OneOf { key, values } => Self::OneOf {
                key: key.clone(),
                values: values.iter().map(other).collect(),
            },
            Self::Like { key, pattern } => Self::Like {
                key: key.clone(),
                pattern: LikePattern {
                    text: value(&pattern.text),
                    escape: None,
                    ..pattern.clone()
                },
            },
            Self::IsNull { key } => Self::IsNull { key: key.clone() },
        }
    }
}

/// `and` (decided by false) or `or` (decided by true) of all parts.
fn decided(parts: &[FilterCondition], pair: &PairFields<'_>, decides: bool) -> Option<bool> {
    let mut all = Some(!decides);
    for part in parts {
        match part.holds(pair) {
            Some(holds) if holds == decides => return Some(decides),
            Some(_) => {}
            None => all = None,
        }
    }
    all
}

/// Whether a value under a key passes; `None` where there is none that can be compared.
fn any_value(
    pair: &PairFields<'_>,
    key: &str,
    passes: impl Fn(&Value) -> Option<bool>,
) -> Option<bool> {
    pair.values(key, |held| {
        let held = held.iter().filter(|value| !value.is_null());
        let outcomes = held.filter_map(|value| passes(value));
        outcomes.reduce(|any, passes| any || passes)
    })
}

impl fmt::Display for FilterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Number(number) => f.write_str(number),
            Self::Truth(truth) => write!(f, "{truth}"),
        }
    }
}

/// A key as an expression names it.
struct KeyName<'a>(&'a str);

impl fmt::Display for KeyName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

impl fmt::Display for FilterCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            f.write_str("(")?;
            for (at, part) in parts.iter().enumerate() {
                let between = if at == 0 { "" } else { word };
                write!(f, "{between}{part}")?;
            }
            f.write_str(")")
        };
        match self {
            Self::All(parts) => joined(f, parts, " and "),
            Self::Any(parts) => joined(f, parts, " or "),
            Self::Not(part) => write!(f, "(not {part})"),
            Self::Compare {
                key,
                comparison,
                value,
            } => {
                let sign = match comparison {
                    ValueComparison::Equal => "=",
                    ValueComparison::Less => "<",
                    ValueComparison::LessOrEqual => "<=",
                    ValueComparison::Greater => ">",
                    ValueComparison::GreaterOrEqual => ">=",
                };
                write!(f, "{} {sign} {value}", KeyName(key))
            }
            Self::OneOf { key, values } => {
                let values: Vec<String> = values.iter().map(FilterValue::to_string).collect();
                write!(f, "{} in ({})", KeyName(key), values.join(", "))
            }
            Self::Like { key, pattern } => {
                let word = if pattern.ignores_case {
                    "ilike"
                } else {
                    "like"
                };
                let text = FilterValue::Text(pattern.text.clone());
                write!(f, "{} {word} {text}", KeyName(key))?;
                match pattern.escape {
                    Some(sign) => write!(f, " escape {}", FilterValue::Text(sign.to_string())),
                    None => Ok(()),
                }
            }
            Self::IsNull { key } => write!(f, "{} is null", KeyName(key)),
        }
    }
}
