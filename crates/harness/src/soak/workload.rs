//! Random statements of one history, and what has to be known to compare its end: the former
//! names of columns.

use std::collections::BTreeMap;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A table of the history.
#[derive(Clone, Debug)]
pub struct Table {
    /// The name within the schema.
    pub name: &'static str,
    /// The columns of the primary key.
    pub key: &'static [&'static str],
    /// The columns beside the key that statements fill.
    columns: Vec<Column>,
    /// Former names by the name now.
    pub former: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
struct Column {
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Int,
    Text(usize),
    Decimal,
    Date,
}

/// A step of the history: statements of one connection, in one go.
#[derive(Clone, Debug)]
pub enum Step {
    /// Statements outside of, or with their own, transactions.
    Statements(Vec<String>),
    /// The same over a connection of its own, which goes away prepared.
    Prepare(Vec<String>),
}

/// Makes the steps of one history.
pub struct Workload {
    rng: ChaCha8Rng,
    schema: String,
    /// The tables as they are now.
    pub tables: Vec<Table>,
    next_column: u32,
    next_xa: u32,
    /// XA transactions are prepared.
    xa: bool,
    /// XA transactions that are prepared.
    prepared: Vec<String>,
}

fn columns(list: &[(&str, Kind)]) -> Vec<Column> {
    list.iter().map(|(name, kind)| Column { name: (*name).to_owned(), kind: *kind }).collect()
}

impl Workload {
    /// The tables of a new history.
    pub fn new(rng: ChaCha8Rng, schema: String, xa: bool) -> Workload {
        let table = |name, key, list: &[(&str, Kind)]| Table {
            name,
            key,
            columns: columns(list),
            former: BTreeMap::new(),
        };
        let tables = vec![
            table(
                "numbers",
                &["id"],
                &[("name", Kind::Text(30)), ("amount", Kind::Decimal), ("n", Kind::Int)],
            ),
            table("pairs", &["k", "n"], &[("v", Kind::Text(60)), ("d", Kind::Date)]),
            table("documents", &["id"], &[("body", Kind::Text(1500)), ("n", Kind::Int)]),
        ];
        Workload { rng, schema, tables, next_column: 0, next_xa: 0, xa, prepared: Vec::new() }
    }

    /// The statements that make the schema.
    pub fn create(&self) -> Vec<String> {
        let schema = &self.schema;
        vec![
            format!("DROP DATABASE IF EXISTS {schema}"),
            format!("CREATE DATABASE {schema} CHARACTER SET utf8mb4"),
            format!(
                "CREATE TABLE {schema}.numbers (id BIGINT NOT NULL, name VARCHAR(30), \
                 amount DECIMAL(10,2), n INT, PRIMARY KEY (id))"
            ),
            format!(
                "CREATE TABLE {schema}.pairs (k VARCHAR(20) NOT NULL, n INT UNSIGNED NOT NULL, \
                 v VARCHAR(60), d DATE, PRIMARY KEY (k, n))"
            ),
            format!(
                "CREATE TABLE {schema}.documents (id INT NOT NULL, body TEXT, n SMALLINT, \
                 PRIMARY KEY (id))"
            ),
        ]
    }

    /// Rows from before the full load.
    pub fn fill(&mut self) -> Vec<String> {
        let rows = self.rng.random_range(0..40);
        (0..rows).map(|_| self.insert()).collect()
    }

    /// The next step.
    pub fn step(&mut self) -> Step {
        match self.rng.random_range(0..100) {
            0..40 => Step::Statements(vec![self.change()]),
            40..60 => Step::Statements(self.transaction()),
            60..64 => Step::Statements(self.large_transaction()),
            64..68 => Step::Statements(vec!["FLUSH BINARY LOGS".to_owned()]),
            68..74 if self.xa => Step::Prepare(self.prepare()),
            68..82 => Step::Statements(self.decide()),
            82..97 => Step::Statements(vec![self.alter()]),
            97..99 => {
                let table = ["numbers", "pairs"][self.rng.random_range(0..2)];
                Step::Statements(vec![format!("TRUNCATE TABLE {}.{table}", self.schema)])
            }
            _ => Step::Statements(self.swap()),
        }
    }

