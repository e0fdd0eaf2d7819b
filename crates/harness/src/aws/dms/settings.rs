//! Task settings: the document completed with DMS's defaults, and what of it the replicator is
//! told.
//!
//! Source: AWS DMS guide, "Specifying task settings". A setting that would change what is written
//! and that the replicator does not perform is refused; one that only tunes DMS is kept and shown.

use serde_json::{Map, Value};

use super::error::DmsError;

/// DMS's defaults; also the list of all settings and their types.
const DEFAULTS: &str = include_str!("task_settings.json");

/// What happens to the objects of a table before a full load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preparation {
    /// They stay; files of the same name are replaced.
    Keep,
    /// They are removed.
    Clear,
}

/// Checked task settings.
#[derive(Debug, Clone)]
pub(super) struct TaskSettings {
    /// The whole document as DMS describes it.
    pub(super) document: Value,
    pub(super) preparation: Preparation,
    /// `MaxFullLoadSubTasks`: connections of a full load.
    pub(super) connections: usize,
    /// `FailOnNoTablesCaptured`.
    pub(super) fail_without_tables: bool,
    /// `ApplyErrorFailOnTruncationDdl`.
    pub(super) fail_on_truncation: bool,
    /// `EnableValidation`.
    pub(super) validation: bool,
    /// `MemoryLimitTotal` in bytes: the most of a transaction that is held in memory.
    pub(super) transaction_bytes: usize,
    /// `LobMaxSize` in bytes.
    pub(super) lob_bytes: u64,
    pub(super) retry: RetryPolicy,
}

/// How often and how soon a recoverable error is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RetryPolicy {
    /// `RecoverableErrorCount`; none means for ever.
    pub(super) count: Option<u32>,
    /// `RecoverableErrorInterval`, seconds.
    pub(super) interval: u64,
    /// `RecoverableErrorThrottlingMax`, seconds; the interval grows up to it.
    pub(super) longest: u64,
}

/// Values that are the only ones performed, with the reason.
const ONLY: &[(&str, &str, bool, &str)] = &[
    ("TargetMetadata", "FullLobMode", false, "an S3 target has no full LOB mode"),
    ("TargetMetadata", "LimitedSizeLobMode", true, "an S3 target has no other mode"),
    ("TargetMetadata", "SupportLobs", true, "the local stand-in writes all LOBs"),
    ("TargetMetadata", "BatchApplyEnabled", false, "an S3 target may lose data with it"),
    (
        "FullLoadSettings",
        "StopTaskCachedChangesApplied",
        false,
        "the local stand-in follows the changes without a stop",
    ),
    (
        "FullLoadSettings",
        "StopTaskCachedChangesNotApplied",
        false,
        "the local stand-in follows the changes without a stop",
    ),
    ("ControlTablesSettings", "HistoryTableEnabled", false, CONTROL),
    ("ControlTablesSettings", "SuspendedTablesTableEnabled", false, CONTROL),
    ("ControlTablesSettings", "StatusTableEnabled", false, CONTROL),
    ("ControlTablesSettings", "FullLoadExceptionTableEnabled", false, CONTROL),
    ("ControlTablesSettings", "CommitPositionTableEnabled", false, CONTROL),
    ("ChangeProcessingDdlHandlingPolicy", "HandleSourceTableDropped", false, KEEPS),
    ("ChangeProcessingDdlHandlingPolicy", "HandleSourceTableTruncated", false, KEEPS),
    (
        "ChangeProcessingDdlHandlingPolicy",
        "HandleSourceTableAltered",
        true,
        "the local stand-in always follows altered tables",
    ),
    (
        "ValidationSettings",
        "ValidationOnly",
        false,
        "the local stand-in replicates, it does not validate",
    ),
];
const CONTROL: &str = "the local stand-in writes no control tables";
const KEEPS: &str = "true would delete objects of Bronze, which the local stand-in never does";

const ENUMERATIONS: &[(&str, &str, &[&str])] = &[
    ("FullLoadSettings", "TargetTablePrepMode", &["DO_NOTHING", "DROP_AND_CREATE", TRUNCATE]),
    ("ErrorBehavior", "DataErrorPolicy", POLICIES),
    ("ErrorBehavior", "DataTruncationErrorPolicy", POLICIES),
    ("ErrorBehavior", "DataMaskingErrorPolicy", POLICIES),
    ("ErrorBehavior", "DataErrorEscalationPolicy", &["LOG_ERROR", "SUSPEND_TABLE", "STOP_TASK"]),
    ("ErrorBehavior", "EventErrorPolicy", &["IGNORE", "STOP_TASK"]),
    ("ErrorBehavior", "TableErrorPolicy", &["SUSPEND_TABLE", "STOP_TASK"]),
    ("ErrorBehavior", "TableErrorEscalationPolicy", &["STOP_TASK"]),
    ("ErrorBehavior", "ApplyErrorDeletePolicy", POLICIES),
    ("ErrorBehavior", "ApplyErrorInsertPolicy", APPLY),
    ("ErrorBehavior", "ApplyErrorUpdatePolicy", APPLY),
    ("ErrorBehavior", "ApplyErrorEscalationPolicy", &["LOG_ERROR", "SUSPEND_TABLE", "STOP_TASK"]),
    ("ValidationSettings", "ValidationMode", &["ROW_LEVEL", "GROUP_LEVEL"]),
];
const TRUNCATE: &str = "TRUNCATE_BEFORE_LOAD";
const POLICIES: &[&str] = &["IGNORE_RECORD", "LOG_ERROR", "SUSPEND_TABLE", "STOP_TASK"];
const APPLY: &[&str] =
    &["IGNORE_RECORD", "LOG_ERROR", "SUSPEND_TABLE", "STOP_TASK", "INSERT_RECORD", "UPDATE_RECORD"];

