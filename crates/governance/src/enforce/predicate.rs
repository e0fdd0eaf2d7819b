//! Row filters → DataFusion's physical expressions, bound to the columns of a scan.
//!
//! Constants take the column's type, comparisons are in three-valued logic, text is compared byte
//! by byte and LIKE with case. `-0.0` equals `0.0`, as in SQL and unlike in Arrow's total order.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    Column, binary, in_list, is_not_null, is_null, like, lit, not,
};
use datafusion::scalar::ScalarValue;
use medallion_definition::name::ColumnName;
use medallion_definition::row_expression::{Comparison, Constant, RowExpression};

/// Why a filter cannot be bound; names columns and types, never constants.
#[derive(Debug, thiserror::Error)]
pub(super) enum PredicateError {
    /// The table has no such column.
    #[error("there is no column `{0}`")]
    UnknownColumn(ColumnName),
    /// The constant cannot take the column's type without loss.
    #[error("a constant does not fit `{column}` of type {data_type}")]
    Constant { column: ColumnName, data_type: DataType },
    /// The engine cannot compare the column so.
    #[error("`{column}` of type {data_type} cannot be compared so")]
    Comparison { column: ColumnName, data_type: DataType, source: DataFusionError },
    /// The engine cannot join conditions.
    #[error("conditions cannot be joined")]
    Logic(#[source] DataFusionError),
}

type Bound = Result<Arc<dyn PhysicalExpr>, PredicateError>;

/// The place of a column in a schema, whatever its case; none when it is absent or ambiguous.
pub(super) fn index_of(schema: &Schema, name: &str) -> Option<usize> {
    let mut places =
        (0..schema.fields().len()).filter(|i| schema.field(*i).name().eq_ignore_ascii_case(name));
    places.next().filter(|_| places.next().is_none())
}

/// The places of the columns that a filter reads.
pub(super) fn columns_read(filter: &RowExpression, schema: &Schema) -> BTreeSet<usize> {
    filter.columns().into_iter().filter_map(|c| index_of(schema, c.as_str())).collect()
}

/// Binds a filter to a schema.
pub(super) fn bind(filter: &RowExpression, schema: &Schema) -> Bound {
    match filter {
        RowExpression::And(..) => chain(filter, Operator::And, schema),
        RowExpression::Or(..) => chain(filter, Operator::Or, schema),
        RowExpression::Not(inner) => not(bind(inner, schema)?).map_err(PredicateError::Logic),
        RowExpression::Compare(name, ..)
        | RowExpression::Between(name, ..)
        | RowExpression::In(name, _)
        | RowExpression::Like(name, _)
        | RowExpression::IsNull(name, _) => condition(filter, name, schema),
    }
}

/// AND and OR chains become balanced trees, so that long ones do not nest deeply.
fn chain(filter: &RowExpression, operator: Operator, schema: &Schema) -> Bound {
    let mut operands = Vec::new();
    let mut open = vec![filter];
    while let Some(next) = open.pop() {
        match (next, operator) {
            (RowExpression::And(left, right), Operator::And)
            | (RowExpression::Or(left, right), Operator::Or) => {
                open.push(right.as_ref());
                open.push(left.as_ref());
            }
            (operand, _) => operands.push(bind(operand, schema)?),
        }
    }
    balanced(&operands, operator, schema)
}

fn balanced(operands: &[Arc<dyn PhysicalExpr>], operator: Operator, schema: &Schema) -> Bound {
    let (left, right) = operands.split_at(operands.len() / 2);
    if let ([], [only]) = (left, right) {
        return Ok(Arc::clone(only));
    }
    let left = balanced(left, operator, schema)?;
    let right = balanced(right, operator, schema)?;
    binary(left, operator, right, schema).map_err(PredicateError::Logic)
}

fn condition(filter: &RowExpression, name: &ColumnName, schema: &Schema) -> Bound {
    let index = index_of(schema, name.as_str())
        .ok_or_else(|| PredicateError::UnknownColumn(name.clone()))?;
    let field = schema.field(index);
    let data_type = field.data_type();
    let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), index));
    let failed = |source| PredicateError::Comparison {
        column: name.clone(),
        data_type: data_type.clone(),
        source,
    };
    let value = comparable(Arc::clone(&column), data_type, schema).map_err(failed)?;
    let constant = |constant: &Constant| {
        scalar(constant, data_type).map(lit).ok_or_else(|| PredicateError::Constant {
            column: name.clone(),
            data_type: data_type.clone(),
        })
    };
    match filter {
        RowExpression::Compare(_, comparison, right) => {
            binary(value, operator(*comparison), constant(right)?, schema)
        }
        RowExpression::Between(_, low, high) => {
            let (low, high) = (constant(low)?, constant(high)?);
            binary(Arc::clone(&value), Operator::GtEq, low, schema).and_then(|above| {
                let below = binary(value, Operator::LtEq, high, schema)?;
                binary(above, Operator::And, below, schema)
            })
        }
        RowExpression::In(_, list) => {
            let list = list.iter().map(constant).collect::<Result<Vec<_>, _>>()?;
            in_list(value, list, &false, schema)
        }
        RowExpression::Like(_, pattern) => {
            // In Lake Formation's grammar nothing escapes a wildcard; in Arrow a backslash does.
            let pattern = constant(&Constant::Text(pattern.replace('\\', "\\\\")))?;
            like(false, false, value, pattern, schema)
        }
        RowExpression::IsNull(_, true) => is_null(column),
        RowExpression::IsNull(_, false) => is_not_null(column),
        RowExpression::And(..) | RowExpression::Or(..) | RowExpression::Not(_) => {
            return bind(filter, schema);
        }
    }
    .map_err(failed)
}