    /// Decides every XA transaction that is still prepared.
    pub fn settle(&mut self) -> Vec<String> {
        std::mem::take(&mut self.prepared).into_iter().map(|xa| format!("XA COMMIT {xa}")).collect()
    }

    fn value(&mut self, kind: Kind) -> String {
        if self.rng.random_bool(0.1) {
            return "NULL".to_owned();
        }
        match kind {
            Kind::Int => self.rng.random_range(-30_000..30_000).to_string(),
            Kind::Text(longest) => {
                let length = self.rng.random_range(0..longest);
                let letters = ["a", "b", "ç", "ã", " ", "x", "7", "€"];
                let text = |rng: &mut ChaCha8Rng| letters[rng.random_range(0..letters.len())];
                let text: String = (0..length).map(|_| text(&mut self.rng)).collect();
                format!("'{text}'")
            }
            Kind::Decimal => format!("{}.{:02}", self.rng.random_range(-9999..9999), 7),
            Kind::Date => format!("'20{:02}-03-1{}'", self.rng.random_range(10..40), 5),
        }
    }

    /// The values of a random key: small numbers, so that keys meet again.
    fn key(&mut self, table: usize) -> Vec<String> {
        let number = self.rng.random_range(1..60);
        match table {
            1 => vec![format!("'k{}'", number % 7), (number / 7).to_string()],
            _ => vec![number.to_string()],
        }
    }

    fn condition(&mut self, table: usize) -> String {
        let values = self.key(table);
        let names = self.tables[table].key;
        let parts: Vec<String> =
            names.iter().zip(values).map(|(name, value)| format!("{name} = {value}")).collect();
        parts.join(" AND ")
    }

    fn insert(&mut self) -> String {
        let table = self.rng.random_range(0..3);
        let key = self.key(table);
        self.insert_key(table, key)
    }

    fn insert_key(&mut self, table: usize, mut values: Vec<String>) -> String {
        let columns = self.tables[table].columns.clone();
        let mut names: Vec<String> =
            self.tables[table].key.iter().map(|name| (*name).to_owned()).collect();
        for column in columns {
            values.push(self.value(column.kind));
            names.push(column.name);
        }
        let name = self.tables[table].name;
        let (names, values) = (names.join(", "), values.join(", "));
        format!("INSERT IGNORE INTO {}.{name} ({names}) VALUES ({values})", self.schema)
    }

    fn change(&mut self) -> String {
        let table = self.rng.random_range(0..3);
        let target = format!("{}.{}", self.schema, self.tables[table].name);
        match self.rng.random_range(0..10) {
            0..4 => self.insert(),
            4..7 => {
                let columns = &self.tables[table].columns;
                let Column { name, kind } =
                    columns[self.rng.random_range(0..columns.len())].clone();
                let (value, condition) = (self.value(kind), self.condition(table));
                format!("UPDATE {target} SET {name} = {value} WHERE {condition}")
            }
            7..8 => {
                let values = self.key(table);
                let names = self.tables[table].key.iter().zip(values);
                let sets: Vec<String> = names.map(|(n, v)| format!("{n} = {v}")).collect();
                let condition = self.condition(table);
                format!("UPDATE IGNORE {target} SET {} WHERE {condition}", sets.join(", "))
            }
            _ => format!("DELETE FROM {target} WHERE {}", self.condition(table)),
        }
    }

