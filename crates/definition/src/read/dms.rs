//! `[source]` and `[dms]` of an environment.

use crate::environment::{
    Arn, DmsEnvironment, DmsNetwork, ReplicationForm, ServerVersion, SourceDatabase, SourceEngine,
    SourceHosting, TlsMode,
};
use crate::finding::RuleId;
use crate::section::{At, Section};

/// One of the two sections is there without the other.
pub(crate) const HALF: RuleId = RuleId("environment/dms-half");
/// An ARN of another service, account or Region than is wanted.
pub(crate) const ARN: RuleId = RuleId("environment/arn");
/// A source that AWS does not list, or engine and hosting that exclude each other.
pub(crate) const SOURCE: RuleId = RuleId("environment/source");
/// Subnets or security groups that DMS would refuse.
pub(crate) const NETWORK: RuleId = RuleId("environment/network");
/// A size, class or engine version that DMS would refuse or that we cannot use.
pub(crate) const SIZE: RuleId = RuleId("environment/dms-size");

/// The capacities of a serverless replication (`CHAP_Serverless` of the DMS guide).
const UNITS: [u32; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384];
/// The first engine of the generation for which Bronze is made. `Op` in Parquet files of a full
/// load came before, with 3.4.7.
const OLDEST_ENGINE: ServerVersion = ServerVersion { major: 3, minor: 5, patch: Some(0) };

/// The account and Region of the environment, as far as they could be read.
pub(crate) struct Place<'a> {
    pub(crate) account: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
}

/// Reads both sections. The outer `None` stands for findings, the inner one for an environment
/// without DMS.
pub(crate) fn read(root: &Section<'_>, place: &Place<'_>) -> Option<Option<DmsEnvironment>> {
    let (source, dms) = (root.value("source"), root.value("dms"));
    let (source_value, dms_value) = match (source, dms) {
        (None, None) => return Some(None),
        (Some(source), Some(dms)) => (source, dms),
        (Some(value), None) | (None, Some(value)) => {
            let hint = "an environment has both [source] and [dms], or neither".to_owned();
            let message = "half of what DMS needs is missing".to_owned();
            root.report(HALF, root.line_of(value), message, hint);
            return None;
        }
    };
    let both = Section::of_value(root.reader, source_value, "[source]").zip(Section::of_value(
        root.reader,
        dms_value,
        "[dms]",
    ));
    let Some((source_section, dms_section)) = both else {
        let message = "`source` and `dms` are no tables".to_owned();
        let hint = "write them as [source] and [dms]".to_owned();
        root.report(HALF, root.line_of(source_value), message, hint);
        return None;
    };
    let source = source_database(&source_section, place);
    source_section.finish();
    let dms = replication(&dms_section, place);
    dms_section.finish();
    Some(Some(dms?.with(source?)))
}

fn source_database(section: &Section<'_>, place: &Place<'_>) -> Option<SourceDatabase> {
    let engines = [
        ("mysql", SourceEngine::MySql),
        ("aurora", SourceEngine::Aurora),
        ("mariadb", SourceEngine::MariaDb),
    ];
    let hostings = [
        ("on-premises", SourceHosting::OnPremises),
        ("rds", SourceHosting::Rds),
        ("aurora", SourceHosting::Aurora),
    ];
    let modes = [("verify-ca", TlsMode::VerifyCa), ("verify-full", TlsMode::VerifyFull)];
    let engine = required_choice(section, "engine", &engines);
    let hosting = required_choice(section, "hosting", &hostings);
    let version = section.required::<ServerVersion>("version");
    let secret = arn(section, "secret", &SECRET, place);
    let secret_role = arn(section, "secret_role", &ROLE, place);
    let tls = required_choice(section, "tls", &modes);
    let certificate = arn(section, "certificate", &CERTIFICATE, place);
    if let (Some(engine), Some(hosting)) = (&engine, &hosting)
        && (engine.value == SourceEngine::Aurora) != (hosting.value == SourceHosting::Aurora)
    {
        let hint = "the engine `aurora` is hosted on `aurora`, and nothing else is".to_owned();
        let message = "engine and hosting exclude each other".to_owned();
        section.report(SOURCE, hosting.line, message, hint);
    }
    if let (Some(engine), Some(version)) = (&engine, &version)
        && !engine.value.supports(version.value)
    {
        let message = format!("DMS does not list version {} as a source", version.value);
        let hint = format!("AWS lists {}", engine.value.known_versions());
        section.report(SOURCE, version.line, message, hint);
    }
    Some(SourceDatabase {
        engine: engine?.value,
        hosting: hosting?.value,
        version: version?.value,
        secret: secret?,
        secret_role: secret_role?,
        tls: tls?.value,
        certificate: certificate?,
    })
}

