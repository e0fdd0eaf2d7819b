//! A verification as text for people.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

use super::report::{
    Against, BucketReport, Counts, Kind, RowDifference, Shown, Verification, Verified,
};
use crate::plan::Forgotten;

/// The most characters of a value.
const LONGEST: usize = 80;

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = match &self.against {
            Against::Bronze { .. } => "Bronze",
            Against::Source(_) => "the source",
        };
        let verdict = if self.is_equal() { "equal" } else { "DIFFERENT" };
        writeln!(f, "verify {} against {with}: {verdict}", self.table)?;
        silver(f, &self.verified)?;
        self.expected(f)?;
        for bucket in self.buckets.iter().filter(|bucket| bucket.counts.total() > 0) {
            one(f, bucket)?;
        }
        self.summary(f)
    }
}

impl Verification {
    fn expected(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (taken, unapplied) = (&self.taken, self.verified.unapplied);
        match &self.against {
            Against::Bronze { forgotten } => {
                let files = counted(taken.files as u64, "applied Bronze file");
                let rows = counted(taken.rows, "change");
                writeln!(f, "expected  {files} with {rows}, {}", size(taken.bytes))?;
                doubt(f, forgotten)?;
            }
            Against::Source(position) => {
                let (at, rows) = (time(position.at), counted(taken.rows, "row"));
                writeln!(f, "expected  {rows} of {} as of {at}", position.address)?;
                match &position.binlog {
                    Some(end) => writeln!(f, "          not before binlog position {end}")?,
                    None => writeln!(f, "          binlog position unknown")?,
                }
                if taken.rejected > 0 {
                    let told = "quarantined at the source now";
                    writeln!(f, "          {told}: {}, not compared", taken.rejected)?;
                }
                writeln!(
                    f,
                    "note      the source may be ahead of Silver: differences may be changes on \
                     their way"
                )?;
            }
        }
        if unapplied > 0 {
            let files = counted(unapplied as u64, "Bronze file");
            writeln!(f, "note      {files} not applied yet, left out")?;
        }
        Ok(())
    }

    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, counts) = (self.shown().count() as u64, self.counts());
        if shown < counts.total() {
            let all = counts.total();
            writeln!(f, "          {shown} of {all} shown; `--rows` shows more")?;
        }
        let (silver, expected) = self.rows();
        let differ = self.buckets.iter().filter(|bucket| bucket.counts.total() > 0).count();
        let read = match &self.against {
            Against::Bronze { .. } => {
                let bytes = size(self.taken.bytes + self.verified.bytes);
                format!("{} and {bytes} read", counted(self.taken.files as u64, "file"))
            }
            Against::Source(_) => format!("{} of Silver read", size(self.verified.bytes)),
        };
        write!(
            f,
            "summary   {} in Silver, {expected} expected, {}, {}, {read}",
            counted(silver, "row"),
            counted(self.columns as u64, "column"),
            counted(self.buckets.len() as u64, "bucket"),
        )?;
        match counts.total() {
            0 => writeln!(f, ": equal"),
            _ => {
                let buckets = counted(differ as u64, "bucket");
                let verb = if differ == 1 { "differs" } else { "differ" };
                writeln!(f, ": {buckets} {verb}: {}", told(&counts))
            }
        }
    }
}

fn silver(f: &mut fmt::Formatter<'_>, verified: &Verified) -> fmt::Result {
    let Verified { snapshot, committed, generation, watermark, .. } = verified;
    let Some(snapshot) = snapshot else { return writeln!(f, "silver    never written") };
    write!(f, "silver    snapshot {snapshot}")?;
    if let Some(committed) = committed {
        write!(f, " of {}", time(*committed))?;
    }
    if let Some(generation) = generation {
        write!(f, ", load generation {}", generation.number)?;
    }
    writeln!(f)?;
    match watermark {
        Some(watermark) => writeln!(f, "          applied up to {watermark}"),
        None => Ok(()),
    }
}

fn doubt(f: &mut fmt::Formatter<'_>, forgotten: &Forgotten) -> fmt::Result {
    if forgotten.certain {
        return Ok(());
    }
    let listed = counted(forgotten.listed, "old change file");
    match forgotten.applied {
        Some(applied) => writeln!(
            f,
            "doubt     {listed} in Bronze where {applied} were applied: differences may come from \
             files that are gone or were overwritten"
        ),
        None => writeln!(
            f,
            "doubt     {listed} in Bronze, and no record tells how many were applied: differences \
             may come from files that are gone"
        ),
    }
}

fn one(f: &mut fmt::Formatter<'_>, bucket: &BucketReport) -> fmt::Result {
    let name = bucket.bucket.map_or("all".to_owned(), |bucket| bucket.to_string());
    let rows = counted(bucket.silver_rows, "row");
    write!(f, "bucket {name:<3}{rows} in Silver, {} expected: ", bucket.expected_rows)?;
    write!(f, "{}", told(&bucket.counts))?;
    if !bucket.columns.is_empty() {
        write!(f, "; in {}", bucket.columns.join(", "))?;
    }
    writeln!(f)?;
    bucket.rows.iter().try_for_each(|row| difference(f, row))
}

fn difference(f: &mut fmt::Formatter<'_>, row: &RowDifference) -> fmt::Result {
    let key = row.key.iter().map(|(name, value)| format!("{name} {}", shown(value)));
    write!(f, "  {}", key.collect::<Vec<_>>().join(", "))?;
    if let Some(tag) = &row.tag {
        write!(f, " #{tag}")?;
    }
    match row.kind {
        Kind::Missing => write!(f, ": missing in Silver")?,
        Kind::Unexpected => write!(f, ": unexpected in Silver")?,
        Kind::Differs => write!(f, ": differs")?,
        Kind::Repeated => write!(f, ": repeated")?,
        Kind::Untold => write!(f, ": no applied change made this row")?,
    }
    if row.rows > 1 {
        write!(f, " ({} rows in Silver)", row.rows)?;
    }
    writeln!(f)?;
    for column in &row.columns {
        let (silver, expected) = (shown(&column.silver), shown(&column.expected));
        writeln!(f, "    {}: {silver} in Silver, {expected} expected", column.column)?;
    }
    Ok(())
}

/// A value in one line.
fn shown(value: &Shown) -> String {
    match value {
        Shown::Null => "NULL".to_owned(),
        Shown::Personal => "<personal>".to_owned(),
        Shown::Text(text) => {
            let mut line: String =
                text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
            if text.chars().nth(LONGEST).is_some() {
                line.push('…');
            }
            format!("`{line}`")
        }
    }
}

fn told(counts: &Counts) -> String {
    let words = |name: &str, count: u64| match name {
        "differing" => format!("{count} differ"),
        "untold" => format!("{count} by no applied change"),
        name => format!("{count} {name}"),
    };
    let told = counts.counters().into_iter().filter(|(_, count)| *count > 0);
    told.map(|(name, count)| words(name, count)).collect::<Vec<_>>().join(", ")
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = UNITS.into_iter().find(|(factor, _)| bytes >= *factor);
    match unit {
        Some((factor, name)) => format!("{:.1} {name}", bytes as f64 / factor as f64),
        None => format!("{bytes} B"),
    }
}
