//! The events of a bucket, or of a part of one, by key and in the order of the source.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema};
use arrow::row::Rows;

use super::Historian;
use super::fold::{Happening, Mark, Origin};
use super::rows::Values;
use crate::error::TransformError;
use crate::merge::event::Effect;
use crate::merge::winners::{At, Held, prefix};

/// Events in the order of (key, change_seq, own or not, file, row).
pub(super) struct Happenings {
    held: Arc<Held>,
    order: Vec<At>,
    /// The source columns of each event, in the types of the table.
    pub(super) rows: RecordBatch,
    /// The columns by which states are compared.
    pub(super) encoded: Rows,
    /// The events of each key.
    pub(super) keys: Vec<Range<usize>>,
}

impl Happenings {
    pub(super) fn new(
        historian: &Historian,
        held: Arc<Held>,
        events: Vec<At>,
    ) -> Result<Happenings, TransformError> {
        let mut order: Vec<(u64, At)> =
            events.into_iter().map(|at| (prefix(held.key(at)), at)).collect();
        order.sort_unstable_by(|(p, a), (q, b)| {
            let keys = p.cmp(q).then_with(|| held.key(*a).cmp(held.key(*b)));
            keys.then_with(|| held.place(*a).cmp(&held.place(*b)))
        });
        let order: Vec<At> = order.into_iter().map(|(_, at)| at).collect();
        let rows = historian.fit(&held.rows(&order)?)?;
        let encoded = historian.encode(&rows)?;
        let same_key = |a: &At, b: &At| held.key(*a) == held.key(*b);
        let mut from = 0;
        let keys = order.chunk_by(same_key).map(|events| {
            let range = from..from + events.len();
            from = range.end;
            range
        });
        let keys = keys.collect();
        Ok(Happenings { held, order, rows, encoded, keys })
    }

    pub(super) fn key(&self, key: &Range<usize>) -> &[u8] {
        self.held.key(self.order[key.start])
    }

    /// The first event of each key.
    pub(super) fn first_rows(&self) -> Vec<u32> {
        self.keys.iter().map(|key| u32::try_from(key.start).unwrap_or(u32::MAX)).collect()
    }

    /// What happens to a key.
    pub(super) fn of(&self, historian: &Historian, key: &Range<usize>) -> Vec<Happening<Values>> {
        let happening = |index: usize| {
            let at = self.order[index];
            let effect = self.held.effect(at);
            let origin = match (self.held.ordinal(at).is_own(), effect) {
                (false, _) => Origin::Recalled,
                (true, Effect::Departure) => Origin::Departure,
                (true, Effect::Upsert | Effect::Delete) => Origin::Own,
            };
            Happening {
                mark: historian.mark(self.held.seq(at)),
                at: self.held.changed_at(at),
                values: (effect == Effect::Upsert).then_some(Values::Event(index)),
                origin,
            }
        };
        key.clone().map(happening).collect()
    }

    /// The oldest late change that the batch has of a key. A load row counts as late even where no
    /// change was applied yet: a part of the load that came before it may have ended the state.
    pub(super) fn late(&self, historian: &Historian, key: &Range<usize>) -> Option<Mark> {
        let own = key.clone().map(|index| self.order[index]);
        let first = own.filter(|at| self.held.ordinal(*at).is_own()).map(|at| self.held.seq(at));
        let oldest = first.min()?;
        let late = oldest.is_empty() || oldest < historian.watermark_seq.as_str();
        late.then(|| historian.mark(oldest))
    }
}

impl Historian {
    /// A place in the generation of the batch.
    pub(super) fn mark(&self, seq: &str) -> Mark {
        Mark { generation: self.generation, seq: seq.to_owned() }
    }

    /// The source columns of events in the types of the table.
    fn fit(&self, events: &RecordBatch) -> Result<RecordBatch, TransformError> {
        let schema = self.table.arrow_schema();
        let (mut fields, mut columns) = (Vec::<Field>::new(), Vec::<ArrayRef>::new());
        for name in &self.columns {
            let field = schema.field_with_name(name)?;
            let column = events.column(events.schema().index_of(name)?);
            let fits = column.data_type() == field.data_type();
            columns.push(if fits { Arc::clone(column) } else { cast(column, field.data_type())? });
            fields.push(field.clone().with_nullable(true));
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }

    /// The columns by which states are compared, as one value per row.
    pub(super) fn encode(&self, rows: &RecordBatch) -> Result<Rows, TransformError> {
        let columns = self.compared.iter().filter_map(|name| rows.column_by_name(name).cloned());
        Ok(self.converter.convert_columns(&columns.collect::<Vec<_>>())?)
    }
}
