//! Replication tasks.

use std::sync::Arc;

use super::error::DmsError;
use super::event::Change;
use super::execution::{Execution, State};
use super::mappings::{Mappings, SourceTable};
use super::name::{Kind, identifier, resource_identifier};
use super::plan::Plan;
use super::position::parse_position;
use super::run::{self, Order};
use super::settings::TaskSettings;
use super::statistics::table_page;
use super::store::{Records, Settling, Store, not_found};
use super::task_wire::{
    CreateTask, DescribeTaskStatistics, DescribeTasks, MigrationType, ModifyTask, NamedTask,
    ReloadOption, ReloadReply, ReloadTables, StartTask, StartType, TaskDescription, TaskReply,
    TaskStatisticsReply, TasksReply,
};
use super::wire::{Filters, TableToReload, Timestamp, page};

#[derive(Debug)]
pub(super) struct TaskRecord {
    pub(super) arn: String,
    pub(super) instance_arn: String,
    pub(super) execution: Execution,
    identifier: String,
    source_arn: String,
    target_arn: String,
    migration: MigrationType,
    mappings_text: String,
    mappings: Mappings,
    settings: TaskSettings,
    cdc_start_position: Option<String>,
    created: Timestamp,
    settling: Settling,
}

impl TaskRecord {
    pub(super) fn endpoints(&self) -> [&str; 2] {
        [&self.source_arn, &self.target_arn]
    }

    fn status(&self) -> &'static str {
        match self.execution.state {
            State::Idle if !self.settling.done() => "creating",
            State::Idle => "ready",
            State::Starting(_) => "starting",
            State::Running => "running",
            State::Stopping => "stopping",
            State::Stopped => "stopped",
            State::Failed => "failed",
        }
    }

    fn describe(&self, with_settings: bool) -> TaskDescription {
        let execution = &self.execution;
        TaskDescription {
            replication_task_identifier: self.identifier.clone(),
            source_endpoint_arn: self.source_arn.clone(),
            target_endpoint_arn: self.target_arn.clone(),
            replication_instance_arn: self.instance_arn.clone(),
            migration_type: self.migration,
            table_mappings: with_settings.then(|| self.mappings_text.clone()),
            replication_task_settings: with_settings.then(|| self.settings.document.to_string()),
            status: self.status(),
            last_failure_message: execution.failure.clone(),
            stop_reason: execution.stop_reason.map(|reason| reason.text().to_owned()),
            replication_task_creation_date: self.created,
            replication_task_start_date: execution.started,
            cdc_start_position: self.cdc_start_position.clone(),
            recovery_checkpoint: execution.checkpoint.clone(),
            replication_task_arn: self.arn.clone(),
            replication_task_stats: execution.statistics(),
        }
    }
}

/// What a task may not be told of, whichever call tells it.
pub(super) fn check_cdc_members(
    start_time: bool,
    position: Option<&str>,
    stop_position: bool,
) -> Result<(), DmsError> {
    if start_time && position.is_some() {
        return Err(DmsError::combination(
            "CdcStartTime and CdcStartPosition cannot both be given",
        ));
    }
    if start_time {
        return Err(DmsError::value(
            "CdcStartTime is not served by this endpoint; give CdcStartPosition as file:position",
        ));
    }
    if stop_position {
        return Err(DmsError::value(
            "CdcStopPosition is not served by this endpoint; stop the replication instead",
        ));
    }
    position.map_or(Ok(()), |position| parse_position(position).map(drop))
}

fn check_position(migration: MigrationType, position: Option<&str>) -> Result<(), DmsError> {
    if position.is_some() && migration != MigrationType::Cdc {
        return Err(DmsError::combination(
            "CdcStartPosition is valid for tasks with migration type cdc only",
        ));
    }
    Ok(())
}

pub(super) fn source_tables(tables: Vec<TableToReload>) -> Result<Vec<SourceTable>, DmsError> {
    if tables.is_empty() || tables.len() > 10 {
        return Err(DmsError::value("TablesToReload must name 1 to 10 tables"));
    }
    let table = |it: TableToReload| SourceTable { schema: it.schema_name, table: it.table_name };
    Ok(tables.into_iter().map(table).collect())
}

impl Records {
    fn task(&mut self, arn: &str) -> Result<&mut TaskRecord, DmsError> {
        let found = self.tasks.iter_mut().find(|task| task.arn == arn);
        found.ok_or_else(|| not_found(Kind::Task, arn))
    }

