//! The states of some keys as the table has them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};
use medallion_tables::files::LiveFile;
use medallion_tables::reader::KeySet;

use super::Historian;
use super::fold::State;
use super::rows::{ABOUT, About};
use crate::error::TransformError;

/// Where a row of the table stands: the file's index among those of the bucket, and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) position: u64,
}

/// A state without its values.
pub(super) struct Stored {
    pub(super) place: Place,
    pub(super) state: State<()>,
}

impl Historian {
    /// The states of each of these distinct keys, in their order. Only key columns and those that
    /// tell of states are read, as far as bounds and statistics do not rule rows out.
    pub(super) async fn states(
        &self,
        files: &[LiveFile],
        keys: &RecordBatch,
    ) -> Result<Vec<Vec<Stored>>, TransformError> {
        let mut found: Vec<Vec<Stored>> = Vec::new();
        found.resize_with(keys.num_rows(), Vec::new);
        if files.is_empty() {
            return Ok(found);
        }
        let keys = KeySet::leading(&self.table, keys, self.key.len())?;
        let about = ABOUT.map(str::to_owned);
        for (file, live) in files.iter().enumerate() {
            let located = self.table.locate(live, &keys).await?;
            let batches = self.table.read_positions(live, &located.positions, &about).await?;
            let mut places = located.positions.into_iter().zip(located.keys);
            for batch in &batches {
                let about = About::new(batch)?;
                for (row, (position, key)) in (0..batch.num_rows()).zip(&mut places) {
                    let state = about.state(row, ());
                    found[key as usize].push(Stored { place: Place { file, position }, state });
                }
            }
        }
        for states in &mut found {
            states.sort_unstable_by(|a, b| a.state.began.cmp(&b.state.began));
        }
        Ok(found)
    }

    /// The source columns of rows at these places, which ascend.
    pub(super) async fn values(
        &self,
        files: &[LiveFile],
        places: &[Place],
    ) -> Result<RecordBatch, TransformError> {
        let schema = self.table.arrow_schema();
        let fields = self.columns.iter().map(|name| schema.field_with_name(name));
        let fields = fields.map(|field| Ok(field?.clone().with_nullable(true)));
        let fields: Vec<Field> = fields.collect::<Result<_, TransformError>>()?;
        let mut batches = Vec::new();
        for of_file in places.chunk_by(|a, b| a.file == b.file) {
            let Some(file) = of_file.first().and_then(|place| files.get(place.file)) else {
                continue;
            };
            let positions: Vec<u64> = of_file.iter().map(|place| place.position).collect();
            batches.extend(self.table.read_positions(file, &positions, &self.columns).await?);
        }
        let schema = Arc::new(Schema::new(fields));
        let nullable = batches
            .into_iter()
            .map(|batch| RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec()));
        let batches = nullable.collect::<Result<Vec<_>, _>>()?;
        Ok(concat_batches(&schema, &batches)?)
    }
}
