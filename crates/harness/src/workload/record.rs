//! Rows as SQL literals, and the statements that write them.

mod address;
mod consent;
mod customer;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub(crate) use address::address;
pub(crate) use consent::{CHANNELS, PURPOSES, consent};
pub(crate) use customer::customer;

use super::literal::{NULL, text};

/// A source table of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Customers,
    Addresses,
    Consents,
}

impl Table {
    /// The name in the source.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Table::Customers => "crm.customers",
            Table::Addresses => "crm.addresses",
            Table::Consents => "crm.consents",
        }
    }

    /// The name in the schemas `kept` and `expected`.
    pub(crate) fn lake(self) -> &'static str {
        match self {
            Table::Customers => "crm_customers",
            Table::Addresses => "crm_addresses",
            Table::Consents => "crm_consents",
        }
    }

    fn key_width(self) -> usize {
        match self {
            Table::Customers => 1,
            Table::Addresses => 2,
            Table::Consents => 3,
        }
    }
}

/// One row: column names and SQL literals, the key first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    table: Table,
    values: Vec<(&'static str, String)>,
}

impl Record {
    pub(crate) fn table(&self) -> Table {
        self.table
    }

    /// The literals of the key.
    pub(crate) fn key(&self) -> Vec<String> {
        self.values[..self.table.key_width()].iter().map(|(_, value)| value.clone()).collect()
    }

    /// Replaces a value by an SQL expression, or adds the column.
    pub(crate) fn set(mut self, column: &'static str, expression: impl Into<String>) -> Record {
        let expression = expression.into();
        match self.values.iter_mut().find(|(name, _)| *name == column) {
            Some((_, value)) => *value = expression,
            None => self.values.push((column, expression)),
        }
        self
    }

    /// `a = 1 AND b = 2` over the key.
    pub(crate) fn condition(&self) -> String {
        pairs(&self.values[..self.table.key_width()]).join(" AND ")
    }

    /// `a = 1, b = 2` over some columns besides the key, at least one.
    pub(crate) fn assignments(&self, rng: &mut ChaCha8Rng, most: usize) -> String {
        let rest = &self.values[self.table.key_width()..];
        let start = rng.random_range(0..rest.len());
        let count = rng.random_range(1..=most.min(rest.len()));
        let chosen: Vec<_> = rest.iter().cycle().skip(start).take(count).cloned().collect();
        pairs(&chosen).join(", ")
    }

    pub(crate) fn insert(&self) -> String {
        insert_all(std::slice::from_ref(self)).concat()
    }

    pub(crate) fn update(&self, assignments: &str) -> String {
        format!("UPDATE {} SET {assignments} WHERE {}", self.table.source(), self.condition())
    }

    pub(crate) fn delete(&self) -> String {
        format!("DELETE FROM {} WHERE {}", self.table.source(), self.condition())
    }
}

fn pairs(values: &[(&'static str, String)]) -> Vec<String> {
    values.iter().map(|(name, value)| format!("{name} = {value}")).collect()
}

/// Rows per INSERT.
const CHUNK: usize = 200;

/// Multi-row INSERTs of rows of one table with the same columns; nothing for no rows.
pub(crate) fn insert_all(records: &[Record]) -> Vec<String> {
    let insert = |chunk: &[Record]| {
        let first = &chunk[0];
        let names: Vec<&str> = first.values.iter().map(|(name, _)| *name).collect();
        let rows: Vec<String> = chunk.iter().map(Record::row).collect();
        let (table, names) = (first.table.source(), names.join(", "));
        format!("INSERT INTO {table} ({names}) VALUES\n{}", rows.join(",\n"))
    };
    records.chunks(CHUNK).map(insert).collect()
}

impl Record {
    fn row(&self) -> String {
        let values: Vec<&str> = self.values.iter().map(|(_, value)| value.as_str()).collect();
        format!("({})", values.join(", "))
    }
}

/// NULL in so many per cent of the cases.
fn nullable(
    rng: &mut ChaCha8Rng,
    percent: u32,
    value: impl FnOnce(&mut ChaCha8Rng) -> String,
) -> String {
    if rng.random_ratio(percent, 100) { NULL.to_owned() } else { value(rng) }
}

/// A date literal within years, both inclusive.
fn date(rng: &mut ChaCha8Rng, first: u32, last: u32) -> String {
    text(&calendar_day(rng, first, last))
}

fn calendar_day(rng: &mut ChaCha8Rng, first: u32, last: u32) -> String {
    let (year, month) = (rng.random_range(first..=last), rng.random_range(1..=12));
    format!("{year:04}-{month:02}-{:02}", rng.random_range(1..=28))
}

/// A date and time literal; `digits` of a second's fraction, 0–6.
fn date_time(rng: &mut ChaCha8Rng, first: u32, last: u32, digits: usize) -> String {
    let day = calendar_day(rng, first, last);
    let (h, m, s) = (rng.random_range(0..24), rng.random_range(0..60), rng.random_range(0..60));
    let micros = format!("{:06}", rng.random_range(0..1_000_000));
    let point = if digits == 0 { "" } else { "." };
    text(&format!("{day} {h:02}:{m:02}:{s:02}{point}{}", &micros[..digits]))
}
