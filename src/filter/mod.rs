//! Filters of pairs by their metadata, in two written forms.
//!
//! ```text
//! KEY=VALUE KEY=VALUE ...                       pairs with all of these values     (terms)
//! source = 'shop' and year >= 2020              an expression as in SQL            (expression -> condition)
//! ```
//!
//! | file | role |
//! |---|---|
//! | `terms.rs` | the short form |
//! | `expression.rs` | reads an expression, by the parser of the `sqlparser` crate |
//! | `fields.rs` | what a filter looks at |
//! | `condition.rs` | its meaning for the fields of a pair |
//! | `nearest.rs` | keys and values that pairs have, nearest to those that no pair has |

mod condition;
mod expression;
mod fields;
mod nearest;
mod terms;

use std::fmt;

use condition::FilterCondition;
use terms::FilterTerms;

pub use fields::PairFields;
pub use nearest::NearestValues;

/// Pairs that are selected by their metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct PairFilter {
    form: FilterForm,
}

#[derive(Debug, Clone, PartialEq)]
enum FilterForm {
    Terms(FilterTerms),
    Expression(FilterCondition),
}

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the filter {text:?} {what}; write KEY=VALUE, several with spaces between: \
     'licence=CC-BY-4.0 source=mine'; a value that has = or \" in it stands in double quotes: \
     'title=\"a = b\"'; or an expression: \"source = 'shop' and year >= 2020\""
)]
pub struct FilterError {
    /// The filter.
    pub text: String,
    /// What is wrong with it.
    pub what: String,
}

impl PairFilter {
    /// Reads a filter.
    ///
    /// Words that are all `KEY=VALUE` are the short form. Anything else that is an expression is one, and what
    /// remains is the short form with values of several words: `licence=CC BY 4.0 source=mine`. What has signs or words
    /// of expressions where the short form has none, such as `year=2003 and source=shop`, is never the short form.
    ///
    /// An expression has `=`, `!=`, `<>`, `<`, `<=`, `>`, `>=`, `[not] like`, `[not] ilike` (`%` any characters,
    /// `_` one; with `escape 'C'` the character behind a `C` is a plain one), `[not] in (...)`,
    /// `[not] between ... and ...`, `is [not] null`, `and`, `or`, `not` and parentheses. Texts stand in single quotes,
    /// in which `''` is one of them and a backslash is a plain character; keys with other characters than letters,
    /// digits and `_` stand in double ones. As in SQL, a comparison with a key that a pair lacks selects it neither
    /// plainly nor under `not`. Numbers are compared as numbers, also where the metadata has them as text. Of a list
    /// one matching entry is enough, and `!=` is the opposite of `=`: `tags != 'old'` selects a list without that
    /// entry. `id`, `image` and `caption` are those of the pair, unless its metadata has such a key.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let refuse = |what: String| FilterError {
            text: text.to_owned(),
            what,
        };
        if terms::is_slip(text) {
            let form = FilterForm::Expression(expression::parse(text).map_err(refuse)?);
            return Ok(Self { form });
        }
        let short = terms::parse(text);
        let form = match (short, expression::parse(text)) {
            (Ok(terms), _) if terms::is_plain(text) => FilterForm::Terms(terms),
            (_, Ok(condition)) => FilterForm::Expression(condition),
            (Ok(terms), Err(_)) => FilterForm::Terms(terms),
            // A text that begins as the short form does is meant as one.
            (Err(short), Err(_)) if terms::begins_as_terms(text) => {
                return Err(refuse(short.into()));
            }
            (Err(_), Err(what)) => return Err(refuse(what)),
        };
        Ok(Self { form })
    }

    /// Whether it selects a pair.
    pub fn matches(&self, pair: &PairFields<'_>) -> bool {
        match &self.form {
            FilterForm::Terms(terms) => terms.matches(pair),
            FilterForm::Expression(condition) => condition.holds(pair) == Some(true),
        }
    }

    /// The keys that it names, each once.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        for (key, _) in self.terms() {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// The keys with the values that they are compared with, in the order in which they were given.
    pub(crate) fn terms(&self) -> Vec<(String, String)> {
        match &self.form {
            FilterForm::Terms(terms) => terms.as_slice().to_vec(),
            FilterForm::Expression(condition) => condition.terms(),
        }
    }

    /// The same keys with other values.
    pub(crate) fn with_values(&self, value: impl Fn(&str) -> String) -> Self {
        let form = match &self.form {
            FilterForm::Terms(terms) => FilterForm::Terms(terms.with_values(value)),
            FilterForm::Expression(condition) => {
                FilterForm::Expression(condition.with_values(&value))
            }
        };
        Self { form }
    }
}

impl fmt::Display for PairFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            FilterForm::Terms(terms) => terms.fmt(f),
            FilterForm::Expression(condition) => condition.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
