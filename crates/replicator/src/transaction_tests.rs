use super::*;
use crate::fixture::{Binlog, contract};

fn contracts() -> Vec<TableContract> {
    vec![contract("crm.customers", "id", &[("id", "int"), ("name", "varchar(50)")])]
}

fn collations() -> BTreeSet<u16> {
    BTreeSet::from([255])
}

fn start() -> BinlogPosition {
    BinlogPosition::new("binlog.000001", 4).unwrap()
}

/// All commits of these events: seconds, sequence seconds, and the number of row events.
fn commits(
    assembler: &mut Assembler<'_>,
    events: &[Event],
) -> Result<Vec<(u32, u32, usize)>, FollowError> {
    let mut commits = Vec::new();
    for event in events {
        if let Some(commit) = assembler.push(event)? {
            commits.push((commit.second, commit.sequence_second, commit.rows.len()));
        }
    }
    Ok(commits)
}

fn run(events: &[Event]) -> Result<Vec<(u32, u32, usize)>, FollowError> {
    let (contracts, collations) = (contracts(), collations());
    commits(&mut Assembler::new(&contracts, &collations, start(), 0), events)
}

fn customers() -> medallion_definition::name::TableId {
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
    let (contracts, collations) = (contracts(), collations());
    // From a checkpoint after the first transaction.
    let mut again = Assembler::new(&contracts, &collations, start(), 50);
    assert_eq!(commits(&mut again, &events[3..]).unwrap(), [(40, 50, 0), (60, 60, 0)]);
}

#[test]
fn a_safe_position_is_the_end_of_a_transaction_also_in_the_next_file() {
    let mut log = Binlog::new();
    let (contracts, collations) = (contracts(), collations());
    let mut assembler = Assembler::new(&contracts, &collations, start(), 0);
    let push = |assembler: &mut Assembler<'_>, event: Event| {
        assembler.push(&event).unwrap();
        assembler.safe_position().to_string()
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
    // A heartbeat repeats the position of the last event.
    let heartbeat = log.event_at(0x1B, b"binlog.000002", 9999);
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
    // XA_PREPARE, compressed transaction, INCIDENT, partial JSON update, LOAD DATA by statement.
    for kind in [38, 40, 26, 39, 18] {
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
fn a_table_map_that_does_not_fit_its_contract_stops_with_the_position() {
    let map_error = |contracts: &[TableContract], collations: &BTreeSet<u16>| {
        let mut log = Binlog::new();
        let events = [log.query("BEGIN"), log.map(7, &customers(), ["id", "name"])];
        let mut assembler = Assembler::new(contracts, collations, start(), 0);
        match commits(&mut assembler, &events).unwrap_err() {
            FollowError::TableMap { position, source, .. } => format!("{position} {source}"),
            other => panic!("{other:?}"),
        }
    };
    let with = |columns: &[(&str, &str)]| vec![contract("crm.customers", "id", columns)];
    let error = map_error(&with(&[("id", "int"), ("gone", "int")]), &collations());
    assert_eq!(error, "binlog.000001:42 the source table has no column `gone`");
    let error = map_error(&with(&[("id", "int"), ("name", "blob")]), &collations());
    assert!(error.ends_with("`name` has another type than the contract"), "{error}");
    let error = map_error(&contracts(), &BTreeSet::new());
    assert!(error.contains("character set"), "{error}");
}

#[test]
fn columns_are_found_by_name_whatever_their_order_and_extra_ones_are_ignored() {
    let contracts = vec![contract("crm.customers", "id", &[("id", "int")])];
    let collations = collations();
    let mut log = Binlog::new();
    let events = [
        log.query("BEGIN"),
        log.map(7, &customers(), ["id", "extra"]),
        log.insert(7, &[(1, "x")]),
        log.commit(),
    ];
    let mut assembler = Assembler::new(&contracts, &collations, start(), 0);
    assert_eq!(commits(&mut assembler, &events).unwrap(), [(1, 1, 1)]);
}
