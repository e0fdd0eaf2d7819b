//! The contract as text.

use std::fmt::{self, Write as _};

use medallion_definition::name::{ColumnName, TableId};
use medallion_definition::types::MySqlType;
use medallion_replicator::inspection::table::{SourceColumn, SourceTable};

use super::guess::{Guess, guess};

/// A proposed contract.
#[derive(Debug)]
pub(super) struct Draft {
    /// The file's content.
    pub(super) text: String,
    /// What whoever ran the command should know.
    pub(super) remarks: Vec<String>,
}

/// Why a table cannot have a contract (operator).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no plain table.
    Kind(String),
    /// It has no primary key.
    NoKey,
    /// A key column never arrives.
    KeyLeftOut {
        /// The column.
        column: String,
        /// Why.
        because: String,
    },
    /// A key column looks personal.
    PersonalKey {
        /// The column.
        column: String,
        /// From what that was guessed.
        because: String,
    },
    /// A column of the command line that the table does not have.
    NoSuchColumn(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Kind(kind) => {
                write!(f, "it is a {kind}, and only plain tables are replicated")
            }
            Refusal::NoKey => f.write_str(
                "it has no primary key, and Silver holds one row per key\n    \
                 hint: add one at the source, for instance a number of its own: \
                 `id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY`",
            ),
            Refusal::KeyLeftOut { column, because } => write!(
                f,
                "its key column `{column}` cannot arrive: {because}\n    \
                 hint: give the table a key of plain columns"
            ),
            Refusal::PersonalKey { column, because } => write!(
                f,
                "its key column `{column}` looks personal ({because}), and keys stand in bounds, \
                 batch records and messages\n    hint: give the table a number of its own as key \
                 at the source; if the column is not personal, say --not-personal {column}"
            ),
            Refusal::NoSuchColumn(column) => {
                write!(f, "--not-personal {column}: the table has no such column")
            }
        }
    }
}

/// A column that the contract names.
struct Proposed<'a> {
    column: &'a SourceColumn,
    source_type: MySqlType,
    is_key: bool,
    guess: Guess,
    /// True when the command line opens it.
    opened: bool,
}

impl Draft {
    /// Proposes a contract, or tells all reasons why there can be none.
    pub(super) fn new(
        table: &TableId,
        source: &SourceTable,
        not_personal: &[String],
    ) -> Result<Draft, Vec<Refusal>> {
        let unknown = not_personal.iter().filter(|name| source.column(name).is_none());
        let mut refusals: Vec<Refusal> = unknown.cloned().map(Refusal::NoSuchColumn).collect();
        if source.kind != "BASE TABLE" {
            refusals.push(Refusal::Kind(source.kind.clone()));
        } else if source.key.is_empty() {
            refusals.push(Refusal::NoKey);
        }
        let (mut body, mut remarks) = (String::new(), Vec::new());
        for column in &source.columns {
            let is_key = source.key.contains(&column.name);
            match propose(column, is_key, not_personal) {
                Ok(proposed) if is_key && proposed.guess.personal && !proposed.opened => {
                    refusals.push(Refusal::PersonalKey {
                        column: column.name.clone(),
                        because: proposed.guess.because,
                    });
                }
                Ok(proposed) => proposed.write(&mut body),
                Err(because) if is_key => {
                    refusals.push(Refusal::KeyLeftOut { column: column.name.clone(), because });
                }
                Err(because) => {
                    let name = quoted(&column.name);
                    let _ = writeln!(body, "\n# The column {name} is left out: {because}.");
                    remarks.push(format!("left out: column {name}: {because}"));
                }
            }
        }
        if refusals.is_empty() {
            Ok(Draft { text: head(table, source) + &body, remarks })
        } else {
            Err(refusals)
        }
    }
}

