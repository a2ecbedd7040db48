//! Values of Parquet columns as JSON.

use parquet::record::Field;
use serde_json::Value;

/// A value as JSON. Bytes are not kept; dates and times are as Parquet writes them.
pub(super) fn json_of(field: &Field) -> Value {
    match field {
        Field::Null | Field::Bytes(_) => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Float16(value) => value.to_f64().into(),
        // The shortest digits of its own precision.
        Field::Float(value) => value.to_string().parse::<f64>().unwrap_or(f64::NAN).into(),
        Field::Double(value) => (*value).into(),
        Field::Str(value) => value.as_str().into(),
        Field::Group(row) => {
            let fields = row.get_column_iter();
            Value::Object(
                fields
                    .map(|(name, field)| (name.clone(), json_of(field)))
                    .collect(),
            )
        }
        Field::ListInternal(list) => list.elements().iter().map(json_of).collect(),
        Field::MapInternal(map) => {
            let entries = map.entries().iter();
            let name = |key: &Field| match key {
                Field::Str(key) => key.clone(),
                other => other.to_string(),
            };
            Value::Object(
                entries
                    .map(|(key, field)| (name(key), json_of(field)))
                    .collect(),
            )
        }
        Field::Decimal(_)
        | Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_) => Value::String(field.to_string()),
    }
}
