//! The whole lake definition: read from files handed in as text, checked across files, known to
//! be consistent afterwards.

use std::collections::BTreeMap;

use crate::catalogue::{self, CatalogueTable};
use crate::contract::TableContract;
use crate::finding::{Finding, Findings, RuleId};
use crate::model::GoldModel;
use crate::name::{LakeName, TableId};
use crate::policy::Policy;
use crate::read;
use crate::section::Reader;

/// A file that the definition needs is not there.
pub const FILE_MISSING: RuleId = RuleId("lake/file-missing");
/// A file that belongs to nothing.
pub const FILE_UNKNOWN: RuleId = RuleId("lake/file-unknown");
/// Two files define the same table.
pub const TABLE_TWICE: RuleId = RuleId("lake/table-twice");

/// One file of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as the user knows it; findings name it.
    pub path: String,
    /// The content.
    pub text: String,
}

/// A lake definition.
#[derive(Clone, Debug, PartialEq)]
pub struct LakeDefinition {
    /// The lake's name, prefix of its databases.
    pub name: LakeName,
    /// What the lake is for.
    pub description: String,
    /// The contracts, by source table.
    pub tables: Vec<TableContract>,
    /// The Gold models, by name.
    pub models: Vec<GoldModel>,
    /// Who may see what.
    pub policy: Policy,
}

impl LakeDefinition {
    /// Reads `lake.toml`, `tables/*.toml`, `models/*.sql` and `policy.toml`, in any order. A
    /// `README.md` and what lies in folders below `models`, such as tests of models, are no part
    /// of the definition and left out.
    ///
    /// # Errors
    /// All findings of all files at once.
    pub fn read(files: &[SourceFile]) -> Result<LakeDefinition, Findings> {
        let mut parts = Parts::default();
        for file in files {
            parts.add(file);
        }
        parts.finish()
    }

    /// The contract of a source table.
    pub fn contract(&self, table: &TableId) -> Option<&TableContract> {
        self.tables.iter().find(|t| t.table == *table)
    }

    /// The model of this name.
    pub fn model(&self, name: &str) -> Option<&GoldModel> {
        self.models.iter().find(|m| m.name.as_str() == name)
    }

    /// Every table of every layer with its columns, as the Glue Data Catalog will hold them.
    pub fn catalogue(&self) -> Vec<CatalogueTable> {
        catalogue::of(&self.tables, &self.models)
    }
}

#[derive(Default)]
struct Parts {
    lake: Option<(LakeName, String)>,
    lake_file: bool,
    tables: BTreeMap<TableId, TableContract>,
    models: Vec<GoldModel>,
    policy: Option<(Policy, String)>,
    policy_file: bool,
    findings: Findings,
}

impl Parts {
    fn add(&mut self, file: &SourceFile) {
        let mut tail = file.path.rsplit('/');
        let name = tail.next().unwrap_or_default();
        let folder = tail.next().unwrap_or_default();
        let above = tail.next().unwrap_or_default();
        match (folder, name, name.rsplit_once('.')) {
            (_, "lake.toml", _) => self.add_lake(file),
            (_, "policy.toml", _) => self.add_policy(file),
            (_, "README.md", _) => {}
            ("tables", _, Some((_, "toml"))) => self.add_table(file),
            ("models", _, Some((stem, "sql"))) => {
                let (model, findings) = read::model::read(&file.path, stem, &file.text);
                self.findings.extend(findings);
                self.models.extend(model);
            }
            // Beside the models, as tests of models are.
            _ if above == "models" && folder != "tables" => {}
            _ => self.finding(
                FILE_UNKNOWN,
                &file.path,
                "this file belongs to no part of a lake definition",
                "a definition holds lake.toml, policy.toml, tables/*.toml and models/*.sql",
            ),
        }
    }

    fn finding(&mut self, rule: RuleId, file: &str, message: &str, hint: &str) {
        self.findings.push(Finding {
            rule,
            file: file.to_owned(),
            line: 0,
            message: message.to_owned(),
            hint: hint.to_owned(),
        });
    }

    fn add_lake(&mut self, file: &SourceFile) {
        self.lake_file = true;
        let reader = Reader::new(&file.path, &file.text, 0);
        self.lake = reader.root(|root| {
            root.version_one();
            let name = root.required("name");
            let description = root.required_text("description");
            Some((name?.value, description?.value.to_owned()))
        });
        self.findings.extend(reader.into_findings());
    }

    fn add_table(&mut self, file: &SourceFile) {
        let (contract, findings) = read::contract::read(&file.path, &file.text);
        self.findings.extend(findings);
        let Some(contract) = contract else { return };
        let (table, path) = (contract.table.clone(), contract.file.clone());
        if let Some(earlier) = self.tables.insert(table.clone(), contract) {
            let message = format!("the table `{table}` is also defined in {}", earlier.file);
            self.finding(TABLE_TWICE, &path, &message, "keep one of the two files");
        }
    }

    fn add_policy(&mut self, file: &SourceFile) {
        self.policy_file = true;
        let (policy, findings) = read::policy::read(&file.path, &file.text);
        self.findings.extend(findings);
        self.policy = policy.map(|p| (p, file.path.clone()));
    }

    fn finish(mut self) -> Result<LakeDefinition, Findings> {
        for (there, name) in [(self.lake_file, "lake.toml"), (self.policy_file, "policy.toml")] {
            if !there {
                self.finding(FILE_MISSING, name, "the file is missing", "every lake needs it");
            }
        }
        let tables: Vec<TableContract> = self.tables.into_values().collect();
        self.findings.extend(catalogue::check_names(&tables));
        let mut models = self.models;
        models.sort_by(|a, b| a.name.cmp(&b.name));
        // Against a lake that could not be read, every selection would look wrong.
        if self.findings.is_empty() {
            let catalogue = catalogue::of(&tables, &models);
            self.findings.extend(read::model::check_relationships(&models, &catalogue));
            if let Some((policy, _)) = &self.policy {
                self.findings.extend(catalogue::check_policy(policy, &tables, &models));
            }
        }
        let lake = match (self.lake, self.policy) {
            (Some((name, description)), Some((policy, _))) => {
                Some(LakeDefinition { name, description, tables, models, policy })
            }
            _ => None,
        };
        self.findings.into_result(lake)
    }
}
