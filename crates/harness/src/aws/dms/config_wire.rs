//! Serverless replications in the names and types of the DMS API.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::task_wire::{MigrationType, ReloadOption, RunStatistics, StartType, TableRow};
use super::wire::{Filter, TableToReload, Tag, Timestamp, requests};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ComputeConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    availability_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_name_servers: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_capacity_units: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_capacity_units: Option<i64>,
    #[serde(rename = "MultiAZ", skip_serializing_if = "Option::is_none")]
    multi_az: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_maintenance_window: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replication_subnet_group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_security_group_ids: Option<Vec<String>>,
}

requests! {
    CreateConfig {
        replication_config_identifier: String,
        source_endpoint_arn: String,
        target_endpoint_arn: String,
        compute_config: ComputeConfig,
        replication_type: MigrationType,
        table_mappings: String,
        replication_settings: Option<String>,
        supplemental_settings: Option<String>,
        resource_identifier: Option<String>,
        tags: Option<Vec<Tag>>,
    }
    ModifyConfig {
        replication_config_arn: String,
        replication_config_identifier: Option<String>,
        replication_type: Option<MigrationType>,
        table_mappings: Option<String>,
        replication_settings: Option<String>,
        supplemental_settings: Option<String>,
        compute_config: Option<ComputeConfig>,
        source_endpoint_arn: Option<String>,
        target_endpoint_arn: Option<String>,
    }
    /// DeleteReplicationConfig and StopReplication.
    NamedConfig { replication_config_arn: String, }
    StartReplication {
        replication_config_arn: String,
        start_replication_type: StartType,
        premigration_assessment_settings: Option<String>,
        cdc_start_time: Option<Value>,
        cdc_start_position: Option<String>,
        cdc_stop_position: Option<String>,
    }
    ReloadReplicationTables {
        replication_config_arn: String,
        tables_to_reload: Vec<TableToReload>,
        reload_option: Option<ReloadOption>,
    }
    DescribeConfigStatistics {
        replication_config_arn: String,
        filters: Option<Vec<Filter>>,
        max_records: Option<i64>,
        marker: Option<String>,
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfigDescription {
    pub(super) replication_config_identifier: String,
    pub(super) replication_config_arn: String,
    pub(super) source_endpoint_arn: String,
    pub(super) target_endpoint_arn: String,
    pub(super) replication_type: MigrationType,
    pub(super) compute_config: ComputeConfig,
    pub(super) replication_settings: String,
    pub(super) table_mappings: String,
    pub(super) replication_config_create_time: Timestamp,
    pub(super) replication_config_update_time: Timestamp,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReplicationDescription {
    pub(super) replication_config_identifier: String,
    pub(super) replication_config_arn: String,
    pub(super) source_endpoint_arn: String,
    pub(super) target_endpoint_arn: String,
    pub(super) replication_type: MigrationType,
    pub(super) status: &'static str,
    pub(super) provision_data: ProvisionData,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop_reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) failure_messages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replication_stats: Option<RunStatistics>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_replication_type: Option<StartType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recovery_checkpoint: Option<String>,
    pub(super) replication_create_time: Timestamp,
    pub(super) replication_update_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replication_last_stop_time: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ProvisionData {
    pub(super) provision_state: &'static str,
    pub(super) provisioned_capacity_units: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfigReply {
    pub(super) replication_config: ConfigDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfigsReply {
    pub(super) replication_configs: Vec<ConfigDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReplicationReply {
    pub(super) replication: ReplicationDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReplicationsReply {
    pub(super) replications: Vec<ReplicationDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReloadConfigReply {
    pub(super) replication_config_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfigStatisticsReply {
    pub(super) replication_config_arn: String,
    pub(super) replication_table_statistics: Vec<TableRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<String>,
}
