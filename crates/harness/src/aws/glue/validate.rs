//! Limits of the Glue API: lengths, names and legal combinations.

use super::error::GlueError;
use super::job_wire::{CommandName, CreateJob, ExecutionClass};
use super::wire::{Column, DatabaseInput, Parameters, TableInput};

/// Longest timeout of a job: seven days, in minutes.
const LONGEST_TIMEOUT: u32 = 7 * 24 * 60;
/// Most bytes of all arguments of a job together.
const ARGUMENT_BYTES: usize = 260 * 1024;

fn constraint(member: &str, rule: &str) -> GlueError {
    GlueError::Validation(format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: {rule}"
    ))
}

fn length(member: &str, value: &str, least: usize, most: usize) -> Result<(), GlueError> {
    let length = value.chars().count();
    if length < least {
        let rule = format!("Member must have length greater than or equal to {least}");
        return Err(constraint(member, &rule));
    }
    if length > most {
        let rule = format!("Member must have length less than or equal to {most}");
        return Err(constraint(member, &rule));
    }
    Ok(())
}

/// A number within its bounds.
pub(super) fn between(member: &str, value: u32, least: u32, most: u32) -> Result<(), GlueError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(constraint(member, &format!("Member must have value between {least} and {most}")))
}

fn single_line(member: &str, value: &str) -> Result<(), GlueError> {
    if value.chars().any(|character| character.is_control() && character != '\t') {
        return Err(constraint(member, "Member must satisfy the single-line string pattern"));
    }
    Ok(())
}

/// Names of databases and tables: lower case, because Athena finds no others.
fn lower_case_name(member: &str, value: &str) -> Result<(), GlueError> {
    length(member, value, 1, 255)?;
    single_line(member, value)?;
    if value.chars().any(char::is_uppercase) {
        return Err(GlueError::InvalidInput(format!("{member} {value} must be lower case.")));
    }
    Ok(())
}

pub(super) fn database(input: &DatabaseInput) -> Result<(), GlueError> {
    lower_case_name("databaseInput.name", &input.name)?;
    length("databaseInput.description", input.description.as_deref().unwrap_or(""), 0, 2048)?;
    if let Some(location) = &input.location_uri {
        length("databaseInput.locationUri", location, 1, 1024)?;
    }
    parameters("databaseInput.parameters", input.parameters.as_ref())
}

pub(super) fn table(input: &TableInput) -> Result<(), GlueError> {
    lower_case_name("tableInput.name", &input.name)?;
    length("tableInput.description", input.description.as_deref().unwrap_or(""), 0, 2048)?;
    length("tableInput.tableType", input.table_type.as_deref().unwrap_or(""), 0, 255)?;
    if let Some(owner) = &input.owner {
        length("tableInput.owner", owner, 1, 255)?;
    }
    parameters("tableInput.parameters", input.parameters.as_ref())?;
    for column in input.partition_keys.iter().flatten() {
        self::column("tableInput.partitionKeys", column)?;
    }
    if let Some(storage) = &input.storage_descriptor {
        let location = storage.location.as_deref().unwrap_or("");
        length("tableInput.storageDescriptor.location", location, 0, 2056)?;
        for column in storage.columns.iter().flatten() {
            self::column("tableInput.storageDescriptor.columns", column)?;
        }
    }
    Ok(())
}

fn column(member: &str, column: &Column) -> Result<(), GlueError> {
    length(&format!("{member}.name"), &column.name, 1, 255)?;
    single_line(&format!("{member}.name"), &column.name)?;
    length(&format!("{member}.type"), column.r#type.as_deref().unwrap_or(""), 0, 131_072)?;
    length(&format!("{member}.comment"), column.comment.as_deref().unwrap_or(""), 0, 255)?;
    single_line(&format!("{member}.comment"), column.comment.as_deref().unwrap_or(""))?;
    parameters(&format!("{member}.parameters"), column.parameters.as_ref())
}

fn parameters(member: &str, parameters: Option<&Parameters>) -> Result<(), GlueError> {
    for (key, value) in parameters.into_iter().flatten() {
        length(&format!("{member}.key"), key, 1, 255)?;
        length(&format!("{member}.value"), value, 0, 512_000)?;
    }
    Ok(())
}

pub(super) fn tags(tags: Option<&Parameters>) -> Result<(), GlueError> {
    if tags.is_some_and(|tags| tags.len() > 50) {
        return Err(constraint("tags", "Member must have length less than or equal to 50"));
    }
    for (key, value) in tags.into_iter().flatten() {
        length("tags.key", key, 1, 128)?;
        length("tags.value", value, 0, 256)?;
    }
    Ok(())
}

/// Arguments of a job: keys as on a command line, a bounded sum of lengths.
pub(super) fn arguments(arguments: &Parameters) -> Result<(), GlueError> {
    if let Some(key) = arguments.keys().find(|key| !key.starts_with("--") || key.len() < 3) {
        return Err(GlueError::InvalidInput(format!("Argument name {key} must begin with --.")));
    }
    let bytes: usize = arguments.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > ARGUMENT_BYTES {
        return Err(GlueError::InvalidInput("Job arguments exceed 260 KB.".to_owned()));
    }
    Ok(())
}

pub(super) fn timeout(minutes: Option<u32>) -> Result<(), GlueError> {
    minutes.map_or(Ok(()), |minutes| between("timeout", minutes, 1, LONGEST_TIMEOUT))
}

pub(super) fn job(job: &CreateJob) -> Result<(), GlueError> {
    let invalid = |message: &str| Err(GlueError::InvalidInput(message.to_owned()));
    length("name", &job.name, 1, 255)?;
    single_line("name", &job.name)?;
    length("description", job.description.as_deref().unwrap_or(""), 0, 2048)?;
    timeout(job.timeout)?;
    tags(job.tags.as_ref())?;
    for given in [&job.default_arguments, &job.non_overridable_arguments].into_iter().flatten() {
        arguments(given)?;
    }
    if job.execution_property.as_ref().is_some_and(|given| given.max_concurrent_runs < 1) {
        return invalid("MaxConcurrentRuns must be at least 1.");
    }
    if job.role.is_empty() || job.command.script_location.is_none() {
        return invalid("A job needs a Role and a Command.ScriptLocation.");
    }
    if job.max_retries != 0 {
        return invalid("MaxRetries above 0 is not served by this endpoint.");
    }
    let workers = job.worker_type.is_some() || job.number_of_workers.is_some();
    if workers && job.max_capacity.is_some() {
        return invalid(
            "Please do not set Max Capacity if using Worker Type and Number of Workers.",
        );
    }
    if job.worker_type.is_some() != job.number_of_workers.is_some() {
        return invalid("Worker Type and Number of Workers must be set together.");
    }
    match job.command.name {
        CommandName::Pythonshell => {
            if workers {
                return invalid("Worker Type is not supported for Job Command pythonshell.");
            }
            if job.max_capacity.is_some_and(|capacity| capacity != 0.0625 && capacity != 1.0) {
                return invalid("MaxCapacity of a pythonshell job must be 0.0625 or 1.");
            }
            if job.execution_class == Some(ExecutionClass::Flex) {
                return invalid("ExecutionClass FLEX is for glueetl jobs only.");
            }
            Ok(())
        }
        CommandName::Glueetl => {
            if job.number_of_workers.is_some_and(|number| number < 2) {
                return invalid("The minimum number of workers of a glueetl job is 2.");
            }
            Ok(())
        }
        CommandName::Gluestreaming | CommandName::Glueray => {
            invalid("Job Commands gluestreaming and glueray are not served by this endpoint.")
        }
    }
}