fn required_choice<T: Copy>(
    section: &Section<'_>,
    key: &'static str,
    known: &[(&str, T)],
) -> Option<At<T>> {
    section.required_text(key)?;
    section.one_of(key, known)
}

/// What an ARN has to name.
struct Wanted {
    service: &'static str,
    /// How the resource begins.
    resource: &'static str,
}

const SECRET: Wanted = Wanted { service: "secretsmanager", resource: "secret:" };
const ROLE: Wanted = Wanted { service: "iam", resource: "role/" };
const CERTIFICATE: Wanted = Wanted { service: "dms", resource: "cert:" };
const KEY: Wanted = Wanted { service: "kms", resource: "key/" };

/// An ARN of this service and kind, in the environment's account and, where it has one, Region.
fn arn(
    section: &Section<'_>,
    key: &'static str,
    wanted: &Wanted,
    place: &Place<'_>,
) -> Option<Arn> {
    let service = wanted.service;
    let At { value: arn, line } = section.required::<Arn>(key)?;
    let mut wrong = Vec::new();
    if arn.service() != service {
        wrong.push(format!("the service is `{}`, wanted is `{service}`", arn.service()));
    }
    if arn.resource().strip_prefix(wanted.resource).is_none_or(str::is_empty) {
        wrong.push(format!(
            "the resource is `{}`, wanted is `{}…`",
            arn.resource(),
            wanted.resource
        ));
    }
    if place.account.is_some_and(|account| account != arn.account()) {
        wrong.push(format!("the account is `{}`, not the environment's", arn.account()));
    }
    // IAM is global: its ARNs have no Region.
    let region = if service == "iam" { Some("") } else { place.region };
    if region.is_some_and(|region| region != arn.region()) {
        wrong.push(format!("the Region is `{}`, not the environment's", arn.region()));
    }
    if wrong.is_empty() {
        return Some(arn);
    }
    section.report(ARN, line, format!("`{key}`: {}", wrong.join("; ")), String::new());
    None
}

fn optional_arn(
    section: &Section<'_>,
    key: &'static str,
    wanted: &Wanted,
    place: &Place<'_>,
) -> Option<Option<Arn>> {
    if section.value(key).is_none() {
        return Some(None);
    }
    arn(section, key, wanted, place).map(Some)
}

/// `[dms]`, to which the source is added at last.
struct Replication {
    network: DmsNetwork,
    target_role: Arn,
    kms_key: Option<Arn>,
    bronze_kms_key: Option<Arn>,
    batch_seconds: u32,
    batch_kb: u32,
    form: ReplicationForm,
}

impl Replication {
    fn with(self, source: SourceDatabase) -> DmsEnvironment {
        DmsEnvironment {
            source,
            network: self.network,
            target_role: self.target_role,
            kms_key: self.kms_key,
            bronze_kms_key: self.bronze_kms_key,
            batch_seconds: self.batch_seconds,
            batch_kb: self.batch_kb,
            form: self.form,
        }
    }
}

