use arrow::array::Array;
use arrow::util::display::array_value_to_string;
use mysql_async::binlog::events::Event;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::checkpoint::SafePoint;
use crate::fixture::{self, Binlog, MemorySink};
use crate::gtid::GtidSet;
use crate::transaction::Assembled;

fn tables() -> Vec<TableId> {
    vec![customers()]
}

fn customers() -> TableId {
    "crm.customers".parse().unwrap()
}

fn checkpoint() -> Checkpoint {
    let position = BinlogPosition::new("binlog.000001", 4).unwrap();
    Checkpoint::new("uuid".to_owned(), SafePoint { position, second: 0 }, GtidSet::default())
}

/// Feeds the events and flushes at the end.
async fn write(events: &[Event], sink: &MemorySink) -> Result<Progress, FollowError> {
    write_from(checkpoint(), events, sink, usize::MAX).await
}

async fn write_from(
    checkpoint: Checkpoint,
    events: &[Event],
    sink: &MemorySink,
    max_bytes: usize,
) -> Result<Progress, FollowError> {
    let tables = tables();
    let mut assembler = Assembler::new(&tables, fixture::knowledge(), fixture::hold(), &checkpoint);
    let (progress, receiver) = watch::channel(Progress::default());
    let (mut store, _) = CheckpointStore::open(sink).await?;
    let mut writer = ChangeWriter::new(sink, &tables, checkpoint, &progress, max_bytes);
    for event in events {
        if let Some(Assembled::Transaction(transaction)) = assembler.push(event)? {
            writer.take(transaction).await?;
        }
        writer.announce(&assembler.safe_point().position);
    }
    let before = receiver.borrow().durable.clone();
    writer.flush(&mut store, &assembler).await?;
    let after = receiver.borrow().clone();
    assert!(before.is_none() || writer.is_empty());
    Ok(after)
}

/// The rows of the only file: operation, id, name, old id, sequence.
fn rows(sink: &MemorySink) -> Vec<[String; 5]> {
    let objects = sink.objects();
    let (_, file) = objects.iter().find(|(key, _)| key.ends_with(".parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let text = |name: &str, row: usize| {
            let column = batch.column_by_name(name).unwrap();
            if column.is_null(row) {
                return "NULL".to_owned();
            }
            array_value_to_string(column, row).unwrap()
        };
        for row in 0..batch.num_rows() {
            rows.push(["Op", "id", "name", "BI_id", "change_seq"].map(|name| text(name, row)));
        }
    }
    rows
}

fn transaction(log: &mut Binlog, rows: impl FnOnce(&mut Binlog) -> Event) -> Vec<Event> {
    let map = |log: &mut Binlog| log.map(7, &customers(), ["id", "name"]);
    vec![log.gtid(), log.query("BEGIN"), map(log), rows(log), log.commit()]
}

#[tokio::test]
async fn changes_become_rows_with_the_old_key_beside_the_new() {
    let mut log = Binlog::new();
    let events = [
        transaction(&mut log, |log| log.insert(7, &[(1, "Ana"), (2, "Rui")])),
        transaction(&mut log, |log| {
            log.update(7, &[[(1, "Ana"), (1, "Bia")], [(2, "Rui"), (20, "Rui")]])
        }),
        transaction(&mut log, |log| log.delete(7, &[(20, "Rui")])),
    ];
    let sink = MemorySink::default();
    let progress = write(&events.concat(), &sink).await.unwrap();
    let rows = rows(&sink);
    let shown: Vec<[&str; 4]> =
        rows.iter().map(|row| [0, 1, 2, 3].map(|column| row[column].as_str())).collect();
    assert_eq!(
        shown,
        [
            ["I", "1", "Ana", "NULL"],
            ["I", "2", "Rui", "NULL"],
            ["U", "1", "Bia", "1"],
            ["U", "20", "Rui", "2"],
            ["D", "20", "Rui", "NULL"],
        ]
    );
    let sequences: Vec<&String> = rows.iter().map(|row| &row[4]).collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
    assert!(sequences[0].starts_with("1970010100000100000000001"), "{}", sequences[0]);
    let end = BinlogPosition::new("binlog.000001", log.offset()).unwrap();
    assert_eq!(progress.durable, Some(end));
    assert_eq!(progress.files.len(), 1);
    assert_eq!(progress.files[0].rows, 5);
}

#[tokio::test]
async fn reading_again_gives_the_same_rows_and_sequences() {
    let mut log = Binlog::new();
    let first = transaction(&mut log, |log| log.insert(7, &[(1, "Ana"), (2, "Rui")]));
    let (once, twice) = (MemorySink::default(), MemorySink::default());
    write(&first, &once).await.unwrap();
    write(&first, &twice).await.unwrap();
    assert_eq!(rows(&once), rows(&twice));
}

