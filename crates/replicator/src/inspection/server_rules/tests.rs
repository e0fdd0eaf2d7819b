use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::fixture::contract;
use crate::inspection::KnownBinlog;
use crate::inspection::attempt::Attempt;
use crate::inspection::finding::Severity;
use crate::inspection::server::Server;

/// The variables of a server that nothing can be said against.
const GOOD: [(&str, &str); 15] = [
    ("binlog_expire_logs_auto_purge", "ON"),
    ("binlog_expire_logs_seconds", "2592000"),
    ("binlog_format", "ROW"),
    ("binlog_row_image", "FULL"),
    ("binlog_row_metadata", "FULL"),
    ("binlog_row_value_options", ""),
    ("binlog_rows_query_log_events", "OFF"),
    ("binlog_transaction_compression", "OFF"),
    ("enforce_gtid_consistency", "ON"),
    ("gtid_mode", "ON"),
    ("log_bin", "ON"),
    ("log_replica_updates", "ON"),
    ("server_id", "1"),
    ("server_uuid", "u-1"),
    ("time_zone", "+00:00"),
];

fn good(version: &str) -> ServerState {
    let variables: BTreeMap<String, String> =
        GOOD.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ServerState {
        server: Server::new(version, variables),
        filters: Attempt::Answer(Some((String::new(), String::new()))),
        binlogs: Attempt::Answer(BTreeMap::from([("binlog.000007".to_owned(), 4 << 30)])),
        is_replica: Attempt::Answer(false),
        prepared_xa: Attempt::Answer(0),
        reads_binlog: Attempt::Answer(()),
        global_privileges: BTreeSet::from(["RELOAD".to_owned()]),
        rds_retention: Attempt::Absent,
        readable_sets: BTreeSet::new(),
    }
}

