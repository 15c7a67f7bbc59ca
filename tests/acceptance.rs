//! The running kernel takes what is compiled: every scheduler of the corpus and random programs.
//!
//! In the may-goto form, a program that compiles loads. In the bounded form, it loads or is
//! refused by an error with a name; only that the kernel gives up after a million instructions can
//! come later than from our estimate.

use std::fs;
use std::time::Duration;

use progmp_codegen_ebpf::note::{Note, Proof};
use progmp_codegen_ebpf::object::{Source, object};
use progmp_codegen_ebpf::{Loops, Options, compile};
use progmp_generate::{Choices, program};
use progmp_hosts::{Image, Kernel, Refusal};
use progmp_ir::splitmix64;
use progmp_tests::{root, skipped};
use progmp_verifier::ebpf::read;

/// Random programs that the kernel has to take, in each form.
const LOADED: usize = 500;
/// Where seeds begin.
const SEED: u64 = 3;

/// What the kernel or the compiler says of a program.
enum Verdict {
    Loaded { walked: u32, time: Duration },
    Named(String),
    Kernel(String),
}

/// What was said of many.
#[derive(Default)]
struct Record {
    walked: Vec<u32>,
    times: Vec<Duration>,
    named: Vec<String>,
    kernel: Vec<String>,
}

impl Record {
    fn add(&mut self, name: &str, verdict: Verdict) {
        match verdict {
            Verdict::Loaded { walked, time } => {
                self.walked.push(walked);
                self.times.push(time);
            }
            Verdict::Named(error) => self.named.push(format!("{name}: {error}")),
            Verdict::Kernel(log) => self.kernel.push(format!("{name}: {log}")),
        }
    }

    fn print(&mut self, what: &str) {
        self.walked.sort_unstable();
        self.times.sort_unstable();
        let middle = self.walked.len() / 2;
        let (Some(most), Some(slowest)) = (self.walked.last(), self.times.last()) else {
            println!("{what}: nothing is loaded");
            return;
        };
        println!(
            "{what}: {} loaded; walked: median {}, most {most}; time of a load: median {:?}, most {slowest:?}; {} refused by us",
            self.walked.len(),
            self.walked[middle],
            self.times[middle],
            self.named.len(),
        );
    }
}

/// Compiles and loads; `None` where the kernel cannot be asked.
fn asked(source: &str, loops: Loops) -> Option<Verdict> {
    let parsed = progmp_syntax::parse("acceptance", source.as_bytes(), &[]);
    let program = parsed.program.expect("the program is well-formed");
    let code = match compile(&program, &Options { loops }) {
        Ok(code) => code,
        Err(error) => return Some(Verdict::Named(error.to_string())),
    };
    // As users load it: out of an object, with types and source lines.
    let note = Note {
        name: "acceptance".to_owned(),
        proof: Proof::Unproved,
        loops: "",
        rewriting: "off",
        compressed: false,
        packets: 0,
        needs: Vec::new(),
        bounds: Vec::new(),
        stack_bytes: code.stack_bytes,
    };
    let source = Source {
        file: "acceptance.progmp",
        text: source,
    };
    let bytes = object(&code.body(), source, &note);
    let object = read(&bytes).expect("our own object can be read");
    let mut programs = object.programs.iter();
    let single = programs.find(|program| program.section == "syscall");
    let single = single.expect("it has a program for single runs");
    match Kernel::default().prepare(&Image::of(single)) {
        Ok(loaded) => {
            let statistics = loaded.statistics();
            Some(Verdict::Loaded {
                walked: statistics.walked,
                time: statistics.load_time,
            })
        }
        Err(Refusal::NeedsCapBpf | Refusal::NoKernel { .. }) => None,
        Err(Refusal::TooComplex) if loops == Loops::Bounded => Some(Verdict::Named(
            "too-large-for-bounded, says the kernel".into(),
        )),
        Err(Refusal::Kernel { log, .. }) => {
            let end: Vec<&str> = log.lines().rev().take(3).collect();
            Some(Verdict::Kernel(end.join(" < ")))
        }
        Err(refusal) => Some(Verdict::Kernel(refusal.to_string())),
    }
}

fn corpus() -> Vec<(String, String)> {
    let folder = root().join("specs/schedulers");
    let entries = fs::read_dir(folder).expect("the corpus is there");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("it is there").path())
        .collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "progmp")
    });
    files.sort();
    let file = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).expect("a scheduler is text");
        (path.display().to_string(), text)
    };
    files.iter().map(file).collect()
}

fn generated(number: u64) -> (String, String) {
    let seed = splitmix64(SEED) ^ number;
    let name = format!("generated {number}");
    (name, program(&mut Choices::from_seed(seed)))
}

#[test]
fn the_corpus_loads_in_the_may_goto_form_and_never_surprises_in_the_bounded() {
    for (loops, what) in [(Loops::MayGoto, "may-goto"), (Loops::Bounded, "bounded")] {
        let mut record = Record::default();
        for (name, source) in corpus() {
            let Some(verdict) = asked(&source, loops) else {
                return skipped("CAP_BPF");
            };
            record.add(&name, verdict);
        }
        record.print(&format!("corpus, {what}"));
        assert!(record.kernel.is_empty(), "{:#?}", record.kernel);
        if loops == Loops::MayGoto {
            assert!(record.named.is_empty(), "{:#?}", record.named);
        }
        assert_named(&record);
    }
}

#[test]
fn random_programs_load_in_the_may_goto_form() {
    random_programs_load(Loops::MayGoto, "random, may-goto");
}

#[test]
fn random_programs_load_in_the_bounded_form_or_are_refused_by_name() {
    random_programs_load(Loops::Bounded, "random, bounded");
}

fn random_programs_load(loops: Loops, what: &str) {
    let mut record = Record::default();
    let mut number = 0;
    while record.walked.len() < LOADED {
        let (name, source) = generated(number);
        let Some(verdict) = asked(&source, loops) else {
            return skipped("CAP_BPF");
        };
        record.add(&name, verdict);
        number += 1;
        let refused = record.named.len();
        assert!(refused < LOADED, "too many: {:#?}", record.named);
    }
    record.print(what);
    assert!(record.kernel.is_empty(), "{:#?}", record.kernel);
    assert_named(&record);
}

/// Every refusal is one that the user can look up.
fn assert_named(record: &Record) {
    for refusal in &record.named {
        let (_, error) = refusal.split_once(": ").expect("a name comes first");
        assert!(error.starts_with("too-"), "{refusal}");
    }
}
