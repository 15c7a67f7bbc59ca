//! `progmp compile`: a scheduler that is accepted becomes an object for the kernel.

mod kernel;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use clap::ValueEnum;
use progmp_codegen_ebpf::note::{Note, Proof, needs};
use progmp_codegen_ebpf::object::{self, Source};
use progmp_codegen_ebpf::{Code, Loops, Options, compile as lower};
use progmp_ir::SchedState;
use progmp_verifier::{Size, Verdict};

use super::{Color, failed, mistakes, printed};
use crate::exit::Exit;
use crate::files;
use crate::human::{self, View, file_stem};
use crate::levels::Levels;
use crate::pipeline::{self, Checked, Settings, load};
use crate::report::FileVerdict;
use crate::rewrite::{self, Lowered, Outcome, Rewriting, lowered};

/// What to compile, and how.
#[derive(Debug, clap::Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "switches of a command line are independent"
)]
pub struct Args {
    /// The scheduler; `-` is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Where the object goes; `-` is standard output
    #[arg(long, short, value_name = "OBJECT", required_unless_present = "emit")]
    output: Option<String>,
    /// How loops are written
    #[arg(long, value_enum, default_value = "may-goto", value_name = "FORM")]
    loops: Form,
    /// Print what a stage makes of the scheduler; no object is written and nothing proved
    #[arg(long, value_enum, value_name = "STAGE", conflicts_with_all = ["output", "unproved"])]
    emit: Option<Stage>,
    /// With `--emit egraph`: of the first expression that starts in this line [default: the costliest]
    #[arg(long, value_name = "LINE")]
    line: Option<u32>,
    /// Compile the source as it is, without rewriting; the object tells
    #[arg(long)]
    no_rewrite: bool,
    /// Leave it at one packet for each execution; else one pushes as many as the window takes, where
    /// that is proved to be the same
    #[arg(long)]
    no_compress: bool,
    /// Compile without proof; the object tells
    #[arg(long)]
    unproved: bool,
    /// Do not load the object into the running kernel before it is written
    #[arg(long)]
    no_load: bool,
    /// Demand a property or a requirement such as 'redundancy <= 2' or any-size
    #[arg(long, value_name = "REQUIREMENT")]
    require: Vec<String>,
    /// Give the solver so many units for each question
    #[arg(long, value_name = "UNITS")]
    rlimit: Option<u64>,
}

/// How loops are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For Linux 6.9 and later, with 256 packets a queue
    MayGoto,
    /// For older kernels, with 64 packets a queue
    Bounded,
}

/// What can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// The tree as written
    Ast,
    /// The program that everything else reads
    Ir,
    /// Instructions over virtual registers
    Vcode,
    /// Instructions of the program
    Asm,
    /// What the optimiser did, rule by rule, and whether it is used
    RewriteReport,
    /// All forms of one expression that the optimiser looked at, for Graphviz
    Egraph,
}

impl Args {
    const fn rewriting(&self) -> Rewriting {
        Rewriting::of(self.no_rewrite, self.no_compress)
    }
}

impl Form {
    pub(super) const fn options(self) -> Options {
        let loops = match self {
            Self::MayGoto => Loops::MayGoto,
            Self::Bounded => Loops::Bounded,
        };
        Options { loops }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::MayGoto => "may-goto",
            Self::Bounded => "bounded",
        }
    }

    /// Most packets that a host may show of each queue.
    pub(super) const fn packets(self) -> usize {
        match self {
            Self::MayGoto => SchedState::MAX_QUEUE,
            Self::Bounded => 64,
        }
    }
}

/// The name of the error, the same as where our own estimate says so.
pub(crate) const TOO_LARGE: &str = "too-large-for-bounded";
/// The name of the error where the kernel gives up on the other form.
pub(crate) const TOO_MANY_BRANCHES: &str = "too-many-branches";

