//! Gold models: one SQL file each, with a TOML header in its leading comment.

use std::time::Duration;

use crate::contract::Sensitivity;
use crate::name::{ColumnName, Layer, ModelName};
use crate::types::LakeType;

/// One column of a Gold table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelColumn {
    /// The name, as the query returns it.
    pub name: ColumnName,
    /// The type to which the query's result is cast.
    pub lake_type: LakeType,
    /// How much it tells about a person.
    pub sensitivity: Sensitivity,
    /// Why a column that is computed from personal columns tells nothing about a person; without
    /// such a reason it has to be personal itself.
    pub safe_because: Option<String>,
    /// What the column means.
    pub description: String,
    /// Whether NULL is allowed; a NULL elsewhere makes the build red.
    pub nullable: bool,
    /// The line of the header on which the column begins, from 1.
    pub line: usize,
}

impl ModelColumn {
    /// True when the column can be part of a key: Iceberg wants key columns required, and none of
    /// them a floating-point number.
    pub(crate) fn can_be_key(&self) -> bool {
        !self.nullable && !matches!(self.lake_type, LakeType::Float | LakeType::Double)
    }
}

/// How a model's table is brought up to date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Materialisation {
    /// The whole query is asked again.
    #[default]
    Full,
    /// Only rows whose key was touched since the last build are computed again. The result is that
    /// of a full build.
    Incremental {
        /// Columns of the grain, none of them nullable. All rows with one key are computed together.
        key: Vec<ColumnName>,
    },
}

/// How a Gold table's files are split.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Partitioning {
    /// Not at all.
    #[default]
    None,
    /// By the hash of a column (Iceberg's `bucket`), which is the first of the incremental key or of
    /// the grain.
    Bucket {
        /// The column.
        column: ColumnName,
        /// How many, at least 2.
        buckets: u32,
    },
}

/// What becomes of a build that fails a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckSeverity {
    /// The build is not published.
    #[default]
    Error,
    /// The build is published, and the failure is told.
    Warn,
}

/// What is checked before a build is published, beside the grain and columns that must not be NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCheck {
    /// The check's name in messages: given, or made of kind and columns; unique within the model.
    pub name: String,
    /// What it asks.
    pub kind: CheckKind,
    /// What its failure means.
    pub severity: CheckSeverity,
    /// The line of the header on which it begins, from 1.
    pub line: usize,
}

/// A question to the rows that are about to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckKind {
    /// No row has NULL in the column.
    NotNull {
        /// The column.
        column: ColumnName,
    },
    /// No two rows agree in all of the columns; rows with NULL in one of them are left out.
    Unique {
        /// The columns.
        columns: Vec<ColumnName>,
    },
    /// Every value is one of these, compared as text; NULL passes.
    AcceptedValues {
        /// The column.
        column: ColumnName,
        /// The values.
        values: Vec<String>,
    },
    /// Every value stands in the column of another table, as it was read for this build or, if it
    /// was not, as it is now; NULL passes.
    Relationship {
        /// The column.
        column: ColumnName,
        /// The other table's layer.
        to_layer: Layer,
        /// Its name in that layer.
        to_table: String,
        /// Its column.
        to_column: ColumnName,
    },
    /// The table has not grown or shrunk by more than a share of the published rows. The first build
    /// passes.
    RowCountChange {
        /// The largest loss in thousandths of the published rows, if there is a limit.
        max_drop_permille: Option<u32>,
        /// The largest gain in thousandths of the published rows, if there is a limit.
        max_growth_permille: Option<u32>,
    },
    /// The greatest time in a column is not older than this when the build runs.
    Freshness {
        /// A `timestamptz`, `timestamp` (taken as UTC) or `date` column.
        column: ColumnName,
        /// The greatest age.
        max_age: Duration,
    },
    /// A query that returns failing rows; the build stands in it as the table `this`, and every
    /// table that models can read under its own name.
    Sql {
        /// One SELECT.
        sql: String,
    },
}

/// A Gold model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldModel {
    /// The model's and its table's name; the file is `<name>.sql`.
    pub name: ModelName,
    /// What a row says.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// The columns that make a row unique; checked before publishing.
    pub grain: Vec<ColumnName>,
    /// The columns in order.
    pub columns: Vec<ModelColumn>,
    /// How the table is brought up to date.
    pub materialisation: Materialisation,
    /// How its files are split.
    pub partitioning: Partitioning,
    /// What is checked before publishing, in the order of the header.
    pub checks: Vec<ModelCheck>,
    /// The query. Silver tables are `silver.<schema>_<table>`, their history
    /// `silver.<schema>_<table>_history`, change feeds `bronze.<schema>_<table>`, rejected rows
    /// `quarantine.<schema>_<table>`, other models `gold.<model>`.
    pub sql: String,
    /// The file it was read from.
    pub file: String,
    /// The line on which the query begins, from 1.
    pub sql_line: usize,
}

impl GoldModel {
    /// The column of this name.
    pub fn column(&self, name: &ColumnName) -> Option<&ModelColumn> {
        self.columns.iter().find(|c| c.name == *name)
    }

    /// The key of the table, which is also the order of its rows: the incremental key or else the
    /// partition column, then the rest of the grain. Empty for a full, unpartitioned model with a
    /// column in its grain that no key can have (nullable, float, double); other models have no
    /// such column.
    pub fn key(&self) -> Vec<&ColumnName> {
        let fits = |name: &ColumnName| self.column(name).is_some_and(ModelColumn::can_be_key);
        if !self.grain.iter().all(fits) {
            return Vec::new();
        }
        let first = match (&self.materialisation, &self.partitioning) {
            (Materialisation::Incremental { key }, _) => key.as_slice(),
            (Materialisation::Full, Partitioning::Bucket { column, .. }) => {
                std::slice::from_ref(column)
            }
            (Materialisation::Full, Partitioning::None) => &[],
        };
        first.iter().chain(self.grain.iter().filter(|name| !first.contains(name))).collect()
    }
}
