//! The plan: everything that DMS is told, as one value.

use std::fmt;

use medallion_definition::contract::TableContract;
use medallion_definition::environment::{Environment, ReplicationForm};
use medallion_definition::finding::{Finding, Findings, RuleId};
use medallion_definition::name::LakeName;

use super::endpoint::{SourceEndpoint, TargetEndpoint, engine_name};
use super::lob;
use super::mapping::{MOST_DIGITS, TableMappings, decimals_above_limit};
use super::replication::{Place, Replication, ResourceName};
use super::settings::TaskSettings;

/// The environment has no `[source]` and `[dms]`.
pub const NO_DMS: RuleId = RuleId("dms-plan/environment");
/// The lake has no table.
pub const NO_TABLES: RuleId = RuleId("dms-plan/no-tables");
/// Names of lake and environment make no identifier of DMS.
pub const NAME: RuleId = RuleId("dms-plan/name");
/// A table has values that may be larger than limited LOB mode carries.
pub const LOB_SIZE: RuleId = RuleId("dms-plan/lob-size");
/// A DECIMAL with more digits than Parquet holds; it travels as text.
pub const WIDE_DECIMAL: RuleId = RuleId("dms-plan/wide-decimal");
/// A contract promises a LOB size without having LOB columns.
pub const LOB_NOT_NEEDED: RuleId = RuleId("dms-plan/lob-not-needed");

/// Everything that DMS is told.
#[derive(Clone, Debug, PartialEq)]
pub struct DmsPlan {
    /// Account and Region.
    pub place: Place,
    /// MySQL.
    pub source: SourceEndpoint,
    /// Bronze.
    pub target: TargetEndpoint,
    /// What is done with errors, large values and DDL.
    pub settings: TaskSettings,
    /// Which tables travel.
    pub mappings: TableMappings,
    /// What runs the replication.
    pub replication: Replication,
    /// What the plan does that a reader of the contracts may not expect. Nothing is lost by it.
    pub notices: Findings,
}

impl DmsPlan {
    /// Plans the replication of a lake in an environment.
    ///
    /// # Errors
    /// All findings at once: no `[dms]`, no table, names that DMS refuses, values too large for
    /// limited LOB mode.
    pub fn new(
        lake: &LakeName,
        contracts: &[TableContract],
        environment: &Environment,
    ) -> Result<DmsPlan, Findings> {
        let mut findings = Findings::default();
        let file = format!("{}.toml", environment.name);
        if contracts.is_empty() {
            let hint = "add a contract to the lake's `tables/`";
            findings.push(finding(NO_TABLES, "lake.toml", "the lake has no table", hint));
        }
        for contract in contracts {
            findings.extend(lob_findings(contract));
        }
        let Some(dms) = &environment.dms else {
            let hint = "add [source] and [dms]; without them there is no DMS in this environment";
            findings.push(finding(NO_DMS, &file, "the environment has no DMS", hint));
            return findings.into_result(None);
        };
        let name = |part: &[&str]| {
            ResourceName::new(&[&[lake.as_str(), environment.name.as_str()], part].concat())
        };
        let names = (name(&["source"]), name(&["bronze"]), name(&[]));
        let (Some(source), Some(target), Some(replication)) = names else {
            let hint = "lake and environment together have at most 24 letters, digits and hyphens";
            let message = "lake and environment make a name that DMS refuses";
            findings.push(finding(NAME, &file, message, hint));
            return findings.into_result(None);
        };
        let plan = DmsPlan {
            place: Place {
                // The resources lie where the target's role does.
                partition: dms.target_role.partition().to_owned(),
                account: environment.account.clone(),
                region: environment.region.clone(),
            },
            source: SourceEndpoint::new(source, dms),
            target: TargetEndpoint::new(target, environment, dms),
            settings: TaskSettings::new(contracts.iter().filter_map(lob::needed_kb).max()),
            mappings: TableMappings::new(contracts),
            replication: Replication {
                name: replication,
                form: dms.form.clone(),
                network: dms.network.clone(),
                kms_key: dms.kms_key.clone(),
            },
            notices: notices(contracts),
        };
        findings.into_result(Some(plan))
    }
}

fn finding(rule: RuleId, file: &str, message: &str, hint: &str) -> Finding {
    let (file, message, hint) = (file.to_owned(), message.to_owned(), hint.to_owned());
    Finding { rule, file, line: 0, message, hint }
}

fn lob_findings(contract: &TableContract) -> Findings {
    let mut findings = Findings::default();
    if lob::needed_kb(contract).is_none_or(|kb| kb <= lob::LARGEST_KB) {
        return findings;
    }
    let names: Vec<String> =
        lob::columns(contract).map(|c| format!("`{}` ({})", c.name, c.source_type)).collect();
    let message = format!(
        "values of {} may be larger than the {} KB that DMS carries to S3, and would be cut",
        names.join(", "),
        lob::LARGEST_KB
    );
    let hint = "promise in the contract how large they are: `[load] lob_max_kb = …`; \
                `medallion doctor` compares the promise with the source";
    findings.push(finding(LOB_SIZE, &contract.file, &message, hint));
    findings
}

fn notices(contracts: &[TableContract]) -> Findings {
    let mut notices = Findings::default();
    for contract in contracts {
        for (column, digits) in decimals_above_limit(contract) {
            let message =
                format!("`{column}` has {digits} digits, more than {MOST_DIGITS}: it is text");
            let hint = "Parquet, Iceberg and Athena hold no wider decimal; cast it in Gold";
            notices.push(finding(WIDE_DECIMAL, &contract.file, &message, hint));
        }
        if contract.load.lob_max_kb.is_some() && lob::needed_kb(contract).is_none() {
            let message = "`lob_max_kb` is promised, and the table has no LOB column";
            let hint = "TEXT and BLOB are no LOBs to DMS; leave `lob_max_kb` out";
            notices.push(finding(LOB_NOT_NEEDED, &contract.file, message, hint));
        }
    }
    notices
}

impl fmt::Display for DmsPlan {
    /// A summary, one line per decision.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = &self.source.database;
        let (engine, tls) = (engine_name(database.engine), self.source.ssl_mode());
        writeln!(f, "replication `{}` in {}", self.replication.name, self.place.region)?;
        writeln!(f, "  source    {engine} {}, TLS {tls}, {}", database.version, database.secret)?;
        let encryption = if self.target.object_key.is_some() { "sse-kms" } else { "sse-s3" };
        writeln!(
            f,
            "  target    s3://{}/bronze, Parquet, {encryption}, a file after {} s or {} KB",
            self.target.bucket, self.target.batch_seconds, self.target.batch_kb
        )?;
        match &self.replication.form {
            ReplicationForm::Instance { class, engine_version, storage_gb, multi_az } => writeln!(
                f,
                "  instance  {class}, engine {engine_version}, {storage_gb} GB{}",
                if *multi_az { ", standby" } else { "" }
            )?,
            ReplicationForm::Serverless { min_units, max_units, multi_az } => writeln!(
                f,
                "  capacity  {} to {max_units} units{}",
                min_units.map_or("any".to_owned(), |units| units.to_string()),
                if *multi_az { ", standby" } else { "" }
            )?,
        }
        writeln!(
            f,
            "  errors    {}; LOBs up to {} KB; {} rows by {} readers",
            self.settings.on_error.as_str(),
            self.settings.lob_kb,
            self.settings.pace.rows,
            self.settings.pace.subtasks
        )?;
        write!(f, "  rules     {}", self.mappings.rules.len())
    }
}

#[cfg(test)]
mod tests;
