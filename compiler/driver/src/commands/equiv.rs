//! `progmp equiv A B`: do two schedulers decide alike in every state?

use std::fmt::Write as _;

use anstyle::AnsiColor;
use progmp_ir::{Execution, Needs, Program, SchedState};

use super::{Color, failed, mistakes, printed};
use crate::exit::Exit;
use crate::files;
use crate::human::{View, extent};

use crate::pipeline::{Loaded, load};
use crate::story;
use progmp_verifier::{Equivalence, Options, Size};

/// What to compare.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A scheduler
    #[arg(value_name = "A")]
    a: String,
    /// Another
    #[arg(value_name = "B")]
    b: String,
    /// Give the solver so many units for each question
    #[arg(long, value_name = "UNITS")]
    rlimit: Option<u64>,
    /// When to print colours
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    color: Color,
}

/// Runs the command: 0 if they are equal, 1 with a state where they differ.
pub fn equiv(args: &Args) -> Exit {
    if args.a == files::STDIN && args.b == files::STDIN {
        return failed("standard input can be read only once");
    }
    let (first, second) = (load(&args.a, &[]), load(&args.b, &[]));
    let (Some(a), Some(b)) = (&first.program, &second.program) else {
        files::complain(&(mistakes(&first) + &mistakes(&second)));
        return Exit::BadInput;
    };
    let mut options = Options::default();
    if let Some(rlimit) = args.rlimit {
        options.rlimit = rlimit;
    }
    let view = View {
        color: args.color.on_stdout(),
        ..View::default()
    };
    let names = format!("{} and {}", first.name, second.name);
    match progmp_verifier::equivalent(a, b, &options) {
        Equivalence::Equal { size, why } => {
            // Nothing keeps two schedulers to a size, as a host keeps an object to the size of its
            // proof: up to a size is not equal.
            let (text, exit) = match size {
                Size::Any => {
                    let word = view.paint(AnsiColor::BrightGreen, "equal");
                    (
                        format!("{word}: {names} ({})\n", extent(size)),
                        Exit::Accepted,
                    )
                }
                Size::UpTo { subflows, packets } => {
                    let word = view.paint(AnsiColor::BrightYellow, "undecided");
                    let text = format!(
                        "{word}: {names} decide alike up to {subflows} subflows and {packets} \
                         packets; beyond that it is open: {why}\n"
                    );
                    (text, Exit::Unknown)
                }
            };
            printed(&text, exit)
        }
        Equivalence::Unknown(why) => {
            let word = view.paint(AnsiColor::BrightYellow, "undecided");
            printed(&format!("{word}: {names}: {why}\n"), Exit::Unknown)
        }
        Equivalence::Differ {
            state,
            first: of_a,
            second: of_b,
        } => {
            let word = view.paint(AnsiColor::BrightRed, "different");
            let mut text = format!("{word}: {names}, in this state:\n\n");
            let sees = |program: &Program| progmp_ir::table(&state, &Needs::of(program));
            // Each table shows what its program reads; the wider one serves both.
            let (table_a, table_b) = (sees(a), sees(b));
            let table = if table_b.len() > table_a.len() {
                table_b
            } else {
                table_a
            };
            for line in table.lines() {
                let _ = writeln!(text, "  {line}");
            }
            let sides: [(&Loaded, &Program, &Execution); 2] =
                [(&first, a, &of_a), (&second, b, &of_b)];
            for (loaded, program, execution) in sides {
                text.push_str(&side(loaded, program, &state, execution));
            }
            printed(&text, Exit::Rejected)
        }
    }
}

fn side(loaded: &Loaded, program: &Program, state: &SchedState, execution: &Execution) -> String {
    let mut text = format!("\n{}:\n", loaded.name);
    story::execution(&mut text, 2, program, &loaded.source, state, execution);
    story::outcome(&mut text, 2, state, execution, &execution.after);
    text
}
