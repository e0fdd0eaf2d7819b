//! Medians, ratios, and how they are shown.

use std::fmt;

use serde_json::{Value, json};

use super::OURS;
use super::measure::Measured;

/// Where it was measured.
pub(super) struct Machine {
    processor: String,
    cores: usize,
    memory_bytes: u64,
}

impl Machine {
    pub(super) fn read() -> Machine {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
        };
        let memory = field(&file("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kibibytes: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        Machine {
            processor: field(&file("/proc/cpuinfo"), "model name")
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kibibytes * 1024,
        }
    }

    pub(super) fn json(&self) -> Value {
        let Machine { processor, cores, memory_bytes } = self;
        json!({"processor": processor, "cores": cores, "memory_bytes": memory_bytes})
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, cores, memory_bytes } = self;
        write!(f, "{processor}, {cores} cores, {} GiB", memory_bytes >> 30)
    }
}

/// One kind of work, and everybody's runs.
pub(super) struct Section {
    about: String,
    /// Rows, or row events.
    rows: u64,
    runs: Vec<(&'static str, Vec<Measured>)>,
}

/// The medians of one program.
struct Medians {
    wall: f64,
    cpu: f64,
    peak: f64,
    server: Option<f64>,
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (n, half) if n % 2 == 0 => f64::midpoint(values[half - 1], values[half]),
        (_, half) => values[half],
    }
}

impl Medians {
    fn of(runs: &[Measured]) -> Medians {
        let of = |value: &dyn Fn(&Measured) -> f64| median(runs.iter().map(value).collect());
        let server: Option<Vec<f64>> = runs.iter().map(|run| run.server_cpu_seconds).collect();
        Medians {
            wall: of(&Measured::wall),
            cpu: of(&Measured::cpu),
            peak: of(&|run| run.peak_bytes as f64),
            server: server.map(median),
        }
    }
}

impl Section {
    pub(super) fn new(about: String, rows: u64) -> Section {
        Section { about, rows, runs: Vec::new() }
    }

    /// Adds a run. One that has lost or invented rows is refused.
    pub(super) fn add(&mut self, program: &'static str, run: Measured) -> Result<(), String> {
        if run.result.rows != self.rows {
            let rows = run.result.rows;
            return Err(format!("{program} has written {rows} of {} rows", self.rows));
        }
        match self.runs.iter_mut().find(|(known, _)| *known == program) {
            Some((_, runs)) => runs.push(run),
            None => self.runs.push((program, vec![run])),
        }
        Ok(())
    }

    /// Rows per CPU second of ours and of the best peer, if there are peers.
    fn against_peers(&self) -> Option<(f64, &'static str)> {
        let rate = |runs: &[Measured]| self.rows as f64 / Medians::of(runs).cpu;
        let ours = self.runs.iter().find(|(program, _)| *program == OURS)?;
        let peers = self.runs.iter().filter(|(program, _)| *program != OURS);
        let best = peers.max_by(|a, b| rate(&a.1).total_cmp(&rate(&b.1)))?;
        Some((rate(&ours.1) / rate(&best.1), best.0))
    }

    fn json(&self) -> Value {
        let programs = self.runs.iter().map(|(program, runs)| {
            let Medians { wall, cpu, peak, server } = Medians::of(runs);
            let rows = self.rows as f64;
            json!({
                "program": program, "runs": runs,
                "medians": {
                    "wall_seconds": wall, "cpu_seconds": cpu, "peak_bytes": peak,
                    "server_cpu_seconds": server, "rows_per_second": rows / wall,
                    "rows_per_cpu_second": rows / cpu,
                },
            })
        });
        let best = self.against_peers().map(|(ratio, peer)| json!({"peer": peer, "ratio": ratio}));
        json!({
            "about": self.about, "rows": self.rows, "programs": programs.collect::<Vec<_>>(),
            "per_cpu_second_against_best_peer": best,
        })
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.about)?;
        writeln!(
            f,
            "  {:<12} {:>8} {:>8} {:>10} {:>12} {:>10} {:>10}",
            "", "wall s", "CPU s", "rows/s", "rows/CPU s", "peak MiB", "server s"
        )?;
        for (program, runs) in &self.runs {
            let Medians { wall, cpu, peak, server } = Medians::of(runs);
            let rows = self.rows as f64;
            let (per_second, per_cpu) = (rows / wall, rows / cpu);
            let server = server.map_or("-".to_owned(), |seconds| format!("{seconds:.2}"));
            let peak = peak / f64::from(1 << 20);
            writeln!(
                f,
                "  {program:<12} {wall:>8.2} {cpu:>8.2} {per_second:>10.0} {per_cpu:>12.0} \
                 {peak:>10.0} {server:>10}"
            )?;
        }
        if let Some((ratio, peer)) = self.against_peers() {
            writeln!(f, "  {ratio:.2} times the rows per CPU second of the best peer, {peer}")?;
        }
        Ok(())
    }
}

/// Everything that was measured.
pub(super) struct Outcome {
    pub(super) machine: Machine,
    /// Name, version and origin of the MySQL server.
    pub(super) server: String,
    pub(super) seed: String,
    pub(super) sections: Vec<Section>,
}

impl Outcome {
    pub(super) fn json(&self) -> Value {
        let mut machine = self.machine.json();
        machine["server"] = self.server.clone().into();
        json!({
            "machine": machine,
            "seed": self.seed,
            "sections": self.sections.iter().map(Section::json).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}; {}", self.machine, self.server)?;
        writeln!(
            f,
            "table of 13 columns (fixtures/bench/table.sql), seed `{}`; one connection and one \
             thread each; uncompressed Parquet; medians; CPU of peers without Python's start",
            self.seed
        )?;
        self.sections.iter().try_for_each(|section| write!(f, "\n{section}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::measure::Done;
    use super::*;

    fn run(cpu: f64, rows: u64) -> Measured {
        let result = Done { rows, bytes: 1, cpu_seconds: None, seconds: None };
        Measured {
            wall_seconds: 2.0 * cpu,
            user_seconds: cpu - 0.5,
            system_seconds: 0.5,
            peak_bytes: 64 << 20,
            server_cpu_seconds: None,
            result,
        }
    }

    #[test]
    fn the_best_peer_is_the_one_with_the_most_rows_per_cpu_second() {
        let mut section = Section::new("load".to_owned(), 100);
        for cpu in [4.0, 1.0, 2.0] {
            section.add(OURS, run(cpu, 100)).unwrap();
        }
        section.add("slow", run(8.0, 100)).unwrap();
        section.add("quick", run(3.0, 100)).unwrap();
        section.add("quick", run(5.0, 100)).unwrap();
        let (ratio, peer) = section.against_peers().unwrap();
        assert_eq!((ratio, peer), (2.0, "quick"));
        let shown = section.to_string();
        assert!(
            shown.contains("replicator       4.00     2.00         25           50"),
            "{shown}"
        );
    }

    #[test]
    fn a_run_that_loses_rows_is_no_result() {
        let mut section = Section::new("load".to_owned(), 100);
        assert!(section.add(OURS, run(1.0, 99)).is_err());
        assert!(section.runs.is_empty());
    }
}
