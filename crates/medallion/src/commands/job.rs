//! `medallion job`: the command line that AWS Glue hands to a job, turned into ours.

use clap::Parser;

use crate::cli::Cli;
use crate::error::CliError;

/// The arguments that are ours; Glue adds many of its own, some of them without a value.
const OURS: [&str; 4] = ["--table", "--model", "--definition", "--environment"];

/// Reads `--command silver --table crm.customers …` in any order.
///
/// # Errors
/// [`CliError::Usage`] when there is no `--command`, or the rest does not parse.
pub(crate) fn parse(arguments: &[String]) -> Result<Cli, CliError> {
    let mut command = None;
    let mut rest = Vec::new();
    let mut words = arguments.iter().peekable();
    while let Some(key) = words.next() {
        let value = words.next_if(|next| !next.starts_with("--"));
        match (key.as_str(), value) {
            ("--command", Some(value)) => command = Some(value.clone()),
            (key, Some(value)) if OURS.contains(&key) => {
                rest.extend([key.to_owned(), value.clone()]);
            }
            (key, _) if key.starts_with("--") => {}
            (key, _) => return Err(CliError::Usage(format!("`{key}` belongs to no argument"))),
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
        let line = "--table crm.customers --enable-metrics --JOB_NAME registry-silver \
                    --command silver --job-bookmark-option job-bookmark-disable";
        assert!(parse(&texts(line)).is_ok());
        assert!(parse(&texts("--command silver --tabel crm.customers")).is_err());
    }

    #[test]
    fn a_job_cannot_run_just_any_command() {
        for line in ["--command query --as technical", "--table crm.customers", "--command"] {
            assert!(matches!(parse(&texts(line)), Err(CliError::Usage(_))), "{line}");
        }
    }
}
