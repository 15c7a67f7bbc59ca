//! One program on all engines, in both forms of loops.

use progmp_abi::{Filled, Outcome, fill};
use progmp_codegen_ebpf::{Loops, Options, compile, object};
use progmp_hosts::{
    Engine, Image, Interpreter, Kernel, Loaded, Rbpf, Refusal, decide_on, reference, soil,
};
use progmp_ir::{Program, QueueName, SchedState};
use progmp_rewrite::optimize;

use crate::commands::compile::{TOO_LARGE, TOO_MANY_BRANCHES};

/// What an engine does otherwise than the reference interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which engine, with which form of loops.
    pub engine: &'static str,
    /// What differs, in one line.
    pub what: String,
    /// What the engine said at length; empty unless it refused the program.
    pub log: String,
}

/// What keeps a program from being compared on an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The compiler refuses it, with this named error.
    Compiler {
        /// Which form of loops.
        form: &'static str,
        /// The error's name.
        name: String,
    },
    /// The engine cannot take it, which is no fault.
    Declined {
        /// Which engine.
        engine: &'static str,
        /// Why.
        why: String,
    },
    /// The engine is not there at all.
    Absent {
        /// Which engine.
        engine: &'static str,
        /// What it needs.
        needs: String,
    },
}

/// A program, loaded into the engines that take it.
pub struct Subject {
    program: Program,
    running: Vec<Running>,
    /// Why some engines do not take part.
    pub troubles: Vec<Trouble>,
    /// The kernel does not accept what we make: our mistake.
    pub refused: Option<Difference>,
}

struct Running {
    label: &'static str,
    /// Most packets that a queue may show.
    packets: usize,
    loaded: Box<dyn Loaded>,
}

/// The forms of loops, with the labels of the engines that run them.
const FORMS: [Form; 2] = [
    Form {
        name: "may-goto",
        loops: Loops::MayGoto,
        packets: SchedState::MAX_QUEUE,
        labels: ["interpreter", "rbpf", "kernel"],
        rewritten: [
            "interpreter, rewritten",
            "rbpf, rewritten",
            "kernel, rewritten",
        ],
    },
    Form {
        name: "bounded",
        loops: Loops::Bounded,
        packets: 64,
        labels: ["interpreter, bounded", "rbpf, bounded", "kernel, bounded"],
        rewritten: [
            "interpreter, bounded, rewritten",
            "rbpf, bounded, rewritten",
            "kernel, bounded, rewritten",
        ],
    },
];

struct Form {
    name: &'static str,
    loops: Loops,
    packets: usize,
    labels: [&'static str; 3],
    /// … of the code of the rewritten program.
    rewritten: [&'static str; 3],
}

/// Labels of all engines, in the order of reports.
pub(super) fn labels() -> impl Iterator<Item = &'static str> {
    FORMS
        .iter()
        .flat_map(|form| form.labels.into_iter().chain(form.rewritten))
}

/// Whether a label is that of the kernel.
pub(super) fn is_kernel(label: &str) -> bool {
    label.starts_with("kernel")
}

/// The kernel, provided that it makes machine code.
struct Jit;

impl Engine for Jit {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn load(&self, image: &Image) -> Result<Box<dyn Loaded>, Refusal> {
        let program = Kernel::default().prepare(image)?;
        if program.statistics().jited_bytes == 0 {
            return Err(Refusal::NoKernel {
                what: "make machine code",
                why: "net.core.bpf_jit_enable is 0".to_owned(),
            });
        }
        Ok(Box::new(program))
    }
}

impl Subject {
    /// Compiles and loads a program, and what the optimiser makes of it, with these forms of loops.
    /// Whether that is proved to be the same is not asked here.
    pub fn new(program: Program, forms: &[Loops]) -> Self {
        let compiled = program.clone();
        let rewritten = optimize(&program, &progmp_rules::all()).program;
        let mut subject = Self::of(program, &compiled, forms);
        if rewritten != compiled {
            for form in FORMS.iter().filter(|form| forms.contains(&form.loops)) {
                subject.add(&rewritten, form, form.rewritten);
            }
        }
        subject
    }

    /// Compares the code of one program with what another one means: tests break things like this.
    fn of(program: Program, compiled: &Program, forms: &[Loops]) -> Self {
        let mut subject = Self {
            program,
            running: Vec::new(),
            troubles: Vec::new(),
            refused: None,
        };
        for form in FORMS.iter().filter(|form| forms.contains(&form.loops)) {
            subject.add(compiled, form, form.labels);
        }
        subject
    }

