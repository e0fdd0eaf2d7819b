//! Bucket, file access and catalog of one lake.

use std::sync::Arc;

use iceberg::io::FileIO;
use iceberg::spec::TableMetadata;
use iceberg::{MetadataLocation, NamespaceIdent, TableIdent};

use crate::catalog::{Catalog, CatalogError, GlueCatalog};
use crate::schema::{SpecError, TableSpec};
use crate::storage::file_io;
use crate::store::Bucket;
use crate::table::{LakeTable, TableError};

/// Why a table could not be loaded or made.
#[derive(Debug, thiserror::Error)]
pub enum WarehouseError {
    /// The catalog did not do as asked. Class by the source.
    #[error("the catalog cannot be used for table `{table}`")]
    Catalog {
        /// The table.
        table: String,
        /// What the catalog says.
        source: CatalogError,
    },
    /// The table's metadata could not be read or written. Class by the source.
    #[error("the metadata of table `{table}` cannot be used")]
    Metadata {
        /// The table.
        table: String,
        /// What is wrong.
        source: TableError,
    },
    /// The description makes no table: a mistake in the definition, or a bug.
    #[error("table `{table}` cannot be made as described")]
    Spec {
        /// The table.
        table: String,
        /// What is wrong.
        source: SpecError,
    },
}

impl WarehouseError {
    /// True when the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            WarehouseError::Catalog { source, .. } => source.is_retryable(),
            WarehouseError::Metadata { source, .. } => source.is_retryable(),
            WarehouseError::Spec { .. } => false,
        }
    }
}

/// Everything that is needed to read and commit tables.
#[derive(Clone, Debug)]
pub struct Warehouse {
    bucket: Bucket,
    file_io: FileIO,
    catalog: Arc<dyn Catalog>,
}

/// The identifier of a table in a Glue database.
pub fn table_ident(database: &str, table: &str) -> TableIdent {
    TableIdent::new(NamespaceIdent::new(database.to_owned()), table.to_owned())
}

impl Warehouse {
    /// A lake on S3 and Glue, through clients that carry endpoint, region and credentials.
    pub fn new(
        s3: aws_sdk_s3::Client,
        glue: aws_sdk_glue::Client,
        bucket: impl Into<String>,
    ) -> Self {
        let bucket = Bucket::new(s3.clone(), bucket);
        Warehouse::with_catalog(bucket, file_io(s3), Arc::new(GlueCatalog::new(glue)))
    }

    /// A lake with another catalog or other file access.
    pub fn with_catalog(bucket: Bucket, file_io: FileIO, catalog: Arc<dyn Catalog>) -> Self {
        Warehouse { bucket, file_io, catalog }
    }

    /// The bucket.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Iceberg's file access.
    pub fn file_io(&self) -> &FileIO {
        &self.file_io
    }

    /// The catalog.
    pub fn catalog(&self) -> &dyn Catalog {
        self.catalog.as_ref()
    }

    /// The table as it is now, or nothing when there is none.
    ///
    /// # Errors
    /// A [`WarehouseError`] when catalog or metadata cannot be read.
    pub async fn load(&self, ident: &TableIdent) -> Result<Option<LakeTable>, WarehouseError> {
        let location = self.catalog.locate(ident).await.map_err(|e| catalog(ident, e))?;
        let Some(location) = location else { return Ok(None) };
        self.load_at(ident, &location).await.map(Some)
    }

    /// The table at a given metadata file.
    pub(crate) async fn load_at(
        &self,
        ident: &TableIdent,
        location: &str,
    ) -> Result<LakeTable, WarehouseError> {
        let metadata = TableMetadata::read_from(&self.file_io, location).await;
        let metadata = metadata.map_err(|source| files(ident, source))?;
        self.table(ident, metadata, location)
    }

    pub(crate) fn table(
        &self,
        ident: &TableIdent,
        metadata: TableMetadata,
        location: &str,
    ) -> Result<LakeTable, WarehouseError> {
        LakeTable::new(ident.clone(), metadata, location, self.file_io.clone())
            .map_err(|source| WarehouseError::Metadata { table: ident.to_string(), source })
    }

    /// Makes a new, empty table.
    ///
    /// # Errors
    /// [`WarehouseError::Catalog`] with [`CatalogError::Exists`] when the name is taken, or
    /// another [`WarehouseError`].
    pub async fn create(
        &self,
        ident: &TableIdent,
        spec: &TableSpec,
    ) -> Result<LakeTable, WarehouseError> {
        let metadata = spec.metadata();
        let metadata =
            metadata.map_err(|source| WarehouseError::Spec { table: ident.to_string(), source })?;
        let place = MetadataLocation::new_with_metadata(metadata.location(), &metadata);
        metadata.write_to(&self.file_io, &place).await.map_err(|e| files(ident, e))?;
        let location = place.to_string();
        match self.catalog.create(ident, &location, &metadata).await {
            Ok(()) => {}
            // The SDK may have repeated a request that had succeeded without a reply.
            Err(error @ CatalogError::Exists { .. }) => {
                let found = self.catalog.locate(ident).await.map_err(|e| catalog(ident, e))?;
                if found.as_deref() != Some(location.as_str()) {
                    // Nothing refers to the file; should it stay, it is an orphan, no more.
                    drop(self.file_io.delete(&location).await);
                    return Err(catalog(ident, error));
                }
            }
            Err(error) => return Err(catalog(ident, error)),
        }
        self.table(ident, metadata, &location)
    }

    /// The table as it is now, made as described when there is none. An existing table is not
    /// compared with the description.
    ///
    /// # Errors
    /// A [`WarehouseError`].
    pub async fn ensure_table(
        &self,
        ident: &TableIdent,
        spec: &TableSpec,
    ) -> Result<LakeTable, WarehouseError> {
        if let Some(table) = self.load(ident).await? {
            return Ok(table);
        }
        match self.create(ident, spec).await {
            Err(WarehouseError::Catalog {
                table,
                source: source @ CatalogError::Exists { .. },
            }) => {
                let found = self.load(ident).await?;
                found.ok_or(WarehouseError::Catalog { table, source })
            }
            made => made,
        }
    }

    /// Makes the database unless it exists.
    ///
    /// # Errors
    /// A [`CatalogError`].
    pub async fn ensure_database(&self, name: &str, description: &str) -> Result<(), CatalogError> {
        self.catalog.ensure_database(name, description).await
    }
}

fn catalog(ident: &TableIdent, source: CatalogError) -> WarehouseError {
    WarehouseError::Catalog { table: ident.to_string(), source }
}

fn files(ident: &TableIdent, source: iceberg::Error) -> WarehouseError {
    let table = ident.to_string();
    let source = TableError::Files { table: table.clone(), source: Box::new(source) };
    WarehouseError::Metadata { table, source }
}
