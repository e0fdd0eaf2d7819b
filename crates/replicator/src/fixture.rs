//! Shapes, binlog events and a store for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use medallion_definition::contract::{Column, Engine, LoadOptions, Sensitivity, TableContract};
use medallion_definition::name::TableId;
use medallion_ingestion::layout::BronzeKey;
use mysql_async::binlog::events::{Event, FormatDescriptionEvent, TableMapEvent};
use mysql_async::binlog::{BinlogVersion, EventType};

use crate::charset::Charsets;
use crate::held_rows::HoldPolicy;
use crate::knowledge::SourceKnowledge;
use crate::sink::{BronzeSink, ObjectVersion, SinkError};
use crate::table_map::RowLayout;

/// Knowledge of a source whose only collation is utf8mb4_0900_ai_ci.
pub(crate) fn knowledge() -> SourceKnowledge {
    let collations = BTreeMap::from([(255, "utf8mb4".to_owned())]);
    SourceKnowledge { charsets: Charsets::of(&collations), generated: BTreeMap::new() }
}

/// Rows of transactions wait in memory.
pub(crate) fn hold() -> HoldPolicy {
    HoldPolicy { max_bytes: usize::MAX, folder: std::env::temp_dir() }
}

/// The layout of a table with these column names.
pub(crate) fn layout(names: [&str; 2]) -> Arc<RowLayout> {
    let event = Binlog::new().map(7, &"crm.customers".parse().unwrap(), names);
    let map: TableMapEvent<'_> = event.read_event().unwrap();
    let charsets = knowledge().charsets;
    Arc::new(RowLayout::new(&map, &charsets, &BTreeSet::new()).unwrap())
}

/// A contract with these columns and types; the key is a comma-separated list.
pub(crate) fn contract(table: &str, key: &str, columns: &[(&str, &str)]) -> TableContract {
    let column = |(name, source_type): &(&str, &str)| Column {
        name: name.parse().unwrap(),
        source_type: source_type.parse().unwrap(),
        nullable: true,
        sensitivity: Sensitivity::Internal,
        description: String::new(),
        normalisers: Vec::new(),
        checks: Vec::new(),
        added: false,
        renamed_from: Vec::new(),
    };
    TableContract {
        table: table.parse().unwrap(),
        description: String::new(),
        key: key.split(',').map(|name| name.trim().parse().unwrap()).collect(),
        columns: columns.iter().map(column).collect(),
        row_rules: Vec::new(),
        buckets: 1,
        engine: Engine::Native,
        load: LoadOptions::default(),
        dropped: Vec::new(),
        history: false,
        file: "fixture.toml".to_owned(),
    }
}

/// A binlog file in the making, whose tables have the columns `id INT` and `name VARCHAR(50)`.
pub(crate) struct Binlog {
    offset: u32,
    /// The time in the headers of the next events.
    pub(crate) second: u32,
}

impl Binlog {
    /// The first event begins at offset 4, one second after the epoch.
    pub(crate) fn new() -> Binlog {
        Binlog { offset: 4, second: 1 }
    }

    /// The end of the last event.
    pub(crate) fn offset(&self) -> u64 {
        self.offset.into()
    }

    /// An event of this type with this body.
    pub(crate) fn event(&mut self, kind: u8, body: &[u8]) -> Event {
        let size = u32::try_from(19 + body.len()).unwrap();
        self.offset = self.offset.saturating_add(size);
        self.event_at(kind, body, self.offset)
    }

