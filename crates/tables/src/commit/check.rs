//! What a change may say.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use iceberg::spec::{
    DataContentType, DataFile, FormatVersion, Literal, ManifestContentType, ManifestFile,
    Operation, PrimitiveLiteral,
};

use super::remove::{load, may_hold};
use super::{Change, CommitError};
use crate::files::{LiveFile, named_data_file};
use crate::table::LakeTable;

type Result<T> = std::result::Result<T, CommitError>;

/// New files by partition spec and content, in the order in which their manifests are listed.
pub(super) type Placed = Vec<((i32, ManifestContentType), Vec<DataFile>)>;

/// Refuses what cannot be meant, without looking at manifests.
pub(super) fn check(base: &LakeTable, change: &Change) -> Result<()> {
    if change.added.is_empty() && change.removed.is_empty() && change.summary.is_empty() {
        return Err(CommitError::Empty { table: base.name() });
    }
    let version = base.metadata().format_version();
    if version != FormatVersion::V2 {
        return Err(CommitError::FormatVersion { table: base.name(), version: version as u8 });
    }
    let adds_data = change.added.iter().any(|f| !is_delete(f));
    let mut paths = HashSet::new();
    let added = change.added.iter().map(DataFile::file_path);
    let twice = added.chain(change.removed.iter().map(LiveFile::path)).any(|p| !paths.insert(p));
    let reason = match change.operation {
        _ if twice => "names a file twice",
        Operation::Append if !change.removed.is_empty() => "removes files",
        Operation::Append if change.added.iter().any(is_delete) => "adds delete files",
        Operation::Delete if adds_data => "adds data files",
        _ if takes_back(change) => "takes back deletes of rows whose file stays",
        Operation::Append | Operation::Delete | Operation::Overwrite | Operation::Replace => {
            return Ok(());
        }
    };
    let operation = change.operation.as_str().to_owned();
    Err(CommitError::Contradiction { table: base.name(), operation, reason })
}

pub(super) fn is_delete(file: &DataFile) -> bool {
    file.content_type() != DataContentType::Data
}

/// True when a delete file goes whose data file stays and gets no new delete file: its deleted
/// rows would be back.
fn takes_back(change: &Change) -> bool {
    let (deletes, data): (Vec<_>, Vec<_>) =
        change.removed.iter().partition(|file| is_delete(&file.data_file));
    let mut settled: HashSet<String> = data.iter().map(|file| file.path().to_owned()).collect();
    settled.extend(change.added.iter().filter(|f| is_delete(f)).filter_map(named_data_file));
    let mut named = deletes.iter().filter_map(|file| named_data_file(&file.data_file));
    named.any(|path| !settled.contains(&path))
}

/// Groups the new files by manifest. Each delete file goes under the partition spec of the data
/// file that it names, which must be live, stay, and have the same partition.
pub(super) async fn place_deletes(
    base: &LakeTable,
    manifests: &[ManifestFile],
    change: &Change,
) -> Result<Placed> {
    let (deletes, data): (Vec<_>, Vec<_>) = change.added.iter().cloned().partition(is_delete);
    let mut placed = Placed::new();
    if !data.is_empty() {
        let default = base.metadata().default_partition_spec_id();
        placed.push(((default, ManifestContentType::Data), data));
    }
    let mut by_spec: BTreeMap<i32, Vec<DataFile>> = BTreeMap::new();
    let targets = targets(base, manifests, &deletes).await?;
    let removed: HashSet<&str> = change.removed.iter().map(LiveFile::path).collect();
    for delete in deletes {
        let target = named_data_file(&delete).and_then(|path| targets.get(&path));
        let reason = match (delete.content_type(), target) {
            (DataContentType::EqualityDeletes, _) => "equality deletes are not written",
            (_, None) => "it names no live data file",
            (_, Some(target)) if removed.contains(target.path()) => {
                "the data file that it names goes in the same change"
            }
            (_, Some(target)) if target.data_file.partition() != delete.partition() => {
                "its partition is not that of the data file that it names"
            }
            (_, Some(target)) => {
                by_spec.entry(target.spec_id).or_default().push(delete);
                continue;
            }
        };
        let path = delete.file_path().to_owned();
        return Err(CommitError::Delete { table: base.name(), path, reason });
    }
    let deletes = by_spec.into_iter();
    placed.extend(deletes.map(|(spec_id, files)| ((spec_id, ManifestContentType::Deletes), files)));
    Ok(placed)
}

/// The live data files that delete files name, by path.
async fn targets(
    base: &LakeTable,
    manifests: &[ManifestFile],
    deletes: &[DataFile],
) -> Result<HashMap<String, LiveFile>> {
    let named: HashSet<String> = deletes.iter().filter_map(named_data_file).collect();
    if named.is_empty() {
        return Ok(HashMap::new());
    }
    let buckets: BTreeSet<Option<i32>> = deletes.iter().map(bucket).collect();
    let data = manifests.iter().filter(|m| m.content == ManifestContentType::Data);
    let data = data.filter(|m| may_hold(m, Some(&buckets))).cloned().collect();
    let loaded = load(base, data).await.map_err(|e| CommitError::staging(base, e))?;
    let files = loaded.into_iter().flat_map(|(_, files)| files);
    let wanted = files.filter(|file| named.contains(file.path()));
    Ok(wanted.map(|file| (file.path().to_owned(), file)).collect())
}

/// The bucket of a file, or nothing when it is not partitioned by one.
fn bucket(file: &DataFile) -> Option<i32> {
    match file.partition().iter().next()?? {
        Literal::Primitive(PrimitiveLiteral::Int(bucket)) => Some(*bucket),
        _ => None,
    }
}
