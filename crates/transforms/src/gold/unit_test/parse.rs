//! From a file to a unit test: tables, columns and cells are looked up in the lake, and everything
//! that is wrong is found at once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use medallion_definition::catalogue::{self, CatalogueColumn, CatalogueTable};
use medallion_definition::finding::{Finding, Findings, RuleId};
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::model::GoldModel;
use medallion_definition::name::Layer;
use medallion_definition::unit_test::{ExpectedText, GivenText, RowsText, UnitTestText};
use medallion_tables::schema::arrow_type;

use super::cell;
use super::{Expected, UnitTest};
use crate::gold::{Input, inputs};
use crate::spec::rows_schema;
use crate::text_table::TextTable;

/// A folder of unit tests whose model does not exist.
pub const UNKNOWN_MODEL: RuleId = RuleId("unit-test/unknown-model");
/// The model's query cannot be read.
pub const MODEL: RuleId = RuleId("unit-test/model");
/// A given table that the lake does not have.
pub const UNKNOWN_TABLE: RuleId = RuleId("unit-test/unknown-table");
/// A given table that the model does not read.
pub const NOT_READ: RuleId = RuleId("unit-test/table-not-read");
/// A table or a column that stands twice.
pub const TWICE: RuleId = RuleId("unit-test/twice");
/// A column that its table does not have.
pub const UNKNOWN_COLUMN: RuleId = RuleId("unit-test/unknown-column");
/// A line that is no row.
pub const BAD_ROW: RuleId = RuleId("unit-test/row");
/// A cell that is no value of its column.
pub const BAD_CELL: RuleId = RuleId("unit-test/cell");
/// A given table whose key is not given, or not as a key.
pub const KEY: RuleId = RuleId("unit-test/key");
/// NULL is expected where the model promises that there is none.
pub const NOT_NULL: RuleId = RuleId("unit-test/not-null");

/// Reads unit tests.
///
/// # Errors
/// All findings of all files at once.
pub fn parse_all(lake: &LakeDefinition, files: &[SourceFile]) -> Result<Vec<UnitTest>, Findings> {
    let (mut tests, mut findings) = (Vec::new(), Findings::default());
    for file in files {
        match parse(lake, &file.path, &file.text) {
            Ok(test) => tests.push(test),
            Err(found) => findings.extend(found),
        }
    }
    findings.into_result(Some(tests))
}

/// Reads a unit test; the path says which model it is about.
///
/// # Errors
/// All findings at once.
pub fn parse(lake: &LakeDefinition, path: &str, text: &str) -> Result<UnitTest, Findings> {
    let (test, findings) = UnitTestText::read(path, text);
    let mut reading = Reading { path, findings };
    let test = test.and_then(|test| reading.test(lake, test));
    reading.findings.into_result(test)
}

struct Reading<'a> {
    path: &'a str,
    findings: Findings,
}

/// Columns that a text names, in its order, and the lines of their rows.
struct Named<'a> {
    columns: Vec<&'a CatalogueColumn>,
    arrays: Vec<ArrayRef>,
    rows: usize,
    lines: Vec<usize>,
}

