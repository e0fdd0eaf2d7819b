//! Verification: what the lake holds against what MySQL says, by code that shares nothing with
//! the pipeline but the type names.

pub mod access;
pub mod bronze;
mod compare;
pub mod gold;
pub mod plausible;
pub mod quarantine;
pub mod silver;
mod text;

use std::fmt;

use chrono::{DateTime, Utc};

/// What checks have to know of the run that they verify.
#[derive(Clone, Copy, Debug)]
pub struct RunFacts {
    /// When it began, before anything was written to the source.
    pub began: DateTime<Utc>,
    /// Whether MySQL kept a journal of the changes.
    pub journal: bool,
}

/// One thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The check that found it: `silver`, `gold`, `access`, `bronze`, `repeat`.
    pub check: &'static str,
    /// The table or file.
    pub place: String,
    /// The row's key, when it is about a row.
    pub row: Option<String>,
    /// The column, when it is about one.
    pub column: Option<String>,
    /// What was expected and what was found; personal values are not shown.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.place)?;
        if let Some(row) = &self.row {
            write!(f, " row {row}")?;
        }
        if let Some(column) = &self.column {
            write!(f, " column `{column}`")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// What one check looked at and what it found.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Rows compared.
    pub rows: usize,
    /// Values compared.
    pub values: usize,
    /// What is not as it must be.
    pub differences: Vec<Difference>,
}

impl Verdict {
    /// Adds another check's result.
    pub fn add(&mut self, other: Verdict) {
        self.rows += other.rows;
        self.values += other.values;
        self.differences.extend(other.differences);
    }
}

/// Why a verification could not be done at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// MySQL did not answer the question.
    #[error("MySQL cannot be asked for `{what}`")]
    MySql {
        /// The table or model.
        what: String,
        /// Why.
        #[source]
        source: mysql_async::Error,
    },
    /// The lake cannot be read.
    #[error("the lake's table `{what}` cannot be read")]
    Lake {
        /// The table.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A table that must exist does not.
    #[error("the lake has no table `{0}`")]
    Missing(String),
    /// A fixture cannot be read.
    #[error("the fixture `{path}` cannot be read: {reason}")]
    Fixture {
        /// Its path.
        path: String,
        /// Why.
        reason: String,
    },
}

async fn read_table(
    warehouse: &medallion_tables::warehouse::Warehouse,
    ident: &medallion_tables::TableIdent,
) -> Result<Vec<arrow::array::RecordBatch>, VerifyError> {
    let what = ident.to_string();
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| VerifyError::Lake {
        what: what.clone(),
        source,
    };
    let table = warehouse.load(ident).await.map_err(|e| failed(Box::new(e)))?;
    let table = table.ok_or_else(|| VerifyError::Missing(what.clone()))?;
    table.read_all(None).await.map_err(|e| failed(Box::new(e)))
}
