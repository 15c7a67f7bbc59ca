//! The trigger: carry out what is pending, execute, until nothing happens any more
//! (specs/semantics.md, section 5).
//!
//! In: a [`Host`], a [`Program`], a [`Policy`] for what the surroundings do meanwhile.
//! Out: a [`Report`]; each step is told to an observer, which may stop the trigger.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::concrete::{Action, Execution, execute};
use crate::facts::HostError;
use crate::host::{Fault, Host, Pending};
use crate::program::{Program, StmtId};
use crate::state::{Packet, SchedState, Subflow};
use crate::types::{QueueName, SubflowInt};

/// How many consecutive executions that have an effect, but neither transmit nor take a packet
/// from Q or RQ, a host grants in one trigger.
pub const FUEL: u32 = 256;

/// What the surroundings do while actions are carried out. Within a trigger they only move
/// against the program.
pub trait Policy {
    /// Whether there is memory to transmit the packet on the subflow now.
    fn has_memory(&mut self, subflow: &Subflow, packet: &Packet) -> bool;

    /// What shrinks after the packet was transmitted on the subflow.
    fn squeeze(&mut self, subflow: &Subflow, packet: &Packet) -> Vec<Squeeze> {
        let _ = (subflow, packet);
        Vec::new()
    }
}

/// Something that shrinks within a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Squeeze {
    /// `HAS_WINDOW_FOR` becomes false.
    Window {
        /// ID.
        subflow: u64,
        /// SEQ.
        packet: u64,
    },
    /// `THROTTLED` becomes true.
    Throttle {
        /// ID.
        subflow: u64,
    },
}

/// Memory for so many transmissions in a trigger, and nothing shrinks but by the host's own
/// accounting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Transmissions left.
    pub transmissions: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            transmissions: 4096,
        }
    }
}

impl Policy for Memory {
    fn has_memory(&mut self, _: &Subflow, _: &Packet) -> bool {
        let left = self.transmissions.checked_sub(1);
        self.transmissions = left.unwrap_or(0);
        left.is_some()
    }
}

/// One step of a trigger.
pub enum Step<'t> {
    /// The program was executed.
    Executed {
        /// 1 for the first execution of the trigger.
        number: u64,
        /// What it was shown.
        before: &'t SchedState,
        /// What it did.
        execution: &'t Execution,
    },
    /// A PUSH was carried out: the packet is on the subflow.
    Transmitted {
        /// ID.
        subflow: u64,
        /// SEQ.
        packet: u64,
        /// The statement that asked for it.
        at: StmtId,
    },
    /// A PUSH was skipped: the packet is acknowledged.
    Skipped {
        /// ID.
        subflow: u64,
        /// SEQ.
        packet: u64,
        /// The statement that asked for it.
        at: StmtId,
    },
    /// A PUSH found its subflow gone: the packet is in RQ now, unless it is in Q.
    Reinjected {
        /// ID.
        subflow: u64,
        /// SEQ.
        packet: u64,
        /// The statement that asked for it.
        at: StmtId,
    },
    /// A DROP was carried out: nothing happened.
    Dropped {
        /// SEQ.
        packet: u64,
        /// The statement that asked for it.
        at: StmtId,
    },
}

/// Is told each step, after it happened; `Break` stops the trigger there.
pub type Observer<'o> = dyn FnMut(&Step<'_>) -> ControlFlow<()> + 'o;

/// An observer that watches nothing.
pub fn unobserved(_: &Step<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Why a PUSH cannot go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The peer's receive window has no room for the packet.
    Window,
    /// The host has no memory for it.
    Memory,
}

/// How a trigger ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An execution had no effect.
    Settled,
    /// The first pending action cannot go; the next trigger resumes with it.
    Blocked {
        /// ID.
        subflow: u64,
        /// SEQ.
        packet: u64,
        /// Why.
        obstacle: Obstacle,
    },
    /// Too many consecutive executions without progress: the kernel's `default` scheduler takes
    /// over, now and in every later trigger. Nothing is lost.
    FuelExhausted,
    /// The observer stopped it.
    Stopped,
}

/// Numbers of one trigger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Executions of the program, the last one without effect included.
    pub executions: u64,
    /// Actions PUSH carried out.
    pub transmissions: u64,
    /// Actions PUSH skipped: packets that were acknowledged meanwhile.
    pub skipped: u64,
    /// Actions PUSH on subflows that were gone.
    pub reinjections: u64,
    /// Actions DROP carried out.
    pub drops: u64,
    /// The longest sequence of executions with an effect that neither transmitted nor took a
    /// packet from Q or RQ.
    pub longest_idle: u32,
}

