//! Replication instances and their subnet groups: records only, since a task runs in this process.

use super::error::DmsError;
use super::instance_wire::{
    CreateInstance, CreateSubnetGroup, DeleteInstance, DeleteSubnetGroup, InstanceDescription,
    InstanceReply, InstancesReply, SecurityGroup, Subnet, SubnetGroupDescription, SubnetGroupReply,
    SubnetGroupsReply, Zone,
};
use super::name::{Kind, identifier, resource_identifier};
use super::store::{Records, Settling, Store, not_found};
use super::wire::{Describe, Empty, Filters, Timestamp, page};

/// What CreateReplicationInstance takes when no version is given (AWS DMS release notes).
const ENGINE_VERSION: &str = "3.5.4";
/// GB.
const DEFAULT_STORAGE: i64 = 50;

#[derive(Debug)]
pub(super) struct InstanceRecord {
    pub(super) arn: String,
    pub(super) identifier: String,
    description: InstanceDescription,
    settling: Settling,
}

#[derive(Debug)]
pub(super) struct GroupRecord {
    identifier: String,
    description: SubnetGroupDescription,
}

impl InstanceRecord {
    fn describe(&self) -> InstanceDescription {
        let status = if self.settling.done() { "available" } else { "creating" };
        InstanceDescription { replication_instance_status: status, ..self.description.clone() }
    }
}

impl Records {
    pub(super) fn instance(&self, arn: &str) -> Result<&InstanceRecord, DmsError> {
        let found = self.instances.iter().find(|instance| instance.arn == arn);
        found.ok_or_else(|| not_found(Kind::Instance, arn))
    }

    /// # Errors
    /// There is no such instance, or it is not available.
    pub(super) fn check_available(&self, arn: &str) -> Result<(), DmsError> {
        let instance = self.instance(arn)?;
        if instance.settling.done() {
            return Ok(());
        }
        let name = &instance.identifier;
        Err(DmsError::state(format!("Replication Instance {name} is not available")))
    }

    pub(super) fn subnet_group(&self, name: &str) -> Result<SubnetGroupDescription, DmsError> {
        let mut groups = self.groups.iter();
        let found = groups.find(|group| group.identifier == name.to_ascii_lowercase());
        found
            .map(|group| group.description.clone())
            .ok_or_else(|| not_found(Kind::SubnetGroup, name))
    }
}

impl Store {
    pub(super) fn create_instance(&self, it: CreateInstance) -> Result<InstanceReply, DmsError> {
        let given = &it.replication_instance_identifier;
        let identifier = identifier("ReplicationInstanceIdentifier", given, 63)?;
        let resource = resource_identifier(it.resource_identifier.as_deref())?;
        let class = it.replication_instance_class;
        if !class.starts_with("dms.") || class.split('.').count() != 3 {
            return Err(DmsError::value(format!("{class} is not a replication instance class")));
        }
        let storage = it.allocated_storage.unwrap_or(DEFAULT_STORAGE);
        if !(5..=6144).contains(&storage) {
            return Err(DmsError::value("AllocatedStorage must be between 5 and 6144"));
        }
        let multi_az = it.multi_az.unwrap_or(false);
        if multi_az && it.availability_zone.is_some() {
            return Err(DmsError::combination(
                "AvailabilityZone cannot be given when MultiAZ is true",
            ));
        }
        let network_type = it.network_type.unwrap_or_else(|| "IPV4".to_owned());
        if !["IPV4", "DUAL"].contains(&network_type.as_str()) {
            return Err(DmsError::value("NetworkType must be IPV4 or DUAL"));
        }
        let arn = self.place.arn(Kind::Instance, resource);
        let mut records = self.records();
        let mut existing = records.instances.iter();
        if let Some(old) = existing.find(|old| old.identifier == identifier || old.arn == arn) {
            let message = format!("Replication Instance {identifier} already exists.");
            return Err(DmsError::AlreadyExists { message, arn: old.arn.clone() });
        }
        let group = it.replication_subnet_group_identifier;
        let group = group.map(|name| records.subnet_group(&name)).transpose()?;
        records.tag(&arn, it.tags.as_deref())?;
        let security_group = |id| SecurityGroup { vpc_security_group_id: id, status: "active" };
        let groups = it.vpc_security_group_ids.unwrap_or_default();
        let zone = it.availability_zone.unwrap_or_else(|| format!("{}a", self.place.region));
        let description = InstanceDescription {
            replication_instance_identifier: identifier.clone(),
            replication_instance_class: class,
            replication_instance_status: "creating",
            allocated_storage: storage,
            instance_create_time: Timestamp::now(),
            vpc_security_groups: groups.into_iter().map(security_group).collect(),
            availability_zone: zone,
            replication_subnet_group: group,
            preferred_maintenance_window: it.preferred_maintenance_window,
            multi_az,
            engine_version: it.engine_version.unwrap_or_else(|| ENGINE_VERSION.to_owned()),
            auto_minor_version_upgrade: it.auto_minor_version_upgrade.unwrap_or(true),
            kms_key_id: it.kms_key_id,
            replication_instance_arn: arn.clone(),
            publicly_accessible: it.publicly_accessible.unwrap_or(true),
            network_type,
        };
        let settling = self.settling();
        let record = InstanceRecord { arn, identifier, description, settling };
        let replication_instance = record.description.clone();
        records.instances.push(record);
        Ok(InstanceReply { replication_instance })
    }

