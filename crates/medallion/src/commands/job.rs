//! `medallion job`: the command line that AWS Glue hands to a job, turned into ours.

use clap::Parser;

use crate::cli::Cli;
use crate::error::CliError;

/// Arguments that Glue adds for its own purposes.
const OF_GLUE: [&str; 4] = ["--JOB_NAME", "--JOB_RUN_ID", "--JOB_ID", "--TempDir"];

/// Reads `--command silver --table crm.customers …` in any order.
///
/// # Errors
/// [`CliError::Usage`] when there is no `--command`, or the rest does not parse.
pub(crate) fn parse(arguments: &[String]) -> Result<Cli, CliError> {
    let mut command = None;
    let mut rest = Vec::new();
    for pair in arguments.chunks(2) {
        match pair {
            [key, value] if key == "--command" => command = Some(value.clone()),
            [key, _] if OF_GLUE.contains(&key.as_str()) => {}
            [key, value] if key.starts_with("--") => rest.extend([key.clone(), value.clone()]),
            other => return Err(CliError::Usage(format!("`{}` is no pair", other.join(" ")))),
        }
    }
    match command.as_deref() {
        Some(command @ ("silver" | "gold")) => {
            let line = ["medallion".to_owned(), command.to_owned()].into_iter().chain(rest);
            Cli::try_parse_from(line).map_err(|e| CliError::Usage(e.to_string()))
        }
        Some(other) => Err(CliError::Usage(format!("`--command {other}` is no job"))),
        None => Err(CliError::Usage("`--command` is missing; jobs are silver and gold".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn glue_arguments_come_in_any_order_and_with_extras() {
        let line = "--table crm.customers --JOB_NAME registry-silver --command silver";
        assert!(parse(&texts(line)).is_ok());
    }

    #[test]
    fn a_job_cannot_run_just_any_command() {
        for line in ["--command query --as technical", "--table crm.customers", "--command"] {
            assert!(matches!(parse(&texts(line)), Err(CliError::Usage(_))), "{line}");
        }
    }
}