/// What a trigger did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// What it took.
    pub statistics: Statistics,
}

impl Host {
    /// Runs one trigger. Every fact is checked before each execution and at the end.
    ///
    /// Ends for every program if the policy grants only finitely many transmissions.
    ///
    /// # Errors
    /// The fact that the host (or the policy) broke.
    pub fn trigger(
        &mut self,
        program: &Program,
        fuel: u32,
        policy: &mut dyn Policy,
        observer: &mut Observer<'_>,
    ) -> Result<Report, HostError> {
        let mut statistics = Statistics::default();
        let outcome = if self.fell_back {
            Outcome::FuelExhausted
        } else {
            self.run(program, fuel, policy, observer, &mut statistics)?
        };
        self.check()?;
        Ok(Report {
            outcome,
            statistics,
        })
    }

    fn run(
        &mut self,
        program: &Program,
        fuel: u32,
        policy: &mut dyn Policy,
        observer: &mut Observer<'_>,
        statistics: &mut Statistics,
    ) -> Result<Outcome, HostError> {
        let mut idle = 0;
        let mut took = None;
        let mut earlier: Option<Self> = None;
        loop {
            let transmissions = statistics.transmissions;
            if let Some(end) = self.carry_out(policy, observer, statistics) {
                return Ok(end);
            }
            if let Some(took) = took {
                let progress = took || statistics.transmissions > transmissions;
                idle = if progress { 0 } else { idle + 1 };
                statistics.longest_idle = statistics.longest_idle.max(idle);
                if idle > fuel {
                    self.fell_back = true;
                    return Ok(Outcome::FuelExhausted);
                }
            }
            self.check()?;
            if let Some(earlier) = &earlier {
                self.check_since(earlier)?;
            }
            earlier = Some(self.clone());

            let before = self.shown();
            let execution = execute(program, &before);
            statistics.executions += 1;
            took = Some(self.adopt(&before, &execution));
            let step = Step::Executed {
                number: statistics.executions,
                before: &before,
                execution: &execution,
            };
            if observer(&step).is_break() {
                return Ok(Outcome::Stopped);
            }
            if !execution.has_effect(&before) {
                return Ok(Outcome::Settled);
            }
        }
    }

    /// Takes over what an execution left: queues, registers, USER, seed, actions.
    /// Says whether it took a packet from Q or RQ.
    fn adopt(&mut self, before: &SchedState, execution: &Execution) -> bool {
        let after = &execution.after;
        let seq = |position: usize| before.packets[position].seq;
        let mut took = false;
        self.burst.clear();
        for name in [QueueName::Send, QueueName::Retrans] {
            let kept = after.queue(name);
            for &position in before.queue(name) {
                if kept.binary_search(&position).is_err() {
                    took = true;
                    self.queue_mut(name).remove(&seq(position));
                    if name == QueueName::Send {
                        self.queue_mut(QueueName::Unacked).insert(seq(position));
                        if self.compressed {
                            self.burst.insert(seq(position));
                        }
                    }
                }
            }
        }
        self.registers = after.registers;
        self.seed = self.seeds.pop_front().unwrap_or(after.seed);
        for subflow in &after.subflows {
            let cell = self.subflow_mut(subflow.id);
            cell.expect("subflows stay within a trigger").user = subflow.user;
        }
        self.pending
            .extend(execution.actions.iter().map(|action| match *action {
                Action::Push {
                    subflow,
                    packet,
                    at,
                } => Pending::Push {
                    subflow: before.subflows[subflow].id,
                    packet: seq(packet),
                    at,
                },
                Action::Drop { packet, at } => Pending::Drop {
                    packet: seq(packet),
                    at,
                },
            }));
        took
    }

    /// Takes the pushes behind the first `kept` pending actions back, of packets that the last execution
    /// took from Q: they are in Q again. Says whether there was any. Nothing if the host serves no
    /// compressed scheduler (specs/rewriting.md, "What a host takes back").
    fn take_back(&mut self, kept: usize) -> bool {
        let mut stay: VecDeque<Pending> =
            self.pending.drain(..kept.min(self.pending.len())).collect();
        let mut any = false;
        for action in std::mem::take(&mut self.pending) {
            match action {
                Pending::Push { packet, .. } if self.burst.remove(&packet) => {
                    self.queue_mut(QueueName::Unacked).remove(&packet);
                    self.queue_mut(QueueName::Send).insert(packet);
                    any = true;
                }
                other => stay.push_back(other),
            }
        }
        self.pending = stay;
        any
    }

