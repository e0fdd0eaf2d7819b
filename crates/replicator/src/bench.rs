//! What the benches of this crate reach of its inside. No part of the interface.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use medallion_definition::name::TableId;
use mysql_async::binlog::events::{Event, FormatDescriptionEvent};
use mysql_async::binlog::{BinlogVersion, EventType};

use crate::bronze_file::{BronzeFileError, RowBuffer};
use crate::charset::Charsets;
use crate::checkpoint::{Checkpoint, SafePoint};
use crate::event::EventError;
use crate::follow_error::FollowError;
use crate::gtid::GtidSet;
use crate::held_rows::HoldPolicy;
use crate::knowledge::SourceKnowledge;
use crate::position::BinlogPosition;
use crate::transaction::{Assembled, Assembler};
use crate::writer::{Outgoing, Stamp};

/// Bytes before the first event of a binlog file.
const MAGIC_BYTES: usize = 4;
/// The collations of the recorded table: utf8mb4_bin, and the server's default.
const COLLATIONS: [u16; 2] = [46, 255];

/// The rows of a table, decoded and not yet encoded.
pub struct Decoded(Outgoing);

impl Decoded {
    /// Decodes all changes of a table in a binlog file.
    pub fn read(file: &[u8], table: &TableId) -> Result<Decoded, FollowError> {
        let collations = COLLATIONS.map(|id| (id, "utf8mb4".to_owned()));
        let charsets = Charsets::of(&BTreeMap::from(collations));
        let knowledge = SourceKnowledge { charsets, generated: BTreeMap::new() };
        let hold = HoldPolicy { max_bytes: usize::MAX, folder: PathBuf::new() };
        let position = BinlogPosition::new("binlog.1", 4)?;
        let malformed = |source| FollowError::Event {
            position: position.clone(),
            source: EventError::Malformed { source },
        };
        let start = SafePoint { position: position.clone(), second: 0 };
        let checkpoint = Checkpoint::new(String::new(), start, GtidSet::default());
        let tables = std::slice::from_ref(table);
        let mut assembler = Assembler::new(tables, knowledge, hold, &checkpoint);
        let mut outgoing = Outgoing::new(table.clone(), None);
        let mut description = FormatDescriptionEvent::new(BinlogVersion::Version4);
        let mut rest = file.get(MAGIC_BYTES..).unwrap_or_default();
        while !rest.is_empty() {
            let event = Event::read(&description, &mut rest).map_err(malformed)?;
            if event.header().event_type_raw() == EventType::FORMAT_DESCRIPTION_EVENT as u8 {
                let read: FormatDescriptionEvent<'_> = event.read_event().map_err(malformed)?;
                description = read.into_owned().with_footer(event.footer());
            }
            if let Some(Assembled::Transaction(mut transaction)) = assembler.push(&event)? {
                let stamp = Stamp::new(transaction.second, transaction.sequence_second);
                while let Some(rows) = transaction.rows.pop().map_err(FollowError::Spill)? {
                    outgoing.take(&rows, &stamp)?;
                }
            }
        }
        Ok(Decoded(outgoing))
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.0.buffers().map(RowBuffer::rows).sum()
    }

    /// The Bronze files of the rows.
    pub fn encode(self) -> Result<Vec<Bytes>, BronzeFileError> {
        self.0.into_buffers().map(|mut buffer| buffer.finish()).collect()
    }
}