/// The column in a form whose Arrow order is SQL's: adding zero turns `-0.0` into `0.0`.
fn comparable(
    column: Arc<dyn PhysicalExpr>,
    data_type: &DataType,
    schema: &Schema,
) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
    match data_type {
        DataType::Float32 => binary(column, Operator::Plus, lit(0.0f32), schema),
        DataType::Float64 => binary(column, Operator::Plus, lit(0.0f64), schema),
        _ => Ok(column),
    }
}

fn operator(comparison: Comparison) -> Operator {
    match comparison {
        Comparison::Eq => Operator::Eq,
        Comparison::Ne => Operator::NotEq,
        Comparison::Lt => Operator::Lt,
        Comparison::Le => Operator::LtEq,
        Comparison::Gt => Operator::Gt,
        Comparison::Ge => Operator::GtEq,
    }
}

/// The constant in the column's type, or none when that would change its value.
fn scalar(constant: &Constant, data_type: &DataType) -> Option<ScalarValue> {
    let value = match data_type {
        DataType::Dictionary(_, value) => value.as_ref(),
        plain => plain,
    };
    let text = match constant {
        Constant::Boolean(b) => {
            return (*value == DataType::Boolean).then_some(ScalarValue::Boolean(Some(*b)));
        }
        Constant::Text(text) if value.is_string() => text.clone(),
        Constant::Number(number) if value.is_integer() => number.clone(),
        Constant::Number(number) if value.is_floating() => {
            // As in `comparable`: no negative zero.
            if number.trim_matches(['-', '0', '.']).is_empty() {
                "0".into()
            } else {
                number.clone()
            }
        }
        Constant::Number(number) if is_exact(number, value) => number.clone(),
        Constant::Text(_) | Constant::Number(_) => return None,
    };
    ScalarValue::Utf8(Some(text)).cast_to(data_type).ok().filter(|scalar| !scalar.is_null())
}