const RANGES: &[(&str, &str, i64, i64)] = &[
    ("TargetMetadata", "LobMaxSize", 1, 102_400),
    ("FullLoadSettings", "MaxFullLoadSubTasks", 1, 49),
    ("FullLoadSettings", "CommitRate", 1, 50_000),
    ("FullLoadSettings", "TransactionConsistencyTimeout", 0, 86_400),
    ("StreamBufferSettings", "CtrlStreamBufferSizeInMB", 1, 8),
    ("ChangeProcessingTuning", "MemoryLimitTotal", 1, 1_048_576),
    ("ChangeProcessingTuning", "StatementCacheSize", 0, 200),
    ("ErrorBehavior", "RecoverableErrorCount", -1, i32::MAX as i64),
    ("ErrorBehavior", "RecoverableErrorInterval", 0, 86_400),
    ("ErrorBehavior", "RecoverableErrorThrottlingMax", 0, 86_400),
];

impl TaskSettings {
    /// Reads the JSON text of a task; without one, everything is DMS's default.
    ///
    /// # Errors
    /// Unknown settings, values of a wrong type, out of range, or not performed.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, DmsError> {
        let mut document: Value = serde_json::from_str(DEFAULTS)
            .map_err(|error| DmsError::Internal(format!("task_settings.json: {error}")))?;
        if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
            let given: Value = serde_json::from_str(text)
                .map_err(|error| invalid(&format!("the document is not valid: {error}")))?;
            merge(&mut document, given, "")?;
        }
        check(&document)?;
        let flag = |section: &str, name: &str| document[section][name] == Value::Bool(true);
        let number = |section: &str, name: &str| document[section][name].as_i64().unwrap_or(0);
        let positive = |section: &str, name: &str| {
            usize::try_from(number(section, name)).unwrap_or(usize::MAX)
        };
        let mode = &document["FullLoadSettings"]["TargetTablePrepMode"];
        let errors = "ErrorBehavior";
        let interval = number(errors, "RecoverableErrorInterval").unsigned_abs();
        let throttled = flag(errors, "RecoverableErrorThrottling");
        let longest = number(errors, "RecoverableErrorThrottlingMax").unsigned_abs();
        Ok(Self {
            preparation: if mode == "DO_NOTHING" { Preparation::Keep } else { Preparation::Clear },
            connections: positive("FullLoadSettings", "MaxFullLoadSubTasks"),
            fail_without_tables: flag(errors, "FailOnNoTablesCaptured"),
            fail_on_truncation: flag(errors, "ApplyErrorFailOnTruncationDdl"),
            validation: flag("ValidationSettings", "EnableValidation"),
            transaction_bytes: positive("ChangeProcessingTuning", "MemoryLimitTotal") << 20,
            lob_bytes: number("TargetMetadata", "LobMaxSize").unsigned_abs() << 10,
            retry: RetryPolicy {
                count: u32::try_from(number(errors, "RecoverableErrorCount")).ok(),
                interval,
                longest: if throttled { longest.max(interval) } else { interval },
            },
            document,
        })
    }
}

fn invalid(reason: &str) -> DmsError {
    DmsError::value(format!("Invalid task settings: {reason}"))
}

/// Puts what is given over the defaults; both must have the same members and types.
fn merge(into: &mut Value, given: Value, path: &str) -> Result<(), DmsError> {
    match (into, given) {
        (Value::Object(into), Value::Object(given)) => merge_members(into, given, path),
        (Value::Null, Value::Null) => Ok(()),
        (Value::Null, _) => {
            Err(invalid(&format!("{path} is not served by the local stand-in; leave it null")))
        }
        (into, given) => {
            let same = std::mem::discriminant(&*into) == std::mem::discriminant(&given);
            if !same || (given.is_number() && !given.is_i64()) {
                return Err(invalid(&format!("{path} has a value of the wrong type")));
            }
            *into = given;
            Ok(())
        }
    }
}

