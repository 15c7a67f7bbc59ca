//! A burst: ten packets for a subflow whose window takes ten, until nothing happens any more, by a
//! scheduler and by the same one compressed.
//!
//! What is measured is the programs alone, execution by execution, without what a host does around each.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use progmp_codegen_ebpf::isa::{Insn, Reg, encode, mov};
use progmp_codegen_ebpf::{Loops, Options, compile};
use progmp_ir::{FUEL, Host, Memory, Program, SchedState, Step};
use progmp_rewrite::{compress, optimize, sites};

use crate::median;
use crate::states::States;
use crate::wrapped::Wrapped;

/// Schedulers of the corpus that are compressed and send in such a state.
pub(crate) const SCHEDULERS: [&str; 3] = ["min_rtt", "default", "compensating"];
/// Packets.
const PACKETS: usize = 10;
/// Times that each state is measured.
const ROUNDS: usize = 21;

/// One line of the table: executions and nanoseconds for each packet, before and after.
pub(crate) fn row(name: &str, source: &Program) -> Result<String, String> {
    let places = sites(source).map_err(|why| why.to_string())?;
    let rules = progmp_rules::all();
    let (mut cells, mut each) = (String::new(), Vec::new());
    for program in [source.clone(), compress(source, &places)] {
        let compiled = optimize(&program, &rules).program;
        let seen = executions(&compiled);
        let mut nanoseconds = 0.0;
        for state in &seen {
            nanoseconds += time(&compiled, state)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "ten packets")]
        let packet = nanoseconds / PACKETS as f64;
        let _ = write!(cells, " {:4} {packet:7.1} |", seen.len());
        each.push(packet);
    }
    Ok(format!("{name:24}{cells} {:5.2}\n", each[0] / each[1]))
}

/// The states that the executions of the trigger see.
fn executions(program: &Program) -> Vec<SchedState> {
    let packets: Vec<String> = (0..PACKETS).map(|n| format!("{{\"seq\": {n}}}")).collect();
    let queue: Vec<String> = (0..PACKETS).map(|n| n.to_string()).collect();
    let json = format!(
        "{{\"subflows\": [{{\"rtt\": 10000, \"cwnd\": 10}}, {{\"rtt\": 20000, \"cwnd\": 10}}], \
         \"packets\": [{}], \"q\": [{}]}}",
        packets.join(", "),
        queue.join(", ")
    );
    let state = SchedState::from_json(&json).expect("the state is possible");
    let mut host = Host::from_state(&state).expect("the state meets all facts");
    let mut seen = Vec::new();
    host.trigger(program, FUEL, &mut Memory::default(), &mut |step| {
        if let Step::Executed { before, .. } = step {
            seen.push((*before).clone());
        }
        ControlFlow::Continue(())
    })
    .expect("the host shows possible states");
    seen
}

/// Nanoseconds of one execution, without those of putting the block back.
fn time(program: &Program, state: &SchedState) -> Result<f64, String> {
    let options = Options {
        loops: Loops::MayGoto,
    };
    let code = compile(program, &options).map_err(|error| error.to_string())?;
    let states = States::new(program, std::slice::from_ref(state))?;
    let nothing = encode(&[mov(Reg::R0, 0), Insn::Exit]);
    let mut variants = [
        Wrapped::load(&nothing, &states)?,
        Wrapped::of(&code, &states)?,
    ];
    let after = variants[1].once(&states, 0)?;
    states.check(0, &after, "a burst")?;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (wrapped, times) in variants.iter_mut().zip(&mut times) {
            times.push(wrapped.time(&states)?);
        }
    }
    let [empty, ours] = times.each_mut().map(|times| median(times));
    Ok(ours - empty)
}
