//! Medians, ratios, and how they are shown: in the terminal, as JSON, as Markdown.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};

use super::super::table::{Machine, median};
use super::floor::FLOOR;
use super::measure::Measured;
use super::peers::Way;
use super::scene::OURS;

const MIB: f64 = (1 << 20) as f64;

/// What the merge must reach against Spark merging on read: so many times as fast, in so much of
/// its memory.
const AGAINST_SPARK: (f64, f64) = (10.0, 0.25);
/// The most times the floor's CPU that it may take.
const AGAINST_FLOOR: f64 = 2.0;
/// The most times the wall time of a small table that the same batch may take on a larger one, and
/// that reading may take after many small commits.
pub(in crate::bench) const AGAINST_OURSELVES: f64 = 1.5;

/// How a figure stands to its budget, in words.
pub(in crate::bench) fn verdict(reached: bool) -> &'static str {
    if reached { "within its budget" } else { "SHORT of its budget" }
}

/// One kind of work, and everybody's runs.
pub(in crate::bench) struct Section {
    about: String,
    /// What is counted, such as `changes`.
    unit: &'static str,
    count: u64,
    programs: Vec<(String, Vec<Measured>)>,
    notes: Vec<String>,
}

/// The medians of one program.
struct Medians {
    runs: usize,
    wall: f64,
    cpu: f64,
    peak: f64,
    read: Option<f64>,
    written: Option<f64>,
    requests: Option<f64>,
    endpoint: Option<f64>,
    start: Option<f64>,
}

impl Medians {
    fn of(runs: &[Measured]) -> Medians {
        let of = |value: &dyn Fn(&Measured) -> f64| median(runs.iter().map(value).collect());
        let maybe = |value: &dyn Fn(&Measured) -> Option<f64>| {
            runs.iter().map(value).collect::<Option<Vec<f64>>>().map(median)
        };
        Medians {
            runs: runs.len(),
            wall: of(&|run| run.wall_seconds),
            cpu: of(&|run| run.cpu_seconds),
            peak: of(&|run| run.peak_bytes as f64),
            read: maybe(&|run| run.read_bytes.map(|bytes| bytes as f64)),
            written: maybe(&|run| run.written_bytes.map(|bytes| bytes as f64)),
            requests: maybe(&|run| run.requests.map(|requests| requests as f64)),
            endpoint: maybe(&|run| run.endpoint_seconds),
            start: maybe(&|run| run.start_seconds),
        }
    }

    /// The cells of a row: the program's name aside.
    fn cells(&self, count: u64) -> [String; 9] {
        let optional = |value: Option<f64>, decimals: usize| {
            value.map_or("-".to_owned(), |value| format!("{value:.decimals$}"))
        };
        let mebibytes = |value: Option<f64>| optional(value.map(|bytes| bytes / MIB), 1);
        let count = count as f64;
        [
            format!("{:.2}", self.wall),
            format!("{:.2}", self.cpu),
            format!("{:.0}", count / self.wall),
            format!("{:.0}", count / self.cpu),
            format!("{:.0}", self.peak / MIB),
            mebibytes(self.read),
            mebibytes(self.written),
            optional(self.requests, 0),
            optional(self.endpoint, 2),
        ]
    }
}

impl Section {
    pub(in crate::bench) fn new(about: String, unit: &'static str, count: u64) -> Section {
        Section { about, unit, count, programs: Vec::new(), notes: Vec::new() }
    }

    pub(in crate::bench) fn add(&mut self, program: &str, run: Measured) {
        match self.programs.iter_mut().find(|(known, _)| *known == program) {
            Some((_, runs)) => runs.push(run),
            None => self.programs.push((program.to_owned(), vec![run])),
        }
    }

    pub(in crate::bench) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn medians(&self, program: &str) -> Option<Medians> {
        let found = self.programs.iter().find(|(known, _)| *known == program);
        found.map(|(_, runs)| Medians::of(runs))
    }

    /// Our wall time and CPU seconds.
    pub(in crate::bench) fn ours(&self) -> Option<(f64, f64)> {
        self.times(OURS)
    }

