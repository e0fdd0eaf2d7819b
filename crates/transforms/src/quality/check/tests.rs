use std::sync::Arc;

use arrow::array::{
    BinaryArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};

use medallion_definition::policy::UFS;

use super::*;

/// 2026-01-31 12:00:00 UTC.
const NOON: i64 = 1_769_860_800_000_000;

fn passes(rule: &Check, values: ArrayRef) -> Vec<bool> {
    let passed = check(rule, &values, NOON).unwrap();
    assert_eq!(passed.null_count(), 0);
    passed.values().iter().collect()
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

#[test]
fn text_checks_tell_good_from_bad() {
    let uf = |text: &str| passes(&Check::Uf, texts(&[text]))[0];
    assert!(UFS.iter().all(|text| uf(text)));
    let accepted = Check::AcceptedValues(vec!["web".to_owned(), "app".to_owned()]);
    let cases: [(Check, &[&str], &[&str]); 8] = [
        (Check::Cpf, &["52998224725"], &["52998224726", ""]),
        (Check::Cnpj, &["12ABC34501DE35"], &["12ABC34501DE34"]),
        (
            Check::Email,
            &["a@b.c", "ana+x@mail.example.com"],
            &["", "a", "@b.c", "a@b", "a@@b.c", "a@b@c.d", "a@.c", "a@b.", "a@b..c", "a b@c.d"],
        ),
        (Check::PhoneBr, &["+5511987654321"], &["11987654321"]),
        (Check::Cep, &["01310100"], &["0131010", "01310-100", "０1310100", ""]),
        (Check::Uf, &["SP", "DF"], &["sp", "XX", " SP", ""]),
        (Check::Regex("a|ab".to_owned()), &["a", "ab"], &["abc", "b", "", "a\n"]),
        (accepted, &["web", "app"], &["Web", "", "fax"]),
    ];
    for (rule, good, bad) in cases {
        assert_eq!(passes(&rule, texts(good)), vec![true; good.len()], "{rule:?} {good:?}");
        assert_eq!(passes(&rule, texts(bad)), vec![false; bad.len()], "{rule:?} {bad:?}");
    }
}

#[test]
fn null_passes_every_check_but_not_null() {
    let text: ArrayRef = Arc::new(StringArray::from(vec![None, Some("SP")]));
    for rule in [Check::Cpf, Check::Email, Check::Regex("x".to_owned())] {
        assert!(passes(&rule, text.clone())[0], "{rule:?}");
    }
    let range = Check::Range { min: Some(1.0), max: None };
    assert_eq!(passes(&range, Arc::new(Int32Array::from(vec![None, Some(0)]))), [true, false]);
    let dates = Arc::new(Date32Array::from(vec![None, Some(i32::MAX)]));
    assert_eq!(passes(&Check::NotFuture, dates), [true, false]);
    assert_eq!(passes(&Check::NotNull, text), [false, true]);
}

#[test]
fn ranges_include_their_bounds_and_compare_exactly() {
    let unit = Check::Range { min: Some(0.0), max: Some(0.1) };
    let decimals = Decimal128Array::from(vec![-1, 0, 10, 11]).with_precision_and_scale(12, 2);
    assert_eq!(passes(&unit, Arc::new(decimals.unwrap())), [false, true, true, false]);
    let doubles = Float64Array::from(vec![-0.1, -0.0, 0.1, f64::NAN, f64::INFINITY]);
    assert_eq!(passes(&unit, Arc::new(doubles)), [false, true, true, false, false]);
    assert_eq!(passes(&unit, Arc::new(Float32Array::from(vec![0.05, 0.2]))), [true, false]);

    let large = Check::Range { min: None, max: Some(9_007_199_254_740_992.0) };
    let longs = Int64Array::from(vec![9_007_199_254_740_992, 9_007_199_254_740_993, i64::MIN]);
    assert_eq!(passes(&large, Arc::new(longs)), [true, false, true]);
    let half = Check::Range { min: Some(-2.5), max: Some(2.5) };
    let ints = Int32Array::from(vec![-3, -2, 2, 3]);
    assert_eq!(passes(&half, Arc::new(ints)), [false, true, true, false]);
}

#[test]
fn the_future_begins_after_the_batch() {
    let today = i32::try_from(NOON / MICROS_PER_DAY).unwrap();
    let dates = Date32Array::from(vec![today - 1, today, today + 1, -719_162]);
    assert_eq!(passes(&Check::NotFuture, Arc::new(dates)), [true, true, false, true]);
    let times = TimestampMicrosecondArray::from(vec![NOON, NOON + 1]);
    assert_eq!(passes(&Check::NotFuture, Arc::new(times.clone())), [true, false]);
    assert_eq!(passes(&Check::NotFuture, Arc::new(times.with_timezone("+00:00"))), [true, false]);
}

#[test]
fn a_check_on_a_type_that_it_does_not_fit_is_an_error() {
    let bytes: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"x"]));
    for rule in [Check::Cpf, Check::NotFuture, Check::Range { min: Some(0.0), max: None }] {
        let error = check(&rule, &bytes, NOON).unwrap_err();
        assert!(matches!(error, QualityError::RuleType { found: DataType::Binary, .. }));
    }
    let broken = CompiledCheck::new(&Check::Regex("(".to_owned())).unwrap_err();
    assert!(matches!(broken, QualityError::Regex { .. }));
}
