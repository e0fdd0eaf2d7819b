//! The task settings: what DMS does with errors, large values and DDL.

use serde_json::{Value, json};

use super::lob;

/// What DMS does when a row cannot be carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorPolicy {
    /// The row is left out. Nobody is told.
    IgnoreRecord,
    /// The row is left out, and the log says so.
    LogError,
    /// The table stops, the others go on.
    SuspendTable,
    /// The task stops until somebody has looked.
    StopTask,
}

impl ErrorPolicy {
    /// The name in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorPolicy::IgnoreRecord => "IGNORE_RECORD",
            ErrorPolicy::LogError => "LOG_ERROR",
            ErrorPolicy::SuspendTable => "SUSPEND_TABLE",
            ErrorPolicy::StopTask => "STOP_TASK",
        }
    }
}

/// How much of the source a full load reads at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadPace {
    /// Tables and key ranges that are read at the same time; DMS allows up to 49.
    pub subtasks: u32,
    /// Rows that travel together; DMS allows up to 50,000.
    pub rows: u32,
}

/// The memory that one read of a full load may take for LOB values, in KB. In limited LOB mode
/// room is kept for the largest value of every row that travels, whatever the values are.
const LOB_MEMORY_KB: u64 = 1_000_000;
const ROWS: u64 = 10_000;
const SUBTASKS: u32 = 8;

impl LoadPace {
    fn new(lob_kb: u64) -> LoadPace {
        let rows = (LOB_MEMORY_KB / lob_kb.max(1)).clamp(10, ROWS);
        LoadPace { subtasks: SUBTASKS, rows: u32::try_from(rows).unwrap_or(10) }
    }
}

/// The settings of a replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSettings {
    /// The limit, in KB, above which LOB values would be cut; it covers every table.
    pub lob_kb: u64,
    /// The pace of the full load.
    pub pace: LoadPace,
    /// For rows, tables, events and what the target refuses.
    pub on_error: ErrorPolicy,
}

impl TaskSettings {
    /// Settings for tables of which the most demanding one needs this LOB limit, in KB.
    pub fn new(needed_lob_kb: Option<u64>) -> TaskSettings {
        let lob_kb = needed_lob_kb.unwrap_or_default().max(lob::DEFAULT_KB);
        TaskSettings { lob_kb, pace: LoadPace::new(lob_kb), on_error: ErrorPolicy::StopTask }
    }

    /// The settings document, complete: a key that is left out would take a default of DMS, and
    /// several of those lose data without a word.
    pub fn document(&self) -> Value {
        json!({
            "TargetMetadata": self.target_metadata(),
            "FullLoadSettings": self.full_load(),
            "Logging": logging(),
            "ControlTablesSettings": {
                "ControlSchema": "",
                "HistoryTableEnabled": false,
                "HistoryTimeslotInMinutes": 5,
                "StatusTableEnabled": false,
                "SuspendedTablesTableEnabled": false,
            },
            "StreamBufferSettings": {
                "CtrlStreamBufferSizeInMB": 5,
                "StreamBufferCount": 3,
                "StreamBufferSizeInMB": 8,
            },
            "ChangeProcessingTuning": change_processing(),
            "ChangeProcessingDdlHandlingPolicy": {
                "HandleSourceTableAltered": true,
                "HandleSourceTableDropped": false,
                "HandleSourceTableTruncated": false,
            },
            "ErrorBehavior": self.error_behavior(),
            "ValidationSettings": validation(),
            "BeforeImageSettings": null,
            "CharacterSetSettings": null,
            "FailTaskWhenCleanTaskResourceFailed": false,
            "LoopbackPreventionSettings": null,
            "PostProcessingRules": null,
        })
    }

    /// Limited LOB mode, the only one for S3. Threads and batches are for other targets.
    fn target_metadata(&self) -> Value {
        json!({
            "BatchApplyEnabled": false,
            "FullLobMode": false,
            "InlineLobMaxSize": 0,
            "LimitedSizeLobMode": true,
            "LoadMaxFileSize": 0,
            "LobChunkSize": 0,
            "LobMaxSize": self.lob_kb,
            "ParallelApplyBufferSize": 0,
            "ParallelApplyQueuesPerThread": 0,
            "ParallelApplyThreads": 0,
            "ParallelLoadBufferSize": 0,
            "ParallelLoadQueuesPerThread": 0,
            "ParallelLoadThreads": 0,
            "SupportLobs": true,
            "TargetSchema": "",
            "TaskRecoveryTableEnabled": false,
        })
    }

    /// `DO_NOTHING`: any other preparation deletes the history that is in Bronze.
    fn full_load(&self) -> Value {
        json!({
            "CommitRate": self.pace.rows,
            "CreatePkAfterFullLoad": false,
            "MaxFullLoadSubTasks": self.pace.subtasks,
            "StopTaskCachedChangesApplied": false,
            "StopTaskCachedChangesNotApplied": false,
            "TargetTablePrepMode": "DO_NOTHING",
            "TransactionConsistencyTimeout": 600,
        })
    }

