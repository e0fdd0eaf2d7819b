//! Replication tasks and table statistics in the names and types of the DMS API.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wire::{Filter, TableToReload, Tag, Timestamp, requests};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MigrationType {
    FullLoad,
    Cdc,
    FullLoadAndCdc,
}

impl MigrationType {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::FullLoad => "full-load",
            Self::Cdc => "cdc",
            Self::FullLoadAndCdc => "full-load-and-cdc",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StartType {
    StartReplication,
    ResumeProcessing,
    ReloadTarget,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ReloadOption {
    DataReload,
    ValidateOnly,
}

requests! {
    CreateTask {
        replication_task_identifier: String,
        source_endpoint_arn: String,
        target_endpoint_arn: String,
        replication_instance_arn: String,
        migration_type: MigrationType,
        table_mappings: String,
        replication_task_settings: Option<String>,
        cdc_start_time: Option<Value>,
        cdc_start_position: Option<String>,
        cdc_stop_position: Option<String>,
        tags: Option<Vec<Tag>>,
        task_data: Option<String>,
        resource_identifier: Option<String>,
    }
    ModifyTask {
        replication_task_arn: String,
        replication_task_identifier: Option<String>,
        migration_type: Option<MigrationType>,
        table_mappings: Option<String>,
        replication_task_settings: Option<String>,
        cdc_start_time: Option<Value>,
        cdc_start_position: Option<String>,
        cdc_stop_position: Option<String>,
        task_data: Option<String>,
    }
    DescribeTasks {
        filters: Option<Vec<Filter>>,
        max_records: Option<i64>,
        marker: Option<String>,
        without_settings: Option<bool>,
    }
    /// DeleteReplicationTask and StopReplicationTask.
    NamedTask { replication_task_arn: String, }
    StartTask {
        replication_task_arn: String,
        start_replication_task_type: StartType,
        cdc_start_time: Option<Value>,
        cdc_start_position: Option<String>,
        cdc_stop_position: Option<String>,
    }
    ReloadTables {
        replication_task_arn: String,
        tables_to_reload: Vec<TableToReload>,
        reload_option: Option<ReloadOption>,
    }
    DescribeTaskStatistics {
        replication_task_arn: String,
        filters: Option<Vec<Filter>>,
        max_records: Option<i64>,
        marker: Option<String>,
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TaskDescription {
    pub(super) replication_task_identifier: String,
    pub(super) source_endpoint_arn: String,
    pub(super) target_endpoint_arn: String,
    pub(super) replication_instance_arn: String,
    pub(super) migration_type: MigrationType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) table_mappings: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replication_task_settings: Option<String>,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_failure_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_reason: Option<String>,
    pub(super) replication_task_creation_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replication_task_start_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cdc_start_position: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recovery_checkpoint: Option<String>,
    pub(super) replication_task_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replication_task_stats: Option<RunStatistics>,
}

/// How a run stands, over all tables.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RunStatistics {
    pub(super) full_load_progress_percent: u64,
    pub(super) elapsed_time_millis: i64,
    pub(super) tables_loaded: u64,
    pub(super) tables_loading: u64,
    pub(super) tables_queued: u64,
    pub(super) tables_errored: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fresh_start_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_date: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TableRow {
    pub(super) schema_name: String,
    pub(super) table_name: String,
    pub(super) inserts: u64,
    pub(super) deletes: u64,
    pub(super) updates: u64,
    pub(super) ddls: u64,
    pub(super) applied_inserts: u64,
    pub(super) applied_deletes: u64,
    pub(super) applied_updates: u64,
    pub(super) applied_ddls: u64,
    pub(super) full_load_rows: u64,
    pub(super) full_load_condtnl_chk_failed_rows: u64,
    pub(super) full_load_error_rows: u64,
    pub(super) full_load_reloaded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_update_time: Option<Timestamp>,
    pub(super) table_state: &'static str,
    pub(super) validation_pending_records: u64,
    pub(super) validation_failed_records: u64,
    pub(super) validation_suspended_records: u64,
    pub(super) validation_state: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TaskReply {
    pub(super) replication_task: TaskDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TasksReply {
    pub(super) replication_tasks: Vec<TaskDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReloadReply {
    pub(super) replication_task_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TaskStatisticsReply {
    pub(super) replication_task_arn: String,
    pub(super) table_statistics: Vec<TableRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<String>,
}
