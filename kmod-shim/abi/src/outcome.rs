//! What one run decided: the form in which engines are compared.

use progmp_ir::{Action, EventKind, Execution, QueueName, SchedState, Value};

use crate::layout::{self, block, print};
use crate::{Block, Error};

/// An action, in positions of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Transmit the packet on the subflow.
    Push {
        /// Position in [`SchedState::subflows`].
        subflow: usize,
        /// Position in [`SchedState::packets`].
        packet: usize,
    },
    /// The scheduler will not schedule this packet itself.
    Drop {
        /// Position in [`SchedState::packets`].
        packet: usize,
    },
}

/// One value of a PRINT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Number of the statement.
    pub stmt: u32,
    /// Which of the statement's values; `None` for a PRINT without values.
    pub arg: Option<u16>,
    /// int, bool (0 or 1), ID or SEQ; `None` is NULL (or no value at all).
    pub value: Option<u64>,
}

/// What one run decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// In program order.
    pub actions: Vec<Decision>,
    /// R1 … R6 afterwards.
    pub registers: [u64; 6],
    /// USER of each subflow afterwards.
    pub users: Vec<u64>,
    /// Q, QU, RQ afterwards, positions ascending.
    pub queues: [Vec<usize>; 3],
    /// The last records of PRINT, oldest first.
    pub prints: Vec<Printed>,
    /// How many records there were.
    pub print_count: u64,
}

impl Outcome {
    /// What the reference interpreter decided.
    ///
    /// # Panics
    /// If the execution is not one of a well-formed program in this state.
    pub fn of(execution: &Execution, before: &SchedState) -> Self {
        let actions = execution.actions.iter().map(|action| match *action {
            Action::Push {
                subflow, packet, ..
            } => Decision::Push { subflow, packet },
            Action::Drop { packet, .. } => Decision::Drop { packet },
        });
        let mut prints = Vec::new();
        for event in &execution.log {
            if let EventKind::Print { at, values } = &event.kind {
                let stmt = u32::try_from(at.index()).expect("statements are numbered in 32 bits");
                if values.is_empty() {
                    let (arg, value) = (None, None);
                    prints.push(Printed { stmt, arg, value });
                }
                for (arg, value) in (0..).zip(values) {
                    let value = shown(value, before);
                    let arg = Some(arg);
                    prints.push(Printed { stmt, arg, value });
                }
            }
        }
        let print_count = prints.len() as u64;
        prints.drain(..prints.len().saturating_sub(layout::PRINTS));
        let after = &execution.after;
        Self {
            actions: actions.collect(),
            registers: after.registers,
            users: after.subflows.iter().map(|subflow| subflow.user).collect(),
            queues: QueueName::ALL.map(|name| after.queue(name).clone()),
            prints,
            print_count,
        }
    }
}

/// What PRINT shows of a value.
fn shown(value: &Value<progmp_ir::Concrete>, state: &SchedState) -> Option<u64> {
    match value {
        Value::Int(int) => (!int.null).then_some(int.value),
        Value::Bool(bool) => (!bool.null).then_some(u64::from(bool.value)),
        Value::Elem(progmp_ir::Kind::Subflow, elem) => {
            (!elem.null).then(|| state.subflows[elem.value].id)
        }
        Value::Elem(progmp_ir::Kind::Packet, elem) => {
            (!elem.null).then(|| state.packets[elem.value].seq)
        }
        Value::List(..) => unreachable!("a well-formed program prints no list"),
    }
}

pub(crate) fn decisions(
    after: &Block,
    subflows: usize,
    packets: &[usize],
) -> Result<Vec<Decision>, Error> {
    let count = after.u32(block::ACTION_COUNT);
    if count as usize > layout::ACTIONS {
        return Err(Error::TooManyActions { count });
    }
    let decision = |index: usize| {
        let word = after.u32(block::ACTION + 4 * index);
        let subflow = (word >> 16 & 0xff) as usize;
        let packet = packets.get((word & 0xffff) as usize).copied();
        match (word >> 24, packet) {
            (layout::PUSH, Some(packet)) if subflow < subflows => {
                Ok(Decision::Push { subflow, packet })
            }
            (layout::DROP, Some(packet)) if subflow == 0 => Ok(Decision::Drop { packet }),
            _ => Err(Error::BadAction { index, word }),
        }
    };
    (0..count as usize).map(decision).collect()
}

pub(crate) fn printed(after: &Block) -> Vec<Printed> {
    let count = after.u32(block::PRINT_COUNT) as usize;
    let kept = count.min(layout::PRINTS);
    let record = |number: usize| {
        let at = block::PRINT + print::BYTES * (number % layout::PRINTS);
        let flags = after.u16(at + print::FLAGS);
        let text = flags & layout::PRINT_TEXT != 0;
        let null = flags & layout::PRINT_NULL != 0;
        Printed {
            stmt: after.u32(at + print::STMT),
            arg: (!text).then(|| after.u16(at + print::ARG)),
            value: (!text && !null).then(|| after.u64(at + print::VALUE)),
        }
    };
    (count - kept..count).map(record).collect()
}