    fn task_plan(&mut self, arn: &str) -> Result<Plan, DmsError> {
        let task = self.task(arn)?;
        let (source, target) = (task.source_arn.clone(), task.target_arn.clone());
        let plan = |login, target, task: &TaskRecord| Plan {
            name: task.identifier.clone(),
            login,
            target,
            mappings: task.mappings.clone(),
            settings: task.settings.clone(),
            migration: task.migration,
        };
        let (login, target) = self.sides(&source, &target)?;
        Ok(plan(login, target, self.task(arn)?))
    }
}

impl Store {
    pub(super) fn create_task(&self, it: CreateTask) -> Result<TaskReply, DmsError> {
        let identifier =
            identifier("ReplicationTaskIdentifier", &it.replication_task_identifier, 255)?;
        let resource = resource_identifier(it.resource_identifier.as_deref())?;
        let position = it.cdc_start_position.as_deref();
        let stop_position = it.cdc_stop_position.is_some();
        check_cdc_members(it.cdc_start_time.is_some(), position, stop_position)?;
        check_position(it.migration_type, position)?;
        if it.task_data.is_some() {
            return Err(DmsError::value("TaskData has no meaning for MySQL and S3"));
        }
        let mappings = Mappings::parse(&it.table_mappings)?;
        let settings = TaskSettings::parse(it.replication_task_settings.as_deref())?;
        let arn = self.place.arn(Kind::Task, resource);
        let mut records = self.records();
        let mut existing = records.tasks.iter();
        if let Some(old) = existing.find(|old| old.identifier == identifier || old.arn == arn) {
            let message = format!("Replication Task {identifier} already exists.");
            return Err(DmsError::AlreadyExists { message, arn: old.arn.clone() });
        }
        records.check_available(&it.replication_instance_arn)?;
        records.sides(&it.source_endpoint_arn, &it.target_endpoint_arn)?;
        records.tag(&arn, it.tags.as_deref())?;
        let record = TaskRecord {
            arn: arn.clone(),
            instance_arn: it.replication_instance_arn,
            execution: Execution::new(),
            identifier,
            source_arn: it.source_endpoint_arn,
            target_arn: it.target_endpoint_arn,
            migration: it.migration_type,
            mappings_text: it.table_mappings,
            mappings,
            settings,
            cdc_start_position: it.cdc_start_position,
            created: Timestamp::now(),
            settling: self.settling(),
        };
        let replication_task = TaskDescription { status: "creating", ..record.describe(true) };
        records.tasks.push(record);
        drop(records);
        self.announce(&arn, Change::Created);
        Ok(TaskReply { replication_task })
    }

    pub(super) fn modify_task(&self, it: ModifyTask) -> Result<TaskReply, DmsError> {
        let arn = it.replication_task_arn;
        let position = it.cdc_start_position.as_deref();
        let stop_position = it.cdc_stop_position.is_some();
        check_cdc_members(it.cdc_start_time.is_some(), position, stop_position)?;
        if it.task_data.is_some() {
            return Err(DmsError::value("TaskData has no meaning for MySQL and S3"));
        }
        let name = it.replication_task_identifier;
        let name = name.map(|name| identifier("ReplicationTaskIdentifier", &name, 255));
        let name = name.transpose()?;
        let mappings = it.table_mappings.as_deref().map(Mappings::parse).transpose()?;
        let settings = it.replication_task_settings;
        let settings = settings.map(|text| TaskSettings::parse(Some(&text))).transpose()?;
        let mut records = self.records();
        let mut others = records.tasks.iter().filter(|task| task.arn != arn);
        if let Some(other) = others.find(|other| name.as_ref() == Some(&other.identifier)) {
            let message = format!("Replication Task {} already exists.", other.identifier);
            return Err(DmsError::AlreadyExists { message, arn: other.arn.clone() });
        }
        let task = records.task(&arn)?;
        if task.execution.is_active() || !task.settling.done() {
            return Err(DmsError::state("The replication task must be stopped to be modified"));
        }
        let ran = task.execution.state != State::Idle;
        if ran && name.as_ref().is_some_and(|name| *name != task.identifier) {
            return Err(DmsError::value(
                "ReplicationTaskIdentifier of a task that ran cannot be changed at this endpoint: \
                 its checkpoint goes by the name",
            ));
        }
        let migration = it.migration_type.unwrap_or(task.migration);
        check_position(migration, position)?;
        task.migration = migration;
        task.identifier = name.unwrap_or_else(|| task.identifier.clone());
        task.settings = settings.unwrap_or_else(|| task.settings.clone());
        if let (Some(text), Some(mappings)) = (it.table_mappings, mappings) {
            (task.mappings_text, task.mappings) = (text, mappings);
        }
        task.cdc_start_position = it.cdc_start_position.or_else(|| task.cdc_start_position.take());
        let replication_task = TaskDescription { status: "modifying", ..task.describe(true) };
        Ok(TaskReply { replication_task })
    }