impl Reading<'_> {
    fn report(&mut self, rule: RuleId, line: usize, message: String, hint: String) {
        let file = self.path.to_owned();
        self.findings.push(Finding { rule, file, line, message, hint });
    }

    fn test(&mut self, lake: &LakeDefinition, test: UnitTestText) -> Option<UnitTest> {
        let Some(model) = lake.model(&test.model) else {
            let known: Vec<&str> = lake.models.iter().map(|m| m.name.as_str()).collect();
            let hint = format!("models are {}", known.join(", "));
            self.report(UNKNOWN_MODEL, 0, format!("there is no model `{}`", test.model), hint);
            return None;
        };
        let read = match inputs(lake, model) {
            Ok(read) => read,
            Err(error) => {
                self.report(MODEL, 0, error.to_string(), String::new());
                return None;
            }
        };
        let given = self.given(lake, model, &read, &test.given);
        let expected = match test.expected? {
            ExpectedText::Rows(rows) => self.expected(model, &rows).map(Expected::Rows),
            ExpectedText::Error(reason) => Some(Expected::Error(reason)),
        };
        Some(UnitTest {
            model: model.clone(),
            case: test.case,
            description: test.description,
            file: self.path.to_owned(),
            given,
            expected: expected?,
        })
    }

    /// Every table that the model reads.
    fn given(
        &mut self,
        lake: &LakeDefinition,
        model: &GoldModel,
        read: &BTreeSet<Input>,
        texts: &[GivenText],
    ) -> BTreeMap<Input, RecordBatch> {
        let tables: Vec<CatalogueTable> = lake.catalogue().into_iter().map(lower_case).collect();
        let input =
            |table: &CatalogueTable| Input { layer: table.layer, table: table.name.clone() };
        let empty = |table: &CatalogueTable| RecordBatch::new_empty(rows_schema(table));
        let all = tables.iter().map(|table| (input(table), empty(table)));
        let mut given: BTreeMap<Input, RecordBatch> =
            all.filter(|(input, _)| read.contains(input)).collect();
        let list = read.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let mut seen = HashSet::new();
        for text in texts {
            let Some(table) = tables.iter().find(|t| input(t).to_string() == text.table) else {
                let message = format!("the lake has no table `{}`", text.table);
                self.report(UNKNOWN_TABLE, text.line, message, format!("the model reads {list}"));
                continue;
            };
            let input = input(table);
            if !read.contains(&input) {
                let message = format!("`{}` does not read `{input}`", model.name);
                self.report(NOT_READ, text.line, message, format!("it reads {list}"));
                continue;
            }
            if !seen.insert(input.clone()) {
                let message = format!("`{input}` is given twice");
                self.report(TWICE, text.line, message, "write its rows together".to_owned());
                continue;
            }
            given.extend(self.given_rows(lake, table, &text.rows).map(|rows| (input, rows)));
        }
        given
    }

    /// The whole table: columns that are not named are NULL.
    fn given_rows(
        &mut self,
        lake: &LakeDefinition,
        table: &CatalogueTable,
        text: &RowsText,
    ) -> Option<RecordBatch> {
        let (key, unique) = key(lake, table);
        let named = self.named(table, text, &key)?;
        self.check_key(table, &key, unique, &named);
        let columns = table.columns.iter().map(|column| {
            let place = named.columns.iter().position(|c| c.name == column.name);
            let nothing = || new_null_array(&arrow_type(column.lake_type), named.rows);
            place.map_or_else(nothing, |place| Arc::clone(&named.arrays[place]))
        });
        self.batch(text, rows_schema(table), columns.collect(), named.rows)
    }

    fn expected(&mut self, model: &GoldModel, text: &RowsText) -> Option<RecordBatch> {
        let table = catalogue::gold(model);
        let named = self.named(&table, text, &[])?;
        for (column, array) in named.columns.iter().zip(&named.arrays) {
            if column.nullable {
                continue;
            }
            for row in (0..named.rows).filter(|row| array.is_null(*row)) {
                let message = format!("NULL is expected in `{}`", column.name);
                let hint = "the model's header says that it is never NULL".to_owned();
                self.report(NOT_NULL, named.lines[row], message, hint);
            }
        }
        let fields = named.columns.iter();
        let fields = fields.map(|c| Field::new(&c.name, arrow_type(c.lake_type), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        self.batch(text, schema, named.arrays, named.rows)
    }

    /// The columns that a text names; nothing when one of them, or a row, cannot be understood.
    fn named<'t>(
        &mut self,
        table: &'t CatalogueTable,
        text: &RowsText,
        key: &[String],
    ) -> Option<Named<'t>> {
        let before = self.findings.len();
        let (cells, bad) = TextTable::read(&text.text);
        for line in bad {
            let hint = "cells stand between `|`; a text that holds `|` is a JSON string";
            self.report(BAD_ROW, text.line + line.line, line.reason, hint.to_owned());
        }
        if cells.header.is_empty() {
            return None;
        }
        let header = text.line + cells.header_line;
        let where_ = format!("{}.{}", table.layer, table.name);
        for missing in key.iter().filter(|name| cells.column(name).is_none()) {
            let message = format!("the key column `{missing}` of `{where_}` is not given");
            self.report(KEY, header, message, format!("the key is {}", key.join(", ")));
        }
        let lines = cells.lines.iter().map(|line| text.line + line).collect();
        let rows = cells.rows.len();
        let mut named = Named { columns: Vec::new(), arrays: Vec::new(), rows, lines };
        for (place, name) in cells.header.iter().enumerate() {
            let Some(column) = table.column(name) else {
                let known: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
                let message = format!("`{where_}` has no column `{name}`");
                self.report(
                    UNKNOWN_COLUMN,
                    header,
                    message,
                    format!("its columns are {}", known.join(", ")),
                );
                continue;
            };
            if cells.column(name) != Some(place) {
                let hint = "name each column once".to_owned();
                self.report(TWICE, header, format!("column `{name}` stands twice"), hint);
                continue;
            }
            let array = self.column(column, &cells, place, &named.lines);
            named.arrays.extend(array);
            named.columns.push(column);
        }
        (self.findings.len() == before).then_some(named)
    }

    fn column(
        &mut self,
        column: &CatalogueColumn,
        cells: &TextTable,
        place: usize,
        lines: &[usize],
    ) -> Option<ArrayRef> {
        let texts: Vec<Option<&str>> = cells.rows.iter().map(|row| row[place].as_deref()).collect();
        match cell::column(column.lake_type, &texts) {
            Ok(array) => Some(array),
            Err(bad) => {
                for row in bad {
                    let (name, lake_type) = (&column.name, column.lake_type);
                    let text = texts[row].unwrap_or_default();
                    let message = format!("`{text}` is no {lake_type}, as `{name}` wants it");
                    let hint = format!("write {}", cell::example(lake_type));
                    self.report(BAD_CELL, lines[row], message, hint);
                }
                None
            }
        }
    }

    /// That the key is there in every row and, where the table has one row per key, no other row's.
    fn check_key(
        &mut self,
        table: &CatalogueTable,
        key: &[String],
        unique: bool,
        named: &Named<'_>,
    ) {
        let of_key = named.columns.iter().zip(&named.arrays);
        let of_key: Vec<_> = of_key.filter(|(column, _)| key.contains(&column.name)).collect();
        let mut whole = true;
        for (column, array) in &of_key {
            for row in (0..named.rows).filter(|row| !column.nullable && array.is_null(*row)) {
                let message = format!("the key column `{}` is NULL", column.name);
                self.report(KEY, named.lines[row], message, "give every key".to_owned());
                whole = false;
            }
        }
        if !unique || !whole || of_key.is_empty() {
            return;
        }
        let arrays: Vec<ArrayRef> = of_key.iter().map(|(_, array)| Arc::clone(array)).collect();
        match repeated(&arrays) {
            Ok(rows) => {
                for row in rows {
                    let message = format!("`{}.{}` has this key already", table.layer, table.name);
                    let hint = format!("it has one row per {}", key.join(", "));
                    self.report(KEY, named.lines[row], message, hint);
                }
            }
            Err(error) => self.report(KEY, 0, error.to_string(), String::new()),
        }
    }

    fn batch(
        &mut self,
        text: &RowsText,
        schema: SchemaRef,
        columns: Vec<ArrayRef>,
        rows: usize,
    ) -> Option<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        match RecordBatch::try_new_with_options(schema, columns, &options) {
            Ok(batch) => Some(batch),
            Err(error) => {
                self.report(BAD_ROW, text.line, error.to_string(), String::new());
                None
            }
        }
    }
}

