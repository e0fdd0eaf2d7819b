//! The contract of one source table: what comes in, what Silver keeps of it, and by which rules.

use std::fmt;

use crate::name::{ColumnName, RuleName, TableId};
use crate::types::{LakeType, MySqlType};

/// How much a column tells about a person. Ordered: `personal` is the most sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sensitivity {
    /// Anybody may see it.
    Public,
    /// For the company.
    Internal,
    /// Identifies or describes a person (CPF, e-mail, phone): LGPD applies.
    Personal,
}

impl Sensitivity {
    /// All values, from the least to the most sensitive.
    pub const ALL: [Sensitivity; 3] =
        [Sensitivity::Public, Sensitivity::Internal, Sensitivity::Personal];

    /// The name in definitions and in LF-Tags.
    pub fn as_str(self) -> &'static str {
        match self {
            Sensitivity::Public => "public",
            Sensitivity::Internal => "internal",
            Sensitivity::Personal => "personal",
        }
    }
}

/// A change to a text value on its way to Silver. Applied in the order of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Normaliser {
    /// Removes white space at both ends.
    Trim,
    /// Turns each run of white space into one space.
    CollapseWhitespace,
    /// Unicode normalisation form C.
    Nfc,
    /// Lower case.
    Lower,
    /// Upper case.
    Upper,
    /// Keeps ASCII digits only.
    Digits,
    /// The empty text becomes NULL.
    NullIfEmpty,
    /// This text becomes NULL.
    NullIf(String),
    /// A Brazilian telephone number in E.164 (`+5511987654321`); what cannot be one is kept as it is.
    PhoneBr,
    /// Trims, and lower-cases; the form in which e-mail addresses are compared.
    Email,
}

/// A condition that a value must meet. NULL meets every check but `not_null`.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// The value is there.
    NotNull,
    /// Eleven digits whose last two are the CPF check digits; not all the same digit.
    Cpf,
    /// Fourteen characters with CNPJ check digits; letters allowed in the first twelve (from July 2026).
    Cnpj,
    /// One `@`, a domain with a dot, no white space.
    Email,
    /// E.164 with country code 55, two-digit area code, eight or nine digits.
    PhoneBr,
    /// Eight digits of a Brazilian postal code.
    Cep,
    /// One of the 27 federation units.
    Uf,
    /// The whole value matches this expression (syntax of the `regex` crate).
    Regex(String),
    /// A number within these bounds, both inclusive.
    Range {
        /// Lower bound.
        min: Option<f64>,
        /// Upper bound.
        max: Option<f64>,
    },
    /// One of these texts.
    AcceptedValues(Vec<String>),
    /// A date or time not after the batch's own time.
    NotFuture,
}

impl Check {
    /// The rule id that a quarantined row carries: `<column>:<check>`.
    pub fn name(&self) -> &'static str {
        match self {
            Check::NotNull => "not_null",
            Check::Cpf => "cpf",
            Check::Cnpj => "cnpj",
            Check::Email => "email",
            Check::PhoneBr => "phone_br",
            Check::Cep => "cep",
            Check::Uf => "uf",
            Check::Regex(_) => "regex",
            Check::Range { .. } => "range",
            Check::AcceptedValues(_) => "accepted_values",
            Check::NotFuture => "not_future",
        }
    }
}

/// What happens to a row that fails a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnFail {
    /// The row goes to quarantine; Silver keeps the last valid state of its key.
    Quarantine,
    /// The named column becomes NULL.
    NullField(ColumnName),
    /// The row passes and the failure is counted.
    Warn,
}

/// A condition over a whole row, as a portable SQL expression on normalised columns.
/// A row fails when the expression is FALSE; NULL passes, as in an SQL CHECK constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRule {
    /// The rule's id.
    pub name: RuleName,
    /// The expression.
    pub sql: String,
    /// What to do when it is false.
    pub on_fail: OnFail,
}

/// One column of a source table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name, the same in MySQL, Bronze and Silver.
    pub name: ColumnName,
    /// The type at the source.
    pub source_type: MySqlType,
    /// Whether MySQL allows NULL.
    pub nullable: bool,
    /// How much it tells about a person.
    pub sensitivity: Sensitivity,
    /// What the column means.
    pub description: String,
    /// Applied first, in this order.
    pub normalisers: Vec<Normaliser>,
    /// Applied to the normalised value; a failure quarantines the row.
    pub checks: Vec<Check>,
    /// The source has the column only since some time: files may lack it, and it is NULL there.
    pub added: bool,
    /// Names that the column had before: files and the Silver table may still have one of them.
    pub renamed_from: Vec<ColumnName>,
}

impl Column {
    /// The Silver type.
    pub fn lake_type(&self) -> LakeType {
        self.source_type.lake_type()
    }

    /// The names under which Bronze files may have the column: its own, then the earlier ones.
    pub fn names(&self) -> impl Iterator<Item = &ColumnName> {
        std::iter::once(&self.name).chain(&self.renamed_from)
    }
}

/// Which engine merges the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// This binary.
    Native,
    /// Spark on Glue.
    Spark,
    /// By the size of the batch.
    Auto,
}

/// One value of a boundary between key ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeValue {
    /// Of an integer, DECIMAL or YEAR column.
    Integer(i128),
    /// Of a text column, or a date or time as MySQL writes it.
    Text(String),
}

impl fmt::Display for RangeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RangeValue::Integer(number) => write!(f, "{number}"),
            RangeValue::Text(text) => f.write_str(text),
        }
    }
}

/// Key ranges in which a full load reads a table in parallel. `n` boundaries make `n + 1` ranges:
/// each range ends just before its boundary, the last one is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadRanges {
    /// The columns that are compared, the most significant first; never empty, never nullable.
    pub columns: Vec<ColumnName>,
    /// Ascending; each has one value per column.
    pub boundaries: Vec<Vec<RangeValue>>,
}

/// How the full load reads a table, and how much of a large value any load carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Key ranges; without them the table is read in one piece.
    pub ranges: Option<LoadRanges>,
    /// The size in KiB that no LOB value of the table (JSON, MEDIUMTEXT, LONGTEXT, MEDIUMBLOB,
    /// LONGBLOB) exceeds. DMS cuts longer values, so this is a promise of the source's owner.
    pub lob_max_kb: Option<u32>,
}

/// The contract of one source table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableContract {
    /// The source table.
    pub table: TableId,
    /// What the table holds.
    pub description: String,
    /// The primary key, in the order of the source; never empty.
    pub key: Vec<ColumnName>,
    /// The columns in source order.
    pub columns: Vec<Column>,
    /// Rules over whole rows.
    pub row_rules: Vec<RowRule>,
    /// Hash buckets of the key; 1 means that the Silver table is not partitioned.
    pub buckets: u32,
    /// The engine.
    pub engine: Engine,
    /// How the table is loaded.
    pub load: LoadOptions,
    /// Names of columns that the source does not have any more: files may have them and they are
    /// not read; the Silver table loses them.
    pub dropped: Vec<ColumnName>,
    /// Whether the lake has `silver.<table>_history`, with every state that a row ever had.
    pub history: bool,
    /// The file it was read from, for messages.
    pub file: String,
}

impl TableContract {
    /// The column of this name.
    pub fn column(&self, name: &ColumnName) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == *name)
    }

    /// True when the column belongs to the key.
    pub fn is_key(&self, name: &ColumnName) -> bool {
        self.key.contains(name)
    }
}
