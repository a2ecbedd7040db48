//! Reads an expression with the SQL parser of the `sqlparser` crate, and refuses what has no meaning for a pair.

use sqlparser::ast::{BinaryOperator, Expr, InTarget, UnaryOperator, Value};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::condition::{FilterCondition, FilterValue, LikePattern, ValueComparison};

/// The longest expression in bytes. It bounds the depth of what the parser makes of `a or b or ...`, which is
/// read and dropped recursively.
const MAX_BYTES: usize = 8 << 10;

/// # Errors
/// What is wrong, in words that follow "the filter ...".
pub(super) fn parse(text: &str) -> Result<FilterCondition, String> {
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if text.len() > MAX_BYTES {
        return Err(format!("has {} bytes, more than {MAX_BYTES}", text.len()));
    }
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(text);
    let parsed = parsed.and_then(|mut parser| {
        let expression = parser.parse_expr()?;
        let next = parser.peek_token();
        match next.token {
            Token::EOF => Ok(expression),
            token => {
                let at = next.span.start.column;
                let what = format!("{token} at character {at} continues no comparison");
                Err(ParserError::ParserError(what))
            }
        }
    });
    let expression = parsed.map_err(|error| match error {
        ParserError::TokenizerError(what) | ParserError::ParserError(what) => {
            format!("is not an expression: {what}")
        }
        ParserError::RecursionLimitExceeded => "is nested too deeply".to_owned(),
    })?;
    condition(&expression)
}