    fn transaction(&mut self) -> Vec<String> {
        let count = self.rng.random_range(2..12);
        let mut statements = vec!["BEGIN".to_owned()];
        for _ in 0..count {
            statements.push(self.change());
            if self.rng.random_bool(0.05) {
                statements.push("SAVEPOINT s".to_owned());
                statements.push(self.change());
                statements.push("ROLLBACK TO s".to_owned());
            }
        }
        let end = if self.rng.random_bool(0.85) { "COMMIT" } else { "ROLLBACK" };
        statements.push(end.to_owned());
        statements
    }

    /// Rows enough to leave memory and to fill several files.
    fn large_transaction(&mut self) -> Vec<String> {
        let first = self.rng.random_range(1000..2000);
        let mut statements = vec!["BEGIN".to_owned()];
        for id in first..first + 60 {
            let insert = self.insert_key(2, vec![id.to_string()]);
            statements.push(insert);
        }
        statements.push("COMMIT".to_owned());
        statements
    }

    /// An XA transaction on rows that nothing else touches, since they stay locked.
    fn prepare(&mut self) -> Vec<String> {
        self.next_xa += 1;
        let xa = format!("'{}','{}',1", self.schema, self.next_xa);
        let id = 1_000_000 + self.next_xa;
        let insert = self.insert_key(2, vec![id.to_string()]);
        self.prepared.push(xa.clone());
        vec![format!("XA START {xa}"), insert, format!("XA END {xa}"), format!("XA PREPARE {xa}")]
    }

    fn decide(&mut self) -> Vec<String> {
        if self.prepared.is_empty() {
            return vec![self.change()];
        }
        let place = self.rng.random_range(0..self.prepared.len());
        let xa = self.prepared.swap_remove(place);
        let verb = if self.rng.random_bool(0.7) { "COMMIT" } else { "ROLLBACK" };
        vec![format!("XA {verb} {xa}")]
    }

    /// A new shape for `numbers` or `pairs`.
    fn alter(&mut self) -> String {
        let index = self.rng.random_range(0..2_usize);
        let roll = self.rng.random_range(0..10);
        let first = self.rng.random_bool(0.5);
        self.next_column += 1;
        let fresh = format!("c{}", self.next_column);
        let table = &mut self.tables[index];
        let added = table.columns.iter().position(|c| c.name.starts_with('c'));
        let target = format!("ALTER TABLE {}.{}", self.schema, table.name);
        match (roll, added) {
            (0..4, _) | (_, None) => {
                table.columns.push(Column { name: fresh.clone(), kind: Kind::Int });
                let place = if first { "FIRST" } else { "" };
                format!("{target} ADD COLUMN {fresh} INT NULL {place}")
            }
            (4..6, Some(place)) => {
                let gone = table.columns.remove(place).name;
                table.former.remove(&gone);
                format!("{target} DROP COLUMN {gone}")
            }
            (6..8, Some(place)) => {
                let old = std::mem::replace(&mut table.columns[place].name, fresh.clone());
                let mut names = table.former.remove(&old).unwrap_or_default();
                names.insert(0, old.clone());
                table.former.insert(fresh.clone(), names);
                format!("{target} RENAME COLUMN {old} TO {fresh}")
            }
            // Wider, and in another place.
            (_, Some(place)) => {
                let name = table.columns[place].name.clone();
                let place = if first { "FIRST".to_owned() } else { String::new() };
                format!("{target} MODIFY COLUMN {name} BIGINT NULL {place}")
            }
        }
    }

    /// A copy takes the table's place, as tools for online schema changes do it.
    fn swap(&mut self) -> Vec<String> {
        let (schema, table) = (&self.schema, self.tables[self.rng.random_range(0..2)].name);
        vec![
            format!("CREATE TABLE {schema}.{table}_new LIKE {schema}.{table}"),
            format!("INSERT INTO {schema}.{table}_new SELECT * FROM {schema}.{table}"),
            format!(
                "RENAME TABLE {schema}.{table} TO {schema}.{table}_old, \
                 {schema}.{table}_new TO {schema}.{table}"
            ),
            format!("DROP TABLE {schema}.{table}_old"),
        ]
    }
}