    /// What concerns rows stops the task at once; what concerns the environment (network, a
    /// restart of the source) is tried again for ever, at growing intervals.
    fn error_behavior(&self) -> Value {
        let policy = self.on_error.as_str();
        let stop = ErrorPolicy::StopTask.as_str();
        json!({
            "ApplyErrorDeletePolicy": policy,
            "ApplyErrorEscalationCount": 0,
            "ApplyErrorEscalationPolicy": policy,
            "ApplyErrorFailOnTruncationDdl": true,
            "ApplyErrorInsertPolicy": policy,
            "ApplyErrorUpdatePolicy": policy,
            "DataErrorEscalationCount": 0,
            "DataErrorEscalationPolicy": policy,
            "DataErrorPolicy": policy,
            "DataTruncationErrorPolicy": policy,
            // It knows `IGNORE` and `STOP_TASK` only.
            "EventErrorPolicy": stop,
            "FailOnNoTablesCaptured": true,
            "FailOnTransactionConsistencyBreached": false,
            "FullLoadIgnoreConflicts": false,
            "RecoverableErrorCount": -1,
            "RecoverableErrorInterval": 5,
            "RecoverableErrorStopRetryAfterThrottlingMax": false,
            "RecoverableErrorThrottling": true,
            "RecoverableErrorThrottlingMax": 1800,
            "TableErrorEscalationCount": 0,
            // It knows `STOP_TASK` only.
            "TableErrorEscalationPolicy": stop,
            "TableErrorPolicy": policy,
        })
    }
}

/// Logs on, at the default level everywhere: the detailed levels may show values of rows.
fn logging() -> Value {
    const COMPONENTS: [&str; 18] = [
        "ADDONS",
        "COMMON",
        "COMMUNICATION",
        "DATA_STRUCTURE",
        "FILE_FACTORY",
        "FILE_TRANSFER",
        "IO",
        "METADATA_MANAGER",
        "REST_SERVER",
        "SORTER",
        "SOURCE_CAPTURE",
        "SOURCE_UNLOAD",
        "TABLES_MANAGER",
        "TARGET_APPLY",
        "TARGET_LOAD",
        "TASK_MANAGER",
        "TRANSFORMATION",
        "VALIDATOR_EXT",
    ];
    let components: Vec<Value> = COMPONENTS
        .iter()
        .map(|id| json!({ "Id": id, "Severity": "LOGGER_SEVERITY_DEFAULT" }))
        .collect();
    json!({
        "DeleteTaskLogs": false,
        "EnableLogContext": false,
        "EnableLogging": true,
        "LogComponents": components,
    })
}

fn change_processing() -> Value {
    json!({
        "BatchApplyMemoryLimit": 500,
        "BatchApplyPreserveTransaction": true,
        "BatchApplyTimeoutMax": 30,
        "BatchApplyTimeoutMin": 1,
        "BatchSplitSize": 0,
        "CommitTimeout": 1,
        "MemoryKeepTime": 60,
        "MemoryLimitTotal": 1024,
        "MinTransactionSize": 1000,
        "StatementCacheSize": 50,
    })
}

/// Validation is off. For an S3 target DMS validates once a day by Athena queries over Bronze, and
/// Athena copes only with timestamps in milliseconds, while Bronze keeps the microseconds of the
/// source. It would also need rights on Athena and Glue that DMS has for nothing else. The
/// project's own verification compares the source with the lake.
fn validation() -> Value {
    json!({
        "EnableValidation": false,
        "FailureMaxCount": 10_000,
        "HandleCollationDiff": false,
        "MaxKeyColumnSize": 8096,
        "PartitionSize": 10_000,
        "RecordFailureDelayInMinutes": 5,
        "RecordFailureDelayLimitInMinutes": 0,
        "RecordSuspendDelayInMinutes": 30,
        "SkipLobColumns": false,
        "TableFailureMaxCount": 1000,
        "ThreadCount": 5,
        "ValidationMode": "ROW_LEVEL",
        "ValidationOnly": false,
        "ValidationPartialLobSize": 0,
        "ValidationQueryCdcDelaySeconds": 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_values_slow_the_load_down_so_that_memory_stays_bounded() {
        let pace = |kb| TaskSettings::new(kb).pace.rows;
        assert_eq!([pace(None), pace(Some(3072)), pace(Some(102_400))], [10_000, 325, 10]);
    }

    #[test]
    fn no_error_policy_goes_on_without_the_row() {
        let document = TaskSettings::new(None).document();
        let behavior = document["ErrorBehavior"].as_object().unwrap();
        let policies: Vec<&Value> =
            behavior.iter().filter(|(key, _)| key.ends_with("Policy")).map(|(_, v)| v).collect();
        assert_eq!(policies.len(), 10);
        assert!(policies.iter().all(|policy| **policy == "STOP_TASK"), "{policies:?}");
    }

    #[test]
    fn a_policy_is_written_only_where_dms_knows_it() {
        let on_error = ErrorPolicy::SuspendTable;
        let document = TaskSettings { on_error, ..TaskSettings::new(None) }.document();
        let behavior = &document["ErrorBehavior"];
        assert_eq!(behavior["DataErrorPolicy"], "SUSPEND_TABLE");
        for key in ["EventErrorPolicy", "TableErrorEscalationPolicy"] {
            assert_eq!(behavior[key], "STOP_TASK", "{key}");
        }
    }
}
