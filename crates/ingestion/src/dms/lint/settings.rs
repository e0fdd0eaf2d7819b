//! The task settings.

use medallion_definition::contract::TableContract;
use medallion_definition::finding::RuleId;
use serde_json::Value;

use super::Report;
use super::expect::{Expectation, Wanted, check, expect, integer, same, scalar};
use super::rules::*;
use crate::dms::lob;

/// A row whose value is true or false; DMS takes `default` when it is missing.
const fn flag(
    rule: RuleId,
    path: &'static str,
    default: &'static str,
    wanted: &'static [&'static str],
    hint: &'static str,
) -> Expectation {
    expect(rule, path, Some(default), Wanted::Is(wanted), hint)
}

const ON: &[&str] = &["true"];
const OFF: &[&str] = &["false"];
/// The only strict value of keys that cannot suspend a table.
const STOP: &[&str] = &["STOP_TASK"];
const STRICT: &[&str] = &["STOP_TASK", "SUSPEND_TABLE"];
const POLICY: &str = "STOP_TASK, or SUSPEND_TABLE when the other tables have to go on";

const TABLE: [Expectation; 41] = [
    flag(LOBS_LEFT_OUT, "/TargetMetadata/SupportLobs", "true", ON, "SupportLobs=true"),
    flag(FULL_LOB_MODE, "/TargetMetadata/FullLobMode", "false", OFF, "LimitedSizeLobMode=true"),
    flag(FULL_LOB_MODE, "/TargetMetadata/LimitedSizeLobMode", "true", ON, "FullLobMode=false"),
    flag(FULL_LOB_MODE, "/TargetMetadata/InlineLobMaxSize", "0", &["0"], "InlineLobMaxSize=0"),
    flag(BATCH_APPLY, "/TargetMetadata/BatchApplyEnabled", "false", OFF, "BatchApplyEnabled=false"),
    flag(PARALLEL_THREADS, "/TargetMetadata/ParallelLoadThreads", "0", &["0"], "leave it 0"),
    flag(PARALLEL_THREADS, "/TargetMetadata/ParallelApplyThreads", "0", &["0"], "leave it 0"),
    expect(TARGET_SCHEMA, "/TargetMetadata/TargetSchema", None, Wanted::Absent, "leave it empty"),
    expect(
        PREPARATION,
        "/FullLoadSettings/TargetTablePrepMode",
        Some("DO_NOTHING"),
        Wanted::Is(&["DO_NOTHING"]),
        "DO_NOTHING; a new full load is recognised by its files",
    ),
    flag(
        STOP_AFTER_LOAD,
        "/FullLoadSettings/StopTaskCachedChangesApplied",
        "false",
        OFF,
        "a task that stands still misses changes when the binlog is purged",
    ),
    flag(
        STOP_AFTER_LOAD,
        "/FullLoadSettings/StopTaskCachedChangesNotApplied",
        "false",
        OFF,
        "a task that stands still misses changes when the binlog is purged",
    ),
    range("/FullLoadSettings/MaxFullLoadSubTasks", 1, 49),
    range("/FullLoadSettings/CommitRate", 1, 50_000),
    flag(LOGGING, "/Logging/EnableLogging", "false", ON, "EnableLogging=true"),
    flag(CONTROL_TABLES, "/ControlTablesSettings/HistoryTableEnabled", "false", OFF, "turn it off"),
    flag(CONTROL_TABLES, "/ControlTablesSettings/StatusTableEnabled", "false", OFF, "turn it off"),
    flag(
        CONTROL_TABLES,
        "/ControlTablesSettings/SuspendedTablesTableEnabled",
        "false",
        OFF,
        "turn it off",
    ),
    flag(
        CONTROL_TABLES,
        "/ControlTablesSettings/FullLoadExceptionTableEnabled",
        "false",
        OFF,
        "turn it off",
    ),
    flag(
        CONTROL_TABLES,
        "/ControlTablesSettings/CommitPositionTableEnabled",
        "false",
        OFF,
        "turn it off",
    ),
    range("/StreamBufferSettings/CtrlStreamBufferSizeInMB", 1, 8),
    range("/ChangeProcessingTuning/StatementCacheSize", 0, 200),
    flag(
        TRUNCATE_HANDLED,
        "/ChangeProcessingDdlHandlingPolicy/HandleSourceTableTruncated",
        "true",
        OFF,
        "HandleSourceTableTruncated=false",
    ),
    flag(
        DROP_HANDLED,
        "/ChangeProcessingDdlHandlingPolicy/HandleSourceTableDropped",
        "true",
        OFF,
        "HandleSourceTableDropped=false",
    ),
    flag(
        ALTER_IGNORED,
        "/ChangeProcessingDdlHandlingPolicy/HandleSourceTableAltered",
        "true",
        ON,
        "HandleSourceTableAltered=true",
    ),
    flag(
        TRUNCATE_UNNOTICED,
        "/ErrorBehavior/ApplyErrorFailOnTruncationDdl",
        "false",
        ON,
        "ApplyErrorFailOnTruncationDdl=true; reload the table when the task stops",
    ),
    policy("/ErrorBehavior/DataErrorPolicy", "LOG_ERROR"),
    policy("/ErrorBehavior/DataTruncationErrorPolicy", "LOG_ERROR"),
    policy("/ErrorBehavior/DataErrorEscalationPolicy", "SUSPEND_TABLE"),
    flag(ERROR_POLICY, "/ErrorBehavior/EventErrorPolicy", "IGNORE", STOP, "STOP_TASK"),
    policy("/ErrorBehavior/TableErrorPolicy", "SUSPEND_TABLE"),
    flag(
        ERROR_POLICY,
        "/ErrorBehavior/TableErrorEscalationPolicy",
        "STOP_TASK",
        STOP,
        "STOP_TASK; DMS has no other",
    ),
    policy("/ErrorBehavior/ApplyErrorDeletePolicy", "IGNORE_RECORD"),
    policy("/ErrorBehavior/ApplyErrorInsertPolicy", "LOG_ERROR"),
    policy("/ErrorBehavior/ApplyErrorUpdatePolicy", "LOG_ERROR"),
    policy("/ErrorBehavior/ApplyErrorEscalationPolicy", "LOG_ERROR"),
    flag(
        CONFLICTS_IGNORED,
        "/ErrorBehavior/FullLoadIgnoreConflicts",
        "true",
        OFF,
        "FullLoadIgnoreConflicts=false",
    ),
    flag(
        NO_TABLES_CAPTURED,
        "/ErrorBehavior/FailOnNoTablesCaptured",
        "false",
        ON,
        "FailOnNoTablesCaptured=true",
    ),
    flag(
        VALIDATION_ONLY,
        "/ValidationSettings/ValidationOnly",
        "false",
        OFF,
        "ValidationOnly=false",
    ),
    flag(
        BEFORE_IMAGE_SETTINGS,
        "/BeforeImageSettings/EnableBeforeImage",
        "false",
        OFF,
        "leave BeforeImageSettings null and use `add-before-image-columns`",
    ),
    flag(TIME_TRAVEL, "/TTSettings/EnableTT", "false", OFF, "leave TTSettings out"),
    range("/TargetMetadata/LobMaxSize", 0, 102_400),
];

