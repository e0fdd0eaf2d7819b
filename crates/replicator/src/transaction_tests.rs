use mysql_async::binlog::EventType;

use super::*;
use crate::fixture::{self, Binlog};

fn tables() -> Vec<TableId> {
    vec![customers()]
}

fn start() -> SafePoint {
    SafePoint { position: BinlogPosition::new("binlog.000001", 4).unwrap(), second: 0 }
}

fn assembler(tables: &[TableId], start: SafePoint) -> Assembler<'_> {
    assembler_of(tables, &checkpoint(start))
}

fn checkpoint(start: SafePoint) -> Checkpoint {
    Checkpoint::new("uuid".to_owned(), start, GtidSet::default())
}

fn assembler_of<'a>(tables: &'a [TableId], checkpoint: &Checkpoint) -> Assembler<'a> {
    Assembler::new(tables, fixture::knowledge(), fixture::hold(), checkpoint)
}

/// All commits of these events: seconds, sequence seconds, and the number of row events.
fn commits(
    assembler: &mut Assembler<'_>,
    events: &[Event],
) -> Result<Vec<(u32, u32, u64)>, FollowError> {
    let mut commits = Vec::new();
    for event in events {
        if let Some(Assembled::Transaction(commit)) = assembler.push(event)? {
            commits.push((commit.second, commit.sequence_second, commit.rows.events()));
        }
    }
    Ok(commits)
}

fn run(events: &[Event]) -> Result<Vec<(u32, u32, u64)>, FollowError> {
    commits(&mut assembler(&tables(), start()), events)
}

fn customers() -> TableId {
    "crm.customers".parse().unwrap()
}

#[test]
fn rows_are_released_at_their_commit_and_dropped_at_a_rollback() {
    let mut log = Binlog::new();
    let events = [
        log.gtid(),
        log.query("BEGIN"),
        log.map(7, &customers(), ["id", "name"]),
        log.insert(7, &[(1, "Ana"), (2, "Rui")]),
        log.delete(7, &[(1, "Ana")]),
        log.commit(),
        log.gtid(),
        log.query("BEGIN"),
        log.map(7, &customers(), ["id", "name"]),
        log.insert(7, &[(3, "Eva")]),
        log.query("ROLLBACK"),
        log.gtid(),
        log.query("BEGIN"),
        log.query("COMMIT"),
    ];
    assert_eq!(run(&events).unwrap(), [(1, 1, 2), (1, 1, 0)]);
}

#[test]
fn other_tables_are_passed_over_without_a_look_at_their_rows() {
    let mut log = Binlog::new();
    let events = [
        log.gtid(),
        log.query("BEGIN"),
        log.map(8, &"crm.other".parse().unwrap(), ["x", "y"]),
        log.insert(8, &[(1, "x")]),
        log.commit(),
    ];
    assert_eq!(run(&events).unwrap(), [(1, 1, 0)]);
}

#[test]
fn the_sequence_second_never_steps_back_and_continues_from_a_checkpoint() {
    let mut log = Binlog::new();
    let mut events = Vec::new();
    for second in [50, 40, 60] {
        log.second = second;
        events.extend([log.gtid(), log.query("BEGIN"), log.commit()]);
    }
    assert_eq!(run(&events).unwrap(), [(50, 50, 0), (40, 50, 0), (60, 60, 0)]);
    let tables = tables();
    // From a checkpoint after the first transaction.
    let mut again = assembler(&tables, SafePoint { second: 50, ..start() });
    assert_eq!(commits(&mut again, &events[3..]).unwrap(), [(40, 50, 0), (60, 60, 0)]);
}

