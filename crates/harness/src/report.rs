//! What a run says while it runs, and the table at its end.

use std::time::{Duration, Instant};

/// How many differences are shown.
const SHOWN: usize = 20;

/// Prints lines with the time since the start; cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    began: Instant,
}

impl Printer {
    /// One line on stderr.
    pub fn print(&self, topic: &str, text: &str) {
        eprintln!("{:>7.1}s  {topic:<16} {text}", self.began.elapsed().as_secs_f64());
    }
}

/// A step that ended.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// Rows moved or compared.
    pub rows: usize,
    /// Files written.
    pub files: usize,
    /// In words.
    pub about: String,
}

/// The run's protocol.
#[derive(Debug)]
pub struct Report {
    printer: Printer,
    last: Instant,
    steps: Vec<Step>,
}

impl Default for Report {
    fn default() -> Report {
        let began = Instant::now();
        Report { printer: Printer { began }, last: began, steps: Vec::new() }
    }
}

fn number(n: usize) -> String {
    if n == 0 { String::new() } else { n.to_string() }
}

impl Report {
    /// For parts that print by themselves.
    pub fn printer(&self) -> Printer {
        self.printer
    }

    /// A line that is no step.
    pub fn line(&self, topic: &str, text: &str) {
        self.printer.print(topic, text);
    }

    /// Lines as they are.
    pub fn block(&self, text: &str) {
        for line in text.lines() {
            eprintln!("          {line}");
        }
    }

    /// The end of a step, with what it moved or compared.
    pub fn step(&mut self, name: &str, rows: usize, files: usize, about: &str) {
        let took = self.last.elapsed();
        self.last = Instant::now();
        self.printer.print(name, about);
        let (name, about) = (name.to_owned(), about.to_owned());
        self.steps.push(Step { name, took, rows, files, about });
    }

    /// The steps that ended, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The time since the start.
    pub fn took(&self) -> Duration {
        self.printer.began.elapsed()
    }

    /// The table at the end.
    pub fn summary(&self) -> String {
        let mut out = format!("\n{:<16} {:>8} {:>7}  {:>7}\n", "step", "rows", "files", "seconds");
        for step in &self.steps {
            out.push_str(&format!(
                "{:<16} {:>8} {:>7}  {:>7.1}  {}\n",
                step.name,
                number(step.rows),
                number(step.files),
                step.took.as_secs_f64(),
                step.about,
            ));
        }
        let total = self.printer.began.elapsed().as_secs_f64();
        out.push_str(&format!("{:<16} {:>8} {:>7}  {total:>7.1}\n", "total", "", ""));
        out
    }

    /// The differences, the first of them in full.
    pub fn differences(found: &[crate::verify::Difference]) -> String {
        let mut out = String::new();
        for difference in found.iter().take(SHOWN) {
            out.push_str(&format!("  {difference}\n"));
        }
        if found.len() > SHOWN {
            out.push_str(&format!("  and {} more\n", found.len() - SHOWN));
        }
        out
    }
}