fn replication(section: &Section<'_>, place: &Place<'_>) -> Option<Replication> {
    let forms = [("instance", true), ("serverless", false)];
    let instance = required_choice(section, "form", &forms);
    let target_role = arn(section, "target_role", &ROLE, place);
    let kms_key = optional_arn(section, "kms_key", &KEY, place);
    let bronze_kms_key = optional_arn(section, "bronze_kms_key", &KEY, place);
    let batch_seconds = section.integer("batch_seconds", 1, 3600).unwrap_or(60);
    let batch_kb = section.integer("batch_kb", 1, 1_048_576).unwrap_or(32_000);
    let subnets = ids(section, "subnets", "subnet-", 2);
    let security_groups = ids(section, "security_groups", "sg-", 1);
    let form = match instance {
        Some(At { value: true, .. }) => instance_form(section),
        Some(At { value: false, .. }) => serverless_form(section),
        None => None,
    };
    Some(Replication {
        network: DmsNetwork { subnets: subnets?, security_groups: security_groups? },
        target_role: target_role?,
        kms_key: kms_key?,
        bronze_kms_key: bronze_kms_key?,
        batch_seconds,
        batch_kb,
        form: form?,
    })
}

/// A list of ids with this prefix, at least so many, none twice.
fn ids(
    section: &Section<'_>,
    key: &'static str,
    prefix: &str,
    least: usize,
) -> Option<Vec<String>> {
    let line = section.value(key).map_or(section.line, |value| section.line_of(value));
    let listed = section.parsed_list::<String>(key);
    let mut ids: Vec<String> = Vec::new();
    for At { value, line } in listed {
        if !value.starts_with(prefix) || ids.contains(&value) {
            let hint = format!("write different ids that begin with `{prefix}`");
            section.report(NETWORK, line, format!("`{key}` holds `{value}`"), hint);
            return None;
        }
        ids.push(value);
    }
    if ids.len() < least {
        let hint = "a replication needs two subnets in different availability zones and one \
                    security group";
        let message = format!("`{key}` holds {} of at least {least} ids", ids.len());
        section.report(NETWORK, line, message, hint.to_owned());
        return None;
    }
    Some(ids)
}

fn instance_form(section: &Section<'_>) -> Option<ReplicationForm> {
    let class = section.required_text("class");
    let version = section.required::<ServerVersion>("engine_version");
    let storage_gb = section.integer("storage_gb", 5, 6144).unwrap_or(50);
    let multi_az = section.boolean("multi_az").unwrap_or(false);
    if let Some(class) = &class
        && !class.value.starts_with("dms.")
    {
        let hint = "classes are written like `dms.r6i.large`".to_owned();
        section.report(SIZE, class.line, format!("`class` is `{}`", class.value), hint);
    }
    if let Some(version) = &version
        && (version.value < OLDEST_ENGINE || version.value.patch.is_none())
    {
        let message = format!("`engine_version` is {}", version.value);
        let hint = format!("write {OLDEST_ENGINE} or later, with three numbers");
        section.report(SIZE, version.line, message, hint);
    }
    Some(ReplicationForm::Instance {
        class: class?.value.to_owned(),
        engine_version: version?.value,
        storage_gb,
        multi_az,
    })
}

fn serverless_form(section: &Section<'_>) -> Option<ReplicationForm> {
    let line = section.line;
    let min_units = section.integer("min_units", 1, 384);
    let max_units = section.integer("max_units", 1, 384);
    let multi_az = section.boolean("multi_az").unwrap_or(false);
    let Some(max_units) = max_units else {
        if section.value("max_units").is_none() {
            let hint = "add `max_units = …`, the most capacity".to_owned();
            section.report(SIZE, line, "`max_units` is missing in [dms]".to_owned(), hint);
        }
        return None;
    };
    let known = |units: &u32| UNITS.contains(units);
    if !known(&max_units) || !min_units.as_ref().is_none_or(known) || min_units > Some(max_units) {
        let known: Vec<String> = UNITS.iter().map(u32::to_string).collect();
        let hint = format!("units are {}, and the least is not above the most", known.join(", "));
        section.report(SIZE, line, "a capacity that DMS does not have".to_owned(), hint);
    }
    Some(ReplicationForm::Serverless { min_units, max_units, multi_az })
}