/// What the contract says about a column, or why it cannot name it.
fn propose<'a>(
    column: &'a SourceColumn,
    is_key: bool,
    not_personal: &[String],
) -> Result<Proposed<'a>, String> {
    match column.left_out() {
        Some("generated") => {
            return Err("it is generated, and DMS does not capture generated columns".to_owned());
        }
        Some(why) => return Err(format!("it is {why}, and DMS does not migrate such columns")),
        None => {}
    }
    column.name.parse::<ColumnName>().map_err(|error| {
        format!(
            "{}; Silver waits when it arrives, so rename or hide it at the source",
            error.reason
        )
    })?;
    let source_type: MySqlType = column.column_type.parse().map_err(|_| {
        let shown = quoted(&column.column_type);
        format!(
            "no lake type holds {shown}; Silver waits when it arrives, so hide it at the source"
        )
    })?;
    let guess = guess(&column.name, &source_type);
    let opened = guess.personal && not_personal.contains(&column.name);
    Ok(Proposed { column, source_type, is_key, guess, opened })
}

/// One bucket for about so many rows.
const ROWS_PER_BUCKET: u64 = 1_000_000;
/// More small files than this cost more than they save.
const MOST_BUCKETS: u64 = 64;

fn head(table: &TableId, source: &SourceTable) -> String {
    let mut out = format!("version = 1\ntable = \"{table}\"\n");
    let rows = source.estimated_rows;
    let buckets = (rows / ROWS_PER_BUCKET).max(1).next_power_of_two().min(MOST_BUCKETS);
    let key: Vec<String> = source.key.iter().map(|name| quoted(name)).collect();
    let _ = if source.comment.is_empty() {
        let text = quoted(&format!("Rows of {table}"));
        writeln!(out, "description = {text} # guess: the table has no comment; say what a row is")
    } else {
        writeln!(out, "description = {}", quoted(&source.comment))
    };
    let _ = writeln!(out, "key = [{}]", key.join(", "));
    let _ = writeln!(out, "buckets = {buckets} # guess: from about {rows} rows");
    let _ = writeln!(out, "engine = \"native\"");
    let large = |column: &&SourceColumn| {
        column.left_out().is_none() && is_large(column.column_type.parse().ok().as_ref())
    };
    if source.columns.iter().any(|column| large(&column)) {
        out.push_str(
            "\n# The table has large columns. DMS cuts values above a size that is promised here;\n\
             # `medallion doctor` measures them.\n# [load]\n# lob_max_kb = 256\n",
        );
    }
    out
}

/// True for what DMS moves as LOB.
fn is_large(source: Option<&MySqlType>) -> bool {
    source.is_some_and(|source| medallion_ingestion::dms::lob::declared_kb(source).is_some())
}

impl Proposed<'_> {
    fn write(&self, out: &mut String) {
        let Proposed { column, guess, .. } = self;
        let _ = writeln!(out, "\n[[column]]\nname = {}", quoted(&column.name));
        let _ = writeln!(out, "type = {}", quoted(&self.type_text()));
        let _ = writeln!(out, "nullable = {}", column.nullable);
        let (value, why) = match (guess.personal, self.opened) {
            (true, true) => ("internal", format!("--not-personal, although {}", guess.because)),
            (true, false) => ("personal", format!("guess: {}", guess.because)),
            (false, _) => ("internal", format!("guess: {}", guess.because)),
        };
        let _ = writeln!(out, "sensitivity = \"{value}\" # {why}");
        self.write_rules(out);
        if !column.comment.is_empty() {
            let _ = writeln!(out, "description = {}", quoted(&column.comment));
        }
    }

    fn write_rules(&self, out: &mut String) {
        let Guess { normalisers, checks, because, .. } = &self.guess;
        if self.is_key {
            // Changes find their row by the key as MySQL has it.
            return;
        }
        let list = |names: &[&str]| {
            names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
        };
        if !normalisers.is_empty() {
            let _ = writeln!(out, "normalise = [{}] # guess: {because}", list(normalisers));
        }
        let mut checks = checks.clone();
        let mut why = because.clone();
        if !self.column.nullable && normalisers.contains(&"null_if_empty") {
            checks.insert(0, "not_null");
            why += "; NOT NULL at the source";
        }
        if !checks.is_empty() {
            let _ = writeln!(out, "check = [{}] # guess: {why}", list(&checks));
        }
    }

    /// The type without display widths, except the one that MySQL's BOOLEAN has.
    fn type_text(&self) -> String {
        let given = &self.column.column_type;
        if given == "tinyint(1)" { given.clone() } else { self.source_type.to_string() }
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
