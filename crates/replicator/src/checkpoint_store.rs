//! The checkpoint in its store: every replacement expects the version that it replaces.

use bytes::Bytes;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::sink::{BronzeSink, ObjectVersion, SinkError};

/// Why the checkpoint could not be read or moved.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointStoreError {
    /// The store failed.
    #[error("the checkpoint's store failed")]
    Sink(#[from] SinkError),
    /// What is stored is of no use (operator).
    #[error("the stored checkpoint cannot be used")]
    Checkpoint(#[from] CheckpointError),
    /// Somebody else has moved the checkpoint since it was read (operator).
    #[error("another replicator has moved the checkpoint; hint: only one may run per task")]
    Taken,
    /// It has no JSON form (bug).
    #[error("the checkpoint cannot be written")]
    Json(#[source] serde_json::Error),
}

/// The checkpoint as it is stored, and the store.
#[derive(Debug)]
pub(crate) struct CheckpointStore<'a, S> {
    sink: &'a S,
    version: Option<ObjectVersion>,
}

impl<'a, S: BronzeSink> CheckpointStore<'a, S> {
    /// Reads what is stored.
    pub(crate) async fn open(
        sink: &'a S,
    ) -> Result<(CheckpointStore<'a, S>, Option<Checkpoint>), CheckpointStoreError> {
        match sink.read_checkpoint().await? {
            None => Ok((CheckpointStore { sink, version: None }, None)),
            Some((json, version)) => {
                let checkpoint = Checkpoint::from_json(&json)?;
                Ok((CheckpointStore { sink, version: Some(version) }, Some(checkpoint)))
            }
        }
    }

    /// Replaces what was read or written last.
    ///
    /// When the outcome is unknown, or the store says that another version is there, what is
    /// stored decides: an answer may have been lost after the work was done.
    pub(crate) async fn write(
        &mut self,
        checkpoint: &Checkpoint,
    ) -> Result<(), CheckpointStoreError> {
        let json = Bytes::from(checkpoint.to_json().map_err(CheckpointStoreError::Json)?);
        let written = self.sink.write_checkpoint(json.clone(), self.version.as_ref()).await;
        let error = match written {
            Ok(version) => {
                self.version = Some(version);
                return Ok(());
            }
            Err(error @ SinkError::Denied { .. }) => return Err(error.into()),
            Err(error @ (SinkError::Unavailable { .. } | SinkError::Conflict { .. })) => error,
        };
        match self.sink.read_checkpoint().await {
            Ok(Some((found, version))) if found == json => {
                self.version = Some(version);
                Ok(())
            }
            Ok(_) | Err(_) => match error {
                SinkError::Conflict { .. } => Err(CheckpointStoreError::Taken),
                SinkError::Unavailable { .. } | SinkError::Denied { .. } => Err(error.into()),
            },
        }
    }
}
