//! Taking files out of manifests.

use std::collections::{BTreeSet, HashSet};

use iceberg::Result;
use iceberg::spec::{ManifestContentType, ManifestFile};

use super::CommitError;
use super::merge::Kind;
use crate::files::{LiveFile, live_entries, named_data_file};
use crate::table::LakeTable;

/// Entries of manifests that are written anew.
#[derive(Default)]
pub(super) struct Rewrite {
    pub(super) existing: Vec<LiveFile>,
    pub(super) deleted: Vec<LiveFile>,
    /// The size of the manifests that they come from.
    pub(super) bytes: u64,
}

impl Rewrite {
    fn add(
        &mut self,
        manifest: &ManifestFile,
        files: Vec<LiveFile>,
        goes: impl Fn(&LiveFile) -> bool,
    ) {
        self.bytes += u64::try_from(manifest.manifest_length).unwrap_or_default();
        let (deleted, existing): (Vec<_>, Vec<_>) = files.into_iter().partition(|f| goes(f));
        self.deleted.extend(deleted);
        self.existing.extend(existing);
    }
}

/// What a change leaves of its base.
#[derive(Default)]
pub(super) struct Rest {
    /// Manifests that stay as they are.
    pub(super) kept: Vec<ManifestFile>,
    /// Entries of the others, by partition spec and content.
    pub(super) rewrites: Vec<(Kind, Rewrite)>,
}

impl Rest {
    /// The files that go.
    pub(super) fn deleted(&self) -> impl Iterator<Item = &LiveFile> {
        self.rewrites.iter().flat_map(|(_, rewrite)| &rewrite.deleted)
    }

    fn rewrite(&mut self, manifest: &ManifestFile) -> &mut Rewrite {
        let kind = (manifest.partition_spec_id, manifest.content);
        let index = match self.rewrites.iter().position(|(known, _)| *known == kind) {
            Some(index) => index,
            None => {
                self.rewrites.push((kind, Rewrite::default()));
                self.rewrites.len() - 1
            }
        };
        &mut self.rewrites[index].1
    }

    /// The lowest sequence number of a data file that stays.
    fn oldest_data(&self) -> Option<i64> {
        let data = |content: &ManifestContentType| *content == ManifestContentType::Data;
        let kept = self.kept.iter().filter(|m| data(&m.content)).map(|m| m.min_sequence_number);
        let rewritten = self.rewrites.iter().filter(|((_, content), _)| data(content));
        let rewritten = rewritten.flat_map(|(_, rewrite)| &rewrite.existing);
        kept.chain(rewritten.map(|file| file.sequence_number)).min()
    }
}

/// Splits the base's manifests into those that stay and entries of those that do not. Delete
/// files that can apply to no data file that stays go too.
pub(super) async fn take_out(
    base: &LakeTable,
    manifests: Vec<ManifestFile>,
    removed: &[LiveFile],
) -> std::result::Result<Rest, CommitError> {
    if removed.is_empty() {
        return Ok(Rest { kept: manifests, ..Rest::default() });
    }
    let paths: HashSet<&str> = removed.iter().map(LiveFile::path).collect();
    let touched: HashSet<&str> = removed.iter().map(|file| file.manifest.as_str()).collect();
    let is_touched = |m: &ManifestFile| touched.contains(m.manifest_path.as_str());
    let (data, deletes): (Vec<_>, Vec<_>) =
        manifests.into_iter().partition(|m| m.content == ManifestContentType::Data);
    let (touched_data, kept): (Vec<_>, Vec<_>) = data.into_iter().partition(is_touched);
    let mut rest = Rest { kept, ..Rest::default() };
    let mut found = HashSet::new();
    let goes = |file: &LiveFile| paths.contains(file.path());
    let staging = |e| CommitError::staging(base, e);
    for (manifest, files) in load(base, touched_data).await.map_err(staging)? {
        rest.rewrite(&manifest).add(&manifest, files, goes);
    }
    found.extend(rest.deleted().map(|file| file.path().to_owned()));
    let oldest = if found.is_empty() { Some(i64::MIN) } else { rest.oldest_data() };
    let dead = |file: &LiveFile| {
        goes(file)
            || oldest.is_none_or(|oldest| file.sequence_number < oldest)
            || named_data_file(&file.data_file).is_some_and(|path| found.contains(&path))
    };
    // Only these can hold a delete file of a removed data file; the others stay unread.
    let buckets = oldest.map(|_| removed.iter().map(LiveFile::bucket).collect());
    let (suspect, kept): (Vec<_>, Vec<_>) = deletes.into_iter().partition(|manifest| {
        is_touched(manifest) || (!found.is_empty() && may_hold(manifest, buckets.as_ref()))
    });
    rest.kept.extend(kept);
    let mut gone = found.clone();
    for (manifest, files) in load(base, suspect).await.map_err(staging)? {
        if files.iter().any(dead) {
            gone.extend(files.iter().filter(|f| goes(f)).map(|f| f.path().to_owned()));
            rest.rewrite(&manifest).add(&manifest, files, dead);
        } else {
            rest.kept.push(manifest);
        }
    }
    match paths.into_iter().find(|path| !gone.contains(*path)) {
        None => Ok(rest),
        Some(path) => Err(CommitError::NotLive { table: base.name(), path: path.to_owned() }),
    }
}

/// The live entries of each manifest.
pub(super) async fn load(
    base: &LakeTable,
    manifests: Vec<ManifestFile>,
) -> Result<Vec<(ManifestFile, Vec<LiveFile>)>> {
    let loaded = base.load_manifests(manifests).await?.into_iter();
    loaded
        .map(|(manifest, entries)| live_entries(&manifest, &entries).map(|files| (manifest, files)))
        .collect()
}

/// True when, by the bounds in the manifest list, the manifest may hold a file of one of these
/// buckets, or of any bucket when none are given. Partitions other than buckets are not told
/// apart.
pub(super) fn may_hold(manifest: &ManifestFile, buckets: Option<&BTreeSet<Option<i32>>>) -> bool {
    let (Some(buckets), Some([bounds])) = (buckets, manifest.partitions.as_deref()) else {
        return true;
    };
    let number = |bytes: Option<&[u8]>| Some(i32::from_le_bytes(bytes?.try_into().ok()?));
    let low = number(bounds.lower_bound.as_ref().map(|b| b.as_slice()));
    let high = number(bounds.upper_bound.as_ref().map(|b| b.as_slice()));
    match (low, high) {
        (Some(low), Some(high)) => buckets.iter().any(|bucket| match bucket {
            None => true,
            Some(bucket) => (low..=high).contains(bucket),
        }),
        _ => true,
    }
}