    /// Carries out pending actions, first in, first out. `Some` if the trigger ends here.
    fn carry_out(
        &mut self,
        policy: &mut dyn Policy,
        observer: &mut Observer<'_>,
        statistics: &mut Statistics,
    ) -> Option<Outcome> {
        let mut squeezed = false;
        while let Some(&action) = self.pending.front() {
            if squeezed && self.fault != Some(Fault::KeepsBehindSqueeze) && self.take_back(0) {
                continue;
            }
            let step = match action {
                Pending::Drop { packet, at } => {
                    statistics.drops += 1;
                    Step::Dropped { packet, at }
                }
                Pending::Push {
                    subflow,
                    packet,
                    at,
                } => {
                    if let Some(obstacle) = self.obstacle(subflow, packet, policy) {
                        if self.fault == Some(Fault::DiscardsBlockedAction) {
                            self.pending.pop_front();
                        }
                        if self.fault != Some(Fault::KeepsBehindBlocked) {
                            self.take_back(1);
                        }
                        self.burst.clear();
                        return Some(Outcome::Blocked {
                            subflow,
                            packet,
                            obstacle,
                        });
                    }
                    let (step, shrank) = self.push(subflow, packet, at, policy, statistics);
                    self.burst.remove(&packet);
                    squeezed |= shrank;
                    step
                }
            };
            self.pending.pop_front();
            if observer(&step).is_break() {
                return Some(Outcome::Stopped);
            }
        }
        None
    }

    fn obstacle(&self, subflow: u64, packet: u64, policy: &mut dyn Policy) -> Option<Obstacle> {
        let (subflow, packet) = (self.subflow(subflow)?, self.packet(packet)?);
        if packet.no_window_on.contains(&subflow.id) {
            return Some(Obstacle::Window);
        }
        (!policy.has_memory(subflow, packet)).then_some(Obstacle::Memory)
    }

    fn push(
        &mut self,
        subflow: u64,
        packet: u64,
        at: StmtId,
        policy: &mut dyn Policy,
        statistics: &mut Statistics,
    ) -> (Step<'static>, bool) {
        if self.packet(packet).is_none() {
            statistics.skipped += 1;
            let step = Step::Skipped {
                subflow,
                packet,
                at,
            };
            return (step, false);
        }
        if !self.is_live(subflow) {
            statistics.reinjections += 1;
            if self.fault != Some(Fault::SkipsPendingOnDeadSubflow) {
                self.reinject(packet);
            }
            let step = Step::Reinjected {
                subflow,
                packet,
                at,
            };
            return (step, false);
        }
        statistics.transmissions += 1;
        let shrank = self.transmit(subflow, packet, policy);
        let step = Step::Transmitted {
            subflow,
            packet,
            at,
        };
        (step, shrank)
    }

    /// Puts a packet on a live subflow. It is a member of QU from then on, unless it is in Q.
    /// Says whether anything shrank besides.
    fn transmit(&mut self, id: u64, seq: u64, policy: &mut dyn Policy) -> bool {
        if !self.queue(QueueName::Send).contains(&seq) {
            self.queue_mut(QueueName::Unacked).insert(seq);
        }
        let forgets = self.fault == Some(Fault::ForgetsSentOn);
        let packet = self.packet_mut(seq).expect("the packet is unacknowledged");
        if forgets {
            packet.sent_on.clear();
        }
        packet.sent_on.insert(id);
        let packet = packet.clone();
        let subflow = self.subflow_mut(id).expect("the subflow is live");
        let most = (1_u64 << SubflowInt::Queued.range_bits()) - 1;
        subflow.queued = (subflow.queued + 1).min(most);
        let subflow = subflow.clone();
        let squeezes = policy.squeeze(&subflow, &packet);
        let shrank = !squeezes.is_empty();
        for squeeze in squeezes {
            self.shrink(squeeze);
        }
        match self.fault {
            Some(Fault::ReopensWindows) => {
                self.packets_mut()
                    .for_each(|packet| packet.no_window_on.clear());
            }
            Some(Fault::MovesTime) => self.time_ms += 1,
            Some(Fault::ForgetsQueued) => {
                let subflow = self.subflow_mut(id).expect("the subflow is live");
                subflow.queued = subflow.queued.saturating_sub(2);
            }
            _ => {}
        }
        shrank
    }

    fn shrink(&mut self, squeeze: Squeeze) {
        match squeeze {
            Squeeze::Window { subflow, packet } => {
                let live = self.is_live(subflow);
                if let Some(packet) = self.packet_mut(packet).filter(|_| live) {
                    packet.no_window_on.insert(subflow);
                }
            }
            Squeeze::Throttle { subflow } => {
                if let Some(subflow) = self.subflow_mut(subflow) {
                    subflow.throttled = true;
                }
            }
        }
    }
}
