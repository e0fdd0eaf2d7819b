//! What can go wrong in a job.

use medallion_definition::name::TableId;
use medallion_tables::commit::CommitError;
use medallion_tables::maintenance::MaintenanceError;
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
    /// A table could not be maintained. Its rows are untouched.
    #[error("a table of the lake cannot be maintained")]
    Maintenance(#[source] Box<MaintenanceError>),
    /// A Bronze file cannot be used as it is.
    #[error("the Bronze file `{key}` cannot be used: {reason}")]
    BronzeFile {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A check or row rule of the contract panicked on a row of a Bronze file.
    #[error(
        "a check or row rule of the contract breaks on a row of the Bronze file `{key}`\n    \
         hint: functions of SQL may break on values at the end of their types, as `date_trunc` \
         does beyond the year 2261; guard the row rule with CASE"
    )]
    RulesBroke {
        /// The object's key.
        key: String,
    },
    /// Bronze was copied before the table was first written, and arrival does not tell which
    /// change files follow the full load.
    #[error(
        "the Bronze file `{key}` came before the full load, but was written long before it came: \
         Bronze was copied, so that times of arrival do not tell which changes follow the load\n    \
         hint: `medallion silver --load-began <time>` says when the full load began; change files \
         whose names are older belong to an earlier one"
    )]
    LoadUnclear {
        /// The object's key.
        key: String,
    },
    /// A Bronze file that was already applied has changed since.
    #[error(
        "the Bronze file `{key}` was applied with another content\n    \
         hint: put the file back as it was, or compute the table anew from what Bronze has now \
         with `medallion reprocess --from start`"
    )]
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
    /// The query of a model uses something whose source columns are not known.
    #[error(
        "the lineage of the model `{model}` (from {place}) cannot be told, since its query uses \
         {part}"
    )]
    Lineage {
        /// The model.
        model: String,
        /// File and first line of the query.
        place: String,
        /// What the query uses.
        part: String,
    },
    /// The result of a model does not keep what its header promises; nothing was published.
    #[error("the model `{model}` was not published: {reason}")]
    Check {
        /// The model.
        model: String,
        /// Which promise is broken.
        reason: String,
    },
    /// A check of a model could not be answered.
    #[error("the check `{check}` of the model `{model}` cannot be answered: {reason}")]
    CheckFailed {
        /// The model.
        model: String,
        /// The check.
        check: String,
        /// What is wrong with it, without values.
        reason: String,
        /// A table could not be read for the time being: worth a retry.
        retryable: bool,
    },
    /// A model's query needs more memory than it may take, with everything on disk that can be.
    #[error(
        "the query of the model `{model}` needs more than {} MiB of memory\n    \
         hint: `--memory` is what it may take", bytes / (1024 * 1024)
    )]
    OutOfMemory {
        /// The model.
        model: String,
        /// What it may take.
        bytes: u64,
    },
    /// Local disk could not hold the events that memory has no room for.
    #[error(
        "the events of a batch cannot be spilled to local disk\n    \
         hint: `TMPDIR` names the folder; `--memory` is what may be held without it"
    )]
    Spill {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A part of the work was lost: it panicked.
    #[error("a part of the work on a batch was lost")]
    Task {
        /// What became of it.
        #[source]
        source: tokio::task::JoinError,
    },
    /// Arrow refused an operation that the types should allow.
    #[error("an Arrow operation failed")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A table cannot be rebuilt from a point, since nothing is left of it.
    #[error(
        "`{table}` cannot be reprocessed from `{point}`: {reason}\n    \
         hint: the oldest point is `{oldest}`; `--from start` rebuilds everything"
    )]
    PointUnreachable {
        /// The source table.
        table: String,
        /// The point.
        point: String,
        /// What is in the way.
        reason: &'static str,
        /// The oldest point that is left.
        oldest: String,
    },
    /// A table to be rebuilt was never written.
    #[error("`{table}` was never written\n    hint: `medallion silver` writes it")]
    NothingApplied {
        /// The source table.
        table: String,
    },
    /// A table to be rebuilt is about to be replaced anyway.
    #[error(
        "`{table}` is not reprocessed, since a new full load is there: {sign}\n    \
         hint: `medallion silver` replaces the table by it, by the rules as they are now"
    )]
    NewLoad {
        /// The source table.
        table: String,
        /// What shows that the table was loaded anew.
        sign: String,
    },
    /// Bronze no longer holds what a table was made from: a rebuild would lose rows.
    #[error(
        "`{table}` cannot be reprocessed from `{point}`: Bronze no longer holds {lost}\n    \
         hint: put it back, or reprocess from a later point"
    )]
    BronzeGone {
        /// The source table.
        table: String,
        /// The point.
        point: String,
        /// Which file.
        lost: String,
    },
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

impl From<MaintenanceError> for TransformError {
    fn from(source: MaintenanceError) -> TransformError {
        TransformError::Maintenance(Box::new(source))
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
            TransformError::Maintenance(source) => {
                retry_or_operator(source.is_retryable() || unavailable(source.as_ref()))
            }
            TransformError::Commit { source, .. } => {
                retry_or_operator(source.is_retryable() || unavailable(source.as_ref()))
            }
            TransformError::Evaluation { retryable, .. }
            | TransformError::CheckFailed { retryable, .. } => retry_or_operator(*retryable),
            TransformError::BronzeFile { .. }
            | TransformError::RulesBroke { .. }
            | TransformError::LoadUnclear { .. }
            | TransformError::Reloaded { .. }
            | TransformError::Quality { .. }
            | TransformError::UnknownInput { .. }
            | TransformError::SchemaDiffers { .. }
            | TransformError::Circle { .. }
            | TransformError::OutOfMemory { .. }
            | TransformError::Query { .. }
            | TransformError::Lineage { .. }
            | TransformError::Check { .. }
            | TransformError::BatchRecord { .. }
            | TransformError::PointUnreachable { .. }
            | TransformError::NothingApplied { .. }
            | TransformError::NewLoad { .. }
            | TransformError::BronzeGone { .. }
            | TransformError::Spill { .. } => Advice::Operator,
            TransformError::Balance { .. }
            | TransformError::Arrow(_)
            | TransformError::Task { .. } => Advice::Bug,
        }
    }
}

/// True when somewhere below the error S3 could not serve a request for the time being. Iceberg
/// and Parquet wrap our storage's errors and lose their class on the way.
pub fn unavailable(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |e| e.source())
        .any(|e| e.downcast_ref::<StoreError>().is_some_and(StoreError::is_retryable))
}
