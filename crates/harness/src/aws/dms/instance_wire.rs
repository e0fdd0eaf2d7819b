//! Replication instances and subnet groups in the names and types of the DMS API.

use serde::Serialize;

use super::wire::{Tag, Timestamp, requests};

requests! {
    CreateInstance {
        replication_instance_identifier: String,
        allocated_storage: Option<i64>,
        replication_instance_class: String,
        vpc_security_group_ids: Option<Vec<String>>,
        availability_zone: Option<String>,
        replication_subnet_group_identifier: Option<String>,
        preferred_maintenance_window: Option<String>,
        #[serde(rename = "MultiAZ")]
        multi_az: Option<bool>,
        engine_version: Option<String>,
        auto_minor_version_upgrade: Option<bool>,
        tags: Option<Vec<Tag>>,
        kms_key_id: Option<String>,
        publicly_accessible: Option<bool>,
        resource_identifier: Option<String>,
        network_type: Option<String>,
    }
    DeleteInstance { replication_instance_arn: String, }
    CreateSubnetGroup {
        replication_subnet_group_identifier: String,
        replication_subnet_group_description: String,
        subnet_ids: Vec<String>,
        tags: Option<Vec<Tag>>,
    }
    DeleteSubnetGroup { replication_subnet_group_identifier: String, }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InstanceDescription {
    pub(super) replication_instance_identifier: String,
    pub(super) replication_instance_class: String,
    pub(super) replication_instance_status: &'static str,
    pub(super) allocated_storage: i64,
    pub(super) instance_create_time: Timestamp,
    pub(super) vpc_security_groups: Vec<SecurityGroup>,
    pub(super) availability_zone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replication_subnet_group: Option<SubnetGroupDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) preferred_maintenance_window: Option<String>,
    #[serde(rename = "MultiAZ")]
    pub(super) multi_az: bool,
    pub(super) engine_version: String,
    pub(super) auto_minor_version_upgrade: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kms_key_id: Option<String>,
    pub(super) replication_instance_arn: String,
    pub(super) publicly_accessible: bool,
    pub(super) network_type: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SecurityGroup {
    pub(super) vpc_security_group_id: String,
    pub(super) status: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SubnetGroupDescription {
    pub(super) replication_subnet_group_identifier: String,
    pub(super) replication_subnet_group_description: String,
    pub(super) vpc_id: &'static str,
    pub(super) subnet_group_status: &'static str,
    pub(super) subnets: Vec<Subnet>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Subnet {
    pub(super) subnet_identifier: String,
    pub(super) subnet_availability_zone: Zone,
    pub(super) subnet_status: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Zone {
    pub(super) name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InstanceReply {
    pub(super) replication_instance: InstanceDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InstancesReply {
    pub(super) replication_instances: Vec<InstanceDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SubnetGroupReply {
    pub(super) replication_subnet_group: SubnetGroupDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SubnetGroupsReply {
    pub(super) replication_subnet_groups: Vec<SubnetGroupDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<String>,
}
