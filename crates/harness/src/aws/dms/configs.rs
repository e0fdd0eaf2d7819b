//! Serverless replications: a config that is a replication once it is started.

use std::sync::Arc;

use super::config_wire::{
    ComputeConfig, ConfigDescription, ConfigReply, ConfigStatisticsReply, ConfigsReply,
    CreateConfig, DescribeConfigStatistics, ModifyConfig, NamedConfig, ProvisionData,
    ReloadConfigReply, ReloadReplicationTables, ReplicationDescription, ReplicationReply,
    ReplicationsReply, StartReplication,
};
use super::error::DmsError;
use super::event::Change;
use super::execution::{Execution, Stage, State};
use super::mappings::Mappings;
use super::name::{Kind, identifier, resource_identifier};
use super::plan::Plan;
use super::run::{self, Order};
use super::settings::TaskSettings;
use super::statistics::table_page;
use super::store::{Records, Store, not_found};
use super::task_wire::{MigrationType, ReloadOption, StartType};
use super::tasks::{check_cdc_members, source_tables};
use super::wire::{Describe, Filters, Timestamp, page};

/// The capacities that may be asked for, in DMS capacity units.
const CAPACITIES: [i64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384];

#[derive(Debug)]
pub(super) struct ConfigRecord {
    pub(super) arn: String,
    pub(super) execution: Execution,
    identifier: String,
    source_arn: String,
    target_arn: String,
    migration: MigrationType,
    compute: ComputeConfig,
    mappings_text: String,
    mappings: Mappings,
    settings: TaskSettings,
    created: Timestamp,
    updated: Timestamp,
}

impl ConfigRecord {
    pub(super) fn endpoints(&self) -> [&str; 2] {
        [&self.source_arn, &self.target_arn]
    }

    pub(super) fn uses_group(&self, name: &str) -> bool {
        let group = self.compute.replication_subnet_group_id.as_deref();
        group.is_some_and(|group| group.eq_ignore_ascii_case(name))
    }

    fn status(&self) -> &'static str {
        match self.execution.state {
            State::Idle => "created",
            State::Starting(Stage::Initializing) => "initializing",
            State::Starting(Stage::TestingConnection) => "testing_connection",
            State::Starting(Stage::FetchingMetadata) => "fetching_metadata",
            State::Starting(Stage::ReplicationStarting) => "replication_starting",
            State::Running => "running",
            State::Stopping => "stopping",
            State::Stopped => "stopped",
            State::Failed => "failed",
        }
    }

    fn describe(&self) -> ConfigDescription {
        ConfigDescription {
            replication_config_identifier: self.identifier.clone(),
            replication_config_arn: self.arn.clone(),
            source_endpoint_arn: self.source_arn.clone(),
            target_endpoint_arn: self.target_arn.clone(),
            replication_type: self.migration,
            compute_config: self.compute.clone(),
            replication_settings: self.settings.document.to_string(),
            table_mappings: self.mappings_text.clone(),
            replication_config_create_time: self.created,
            replication_config_update_time: self.updated,
        }
    }

    fn replication(&self) -> ReplicationDescription {
        let execution = &self.execution;
        let provisioned = execution.state != State::Idle;
        let units = self.compute.min_capacity_units.or(self.compute.max_capacity_units);
        ReplicationDescription {
            replication_config_identifier: self.identifier.clone(),
            replication_config_arn: self.arn.clone(),
            source_endpoint_arn: self.source_arn.clone(),
            target_endpoint_arn: self.target_arn.clone(),
            replication_type: self.migration,
            status: self.status(),
            provision_data: ProvisionData {
                provision_state: if provisioned { "provisioned" } else { "not provisioned" },
                provisioned_capacity_units: units.filter(|_| provisioned).unwrap_or(0),
            },
            stop_reason: execution.stop_reason.map(|reason| reason.text().to_owned()),
            failure_messages: execution.failure.iter().cloned().collect(),
            replication_stats: execution.statistics(),
            start_replication_type: execution.start_type,
            recovery_checkpoint: execution.checkpoint.clone(),
            replication_create_time: self.created,
            replication_update_time: self.updated,
            replication_last_stop_time: execution.stopped,
        }
    }
}

fn check_compute(records: &Records, compute: &ComputeConfig) -> Result<(), DmsError> {
    let most = compute.max_capacity_units;
    let most = most.ok_or_else(|| DmsError::combination("MaxCapacityUnits must be given"))?;
    let least = compute.min_capacity_units.unwrap_or(CAPACITIES[0]);
    if !CAPACITIES.contains(&most) || !CAPACITIES.contains(&least) {
        let known = CAPACITIES.map(|units| units.to_string()).join(", ");
        return Err(DmsError::value(format!("Capacity units must be one of {known}")));
    }
    if least > most {
        return Err(DmsError::combination("MinCapacityUnits is above MaxCapacityUnits"));
    }
    let group = compute.replication_subnet_group_id.as_deref();
    group.map_or(Ok(()), |group| records.subnet_group(group).map(drop))
}