    pub(super) fn describe_instances(&self, it: Describe) -> Result<InstancesReply, DmsError> {
        let names = [
            "replication-instance-arn",
            "replication-instance-id",
            "replication-instance-class",
            "engine-version",
        ];
        let filters = Filters::new(it.filters.as_deref(), &names)?;
        let records = self.records();
        let found = records.instances.iter().filter(|instance| {
            let description = &instance.description;
            filters.pass(names[0], &instance.arn)
                && filters.pass(names[1], &instance.identifier)
                && filters.pass(names[2], &description.replication_instance_class)
                && filters.pass(names[3], &description.engine_version)
        });
        let found: Vec<_> = found.map(InstanceRecord::describe).collect();
        if found.is_empty() && filters.names_a_record() {
            let message = "No replication instances found matching the filters.";
            return Err(DmsError::NotFound(message.to_owned()));
        }
        let (replication_instances, marker) =
            page(found, it.max_records, it.marker.as_deref(), 100)?;
        Ok(InstancesReply { replication_instances, marker })
    }

    pub(super) fn delete_instance(&self, it: DeleteInstance) -> Result<InstanceReply, DmsError> {
        let arn = it.replication_instance_arn;
        let mut records = self.records();
        let mut replication_instance = records.instance(&arn)?.describe();
        if records.tasks.iter().any(|task| task.instance_arn == arn) {
            return Err(DmsError::state(
                "The replication instance has tasks, which must be deleted first",
            ));
        }
        replication_instance.replication_instance_status = "deleting";
        records.connections.retain(|connection| !connection.is_of_instance(&arn));
        records.instances.retain(|instance| instance.arn != arn);
        records.untag(&arn);
        Ok(InstanceReply { replication_instance })
    }

    pub(super) fn create_subnet_group(
        &self,
        it: CreateSubnetGroup,
    ) -> Result<SubnetGroupReply, DmsError> {
        let name = it.replication_subnet_group_identifier.to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ' ');
        if name.is_empty() || name.len() > 255 || name == "default" || !name.chars().all(allowed) {
            return Err(DmsError::value("ReplicationSubnetGroupIdentifier is not valid"));
        }
        if let Some(wrong) = it.subnet_ids.iter().find(|id| !id.starts_with("subnet-")) {
            return Err(DmsError::Subnet(format!("{wrong} is not a subnet")));
        }
        let mut ids = it.subnet_ids;
        ids.sort();
        ids.dedup();
        // Nothing here knows zones: each subnet is taken for one of its own.
        if ids.len() < 2 {
            return Err(DmsError::TooFewZones(
                "The subnet group must cover at least two Availability Zones".to_owned(),
            ));
        }
        let zone = |index: usize| {
            let letter = ["a", "b", "c"][index % 3];
            Zone { name: format!("{}{letter}", self.place.region) }
        };
        let subnets = ids.into_iter().enumerate().map(|(index, id)| Subnet {
            subnet_identifier: id,
            subnet_availability_zone: zone(index),
            subnet_status: "Active",
        });
        let description = SubnetGroupDescription {
            replication_subnet_group_identifier: name.clone(),
            replication_subnet_group_description: it.replication_subnet_group_description,
            vpc_id: "vpc-00000000",
            subnet_group_status: "Complete",
            subnets: subnets.collect(),
        };
        let arn = self.place.arn(Kind::SubnetGroup, Some(&name));
        let mut records = self.records();
        if records.subnet_group(&name).is_ok() {
            let message = format!("Replication Subnet Group {name} already exists.");
            return Err(DmsError::AlreadyExists { message, arn });
        }
        records.tag(&arn, it.tags.as_deref())?;
        records.groups.push(GroupRecord { identifier: name, description: description.clone() });
        Ok(SubnetGroupReply { replication_subnet_group: description })
    }

    pub(super) fn describe_subnet_groups(
        &self,
        it: Describe,
    ) -> Result<SubnetGroupsReply, DmsError> {
        let filters = Filters::new(it.filters.as_deref(), &["replication-subnet-group-id"])?;
        let records = self.records();
        let found = records.groups.iter();
        let found = found.filter(|it| filters.pass("replication-subnet-group-id", &it.identifier));
        let found: Vec<_> = found.map(|group| group.description.clone()).collect();
        if found.is_empty() && filters.names_a_record() {
            let message = "No replication subnet groups found matching the filters.";
            return Err(DmsError::NotFound(message.to_owned()));
        }
        let (replication_subnet_groups, marker) =
            page(found, it.max_records, it.marker.as_deref(), 100)?;
        Ok(SubnetGroupsReply { replication_subnet_groups, marker })
    }

    pub(super) fn delete_subnet_group(&self, it: DeleteSubnetGroup) -> Result<Empty, DmsError> {
        let name = it.replication_subnet_group_identifier.to_ascii_lowercase();
        let mut records = self.records();
        records.subnet_group(&name)?;
        let uses = |description: &InstanceDescription| {
            let group = description.replication_subnet_group.as_ref();
            group.is_some_and(|group| group.replication_subnet_group_identifier == name)
        };
        let instances = records.instances.iter().any(|instance| uses(&instance.description));
        if instances || records.configs.iter().any(|config| config.uses_group(&name)) {
            return Err(DmsError::state(
                "The subnet group is used by a replication instance or config",
            ));
        }
        records.groups.retain(|group| group.identifier != name);
        let arn = self.place.arn(Kind::SubnetGroup, Some(&name));
        records.untag(&arn);
        Ok(Empty {})
    }
}
