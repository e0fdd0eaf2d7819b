//! The report as text and as JSON.

use std::fmt;

use medallion_ingestion::dms::lint::DmsFinding;
use medallion_replicator::inspection::finding::Severity;
use medallion_replicator::inspection::{Inspection, lob::LobLength};
use serde_json::{Value, json};

/// What was looked at and found.
pub(super) struct Report<'a> {
    pub(super) inspection: &'a Inspection,
    /// Findings about a DMS replication, if one was named; each is an error.
    pub(super) dms: Option<&'a [DmsFinding]>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inspection { address, server, server_uuid, tables, lobs, findings } = self.inspection;
        writeln!(f, "source   {address}, {server}")?;
        if let Some(uuid) = server_uuid {
            writeln!(f, "identity {uuid}")?;
        }
        writeln!(f, "looked at server settings, privileges, replication state")?;
        let width = tables.iter().map(|(table, _)| table.to_string().len()).max().unwrap_or(0);
        for (table, rows) in tables {
            let rows = rows.map_or("not there".to_owned(), |rows| format!("about {rows} rows"));
            writeln!(f, "table    {:width$}  {rows}", table.to_string())?;
        }
        for lob in lobs {
            writeln!(f, "large    {}", Longest(lob))?;
        }
        for severity in Severity::ALL {
            let of: Vec<_> = findings.iter().filter(|x| x.severity == severity).collect();
            if !of.is_empty() {
                writeln!(f, "\n{severity}s")?;
            }
            for finding in of {
                writeln!(f, "  {}", indented(&finding.to_string()))?;
            }
        }
        if let Some(findings) = self.dms {
            writeln!(f, "\nDMS replication: {}", counted(findings.len(), "error"))?;
            for finding in findings {
                writeln!(f, "  {}", indented(&finding.to_string()))?;
            }
        }
        let counts = Severity::ALL.map(|severity| {
            let dms = self.dms.filter(|_| severity == Severity::Error).map_or(0, <[_]>::len);
            counted(self.inspection.count(severity) + dms, severity.as_str())
        });
        writeln!(f, "\n{}", counts.join(", "))
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

struct Longest<'a>(&'a LobLength);

impl fmt::Display for Longest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LobLength { table, column, column_type, longest, complete } = self.0;
        write!(f, "{table}.{column} ({column_type})  ")?;
        match longest {
            Some(bytes) => write!(f, "longest value {bytes} bytes")?,
            None => f.write_str("no values")?,
        }
        if *complete { Ok(()) } else { f.write_str(", of a part of the rows") }
    }
}

impl Report<'_> {
    /// One JSON object.
    pub(super) fn json(&self) -> Result<String, serde_json::Error> {
        let inspection = self.inspection;
        let tables = inspection
            .tables
            .iter()
            .map(|(table, rows)| json!({ "table": table.to_string(), "estimated_rows": rows }));
        let lobs = inspection.lobs.iter().map(|lob| {
            json!({
                "table": lob.table.to_string(),
                "column": lob.column,
                "type": lob.column_type,
                "longest_bytes": lob.longest,
                "all_rows": lob.complete,
            })
        });
        let findings = inspection.findings.iter().map(|finding| {
            json!({
                "rule": finding.rule.0,
                "severity": finding.severity.as_str(),
                "place": finding.place.to_string(),
                "message": finding.message,
                "hint": finding.hint,
            })
        });
        let dms = self.dms.map(|findings| findings.iter().map(dms_json).collect::<Vec<_>>());
        serde_json::to_string_pretty(&json!({
            "address": inspection.address,
            "server": inspection.server,
            "server_uuid": inspection.server_uuid,
            "tables": tables.collect::<Vec<_>>(),
            "large_columns": lobs.collect::<Vec<_>>(),
            "findings": findings.collect::<Vec<_>>(),
            "dms_findings": dms,
        }))
    }
}

fn dms_json(finding: &DmsFinding) -> Value {
    json!({
        "rule": finding.rule.0,
        "severity": "error",
        "document": finding.document.to_string(),
        "path": finding.path,
        "message": finding.message,
        "hint": finding.hint,
    })
}

#[cfg(test)]
mod tests {
    use medallion_definition::finding::RuleId;
    use medallion_ingestion::dms::lint::Document;
    use medallion_replicator::inspection::finding::{Finding, Place};

    use super::*;

    fn inspection() -> Inspection {
        let finding = |severity, rule, place, hint: &str| Finding {
            rule: RuleId(rule),
            severity,
            place,
            message: "so it is".to_owned(),
            hint: hint.to_owned(),
        };
        let table: medallion_definition::name::TableId = "crm.customers".parse().unwrap();
        Inspection {
            address: "db:3306".to_owned(),
            server: "MySQL 8.4.2".to_owned(),
            server_uuid: Some("u-1".to_owned()),
            tables: vec![(table.clone(), Some(7)), ("crm.x".parse().unwrap(), None)],
            lobs: vec![LobLength {
                table: table.clone(),
                column: "notes".to_owned(),
                column_type: "mediumtext".to_owned(),
                longest: Some(812),
                complete: false,
            }],
            findings: vec![
                finding(Severity::Error, "source/a", Place::Variable("log_bin"), "do this"),
                finding(Severity::Note, "source/b", Place::Table(table), ""),
            ],
        }
    }

    fn dms() -> Vec<DmsFinding> {
        vec![DmsFinding {
            rule: RuleId("dms/x"),
            document: Document::TaskSettings,
            path: "/A/B".to_owned(),
            message: "`B` is `1`".to_owned(),
            hint: String::new(),
        }]
    }

    #[test]
    fn the_text_tells_what_was_looked_at_and_what_was_found() {
        let (inspection, dms) = (inspection(), dms());
        let shown = Report { inspection: &inspection, dms: Some(&dms) }.to_string();
        let expected = "\
source   db:3306, MySQL 8.4.2
identity u-1
looked at server settings, privileges, replication state
table    crm.customers  about 7 rows
table    crm.x          not there
large    crm.customers.notes (mediumtext)  longest value 812 bytes, of a part of the rows

errors
  [source/a] variable `log_bin`: so it is
      hint: do this

notes
  [source/b] table `crm.customers`: so it is

DMS replication: 1 error
  task settings /A/B: [dms/x] `B` is `1`

2 errors, 0 warnings, 1 note
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_json_has_every_finding() {
        let (inspection, dms) = (inspection(), dms());
        let with = Report { inspection: &inspection, dms: Some(&dms) }.json().unwrap();
        let value: Value = serde_json::from_str(&with).unwrap();
        assert_eq!(value["findings"][0]["place"], "variable `log_bin`");
        assert_eq!(value["findings"][1]["severity"], "note");
        assert_eq!(value["large_columns"][0]["longest_bytes"], 812);
        assert_eq!(value["dms_findings"][0]["document"], "task settings");
        let without = Report { inspection: &inspection, dms: None }.json().unwrap();
        let value: Value = serde_json::from_str(&without).unwrap();
        assert_eq!(value["dms_findings"], Value::Null);
    }
}