impl Records {
    fn config(&mut self, arn: &str) -> Result<&mut ConfigRecord, DmsError> {
        let found = self.configs.iter_mut().find(|config| config.arn == arn);
        found.ok_or_else(|| not_found(Kind::Config, arn))
    }

    fn config_plan(&mut self, arn: &str) -> Result<Plan, DmsError> {
        let config = self.config(arn)?;
        let (source, target) = (config.source_arn.clone(), config.target_arn.clone());
        let (login, target) = self.sides(&source, &target)?;
        let config = self.config(arn)?;
        Ok(Plan {
            name: config.identifier.clone(),
            login,
            target,
            mappings: config.mappings.clone(),
            settings: config.settings.clone(),
            migration: config.migration,
        })
    }
}

impl Store {
    pub(super) fn create_config(&self, it: CreateConfig) -> Result<ConfigReply, DmsError> {
        let name = &it.replication_config_identifier;
        let identifier = identifier("ReplicationConfigIdentifier", name, 255)?;
        let resource = resource_identifier(it.resource_identifier.as_deref())?;
        if it.supplemental_settings.is_some() {
            return Err(DmsError::value("SupplementalSettings have no meaning for MySQL and S3"));
        }
        let mappings = Mappings::parse(&it.table_mappings)?;
        let settings = TaskSettings::parse(it.replication_settings.as_deref())?;
        let arn = self.place.arn(Kind::Config, resource);
        let mut records = self.records();
        let mut existing = records.configs.iter();
        if let Some(old) = existing.find(|old| old.identifier == identifier || old.arn == arn) {
            let message = format!("Replication Config {identifier} already exists.");
            return Err(DmsError::AlreadyExists { message, arn: old.arn.clone() });
        }
        check_compute(&records, &it.compute_config)?;
        records.sides(&it.source_endpoint_arn, &it.target_endpoint_arn)?;
        records.tag(&arn, it.tags.as_deref())?;
        let now = Timestamp::now();
        let record = ConfigRecord {
            arn: arn.clone(),
            execution: Execution::new(),
            identifier,
            source_arn: it.source_endpoint_arn,
            target_arn: it.target_endpoint_arn,
            migration: it.replication_type,
            compute: it.compute_config,
            mappings_text: it.table_mappings,
            mappings,
            settings,
            created: now,
            updated: now,
        };
        let replication_config = record.describe();
        records.configs.push(record);
        drop(records);
        self.announce(&arn, Change::Created);
        Ok(ConfigReply { replication_config })
    }

    pub(super) fn modify_config(&self, it: ModifyConfig) -> Result<ConfigReply, DmsError> {
        let arn = it.replication_config_arn;
        if it.supplemental_settings.is_some() {
            return Err(DmsError::value("SupplementalSettings have no meaning for MySQL and S3"));
        }
        let name = it.replication_config_identifier;
        let name = name.map(|name| identifier("ReplicationConfigIdentifier", &name, 255));
        let name = name.transpose()?;
        let mappings = it.table_mappings.as_deref().map(Mappings::parse).transpose()?;
        let settings = it.replication_settings;
        let settings = settings.map(|text| TaskSettings::parse(Some(&text))).transpose()?;
        let mut records = self.records();
        let config = records.config(&arn)?;
        if config.execution.is_active() {
            return Err(DmsError::state(
                "A replication config can be modified only while its replication is created, \
                 stopped or failed",
            ));
        }
        let ran = config.execution.state != State::Idle;
        if ran && name.as_ref().is_some_and(|name| *name != config.identifier) {
            return Err(DmsError::value(
                "ReplicationConfigIdentifier of a replication that ran cannot be changed at this \
                 endpoint: its checkpoint goes by the name",
            ));
        }
        let source = it.source_endpoint_arn.unwrap_or_else(|| config.source_arn.clone());
        let target = it.target_endpoint_arn.unwrap_or_else(|| config.target_arn.clone());
        let compute = it.compute_config.unwrap_or_else(|| config.compute.clone());
        check_compute(&records, &compute)?;
        records.sides(&source, &target)?;
        let config = records.config(&arn)?;
        (config.source_arn, config.target_arn, config.compute) = (source, target, compute);
        config.migration = it.replication_type.unwrap_or(config.migration);
        config.identifier = name.unwrap_or_else(|| config.identifier.clone());
        config.settings = settings.unwrap_or_else(|| config.settings.clone());
        if let (Some(text), Some(mappings)) = (it.table_mappings, mappings) {
            (config.mappings_text, config.mappings) = (text, mappings);
        }
        config.updated = Timestamp::now();
        Ok(ConfigReply { replication_config: config.describe() })
    }