    /// A program's wall time and CPU seconds.
    pub(in crate::bench) fn times(&self, program: &str) -> Option<(f64, f64)> {
        self.medians(program).map(|medians| (medians.wall, medians.cpu))
    }

    fn head(&self) -> [String; 9] {
        let unit = self.unit;
        [
            "wall s".to_owned(),
            "CPU s".to_owned(),
            format!("{unit}/s"),
            format!("{unit}/CPU s"),
            "peak MiB".to_owned(),
            "read MiB".to_owned(),
            "written MiB".to_owned(),
            "requests".to_owned(),
            "endpoint s".to_owned(),
        ]
    }

    fn rows(&self) -> impl Iterator<Item = (String, [String; 9])> + '_ {
        self.programs.iter().map(|(program, runs)| {
            let medians = Medians::of(runs);
            (format!("{program} ({})", medians.runs), medians.cells(self.count))
        })
    }

    /// What follows from the numbers, in words.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(ours) = self.medians(OURS) else { return self.notes.clone() };
        let duck = [Way::DuckPositions, Way::DuckRewrite].map(Way::name);
        let spark = [Way::SparkMergeOnRead, Way::SparkCopyOnWrite].map(Way::name);
        for peer in spark.iter().chain(&duck).chain(&["spark", "duckdb"]) {
            let Some(other) = self.medians(peer) else { continue };
            lines.push(format!(
                "against {peer}: {:.2} times as fast, {:.2} times by CPU, {:.2} of its memory",
                other.wall / ours.wall,
                other.cpu / ours.cpu,
                ours.peak / other.peak
            ));
            if *peer == Way::SparkMergeOnRead.name() {
                let (speed, memory) = AGAINST_SPARK;
                lines.push(format!(
                    "at least {speed} times as fast as Spark: {}; at most {memory} of its memory: {}",
                    verdict(other.wall / ours.wall >= speed),
                    verdict(ours.peak / other.peak <= memory)
                ));
            }
            if let Some(start) = other.start {
                lines.push(format!("{peer} began after {start:.1} s of start, not counted"));
            }
        }
        if let Some(floor) = self.medians(FLOOR) {
            lines.push(format!(
                "against the floor: {:.2} times its wall time, {:.2} times its CPU; at most \
                 {AGAINST_FLOOR} times: {}",
                ours.wall / floor.wall,
                ours.cpu / floor.cpu,
                verdict(ours.cpu / floor.cpu <= AGAINST_FLOOR)
            ));
        }
        for (program, runs) in &self.programs {
            let medians = Medians::of(runs);
            let (Some(read), Some(written)) = (medians.read, medians.written) else { continue };
            let each = |bytes: f64| bytes / self.count as f64;
            let one = self.unit.trim_end_matches('s');
            lines.push(format!(
                "{program}: {:.0} bytes read and {:.0} written per {one}",
                each(read),
                each(written)
            ));
        }
        lines.extend(self.notes.iter().cloned());
        lines
    }

    fn json(&self) -> Value {
        let programs = self.programs.iter().map(|(program, runs)| {
            let medians = Medians::of(runs);
            json!({
                "program": program, "runs": runs,
                "medians": {
                    "wall_seconds": medians.wall, "cpu_seconds": medians.cpu,
                    "peak_bytes": medians.peak, "read_bytes": medians.read,
                    "written_bytes": medians.written, "requests": medians.requests,
                },
            })
        });
        json!({
            "about": self.about, "count": self.count, "unit": self.unit,
            "programs": programs.collect::<Vec<_>>(), "notes": self.lines(),
        })
    }

    fn markdown(&self, out: &mut String) -> fmt::Result {
        let align = ["--:"; 9].join("|");
        writeln!(out, "\n{}\n\n| | {} |\n|---|{align}|", self.about, self.head().join(" | "))?;
        for (program, cells) in self.rows() {
            writeln!(out, "| {program} | {} |", cells.join(" | "))?;
        }
        writeln!(out)?;
        self.lines().iter().try_for_each(|line| writeln!(out, "- {line}"))
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, cells: &[String; 9]| {
            write!(f, "  {name:<24}")?;
            for (cell, width) in cells.iter().zip([8, 8, 12, 14, 9, 10, 12, 9, 11]) {
                write!(f, " {cell:>width$}")?;
            }
            writeln!(f)
        };
        writeln!(f, "{}", self.about)?;
        line(f, "", &self.head())?;
        for (program, cells) in self.rows() {
            line(f, &program, &cells)?;
        }
        self.lines().iter().try_for_each(|text| writeln!(f, "  {text}"))
    }
}