fn condition(expression: &Expr) -> Result<FilterCondition, String> {
    match expression {
        Expr::Nested(inner) => condition(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => Ok(negated(condition(expr)?)),
        Expr::BinaryOp { left, op, right } => match op {
            BinaryOperator::And | BinaryOperator::Or => joined(expression, op),
            op => compared(left, op, right),
        },
        Expr::In {
            expr,
            target: InTarget::List(list),
            negated,
            ..
        } => {
            let key = key(expr)?;
            let values = list.iter().map(literal).collect::<Result<_, _>>()?;
            Ok(perhaps_negated(
                FilterCondition::OneOf { key, values },
                *negated,
            ))
        }
        Expr::Between {
            expr,
            negated,
            low,
            high,
        } => {
            let bound = |comparison, value| {
                Ok::<_, String>(FilterCondition::Compare {
                    key: key(expr)?,
                    comparison,
                    value: literal(value)?,
                })
            };
            let both = vec![
                bound(ValueComparison::GreaterOrEqual, low)?,
                bound(ValueComparison::LessOrEqual, high)?,
            ];
            Ok(perhaps_negated(FilterCondition::All(both), *negated))
        }
        Expr::Like {
            negated,
            any: false,
            expr,
            pattern,
            escape_char,
        } => {
            let like = like(expr, pattern, escape_char.as_deref(), false)?;
            Ok(perhaps_negated(like, *negated))
        }
        Expr::ILike {
            negated,
            any: false,
            expr,
            pattern,
            escape_char,
        } => {
            let like = like(expr, pattern, escape_char.as_deref(), true)?;
            Ok(perhaps_negated(like, *negated))
        }
        Expr::IsNull(expr) => Ok(FilterCondition::IsNull { key: key(expr)? }),
        Expr::IsNotNull(expr) => Ok(negated(FilterCondition::IsNull { key: key(expr)? })),
        other => Err(format!(
            "has {other}, which is not a comparison of a key with a value"
        )),
    }
}

/// A chain of `and`s or of `or`s, which the parser nests to the left, as one list.
fn joined(expression: &Expr, joining: &BinaryOperator) -> Result<FilterCondition, String> {
    let mut parts = Vec::new();
    let mut rest = expression;
    while let Expr::BinaryOp { left, op, right } = rest
        && op == joining
    {
        parts.push(condition(right)?);
        rest = left;
    }
    parts.push(condition(rest)?);
    parts.reverse();
    Ok(match joining {
        BinaryOperator::And => FilterCondition::All(parts),
        _ => FilterCondition::Any(parts),
    })
}

fn compared(left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<FilterCondition, String> {
    // `2020 <= year` is `year >= 2020`.
    let is_turned = key(left).is_err() && key(right).is_ok();
    let (named, value) = if is_turned {
        (right, left)
    } else {
        (left, right)
    };
    let (comparison, is_negated) = match op {
        BinaryOperator::Eq => (ValueComparison::Equal, false),
        BinaryOperator::NotEq => (ValueComparison::Equal, true),
        BinaryOperator::Lt if is_turned => (ValueComparison::Greater, false),
        BinaryOperator::LtEq if is_turned => (ValueComparison::GreaterOrEqual, false),
        BinaryOperator::Gt if is_turned => (ValueComparison::Less, false),
        BinaryOperator::GtEq if is_turned => (ValueComparison::LessOrEqual, false),
        BinaryOperator::Lt => (ValueComparison::Less, false),
        BinaryOperator::LtEq => (ValueComparison::LessOrEqual, false),
        BinaryOperator::Gt => (ValueComparison::Greater, false),
        BinaryOperator::GtEq => (ValueComparison::GreaterOrEqual, false),
        other => {
            return Err(format!(
                "has the operator {other}, which filters do not have"
            ));
        }
    };
    let compare = FilterCondition::Compare {
        key: key(named)?,
        comparison,
        value: literal(value)?,
    };
    Ok(perhaps_negated(compare, is_negated))
}

fn like(
    expr: &Expr,
    pattern: &Expr,
    escape: Option<&Expr>,
    ignores_case: bool,
) -> Result<FilterCondition, String> {
    let FilterValue::Text(text) = literal(pattern)? else {
        return Err(format!(
            "compares with the pattern {pattern}, which is not a text"
        ));
    };
    let escape = escape.map(|sign| {
        let text = match literal(sign)? {
            FilterValue::Text(text) => text,
            other => other.to_string(),
        };
        let mut signs = text.chars();
        match (signs.next(), signs.next()) {
            (Some(sign), None) => Ok(sign),
            _ => Err(format!("has the escape {sign}, which is not one character")),
        }
    });
    Ok(FilterCondition::Like {
        key: key(expr)?,
        pattern: LikePattern {
            text,
            escape: escape.transpose()?,
            ignores_case,
        },
    })
}

fn negated(condition: FilterCondition) -> FilterCondition {
    FilterCondition::Not(Box::new(condition))
}

fn perhaps_negated(condition: FilterCondition, is_negated: bool) -> FilterCondition {
    match is_negated {
        true => negated(condition),
        false => condition,
    }
}

fn key(expression: &Expr) -> Result<String, String> {
    match expression {
        Expr::Identifier(name) => Ok(name.value.clone()),
        Expr::Nested(inner) => key(inner),
        other => Err(format!("has {other} in the place of a key")),
    }
}

fn literal(expression: &Expr) -> Result<FilterValue, String> {
    match expression {
        Expr::Nested(inner) => literal(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match literal(expr)? {
            FilterValue::Number(number) if !number.starts_with('-') => {
                Ok(FilterValue::Number(format!("-{number}")))
            }
            _ => Err(format!("has {expression} in the place of a value")),
        },
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Ok(FilterValue::Text(text.clone())),
            Value::Number(number, _) => Ok(FilterValue::Number(number.clone())),
            Value::Boolean(truth) => Ok(FilterValue::Truth(*truth)),
            Value::Null => Err("compares with null; write `KEY is null`".to_owned()),
            other => Err(format!("has {other} in the place of a value")),
        },
        Expr::Identifier(name) => Err(format!(
            "has {name} in the place of a value; texts stand in single quotes"
        )),
        other => Err(format!("has {other} in the place of a value")),
    }
}
