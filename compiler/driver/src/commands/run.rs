//! `progmp run`: one trigger from a given state, execution by execution.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use progmp_ir::{
    Host, Memory, Needs, Obstacle, Outcome, Program, Report, SchedState, Statistics, Step,
};
use progmp_syntax::SourceFile;
use serde::Serialize;

use super::{Format, failed, mistakes, printed};
use crate::exit::Exit;
use crate::files;
use crate::pipeline::{BAD_STATE, load};
use crate::story;
use crate::trace;

/// Bytes of a state that are read.
const STATE_BYTES: usize = 16 << 20;
/// Executions that are printed; a trigger may have any number.
const SHOWN: usize = 1_000;

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scheduler; `-` is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// The state to start from (specs/state.md); `-` is standard input
    #[arg(long, value_name = "STATE.json")]
    state: String,
    /// Print every statement that is reached
    #[arg(long)]
    trace: bool,
    /// Executions without progress that the host grants
    #[arg(long, value_name = "EXECUTIONS", default_value_t = progmp_ir::FUEL)]
    fuel: u32,
    /// Transmissions for which the host has memory
    #[arg(long, value_name = "PACKETS", default_value_t = Memory::default().transmissions)]
    memory: u64,
    /// For whom to print
    #[arg(long, value_enum, default_value = "human", value_name = "FORMAT")]
    format: Format,
}

/// Reads a state.
pub(super) fn state(argument: &str) -> Result<SchedState, String> {
    let name = files::display_name(argument);
    let wrong = |why: String| format!("{name}: {why} [{BAD_STATE}]");
    let bytes = files::read(argument, STATE_BYTES).map_err(wrong)?;
    if bytes.len() > STATE_BYTES {
        return Err(wrong(format!(
            "the file is larger than {STATE_BYTES} bytes"
        )));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("this is not UTF-8".to_owned()))?;
    SchedState::from_json(&text).map_err(|why| {
        let value: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        let has = |key| value.as_ref().is_some_and(|value| value.get(key).is_some());
        if has("scenario") && has("state") {
            wrong("this is a counterexample, not a state: run it with `progmp replay`".to_owned())
        } else {
            match value {
                Some(_) => wrong(why),
                None => wrong(format!("no state in JSON: {why}")),
            }
        }
    })
}

/// Runs the command. A trigger that uses up the fuel counts as rejected.
///
/// # Panics
/// If the host breaks a fact of the environment: our mistake, not the scheduler's.
pub fn run(args: &Args) -> Exit {
    if args.file == files::STDIN && args.state == files::STDIN {
        return failed("standard input can be read only once");
    }
    let loaded = load(&args.file, &[]);
    files::complain(&mistakes(&loaded));
    let Some(program) = &loaded.program else {
        return Exit::BadInput;
    };
    let start = match state(&args.state) {
        Ok(start) => start,
        Err(why) => return failed(&why),
    };
    let mut host = match Host::from_state(&start) {
        Ok(host) => host,
        Err(why) => return failed(&format!("{}: {why} [{BAD_STATE}]", args.state)),
    };
    let mut recorder = Recorder {
        program,
        source: &loaded.source,
        trace: args.trace,
        human: args.format == Format::Human,
        text: String::new(),
        executions: Vec::new(),
    };
    let mut memory = Memory {
        transmissions: args.memory,
    };
    let report = host
        .trigger(program, args.fuel, &mut memory, &mut |step| {
            recorder.step(step)
        })
        .unwrap_or_else(|why| panic!("the host keeps the facts of the environment: {why}"));
    let exit = match report.outcome {
        Outcome::FuelExhausted => Exit::Rejected,
        _ => Exit::Accepted,
    };
    let text = match args.format {
        Format::Human => recorder.human(report, &host.shown()),
        Format::Json => recorder.json(report, &host.shown()),
    };
    printed(&text, exit)
}

/// One execution, as JSON has it.
#[derive(Clone, Debug, Serialize)]
struct ExecutionReport {
    number: u64,
    actions: Vec<ActionReport>,
    registers: [u64; 6],
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Vec<TraceReport>>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
enum ActionReport {
    Push {
        subflow: u64,
        packet: u64,
        line: usize,
    },
    Drop {
        packet: u64,
        line: usize,
    },
}

#[derive(Clone, Debug, Serialize)]
struct TraceReport {
    line: usize,
    effect: bool,
    note: String,
}

struct Recorder<'a> {
    program: &'a Program,
    source: &'a SourceFile,
    trace: bool,
    human: bool,
    text: String,
    executions: Vec<ExecutionReport>,
}

