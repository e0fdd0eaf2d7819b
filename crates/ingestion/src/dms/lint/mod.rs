//! A linter for DMS documents: what would lose, reorder, cut or expose data.
//!
//! It reads JSON, not our types, so that it judges any replication alike: the parameters of the
//! API calls that create one, what the `Describe…` calls show of a live one, or the resources of a
//! CloudFormation template ([`DmsDocuments::from_template`]). A key that is not there counts as
//! the default that DMS gives it. Enumerations are compared without regard to case and to `-` or
//! `_`, because AWS itself writes them in several ways; names are compared letter by letter.
//!
//! Every rule is in [`rules::ALL`] with a sentence of explanation, and has a test in which a good
//! document is broken in exactly that way.
//!
//! Not judged here, because no document shows it: quotas of the account, rights of the roles,
//! routes of the network, the binlog settings of the server.

use std::fmt;

use medallion_definition::contract::TableContract;
use medallion_definition::environment::SourceEngine;
use medallion_definition::finding::RuleId;
use serde_json::Value;

mod attributes;
mod expect;
mod loading;
mod locator;
mod mappings;
mod replication;
pub mod rules;
mod settings;
mod source;
mod target;
pub mod template;
#[cfg(test)]
mod tests;
mod transformations;

/// The documents of one replication.
#[derive(Clone, Debug, PartialEq)]
pub struct DmsDocuments {
    /// `CreateEndpoint`, or an element of `DescribeEndpoints`.
    pub source_endpoint: Value,
    /// The same of the target.
    pub target_endpoint: Value,
    /// `CreateReplicationTask` or `CreateReplicationConfig`, or an element of
    /// `DescribeReplicationTasks` or `DescribeReplicationConfigs`. Mappings and settings may be
    /// objects or JSON in strings.
    pub replication: Value,
    /// `CreateReplicationInstance`, or an element of `DescribeReplicationInstances`.
    pub instance: Option<Value>,
    /// `CreateReplicationSubnetGroup`, or an element of `DescribeReplicationSubnetGroups`.
    pub subnet_group: Option<Value>,
    /// `StartReplicationTask` or `StartReplication`.
    pub start: Option<Value>,
    /// What is known of the server; nothing is judged of a server that nobody looked at.
    pub server: Option<SourceServer>,
}

/// What is known of the source server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceServer {
    /// The kind of server.
    pub engine: SourceEngine,
    /// Its version, as configured or as `SELECT VERSION()` shows it.
    pub version: String,
    /// `binlog_transaction_compression` (MySQL) or `log_bin_compress` (MariaDB), when known.
    pub binlog_transaction_compression: Option<bool>,
}

/// Which document a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// The endpoint of MySQL.
    SourceEndpoint,
    /// The endpoint of Bronze.
    TargetEndpoint,
    /// The task or the serverless configuration.
    Replication,
    /// The table mappings in it.
    TableMappings,
    /// The task settings in it.
    TaskSettings,
    /// The replication instance.
    Instance,
    /// The subnet group.
    SubnetGroup,
    /// The start of the replication.
    Start,
    /// The server itself.
    Server,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Document::SourceEndpoint => "source endpoint",
            Document::TargetEndpoint => "target endpoint",
            Document::Replication => "replication",
            Document::TableMappings => "table mappings",
            Document::TaskSettings => "task settings",
            Document::Instance => "replication instance",
            Document::SubnetGroup => "subnet group",
            Document::Start => "start",
            Document::Server => "source server",
        })
    }
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmsFinding {
    /// The rule.
    pub rule: RuleId,
    /// The document.
    pub document: Document,
    /// The place in it, as a JSON pointer (RFC 6901); empty for the document as a whole.
    pub path: String,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for DmsFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.document)?;
        if !self.path.is_empty() {
            write!(f, " {}", self.path)?;
        }
        write!(f, ": [{}] {}", self.rule, self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\n    hint: {}", self.hint)?;
        }
        Ok(())
    }
}

/// The findings about one document, being collected.
struct Report {
    document: Document,
    findings: Vec<DmsFinding>,
}

impl Report {
    /// What is added from now on is about this document.
    fn about(&mut self, document: Document) -> &mut Report {
        self.document = document;
        self
    }

    fn add(&mut self, rule: RuleId, path: &str, message: impl Into<String>, hint: &str) {
        self.findings.push(DmsFinding {
            rule,
            document: self.document,
            path: path.to_owned(),
            message: message.into(),
            hint: hint.to_owned(),
        });
    }
}

/// Judges the documents of a replication that carries these contracts' tables.
///
/// Findings come in the order of documents and places.
pub fn lint(documents: &DmsDocuments, contracts: &[TableContract]) -> Vec<DmsFinding> {
    let mut report = Report { document: Document::SourceEndpoint, findings: Vec::new() };
    source::endpoint(&documents.source_endpoint, report.about(Document::SourceEndpoint));
    if let Some(server) = &documents.server {
        source::server(server, report.about(Document::Server));
    }
    target::endpoint(&documents.target_endpoint, contracts, report.about(Document::TargetEndpoint));
    let replication = &documents.replication;
    replication::replication(replication, report.about(Document::Replication));
    let settings = part(replication, ["ReplicationTaskSettings", "ReplicationSettings"]);
    match settings {
        Ok(settings) => {
            let milliseconds = target::writes_milliseconds(&documents.target_endpoint);
            let report = report.about(Document::TaskSettings);
            settings::settings(&settings, contracts, milliseconds, report);
        }
        Err(reason) => unreadable(report.about(Document::TaskSettings), &reason),
    }
    match part(replication, ["TableMappings", "TableMappings"]) {
        Ok(found) => mappings::mappings(&found, contracts, report.about(Document::TableMappings)),
        Err(reason) => unreadable(report.about(Document::TableMappings), &reason),
    }
    if let Some(instance) = &documents.instance {
        replication::instance(instance, report.about(Document::Instance));
    }
    if let Some(group) = &documents.subnet_group {
        replication::subnet_group(group, report.about(Document::SubnetGroup));
    }
    if let Some(start) = &documents.start {
        let serverless = replication::is_serverless(replication);
        replication::start(start, serverless, report.about(Document::Start));
    }
    let mut findings = report.findings;
    findings.sort_by(|a, b| (a.document, &a.path, a.rule).cmp(&(b.document, &b.path, b.rule)));
    findings
}

fn unreadable(report: &mut Report, reason: &str) {
    let hint = "write one JSON object, or the same as a string";
    report.add(rules::JSON, "", reason.to_owned(), hint);
}

/// The JSON under one of these keys, which may be an object or JSON in a string.
fn part(document: &Value, keys: [&str; 2]) -> Result<Value, String> {
    let [first, second] = keys;
    let found = document.get(first).or_else(|| document.get(second));
    let value = match found {
        None | Some(Value::Null) => return Err(format!("`{first}` is missing")),
        Some(Value::String(text)) => {
            serde_json::from_str(text).map_err(|error| format!("`{first}` is no JSON: {error}"))?
        }
        Some(value) => value.clone(),
    };
    if value.is_object() { Ok(value) } else { Err(format!("`{first}` is no JSON object")) }
}
