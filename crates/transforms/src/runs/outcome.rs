//! How a run ended.

use std::error::Error;
use std::iter::successors;

use medallion_tables::catalog::CatalogError;
use medallion_tables::commit::CommitError;
use medallion_tables::maintenance::MaintenanceError;
use medallion_tables::schema::SpecError;
use medallion_tables::store::StoreError;
use medallion_tables::table::TableError;
use medallion_tables::warehouse::WarehouseError;
use serde::{Deserialize, Serialize};

use crate::error::{Advice, TransformError};
use crate::quality::QualityError;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Rows were merged.
    Committed,
    /// A table was replaced or brought up to date, after its checks.
    Published,
    /// There was nothing to do.
    UpToDate,
    /// Something that the job needs is not there yet; nothing was written.
    Waiting {
        /// What.
        waiting_for: Vec<String>,
    },
    /// A check failed: what was built is not published.
    Red {
        /// Which promise is broken.
        reason: String,
    },
    /// An error ended the run.
    Failed {
        /// It.
        error: RunError,
    },
}

/// The error that ended a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// What to do about it.
    pub class: ErrorClass,
    /// What went wrong, without a value from any row.
    pub message: String,
}

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Run again; nothing was lost.
    Retry,
    /// Somebody has to decide or repair something first.
    Operator,
    /// A defect of the program.
    Bug,
}

impl ErrorClass {
    /// The name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Retry => "retry",
            ErrorClass::Operator => "operator",
            ErrorClass::Bug => "bug",
        }
    }
}

impl From<Advice> for ErrorClass {
    fn from(advice: Advice) -> ErrorClass {
        match advice {
            Advice::Retry => ErrorClass::Retry,
            Advice::Operator => ErrorClass::Operator,
            Advice::Bug => ErrorClass::Bug,
        }
    }
}

impl From<&TransformError> for Outcome {
    fn from(error: &TransformError) -> Outcome {
        match error {
            TransformError::Check { reason, .. } => Outcome::Red { reason: reason.clone() },
            error => {
                let class = error.advice().into();
                Outcome::Failed { error: RunError { class, message: message(error) } }
            }
        }
    }
}

impl Outcome {
    /// The name in records.
    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Committed => "committed",
            Outcome::Published => "published",
            Outcome::UpToDate => "up_to_date",
            Outcome::Waiting { .. } => "waiting",
            Outcome::Red { .. } => "red",
            Outcome::Failed { .. } => "failed",
        }
    }

    /// True when the table got a new snapshot, or has all it should have.
    pub fn is_success(&self) -> bool {
        match self {
            Outcome::Committed
            | Outcome::Published
            | Outcome::UpToDate
            | Outcome::Waiting { .. } => true,
            Outcome::Red { .. } | Outcome::Failed { .. } => false,
        }
    }

    /// The message of a run that did not succeed.
    pub fn message(&self) -> Option<&str> {
        match self {
            Outcome::Red { reason } => Some(reason),
            Outcome::Failed { error } => Some(&error.message),
            Outcome::Committed
            | Outcome::Published
            | Outcome::UpToDate
            | Outcome::Waiting { .. } => None,
        }
    }
}

/// The message of an error and those of its causes, as far as they are errors of this program:
/// Arrow, Parquet and DataFusion quote values in theirs.
fn message(error: &TransformError) -> String {
    let first: &(dyn Error + 'static) = error;
    let own = successors(Some(first), |error| (*error).source()).take_while(|error| is_own(*error));
    own.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// True for errors whose messages are made here; a source may be boxed.
fn is_own(error: &(dyn Error + 'static)) -> bool {
    fn is<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
        error.is::<E>() || error.is::<Box<E>>()
    }
    is::<TransformError>(error)
        || is::<WarehouseError>(error)
        || is::<TableError>(error)
        || is::<StoreError>(error)
        || is::<CatalogError>(error)
        || is::<CommitError>(error)
        || is::<MaintenanceError>(error)
        || is::<SpecError>(error)
        || is::<QualityError>(error)
}