/// Runs the command. Nothing is written unless all of it succeeds.
///
/// # Panics
/// If our own reader refuses the object: our mistake.
pub fn compile(args: &Args) -> Exit {
    if args.line.is_some() && args.emit != Some(Stage::Egraph) {
        return failed("--line goes with --emit egraph");
    }
    if let Some(stage) = args.emit {
        return emit(args, stage);
    }
    let output = args.output.as_deref().unwrap_or(files::STDIN);
    let place = |name: &str| fs::canonicalize(name).ok();
    if place(output).is_some() && place(output) == place(&args.file) {
        return failed(&format!(
            "{output} is the scheduler itself: the object needs a file of its own"
        ));
    }
    let levels = match Levels::new(&[], &[], &args.require) {
        Ok(levels) => levels,
        Err(why) => return failed(&why),
    };
    let (name, text, lowered, proof) = if args.unproved {
        let loaded = load(&args.file, &levels.require);
        files::complain(&mistakes(&loaded));
        let Some(program) = loaded.program else {
            return Exit::BadInput;
        };
        let lowered = lowered(&program, &args.loops.options(), args.rewriting());
        (loaded.name, loaded.source.text, lowered, Proof::Unproved)
    } else {
        let mut settings = Settings {
            levels,
            rewriting: args.rewriting(),
            form: args.loops.options(),
            ..Settings::default()
        };
        if let Some(rlimit) = args.rlimit {
            settings.options.rlimit = rlimit;
        }
        let checked = pipeline::check(&args.file, &settings, &mut |_| ());
        if checked.verdict != FileVerdict::Accepted {
            return refused(&checked);
        }
        let proof = proof(&checked);
        let lowered = checked.lowered.expect("what is accepted is a program");
        (checked.name, checked.source.text, lowered, proof)
    };
    let code = match &lowered.code {
        Ok(code) => code,
        Err(error) => return failed(&format!("{name}: {error}")),
    };
    let note = note(&name, &lowered, code, args.loops, proof);
    let source = Source {
        file: &name,
        text: &text,
    };
    let bytes = object::object(&code.body(), source, &note);
    // What cannot be read back must not leave the house.
    let object = progmp_verifier::ebpf::read(&bytes);
    let object = object.unwrap_or_else(|error| panic!("our own object is refused: {error}"));
    assert_eq!(object.source, text, "the object holds the source");
    if args.no_load {
        return write(output, &bytes);
    }
    match kernel::ask(&object, code.loops) {
        kernel::Answer::Taken => write(output, &bytes),
        kernel::Answer::NotAsked(why) => {
            let exit = write(output, &bytes);
            if exit == Exit::Accepted {
                files::complain(&format!("note: the kernel was not asked: {why}\n"));
            }
            exit
        }
        // Our estimate of the bounded form is not exact; in the other one there is none.
        kernel::Answer::TooLarge if lowered.outcome == Outcome::Used => failed(&format!(
            "{name}: the running kernel gave up on the rewritten program; use --no-rewrite"
        )),
        kernel::Answer::TooLarge => failed(&match args.loops {
            Form::Bounded => format!(
                "{name}: {TOO_LARGE}: the running kernel gave up after a million instructions; \
                 use --loops may-goto"
            ),
            Form::MayGoto => format!(
                "{name}: {TOO_MANY_BRANCHES}: the running kernel keeps no more than 8,192 branches in \
                 mind; a shorter scheduler is needed"
            ),
        }),
        kernel::Answer::Refused(log) => {
            let stem = files::safe_stem(&file_stem(&name));
            let bundle = kernel::Bundle {
                stem: &stem,
                source: &text,
                object: &bytes,
                loops: args.loops.name(),
            };
            kernel::report(&kernel::folder(output, &stem), &bundle, &log)
        }
    }
}

/// Writes the object, or to standard output.
fn write(output: &str, bytes: &[u8]) -> Exit {
    let result = if output == files::STDIN {
        files::print_bytes(bytes)
    } else {
        files::write(&PathBuf::from(output), bytes)
    };
    match result {
        Ok(()) => Exit::Accepted,
        Err(why) => failed(&why),
    }
}

/// Tells why a scheduler is not accepted.
pub(super) fn refused(checked: &Checked) -> Exit {
    let view = View {
        color: Color::Auto.on_stderr(),
        ..View::default()
    };
    files::complain(&human::render(checked, view));
    let exit = checked.verdict.exit();
    if exit != Exit::BadInput {
        files::complain("\nnothing is compiled: only what is accepted is; see --unproved\n");
    }
    exit
}