#[test]
fn a_safe_position_is_the_end_of_a_transaction_also_in_the_next_file() {
    let mut log = Binlog::new();
    let tables = tables();
    let mut assembler = assembler(&tables, start());
    let push = |assembler: &mut Assembler<'_>, event: Event| {
        assembler.push(&event).unwrap();
        assembler.safe_point().position.to_string()
    };
    assert_eq!(push(&mut assembler, log.gtid()), "binlog.000001:4");
    assert_eq!(push(&mut assembler, log.query("BEGIN")), "binlog.000001:4");
    let commit = log.commit();
    let end = format!("binlog.000001:{}", log.offset());
    assert_eq!(push(&mut assembler, commit), end);
    assert_eq!(push(&mut assembler, log.gtid()), end);
    let definition = log.query("ALTER TABLE crm.customers ADD c INT");
    let end = format!("binlog.000001:{}", log.offset());
    assert_eq!(push(&mut assembler, definition), end);
    assert_eq!(push(&mut assembler, log.rotate("binlog.000002")), "binlog.000002:4");
    // The server repeats the rotation at the beginning of the file, without a position.
    let repeated = log.event_at(4, b"\x04\0\0\0\0\0\0\0binlog.000002", 0);
    assert_eq!(push(&mut assembler, repeated), "binlog.000002:4");
    // A heartbeat of an earlier place, as large files have them, changes nothing.
    let heartbeat = log.event_at(0x1B, b"binlog.000002", 3);
    assert_eq!(push(&mut assembler, heartbeat), "binlog.000002:4");
}

#[test]
fn what_would_lose_changes_stops_with_the_position() {
    let event_error = |events: &[Event]| match run(events).unwrap_err() {
        FollowError::Event { position, source } => (position.to_string(), source),
        other => panic!("{other:?}"),
    };
    let mut log = Binlog::new();
    let statement = [log.gtid(), log.query("BEGIN"), log.query("INSERT INTO crm.customers …")];
    let (position, source) = event_error(&statement);
    assert_eq!(position, "binlog.000001:103");
    assert!(matches!(source, EventError::Unsupported { .. }));
    // Compressed transaction, INCIDENT, LOAD DATA by statement, MariaDB's compressed rows.
    for kind in [40, 26, 18, 166] {
        let (_, source) = event_error(&[Binlog::new().event(kind, &[0; 40])]);
        assert!(matches!(source, EventError::Unsupported { .. }), "{kind}");
    }
    for kind in [99, 0, 255] {
        let (_, source) = event_error(&[Binlog::new().event(kind, &[])]);
        assert!(matches!(source, EventError::Unknown(unknown) if unknown == kind));
    }
    let mut log = Binlog::new();
    let (_, source) = event_error(&[log.query("BEGIN"), log.insert(9, &[(1, "x")])]);
    assert!(matches!(source, EventError::NoTableMap { table_id: 9 }));
    let mut log = Binlog::new();
    let wrapped = [log.gtid(), log.event_at(16, &[0; 8], 5)];
    assert!(matches!(event_error(&wrapped).1, EventError::FileTooLong));
    let mut log = Binlog::new();
    let savepoint = [
        log.query("BEGIN"),
        log.map(7, &customers(), ["id", "name"]),
        log.insert(7, &[(1, "x")]),
        log.query("ROLLBACK TO `s`"),
    ];
    assert!(matches!(event_error(&savepoint).1, EventError::Unsupported { .. }));
}

#[test]
fn a_table_that_cannot_be_carried_stops_with_the_position() {
    let map_error = |knowledge: SourceKnowledge, names: [&str; 2]| {
        let mut log = Binlog::new();
        let events = [log.query("BEGIN"), log.map(7, &customers(), names)];
        let tables = tables();
        let checkpoint = checkpoint(start());
        let mut assembler = Assembler::new(&tables, knowledge, fixture::hold(), &checkpoint);
        match commits(&mut assembler, &events).unwrap_err() {
            FollowError::TableMap { position, source, .. } => format!("{position} {source:?}"),
            other => panic!("{other:?}"),
        }
    };
    let error = map_error(SourceKnowledge::default(), ["id", "name"]);
    assert!(error.starts_with("binlog.000001:42 CharacterSet"), "{error}");
    let error = map_error(fixture::knowledge(), ["id", "change_seq"]);
    assert!(error.contains("Reserved { column: \"change_seq\" }"), "{error}");
    let generated = BTreeMap::from([(customers(), BTreeSet::from(["id".to_owned()]))]);
    let knowledge = SourceKnowledge { generated, ..fixture::knowledge() };
    let error = map_error(knowledge, ["id", "name"]);
    assert!(error.contains("KeyLeftOut { column: \"id\" }"), "{error}");
}

