//! States to try before a solver is asked.
//!
//! Most questions of the form "can this happen?" have a witness among a few
//! hundred states with boundary values, and the interpreter finds it in
//! microseconds. A sample proves nothing; it only finds. The stream is fixed:
//! the same program gets the same states.

use std::collections::BTreeSet;

use progmp_ir::{
    Concrete, ExprKind, Machine, Needs, Packet, PacketInt, Program, SchedReg, SchedState, Subflow,
    SubflowBool, SubflowInt, splitmix64,
};

use crate::concrete::shows;
use crate::goal::Goal;
use crate::judge::Run;

/// How many states are tried.
const COUNT: u64 = 384;

/// Executions from sampled states.
pub(crate) struct Samples {
    tried: Vec<(SchedState, Run<Concrete>)>,
}

impl Samples {
    /// Executes the program once from each state.
    pub(crate) fn new(program: &Program, needs: &Needs) -> Self {
        let mut source = Source {
            seed: 0x5eed,
            words: pool(program),
            most: widest(program),
        };
        let tried = (0..COUNT)
            .filter_map(|number| {
                let state = source.state(needs, number);
                state.check().ok()?;
                let mut domain = Concrete::new(state.clone());
                let before = domain.initial();
                let mut machine = Machine::new(program, before.clone());
                machine.execute(&mut domain);
                Some((
                    state,
                    Run {
                        before,
                        after: machine.state,
                        log: machine.log,
                    },
                ))
            })
            .collect();
        Self { tried }
    }

    /// All states that were tried.
    pub(crate) fn states(&self) -> impl Iterator<Item = &SchedState> {
        self.tried.iter().map(|(state, _)| state)
    }

    /// The first state that shows the goal.
    pub(crate) fn find(&self, program: &Program, goal: Goal) -> Option<SchedState> {
        self.all(program, goal).next().cloned()
    }

    /// All states that show the goal.
    pub(crate) fn all(&self, program: &Program, goal: Goal) -> impl Iterator<Item = &SchedState> {
        let shown = self.tried.iter().filter(move |(state, run)| {
            if goal.executions() > 1 {
                return shows(program, state, goal);
            }
            let mut domain = Concrete::new(state.clone());
            goal.build(&mut domain, program, std::slice::from_ref(run))
        });
        shown.map(|(state, _)| state)
    }
}

/// How many elements a list may have so that an execution stays short: a body under `d` lambdas
/// and loops is evaluated up to `n^d` times.
fn widest(program: &Program) -> u64 {
    let depth = program.nesting().min(32);
    let depth = u32::try_from(depth).expect("at most 32");
    (1..=6)
        .rev()
        .find(|n: &u64| n.saturating_pow(depth) <= 3_000)
        .unwrap_or(1)
}

/// The literals of a program with their neighbours, and the usual suspects.
fn pool(program: &Program) -> Vec<u64> {
    let mut words: BTreeSet<u64> = [0, 1, 2, 3, 1000].into();
    for expr in &program.exprs {
        if let ExprKind::Int(value) = expr.kind {
            words.extend([value.wrapping_sub(1), value, value.wrapping_add(1)]);
        }
    }
    words.into_iter().collect()
}

struct Source {
    seed: u64,
    words: Vec<u64>,
    most: u64,
}

impl Source {
    fn next(&mut self) -> u64 {
        self.seed = splitmix64(self.seed);
        self.seed
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn word(&mut self) -> u64 {
        match self.below(16) {
            0 => u64::MAX,
            1 => self.next() >> 32,
            2 => self.next() >> 12,
            _ => {
                let i = self.below(self.words.len() as u64);
                self.words[usize::try_from(i).unwrap_or(0)]
            }
        }
    }

    fn state(&mut self, needs: &Needs, number: u64) -> SchedState {
        // Half of the states are friendly: nothing is blocked, all windows are open.
        let friendly = number.is_multiple_of(2);
        let subflows = [1, 2, 2, 3, 0, 3, 1, 5][usize::try_from(number / 2 % 8).unwrap_or(0)];
        let packets = [2, 1, 3, 4, 2, 0, 1, 6][usize::try_from(number / 16 % 8).unwrap_or(0)];
        let (subflows, packets) = (
            self.most.min(subflows),
            usize::try_from(self.most).map_or(packets, |most| most.min(packets)),
        );
        let mut state = SchedState {
            seed: number,
            ..SchedState::default()
        };
        for j in 0..subflows {
            let subflow = self.subflow(needs, friendly, j + 1);
            state.subflows.push(subflow);
        }
        let mut seq = if needs.reads_packet_int(PacketInt::Seq) {
            self.word() >> 8
        } else {
            1
        };
        for i in 0..packets {
            let packet = self.packet(needs, friendly, subflows, seq);
            seq = seq.saturating_add(packet.length.max(1));
            state.packets.push(packet);
            self.place(&mut state, i);
        }
        for reg in SchedReg::all() {
            if needs.reads_register(reg) || needs.writes_register(reg) {
                state.registers[reg.index()] = self.word();
            }
        }
        if needs.reads_time() {
            state.time_ms = self.word() >> 16;
            if self.chance(70) {
                state.time_ms = self.word().min(1 << 40);
            }
        }
        state.normalize();
        state
    }

    fn subflow(&mut self, needs: &Needs, friendly: bool, id: u64) -> Subflow {
        let mut subflow = Subflow {
            id,
            ..Subflow::default()
        };
        let flagged = if friendly { 5 } else { 30 };
        for &property in SubflowBool::ALL {
            *subflow.flag_mut(property) = self.chance(flagged);
        }
        for &property in SubflowInt::ALL {
            if needs.reads_subflow_int(property) && property != SubflowInt::Id {
                let range = property.range_bits();
                let value = self.word();
                *subflow.int_mut(property) = if range < 64 {
                    value & ((1 << range) - 1)
                } else {
                    value
                };
            }
        }
        subflow.skbs_in_flight = self.below(6);
        subflow.queued = self.below(3);
        let used = subflow.skbs_in_flight + subflow.queued;
        let free = if friendly {
            1 + self.below(8)
        } else {
            self.below(3)
        };
        subflow.cwnd = if self.chance(10) { 0 } else { used + free };
        if self.chance(6) {
            subflow.cwnd = u64::from(u32::MAX);
        }
        subflow
    }

    fn packet(&mut self, needs: &Needs, friendly: bool, subflows: u64, seq: u64) -> Packet {
        let mut packet = Packet {
            seq,
            ..Packet::default()
        };
        if needs.reads_packet_int(PacketInt::Length) {
            packet.length = self.word() & 0xffff;
        }
        if needs.reads_packet_int(PacketInt::User) {
            packet.user = self.word();
        }
        packet.psh = self.chance(30);
        let (sent, closed) = if friendly { (30, 4) } else { (60, 35) };
        for id in 1..=subflows {
            if self.chance(sent) {
                packet.sent_on.insert(id);
            }
            if self.chance(closed) {
                packet.no_window_on.insert(id);
            }
        }
        packet
    }

    /// Puts the packet into queues; what is in none was not sent.
    fn place(&mut self, state: &mut SchedState, i: usize) {
        match self.below(6) {
            0 | 1 => {
                state.q.push(i);
                if self.chance(85) {
                    state.packets[i].sent_on.clear();
                }
            }
            2 => state.qu.push(i),
            3 => {
                state.qu.push(i);
                state.rq.push(i);
            }
            4 => {
                state.rq.push(i);
                state.packets[i].sent_on.clear();
            }
            _ => {
                state.q.push(i);
                state.packets[i].sent_on.clear();
            }
        }
    }
}
