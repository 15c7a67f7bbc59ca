//! `proofs/ledger.toml` is up to date: the verdict on every scheduler of the corpus, and its cost.
//!
//! `cargo prove` writes it anew. Effort is counted in Z3's own units and in queries, never in time,
//! so that every machine comes to the same text.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use progmp_driver::pipeline::{Checked, Judged, Settings, check};
use progmp_verifier::smt::version::check_version;
use progmp_verifier::{Level, Options, Property, Size, Verdict, export};

const HEADER: &str = "\
# What is proved of the schedulers in specs/schedulers/, for any number of subflows and packets
# unless a size is given. Written by `cargo prove`; proofs/README.md says what each line means.
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn corpus() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("specs/schedulers")).expect("the corpus is there");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect();
    paths.sort();
    paths
}

/// The version of cvc5 that `cargo recheck` asks.
fn second_opinion() -> String {
    let pins = fs::read_to_string(root().join("tests/xtask/pins/cvc5.txt")).expect("a pinned cvc5");
    let version = pins.lines().find_map(|line| line.strip_prefix("cvc5=="));
    let version = version.expect("the pin names a version");
    version.trim_end_matches([' ', '\\']).to_owned()
}

fn entry(path: &Path) -> String {
    let settings = Settings::default();
    let name = path.file_stem().expect("a file has a name");
    let name = name.to_string_lossy();
    let checked = check(&path.to_string_lossy(), &settings, &mut |_| {});
    let mut queries = 0;
    let program = checked.program.as_ref().expect("the corpus has no mistake");
    export(program, &settings.options, &mut |query, _| {
        queries += usize::from(!query.starts_with("host-"));
    });
    let mut out = String::new();
    let _ = write!(
        out,
        "\n[[scheduler]]\nname = {name:?}\nverdict = {:?}\n{}",
        format!("{:?}", checked.verdict).to_lowercase(),
        findings(&checked)
    );
    let _ = writeln!(
        out,
        "queries = {queries}\nrlimit = {}",
        checked.effort.rlimit
    );
    out
}

fn findings(checked: &Checked) -> String {
    let mut out = String::new();
    let list = |wanted: &dyn Fn(&Judged) -> bool| {
        let titles = checked.judged.iter().filter(|judged| wanted(judged));
        let mut titles: Vec<&str> = titles.map(|judged| judged.finding.title.as_str()).collect();
        titles.dedup();
        titles.iter().fold(String::new(), |mut text, title| {
            let _ = writeln!(text, "    {title:?},");
            text
        })
    };
    let gates = |judged: &Judged| matches!(judged.level, Level::Gate | Level::Ask);
    let lists = [
        (
            "proved",
            list(&|j| gates(j) && matches!(j.finding.verdict, Verdict::Proved { .. })),
        ),
        (
            "refuted",
            list(&|j| gates(j) && j.finding.verdict == Verdict::Refuted),
        ),
        (
            "unknown",
            list(&|j| gates(j) && matches!(j.finding.verdict, Verdict::Unknown(_))),
        ),
        (
            "reported",
            list(&|j| !gates(j) && !matches!(j.finding.verdict, Verdict::Proved { .. })),
        ),
    ];
    for (key, titles) in lists {
        if !titles.is_empty() {
            let _ = writeln!(out, "{key} = [\n{titles}]");
        }
    }
    for judged in &checked.judged {
        if let Verdict::Proved {
            size: Size::UpTo { subflows, packets },
            ..
        } = judged.finding.verdict
            && gates(judged)
        {
            let title = &judged.finding.title;
            let _ = writeln!(out, "size.{title:?} = [{subflows}, {packets}]");
        }
        if judged.finding.property == Property::TriggerIsShort
            && let Some(bound) = judged.finding.bound
        {
            let _ = writeln!(out, "bound = {bound}");
        }
    }
    out
}

fn ledger() -> String {
    let z3 = check_version().expect("the linked Z3 is fit");
    let mut text = HEADER.to_owned();
    let _ = writeln!(
        text,
        "\n[solvers]\nz3 = \"{z3}\"\ncvc5 = {:?}\nrlimit_per_query = {}",
        second_opinion(),
        Options::default().rlimit
    );
    let paths = corpus();
    let (left, right) = paths.split_at(paths.len() / 2);
    let entries = |paths: &[PathBuf]| paths.iter().map(|path| entry(path)).collect::<String>();
    let both = thread::scope(|scope| {
        // Deep programs want room.
        let roomy = || thread::Builder::new().stack_size(64 << 20);
        let halves = [left, right].map(|half| {
            let started = roomy().spawn_scoped(scope, move || entries(half));
            started.expect("a thread can be started")
        });
        halves.map(|half| half.join().expect("no proof panics"))
    });
    text.extend(both);
    text
}

#[test]
fn the_ledger_is_what_the_verifier_says_today() {
    let path = root().join("proofs/ledger.toml");
    let today = ledger();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(path, today).expect("the ledger can be written");
    } else {
        let written = fs::read_to_string(path).expect("the repository has a ledger");
        assert!(
            written == today,
            "proofs/ledger.toml is out of date: run `cargo prove` and read the difference\n{}",
            first_difference(&written, &today)
        );
    }
}

fn first_difference(written: &str, today: &str) -> String {
    let mut lines = written.lines().zip(today.lines()).enumerate();
    let differs = lines.find(|(_, (was, is))| was != is);
    differs.map_or(
        "one of them ends earlier".to_owned(),
        |(index, (was, is))| format!("line {}: written {was}, today {is}", index + 1),
    )
}