#[test]
fn prepared_transactions_hold_back_the_safe_point_until_they_are_decided() {
    let mut log = Binlog::new();
    let tables = tables();
    let mut assembler = assembler(&tables, start());
    let mut push = |event: Event| {
        let assembled = assembler.push(&event).unwrap();
        let rows = assembled.map(|assembled| match assembled {
            Assembled::Transaction(commit) => commit.rows.events(),
            Assembled::Definition(touched) => panic!("{touched:?}"),
        });
        (assembler.safe_point().position.offset(), rows)
    };
    let prepare =
        |log: &mut Binlog, push: &mut dyn FnMut(Event) -> (u64, Option<u64>), xid: &str| {
            push(log.gtid());
            push(log.query(&format!("XA START {xid}")));
            push(log.map(7, &customers(), ["id", "name"]));
            push(log.insert(7, &[(1, "Ana")]));
            push(log.query(&format!("XA END {xid}")));
            push(log.event(38, &[0; 12]))
        };
    // The first holds the place where it began, whatever follows.
    assert_eq!(prepare(&mut log, &mut push, "X'01',X'',1"), (4, None));
    let second = log.offset();
    assert_eq!(prepare(&mut log, &mut push, "X'02',X'',1"), (4, None));
    push(log.gtid());
    push(log.query("BEGIN"));
    assert_eq!(push(log.commit()), (4, Some(0)));
    push(log.gtid());
    assert_eq!(push(log.query("XA ROLLBACK X'01',X'',1")), (second, None));
    push(log.gtid());
    let commit = log.query("XA COMMIT X'02',X'',1");
    assert_eq!(push(commit), (log.offset(), Some(1)));
    // In one phase it commits at once.
    push(log.gtid());
    push(log.query("XA START X'03',X'',1"));
    let commit = log.event(38, &[1; 12]);
    assert_eq!(push(commit), (log.offset(), Some(0)));
    let unknown = log.query("XA COMMIT X'09',X'',1");
    let error = assembler.push(&unknown).unwrap_err();
    assert!(matches!(error, FollowError::Event { source: EventError::UnknownXa, .. }));
}

#[test]
fn what_was_decided_before_the_checkpoint_is_not_told_again() {
    let mut log = Binlog::new();
    let tables = tables();
    let transaction = |log: &mut Binlog| {
        let mut events = vec![log.gtid(), log.query("BEGIN")];
        events.push(log.map(7, &customers(), ["id", "name"]));
        events.extend([log.insert(7, &[(1, "Ana")]), log.commit()]);
        events
    };
    // An XA transaction from before the checkpoint commits, then an ordinary one.
    let mut events = vec![log.gtid(), log.query("XA COMMIT X'01',X'',1")];
    events.extend(transaction(&mut log));
    let decided = log.offset();
    events.extend(transaction(&mut log));
    let mut checkpoint = checkpoint(start());
    checkpoint.decided = Some(start().position.at(decided));
    let mut assembler = assembler_of(&tables, &checkpoint);
    assert_eq!(commits(&mut assembler, &events).unwrap(), [(1, 1, 1)]);
    assert_eq!(assembler.decided().offset(), log.offset());
}

#[test]
fn data_definition_tells_which_captured_tables_it_touches() {
    let mut log = Binlog::new();
    let tables = tables();
    let mut assembler = assembler(&tables, start());
    let mut touched = |query: &str| match assembler.push(&log.query(query)).unwrap() {
        Some(Assembled::Definition(touched)) => touched,
        Some(Assembled::Transaction(commit)) => panic!("{commit:?}"),
        None => Vec::new(),
    };
    assert_eq!(touched("TRUNCATE crm.customers"), [(0, TableEffect::Emptied)]);
    assert_eq!(touched("DROP DATABASE crm"), [(0, TableEffect::Dropped)]);
    assert_eq!(touched("TRUNCATE crm.other"), []);
    assert_eq!(touched("CREATE USER u"), []);
}

