use std::collections::BTreeSet;

use arrow::array::{
    Date32Array, Decimal128Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use medallion_definition::contract::{Check, Column, Engine, RowRule, Sensitivity};

use super::*;

/// 2026-01-31 12:00:00 UTC, and the day of it.
const NOON: i64 = 1_769_860_800_000_000;
const TODAY: i32 = 20_484;

fn column(name: &str, source_type: &str) -> Column {
    Column {
        name: name.parse().unwrap(),
        source_type: source_type.parse().unwrap(),
        nullable: true,
        sensitivity: Sensitivity::Internal,
        description: String::new(),
        normalisers: Vec::new(),
        checks: Vec::new(),
        added: false,
        renamed_from: Vec::new(),
    }
}

fn rule(name: &str, sql: &str, on_fail: OnFail) -> RowRule {
    RowRule { name: name.parse().unwrap(), sql: sql.to_owned(), on_fail }
}

fn contract(row_rules: Vec<RowRule>) -> TableContract {
    let cpf = Column {
        normalisers: vec![Normaliser::Digits, Normaliser::NullIfEmpty],
        checks: vec![Check::NotNull, Check::Cpf],
        ..column("cpf", "varchar(14)")
    };
    let region = Column {
        normalisers: vec![Normaliser::Trim, Normaliser::Upper],
        checks: vec![Check::Uf],
        ..column("region", "char(2)")
    };
    let columns = vec![
        column("id", "int"),
        cpf,
        region,
        column("born", "date"),
        column("limit_brl", "decimal(12,2)"),
        column("created_at", "datetime(6)"),
    ];
    TableContract {
        table: "crm.customers".parse().unwrap(),
        description: String::new(),
        key: vec!["id".parse().unwrap()],
        columns,
        row_rules,
        buckets: 1,
        engine: Engine::Native,
        load: Default::default(),
        dropped: Vec::new(),
        history: false,
        file: "crm_customers.toml".to_owned(),
    }
}

type Row<'a> = (i32, Option<&'a str>, &'a str, Option<i32>, Option<i128>);

fn batch(rows: &[Row<'_>]) -> RecordBatch {
    let limits: Decimal128Array = rows.iter().map(|r| r.4).collect();
    let columns: [(&str, ArrayRef, bool); 7] = [
        ("_source", Arc::new(StringArray::from(vec!["LOAD00000001"; rows.len()])), false),
        ("id", Arc::new(Int32Array::from_iter_values(rows.iter().map(|r| r.0))), false),
        ("cpf", Arc::new(rows.iter().map(|r| r.1).collect::<StringArray>()), false),
        ("region", Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.2))), false),
        ("born", Arc::new(rows.iter().map(|r| r.3).collect::<Date32Array>()), true),
        ("limit_brl", Arc::new(limits.with_precision_and_scale(12, 2).unwrap()), true),
        ("created_at", Arc::new(TimestampMicrosecondArray::from(vec![NOON; rows.len()])), true),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array, null)| {
            let null = *null || array.null_count() > 0;
            Field::new(*name, array.data_type().clone(), null)
        })
        .collect();
    let arrays = columns.into_iter().map(|(_, array, _)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn born_before_registered(on_fail: OnFail) -> RowRule {
    let sql = "born is null or born <= cast(created_at as date)";
    rule("born_before_registered", sql, on_fail)
}

fn texts(outcome: &QualityOutcome, name: &str) -> Vec<Option<String>> {
    let column = outcome.batch.column_by_name(name).unwrap();
    column.as_string::<i32>().iter().map(|v| v.map(str::to_owned)).collect()
}

#[test]
fn values_are_normalised_before_they_are_checked_and_every_failure_is_named() {
    let plan = QualityPlan::new(&contract(vec![born_before_registered(OnFail::Quarantine)]));
    let rows: [Row<'_>; 4] = [
        (1, Some("529.982.247-25"), "sp", Some(TODAY), None),
        (2, Some("529.982.247-26"), "xx", Some(TODAY + 1), None),
        (3, Some("--"), "RJ", None, None),
        (4, Some("52998224725"), "RJ", None, Some(1)),
    ];
    let outcome = plan.unwrap().apply(&batch(&rows), NOON).unwrap();
    let failures: Vec<(usize, Vec<&str>)> = outcome
        .failures
        .iter()
        .map(|(row, rules)| (*row, rules.iter().map(String::as_str).collect()))
        .collect();
    let expected = vec![
        (1, vec!["cpf:cpf", "region:uf", "born_before_registered"]),
        (2, vec!["cpf:not_null"]),
    ];
    assert_eq!(failures, expected);
    assert!(outcome.warnings.is_empty());
    let cpf = texts(&outcome, "cpf");
    assert_eq!(cpf[0].as_deref(), Some("52998224725"));
    assert_eq!(cpf[2], None);
    assert_eq!(texts(&outcome, "region")[1].as_deref(), Some("XX"));
    assert_eq!(texts(&outcome, "_source")[3].as_deref(), Some("LOAD00000001"));
}

#[test]
fn warnings_are_counted_and_null_field_clears_only_what_fails() {
    let limit = rule("positive_limit", "limit_brl > 0.00", OnFail::Warn);
    let born = born_before_registered(OnFail::NullField("born".parse().unwrap()));
    // Sees the row as it was before the rule above it cleared the field.
    let later = rule("born_again", "born <= cast(created_at as date)", OnFail::Warn);
    let plan = QualityPlan::new(&contract(vec![born, limit, later])).unwrap();
    let cpf = Some("52998224725");
    let rows: [Row<'_>; 3] = [
        (1, cpf, "SP", Some(TODAY + 1), Some(0)),
        (2, cpf, "SP", Some(TODAY), Some(-5)),
        (3, cpf, "SP", None, None),
    ];
    let outcome = plan.apply(&batch(&rows), NOON).unwrap();
    assert!(outcome.failures.is_empty());
    let warnings: Vec<(&str, u64)> =
        outcome.warnings.iter().map(|(rule, n)| (rule.as_str(), *n)).collect();
    assert_eq!(warnings, [("born_again", 1), ("positive_limit", 2)]);
    let born = outcome.batch.column_by_name("born").unwrap();
    let valid: Vec<bool> = (0..3).map(|i| born.is_valid(i)).collect();
    assert_eq!(valid, [false, true, false]);
}

#[test]
fn a_batch_without_rows_stays_one() {
    let plan = QualityPlan::new(&contract(vec![born_before_registered(OnFail::Quarantine)]));
    let outcome = plan.unwrap().apply(&batch(&[]), NOON).unwrap();
    assert_eq!((outcome.batch.num_rows(), outcome.batch.num_columns()), (0, 7));
    assert!(outcome.failures.is_empty());
}

#[test]
fn rules_that_do_not_compile_are_refused() {
    let refused = |sql: &str| QualityPlan::new(&contract(vec![rule("r", sql, OnFail::Warn)]));
    for sql in ["borne is null", "born is", "count(id) > 1", "exists (select 1)"] {
        assert!(matches!(refused(sql), Err(QualityError::RowRule { .. })), "{sql}");
    }
    let number = refused("id + 1");
    assert!(matches!(number, Err(QualityError::NotBoolean { .. })));
}

#[test]
fn an_evaluation_error_names_the_rule_and_no_value() {
    let cast = rule("numeric_cpf", "cast(cpf as bigint) > 0", OnFail::Quarantine);
    let plan = QualityPlan::new(&contract(vec![cast])).unwrap();
    let mut columns = plan.columns;
    columns[1].normalisers.clear();
    let plan = QualityPlan { columns, ..plan };
    let rows: [Row<'_>; 1] = [(1, Some("529.982.247-25"), "SP", None, None)];
    let error = plan.apply(&batch(&rows), NOON).unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    assert!(text.contains("numeric_cpf") && !text.contains("529"), "{text}");
}

#[test]
fn a_batch_that_does_not_fit_the_contract_is_refused() {
    let plan = QualityPlan::new(&contract(Vec::new())).unwrap();
    let whole = batch(&[(1, Some("52998224725"), "SP", None, None)]);
    let missing = whole.project(&[0, 1, 2]).unwrap();
    let error = plan.apply(&missing, NOON).unwrap_err();
    assert!(matches!(error, QualityError::MissingColumn { ref column } if column == "region"));
    let mut columns = whole.columns().to_vec();
    columns[4] = Arc::new(Int32Array::from(vec![1]));
    let fields: Vec<Field> = whole
        .schema()
        .fields()
        .iter()
        .zip(&columns)
        .map(|(f, c)| Field::new(f.name(), c.data_type().clone(), true))
        .collect();
    let wrong = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let error = plan.apply(&wrong, NOON).unwrap_err();
    assert!(matches!(error, QualityError::ColumnType { ref column, .. } if column == "born"));
}

#[test]
fn normalising_a_normalised_batch_changes_nothing() {
    let plan = QualityPlan::new(&contract(Vec::new())).unwrap();
    let rows: [Row<'_>; 3] = [
        (1, Some("529.982.247-25"), " s", None, None),
        (2, Some(""), "rj", None, None),
        (3, None, "", None, None),
    ];
    let once = plan.apply(&batch(&rows), NOON).unwrap();
    let twice = plan.apply(&once.batch, NOON).unwrap();
    assert_eq!(once.batch, twice.batch);
    let failed: BTreeSet<usize> = twice.failures.iter().map(|(row, _)| *row).collect();
    assert_eq!(failed, BTreeSet::from([0, 1, 2]));
}
