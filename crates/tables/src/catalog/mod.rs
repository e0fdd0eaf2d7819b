//! Catalogs: where a table's name leads to its current metadata file.

mod columns;
mod glue;

use std::fmt::Debug;

use async_trait::async_trait;
use iceberg::TableIdent;
use iceberg::spec::TableMetadata;

pub use glue::GlueCatalog;

/// Why a catalog did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// There is no such database or table: the operator's business.
    #[error("`{name}` is not in the catalog")]
    NotFound {
        /// Database or table.
        name: String,
    },
    /// It exists already: the caller's own business.
    #[error("`{name}` is in the catalog already")]
    Exists {
        /// Database or table.
        name: String,
    },
    /// The name leads to something that is no Iceberg table, or cannot be committed to safely:
    /// the operator's business.
    #[error("`{name}` cannot be used as an iceberg table: {reason}")]
    Unsuitable {
        /// The table.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Throttled, timed out or in trouble: worth trying again.
    #[error("the catalog cannot serve `{name}` now ({code})")]
    Unavailable {
        /// Database or table.
        name: String,
        /// Status and error code.
        code: String,
        /// The SDK's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Permissions or credentials are missing: the operator's business.
    #[error("the catalog denies access to `{name}` ({code})")]
    Denied {
        /// Database or table.
        name: String,
        /// Status and error code.
        code: String,
        /// The SDK's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The request was refused as such: a bug.
    #[error("the catalog refuses the request for `{name}` ({code})")]
    Refused {
        /// Database or table.
        name: String,
        /// Status and error code.
        code: String,
        /// The SDK's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CatalogError {
    /// True when the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, CatalogError::Unavailable { .. })
    }
}

/// Why a table's pointer did not move, or is not known to have moved.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// The pointer no longer is at the base.
    #[error("the table's pointer has moved")]
    Conflict,
    /// The catalog certainly did not act on the request.
    #[error("the catalog did not move the table's pointer")]
    Rejected(#[source] CatalogError),
    /// No reply: the pointer may have moved, or may move yet.
    #[error("the catalog gave no reply")]
    Unknown(#[source] CatalogError),
}

/// A catalog whose pointers move by compare-and-swap.
#[async_trait]
pub trait Catalog: Debug + Send + Sync {
    /// Makes the database unless it exists.
    ///
    /// # Errors
    /// A [`CatalogError`].
    async fn ensure_database(&self, name: &str, description: &str) -> Result<(), CatalogError>;

    /// The location of the table's current metadata file, or nothing when there is no table.
    ///
    /// # Errors
    /// A [`CatalogError`], but not `NotFound`.
    async fn locate(&self, table: &TableIdent) -> Result<Option<String>, CatalogError>;

    /// Registers a new table at a metadata file.
    ///
    /// # Errors
    /// [`CatalogError::Exists`] when the name is taken, or another [`CatalogError`].
    async fn create(
        &self,
        table: &TableIdent,
        location: &str,
        metadata: &TableMetadata,
    ) -> Result<(), CatalogError>;

    /// Moves the table's pointer from `base` to `next`, atomically, if it still is at `base`.
    /// Sends the request at most once.
    ///
    /// # Errors
    /// A [`SwapError`]; only after [`SwapError::Unknown`] may the pointer have moved.
    async fn swap(
        &self,
        table: &TableIdent,
        base: &str,
        next: &str,
        metadata: &TableMetadata,
    ) -> Result<(), SwapError>;
}