    fn add(&mut self, compiled: &Program, form: &Form, labels: [&'static str; 3]) {
        let options = Options { loops: form.loops };
        let code = match compile(compiled, &options) {
            Ok(code) => code,
            Err(error) => {
                let text = error.to_string();
                let name = text.split(':').next().unwrap_or_default().to_owned();
                let form = form.name;
                self.troubles.push(Trouble::Compiler { form, name });
                return;
            }
        };
        let image = Image::new(object::bytecode(&code.body()));
        let engines: [&dyn Engine; 3] = [&Interpreter::default(), &Rbpf, &Jit];
        for (engine, label) in engines.into_iter().zip(labels) {
            match engine.load(&image) {
                Ok(loaded) => self.running.push(Running {
                    label,
                    packets: form.packets,
                    loaded,
                }),
                Err(Refusal::Unsupported { what, .. }) => self.troubles.push(Trouble::Declined {
                    engine: label,
                    why: what.to_owned(),
                }),
                Err(refusal @ (Refusal::NeedsCapBpf | Refusal::NoKernel { .. })) => {
                    self.troubles.push(Trouble::Absent {
                        engine: label,
                        needs: refusal.to_string(),
                    });
                }
                Err(Refusal::TooComplex) => {
                    let name = match form.loops {
                        Loops::Bounded => TOO_LARGE,
                        Loops::MayGoto => TOO_MANY_BRANCHES,
                    };
                    let (form, name) = (form.name, name.to_owned());
                    self.troubles.push(Trouble::Compiler { form, name });
                }
                Err(refusal) => {
                    let text = refusal.to_string();
                    let (what, log) = text.split_once('\n').unwrap_or((&text, ""));
                    self.refused.get_or_insert(Difference {
                        engine: label,
                        what: what.to_owned(),
                        log: log.to_owned(),
                    });
                }
            }
        }
    }

    /// The program.
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// Compares all engines in one state; `compared` is told of each that ran, and whether there was
    /// an action or a change to agree on.
    ///
    /// # Errors
    /// The first difference.
    ///
    /// # Panics
    /// If the state is not one that a host can show.
    pub fn compare(
        &mut self,
        state: &SchedState,
        mut compared: impl FnMut(&'static str, bool),
    ) -> Result<(), Difference> {
        let expected = reference(&self.program, state);
        let acts = !expected.actions.is_empty()
            || expected.print_count > 0
            || expected.registers != state.registers
            || QueueName::ALL
                .iter()
                .any(|&name| expected.queues[name as usize] != *state.queue(name))
            || expected
                .users
                .iter()
                .zip(&state.subflows)
                .any(|(user, subflow)| *user != subflow.user);
        let mut shown = fill(state).expect("the state can be shown");
        soil(&mut shown, state.seed ^ state.time_ms);
        let queues = QueueName::ALL.map(|name| state.queue(name).len());
        let longest = queues.into_iter().max().unwrap_or(0);
        for running in &mut self.running {
            if longest > running.packets {
                continue;
            }
            compared(running.label, acts);
            one(running, &shown, &expected)?;
        }
        Ok(())
    }
}

fn one(running: &mut Running, shown: &Filled, expected: &Outcome) -> Result<(), Difference> {
    let engine = running.label;
    let what = match decide_on(&mut *running.loaded, shown) {
        Ok(found) if found == *expected => return Ok(()),
        Ok(found) => difference(expected, &found),
        Err(mishap) => format!("no decision: {mishap}"),
    };
    let log = String::new();
    Err(Difference { engine, what, log })
}

/// The first part of two outcomes that differs.
fn difference(expected: &Outcome, found: &Outcome) -> String {
    let parts: [(&str, String, String); 6] = [
        (
            "actions",
            format!("{:?}", expected.actions),
            format!("{:?}", found.actions),
        ),
        (
            "registers",
            format!("{:?}", expected.registers),
            format!("{:?}", found.registers),
        ),
        (
            "USER values",
            format!("{:?}", expected.users),
            format!("{:?}", found.users),
        ),
        (
            "queues",
            format!("{:?}", expected.queues),
            format!("{:?}", found.queues),
        ),
        (
            "prints",
            format!("{:?}", expected.prints),
            format!("{:?}", found.prints),
        ),
        (
            "number of prints",
            expected.print_count.to_string(),
            found.print_count.to_string(),
        ),
    ];
    let differing = parts.iter().find(|(_, expected, found)| expected != found);
    let (what, expected, found) = differing.expect("the outcomes differ");
    format!("{what}: expected {expected}, found {found}")
}

#[cfg(test)]
mod tests {
    use progmp_ir::Needs;

    use super::*;
    use crate::diff::{parsed, state};

    /// What the first state shows in which code of `compiled` decides otherwise than `program`.
    fn found(program: &str, compiled: &str) -> Option<Difference> {
        let read = |text| parsed(text).expect("this is a program");
        let (program, compiled) = (read(program), read(compiled));
        let needs = Needs::of(&program);
        let mut subject = Subject::of(program, &compiled, &[Loops::MayGoto]);
        assert_eq!(subject.refused, None);
        (0..40).find_map(|number| subject.compare(&state(1, number, &needs), |_, _| ()).err())
    }

    #[test]
    fn code_that_decides_otherwise_is_found_and_the_part_is_named() {
        for (program, compiled, part) in [
            (
                "SUBFLOWS.MIN(s => s.RTT).PUSH(Q.TOP);",
                "SUBFLOWS.MAX(s => s.RTT).PUSH(Q.TOP);",
                "actions: ",
            ),
            ("SET(R2, R1 + 1);", "SET(R2, R1 + 2);", "registers: "),
            (
                "SUBFLOWS.TOP.SET_USER(7);",
                "SUBFLOWS.LAST.SET_USER(7);",
                "USER values: ",
            ),
            ("VAR p = Q.POP();", "VAR p = RQ.POP();", "queues: "),
            (
                "PRINT(\"%d\", Q.COUNT);",
                "PRINT(\"%d\", QU.COUNT);",
                "prints: ",
            ),
        ] {
            let difference = found(program, compiled).expect("they decide otherwise");
            assert_eq!(difference.engine, "interpreter");
            assert!(difference.what.starts_with(part), "{}", difference.what);
            assert_eq!(found(program, program), None);
        }
    }
}