    pub(super) fn describe_configs(&self, it: Describe) -> Result<ConfigsReply, DmsError> {
        let names = ["replication-config-arn", "replication-config-id"];
        let filters = Filters::new(it.filters.as_deref(), &names)?;
        let records = self.records();
        let found = records.configs.iter().filter(|config| {
            filters.pass(names[0], &config.arn) && filters.pass(names[1], &config.identifier)
        });
        let found: Vec<_> = found.map(ConfigRecord::describe).collect();
        if found.is_empty() && filters.names_a_record() {
            let message = "No replication configs found matching the filters.";
            return Err(DmsError::NotFound(message.to_owned()));
        }
        let (replication_configs, marker) = page(found, it.max_records, it.marker.as_deref(), 100)?;
        Ok(ConfigsReply { replication_configs, marker })
    }

    pub(super) fn describe_replications(
        &self,
        it: Describe,
    ) -> Result<ReplicationsReply, DmsError> {
        let names = ["replication-config-arn", "replication-config-id"];
        let filters = Filters::new(it.filters.as_deref(), &names)?;
        let records = self.records();
        let found = records.configs.iter().filter(|config| {
            filters.pass(names[0], &config.arn) && filters.pass(names[1], &config.identifier)
        });
        let found: Vec<_> = found.map(ConfigRecord::replication).collect();
        if found.is_empty() && filters.names_a_record() {
            let message = "No replications found matching the filters.";
            return Err(DmsError::NotFound(message.to_owned()));
        }
        let (replications, marker) = page(found, it.max_records, it.marker.as_deref(), 100)?;
        Ok(ReplicationsReply { replications, marker })
    }

    pub(super) async fn start_replication(
        self: &Arc<Self>,
        it: StartReplication,
    ) -> Result<ReplicationReply, DmsError> {
        let arn = it.replication_config_arn;
        if it.premigration_assessment_settings.is_some() {
            return Err(DmsError::value(
                "PremigrationAssessmentSettings are not served by this endpoint",
            ));
        }
        if it.cdc_start_position.is_some() || it.cdc_start_time.is_some() {
            return Err(DmsError::combination(
                "A CDC start point is not supported for serverless replications",
            ));
        }
        check_cdc_members(false, None, it.cdc_stop_position.is_some())?;
        let start = it.start_replication_type;
        let plan = self.records().config_plan(&arn)?;
        if start == StartType::ResumeProcessing && plan.migration == MigrationType::FullLoad {
            return Err(DmsError::combination(
                "resume-processing is not applicable for a full-load replication",
            ));
        }
        let restorable =
            start != StartType::StartReplication && run::has_checkpoint(self, &plan).await;
        let mut records = self.records();
        let config = records.config(&arn)?;
        let begin = config.execution.check_start(start, plan.migration, None, restorable)?;
        let order = Order { arn: arn.clone(), plan, begin };
        self.launch(&mut config.execution, start, order);
        Ok(ReplicationReply { replication: config.replication() })
    }

    pub(super) fn stop_replication(&self, it: NamedConfig) -> Result<ReplicationReply, DmsError> {
        let mut records = self.records();
        let config = records.config(&it.replication_config_arn)?;
        config.execution.stop()?;
        Ok(ReplicationReply { replication: config.replication() })
    }

    pub(super) async fn delete_config(&self, it: NamedConfig) -> Result<ConfigReply, DmsError> {
        let arn = it.replication_config_arn;
        let (replication_config, plan) = {
            let mut records = self.records();
            let config = records.config(&arn)?;
            if config.execution.is_active() {
                return Err(DmsError::state(
                    "The replication must be stopped for its config to be deleted",
                ));
            }
            let description = config.describe();
            let plan = records.config_plan(&arn)?;
            records.configs.retain(|config| config.arn != arn);
            records.untag(&arn);
            (description, plan)
        };
        run::forget(self, &plan).await;
        self.announce(&arn, Change::Deleted);
        Ok(ConfigReply { replication_config })
    }

    pub(super) fn reload_replication_tables(
        &self,
        it: ReloadReplicationTables,
    ) -> Result<ReloadConfigReply, DmsError> {
        let mut records = self.records();
        let config = records.config(&it.replication_config_arn)?;
        if it.reload_option == Some(ReloadOption::ValidateOnly) {
            return Err(DmsError::value(
                "ReloadOption validate-only is not served: nothing is validated here",
            ));
        }
        config.execution.reload(source_tables(it.tables_to_reload)?)?;
        Ok(ReloadConfigReply { replication_config_arn: it.replication_config_arn })
    }

    pub(super) fn describe_config_statistics(
        &self,
        it: DescribeConfigStatistics,
    ) -> Result<ConfigStatisticsReply, DmsError> {
        let mut records = self.records();
        let config = records.config(&it.replication_config_arn)?;
        let (replication_table_statistics, marker) = table_page(
            &config.execution,
            config.settings.validation,
            it.filters.as_deref(),
            it.max_records,
            it.marker.as_deref(),
        )?;
        let replication_config_arn = it.replication_config_arn;
        Ok(ConfigStatisticsReply { replication_config_arn, replication_table_statistics, marker })
    }
}
