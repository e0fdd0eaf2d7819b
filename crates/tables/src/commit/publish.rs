//! Making new metadata current.

use std::time::Duration;

use iceberg::spec::{Snapshot, TableMetadata, TableMetadataBuilder};
use iceberg::{Error, MetadataLocation};

use super::clock::{builder, edited};
use super::stage::{Staged, discard};
use super::{Branch, CommitError};
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

/// Metadata that may become current, and what was written for it.
struct Next {
    metadata: TableMetadata,
    snapshot_id: Option<i64>,
    /// Metadata files that nothing else refers to.
    files: Vec<String>,
}

/// Puts a staged snapshot on a branch. What comes back is read at that branch.
pub(super) async fn publish(
    warehouse: &Warehouse,
    base: &LakeTable,
    staged: Staged,
    branch: &Branch,
) -> Result<LakeTable, CommitError> {
    let snapshot_id = Some(staged.snapshot.snapshot_id());
    let metadata = match with_snapshot(base, staged.snapshot, branch) {
        Ok(metadata) => metadata,
        Err(source) => {
            discard(warehouse.file_io(), staged.files).await;
            return Err(CommitError::staging(base, source));
        }
    };
    let next = Next { metadata, snapshot_id, files: staged.files };
    let table = make_current(warehouse, base, next).await?;
    Ok(table.at_head_of(branch))
}

/// Commits a change of the metadata that makes no snapshot.
pub(crate) async fn publish_metadata(
    warehouse: &Warehouse,
    base: &LakeTable,
    edit: impl FnOnce(TableMetadataBuilder) -> iceberg::Result<TableMetadataBuilder>,
) -> Result<LakeTable, CommitError> {
    let metadata = edited(base, edit).map_err(|source| CommitError::staging(base, source))?;
    let next = Next { metadata, snapshot_id: None, files: Vec::new() };
    make_current(warehouse, base, next).await
}

fn with_snapshot(
    base: &LakeTable,
    snapshot: Snapshot,
    branch: &Branch,
) -> iceberg::Result<TableMetadata> {
    let builder = builder(base, base.metadata().clone());
    let builder = builder.set_branch_snapshot(snapshot, branch.name())?;
    Ok(builder.build()?.metadata)
}

/// Writes the metadata file and moves the table's pointer to it.
async fn make_current(
    warehouse: &Warehouse,
    base: &LakeTable,
    mut next: Next,
) -> Result<LakeTable, CommitError> {
    let location = match write_metadata(warehouse, base, &next.metadata).await {
        Ok(written) => written,
        Err(source) => {
            discard(warehouse.file_io(), next.files).await;
            return Err(CommitError::staging(base, source));
        }
    };
    next.files.push(location.clone());
    let (ident, from) = (base.ident(), base.metadata_location());
    let swapped = warehouse.catalog().swap(ident, from, &location, &next.metadata).await;
    let source = match swapped {
        Ok(()) => {
            let table = warehouse.table(ident, next.metadata, &location);
            return table.map_err(|error| unusable(base, error));
        }
        Err(SwapError::Rejected(source)) => {
            return Err(CommitError::Rejected { table: base.name(), source });
        }
        Err(SwapError::Conflict) => None,
        Err(SwapError::Unknown(source)) => Some(source),
    };
    match look(warehouse, base, next.snapshot_id, &location, source.is_some()).await {
        Seen::Ours(table) => Ok(*table),
        Seen::Others => {
            discard(warehouse.file_io(), next.files).await;
            Err(CommitError::Conflict { table: base.name() })
        }
        // After a conflict the catalog answered, so the request is over, but nothing shows who was
        // first: the table's version moved and its metadata did not. The staged files stay.
        Seen::Nothing => Err(match source {
            None => CommitError::Conflict { table: base.name() },
            Some(source) => CommitError::Unknown {
                table: base.name(),
                snapshot_id: next.snapshot_id,
                location,
                source: Box::new(source),
            },
        }),
    }
}

/// Writes the metadata unless it could not be read back: made current, it would lock everybody
/// out of the table.
async fn write_metadata(
    warehouse: &Warehouse,
    base: &LakeTable,
    metadata: &TableMetadata,
) -> iceberg::Result<String> {
    serde_json::from_slice::<TableMetadata>(&serde_json::to_vec(metadata)?)?;
    let place = match base.metadata_location().parse::<MetadataLocation>() {
        Ok(base) => base.with_next_version().with_new_metadata(metadata),
        // Another writer's naming; the number only helps people.
        Err(_) => MetadataLocation::new_with_metadata(metadata.location(), metadata),
    };
    metadata.write_to(warehouse.file_io(), &place).await?;
    Ok(place.to_string())
}

/// What a look at the table showed.
enum Seen {
    /// The commit is current or below what is.
    Ours(Box<LakeTable>),
    /// The pointer moved past the base without the commit, which therefore can never succeed:
    /// its request carries the base's version.
    Others,
    /// The table still is at the base, or could not be read, or is not to be found under its name
    /// while the request may have been carried out before it went.
    Nothing,
}

/// Looks for the commit: again and again when its reply was lost, else once, which tells a
/// conflict from a success that came back as one.
async fn look(
    warehouse: &Warehouse,
    base: &LakeTable,
    snapshot_id: Option<i64>,
    location: &str,
    lost: bool,
) -> Seen {
    let looks = if lost { &LOOKS[..] } else { &LOOKS[..1] };
    for wait in looks {
        tokio::time::sleep(*wait).await;
        let found = match warehouse.catalog().locate(base.ident()).await {
            Ok(Some(found)) if found != base.metadata_location() => found,
            Ok(None) if lost => return Seen::Nothing,
            Ok(None) => return Seen::Others,
            Ok(Some(_)) | Err(_) => continue,
        };
        let Ok(table) = warehouse.load_at(base.ident(), &found).await else { continue };
        let known = snapshot_id.is_some_and(|id| table.metadata().snapshot_by_id(id).is_some());
        let logged = table.metadata().metadata_log().iter().any(|m| m.metadata_file == location);
        if known || logged || found == location {
            return Seen::Ours(Box::new(table));
        }
        let same = table.metadata().uuid() == base.metadata().uuid();
        return if same || !lost { Seen::Others } else { Seen::Nothing };
    }
    Seen::Nothing
}

/// The commit succeeded, but its own metadata cannot be used: only possible without a runtime.
fn unusable(base: &LakeTable, error: WarehouseError) -> CommitError {
    CommitError::staging(base, Error::new(iceberg::ErrorKind::Unexpected, error.to_string()))
}
