//! Merging of small manifests, so that planning does not grow with the number of commits.
//!
//! Every commit leaves a small manifest or two. Nothing happens until there are too many of one
//! partition spec and content; then they are packed into large ones, which are left alone from
//! there on. So a commit reads a hundred small manifests once in a hundred commits, as Iceberg's
//! Java implementation does (`MergingSnapshotProducer`).

use std::collections::BTreeMap;

use iceberg::Result;
use iceberg::spec::{ManifestContentType, ManifestFile};

use super::manifests::add_existing;
use super::stage::Stage;
use crate::files::live_entries;

/// Bytes from which a manifest is large.
pub(super) const TARGET_BYTES: u64 = 8 * 1024 * 1024;

/// Small manifests of one partition spec and content that are left alone.
pub(crate) const SMALL_MANIFESTS: usize = 100;

/// Partition spec and content of a manifest; delete files after data files.
pub(super) type Kind = (i32, ManifestContentType);

impl Stage<'_> {
    /// The manifests, with the small ones merged where they have become too many. Entries keep
    /// snapshot and sequence numbers; dead ones are left behind.
    pub(super) async fn merge_small(
        &mut self,
        manifests: Vec<ManifestFile>,
    ) -> Result<Vec<ManifestFile>> {
        let (small, mut result): (Vec<_>, Vec<_>) =
            manifests.into_iter().partition(|m| bytes(m) < TARGET_BYTES);
        let mut kinds: BTreeMap<(i32, bool), Vec<ManifestFile>> = BTreeMap::new();
        for manifest in small {
            let deletes = manifest.content == ManifestContentType::Deletes;
            kinds.entry((manifest.partition_spec_id, deletes)).or_default().push(manifest);
        }
        for group in kinds.into_values() {
            if group.len() <= SMALL_MANIFESTS {
                result.extend(group);
                continue;
            }
            for pack in packs(group) {
                result.push(self.merge(pack).await?);
            }
        }
        Ok(result)
    }

    async fn merge(&mut self, pack: Pack) -> Result<ManifestFile> {
        if pack.rest.is_empty() {
            return Ok(pack.first);
        }
        let kind = (pack.first.partition_spec_id, pack.first.content);
        let mut writer = self.manifest_writer(kind.0, kind.1)?;
        let manifests = std::iter::once(pack.first).chain(pack.rest).collect();
        for (manifest, entries) in self.base.load_manifests(manifests).await? {
            for file in live_entries(&manifest, &entries)? {
                add_existing(&mut writer, file)?;
            }
        }
        writer.write_manifest_file().await
    }
}

/// Manifests that become one.
struct Pack {
    first: ManifestFile,
    rest: Vec<ManifestFile>,
}

/// Packs in order of age. A pack ends once it has reached the target, so that all but the last
/// are large and are not packed again.
fn packs(mut group: Vec<ManifestFile>) -> Vec<Pack> {
    group.sort_by(|a, b| {
        (a.sequence_number, &a.manifest_path).cmp(&(b.sequence_number, &b.manifest_path))
    });
    let mut packs: Vec<Pack> = Vec::new();
    let mut filled = u64::MAX;
    for manifest in group {
        let length = bytes(&manifest);
        match packs.last_mut() {
            Some(pack) if filled < TARGET_BYTES => {
                pack.rest.push(manifest);
                filled += length;
            }
            _ => {
                packs.push(Pack { first: manifest, rest: Vec::new() });
                filled = length;
            }
        }
    }
    packs
}

fn bytes(manifest: &ManifestFile) -> u64 {
    u64::try_from(manifest.manifest_length).unwrap_or_default()
}
