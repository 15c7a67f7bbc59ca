//! The command line: one module per command, and what they share.

pub mod bench;
pub mod compile;
pub mod diff;
pub mod equiv;
pub mod explain;
pub mod fmt;
mod object;
pub mod replay;
pub mod run;
pub mod shim;
pub mod verify;

use std::fmt::Write as _;
use std::io::{self, IsTerminal};

use anstyle::AnsiColor;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::exit::Exit;
use crate::files;
use crate::human::View;
use crate::isolate::isolated;
use crate::pipeline::{FAULT, Loaded};

/// Says of schedulers written in ProgMP whether they are fit for a connection.
///
/// Every gate property is proved for all states of a connection, or refuted with a
/// counterexample that the interpreter has replayed.
#[derive(Debug, Parser)]
#[command(name = "progmp-verify", version, after_help = EXIT_CODES)]
struct VerifyCli {
    #[command(flatten)]
    args: verify::Args,
}

/// Tools for multipath TCP schedulers written in ProgMP.
#[derive(Debug, Parser)]
#[command(name = "progmp", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prove or refute the properties of schedulers (the same as progmp-verify)
    Verify(verify::Args),
    /// Compile a scheduler that is accepted to an eBPF object
    Compile(compile::Args),
    /// Compare compiled code with the interpreter on every engine
    Diff(diff::Args),
    /// Format schedulers in place
    Fmt(fmt::Args),
    /// Run one trigger of a scheduler from a state
    Run(run::Args),
    /// Tell whether two schedulers decide alike in every state
    Equiv(equiv::Args),
    /// Run a counterexample again
    Replay(replay::Args),
    #[command(flatten)]
    Shim(shim::Command),
    /// Explain a diagnostic code or a property
    Explain(explain::Args),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page
    Man {
        /// Of which command
        #[arg(value_enum, default_value = "progmp")]
        of: ManPage,
    },
    /// Measure time, memory and effort of the whole gate on each file
    Bench(bench::Args),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ManPage {
    Progmp,
    ProgmpVerify,
}

const EXIT_CODES: &str = "\
Exit codes: 0 accepted, 1 rejected, 2 bad input or usage, 3 undecided, 70 a fault of the tool;
of several files the first that occurs of 70, 2, 1, 3.";

/// When to print colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to print colours to standard output.
    pub fn on_stdout(self) -> bool {
        self.on(io::stdout().is_terminal())
    }

    /// Whether to print colours to standard error.
    pub fn on_stderr(self) -> bool {
        self.on(io::stderr().is_terminal())
    }

    fn on(self, terminal: bool) -> bool {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => terminal && wanted,
        }
    }
}

/// For whom to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text with source lines.
    #[default]
    Human,
    /// JSON (specs/report.md).
    Json,
}

/// The command `progmp-verify`.
pub fn progmp_verify() -> Exit {
    match VerifyCli::try_parse() {
        Ok(cli) => guarded(|| verify::verify(&cli.args)),
        Err(error) => usage(&error),
    }
}

/// The command `progmp`.
pub fn progmp() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    guarded(|| match &cli.command {
        Command::Verify(args) => verify::verify(args),
        Command::Compile(args) => compile::compile(args),
        Command::Diff(args) => diff::diff(args),
        Command::Fmt(args) => fmt::fmt(args),
        Command::Run(args) => run::run(args),
        Command::Equiv(args) => equiv::equiv(args),
        Command::Replay(args) => replay::replay(args),
        Command::Shim(command) => shim::shim(command),
        Command::Explain(args) => explain::explain(&args.what),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "progmp", &mut script);
            printed(&String::from_utf8_lossy(&script), Exit::Accepted)
        }
        Command::Man { of } => {
            let command = match of {
                ManPage::Progmp => Cli::command(),
                ManPage::ProgmpVerify => VerifyCli::command(),
            };
            let mut page = Vec::new();
            match clap_mangen::Man::new(command).render(&mut page) {
                Ok(()) => printed(&String::from_utf8_lossy(&page), Exit::Accepted),
                Err(error) => failed(&files::reason(&error)),
            }
        }
        Command::Bench(args) => bench::bench(args),
    })
}

/// Help and version go to standard output, mistakes to standard error.
fn usage(error: &clap::Error) -> Exit {
    // Whoever closed the stream does not want to read it.
    let _ = error.print();
    if error.use_stderr() {
        Exit::BadInput
    } else {
        Exit::Accepted
    }
}

/// Runs a command with room for deep programs; a panic is reported as a fault of ours.
fn guarded(command: impl FnOnce() -> Exit + Send) -> Exit {
    isolated(command).unwrap_or_else(|fault| {
        files::complain(&format!("error[{FAULT}]: {}\n", fault.report()));
        Exit::Fault
    })
}

/// Prints the result of a command.
fn printed(text: &str, exit: Exit) -> Exit {
    match files::print(text) {
        Ok(()) => exit,
        Err(why) => exit.and(failed(&why)),
    }
}

/// Tells why a command cannot do its work.
fn failed(why: &str) -> Exit {
    let view = View {
        color: Color::Auto.on_stderr(),
        ..View::default()
    };
    files::complain(&format!(
        "{}: {why}\n",
        view.paint(AnsiColor::BrightRed, "error")
    ));
    Exit::BadInput
}

/// What is wrong with a text, for standard error; nothing if nothing is.
fn mistakes(loaded: &Loaded) -> String {
    let color = Color::Auto.on_stderr();
    let view = View {
        color,
        ..View::default()
    };
    let mut out = progmp_syntax::render(&loaded.diagnostics, &loaded.source, color);
    for trouble in &loaded.troubles {
        let title = view.paint(AnsiColor::BrightRed, &format!("error[{}]", trouble.code));
        let _ = writeln!(out, "{title}: {}: {}", loaded.name, trouble.message);
        if let Some(help) = &trouble.help {
            let _ = writeln!(out, "  = help: {help}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Cli::command().debug_assert();
        VerifyCli::command().debug_assert();
    }

    #[test]
    fn colours_follow_the_option_then_the_terminal() {
        assert!(Color::Always.on(false));
        assert!(!Color::Never.on(true));
        assert!(!Color::Auto.on(false));
    }
}
