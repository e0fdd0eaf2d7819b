//! `medallion job`: the command line that AWS Glue hands to a job, turned into ours.

use crate::error::CliError;

/// The arguments that are ours; Glue adds many of its own, some of them without a value.
const OURS: [&str; 14] = [
    "--table",
    "--model",
    "--from",
    "--definition",
    "--environment",
    "--settle",
    "--memory",
    "--batch",
    "--file-size",
    "--load-began",
    "--keep",
    "--keep-most",
    "--readers",
    "--orphan-age",
];

/// Turns `--command silver --table crm.customers …`, in any order, into a command line.
///
/// # Errors
/// [`CliError::Usage`] when there is no `--command`, or it is no job.
pub(crate) fn line(arguments: &[String]) -> Result<Vec<String>, CliError> {
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
        Some(command @ ("silver" | "maintain" | "gold" | "reprocess")) => {
            Ok(["medallion", command].into_iter().map(str::to_owned).chain(rest).collect())
        }
        Some(other) => Err(CliError::Usage(format!("`--command {other}` is no job"))),
        None => Err(CliError::Usage(
            "`--command` is missing; jobs are silver, maintain, gold, reprocess".into(),
        )),
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
        let given = "--table crm.customers --enable-metrics --JOB_NAME registry-silver \
                     --command silver --job-bookmark-option job-bookmark-disable";
        let line = line(&texts(given)).unwrap();
        assert_eq!(line, texts("medallion silver --table crm.customers"));
    }

    #[test]
    fn limits_of_a_job_are_passed_on() {
        let given =
            "--command silver --table crm.customers --settle 10m --memory 2GiB --batch 1GiB";
        let passed =
            "medallion silver --table crm.customers --settle 10m --memory 2GiB --batch 1GiB";
        assert_eq!(line(&texts(given)).unwrap(), texts(passed));
    }

    #[test]
    fn a_table_is_reprocessed_by_a_job_too() {
        let given = "--from 2026-11-20T10:00:00Z --command reprocess --table crm.customers";
        let passed = "medallion reprocess --from 2026-11-20T10:00:00Z --table crm.customers";
        assert_eq!(line(&texts(given)).unwrap(), texts(passed));
    }

    #[test]
    fn a_job_cannot_run_just_any_command() {
        for line in ["--command query --as technical", "--table crm.customers", "--command"] {
            assert!(matches!(super::line(&texts(line)), Err(CliError::Usage(_))), "{line}");
        }
    }
}