#[tokio::test]
async fn the_checkpoint_comes_after_the_files_and_never_without_them() {
    let mut log = Binlog::new();
    let events = transaction(&mut log, |log| log.insert(7, &[(1, "Ana")]));
    let sink = MemorySink::default();
    write(&events, &sink).await.unwrap();
    let keys: Vec<String> =
        sink.writes.lock().unwrap().iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(keys.len(), 2);
    assert!(keys[0].ends_with(".parquet") && keys[1] == "checkpoint", "{keys:?}");
    let stored = Checkpoint::from_json(&sink.objects()["checkpoint"]).unwrap();
    assert_eq!(stored.safe.position.offset(), log.offset());
    assert_eq!(stored.tables["crm.customers"].inserts, 1);
    let broken = MemorySink { refuses: true, ..MemorySink::default() };
    assert!(matches!(write(&events, &broken).await, Err(FollowError::Sink(_))));
    assert!(broken.objects().is_empty());
}

#[tokio::test]
async fn a_row_image_without_a_column_stops_with_the_position() {
    let mut log = Binlog::new();
    let events = transaction(&mut log, |log| log.minimal_update(7, (1, "Ana"), 2));
    let error = write(&events, &MemorySink::default()).await.unwrap_err();
    match error {
        FollowError::Row { position, source, .. } => {
            assert_eq!(position.file(), "binlog.000001");
            assert!(matches!(*source, ImageError::Partial { column } if column.as_str() == "name"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_new_shape_gets_a_file_of_its_own() {
    let mut log = Binlog::new();
    let mut events = transaction(&mut log, |log| log.insert(7, &[(1, "Ana")]));
    events.extend([log.gtid(), log.query("BEGIN")]);
    events.push(log.map(7, &customers(), ["id", "full_name"]));
    events.extend([log.insert(7, &[(2, "Rui")]), log.commit()]);
    let sink = MemorySink::default();
    let progress = write(&events, &sink).await.unwrap();
    let rows: Vec<u64> = progress.files.iter().map(|file| file.rows).collect();
    assert_eq!(rows, [1, 1]);
    let columns = |file: &WrittenFile| {
        let file = sink.objects()[&file.key.to_string()].clone();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        reader.schema().field(3).name().clone()
    };
    let columns: Vec<String> = progress.files.iter().map(columns).collect();
    assert_eq!(columns, ["name", "full_name"]);
    assert!(progress.files[0].key < progress.files[1].key);
}

#[tokio::test]
async fn a_transaction_beyond_the_buffer_becomes_files_before_the_checkpoint_moves() {
    let mut log = Binlog::new();
    let mut events = vec![log.gtid(), log.query("BEGIN")];
    events.push(log.map(7, &customers(), ["id", "name"]));
    for id in 0..100 {
        events.push(log.insert(7, &[(id, "Ana")]));
    }
    events.push(log.commit());
    let sink = MemorySink::default();
    let progress = write_from(checkpoint(), &events, &sink, 1000).await.unwrap();
    assert!(progress.files.len() > 3, "{:?}", progress.files);
    assert_eq!(progress.files.iter().map(|file| file.rows).sum::<u64>(), 100);
    let keys: Vec<String> = sink.writes.lock().unwrap().iter().map(|(k, _)| k.clone()).collect();
    assert_eq!(keys.iter().position(|key| key == "checkpoint"), Some(keys.len() - 1));
}

#[tokio::test]
async fn what_the_full_load_has_already_is_passed_over() {
    let mut log = Binlog::new();
    let mut events = transaction(&mut log, |log| log.insert(7, &[(1, "Ana")]));
    let loaded_at = BinlogPosition::new("binlog.000001", log.offset()).unwrap();
    events.extend(transaction(&mut log, |log| log.insert(7, &[(2, "Rui")])));
    let mut checkpoint = checkpoint();
    checkpoint.table(&customers()).loaded_at = Some(loaded_at);
    let sink = MemorySink::default();
    write_from(checkpoint, &events, &sink, usize::MAX).await.unwrap();
    let ids: Vec<String> = rows(&sink).into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(ids, ["2"]);
}

/// A definition inside a transaction does not move the safe place, and yet must be remembered.
#[tokio::test]
async fn a_demand_for_a_load_is_stored_though_the_place_is_the_same() {
    let (sink, tables) = (MemorySink::default(), tables());
    let (progress, _receiver) = watch::channel(Progress::default());
    let (mut store, _) = CheckpointStore::open(&sink).await.unwrap();
    let mut writer = ChangeWriter::new(&sink, &tables, checkpoint(), &progress, usize::MAX);
    let read = Assembler::new(&tables, fixture::knowledge(), fixture::hold(), &checkpoint());
    writer.flush(&mut store, &read).await.unwrap();
    assert!(sink.objects().is_empty(), "nothing has changed");
    writer.load_again(&customers());
    writer.flush(&mut store, &read).await.unwrap();
    let mut stored = Checkpoint::from_json(&sink.objects()["checkpoint"]).unwrap();
    assert_eq!(stored.table(&customers()).reloads, 1);
}

#[test]
fn no_file_takes_the_name_of_another() {
    assert_eq!(next_name(None, 5), 5);
    assert_eq!(next_name(Some(4), 5), 5);
    assert_eq!(next_name(Some(5), 5), 6);
    assert_eq!(next_name(Some(9), 5), 10);
}

#[test]
fn timestamps_show_microseconds() {
    let time = DateTime::from_timestamp(1_769_860_800, 0).unwrap();
    assert_eq!(timestamp_text(time), "2026-01-31 12:00:00.000000");
}
