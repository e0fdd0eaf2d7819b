//! What can go wrong in a governed session, in words that tell nothing about what is hidden.

use std::error::Error;
use std::sync::Arc;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use super::Limits;

/// Why a session could not be built. All need the operator.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The same table was given twice.
    #[error("`{table}` was given twice")]
    DuplicateTable {
        /// `<layer>.<name>`.
        table: String,
    },
    /// A row filter does not fit the columns that the table really has.
    #[error("a row filter of `{table}` cannot be evaluated: {reason}")]
    Filter {
        /// `<layer>.<name>`.
        table: String,
        /// What does not fit; names columns, never values.
        reason: String,
    },
    /// Two columns of a table differ in case only, which Glue cannot hold.
    #[error("`{table}` has more than one column `{column}`")]
    AmbiguousColumn {
        /// `<layer>.<name>`.
        table: String,
        /// The name in lower case.
        column: String,
    },
    /// The query engine refused to start. A bug.
    #[error("the query engine did not start")]
    Engine {
        /// Its words.
        source: DataFusionError,
    },
}

/// Why a query gave no result. [`std::fmt::Display`] is fit for the eyes of whoever asked; sources
/// may tell of paths and values and are for operators.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Something other than a question. The asker must change it.
    #[error(
        "`{statement}` is not allowed: only SELECT, EXPLAIN, DESCRIBE, SHOW TABLES, SHOW COLUMNS"
    )]
    NotAllowed {
        /// The statement's first word.
        statement: String,
    },
    /// No such table, or none that the asker may see; Athena's words for both.
    #[error("TABLE_NOT_FOUND: Table '{table}' does not exist")]
    TableNotFound {
        /// The name with catalogue and schema.
        table: String,
    },
    /// No such column, or none that the asker may see; Athena's words for both.
    #[error(
        "COLUMN_NOT_FOUND: Column '{column}' cannot be resolved or requester is not authorized to \
         access requested resources"
    )]
    ColumnNotFound {
        /// The name as written.
        column: String,
    },
    /// The SQL is wrong. The asker must change it.
    #[error("{message}")]
    Invalid {
        /// The planner's words; it knows only what the asker may see.
        message: String,
    },
    /// The result is larger than the session allows. The asker must change the query.
    #[error("the result is larger than {limit} bytes")]
    ResultTooLarge {
        /// [`Limits::result`].
        limit: usize,
    },
    /// The query needs more memory than the session allows. The asker or the operator must act.
    #[error("the query needs more than {limit} bytes of memory")]
    OutOfMemory {
        /// [`Limits::memory`].
        limit: usize,
    },
    /// A table could not be read. Worth a retry.
    #[error("`{table}` could not be read")]
    Scan {
        /// `<layer>.<name>`.
        table: String,
        /// What the table's provider said.
        source: Arc<DataFusionError>,
    },
    /// An expression of the query failed on visible data, as in a division by zero. The asker must
    /// change it.
    #[error("the query failed while it ran")]
    Failed {
        /// The engine's words; they may quote visible values.
        source: Arc<DataFusionError>,
    },
    /// The engine contradicts itself. A bug.
    #[error("the query engine failed")]
    Engine {
        /// The engine's words.
        source: Arc<DataFusionError>,
    },
}

impl QueryError {
    /// Sorts an error of the engine into ours.
    pub(super) fn of(error: &DataFusionError, limits: &Limits) -> QueryError {
        if let Some(ScanFailed { table, source }) = scan_failure(error) {
            return QueryError::Scan { table: table.clone(), source: Arc::clone(source) };
        }
        let root = error.find_root();
        let source = || Arc::new(DataFusionError::Execution(root.strip_backtrace()));
        match root {
            DataFusionError::SchemaError(schema_error, _) => match schema_error.as_ref() {
                SchemaError::FieldNotFound { field, .. } => {
                    QueryError::ColumnNotFound { column: field.flat_name() }
                }
                SchemaError::AmbiguousReference { .. }
                | SchemaError::DuplicateQualifiedField { .. }
                | SchemaError::DuplicateUnqualifiedField { .. } => {
                    QueryError::Invalid { message: root.strip_backtrace() }
                }
            },
            DataFusionError::Plan(_)
            | DataFusionError::SQL(..)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::Configuration(_) => {
                QueryError::Invalid { message: root.strip_backtrace() }
            }
            DataFusionError::ResourcesExhausted(_) => {
                QueryError::OutOfMemory { limit: limits.memory }
            }
            DataFusionError::ArrowError(..) | DataFusionError::Execution(_) => {
                QueryError::Failed { source: source() }
            }
            _ => QueryError::Engine { source: source() },
        }
    }
}

/// The mark that a governed table puts on every error from below it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{table}` could not be read")]
pub(super) struct ScanFailed {
    table: String,
    source: Arc<DataFusionError>,
}

impl ScanFailed {
    /// Wraps an error of a table's provider.
    pub(super) fn wrap(table: &str, source: DataFusionError) -> DataFusionError {
        let failed = ScanFailed { table: table.to_owned(), source: Arc::new(source) };
        DataFusionError::External(Box::new(failed))
    }
}

fn scan_failure(error: &DataFusionError) -> Option<&ScanFailed> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<ScanFailed>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