/// Everything that was measured.
pub(in crate::bench) struct Outcome {
    pub(in crate::bench) machine: Machine,
    pub(in crate::bench) seed: u64,
    /// What the columns mean, and how it was measured.
    pub(in crate::bench) legend: &'static [&'static str],
    pub(in crate::bench) sections: Vec<Section>,
    /// What did not run, and other things to know.
    pub(in crate::bench) notes: Vec<String>,
}

/// What the columns mean in the bench of Silver.
pub(in crate::bench) const LEGEND: [&str; 6] = [
    "crm.customers, 12 columns (fixtures/bench/silver). Medians, the number of runs in brackets;",
    "every program alone on this machine, which is busy if others use it: CPU is the steadier figure.",
    "medallion reads and writes through local S3 and Glue endpoints, whose CPU is in the last column",
    "and whose time is within its wall time; its start is counted. The others use local files. Wall",
    "and CPU of DuckDB and Spark are those of the work, without the start of Python and the JVM.",
    "Peaks are of whole processes.",
];

impl Outcome {
    pub(in crate::bench) fn json(&self) -> Value {
        json!({
            "machine": self.machine.json(), "seed": self.seed, "notes": self.notes,
            "sections": self.sections.iter().map(Section::json).collect::<Vec<_>>(),
        })
    }

    pub(in crate::bench) fn markdown(&self) -> Result<String, fmt::Error> {
        let mut out = format!("{}, seed {}. {}\n", self.machine, self.seed, self.legend.join(" "));
        for section in &self.sections {
            section.markdown(&mut out)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "\n{note}"))?;
        Ok(out)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, seed {}\n{}", self.machine, self.seed, self.legend.join("\n"))?;
        self.sections.iter().try_for_each(|section| write!(f, "\n{section}"))?;
        self.notes.iter().try_for_each(|note| writeln!(f, "\n{note}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(wall: f64, peak: u64) -> Measured {
        Measured {
            wall_seconds: wall,
            cpu_seconds: 2.0 * wall,
            peak_bytes: peak << 20,
            ..Measured::default()
        }
    }

    #[test]
    fn medians_and_ratios_are_shown() {
        let mut section = Section::new("S".to_owned(), "changes", 1_000);
        for wall in [4.0, 1.0, 2.0] {
            section.add(OURS, Measured { read_bytes: Some(5_000), ..run(wall, 100) });
        }
        section.add(
            Way::SparkMergeOnRead.name(),
            Measured { start_seconds: Some(9.5), ..run(20.0, 400) },
        );
        section.add(FLOOR, run(1.0, 10));
        let shown = section.to_string();
        let cells: Vec<&str> = shown.lines().nth(2).unwrap().split_whitespace().collect();
        assert_eq!(cells[..6], ["medallion", "(3)", "2.00", "4.00", "500", "250"], "{shown}");
        for line in [
            "against spark merge-on-read: 10.00 times as fast, 10.00 times by CPU, 0.25 of its memory",
            "spark merge-on-read began after 9.5 s of start, not counted",
            "against the floor: 2.00 times its wall time, 2.00 times its CPU",
        ] {
            assert!(shown.contains(line), "{shown}");
        }
        let mut markdown = String::new();
        section.markdown(&mut markdown).unwrap();
        assert!(markdown.contains("| medallion (3) | 2.00 | 4.00 |"), "{markdown}");
    }
}