const fn policy(path: &'static str, default: &'static str) -> Expectation {
    expect(ERROR_POLICY, path, Some(default), Wanted::Is(STRICT), POLICY)
}

const fn range(path: &'static str, low: i64, high: i64) -> Expectation {
    expect(SETTING_RANGE, path, None, Wanted::Between(low, high), "see the DMS guide")
}

/// The groups whose keys have defaults that matter.
const GROUPS: [&str; 9] = [
    "TargetMetadata",
    "FullLoadSettings",
    "Logging",
    "ControlTablesSettings",
    "StreamBufferSettings",
    "ChangeProcessingTuning",
    "ChangeProcessingDdlHandlingPolicy",
    "ErrorBehavior",
    "ValidationSettings",
];

/// Other keys of the top level.
const OTHERS: [&str; 7] = [
    "BeforeImageSettings",
    "CharacterSetSettings",
    "FailTaskWhenCleanTaskResourceFailed",
    "LoopbackPreventionSettings",
    "PostProcessingRules",
    "ResyncSettings",
    "TTSettings",
];

/// Judges the settings; `milliseconds` says whether the target writes such timestamps.
pub(super) fn settings(
    document: &Value,
    contracts: &[TableContract],
    milliseconds: bool,
    report: &mut Report,
) {
    check(document, &TABLE, report);
    validation(document, milliseconds, report);
    groups(document, report);
    lob_size(document, contracts, report);
    log_detail(document, report);
}

