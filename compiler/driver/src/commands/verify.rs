//! `progmp-verify`: the whole gate over any number of files.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::{Color, Format, explain, failed, object, printed, replay};
use crate::exit::Exit;
use crate::files;
use crate::human::{self, View};
use crate::isolate::{Fault, in_order};
use crate::levels::Levels;
use crate::pipeline::{self, Artifact, FAULT, Settings};
use crate::progress::Progress;
use crate::report::{DiagnosticReport, FileReport, FileVerdict, Report};
use crate::rewrite::{Rewriting, queries};
use progmp_verifier::Options;

/// What to verify, and how.
#[derive(Debug, clap::Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "switches of a command line are independent"
)]
pub struct Args {
    /// Schedulers; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "explain")]
    files: Vec<String>,
    /// For whom to print
    #[arg(long, value_enum, default_value = "human", value_name = "FORMAT")]
    format: Format,
    /// Let this property decide over acceptance
    #[arg(long, value_name = "PROPERTY", value_delimiter = ',')]
    deny: Vec<String>,
    /// Only report this property
    #[arg(long, value_name = "PROPERTY", value_delimiter = ',')]
    allow: Vec<String>,
    /// Demand a property or a requirement such as 'redundancy <= 2' or any-size
    #[arg(long, value_name = "REQUIREMENT")]
    require: Vec<String>,
    /// Give the solver so many units for each question
    #[arg(long, value_name = "UNITS")]
    rlimit: Option<u64>,
    /// Executions without progress that the host grants
    #[arg(long, value_name = "EXECUTIONS", default_value_t = progmp_ir::FUEL, value_parser = clap::value_parser!(u32).range(1..=65_535))]
    fuel: u32,
    /// Files worked on at the same time [default: one per processor]
    #[arg(long, short, value_name = "NUMBER")]
    jobs: Option<NonZeroUsize>,
    /// When to print colours
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    color: Color,
    /// Tell also what is proved, with sizes, bounds and effort
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
    /// Print the verdicts only
    #[arg(long, short)]
    quiet: bool,
    /// Explain a diagnostic code or a property, and do nothing else
    #[arg(long, value_name = "CODE|PROPERTY", conflicts_with = "files")]
    explain: Option<String>,
    /// Run this counterexample again on FILE, and do nothing else
    #[arg(long, value_name = "STATE.json")]
    replay: Option<String>,
    /// Write each counterexample that fails the gate as JSON into this folder; `--deny` makes a
    /// warning one
    #[arg(long, value_name = "DIR")]
    counterexamples: Option<PathBuf>,
    /// Draw each counterexample that fails the gate into this folder
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Write each proved obligation as SMT-LIB into this folder
    #[arg(long, value_name = "DIR")]
    export_smt: Option<PathBuf>,
    /// Judge this object too: do its bytes do what FILE says?
    #[arg(long, value_name = "OBJECT", conflicts_with_all = ["replay", "format", "svg", "export_smt"])]
    object: Option<String>,
    /// Compile what does one packet for each execution, as the source does
    #[arg(long)]
    no_compress: bool,
    /// Compile the source as it is, without rewriting
    #[arg(long)]
    no_rewrite: bool,
    /// Fail on purpose, to see what a fault of the tool looks like
    #[arg(long, hide = true)]
    provoke_fault: bool,
}

/// What a worker hands back: text only, since executions cannot leave their thread.
struct Done {
    report: FileReport,
    text: String,
    artifacts: Vec<Artifact>,
    obligations: Vec<(String, String)>,
}

