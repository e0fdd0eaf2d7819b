//! A Silver table beside the source: the reader of the full load feeds the verification.

use medallion_definition::name::TableId;
use medallion_replicator::load::LoadError;
use medallion_replicator::load::table_read::read_table;
use medallion_replicator::server::{DatabaseError, Source};
use medallion_transforms::error::Advice;
use medallion_transforms::verify::{SourcePosition, Verification, VerifyError, VerifyJob};
use tokio::sync::mpsc;

use crate::exit;

/// Bytes of source rows in memory that are handed over at a time.
const PART_BYTES: usize = 8 << 20;
/// Parts that wait to be taken over.
const WAITING: usize = 1;

/// Why a table could not be verified, or what the verification came to.
#[derive(Debug, thiserror::Error)]
pub enum ComparisonError {
    /// The lake cannot be compared.
    #[error("the table cannot be verified")]
    Verify(#[from] VerifyError),
    /// The URL of the source is none (operator).
    #[error("the source cannot be read")]
    Source(#[from] DatabaseError),
    /// The source cannot be read.
    #[error("the source cannot be read")]
    Load(#[source] Box<LoadError>),
    /// Everything was compared, and something differs.
    #[error("`{table}` differs in {differences} {}", if *differences == 1 { "key" } else { "keys" })]
    Differs {
        /// The source table.
        table: TableId,
        /// How many keys.
        differences: u64,
    },
}

impl ComparisonError {
    /// The exit code of [`exit`].
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            ComparisonError::Differs { .. } => exit::FINDINGS,
            ComparisonError::Verify(error) => match error.advice() {
                Advice::Retry => exit::RETRYABLE,
                Advice::Operator => exit::OPERATOR,
                Advice::Bug => exit::BUG,
            },
            ComparisonError::Source(error) => database(error),
            ComparisonError::Load(error) => match error.as_ref() {
                LoadError::Database(error) => database(error),
                LoadError::NoTable { .. } | LoadError::Shape { .. } | LoadError::Value { .. } => {
                    exit::OPERATOR
                }
                LoadError::File { .. } | LoadError::Sink(_) | LoadError::Checkpoint(_) => exit::BUG,
            },
        }
    }
}

fn database(error: &DatabaseError) -> u8 {
    match error {
        DatabaseError::Lost { .. } | DatabaseError::Busy { .. } => exit::RETRYABLE,
        DatabaseError::Url
        | DatabaseError::Unreachable { .. }
        | DatabaseError::Denied { .. }
        | DatabaseError::Refused { .. } => exit::OPERATOR,
        DatabaseError::Answer { .. } => exit::BUG,
    }
}

/// Compares a Silver table with the rows of the source, read through one consistent snapshot that
/// is younger than that of Silver.
///
/// # Errors
/// What cannot be read or compared.
pub async fn against_source(
    job: &VerifyJob<'_>,
    source: &Source,
) -> Result<Verification, ComparisonError> {
    let mut comparison = job.against_source().await?;
    let (sender, mut parts) = mpsc::channel(WAITING);
    // Each half ends when the other one does, since it takes its end of the channel with it.
    let read = async move { read_table(source, &job.contract.table, PART_BYTES, &sender).await };
    let into = &mut comparison;
    let take = async move {
        while let Some(part) = parts.recv().await {
            into.add(part)?;
        }
        Ok::<(), VerifyError>(())
    };
    let (moment, taken) = tokio::join!(read, take);
    taken?;
    let moment = moment.map_err(|error| ComparisonError::Load(Box::new(error)))?;
    let position = SourcePosition {
        address: source.address().to_owned(),
        at: moment.at,
        binlog: moment.binlog.map(|end| end.to_string()),
    };
    Ok(comparison.finish(position).await?)
}
