//! The plan as documents: API parameters, and files.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::lint::{DmsDocuments, SourceServer};
use super::plan::DmsPlan;
use super::replication::Connected;
use super::{template, text};

impl DmsPlan {
    /// The parameters of `CreateReplicationTask` or `CreateReplicationConfig`. Mappings and
    /// settings are JSON in a string, as both calls want them.
    pub fn replication_api(&self) -> Value {
        self.replication.api(&Connected {
            source: json!(self.place.arn("endpoint", &self.source.name)),
            target: json!(self.place.arn("endpoint", &self.target.name)),
            instance: json!(self.place.arn("rep", &self.replication.name)),
            mappings: json!(text::compact(&self.mappings.document())),
            settings: json!(text::compact(&self.settings.document())),
        })
    }

    /// The documents, as the linter takes them.
    pub fn documents(&self) -> DmsDocuments {
        let database = &self.source.database;
        DmsDocuments {
            source_endpoint: self.source.api(),
            target_endpoint: self.target.api(),
            replication: self.replication_api(),
            instance: self.replication.instance(),
            subnet_group: Some(self.replication.subnet_group()),
            start: None,
            server: Some(SourceServer {
                engine: database.engine,
                version: database.version.to_string(),
                binlog_transaction_compression: None,
            }),
        }
    }

    /// The files of an environment's `dms` folder, by name, as text. A file `create-….json` holds
    /// the parameters of the API call of that name; what follows a dot tells two of them apart.
    pub fn files(&self) -> BTreeMap<String, String> {
        let replication = match self.replication.instance() {
            Some(_) => "create-replication-task.json",
            None => "create-replication-config.json",
        };
        let mut files = BTreeMap::from([
            ("create-endpoint.source.json", self.source.api()),
            ("create-endpoint.target.json", self.target.api()),
            ("create-replication-subnet-group.json", self.replication.subnet_group()),
            (replication, self.replication_api()),
            ("table-mappings.json", self.mappings.document()),
            ("task-settings.json", self.settings.document()),
            ("template.json", template::template(self)),
        ]);
        if let Some(instance) = self.replication.instance() {
            files.insert("create-replication-instance.json", instance);
        }
        files.iter().map(|(name, value)| ((*name).to_owned(), text::pretty(value))).collect()
    }
}