    pub(super) fn describe_tasks(&self, it: DescribeTasks) -> Result<TasksReply, DmsError> {
        let names = [
            "replication-task-arn",
            "replication-task-id",
            "migration-type",
            "endpoint-arn",
            "replication-instance-arn",
        ];
        let filters = Filters::new(it.filters.as_deref(), &names)?;
        let records = self.records();
        let found = records.tasks.iter().filter(|task| {
            filters.pass(names[0], &task.arn)
                && filters.pass(names[1], &task.identifier)
                && filters.pass(names[2], task.migration.as_str())
                && filters.pass_any(names[3], &task.endpoints())
                && filters.pass(names[4], &task.instance_arn)
        });
        let with_settings = it.without_settings != Some(true);
        let found: Vec<_> = found.map(|task| task.describe(with_settings)).collect();
        if found.is_empty() && filters.names_a_record() {
            return Err(DmsError::NotFound("No tasks found matching the filters.".to_owned()));
        }
        let (replication_tasks, marker) = page(found, it.max_records, it.marker.as_deref(), 100)?;
        Ok(TasksReply { replication_tasks, marker })
    }

    pub(super) async fn start_task(self: &Arc<Self>, it: StartTask) -> Result<TaskReply, DmsError> {
        let arn = it.replication_task_arn;
        let stop_position = it.cdc_stop_position.is_some();
        let position = it.cdc_start_position;
        check_cdc_members(it.cdc_start_time.is_some(), position.as_deref(), stop_position)?;
        let start = it.start_replication_task_type;
        let plan = self.records().task_plan(&arn)?;
        let restorable =
            start != StartType::StartReplication && run::has_checkpoint(self, &plan).await;
        let mut records = self.records();
        let task = records.task(&arn)?;
        let position = position.or_else(|| {
            let own = task.cdc_start_position.clone();
            own.filter(|_| start == StartType::StartReplication)
        });
        let begin =
            task.execution.check_start(start, plan.migration, position.as_deref(), restorable)?;
        if !task.settling.done() {
            return Err(DmsError::state("The replication task is not ready"));
        }
        let (instance, ends) = (task.instance_arn.clone(), task.endpoints().map(str::to_owned));
        records.check_available(&instance)?;
        for endpoint in &ends {
            records.check_tested(&instance, endpoint)?;
        }
        let task = records.task(&arn)?;
        let order = Order { arn: arn.clone(), plan, begin };
        self.launch(&mut task.execution, start, order);
        Ok(TaskReply { replication_task: task.describe(true) })
    }

    pub(super) fn stop_task(&self, it: NamedTask) -> Result<TaskReply, DmsError> {
        let mut records = self.records();
        let task = records.task(&it.replication_task_arn)?;
        task.execution.stop()?;
        Ok(TaskReply { replication_task: task.describe(true) })
    }

    pub(super) async fn delete_task(&self, it: NamedTask) -> Result<TaskReply, DmsError> {
        let arn = it.replication_task_arn;
        let (replication_task, plan) = {
            let mut records = self.records();
            let task = records.task(&arn)?;
            if task.execution.is_active() {
                return Err(DmsError::state("The replication task must be stopped to be deleted"));
            }
            let description = TaskDescription { status: "deleting", ..task.describe(true) };
            let plan = records.task_plan(&arn)?;
            records.tasks.retain(|task| task.arn != arn);
            records.untag(&arn);
            (description, plan)
        };
        run::forget(self, &plan).await;
        self.announce(&arn, Change::Deleted);
        Ok(TaskReply { replication_task })
    }

    pub(super) fn reload_tables(&self, it: ReloadTables) -> Result<ReloadReply, DmsError> {
        let mut records = self.records();
        let task = records.task(&it.replication_task_arn)?;
        if it.reload_option == Some(ReloadOption::ValidateOnly) {
            return Err(DmsError::value(
                "ReloadOption validate-only is not served: nothing is validated here",
            ));
        }
        task.execution.reload(source_tables(it.tables_to_reload)?)?;
        Ok(ReloadReply { replication_task_arn: it.replication_task_arn })
    }

    pub(super) fn describe_task_statistics(
        &self,
        it: DescribeTaskStatistics,
    ) -> Result<TaskStatisticsReply, DmsError> {
        let mut records = self.records();
        let task = records.task(&it.replication_task_arn)?;
        let (table_statistics, marker) = table_page(
            &task.execution,
            task.settings.validation,
            it.filters.as_deref(),
            it.max_records,
            it.marker.as_deref(),
        )?;
        let replication_task_arn = it.replication_task_arn;
        Ok(TaskStatisticsReply { replication_task_arn, table_statistics, marker })
    }
}