/// Runs the command.
pub fn verify(args: &Args) -> Exit {
    if let Some(what) = &args.explain {
        return explain::explain(what);
    }
    if args
        .files
        .iter()
        .filter(|file| *file == files::STDIN)
        .count()
        > 1
    {
        return failed("standard input can be read only once; name `-` once");
    }
    let levels = match Levels::new(&args.deny, &args.allow, &args.require) {
        Ok(levels) => levels,
        Err(why) => return failed(&why),
    };
    if let Err(mistakes) = well_formed(&levels.require) {
        files::complain(&mistakes);
        return Exit::BadInput;
    }
    if let Err(why) = progmp_verifier::smt::version::check_version() {
        let _ = failed(&why.to_string());
        return Exit::Fault;
    }
    let mut options = Options {
        fuel: args.fuel,
        ..Options::default()
    };
    if let Some(rlimit) = args.rlimit {
        options.rlimit = rlimit;
    }
    let view = View {
        color: args.color.on_stdout(),
        verbose: args.verbose,
        quiet: args.quiet,
    };
    if let Some(state) = &args.replay {
        return match &args.files[..] {
            [file] => replay::one(state, file, &options, view),
            _ => failed("--replay wants one FILE"),
        };
    }
    let settings = Settings {
        levels,
        options,
        draw: args.svg.is_some(),
        rewriting: Rewriting::of(args.no_rewrite, args.no_compress),
        form: progmp_codegen_ebpf::Options::default(),
        provoke_fault: args.provoke_fault,
    };
    if let Some(object) = &args.object {
        let [file] = &args.files[..] else {
            return failed("--object wants one FILE");
        };
        return object::judge(&object::Question {
            object,
            file,
            folder: args.counterexamples.as_deref(),
            settings: &settings,
            view,
        });
    }
    judge(args, &settings, view)
}

/// Whether the requirements of the command line are written as they should be.
fn well_formed(require: &[String]) -> Result<(), String> {
    let parsed = progmp_syntax::parse("--require", b"RETURN;", require);
    if parsed.program.is_some() {
        return Ok(());
    }
    let color = Color::Auto.on_stderr();
    Err(progmp_syntax::render(
        &parsed.diagnostics,
        &parsed.source,
        color,
    ))
}

fn judge(args: &Args, settings: &Settings, view: View) -> Exit {
    let jobs = args
        .jobs
        .or_else(|| std::thread::available_parallelism().ok());
    let progress = Progress::new(
        args.files.len(),
        args.format == Format::Human && !args.quiet,
    );
    let mut desk = Desk {
        args,
        view,
        progress: &progress,
        exit: Exit::Accepted,
        reports: Vec::new(),
        names: BTreeSet::new(),
        tally: BTreeMap::new(),
        printed: 0,
    };
    let work = |file: &String| {
        let mut on = |property| progress.at(file, property);
        let checked = pipeline::check(file, settings, &mut on);
        let text = match args.format {
            Format::Human => human::render(&checked, view),
            Format::Json => String::new(),
        };
        let mut obligations = Vec::new();
        if let (Some(program), Some(_)) = (&checked.program, &args.export_smt) {
            progmp_verifier::export(program, &settings.options, &mut |name, text| {
                obligations.push((name.to_owned(), text.to_owned()));
            });
            obligations.extend(queries(program, settings.rewriting));
        }
        Done {
            report: checked.report(),
            text,
            artifacts: checked.artifacts(settings.draw),
            obligations,
        }
    };
    let jobs = jobs.map_or(1, NonZeroUsize::get);
    in_order(&args.files, jobs, work, |file, done| {
        let done = done.unwrap_or_else(|fault| broken(file, &fault, view));
        desk.receive(file, done);
    });
    desk.close()
}

/// What is reported of a file on which we failed.
fn broken(file: &str, fault: &Fault, view: View) -> Done {
    let name = files::display_name(file);
    let title = view.paint(anstyle::AnsiColor::BrightRed, &format!("error[{FAULT}]"));
    let verdict = view.paint(anstyle::AnsiColor::BrightRed, "error   ");
    let text = format!("{title}: {name}: {}\n\n{verdict}  {name}\n", fault.report());
    Done {
        report: FileReport {
            file: name,
            scheduler: None,
            verdict: FileVerdict::Error,
            properties: Vec::new(),
            code: None,
            diagnostics: vec![DiagnosticReport::error(FAULT, fault.report(), None)],
        },
        text,
        artifacts: Vec::new(),
        obligations: Vec::new(),
    }
}

