//! Writing manifests.

use iceberg::spec::{
    DataFile, ManifestContentType, ManifestFile, ManifestWriter, ManifestWriterBuilder,
};
use iceberg::{Error, ErrorKind, Result};

use super::merge::TARGET_BYTES;
use super::remove::Rewrite;
use super::stage::Stage;
use crate::files::LiveFile;

impl Stage<'_> {
    /// A manifest of files that the change adds.
    pub(super) async fn write_added(
        &mut self,
        spec_id: i32,
        content: ManifestContentType,
        files: Vec<DataFile>,
    ) -> Result<ManifestFile> {
        let mut writer = self.manifest_writer(spec_id, content)?;
        for file in files {
            // A negative number means: that of the snapshot, which readers inherit.
            writer.add_file(file, -1)?;
        }
        writer.write_manifest_file().await
    }

    /// The manifests of entries whose manifests were touched, none much larger than the target.
    pub(super) async fn write_rewrite(
        &mut self,
        spec_id: i32,
        content: ManifestContentType,
        rewrite: Rewrite,
    ) -> Result<Vec<ManifestFile>> {
        let parts = usize::try_from(rewrite.bytes / TARGET_BYTES).unwrap_or_default() + 1;
        let mut deleted = rewrite.deleted;
        let mut existing = rewrite.existing;
        let of_each = existing.len().div_ceil(parts).max(1);
        let mut written = Vec::new();
        while !existing.is_empty() || !deleted.is_empty() {
            let later = existing.split_off(of_each.min(existing.len()));
            let mut writer = self.manifest_writer(spec_id, content)?;
            for file in std::mem::replace(&mut existing, later) {
                add_existing(&mut writer, file)?;
            }
            for file in std::mem::take(&mut deleted) {
                let file_number = Some(file.file_sequence_number);
                writer.add_delete_file(file.data_file, file.sequence_number, file_number)?;
            }
            written.push(writer.write_manifest_file().await?);
        }
        Ok(written)
    }

    pub(super) fn manifest_writer(
        &mut self,
        spec_id: i32,
        content: ManifestContentType,
    ) -> Result<ManifestWriter> {
        let path = self.new_manifest_path();
        let metadata = self.base.metadata();
        let spec = metadata.partition_spec_by_id(spec_id).ok_or_else(|| {
            Error::new(ErrorKind::DataInvalid, format!("partition spec {spec_id} is unknown"))
        })?;
        let builder = ManifestWriterBuilder::new(
            self.base.table.file_io().new_output(path)?,
            Some(self.snapshot_id),
            metadata.current_schema().clone(),
            spec.as_ref().clone(),
        );
        Ok(match content {
            ManifestContentType::Data => builder.build_v2_data(),
            ManifestContentType::Deletes => builder.build_v2_deletes(),
        })
    }
}

/// Carries an entry over with the snapshot and the sequence numbers that it has.
pub(super) fn add_existing(writer: &mut ManifestWriter, file: LiveFile) -> Result<()> {
    let (data, file_number) = (file.sequence_number, Some(file.file_sequence_number));
    writer.add_existing_file(file.data_file, file.snapshot_id, data, file_number)
}