fn with(changes: &[(&str, &str)]) -> ServerState {
    let mut variables: BTreeMap<String, String> =
        GOOD.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    variables.extend(changes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
    ServerState { server: Server::new("8.4.2", variables), ..good("8.4.2") }
}

fn told_with(state: &ServerState, limits: &Limits) -> Vec<(Severity, &'static str)> {
    let mut findings = Findings::default();
    check(state, &[contract("crm.customers", "id", &[("id", "int")])], limits, &mut findings);
    findings.sorted().into_iter().map(|finding| (finding.severity, finding.rule.0)).collect()
}

fn told(state: &ServerState) -> Vec<(Severity, &'static str)> {
    told_with(state, &Limits::default())
}

use Severity::{Error, Note, Warning};

#[test]
fn a_server_as_it_should_be_has_no_findings() {
    assert_eq!(told(&good("8.4.2")), []);
    assert_eq!(told(&good("8.0.36")), []);
}

#[test]
fn each_wrong_variable_is_one_finding() {
    let cases = [
        (("log_bin", "OFF"), Error, "source/binlog-off"),
        (("binlog_format", "MIXED"), Error, "source/binlog-format"),
        (("binlog_row_image", "MINIMAL"), Error, "source/binlog-row-image"),
        (("binlog_row_metadata", "MINIMAL"), Error, "source/binlog-row-metadata"),
        (("binlog_row_value_options", "PARTIAL_JSON"), Warning, "source/partial-json"),
        (("binlog_transaction_compression", "ON"), Error, "source/compression"),
        (("binlog_rows_query_log_events", "ON"), Note, "source/statement-text"),
        (("binlog_expire_logs_seconds", "86399"), Error, "source/retention"),
        (("max_binlog_total_size", "1000000"), Warning, "source/retention"),
        (("server_id", "0"), Error, "source/server-id"),
        (("gtid_mode", "OFF"), Note, "source/gtid-off"),
        (("time_zone", "America/Sao_Paulo"), Note, "source/time-zone"),
    ];
    for (change, severity, rule) in cases {
        assert_eq!(told(&with(&[change])), [(severity, rule)], "{change:?}");
    }
}

#[test]
fn a_binlog_that_is_never_purged_reaches_back_far_enough() {
    for change in [
        vec![("binlog_expire_logs_seconds", "0")],
        vec![("binlog_expire_logs_seconds", "60"), ("binlog_expire_logs_auto_purge", "OFF")],
        vec![("binlog_expire_logs_seconds", "0"), ("expire_logs_days", "0.000000")],
        vec![("binlog_expire_logs_seconds", "0"), ("expire_logs_days", "1")],
    ] {
        assert_eq!(told(&with(&change)), [], "{change:?}");
    }
    let half_a_day = [("binlog_expire_logs_seconds", "0"), ("expire_logs_days", "0.5")];
    assert_eq!(told(&with(&half_a_day)), [(Error, "source/retention")]);
}

#[test]
fn on_rds_its_own_setting_decides_over_retention() {
    for (hours, expected) in [(Some(24), vec![]), (Some(23), vec![(Error, "source/retention")])] {
        let state = ServerState {
            rds_retention: Attempt::Answer(hours),
            ..with(&[("binlog_expire_logs_seconds", "60")])
        };
        assert_eq!(told(&state), expected);
    }
    let never_set = ServerState { rds_retention: Attempt::Answer(None), ..good("8.0.36") };
    assert_eq!(told(&never_set), [(Error, "source/retention")]);
}

#[test]
fn releases_that_dms_does_not_name_are_told() {
    for (version, expected) in [
        ("9.7.4", vec![(Warning, "source/version-dms")]),
        ("5.7.44", vec![(Error, "source/version")]),
        ("8.1.0", vec![(Warning, "source/version-dms")]),
        ("10.11.8-MariaDB", vec![]),
        ("11.8.2-MariaDB", vec![(Warning, "source/version-dms")]),
        ("10.6.18-MariaDB", vec![(Error, "source/version")]),
    ] {
        let found: Vec<_> = told(&good(version))
            .into_iter()
            .filter(|(_, rule)| rule.starts_with("source/version"))
            .collect();
        assert_eq!(found, expected, "{version}");
    }
}

#[test]
fn what_the_server_answers_is_judged() {
    let files = |name: &str, size| {
        Attempt::Answer(BTreeMap::from([(name.to_owned(), size), ("binlog.000009".into(), 1)]))
    };
    let cases = [
        (
            ServerState { binlogs: files("binlog.000008", (4 << 30) + 1), ..good("8.4.2") },
            vec![(Error, "source/binlog-file-size")],
        ),
        (
            ServerState {
                filters: Attempt::Answer(Some(("other".into(), String::new()))),
                ..good("8.4.2")
            },
            vec![(Error, "source/binlog-filter")],
        ),
        (
            ServerState { is_replica: Attempt::Answer(true), ..good("8.4.2") },
            vec![(Warning, "source/replica")],
        ),
        (
            ServerState {
                is_replica: Attempt::Answer(true),
                ..with(&[("log_replica_updates", "OFF")])
            },
            vec![(Error, "source/replica-updates"), (Warning, "source/replica")],
        ),
        (
            ServerState { prepared_xa: Attempt::Answer(2), ..good("8.4.2") },
            vec![(Warning, "source/xa-prepared")],
        ),
        (
            ServerState {
                filters: Attempt::Denied,
                reads_binlog: Attempt::Denied,
                prepared_xa: Attempt::Denied,
                global_privileges: BTreeSet::new(),
                ..good("8.4.2")
            },
            vec![
                (Error, "source/privilege"),
                (Error, "source/privilege"),
                (Warning, "source/privilege"),
                (Note, "source/privilege"),
            ],
        ),
    ];
    for (state, expected) in cases {
        assert_eq!(told(&state), expected, "{state:?}");
    }
}

#[test]
fn a_checkpoint_needs_its_server_and_its_binlog_file() {
    let stopped = |server_uuid: &str, file: &str| Limits {
        stopped_in: Some(KnownBinlog {
            server_uuid: server_uuid.into(),
            file: Some(file.into()),
            by_gtid: false,
        }),
        ..Limits::default()
    };
    let state = good("8.4.2");
    assert_eq!(told_with(&state, &stopped("u-1", "binlog.000007")), []);
    let purged = told_with(&state, &stopped("u-1", "binlog.000001"));
    assert_eq!(purged, [(Error, "source/position-purged")]);
    let other = told_with(&state, &stopped("u-2", "binlog.000001"));
    assert_eq!(other, [(Error, "source/server-changed")], "files of another server tell nothing");
    let mut by_gtid = stopped("u-2", "binlog.000001");
    by_gtid.stopped_in.as_mut().unwrap().by_gtid = true;
    assert_eq!(told_with(&state, &by_gtid), [(Warning, "source/server-changed")]);
    let without = with(&[("gtid_mode", "OFF")]);
    assert!(told_with(&without, &by_gtid).contains(&(Error, "source/server-changed")));
}
