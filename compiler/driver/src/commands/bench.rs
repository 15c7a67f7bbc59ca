//! `progmp bench FILE…`: what the whole gate costs on each file, as a table.
//!
//! Each run is a process of its own, so that its peak memory can be told and nothing is warm
//! that would not be for a user. Times are wall time within that process.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::printed;
use crate::exit::Exit;
use crate::files;
use crate::pipeline::{Settings, check};
use crate::report::FileVerdict;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Schedulers
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Runs of each; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Measure in this process and print JSON
    #[arg(long, hide = true)]
    one: bool,
}

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sample {
    scheduler: String,
    verdict: FileVerdict,
    seconds: f64,
    /// Peak memory of the process, where the system tells it.
    peak_kib: Option<u64>,
    proofs: u32,
    searches: u32,
    units: u64,
    any_size: bool,
}

/// Runs the command.
///
/// # Panics
/// Never: a sample has no map with keys that are not strings.
pub fn bench(args: &Args) -> Exit {
    if args.one {
        let samples: Vec<Sample> = args.files.iter().map(|file| measure(file)).collect();
        let text = serde_json::to_string(&samples).expect("samples serialise");
        return printed(&text, Exit::Accepted);
    }
    let mut rows = Vec::new();
    let mut exit = Exit::Accepted;
    for file in &args.files {
        match (0..args.runs).map(|_| spawn(file)).collect() {
            Ok(samples) => rows.push(median(samples)),
            Err((failure, why)) => {
                files::complain(&format!("{}: {why}\n", files::display_name(file)));
                exit = exit.and(failure);
            }
        }
    }
    for row in &rows {
        exit = exit.and(row.verdict.exit());
    }
    printed(&table(&rows), exit)
}

fn median(mut samples: Vec<Sample>) -> Sample {
    samples.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    samples.swap_remove(samples.len() / 2)
}

fn measure(file: &str) -> Sample {
    let start = Instant::now();
    let checked = check(file, &Settings::default(), &mut |_| {});
    let seconds = start.elapsed().as_secs_f64();
    let unbounded = |judged: &crate::pipeline::Judged| {
        use progmp_verifier::{Size, Verdict};
        matches!(
            judged.finding.verdict,
            Verdict::Proved {
                size: Size::Any,
                ..
            }
        )
    };
    Sample {
        scheduler: checked
            .scheduler
            .clone()
            .unwrap_or_else(|| checked.name.clone()),
        verdict: checked.verdict,
        seconds,
        peak_kib: peak(),
        proofs: checked.effort.proofs,
        searches: checked.effort.searches,
        units: checked.effort.rlimit,
        any_size: checked.judged.iter().filter(|j| j.gates()).all(unbounded),
    }
}

/// Peak resident memory of this process (`VmHWM`, Linux).
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn spawn(file: &str) -> Result<Sample, (Exit, String)> {
    let unusable = |why: String| (Exit::BadInput, why);
    let this = std::env::current_exe().map_err(|error| unusable(files::reason(&error)))?;
    let output = Command::new(this)
        .args(["bench", "--one", "--"])
        .arg(file)
        .output()
        .map_err(|error| unusable(files::reason(&error)))?;
    let told = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if !output.status.success() {
        return Err((Exit::Fault, told()));
    }
    let samples: Vec<Sample> =
        serde_json::from_slice(&output.stdout).map_err(|_| (Exit::Fault, told()))?;
    samples.into_iter().next().ok_or_else(|| unusable(told()))
}

fn table(rows: &[Sample]) -> String {
    let width = rows
        .iter()
        .map(|row| row.scheduler.chars().count())
        .max()
        .unwrap_or(0)
        .max(9);
    let mut out = format!(
        "{:<width$}  {:<8}  {:<8}  {:>8}  {:>9}  {:>6}  {:>8}  {:>10}\n",
        "scheduler", "verdict", "any size", "ms", "peak MiB", "proofs", "searches", "units"
    );
    let mib = |kib: u64| f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0;
    for row in rows {
        let peak = row
            .peak_kib
            .map_or_else(|| "?".to_owned(), |kib| format!("{:.1}", mib(kib)));
        let _ = writeln!(
            out,
            "{:<width$}  {:<8}  {:<8}  {:>8.1}  {peak:>9}  {:>6}  {:>8}  {:>10}",
            row.scheduler,
            row.verdict.name(),
            if row.any_size { "yes" } else { "no" },
            row.seconds * 1000.0,
            row.proofs,
            row.searches,
            row.units,
        );
    }
    let mut times: Vec<f64> = rows.iter().map(|row| row.seconds * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    let peak = rows
        .iter()
        .filter_map(|row| row.peak_kib)
        .max()
        .map_or(0.0, mib);
    let (Some(most), Some(median)) = (times.last(), times.get(times.len() / 2)) else {
        return out;
    };
    let total: f64 = times.iter().sum();
    let _ = writeln!(
        out,
        "\n{} schedulers: total {total:.1} ms, median {median:.1} ms, max {most:.1} ms, peak {peak:.1} MiB",
        rows.len()
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: f64) -> Sample {
        Sample {
            scheduler: "x".to_owned(),
            verdict: FileVerdict::Accepted,
            seconds,
            peak_kib: Some(2048),
            proofs: 1,
            searches: 2,
            units: 3,
            any_size: true,
        }
    }

    #[test]
    fn the_table_ends_with_total_median_and_maximum() {
        let text = table(&[sample(0.3), sample(0.1), sample(0.2)]);
        let end = "3 schedulers: total 600.0 ms, median 200.0 ms, max 300.0 ms, peak 2.0 MiB\n";
        assert!(text.ends_with(end), "{text}");
        assert_eq!(text.lines().count(), 6);
    }
}
