//! `progmp trace`: executions as they happen, and what the interpreter says of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use progmp_abi::Decision;
use progmp_control::trace::{Record, records};
use progmp_control::uapi::COMPRESSED;
use progmp_control::{Device, Error, source_hash};
use progmp_ir::Program;

use super::load::Input;
use super::socket::Socket;
use crate::commands::compile::Form;
use crate::commands::{failed, mistakes, printed};
use crate::exit::Exit;
use crate::files;
use crate::rewrite::{Rewriting, lowered};

/// What to trace, and how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only one connection: the process and its descriptor
    #[arg(long, value_name = "PID:FD")]
    socket: Option<Socket>,
    /// End after so many executions; 0: never
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    count: u64,
    /// Trace at most so many in a second; 0: all
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    per_second: u32,
    /// Let the interpreter run what was traced, and tell where it decides otherwise: the loaded
    /// schedulers, as sources or as objects
    #[arg(long, value_name = "FILE", num_args = 1..)]
    replay: Vec<String>,
    /// Print only the sum
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command.
pub(super) fn trace(args: &Args) -> Exit {
    let mut sources = BTreeMap::new();
    for file in &args.replay {
        let input = match Input::read(file) {
            Ok(input) => input,
            Err(exit) => return exit,
        };
        let loaded = input.load();
        let hash = source_hash(&loaded.source.text);
        let Some(program) = loaded.program else {
            files::complain(&mistakes(&loaded));
            return Exit::BadInput;
        };
        sources.insert(hash, program);
    }
    follow(args, &sources).unwrap_or_else(|error| super::told(&error))
}

fn follow(args: &Args, sources: &BTreeMap<[u8; 32], Program>) -> Result<Exit, Error> {
    let control = Device::open()?;
    let socket = args.socket.map(Socket::open).transpose()?;
    let number = socket.as_ref().map(progmp_control::Borrowed::number);
    let mut tracer = Device::open()?.trace(number, args.per_second, 0)?;
    // Schedulers by number: another program has another number.
    let mut programs: BTreeMap<u64, Option<Program>> = BTreeMap::new();
    let (mut seen, mut differing, mut lost) = (0_u64, 0_u64, 0);
    loop {
        let mut out = String::new();
        let mut ended = false;
        for record in records(tracer.read(1000)?) {
            let record = record?;
            lost = record.lost;
            seen += 1;
            let mut remark = String::new();
            if !sources.is_empty() {
                let program = programs.entry(record.scheduler).or_insert_with(|| {
                    let loaded = control.scheduler(&record.name).ok();
                    let loaded = loaded.filter(|loaded| loaded.number == record.scheduler);
                    let loaded = loaded?;
                    let program = sources.get(&loaded.source)?;
                    Some(as_loaded(program, loaded.flags))
                });
                let Some(program) = program else {
                    return Ok(failed(&format!(
                        "no-source: none of the files is the source of {}",
                        record.name
                    )));
                };
                if let Err(why) = record.replay(program) {
                    differing += 1;
                    remark = format!("  DIFFERS: {why}");
                }
            }
            if !args.quiet || !remark.is_empty() {
                let _ = writeln!(out, "{}{remark}", line(&record));
            }
            if args.count > 0 && seen >= args.count {
                ended = true;
                break;
            }
        }
        if ended {
            let replayed = if sources.is_empty() {
                "traced"
            } else {
                "replayed"
            };
            let _ = writeln!(
                out,
                "{seen} executions {replayed}, {differing} differences, {lost} left out"
            );
        }
        let exit = if differing > 0 {
            Exit::Rejected
        } else {
            Exit::Accepted
        };
        let exit = printed(&out, exit);
        if ended || exit == Exit::BadInput {
            return Ok(exit);
        }
    }
}

/// The program whose executions the kernel shows: rewriting keeps them, and compression does not.
fn as_loaded(program: &Program, flags: u32) -> Program {
    if flags & COMPRESSED == 0 {
        return program.clone();
    }
    lowered(program, &Form::MayGoto.options(), Rewriting::Compress).program
}

/// One execution in one line.
fn line(record: &Record) -> String {
    let state = &record.before;
    let mut text = format!(
        "{} {} connection {} trigger {}: {} subflows, Q {} QU {} RQ {}:",
        record.number,
        record.name,
        record.connection,
        record.trigger,
        state.subflows.len(),
        state.q.len(),
        state.qu.len(),
        state.rq.len()
    );
    match &record.outcome {
        Err(error) => {
            let _ = write!(text, " {error}");
        }
        Ok(outcome) if outcome.actions.is_empty() => text += " nothing",
        Ok(outcome) => {
            for action in &outcome.actions {
                let _ = match *action {
                    Decision::Push { subflow, packet } => write!(
                        text,
                        " PUSH({}, {})",
                        state.subflows[subflow].id, state.packets[packet].seq
                    ),
                    Decision::Drop { packet } => {
                        write!(text, " DROP({})", state.packets[packet].seq)
                    }
                };
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::load_text;

    #[test]
    fn what_was_compressed_is_replayed_compressed() {
        let text = include_str!("../../../../../specs/schedulers/min_rtt.progmp");
        let program = load_text("min_rtt.progmp", text.as_bytes(), &[]).program;
        let program = program.expect("a scheduler");
        assert_eq!(as_loaded(&program, 0), program);
        assert_ne!(as_loaded(&program, COMPRESSED), program);
    }
}
