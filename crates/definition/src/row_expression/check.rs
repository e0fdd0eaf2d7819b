//! Whether a row filter fits the columns of a table.

use std::fmt;

use super::{Comparison, Constant, RowExpression};
use crate::name::ColumnName;
use crate::types::LakeType;

/// What keeps a row filter from working on a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowExpressionProblem {
    /// The column that is read.
    pub column: ColumnName,
    /// What is wrong, in one clause.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for RowExpressionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}: {}", self.column, self.message, self.hint)
    }
}

impl RowExpression {
    /// What Lake Formation, or any engine, could not do with this filter on a table whose columns
    /// `lookup` knows: unknown columns, types without filters (DATE, TIMESTAMP, BINARY; Lake
    /// Formation, `partiql-support`), constants and operators that do not fit a column's type.
    pub fn check_types(
        &self,
        lookup: impl Fn(&ColumnName) -> Option<LakeType>,
    ) -> Vec<RowExpressionProblem> {
        let mut problems: Vec<RowExpressionProblem> = Vec::new();
        self.visit(&mut |condition| {
            let Some(column) = condition.column() else { return };
            if let Err((message, hint)) = check(condition, lookup(column)) {
                let problem = RowExpressionProblem { column: column.clone(), message, hint };
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        });
        problems
    }
}

/// Message and hint.
type Refusal = (String, String);

fn refuse<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Refusal> {
    Err((message.into(), hint.into()))
}

fn check(condition: &RowExpression, lake_type: Option<LakeType>) -> Result<(), Refusal> {
    let Some(lake_type) = lake_type else {
        return refuse("is no column of this table", "name one that it has");
    };
    match lake_type {
        LakeType::Date | LakeType::Timestamp | LakeType::TimestampTz | LakeType::Binary => {
            return refuse(
                format!("is of type {lake_type}, which row filters cannot read"),
                "add a text or whole-number column that says the same",
            );
        }
        LakeType::Boolean
        | LakeType::Int
        | LakeType::Long
        | LakeType::Float
        | LakeType::Double
        | LakeType::Decimal { .. }
        | LakeType::String => {}
    }
    match condition {
        RowExpression::Compare(_, comparison, constant) => {
            let equality = matches!(comparison, Comparison::Eq | Comparison::Ne);
            ordered(lake_type, equality)?;
            fits(constant, lake_type)
        }
        RowExpression::Between(_, low, high) => {
            ordered(lake_type, false)?;
            fits(low, lake_type)?;
            fits(high, lake_type)
        }
        RowExpression::In(_, constants) => {
            constants.iter().try_for_each(|constant| fits(constant, lake_type))
        }
        RowExpression::Like(..) if lake_type != LakeType::String => {
            refuse(format!("is of type {lake_type}"), "LIKE works on text only")
        }
        RowExpression::Like(..)
        | RowExpression::IsNull(..)
        | RowExpression::And(..)
        | RowExpression::Or(..)
        | RowExpression::Not(_) => Ok(()),
    }
}

fn ordered(lake_type: LakeType, equality: bool) -> Result<(), Refusal> {
    if lake_type == LakeType::Boolean && !equality {
        return refuse("is of type boolean, which has no order", "compare it with `=` or `<>`");
    }
    Ok(())
}

fn fits(constant: &Constant, lake_type: LakeType) -> Result<(), Refusal> {
    let wanted = match (constant, lake_type) {
        (Constant::Number(number), LakeType::Int) if number.parse::<i32>().is_ok() => return Ok(()),
        (Constant::Number(number), LakeType::Long) if number.parse::<i64>().is_ok() => {
            return Ok(());
        }
        (Constant::Number(number), LakeType::Decimal { precision, scale })
            if decimal_fits(number, precision, scale) =>
        {
            return Ok(());
        }
        (Constant::Number(_), LakeType::Float | LakeType::Double)
        | (Constant::Text(_), LakeType::String)
        | (Constant::Boolean(_), LakeType::Boolean) => return Ok(()),
        (_, LakeType::String) => "compare it with text in single quotes".to_owned(),
        (_, LakeType::Boolean) => "compare it with TRUE or FALSE".to_owned(),
        (_, other) => format!("compare it with a number that {other} can hold, without quotes"),
    };
    refuse(format!("is of type {lake_type}, which the constant does not fit"), wanted)
}

/// True when the number is a value of decimal(precision, scale), exactly.
fn decimal_fits(number: &str, precision: u8, scale: u8) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    whole.trim_start_matches('0').len() <= usize::from(precision.saturating_sub(scale))
        && fraction.trim_end_matches('0').len() <= usize::from(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &ColumnName) -> Option<LakeType> {
        Some(match name.as_str() {
            "uf" => LakeType::String,
            "id" => LakeType::Int,
            "big" => LakeType::Long,
            "amount" => LakeType::Decimal { precision: 5, scale: 2 },
            "rate" => LakeType::Double,
            "active" => LakeType::Boolean,
            "born" => LakeType::Date,
            "seen" => LakeType::TimestampTz,
            "photo" => LakeType::Binary,
            _ => return None,
        })
    }

    fn problems(text: &str) -> Vec<String> {
        let expression: RowExpression = text.parse().unwrap();
        expression.check_types(lookup).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn constants_that_fit_their_columns_raise_nothing() {
        for text in [
            "uf = 'SP' and uf like 'S%'",
            "id in (1, -2147483648)",
            "big between 0 and 9223372036854775807",
            "amount >= 999.990 or amount = -1",
            "rate < 0.1",
            "active = TRUE or not active in (FALSE)",
            "uf is null",
        ] {
            assert_eq!(problems(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn every_misfit_is_reported_once_with_a_hint() {
        for (text, said) in [
            ("uf = 1", "text in single quotes"),
            ("id = '1'", "number that int can hold"),
            ("id = 2147483648", "number that int can hold"),
            ("id = 1.0", "number that int can hold"),
            ("amount = 1000", "decimal(5,2)"),
            ("amount = 0.005", "decimal(5,2)"),
            ("active = 1", "TRUE or FALSE"),
            ("active > FALSE", "no order"),
            ("active between FALSE and TRUE", "no order"),
            ("id like '1%'", "text only"),
            ("born = '2000-01-01'", "add a text or whole-number column"),
            ("seen is null", "row filters cannot read"),
            ("photo is not null", "row filters cannot read"),
            ("nobody = 1", "no column of this table"),
        ] {
            let found = problems(&format!("{text} or {text}"));
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains(said), "{found:?}");
        }
        assert_eq!(problems("uf = 1 and id = 'x' and nobody is null").len(), 3);
    }

    #[test]
    fn columns_are_named_once_and_in_order() {
        let expression: RowExpression = "uf = 'SP' and (id = 1 or not uf is null)".parse().unwrap();
        let names: Vec<&str> = expression.columns().into_iter().map(ColumnName::as_str).collect();
        assert_eq!(names, ["id", "uf"]);
    }
}