fn merge_members(
    into: &mut Map<String, Value>,
    given: Map<String, Value>,
    path: &str,
) -> Result<(), DmsError> {
    for (name, value) in given {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let known = into.get_mut(&name);
        let known = known.ok_or_else(|| invalid(&format!("{path} is not a task setting")))?;
        merge(known, value, &path)?;
    }
    Ok(())
}

fn check(document: &Value) -> Result<(), DmsError> {
    for (section, name, wanted, why) in ONLY {
        if document[section][name] != Value::Bool(*wanted) {
            return Err(invalid(&format!("{section}.{name} must be {wanted}: {why}")));
        }
    }
    for (section, name, known) in ENUMERATIONS {
        let value = document[section][name].as_str().unwrap_or_default();
        if !known.contains(&value) {
            let known = known.join(", ");
            return Err(invalid(&format!("{section}.{name} must be one of {known}")));
        }
    }
    for (section, name, least, most) in RANGES {
        let value = document[section][name].as_i64().unwrap_or(i64::MIN);
        if !(least..=most).contains(&&value) {
            return Err(invalid(&format!("{section}.{name} must be between {least} and {most}")));
        }
    }
    if document["TargetMetadata"]["TargetSchema"] != "" {
        return Err(invalid("TargetMetadata.TargetSchema must be empty: it would move the files"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The one thing that DMS's defaults have and the replicator does not perform.
    fn kept() -> Value {
        json!({"ChangeProcessingDdlHandlingPolicy":
            {"HandleSourceTableDropped": false, "HandleSourceTableTruncated": false}})
    }

    fn parse(given: &Value) -> Result<TaskSettings, DmsError> {
        let mut document = kept();
        for (section, members) in given.as_object().unwrap() {
            document[section] = members.clone();
        }
        TaskSettings::parse(Some(&document.to_string()))
    }

    #[test]
    fn defaults_complete_the_document() {
        let settings = parse(&json!({"FullLoadSettings": {"MaxFullLoadSubTasks": 3}})).unwrap();
        assert_eq!(settings.connections, 3);
        assert_eq!(settings.document["FullLoadSettings"]["CommitRate"], 10_000);
        assert_eq!(settings.transaction_bytes, 1 << 30);
        assert_eq!(settings.lob_bytes, 32 * 1024);
        assert_eq!(settings.retry, RetryPolicy { count: None, interval: 5, longest: 1800 });
        assert_eq!(settings.preparation, Preparation::Keep);
    }

    #[test]
    fn the_defaults_of_dms_would_delete_bronze_and_are_refused() {
        let refused = TaskSettings::parse(None).unwrap_err().to_string();
        assert!(refused.contains("HandleSourceTable"), "{refused}");
    }

    #[test]
    fn unknown_wrong_and_unperformed_settings_are_refused_by_name() {
        for (given, named) in [
            (json!({"FullLoadSetting": {}}), "FullLoadSetting"),
            (json!({"FullLoadSettings": {"Commitrate": 1}}), "FullLoadSettings.Commitrate"),
            (json!({"FullLoadSettings": {"CommitRate": "1"}}), "FullLoadSettings.CommitRate"),
            (json!({"FullLoadSettings": {"CommitRate": 0}}), "FullLoadSettings.CommitRate"),
            (json!({"FullLoadSettings": {"MaxFullLoadSubTasks": 50}}), "MaxFullLoadSubTasks"),
            (json!({"FullLoadSettings": {"TargetTablePrepMode": "DROP"}}), "TargetTablePrepMode"),
            (json!({"TargetMetadata": {"FullLobMode": true}}), "FullLobMode"),
            (json!({"TargetMetadata": {"BatchApplyEnabled": true}}), "BatchApplyEnabled"),
            (json!({"TargetMetadata": {"TargetSchema": "x"}}), "TargetSchema"),
            (json!({"TargetMetadata": {"LobMaxSize": 1.5}}), "LobMaxSize"),
            (json!({"ControlTablesSettings": {"StatusTableEnabled": true}}), "StatusTableEnabled"),
            (json!({"ErrorBehavior": {"EventErrorPolicy": "LOG"}}), "EventErrorPolicy"),
            (json!({"BeforeImageSettings": {"EnableBeforeImage": true}}), "BeforeImageSettings"),
            (json!({"Logging": {"CloudWatchLogGroup": "x"}}), "CloudWatchLogGroup"),
            (json!({"ValidationSettings": {"ValidationOnly": true}}), "ValidationOnly"),
        ] {
            let refused = parse(&given).unwrap_err();
            assert_eq!(refused.code(), "InvalidParameterValueException", "{given}");
            assert!(refused.to_string().contains(named), "{refused}");
        }
        let refused = TaskSettings::parse(Some("{")).unwrap_err();
        assert_eq!(refused.code(), "InvalidParameterValueException");
    }
}
