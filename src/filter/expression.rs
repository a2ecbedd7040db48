//! Reads an expression with the SQL parser of the `sqlparser` crate, and refuses what has no meaning for a pair.

use sqlparser::ast::{BinaryOperator, Expr, InTarget, UnaryOperator, Value};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::condition::{Comparison, Condition, LikePattern, Literal};

/// The longest expression in bytes. It bounds the depth of what the parser makes of `a or b or ...`, which is
/// read and dropped recursively.
const MAX_BYTES: usize = 8 << 10;

/// # Errors
/// What is wrong, in words that follow "the filter ...".
pub(super) fn parse(text: &str) -> Result<Condition, String> {
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

fn condition(expression: &Expr) -> Result<Condition, String> {
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
            Ok(perhaps_negated(Condition::OneOf { key, values }, *negated))
        }
        Expr::Between {
            expr,
            negated,
            low,
            high,
        } => {
            let bound = |comparison, value| {
                Ok::<_, String>(Condition::Compare {
                    key: key(expr)?,
                    comparison,
                    value: literal(value)?,
                })
            };
            let both = vec![
                bound(Comparison::GreaterOrEqual, low)?,
                bound(Comparison::LessOrEqual, high)?,
            ];
            Ok(perhaps_negated(Condition::All(both), *negated))
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
        Expr::IsNull(expr) => Ok(Condition::IsNull { key: key(expr)? }),
        Expr::IsNotNull(expr) => Ok(negated(Condition::IsNull { key: key(expr)? })),
        other => Err(format!(
            "has {other}, which is not a comparison of a key with a value"
        )),
    }
}

/// A chain of `and`s or of `or`s, which the parser nests to the left, as one list.
fn joined(expression: &Expr, joining: &BinaryOperator) -> Result<Condition, String> {
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
        BinaryOperator::And => Condition::All(parts),
        _ => Condition::Any(parts),
    })
}

fn compared(left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Condition, String> {
    // `2020 <= year` is `year >= 2020`.
    let is_turned = key(left).is_err() && key(right).is_ok();
    let (named, value) = if is_turned {
        (right, left)
    } else {
        (left, right)
    };
    let (comparison, is_negated) = match op {
        BinaryOperator::Eq => (Comparison::Equal, false),
        BinaryOperator::NotEq => (Comparison::Equal, true),
        BinaryOperator::Lt if is_turned => (Comparison::Greater, false),
        BinaryOperator::LtEq if is_turned => (Comparison::GreaterOrEqual, false),
        BinaryOperator::Gt if is_turned => (Comparison::Less, false),
        BinaryOperator::GtEq if is_turned => (Comparison::LessOrEqual, false),
        BinaryOperator::Lt => (Comparison::Less, false),
        BinaryOperator::LtEq => (Comparison::LessOrEqual, false),
        BinaryOperator::Gt => (Comparison::Greater, false),
        BinaryOperator::GtEq => (Comparison::GreaterOrEqual, false),
        other => {
            return Err(format!(
                "has the operator {other}, which filters do not have"
            ));
        }
    };
    let compare = Condition::Compare {
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
) -> Result<Condition, String> {
    let Literal::Text(text) = literal(pattern)? else {
        return Err(format!(
            "compares with the pattern {pattern}, which is not a text"
        ));
    };
    let escape = escape.map(|sign| {
        let text = match literal(sign)? {
            Literal::Text(text) => text,
            other => other.to_string(),
        };
        let mut signs = text.chars();
        match (signs.next(), signs.next()) {
            (Some(sign), None) => Ok(sign),
            _ => Err(format!("has the escape {sign}, which is not one character")),
        }
    });
    Ok(Condition::Like {
        key: key(expr)?,
        pattern: LikePattern {
            text,
            escape: escape.transpose()?,
            ignores_case,
        },
    })
}

fn negated(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

fn perhaps_negated(condition: Condition, is_negated: bool) -> Condition {
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

fn literal(expression: &Expr) -> Result<Literal, String> {
    match expression {
        Expr::Nested(inner) => literal(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match literal(expr)? {
            Literal::Number(number) if !number.starts_with('-') => {
                Ok(Literal::Number(format!("-{number}")))
            }
            _ => Err(format!("has {expression} in the place of a value")),
        },
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Ok(Literal::Text(text.clone())),
            Value::Number(number, _) => Ok(Literal::Number(number.clone())),
            Value::Boolean(truth) => Ok(Literal::Truth(*truth)),
            Value::Null => Err("compares with null; write `KEY is null`".to_owned()),
            other => Err(format!("has {other} in the place of a value")),
        },
        Expr::Identifier(name) => Err(format!(
            "has {name} in the place of a value; texts stand in single quotes"
        )),
        other => Err(format!("has {other} in the place of a value")),
    }
}
