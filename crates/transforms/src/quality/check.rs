//! Checks over arrays.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use medallion_definition::contract::Check;
use regex::Regex;

use super::{QualityError, bounds, document, email, phone, place};

/// Up to so many texts are compared one by one, which is faster than a hash.
const FEW: usize = 12;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A check whose regular expression is compiled.
#[derive(Debug)]
pub struct CompiledCheck {
    check: Check,
    /// Of [`Check::Regex`].
    regex: Option<Regex>,
    /// Of [`Check::AcceptedValues`].
    accepted: HashSet<String>,
}

/// Applies a check once; [`CompiledCheck`] is for more than one array.
///
/// # Errors
/// As [`CompiledCheck::new`] and [`CompiledCheck::evaluate`].
pub fn check(
    check: &Check,
    values: &ArrayRef,
    now_micros: i64,
) -> Result<BooleanArray, QualityError> {
    CompiledCheck::new(check)?.evaluate(values, now_micros)
}

impl CompiledCheck {
    /// Compiles a check.
    ///
    /// # Errors
    /// [`QualityError::Regex`] when its regular expression does not compile.
    pub fn new(check: &Check) -> Result<CompiledCheck, QualityError> {
        let regex = match check {
            // The whole value has to match, also where an alternative would match its beginning.
            Check::Regex(pattern) => {
                Some(Regex::new(&format!(r"\A(?:{pattern})\z")).map_err(|source| {
                    let rule = check.name().to_owned();
                    QualityError::Regex { rule, source: Box::new(source) }
                })?)
            }
            _ => None,
        };
        let accepted = match check {
            Check::AcceptedValues(values) => values.iter().cloned().collect(),
            _ => HashSet::new(),
        };
        Ok(CompiledCheck { check: check.clone(), regex, accepted })
    }

    /// True for each value that passes, never NULL. `now_micros` is the batch's own time in
    /// microseconds since the epoch, UTC; only `not_future` looks at it.
    ///
    /// # Errors
    /// [`QualityError::RuleType`] when the check does not fit the array's type.
    pub fn evaluate(
        &self,
        values: &ArrayRef,
        now_micros: i64,
    ) -> Result<BooleanArray, QualityError> {
        let passed = match &self.check {
            Check::NotNull => {
                let all = || BooleanBuffer::new_set(values.len());
                let valid = values.logical_nulls().map_or_else(all, NullBuffer::into_inner);
                return Ok(BooleanArray::new(valid, None));
            }
            Check::Cpf => self.text(values, document::is_cpf),
            Check::Cnpj => self.text(values, document::is_cnpj),
            Check::Email => self.text(values, email::is_email),
            Check::PhoneBr => self.text(values, phone::is_phone_br),
            Check::Cep => self.text(values, place::is_cep),
            Check::Uf => self.text(values, place::is_uf),
            Check::Regex(_) => {
                self.text(values, |text| self.regex.as_ref().is_some_and(|r| r.is_match(text)))
            }
            Check::AcceptedValues(few) if few.len() <= FEW => {
                self.text(values, |text| few.iter().any(|value| value == text))
            }
            Check::AcceptedValues(_) => self.text(values, |text| self.accepted.contains(text)),
            Check::Range { min, max } => in_range(values, *min, *max),
            Check::NotFuture => not_after(values, now_micros),
        };
        let misfit = || {
            let found = values.data_type().clone();
            QualityError::RuleType { rule: self.check.name(), found }
        };
        Ok(BooleanArray::new(passed.ok_or_else(misfit)?, None))
    }

    fn text(&self, values: &ArrayRef, passes: impl Fn(&str) -> bool) -> Option<BooleanBuffer> {
        let values = values.as_string_opt::<i32>()?;
        let row = |row| values.is_null(row) || passes(values.value(row));
        Some(BooleanBuffer::collect_bool(values.len(), row))
    }
}

/// True where a value passes or is NULL.
fn each<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    passes: impl Fn(T::Native) -> bool,
) -> BooleanBuffer {
    // Judging what stands under NULL is cheaper than asking for each row.
    let native = values.values();
    let passed = BooleanBuffer::collect_bool(native.len(), |row| passes(native[row]));
    or_null(passed, values)
}

fn or_null(passed: BooleanBuffer, values: &dyn Array) -> BooleanBuffer {
    match values.nulls() {
        Some(nulls) if nulls.null_count() > 0 => &passed | &!nulls.inner(),
        _ => passed,
    }
}

fn in_range(values: &ArrayRef, min: Option<f64>, max: Option<f64>) -> Option<BooleanBuffer> {
    // NaN lies in no range.
    let float = |v: f64| !v.is_nan() && min.is_none_or(|m| v >= m) && max.is_none_or(|m| v <= m);
    let scale = match values.data_type() {
        DataType::Float32 => {
            return Some(each(values.as_primitive::<Float32Type>(), |v| float(f64::from(v))));
        }
        DataType::Float64 => return Some(each(values.as_primitive::<Float64Type>(), float)),
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    };
    let low = min.map_or(i128::MIN, |m| bounds::on_grid(m, scale, true));
    let high = max.map_or(i128::MAX, |m| bounds::on_grid(m, scale, false));
    let exact = |v: i128| low <= v && v <= high;
    match values.data_type() {
        DataType::Int32 => Some(each(values.as_primitive::<Int32Type>(), |v| exact(v.into()))),
        DataType::Int64 => Some(each(values.as_primitive::<Int64Type>(), |v| exact(v.into()))),
        DataType::Decimal128(..) => Some(each(values.as_primitive::<Decimal128Type>(), exact)),
        _ => None,
    }
}

/// Times without a zone are taken as UTC: the wall clocks of Brazil are behind it.
fn not_after(values: &ArrayRef, now: i64) -> Option<BooleanBuffer> {
    match values.data_type() {
        DataType::Date32 => {
            let today = now.div_euclid(MICROS_PER_DAY);
            Some(each(values.as_primitive::<Date32Type>(), |v| i64::from(v) <= today))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Some(each(values.as_primitive::<TimestampMicrosecondType>(), |v| v <= now))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
