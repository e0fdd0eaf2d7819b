//! What can go wrong in a job.

use medallion_definition::name::TableId;
use medallion_tables::commit::CommitError;
use medallion_tables::store::StoreError;
use medallion_tables::table::TableError;
use medallion_tables::warehouse::WarehouseError;

use crate::quality::QualityError;

/// Why a Silver or Gold job failed.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// A table could not be loaded or made.
    #[error("a table of the lake cannot be loaded")]
    Warehouse(#[source] Box<WarehouseError>),
    /// A table could not be read or written.
    #[error("a table of the lake cannot be read or written")]
    Table(#[source] Box<TableError>),
    /// An object could not be listed, read or written.
    #[error("an object of the lake cannot be used")]
    Store(#[source] Box<StoreError>),
    /// The commit failed.
    #[error("the commit to `{table}` failed")]
    Commit {
        /// The Glue table.
        table: String,
        /// Why.
        #[source]
        source: Box<CommitError>,
    },
    /// A Bronze file cannot be used as it is.
    #[error("the Bronze file `{key}` cannot be used: {reason}")]
    BronzeFile {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A Bronze file that was already applied has changed since.
    #[error("the Bronze file `{key}` was applied with another content")]
    Reloaded {
        /// The object's key.
        key: String,
    },
    /// The rows do not add up; nothing was committed.
    #[error("the rows of the batch for `{table}` do not add up: {balance}")]
    Balance {
        /// The source table.
        table: String,
        /// The counters.
        balance: String,
    },
    /// The contract's rules cannot be compiled.
    #[error("the quality rules of `{table}` cannot be compiled")]
    Quality {
        /// The source table.
        table: String,
        /// Why.
        #[source]
        source: Box<QualityError>,
    },
    /// A model reads a table that does not exist.
    #[error(
        "{place}: the model `{model}` reads `{input}`, which is no table that models can read\n    \
         hint: known are {}", known.join(", ")
    )]
    UnknownInput {
        /// The model.
        model: String,
        /// File and first line of the query.
        place: String,
        /// The tables that models can read.
        known: Vec<String>,
        /// The table as the query names it.
        input: String,
    },
    /// Models that read each other.
    #[error("the models {models} read each other in a circle")]
    Circle {
        /// Their names.
        models: String,
    },
    /// A table in the lake is not as the definition describes it; nothing was read or written.
    #[error("the table `{table}` is not as it is defined: {}", differences.join("; "))]
    SchemaDiffers {
        /// The Glue table.
        table: String,
        /// What differs.
        differences: Vec<String>,
    },
    /// The query of a model failed on some row. The reason is left out, since it may quote the row.
    #[error(
        "the query of the model `{model}` (from {place}) failed on some row\n    \
         hint: guard casts and divisions with CASE; `medallion query` tells more"
    )]
    Evaluation {
        /// The model.
        model: String,
        /// File and first line of the query.
        place: String,
        /// The table could not be read at all: worth a retry.
        retryable: bool,
    },
    /// The query of a model does not plan.
    #[error("the query of the model `{model}` (from {place}) does not plan")]
    Query {
        /// The model.
        model: String,
        /// File and first line of the query.
        place: String,
        /// DataFusion's reason.
        #[source]
        source: Box<datafusion::error::DataFusionError>,
    },
    /// The result of a model does not keep what its header promises; nothing was published.
    #[error("the model `{model}` was not published: {reason}")]
    Check {
        /// The model.
        model: String,
        /// Which promise is broken.
        reason: String,
    },
    /// Arrow refused an operation that the types should allow.
    #[error("an Arrow operation failed")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A batch record in the lake cannot be read.
    #[error("the batch record `{key}` cannot be read: {reason}")]
    BatchRecord {
        /// The object's key.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

/// What a caller should do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Run again; nothing was lost.
    Retry,
    /// Somebody has to decide or repair something first.
    Operator,
    /// A defect of this program.
    Bug,
}

impl From<WarehouseError> for TransformError {
    fn from(source: WarehouseError) -> TransformError {
        TransformError::Warehouse(Box::new(source))
    }
}

impl From<TableError> for TransformError {
    fn from(source: TableError) -> TransformError {
        TransformError::Table(Box::new(source))
    }
}

impl From<StoreError> for TransformError {
    fn from(source: StoreError) -> TransformError {
        TransformError::Store(Box::new(source))
    }
}

impl TransformError {
    pub(crate) fn commit(table: impl ToString, source: CommitError) -> TransformError {
        TransformError::Commit { table: table.to_string(), source: Box::new(source) }
    }

    /// The contract's rules do not compile or cannot be evaluated.
    pub fn quality(table: &TableId, source: QualityError) -> TransformError {
        TransformError::Quality { table: table.to_string(), source: Box::new(source) }
    }

    /// What the caller should do.
    pub fn advice(&self) -> Advice {
        let retry_or_operator = |retry: bool| if retry { Advice::Retry } else { Advice::Operator };
        match self {
            TransformError::Warehouse(source) => {
                retry_or_operator(source.is_retryable() || unavailable(source.as_ref()))
            }
            TransformError::Table(source) => {
                retry_or_operator(source.is_retryable() || unavailable(source.as_ref()))
            }
            TransformError::Store(source) => retry_or_operator(source.is_retryable()),
            TransformError::Commit { source, .. } => {
                retry_or_operator(source.is_retryable() || unavailable(source.as_ref()))
            }
            TransformError::Evaluation { retryable, .. } => retry_or_operator(*retryable),
            TransformError::BronzeFile { .. }
            | TransformError::Reloaded { .. }
            | TransformError::Quality { .. }
            | TransformError::UnknownInput { .. }
            | TransformError::SchemaDiffers { .. }
            | TransformError::Circle { .. }
            | TransformError::Query { .. }
            | TransformError::Check { .. }
            | TransformError::BatchRecord { .. } => Advice::Operator,
            TransformError::Balance { .. } | TransformError::Arrow(_) => Advice::Bug,
        }
    }
}

/// True when somewhere below the error S3 could not serve a request for the time being. Iceberg
/// and Parquet wrap our storage's errors and lose their class on the way.
pub(crate) fn unavailable(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |e| e.source())
        .any(|e| e.downcast_ref::<StoreError>().is_some_and(StoreError::is_retryable))
}
