//! Main takes over what a branch holds, whatever main held: one more snapshot of main.
//!
//! The history of main goes on in a line, so that readers of it see an overwrite like any other:
//! files that only main had are removed, files that only the branch has are added. Added files
//! keep their data sequence numbers, so that exactly those deletes apply to them that apply to
//! them on the branch.

use std::collections::{BTreeMap, HashMap, HashSet};

use iceberg::Result;
use iceberg::spec::{ManifestContentType, ManifestFile, Operation, Snapshot, Summary};

use super::branch::known;
use super::manifests::add_existing;
use super::publish::publish;
use super::remove::load;
use super::stage::{Stage, Staged, discard};
use super::summary::{Tally, summary};
use super::{Branch, CommitError};
use crate::files::LiveFile;
use crate::table::LakeTable;
use crate::warehouse::Warehouse;

/// Entries of one manifest; about 8 MiB of them.
const ENTRIES: usize = 8192;

/// Makes what the branch holds what main holds, by one overwrite on top of main. It succeeds only
/// if `base` is still current, so nothing that main got since is lost unseen. The branch stays.
/// What comes back is the table at main.
///
/// # Errors
/// [`CommitError::UnknownBranch`]; [`CommitError::Conflict`] when somebody else committed to the
/// table, on any branch; or what a commit says.
pub async fn replace_main(
    warehouse: &Warehouse,
    base: &LakeTable,
    branch: &str,
    summary: BTreeMap<String, String>,
) -> std::result::Result<LakeTable, CommitError> {
    let head = known(base, branch)?;
    let main = base.at_main();
    let mut stage = Stage::new(&main);
    match stage.taken_over(&head, summary).await {
        Ok(snapshot) => {
            let staged = Staged { snapshot, files: stage.files };
            publish(warehouse, base, staged, &Branch::Main).await
        }
        Err(source) => {
            discard(warehouse.file_io(), stage.files).await;
            Err(CommitError::staging(base, source))
        }
    }
}

/// What becomes of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Comes,
    Stays,
    Goes,
}

/// Files by partition spec and content, data files first.
type ByKind = BTreeMap<(bool, i32), Vec<(Fate, LiveFile)>>;

impl Stage<'_> {
    async fn taken_over(
        &mut self,
        head: &LakeTable,
        entries: BTreeMap<String, String>,
    ) -> Result<Snapshot> {
        let (common, files) = self.compare(head).await?;
        let (mut added, mut removed) = (Tally::default(), Tally::default());
        for (fate, file) in files.values().flatten() {
            match fate {
                Fate::Comes => added.add(&file.data_file),
                Fate::Goes => removed.add(&file.data_file),
                Fate::Stays => {}
            }
        }
        let mut manifests = Vec::new();
        for ((deletes, spec_id), files) in files {
            let content =
                if deletes { ManifestContentType::Deletes } else { ManifestContentType::Data };
            for part in files.chunks(ENTRIES) {
                manifests.push(self.write_fates(spec_id, content, part).await?);
            }
        }
        manifests.extend(common);
        let properties = summary(entries, &added, &removed, &manifests, self.base.summary());
        let list = self.write_list(manifests).await?;
        let operation = Operation::Overwrite;
        Ok(self.build(list, Summary { operation, additional_properties: properties }))
    }

    /// The manifests that main and the branch share, and the files of all others.
    async fn compare(&self, head: &LakeTable) -> Result<(Vec<ManifestFile>, ByKind)> {
        let (ours, theirs) = (self.base.live_manifests().await?, head.live_manifests().await?);
        let shared: HashSet<String> = {
            let ours: HashSet<&str> = ours.iter().map(|m| m.manifest_path.as_str()).collect();
            let theirs = theirs.iter().map(|m| &m.manifest_path);
            theirs.filter(|path| ours.contains(path.as_str())).cloned().collect()
        };
        let is_shared = |m: &ManifestFile| shared.contains(&m.manifest_path);
        let (common, theirs): (Vec<_>, Vec<_>) = theirs.into_iter().partition(is_shared);
        let ours = ours.into_iter().filter(|m| !is_shared(m)).collect();
        let mut going: HashMap<String, (bool, LiveFile)> = HashMap::new();
        for (manifest, files) in load(self.base, ours).await? {
            let deletes = manifest.content == ManifestContentType::Deletes;
            going.extend(files.into_iter().map(|file| (file.path().to_owned(), (deletes, file))));
        }
        let mut files = ByKind::new();
        for (manifest, theirs) in load(head, theirs).await? {
            let deletes = manifest.content == ManifestContentType::Deletes;
            let kind = files.entry((deletes, manifest.partition_spec_id)).or_default();
            for file in theirs {
                let there = going.remove(file.path()).is_some();
                kind.push((if there { Fate::Stays } else { Fate::Comes }, file));
            }
        }
        for (deletes, file) in going.into_values() {
            files.entry((deletes, file.spec_id)).or_default().push((Fate::Goes, file));
        }
        for kind in files.values_mut() {
            kind.sort_by(|(_, a), (_, b)| a.path().cmp(b.path()));
        }
        Ok((common, files))
    }

    async fn write_fates(
        &mut self,
        spec_id: i32,
        content: ManifestContentType,
        files: &[(Fate, LiveFile)],
    ) -> Result<ManifestFile> {
        let mut writer = self.manifest_writer(spec_id, content)?;
        for (fate, file) in files {
            let (data, number) = (file.sequence_number, file.file_sequence_number);
            match fate {
                Fate::Comes => writer.add_file(file.data_file.clone(), data)?,
                Fate::Stays => add_existing(&mut writer, file.clone())?,
                Fate::Goes => writer.add_delete_file(file.data_file.clone(), data, Some(number))?,
            }
        }
        writer.write_manifest_file().await
    }
}
