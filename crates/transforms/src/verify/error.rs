//! Why a table could not be verified.

use medallion_definition::name::TableId;

use crate::error::{Advice, TransformError};
use crate::plan::{FileFate, LostFile};

/// The most lost files that a message names.
const NAMED: usize = 5;

/// Why a table could not be verified; that it differs is no error but the result.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A table or a file of the lake could not be read.
    #[error(transparent)]
    Lake(#[from] TransformError),
    /// There is no Silver table (operator).
    #[error(
        "there is no Silver table of `{table}` yet\n    hint: `medallion silver --table {table}` \
         makes it"
    )]
    NoTable {
        /// The source table.
        table: TableId,
    },
    /// Bronze files that the table was made of are not what they were (operator).
    #[error(
        "`{table}` cannot be computed from Bronze again: {}\n    hint: {}",
        lost(files),
        hint(files)
    )]
    Lost {
        /// The source table.
        table: TableId,
        /// The files.
        files: Vec<LostFile>,
    },
    /// A row of the source does not fit the contract (operator).
    #[error("the rows of `{table}` at the source do not fit its contract: {reason}")]
    SourceRows {
        /// The source table.
        table: TableId,
        /// What does not fit; no values.
        reason: String,
    },
    /// More rows at the source fail their checks than may be remembered (operator).
    #[error(
        "more than {limit} rows of `{table}` at the source fail their checks\n    hint: `--memory` \
         bounds how many are remembered; a check that so many rows fail may be wrong"
    )]
    TooManyRejected {
        /// The source table.
        table: TableId,
        /// How many may be remembered.
        limit: usize,
    },
}

impl VerifyError {
    /// What the caller should do.
    pub fn advice(&self) -> Advice {
        match self {
            VerifyError::Lake(error) => error.advice(),
            VerifyError::NoTable { .. }
            | VerifyError::Lost { .. }
            | VerifyError::SourceRows { .. }
            | VerifyError::TooManyRejected { .. } => Advice::Operator,
        }
    }
}

fn lost(files: &[LostFile]) -> String {
    let told = files.iter().take(NAMED).map(|file| {
        let fate = match file.fate {
            FileFate::Gone => "is gone",
            FileFate::Overwritten => "has another content than was applied",
        };
        format!("`{}` {fate}", file.key)
    });
    let mut told: Vec<String> = told.collect();
    if files.len() > NAMED {
        told.push(format!("and {} files more", files.len() - NAMED));
    }
    told.join(", ")
}

fn hint(files: &[LostFile]) -> &'static str {
    let is_load =
        |file: &LostFile| crate::file_order::place(&file.key).is_some_and(|p| p.0.is_none());
    let reloading = |file: &LostFile| file.fate == FileFate::Overwritten && is_load(file);
    if files.iter().any(reloading) {
        "a new full load stands there; verify again when the Silver job has applied it"
    } else {
        "put the files back as they were, or compare with the source by `--against mysql`"
    }
}
