//! Cells of Parquet files as JSON.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use serde_json::{Map, Value};

/// Whether cells of this type become JSON.
pub(super) fn is_known(kind: &DataType) -> bool {
    use DataType as D;
    match kind {
        D::Null | D::Boolean | D::Utf8 | D::LargeUtf8 | D::Utf8View => true,
        D::Float16 | D::Float32 | D::Float64 => true,
        kind if kind.is_integer() => true,
        D::List(item) | D::LargeList(item) | D::FixedSizeList(item, _) => {
            is_known(item.data_type())
        }
        D::Struct(fields) => fields.iter().all(|field| is_known(field.data_type())),
        D::Dictionary(_, value) => is_known(value),
        _ => false,
    }
}

/// The cell of a row; null for a type that is not [known](is_known). A number that JSON does not have, such as
/// NaN, is null too.
pub(super) fn value(array: &ArrayRef, row: usize) -> Value {
    use DataType as D;
    if array.is_null(row) {
        return Value::Null;
    }
    macro_rules! number {
        ($kind:ty) => {
            Value::from(array.as_primitive::<$kind>().value(row))
        };
    }
    let list = |items: ArrayRef| (0..items.len()).map(|item| value(&items, item)).collect();
    match array.data_type() {
        D::Boolean => Value::from(array.as_boolean().value(row)),
        D::Utf8 => Value::from(array.as_string::<i32>().value(row)),
        D::LargeUtf8 => Value::from(array.as_string::<i64>().value(row)),
        D::Utf8View => Value::from(array.as_string_view().value(row)),
        D::Int8 => number!(Int8Type),
        D::Int16 => number!(Int16Type),
        D::Int32 => number!(Int32Type),
        D::Int64 => number!(Int64Type),
        D::UInt8 => number!(UInt8Type),
        D::UInt16 => number!(UInt16Type),
        D::UInt32 => number!(UInt32Type),
        D::UInt64 => number!(UInt64Type),
        D::Float16 => Value::from(array.as_primitive::<Float16Type>().value(row).to_f32()),
        D::Float32 => number!(Float32Type),
        D::Float64 => number!(Float64Type),
        D::List(_) => list(array.as_list::<i32>().value(row)),
        D::LargeList(_) => list(array.as_list::<i64>().value(row)),
        D::FixedSizeList(..) => list(array.as_fixed_size_list().value(row)),
        D::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let cells = columns.map(|(field, column)| (field.name().clone(), value(column, row)));
            Value::Object(cells.collect::<Map<_, _>>())
        }
        D::Dictionary(..) => {
            let coded = array.as_any_dictionary();
            value(coded.values(), coded.normalized_keys()[row])
        }
        _ => Value::Null,
    }
}
