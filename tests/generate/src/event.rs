//! Random events for a host, and surroundings that refuse and shrink at random.

use progmp_ir::{
    Host, HostEvent, Packet, Policy, SchedReg, Squeeze, Subflow, SubflowBool, SubflowInt,
};

use crate::choices::Choices;

/// An event that can happen to this host; mostly about packets and subflows that are there.
pub fn event(choices: &mut Choices, host: &Host) -> HostEvent {
    let packets: Vec<u64> = host.packets().map(|packet| packet.seq).collect();
    let ids: Vec<u64> = host.subflows().iter().map(|subflow| subflow.id).collect();
    let packet = |choices: &mut Choices| {
        if packets.is_empty() {
            1
        } else {
            *choices.pick(&packets)
        }
    };
    let subflow = |choices: &mut Choices| {
        if ids.is_empty() {
            1
        } else {
            *choices.pick(&ids)
        }
    };
    match choices.below(14) {
        0..=2 => HostEvent::Write {
            bytes: *choices.pick(&[1, 100, 1_500, 4_000]),
            user: choices.below(3),
            psh: choices.percent(50),
            append: choices.percent(30),
        },
        3 | 4 => HostEvent::Acknowledged {
            packet: packet(choices),
        },
        5 | 6 => HostEvent::SuspectedLost {
            packet: packet(choices),
        },
        7 => HostEvent::SubflowUp(sample(choices, 0)),
        8 => HostEvent::SubflowDies {
            subflow: subflow(choices),
        },
        9 => {
            let id = subflow(choices);
            HostEvent::Sampled(sample(choices, id))
        }
        10 => HostEvent::Window {
            subflow: subflow(choices),
            packet: packet(choices),
            open: choices.percent(50),
        },
        11 => {
            let registers: Vec<SchedReg> = SchedReg::all().collect();
            HostEvent::Register {
                reg: *choices.pick(&registers),
                value: *choices.pick(&[0, 1, 2, 100, u64::MAX]),
            }
        }
        12 => HostEvent::User {
            subflow: subflow(choices),
            value: *choices.pick(&[0, 1, 2, u64::MAX]),
        },
        _ => HostEvent::Time {
            ms: *choices.pick(&[1, 0, 20, 1 << 47]),
        },
    }
}

fn sample(choices: &mut Choices, id: u64) -> Subflow {
    let mut subflow = Subflow {
        id,
        ..Subflow::default()
    };
    let values = [0, 1, 2, 10, 1_400, 20_000, u64::MAX];
    for property in [
        SubflowInt::Rtt,
        SubflowInt::Cwnd,
        SubflowInt::InFlight,
        SubflowInt::Queued,
        SubflowInt::LostSkbs,
    ] {
        if choices.percent(40) {
            *subflow.int_mut(property) = *choices.pick(&values);
        }
    }
    subflow.mss = *choices.pick(&[1_400, 536, 100]);
    for &property in SubflowBool::ALL {
        *subflow.flag_mut(property) = choices.percent(25);
    }
    subflow
}

/// Surroundings that refuse memory and shrink windows at random, and that let through a limited
/// number of packets in a trigger.
#[derive(Clone, Debug)]
pub struct Fickle {
    choices: Choices,
    left: u32,
}

impl Fickle {
    /// Lets at most `transmissions` packets through.
    pub const fn new(choices: Choices, transmissions: u32) -> Self {
        Self {
            choices,
            left: transmissions,
        }
    }
}

impl Policy for Fickle {
    fn has_memory(&mut self, _: &Subflow, _: &Packet) -> bool {
        if self.left == 0 || self.choices.percent(5) {
            return false;
        }
        self.left -= 1;
        true
    }

    fn squeeze(&mut self, subflow: &Subflow, packet: &Packet) -> Vec<Squeeze> {
        let mut squeezes = Vec::new();
        if self.choices.percent(10) {
            squeezes.push(Squeeze::Throttle {
                subflow: subflow.id,
            });
        }
        if self.choices.percent(20) {
            let further = *self.choices.pick(&[0, 100, 1_400]);
            squeezes.push(Squeeze::Window {
                subflow: subflow.id,
                packet: packet.seq.saturating_add(further),
            });
        }
        squeezes
    }
}