/// For which size everything is proved that the verdict depends on.
pub(super) fn proof(checked: &Checked) -> Proof {
    let sizes = checked.judged.iter().filter_map(|judged| {
        match (&judged.finding.verdict, judged.gates()) {
            (Verdict::Proved { size, .. }, true) => Some(*size),
            _ => None,
        }
    });
    match sizes.fold(Size::Any, Size::min) {
        Size::Any => Proof::AnySize,
        Size::UpTo { subflows, packets } => Proof::UpTo { subflows, packets },
    }
}

pub(super) fn note(name: &str, lowered: &Lowered, code: &Code, form: Form, proof: Proof) -> Note {
    let program = &lowered.program;
    let bounds = &code.bounds;
    Note {
        name: program.name.clone().unwrap_or_else(|| file_stem(name)),
        proof,
        loops: form.name(),
        rewriting: lowered.rewriting.name(),
        compressed: lowered.is_compressed(),
        packets: form.packets(),
        needs: needs(program),
        bounds: vec![
            ("actions", bounds.actions.to_string()),
            ("rounds", bounds.rounds.to_string()),
            ("steps", bounds.steps.to_string()),
        ],
        stack_bytes: code.stack_bytes,
    }
}

/// Prints what one stage makes of the scheduler.
fn emit(args: &Args, stage: Stage) -> Exit {
    let loaded = load(&args.file, &args.require);
    files::complain(&mistakes(&loaded));
    let (Some(ast), Some(program)) = (&loaded.ast, &loaded.program) else {
        return Exit::BadInput;
    };
    let text = match stage {
        Stage::Ast => format!("{ast:#?}\n"),
        Stage::Ir => format!("{program:#?}\n"),
        Stage::Vcode | Stage::Asm => {
            match lowered(program, &args.loops.options(), args.rewriting()).code {
                Ok(code) if stage == Stage::Vcode => code.vcode.to_string(),
                Ok(code) => listing(&code, &loaded.source),
                Err(error) => return failed(&format!("{}: {error}", loaded.name)),
            }
        }
        Stage::RewriteReport => {
            let options = args.loops.options();
            let lowered = lowered(program, &options, args.rewriting());
            let code = lower(program, &options);
            rewrite::report(&loaded.name, &loaded.source, &code, &lowered)
        }
        Stage::Egraph => {
            let line = |at: u32| u32::try_from(loaded.source.position(at).line).unwrap_or(u32::MAX);
            let chosen = |span: progmp_ir::Span| args.line.is_none_or(|it| it == line(span.start));
            match progmp_rewrite::draw(program, &progmp_rules::all(), &chosen) {
                Some(text) => text,
                None => {
                    return failed(&format!("{}: there is no expression to draw", loaded.name));
                }
            }
        }
    };
    printed(&text, Exit::Accepted)
}

/// The body: the slot of each instruction, its text, and the source line where a new one starts.
fn listing(code: &Code, source: &progmp_syntax::SourceFile) -> String {
    let mut text = format!(
        "; the block is at {}, {} bytes of stack\n",
        register(code.base.number()),
        code.stack_bytes
    );
    let mut lines = code.lines.iter().peekable();
    let mut slot = 0;
    let mut shown = 0;
    for insn in &code.insns {
        while let Some((_, span)) = lines.next_if(|(at, _)| *at <= slot) {
            let number = source.position(span.start).line;
            if number != shown {
                shown = number;
                let line = source.line(number).unwrap_or_default();
                let _ = writeln!(text, "; {number}: {}", line.trim());
            }
        }
        let target = insn.jump().map(|distance| {
            let next = i64::try_from(slot + 1).expect("programs are small");
            format!(" <{}>", next + i64::from(distance))
        });
        let _ = writeln!(text, "{slot:6}: {insn}{}", target.unwrap_or_default());
        slot += insn.slots();
    }
    text
}

fn register(number: u8) -> String {
    format!("r{number}")
}
