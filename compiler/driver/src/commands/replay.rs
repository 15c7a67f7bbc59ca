//! `progmp replay`, `progmp-verify --replay`: a counterexample, run again.
//!
//! The violation shows: exit 1. It does not, perhaps because the scheduler was
//! mended: exit 0. So a counterexample that is kept is a regression test.

use super::{Color, failed, mistakes, printed};
use crate::exit::Exit;
use crate::files;
use crate::human::View;
use crate::levels::closest;
use crate::pipeline::{BAD_STATE, load};
use crate::story;
use progmp_verifier::{Counterexample, Options, Property, Replayed, Scenario};

/// Bytes of a counterexample that are read.
const LIMIT: usize = 16 << 20;
/// Executions that a counterexample may ask for.
const MOST: usize = 1 << 16;

/// What to run again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A counterexample that --counterexamples wrote
    #[arg(value_name = "STATE.json")]
    state: String,
    /// The scheduler; `-` is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Executions without progress that the host grants
    #[arg(long, value_name = "EXECUTIONS", default_value_t = progmp_ir::FUEL, value_parser = clap::value_parser!(u32).range(1..=65_535))]
    fuel: u32,
    /// When to print colours
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    color: Color,
}

/// Runs the command.
pub fn replay(args: &Args) -> Exit {
    let options = Options {
        fuel: args.fuel,
        ..Options::default()
    };
    let view = View {
        color: args.color.on_stdout(),
        ..View::default()
    };
    one(&args.state, &args.file, &options, view)
}

/// Replays one counterexample on one scheduler.
pub(super) fn one(state: &str, file: &str, options: &Options, view: View) -> Exit {
    if state == files::STDIN && file == files::STDIN {
        return failed("standard input can be read only once");
    }
    let (cex, property) = match read(state) {
        Ok(read) => read,
        Err(why) => {
            return failed(&format!(
                "{}: {why} [{BAD_STATE}]",
                files::display_name(state)
            ));
        }
    };
    let mut require = Vec::new();
    if !cex.requirement.is_empty() {
        require.push(cex.requirement.clone());
    }
    let loaded = load(file, &require);
    let Some(program) = &loaded.program else {
        files::complain(&mistakes(&loaded));
        return Exit::BadInput;
    };
    let name = &loaded.name;
    match progmp_verifier::replay(program, &cex, options.fuel) {
        Ok(replay) if view.quiet => {
            drop(replay);
            printed(
                &format!("{property} is violated by {name}\n"),
                Exit::Rejected,
            )
        }
        Ok(replay) => {
            let run = |shown: Replayed| (shown.before, shown.execution);
            let runs: Vec<_> = replay.into_iter().map(run).collect();
            let story = story::tell(program, &loaded.source, property, &cex, &runs);
            let title = view.paint(
                anstyle::AnsiColor::BrightRed,
                &format!("{property} is violated"),
            );
            printed(&format!("{title} by {name}\n\n{story}"), Exit::Rejected)
        }
        Err(why) => {
            let title = format!("{property} is not violated by {name} from this state");
            let title = view.paint(anstyle::AnsiColor::BrightGreen, &title);
            printed(&format!("{title}: {why}\n"), Exit::Accepted)
        }
    }
}

/// Reads a counterexample and checks all that a replay relies on.
fn read(argument: &str) -> Result<(Counterexample, Property), String> {
    let bytes = files::read(argument, LIMIT)?;
    if bytes.len() > LIMIT {
        return Err(format!("the file is larger than {LIMIT} bytes"));
    }
    let mut cex: Counterexample = serde_json::from_slice(&bytes).map_err(|why| {
        format!("no counterexample in JSON: {why}; FILE.json comes first, then the scheduler")
    })?;
    if cex.schema != 1 {
        return Err(format!(
            "schema {} is not known; this tool knows 1",
            cex.schema
        ));
    }
    let property = Property::from_name(&cex.property).ok_or_else(|| {
        let names = Property::ALL.iter().map(|property| property.name());
        let hint = closest(&cex.property, names);
        let hint = hint.map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
        format!("there is no property `{}`{hint}", cex.property)
    })?;
    let (executions, cycle) = match cex.scenario {
        Scenario::Execution => (1, 1),
        Scenario::Cycle { start, length } => (start.saturating_add(length), length),
        Scenario::Run { executions } | Scenario::History { executions } => (executions, executions),
    };
    if executions > MOST || cycle == 0 {
        return Err(format!("a scenario has 1 to {MOST} executions"));
    }
    cex.state.normalize();
    cex.state.check().map_err(|why| why.to_string())?;
    Ok((cex, property))
}
