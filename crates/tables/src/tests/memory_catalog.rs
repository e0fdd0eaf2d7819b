//! A catalog in memory, with compare-and-swap and with faults on demand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use iceberg::TableIdent;
use iceberg::spec::TableMetadata;
use tokio::sync::Notify;

use crate::catalog::{Catalog, CatalogError, SwapError};

/// What happens to the next swap.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The request is refused as not allowed.
    Denied,
    /// The request never arrives, and no reply comes.
    LostRequest,
    /// The swap is done, but the reply is lost.
    LostReply,
    /// As one of the above, but first `reached` is told and `released` is awaited.
    Held { reached: Arc<Notify>, released: Arc<Notify>, then: Box<Fault> },
}

#[derive(Debug, Default)]
pub(super) struct MemoryCatalog {
    pointers: Mutex<HashMap<TableIdent, String>>,
    fault: Mutex<Option<Fault>>,
}

impl MemoryCatalog {
    pub(super) fn inject(&self, fault: Fault) {
        *self.fault.lock().unwrap() = Some(fault);
    }

    /// Gives a table another name.
    pub(super) fn rename(&self, from: &TableIdent, to: &TableIdent) {
        let mut pointers = self.pointers.lock().unwrap();
        let pointer = pointers.remove(from).unwrap();
        pointers.insert(to.clone(), pointer);
    }

    fn compare_and_swap(
        &self,
        table: &TableIdent,
        base: &str,
        next: &str,
    ) -> Result<(), SwapError> {
        let mut pointers = self.pointers.lock().unwrap();
        let pointer = pointers.get_mut(table).unwrap();
        if pointer != base {
            return Err(SwapError::Conflict);
        }
        next.clone_into(pointer);
        Ok(())
    }
}

fn no_reply() -> SwapError {
    SwapError::Unknown(CatalogError::Unavailable {
        name: "t".to_owned(),
        code: "timeout".to_owned(),
        source: "the reply was lost".into(),
    })
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn ensure_database(&self, _: &str, _: &str) -> Result<(), CatalogError> {
        Ok(())
    }

    async fn locate(&self, table: &TableIdent) -> Result<Option<String>, CatalogError> {
        Ok(self.pointers.lock().unwrap().get(table).cloned())
    }

    async fn create(
        &self,
        table: &TableIdent,
        location: &str,
        _: &TableMetadata,
    ) -> Result<(), CatalogError> {
        let mut pointers = self.pointers.lock().unwrap();
        if pointers.contains_key(table) {
            return Err(CatalogError::Exists { name: table.to_string() });
        }
        pointers.insert(table.clone(), location.to_owned());
        Ok(())
    }

    async fn swap(
        &self,
        table: &TableIdent,
        base: &str,
        next: &str,
        _: &TableMetadata,
    ) -> Result<(), SwapError> {
        let mut fault = self.fault.lock().unwrap().take();
        if let Some(Fault::Held { reached, released, then }) = fault {
            if let Fault::LostReply = *then {
                self.compare_and_swap(table, base, next)?;
            }
            reached.notify_one();
            released.notified().await;
            return Err(no_reply());
        }
        match fault.take() {
            None | Some(Fault::Held { .. }) => self.compare_and_swap(table, base, next),
            Some(Fault::Denied) => Err(SwapError::Rejected(CatalogError::Denied {
                name: table.to_string(),
                code: "400 AccessDeniedException".to_owned(),
                source: "no permission".into(),
            })),
            Some(Fault::LostRequest) => Err(no_reply()),
            Some(Fault::LostReply) => {
                self.compare_and_swap(table, base, next)?;
                Err(no_reply())
            }
        }
    }
}