/// True when a decimal of this type holds all digits of the number after the point.
fn is_exact(number: &str, data_type: &DataType) -> bool {
    let fraction = number.split_once('.').map_or("", |(_, fraction)| fraction);
    let digits = fraction.trim_end_matches('0').len();
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => {
            usize::try_from(*scale).is_ok_and(|scale| digits <= scale)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int32Array, RecordBatch,
        StringArray, StringViewArray,
    };

    use super::*;

    fn batch() -> RecordBatch {
        let amount = Decimal128Array::from(vec![Some(1250), Some(-5), None])
            .with_precision_and_scale(10, 2)
            .unwrap();
        let columns: [(&str, ArrayRef); 5] = [
            ("uf", Arc::new(StringArray::from(vec![Some("SP"), Some("a\\%b"), None]))),
            ("City", Arc::new(StringViewArray::from(vec![Some("São Paulo"), Some("sp"), None]))),
            ("id", Arc::new(Int32Array::from(vec![Some(1), Some(2), None]))),
            ("amount", Arc::new(amount)),
            ("rate", Arc::new(Float64Array::from(vec![Some(-0.0), Some(0.5), None]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn evaluate(filter: &str) -> Vec<Option<bool>> {
        let batch = batch();
        let bound = bind(&filter.parse().unwrap(), &batch.schema()).unwrap();
        let values = bound.evaluate(&batch).unwrap().into_array(batch.num_rows()).unwrap();
        values.as_any().downcast_ref::<BooleanArray>().unwrap().iter().collect()
    }

    #[test]
    fn conditions_follow_three_valued_logic() {
        let (yes, no) = (Some(true), Some(false));
        for (filter, wanted) in [
            ("uf = 'SP'", [yes, no, None]),
            ("uf <> 'SP'", [no, yes, None]),
            ("not uf = 'SP'", [no, yes, None]),
            ("uf is null", [no, no, yes]),
            ("uf is not null", [yes, yes, no]),
            ("uf = 'SP' or id is null", [yes, no, yes]),
            ("uf = 'SP' and id is null", [no, no, None]),
            ("id in (2, 3)", [no, yes, None]),
            ("amount between -0.05 and 12.4", [no, yes, None]),
            ("amount = 12.5", [yes, no, None]),
            ("rate = 0", [yes, no, None]),
            ("rate = -0.0", [yes, no, None]),
            ("rate in (0, 1)", [yes, no, None]),
            ("rate >= 0", [yes, yes, None]),
            ("uf like 's_'", [no, no, None]),
            ("uf like 'S_'", [yes, no, None]),
            ("city like 'S%o'", [yes, no, None]),
            ("city in ('sp')", [no, yes, None]),
            ("city > 'T'", [no, yes, None]),
        ] {
            assert_eq!(evaluate(filter), wanted, "{filter}");
        }
    }

    #[test]
    fn a_backslash_in_a_pattern_is_a_plain_character() {
        let schema = batch().schema();
        let filter = RowExpression::Like("uf".parse().unwrap(), "a\\%".to_owned());
        let bound = bind(&filter, &schema).unwrap();
        let values = bound.evaluate(&batch()).unwrap().into_array(3).unwrap();
        let values = values.as_any().downcast_ref::<BooleanArray>().unwrap();
        assert_eq!(values.iter().collect::<Vec<_>>(), [Some(false), Some(true), None]);
    }

    #[test]
    fn constants_that_would_change_their_value_are_refused() {
        let schema = batch().schema();
        for filter in ["id = 1.5", "id = 3000000000", "amount = 0.005", "uf = 1", "id = '1'"] {
            let error = bind(&filter.parse().unwrap(), &schema).unwrap_err();
            assert!(matches!(error, PredicateError::Constant { .. }), "{filter}: {error}");
        }
        let error = bind(&"nobody = 1".parse().unwrap(), &schema).unwrap_err();
        assert!(matches!(error, PredicateError::UnknownColumn(_)), "{error}");
        assert!(bind(&"id = TRUE".parse().unwrap(), &schema).is_err());
    }

    #[test]
    fn a_long_chain_does_not_nest_deeply() {
        let filter = vec!["id=1"; 200].join(" or ");
        let bound = bind(&filter.parse().unwrap(), &batch().schema()).unwrap();
        let mut depth = 0;
        let mut next = Some(bound);
        while let Some(expression) = next {
            depth += 1;
            next = expression.children().first().map(|c| Arc::clone(c));
        }
        assert!(depth <= 10, "{depth}");
    }
}