/// Where results arrive, in the order of the arguments: prints, writes files, keeps the tally.
struct Desk<'a> {
    args: &'a Args,
    view: View,
    progress: &'a Progress,
    exit: Exit,
    reports: Vec<FileReport>,
    names: BTreeSet<PathBuf>,
    tally: BTreeMap<&'static str, usize>,
    printed: usize,
}

impl Desk<'_> {
    fn receive(&mut self, file: &str, done: Done) {
        let verdict = done.report.verdict;
        *self.tally.entry(verdict.name()).or_default() += 1;
        let faulty = done.report.diagnostics.iter().any(|d| d.code == FAULT);
        self.exit = self
            .exit
            .and(if faulty { Exit::Fault } else { verdict.exit() });

        let written = self.write(&done);
        if self.args.format == Format::Json {
            self.reports.push(done.report);
            return;
        }
        let mut text = String::new();
        if self.printed > 0 && !self.view.quiet {
            text.push('\n');
        }
        self.printed += 1;
        text.push_str(&done.text);
        if !self.view.quiet {
            let gating = done.artifacts.iter().any(|artifact| artifact.gates);
            if self.args.counterexamples.is_some() {
                text.push_str(&human::replay_hints(file, &written));
            } else if gating {
                text.push_str(&human::keep_hint(file));
            }
        }
        self.print(&text);
    }

    fn print(&mut self, text: &str) {
        let result = self.progress.aside(|| files::print(text));
        self.complain(result);
    }

    fn complain(&mut self, result: Result<(), String>) {
        if let Err(why) = result {
            let exit = self.progress.aside(|| failed(&why));
            self.exit = self.exit.and(exit);
        }
    }

    /// Writes what was asked for; gives the paths of the counterexamples.
    fn write(&mut self, done: &Done) -> Vec<String> {
        let mut written = Vec::new();
        // What does not gate is in the JSON report.
        for artifact in done.artifacts.iter().filter(|artifact| artifact.gates) {
            if let Some(folder) = &self.args.counterexamples
                && let Some(path) = self.store(folder, &artifact.stem, "json", &artifact.json)
            {
                written.push(path);
            }
            if let (Some(folder), Some(picture)) = (&self.args.svg, &artifact.svg) {
                self.store(folder, &artifact.stem, "svg", picture);
            }
        }
        let scheduler = done.report.scheduler.clone();
        let scheduler = scheduler.unwrap_or_else(|| human::file_stem(&done.report.file));
        for (name, text) in &done.obligations {
            if let Some(folder) = &self.args.export_smt {
                let stem = files::safe_stem(&format!("{scheduler}.{name}"));
                self.store(folder, &stem, "smt2", text);
            }
        }
        written
    }

    /// Writes one file under a name that this command has not used yet.
    fn store(&mut self, folder: &Path, stem: &str, extension: &str, text: &str) -> Option<String> {
        let mut path = folder.join(format!("{stem}.{extension}"));
        let mut number = 1;
        while !self.names.insert(path.clone()) {
            number += 1;
            path = folder.join(format!("{stem}-{number}.{extension}"));
        }
        let result =
            files::create_folder(folder).and_then(|()| files::write(&path, text.as_bytes()));
        let done = result.is_ok();
        self.complain(result);
        done.then(|| path.display().to_string())
    }

    fn close(mut self) -> Exit {
        self.progress.finish();
        match self.args.format {
            Format::Json => {
                let reports = std::mem::take(&mut self.reports);
                printed(&Report::new(reports).to_json(), self.exit)
            }
            Format::Human => {
                let total: usize = self.tally.values().sum();
                if total > 1 && !self.view.quiet {
                    let order = ["accepted", "rejected", "unknown", "error"];
                    let parts: Vec<String> = order
                        .iter()
                        .filter_map(|name| Some(format!("{} {name}", self.tally.get(name)?)))
                        .collect();
                    self.print(&format!("\n{total} files: {}\n", parts.join(", ")));
                }
                self.exit
            }
        }
    }
}
