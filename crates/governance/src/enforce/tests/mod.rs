//! Governed sessions over tables in memory.

mod property;
mod side_channels;
mod statements;
mod visibility;

use std::error::Error;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Decimal128Array, Int32Array, RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use medallion_definition::catalogue::{CatalogueColumn, CatalogueTable};
use medallion_definition::contract::Sensitivity;
use medallion_definition::name::{GroupName, Layer};
use medallion_definition::policy::{ColumnSelection, Grant, Group, Policy, TableSelection};
use medallion_definition::types::LakeType;

use super::{GovernedSession, Limits, QueryError, governed_session};
use crate::access::table_access;

fn ops() -> Vec<GroupName> {
    vec!["ops".parse().unwrap()]
}

fn table(layer: Layer, name: &str, columns: &[(&str, LakeType)]) -> CatalogueTable {
    let column = |(name, lake_type): &(&str, LakeType)| CatalogueColumn {
        name: (*name).to_owned(),
        lake_type: *lake_type,
        sensitivity: Sensitivity::Internal,
        nullable: true,
        description: String::new(),
    };
    CatalogueTable { layer, name: name.to_owned(), columns: columns.iter().map(column).collect() }
}

/// SELECT for `ops`; no columns means all.
fn grant(layer: Layer, table: &str, columns: &[&str], rows: Option<&str>) -> Grant {
    let columns = match columns {
        [] => ColumnSelection::All,
        names => ColumnSelection::Named(names.iter().map(|n| n.parse().unwrap()).collect()),
    };
    Grant {
        name: "g".parse().unwrap(),
        to: "ops".parse().unwrap(),
        tables: TableSelection::Table(layer, table.to_owned()),
        columns,
        rows: rows.map(|r| r.parse().unwrap()),
        place: ("policy.toml".to_owned(), 1),
    }
}

fn policy(grants: Vec<Grant>) -> Policy {
    let group = Group { name: "ops".parse().unwrap(), description: String::new() };
    Policy { groups: vec![group], grants }
}

fn session(
    grants: Vec<Grant>,
    tables: Vec<(CatalogueTable, Arc<dyn TableProvider>)>,
    limits: Limits,
) -> GovernedSession {
    let policy = policy(grants);
    let with_access = |(facts, provider)| {
        let access = table_access(&policy, &ops(), &facts);
        (facts, access, provider)
    };
    governed_session(tables.into_iter().map(with_access).collect(), limits).unwrap()
}

fn memory(batch: RecordBatch) -> Arc<dyn TableProvider> {
    Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap())
}

fn customers_batch() -> RecordBatch {
    let amount = Decimal128Array::from(vec![Some(100), Some(200), Some(300), None, Some(500)])
        .with_precision_and_scale(10, 2)
        .unwrap();
    let columns: [(&str, ArrayRef); 5] = [
        ("id", Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5]))),
        ("cpf_number", Arc::new(StringArray::from(vec!["c1", "c2", "c3", "c4", "c5"]))),
        (
            "uf",
            Arc::new(StringArray::from(vec![Some("MG"), Some("SP"), Some("RJ"), None, Some("SP")])),
        ),
        ("note", Arc::new(StringArray::from(vec!["boom", "20", "30", "boom", "50"]))),
        ("amount", Arc::new(amount)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn customers_facts() -> CatalogueTable {
    let amount = LakeType::Decimal { precision: 10, scale: 2 };
    let columns = [
        ("id", LakeType::Int),
        ("cpf_number", LakeType::String),
        ("uf", LakeType::String),
        ("note", LakeType::String),
        ("amount", amount),
    ];
    table(Layer::Silver, "crm_customers", &columns)
}

/// `silver.crm_customers` under these grants, beside tables that nobody may see.
fn customers(grants: &[(&[&str], Option<&str>)]) -> GovernedSession {
    let grants = grants.iter().map(|(c, r)| grant(Layer::Silver, "crm_customers", c, *r)).collect();
    let hidden =
        |layer, name| (table(layer, name, &[("id", LakeType::Int)]), memory(customers_batch()));
    let tables = vec![
        (customers_facts(), memory(customers_batch())),
        hidden(Layer::Silver, "crm_consents"),
        hidden(Layer::Quarantine, "crm_customers"),
    ];
    session(grants, tables, Limits::default())
}

/// Rows as text, columns joined by `|`, in the order of the result.
async fn rows(session: &GovernedSession, sql: &str) -> Vec<String> {
    let (_, batches) = session.query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    lines(&batches)
}

fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::new().with_null("NULL");
    let mut out = Vec::new();
    for batch in batches {
        let cells: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|c| ArrayFormatter::try_new(c as &dyn Array, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let texts: Vec<String> = cells.iter().map(|c| c.value(row).to_string()).collect();
            out.push(texts.join("|"));
        }
    }
    out
}

async fn error(session: &GovernedSession, sql: &str) -> QueryError {
    match session.query(sql).await {
        Err(error) => error,
        Ok((_, batches)) => panic!("{sql} gave {:?}", lines(&batches)),
    }
}

/// Everything that an error could tell: itself, its debug form, and all its sources.
fn everything(error: &QueryError) -> String {
    let mut text = format!("{error:?}");
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(error) = next {
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
