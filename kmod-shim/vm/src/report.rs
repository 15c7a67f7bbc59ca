//! What the guest says, line by line, and the sum of it.

use std::fmt::{self, Write as _};

/// One line of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// The guest's first process runs.
    Up,
    /// A test starts.
    Start(String),
    /// A test has ended: its name, ms, and a remark or the reason.
    Ended {
        name: String,
        ms: u64,
        passed: bool,
        text: String,
    },
    /// All has been run.
    Done,
}

impl Line {
    /// Reads a line; anything else on the port is no line of ours.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let line = line.trim_end_matches(['\r', '\n']).strip_prefix('@')?;
        match line {
            "up" => return Some(Self::Up),
            "done" => return Some(Self::Done),
            _ => {}
        }
        let (kind, rest) = line.split_once(' ')?;
        if kind == "start" {
            return Some(Self::Start(rest.to_owned()));
        }
        let mut words = rest.splitn(3, ' ');
        let name = words.next()?.to_owned();
        let ms = words.next()?.parse().ok()?;
        let text = words.next().unwrap_or_default().to_owned();
        let passed = match kind {
            "ok" => true,
            "failed" => false,
            _ => return None,
        };
        Some(Self::Ended {
            name,
            ms,
            passed,
            text,
        })
    }
}

/// How many tests passed and failed, and what those that passed said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) remarks: Vec<String>,
}

/// The median of each `name=number` in these remarks, a line each, in the order of the first.
pub(crate) fn medians(remarks: &[String]) -> String {
    let cells = |remark: &str| -> Vec<(String, f64)> {
        let words = remark.split_whitespace();
        let pairs = words.filter_map(|word| word.split_once('='));
        let read = |(name, value): (&str, &str)| Some((name.to_owned(), value.parse().ok()?));
        pairs.filter_map(read).collect()
    };
    let all: Vec<Vec<(String, f64)>> = remarks.iter().map(|remark| cells(remark)).collect();
    let mut text = String::new();
    for (place, (name, _)) in all.first().into_iter().flatten().enumerate() {
        let at = all.iter().filter_map(|cells| cells.get(place));
        let mut values: Vec<f64> = at.map(|(_, value)| *value).collect();
        values.sort_by(f64::total_cmp);
        let middle = values[values.len() / 2];
        let _ = writeln!(text, "{name:24} {middle}");
    }
    text
}

impl Tally {
    /// Counts and prints one verdict.
    pub(crate) fn add(&mut self, name: &str, ms: u64, passed: bool, text: &str) {
        let verdict = if passed { "ok" } else { "FAILED" };
        let seconds = ms / 1000;
        let tenths = ms % 1000 / 100;
        println!("test {name} ... {verdict} ({seconds}.{tenths} s) {text}");
        if passed {
            self.passed += 1;
            self.remarks.push(text.to_owned());
        } else {
            self.failed += 1;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.failed == 0 { "ok" } else { "FAILED" };
        write!(
            f,
            "\ntest result: {verdict}. {} passed; {} failed; 0 ignored",
            self.passed, self.failed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_guest_are_read_and_others_passed_over() {
        assert_eq!(Line::read("@up\r\n"), Some(Line::Up));
        assert_eq!(Line::read("@done"), Some(Line::Done));
        assert_eq!(
            Line::read("@start a::b"),
            Some(Line::Start("a::b".to_owned()))
        );
        let ended = |passed, text: &str| {
            Some(Line::Ended {
                name: "a::b".to_owned(),
                ms: 12,
                passed,
                text: text.to_owned(),
            })
        };
        assert_eq!(
            Line::read("@ok a::b 12 all is well"),
            ended(true, "all is well")
        );
        assert_eq!(Line::read("@failed a::b 12 "), ended(false, ""));
        for line in ["", "up", "@okay a 1", "@ok a", "@ok a b c", "@"] {
            assert_eq!(Line::read(line), None, "{line}");
        }
    }

    #[test]
    fn the_median_of_each_figure_is_taken() {
        let remarks = ["a=1 b=7.5", "a=3 b=2", "a=2 b=9"].map(str::to_owned);
        let text = medians(&remarks);
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words, ["a", "2", "b", "7.5"]);
        assert_eq!(medians(&[]), "");
    }

    #[test]
    fn one_failure_fails_all() {
        let mut tally = Tally::default();
        tally.add("a", 1, true, "");
        assert!(tally.to_string().contains("ok. 1 passed; 0 failed"));
        tally.add("b", 1, false, "");
        assert!(tally.to_string().contains("FAILED. 1 passed; 1 failed"));
    }
}