/// The server says by a heartbeat how far it has passed over transactions of the set.
#[test]
fn after_a_start_by_gtids_the_place_is_that_of_the_first_transaction_to_come() {
    let heartbeat =
        |log: &Binlog, end: u64| log.event_at(0x1B, b"binlog.000007", u32::try_from(end).unwrap());
    let mut log = Binlog::new();
    let tables = tables();
    let start = SafePoint { position: BinlogPosition::unknown(), second: 5 };
    let mut assembler = assembler(&tables, start.clone());
    let mut body = 4_u64.to_le_bytes().to_vec();
    body.extend(b"binlog.000007");
    assembler.push(&log.event_at(EventType::ROTATE_EVENT as u8, &body, 0)).unwrap();
    assembler.push(&log.event(EventType::PREVIOUS_GTIDS_EVENT as u8, &[0; 8])).unwrap();
    assert_eq!(*assembler.safe_point(), start, "what is passed over lies behind this place");
    let skipped = log.offset() + 500;
    assembler.push(&heartbeat(&log, skipped)).unwrap();
    let place = |offset| BinlogPosition::new("binlog.000007", offset).unwrap();
    assert_eq!(assembler.safe_point().position, place(skipped));
    // Neither amid a transaction nor from another file.
    assembler.push(&log.event_at(EventType::ANONYMOUS_GTID_EVENT as u8, &[0; 8], 2000)).unwrap();
    assembler.push(&heartbeat(&log, 9000)).unwrap();
    assert_eq!(assembler.safe_point().position, place(skipped));
}

#[test]
fn the_decided_place_never_steps_back_while_it_is_read_up_to_again() {
    let mut log = Binlog::new();
    let tables = tables();
    let prepare = |log: &mut Binlog, xid: &str| {
        [log.gtid(), log.query(&format!("XA START {xid}")), log.event(38, &[0; 12])].to_vec()
    };
    let first = prepare(&mut log, "X'01',X'',1");
    let second = prepare(&mut log, "X'02',X'',1");
    let commit = [log.gtid(), log.query("XA COMMIT X'01',X'',1")].to_vec();
    let mut assembler = assembler(&tables, start());
    commits(&mut assembler, &[first, second.clone(), commit.clone()].concat()).unwrap();
    let stored = |assembler: &Assembler<'_>| {
        let mut checkpoint = checkpoint(assembler.safe_point().clone());
        checkpoint.decided = Some(assembler.decided().clone());
        checkpoint
    };
    let checkpoint = stored(&assembler);
    assert!(checkpoint.decided.as_ref().is_some_and(|place| *place > checkpoint.safe.position));
    // A start that stores its place before it has read anything.
    let again = stored(&assembler_of(&tables, &checkpoint));
    assert_eq!(again.decided, checkpoint.decided);
    let mut last = assembler_of(&tables, &again);
    assert_eq!(commits(&mut last, &[second, commit].concat()).unwrap(), []);
}

#[test]
fn the_beginning_of_a_transaction_that_never_ended_is_forgotten() {
    let mut log = Binlog::new();
    let begin = |log: &mut Binlog| {
        let map = [log.gtid(), log.query("BEGIN"), log.map(7, &customers(), ["id", "name"])];
        [map.to_vec(), vec![log.insert(7, &[(1, "Ana")])]].concat()
    };
    let broken = begin(&mut log);
    let rotation = vec![log.rotate("binlog.000002")];
    let whole = [begin(&mut log), vec![log.commit()]].concat();
    assert_eq!(run(&[broken, rotation, whole].concat()).unwrap(), [(1, 1, 1)]);
}