/// Validation reads Bronze by Athena, which copes only with timestamps in milliseconds.
fn validation(document: &Value, milliseconds: bool, report: &mut Report) {
    const PATH: &str = "/ValidationSettings/EnableValidation";
    let on = scalar(document.pointer(PATH)).is_some_and(|value| same(&value, "true"));
    if on && !milliseconds {
        let message = "validation is on, and Athena misreads the microseconds of Bronze";
        let hint = "EnableValidation=false; the project's own verification compares";
        report.add(VALIDATION, PATH, message, hint);
    }
}

fn groups(document: &Value, report: &mut Report) {
    for group in GROUPS {
        if !document.get(group).is_some_and(Value::is_object) {
            let hint = "write it down: its defaults may change, and some lose data";
            let message = format!("the group `{group}` is missing");
            report.add(SETTINGS_INCOMPLETE, &format!("/{group}"), message, hint);
        }
    }
    for key in document.as_object().into_iter().flat_map(|object| object.keys()) {
        if !GROUPS.contains(&key.as_str()) && !OTHERS.contains(&key.as_str()) {
            let hint = format!("known are {}, {}", GROUPS.join(", "), OTHERS.join(", "));
            let message = format!("`{key}` is no setting of DMS");
            report.add(SETTINGS_UNKNOWN, &format!("/{key}"), message, &hint);
        }
    }
}

/// The task's limit has to cover every table: table-level LOB settings are documented for other
/// targets than S3.
fn lob_size(document: &Value, contracts: &[TableContract], report: &mut Report) {
    const PATH: &str = "/TargetMetadata/LobMaxSize";
    let limit = integer(document.pointer(PATH));
    let limit = limit.map_or(lob::DEFAULT_KB, |kb| u64::try_from(kb).unwrap_or_default());
    let most = contracts.iter().filter_map(|c| Some((lob::needed_kb(c)?, c))).max_by_key(|m| m.0);
    let Some((needed, contract)) = most.filter(|(needed, _)| *needed > limit) else { return };
    let message =
        format!("values of `{}` are cut at {limit} KB, and it needs {needed} KB", contract.table);
    let hint = "raise LobMaxSize, or promise a smaller `[load] lob_max_kb` in the contract";
    report.add(LOB_SIZE, PATH, message, hint);
}

fn log_detail(document: &Value, report: &mut Report) {
    let components = document.pointer("/Logging/LogComponents").and_then(Value::as_array);
    for (place, component) in components.into_iter().flatten().enumerate() {
        let severity = component.get("Severity").and_then(Value::as_str).unwrap_or_default();
        if severity.ends_with("DEBUG") {
            let path = format!("/Logging/LogComponents/{place}/Severity");
            let hint = "LOGGER_SEVERITY_DEFAULT; more only while somebody looks for a fault";
            report.add(LOG_DETAIL, &path, format!("the level is `{severity}`"), hint);
        }
    }
}
