//! A catalog in memory.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use medallion_tables::catalog::{Catalog, CatalogError, SwapError};
use medallion_tables::{TableIdent, TableMetadata};

#[derive(Debug, Default)]
pub(crate) struct MemoryCatalog(Mutex<HashMap<TableIdent, String>>);

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn ensure_database(&self, _: &str, _: &str) -> Result<(), CatalogError> {
        Ok(())
    }

    async fn locate(&self, table: &TableIdent) -> Result<Option<String>, CatalogError> {
        Ok(self.0.lock().unwrap().get(table).cloned())
    }

    async fn create(
        &self,
        table: &TableIdent,
        location: &str,
        _: &TableMetadata,
    ) -> Result<(), CatalogError> {
        self.0.lock().unwrap().insert(table.clone(), location.to_owned());
        Ok(())
    }

    async fn swap(
        &self,
        table: &TableIdent,
        base: &str,
        next: &str,
        _: &TableMetadata,
    ) -> Result<(), SwapError> {
        match self.0.lock().unwrap().get_mut(table) {
            Some(pointer) if pointer == base => {
                next.clone_into(pointer);
                Ok(())
            }
            _ => Err(SwapError::Conflict),
        }
    }
}