/// The rows that have the key of an earlier one.
fn repeated(key: &[ArrayRef]) -> Result<Vec<usize>, ArrowError> {
    let sort = key.iter().map(|array| SortField::new(array.data_type().clone())).collect();
    let encoded = RowConverter::new(sort)?.convert_columns(key)?;
    let mut seen = HashSet::new();
    let rows = encoded.iter().enumerate();
    Ok(rows.filter(|(_, row)| !seen.insert(*row)).map(|(place, _)| place).collect())
}

/// The columns that tell a table's rows apart, and whether no two rows agree in them: history and
/// change feeds have several rows per key.
fn key(lake: &LakeDefinition, table: &CatalogueTable) -> (Vec<String>, bool) {
    let contract = || {
        lake.tables.iter().find_map(|contract| {
            let key = contract.key.iter().map(ToString::to_string).collect::<Vec<_>>();
            let current = contract.table.lake_table() == table.name;
            let history = contract.history && catalogue::history_name(contract) == table.name;
            (current || history).then_some((key, current && table.layer == Layer::Silver))
        })
    };
    let found = match table.layer {
        Layer::Bronze | Layer::Silver => contract(),
        Layer::Gold => lake
            .model(&table.name)
            .map(|model| (model.grain.iter().map(ToString::to_string).collect(), true)),
        Layer::Quarantine => None,
    };
    found.unwrap_or_default()
}

/// Columns under the names that queries have for them.
fn lower_case(mut table: CatalogueTable) -> CatalogueTable {
    for column in &mut table.columns {
        column.name = column.name.to_lowercase();
    }
    table
}