impl Recorder<'_> {
    fn step(&mut self, step: &Step<'_>) -> ControlFlow<()> {
        match step {
            Step::Executed {
                number,
                before,
                execution,
            } if self.executions.len() < SHOWN => {
                if self.human {
                    self.tell(*number, before, execution);
                }
                self.executions
                    .push(self.record(*number, before, execution));
            }
            Step::Skipped {
                subflow, packet, ..
            } if self.human => {
                let _ = writeln!(
                    self.text,
                    "  packet {packet} is acknowledged: not sent on subflow {subflow}"
                );
            }
            Step::Reinjected {
                subflow, packet, ..
            } if self.human => {
                let _ = writeln!(
                    self.text,
                    "  subflow {subflow} is gone: packet {packet} enters RQ"
                );
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn tell(&mut self, number: u64, before: &SchedState, execution: &progmp_ir::Execution) {
        let _ = writeln!(self.text, "Execution {number}:");
        if self.trace {
            story::execution(
                &mut self.text,
                2,
                self.program,
                self.source,
                before,
                execution,
            );
        }
        story::outcome(&mut self.text, 2, before, execution, &execution.after);
        self.text.push('\n');
    }

    fn record(
        &self,
        number: u64,
        before: &SchedState,
        execution: &progmp_ir::Execution,
    ) -> ExecutionReport {
        let stmts = self.program.statements();
        let line = |at: progmp_ir::StmtId| {
            let span = stmts[at.index()].span;
            self.source.position(span.start).line
        };
        let actions = execution.actions.iter().map(|action| match *action {
            progmp_ir::Action::Push {
                subflow,
                packet,
                at,
            } => ActionReport::Push {
                subflow: before.subflows[subflow].id,
                packet: before.packets[packet].seq,
                line: line(at),
            },
            progmp_ir::Action::Drop { packet, at } => ActionReport::Drop {
                packet: before.packets[packet].seq,
                line: line(at),
            },
        });
        let trace = self.trace.then(|| {
            let lines = trace::lines(self.program, before, execution);
            let report = |l: trace::Line| TraceReport {
                line: line(l.at),
                effect: l.effect,
                note: l.note,
            };
            lines.into_iter().map(report).collect()
        });
        ExecutionReport {
            number,
            actions: actions.collect(),
            registers: execution.after.registers,
            trace,
        }
    }

    fn human(mut self, report: Report, last: &SchedState) -> String {
        let Statistics {
            executions,
            transmissions,
            ..
        } = report.statistics;
        let hidden = executions.saturating_sub(SHOWN as u64);
        if hidden > 0 {
            let _ = writeln!(self.text, "… {hidden} more executions …\n");
        }
        let _ = writeln!(
            self.text,
            "The trigger {} after {} and {}.\n",
            ending(report.outcome),
            counted(executions, "execution"),
            counted(transmissions, "transmission"),
        );
        self.text
            .push_str(&progmp_ir::table(last, &Needs::of(self.program)));
        self.text
    }

    fn json(self, report: Report, last: &SchedState) -> String {
        #[derive(Serialize)]
        struct RunReport<'a> {
            schema: u32,
            outcome: &'static str,
            #[serde(rename = "executionCount")]
            count: u64,
            transmissions: u64,
            executions: Vec<ExecutionReport>,
            state: &'a SchedState,
        }
        let report = RunReport {
            schema: 1,
            outcome: match report.outcome {
                Outcome::Settled => "settled",
                Outcome::Blocked { .. } => "blocked",
                Outcome::FuelExhausted => "fuel-exhausted",
                Outcome::Stopped => "stopped",
            },
            count: report.statistics.executions,
            transmissions: report.statistics.transmissions,
            executions: self.executions,
            state: last,
        };
        let mut text = serde_json::to_string_pretty(&report).expect("a run serialises");
        text.push('\n');
        text
    }
}

fn counted(number: u64, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}

fn ending(outcome: Outcome) -> String {
    match outcome {
        Outcome::Settled => "settles".to_owned(),
        Outcome::Blocked {
            subflow,
            packet,
            obstacle,
        } => {
            let why = match obstacle {
                Obstacle::Window => "the peer's window has no room",
                Obstacle::Memory => "there is no memory",
            };
            format!("stops before packet {packet} on subflow {subflow} ({why})")
        }
        Outcome::FuelExhausted => {
            "runs out of fuel, and the host falls back to its default scheduler,".to_owned()
        }
        Outcome::Stopped => "is stopped".to_owned(),
    }
}
