//! Making a staged snapshot current.

use std::time::Duration;

use iceberg::spec::{MAIN_BRANCH, TableMetadata};
use iceberg::{Error, MetadataLocation};

use super::CommitError;
use super::stage::{Staged, discard};
use crate::catalog::SwapError;
use crate::table::LakeTable;
use crate::warehouse::{Warehouse, WarehouseError};

/// How long to wait before each look at a table whose commit gave no reply.
const LOOKS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_millis(900),
    Duration::from_millis(2700),
];

/// Writes the new metadata file and moves the table's pointer to it.
pub(super) async fn publish(
    warehouse: &Warehouse,
    base: &LakeTable,
    mut staged: Staged,
) -> Result<LakeTable, CommitError> {
    let snapshot_id = staged.snapshot.snapshot_id();
    let (metadata, location) = match write_metadata(warehouse, base, &staged).await {
        Ok(written) => written,
        Err(source) => {
            discard(warehouse.file_io(), staged.files).await;
            return Err(CommitError::Staging { table: base.name(), source: Box::new(source) });
        }
    };
    staged.files.push(location.clone());
    let (ident, from) = (base.ident(), base.metadata_location());
    let swapped = warehouse.catalog().swap(ident, from, &location, &metadata).await;
    let (looks, source) = match swapped {
        Ok(()) => {
            let table = warehouse.table(ident, metadata, &location);
            return table.map_err(|error| unusable(base, error));
        }
        Err(SwapError::Rejected(source)) => {
            return Err(CommitError::Rejected { table: base.name(), source });
        }
        // One look tells a conflict from a success that came back as one.
        Err(SwapError::Conflict) => (&LOOKS[..1], None),
        Err(SwapError::Unknown(source)) => (&LOOKS[..], Some(source)),
    };
    match look(warehouse, base, snapshot_id, &location, looks).await {
        Seen::Ours(table) => Ok(*table),
        Seen::Others => {
            discard(warehouse.file_io(), staged.files).await;
            Err(CommitError::Conflict { table: base.name() })
        }
        // The catalog answered, so the request is over, but nothing shows who was first: the
        // table's version moved and its metadata did not. The staged files stay.
        Seen::Nothing => Err(match source {
            None => CommitError::Conflict { table: base.name() },
            Some(source) => CommitError::Unknown { table: base.name(), snapshot_id, source },
        }),
    }
}

/// The base's metadata with the snapshot on the main branch, written to the next location.
async fn write_metadata(
    warehouse: &Warehouse,
    base: &LakeTable,
    staged: &Staged,
) -> Result<(TableMetadata, String), Error> {
    let from = base.metadata_location();
    let builder = base.metadata().clone().into_builder(Some(from.to_owned()));
    let builder = builder.set_branch_snapshot(staged.snapshot.clone(), MAIN_BRANCH)?;
    let metadata = builder.build()?.metadata;
    let place = match from.parse::<MetadataLocation>() {
        Ok(base) => base.with_next_version().with_new_metadata(&metadata),
        // Another writer's naming; the number only helps people.
        Err(_) => MetadataLocation::new_with_metadata(metadata.location(), &metadata),
    };
    metadata.write_to(warehouse.file_io(), &place).await?;
    Ok((metadata, place.to_string()))
}

/// What a look at the table showed.
enum Seen {
    /// The commit is current or below what is.
    Ours(Box<LakeTable>),
    /// The pointer moved past the base without the commit, which therefore can never succeed:
    /// its request carries the base's version.
    Others,
    /// The table still is at the base, or could not be read.
    Nothing,
}

async fn look(
    warehouse: &Warehouse,
    base: &LakeTable,
    snapshot_id: i64,
    location: &str,
    looks: &[Duration],
) -> Seen {
    for wait in looks {
        tokio::time::sleep(*wait).await;
        let found = match warehouse.catalog().locate(base.ident()).await {
            Ok(Some(found)) if found != base.metadata_location() => found,
            Ok(None) => return Seen::Others,
            Ok(Some(_)) | Err(_) => continue,
        };
        let Ok(table) = warehouse.load_at(base.ident(), &found).await else { continue };
        let known = table.metadata().snapshot_by_id(snapshot_id).is_some();
        let logged = table.metadata().metadata_log().iter().any(|m| m.metadata_file == location);
        let ours = known || logged || found == location;
        return if ours { Seen::Ours(Box::new(table)) } else { Seen::Others };
    }
    Seen::Nothing
}

/// The commit succeeded, but its own metadata cannot be used: only possible without a runtime.
fn unusable(base: &LakeTable, error: WarehouseError) -> CommitError {
    let source = Error::new(iceberg::ErrorKind::Unexpected, error.to_string());
    CommitError::Staging { table: base.name(), source: Box::new(source) }
}