    /// An event that claims to end at this offset.
    pub(crate) fn event_at(&self, kind: u8, body: &[u8], end: u32) -> Event {
        let size = u32::try_from(19 + body.len()).unwrap();
        let mut bytes = self.second.to_le_bytes().to_vec();
        bytes.push(kind);
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend(end.to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(body);
        let description = FormatDescriptionEvent::new(BinlogVersion::Version4);
        Event::read(&description, bytes.as_slice()).unwrap()
    }

    /// The event that opens a transaction's group.
    pub(crate) fn gtid(&mut self) -> Event {
        self.event(EventType::ANONYMOUS_GTID_EVENT as u8, &[0; 42])
    }

    pub(crate) fn query(&mut self, text: &str) -> Event {
        let mut body = vec![0; 13];
        body.push(0);
        body.extend(text.as_bytes());
        self.event(EventType::QUERY_EVENT as u8, &body)
    }

    pub(crate) fn commit(&mut self) -> Event {
        self.event(EventType::XID_EVENT as u8, &[0; 8])
    }

    /// A real rotation; events of the next file begin at offset 4 again.
    pub(crate) fn rotate(&mut self, file: &str) -> Event {
        let mut body = 4_u64.to_le_bytes().to_vec();
        body.extend(file.as_bytes());
        let event = self.event(EventType::ROTATE_EVENT as u8, &body);
        self.offset = 4;
        event
    }

    /// The table map of a table with these column names; the first is INT, the second VARCHAR.
    pub(crate) fn map(&mut self, number: u8, table: &TableId, names: [&str; 2]) -> Event {
        let sized = |text: &str| {
            let mut bytes = vec![u8::try_from(text.len()).unwrap()];
            bytes.extend(text.as_bytes());
            bytes
        };
        let mut body = vec![number, 0, 0, 0, 0, 0, 0, 0];
        for name in [table.schema.as_str(), table.table.as_str()] {
            body.extend(sized(name));
            body.push(0);
        }
        // Two columns, LONG and VARCHAR; two bytes of metadata; both nullable.
        body.extend([2, 3, 15, 2, 200, 0, 0b11]);
        let columns: Vec<u8> = names.iter().flat_map(|name| sized(name)).collect();
        // Signedness, default character set utf8mb4_0900_ai_ci, column names, primary key.
        body.extend([1, 1, 0, 2, 3, 252, 255, 0, 4, u8::try_from(columns.len()).unwrap()]);
        body.extend(columns);
        body.extend([8, 1, 0]);
        self.event(EventType::TABLE_MAP_EVENT as u8, &body)
    }

    fn rows(&mut self, kind: EventType, number: u8, bitmaps: &[u8], images: &[u8]) -> Event {
        let mut body = vec![number, 0, 0, 0, 0, 0, 1, 0, 2, 0, 2];
        body.extend(bitmaps);
        body.extend(images);
        self.event(kind as u8, &body)
    }

    pub(crate) fn insert(&mut self, number: u8, rows: &[(i32, &str)]) -> Event {
        let images: Vec<u8> = rows.iter().flat_map(|row| image(*row)).collect();
        self.rows(EventType::WRITE_ROWS_EVENT, number, &[0b11], &images)
    }

    pub(crate) fn delete(&mut self, number: u8, rows: &[(i32, &str)]) -> Event {
        let images: Vec<u8> = rows.iter().flat_map(|row| image(*row)).collect();
        self.rows(EventType::DELETE_ROWS_EVENT, number, &[0b11], &images)
    }

    pub(crate) fn update(&mut self, number: u8, rows: &[[(i32, &str); 2]]) -> Event {
        let images: Vec<u8> =
            rows.iter().flat_map(|[old, new]| [image(*old), image(*new)].concat()).collect();
        self.rows(EventType::UPDATE_ROWS_EVENT, number, &[0b11, 0b11], &images)
    }

    /// An update whose after image lacks the second column, as with `binlog_row_image=MINIMAL`.
    pub(crate) fn minimal_update(&mut self, number: u8, old: (i32, &str), id: i32) -> Event {
        let mut images = image(old);
        images.push(0);
        images.extend(id.to_le_bytes());
        self.rows(EventType::UPDATE_ROWS_EVENT, number, &[0b11, 0b01], &images)
    }
}

/// A row image without NULLs.
fn image((id, name): (i32, &str)) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(id.to_le_bytes());
    bytes.push(u8::try_from(name.len()).unwrap());
    bytes.extend(name.as_bytes());
    bytes
}

/// A store in memory that remembers the order of its writes, and may refuse them.
#[derive(Default)]
pub(crate) struct MemorySink {
    pub(crate) writes: Mutex<Vec<(String, Bytes)>>,
    pub(crate) refuses: bool,
}

impl MemorySink {
    pub(crate) fn objects(&self) -> BTreeMap<String, Bytes> {
        self.writes.lock().unwrap().iter().cloned().collect()
    }

    fn write(&self, key: String, body: Bytes) -> Result<(), SinkError> {
        if self.refuses {
            let source = "refused".into();
            return Err(SinkError::Unavailable { key, action: "written", source });
        }
        self.writes.lock().unwrap().push((key, body));
        Ok(())
    }
}

impl BronzeSink for MemorySink {
    async fn put(&self, key: &BronzeKey, file: Bytes) -> Result<(), SinkError> {
        self.write(key.to_string(), file)
    }

    async fn retain_loads(&self, _: &TableId, _: &BTreeSet<BronzeKey>) -> Result<(), SinkError> {
        Ok(())
    }

    async fn read_checkpoint(&self) -> Result<Option<(Bytes, ObjectVersion)>, SinkError> {
        let objects = self.objects();
        let found = objects.get("checkpoint");
        Ok(found.map(|json| (json.clone(), ObjectVersion(json.len().to_string()))))
    }

    async fn write_checkpoint(
        &self,
        json: Bytes,
        _: Option<&ObjectVersion>,
    ) -> Result<ObjectVersion, SinkError> {
        let version = ObjectVersion(json.len().to_string());
        self.write("checkpoint".to_owned(), json).map(|()| version)
    }
}
