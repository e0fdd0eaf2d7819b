//! The plan for people.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};

use super::{FileKind, Generation, Ignored, SilverPlan};

impl fmt::Display for SilverPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = self.base.map_or("none".to_owned(), |id| id.to_string());
        let watermark = self.watermark.as_deref().unwrap_or("none");
        writeln!(f, "{} plan for {}", self.target, self.table)?;
        writeln!(f, "  mode           {}: {}", self.mode, self.reason)?;
        writeln!(f, "  base snapshot  {base}")?;
        writeln!(f, "  generation     {}", self.generation)?;
        writeln!(f, "  watermark      {watermark}")?;
        if !self.watermark_seq.is_empty() {
            writeln!(f, "  sequence       {}", self.watermark_seq)?;
        }
        match self.look_back {
            Some(from) => writeln!(f, "  look-back      from {}", to_the_second(from))?,
            None => writeln!(f, "  look-back      everything")?,
        }
        self.fmt_files(f)?;
        writeln!(f, "  left           {}", counted(self.left, "file", " for further batches"))?;
        writeln!(f, "  ignored        {}", self.ignored)?;
        if let Some(waiting) = &self.waiting {
            writeln!(
                f,
                "  waiting        nothing is applied until {}, unless a change file follows the \
                 newest LOAD file of {}",
                shown(waiting.until),
                shown(waiting.newest)
            )?;
        }
        Ok(())
    }
}

impl SilverPlan {
    fn fmt_files(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.files.iter().map(|file| size(file.file.size)).collect();
        let total = self.files.iter().map(|file| file.file.size).sum();
        let files = counted(self.files.len(), "file", "");
        writeln!(f, "  to apply       {files}, {}", size(total))?;
        let width = self.files.iter().map(|file| file.file.key.len()).max().unwrap_or_default();
        let digits = sizes.iter().map(String::len).max().unwrap_or_default();
        for (file, size) in self.files.iter().zip(&sizes) {
            let kind = match file.kind {
                FileKind::Load => "load   ",
                FileKind::Changes => "changes",
            };
            let late = if file.late { "  late" } else { "" };
            writeln!(f, "    {kind}  {:width$}  {size:>digits$}{late}", file.file.key)?;
        }
        Ok(())
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.since {
            Some(since) => write!(f, "{} since {}", self.number, shown(since))?,
            None => write!(f, "{}", self.number)?,
        }
        write!(f, ", {}", counted(self.loads, "LOAD file", ""))
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = [
            (self.applied, "applied"),
            (self.earlier_generation, "of an earlier generation"),
            (self.before_look_back, "from before the look-back"),
            (self.no_bronze_key, "not named as Bronze files are"),
        ];
        let told = reasons.iter().filter(|(count, _)| *count > 0);
        let told: Vec<String> = told.map(|(count, why)| format!("{count} {why}")).collect();
        f.write_str(if told.is_empty() { "nothing" } else { "" })?;
        f.write_str(&told.join(", "))
    }
}

fn counted(count: usize, noun: &str, rest: &str) -> String {
    match count {
        0 => "none".to_owned(),
        1 => format!("1 {noun}{rest}"),
        _ => format!("{count} {noun}s{rest}"),
    }
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn to_the_second(time: NaiveDateTime) -> String {
    shown(time.and_utc())
}

/// Bytes in the unit that people read.
fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut shown = None;
    for unit in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        shown = Some(unit);
    }
    shown.map_or_else(|| format!("{bytes} B"), |unit| format!("{value:.1} {unit}"))
}
