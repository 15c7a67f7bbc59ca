//! What an object says about itself, in the section `.note.progmp`.
//!
//! In: a [`Note`]. Out: an ELF note of type 1 by `ProgMP` whose text has one `key: value` on each
//! line (specs/object.md). Nobody trusts it: a host reads from it what to fill in, and a validator
//! what is to be shown.

use std::fmt::Write as _;

use progmp_abi::layout;
use progmp_ir::{Needs, PacketInt, Program, QueueName, SchedReg, SubflowBool, SubflowInt};

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Of the scheduler.
    pub name: String,
    /// What was proved before it was compiled.
    pub proof: Proof,
    /// `may-goto` or `bounded`.
    pub loops: &'static str,
    /// What the compiler was to do to the source: `off`, `on` or `compress`.
    pub rewriting: &'static str,
    /// Whether one execution does what several of the source do, so that a host has to take back
    /// what it cannot send.
    pub compressed: bool,
    /// Most packets that a host may show of each queue.
    pub packets: usize,
    /// Names of what it reads and writes; see [`needs`].
    pub needs: Vec<String>,
    /// Bounds of one execution by name, as formulas.
    pub bounds: Vec<(&'static str, String)>,
    /// Bytes of stack.
    pub stack_bytes: usize,
}

/// What was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Every gate property, for any size.
    AnySize,
    /// Every gate property, for so many subflows and packets of a queue.
    UpTo {
        /// Subflows.
        subflows: u32,
        /// Packets.
        packets: u32,
    },
    /// Nothing: it was compiled without proof.
    Unproved,
}

/// Owner and type of the note.
const OWNER: &[u8; 8] = b"ProgMP\0\0";
const OWNER_BYTES: u32 = 7;
const TYPE: u32 = 1;

impl Note {
    /// The text, one fact a line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |key: &str, value: &dyn std::fmt::Display| {
            writeln!(text, "{key}: {value}").expect("strings grow");
        };
        line("abi", &layout::VERSION);
        line("compiler", &concat!("progmp ", env!("CARGO_PKG_VERSION")));
        line("scheduler", &self.name);
        match self.proof {
            Proof::AnySize => line("proof", &"any size"),
            Proof::UpTo { subflows, packets } => {
                line(
                    "proof",
                    &format_args!("{subflows} subflows, {packets} packets"),
                );
            }
            Proof::Unproved => line("proof", &"none"),
        }
        line("loops", &self.loops);
        line("rewriting", &self.rewriting);
        line("compressed", &if self.compressed { "yes" } else { "no" });
        line("packets", &self.packets);
        line("needs", &self.needs.join(" "));
        for (name, formula) in &self.bounds {
            line(name, formula);
        }
        line("stack", &self.stack_bytes);
        text
    }

    /// The contents of the section.
    pub(crate) fn section(&self) -> Vec<u8> {
        let text = self.text();
        let length = u32::try_from(text.len()).expect("a note is short");
        let mut bytes = Vec::new();
        for part in [OWNER_BYTES, length, TYPE] {
            bytes.extend(part.to_le_bytes());
        }
        bytes.extend(OWNER);
        bytes.extend(text.bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }
}

/// What a program reads and writes: `Q`, `subflow.RTT`, `packet.LENGTH`, `R1`, …
pub fn needs(program: &Program) -> Vec<String> {
    let needs = Needs::of_body(program);
    let mut names = Vec::new();
    let mut add = |used: bool, name: String| {
        if used {
            names.push(name);
        }
    };
    add(needs.reads_subflows(), "SUBFLOWS".to_owned());
    for queue in QueueName::ALL {
        let used = needs.reads_queue(queue) || needs.pops(queue);
        add(used, queue.name().to_owned());
    }
    for &property in SubflowInt::ALL {
        add(
            needs.reads_subflow_int(property),
            format!("subflow.{}", property.name()),
        );
    }
    for &property in SubflowBool::ALL {
        add(
            needs.reads_subflow_bool(property),
            format!("subflow.{}", property.name()),
        );
    }
    for &property in PacketInt::ALL {
        add(
            needs.reads_packet_int(property),
            format!("packet.{}", property.name()),
        );
    }
    add(needs.reads_psh(), "packet.PSH".to_owned());
    add(needs.reads_sent_on(), "packet.SENT_ON".to_owned());
    add(needs.reads_windows(), "subflow.HAS_WINDOW_FOR".to_owned());
    for register in SchedReg::all() {
        let used = needs.reads_register(register) || needs.writes_register(register);
        add(used, register.to_string());
    }
    add(needs.writes_user(), "SET_USER".to_owned());
    add(needs.reads_time(), "CURRENT_TIME_MS".to_owned());
    add(needs.uses_random(), "RANDOM".to_owned());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_text_with_a_length() {
        let note = Note {
            name: "minrtt".to_owned(),
            proof: Proof::UpTo {
                subflows: 8,
                packets: 16,
            },
            loops: "may-goto",
            rewriting: "off",
            compressed: false,
            packets: 256,
            needs: vec!["Q".to_owned(), "subflow.RTT".to_owned()],
            bounds: vec![("steps", "12·s + 40".to_owned())],
            stack_bytes: 24,
        };
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!(
            "abi: 1\ncompiler: progmp {version}\nscheduler: minrtt\n\
             proof: 8 subflows, 16 packets\nloops: may-goto\nrewriting: off\ncompressed: no\npackets: 256\n\
             needs: Q subflow.RTT\nsteps: 12·s + 40\nstack: 24\n"
        );
        assert_eq!(note.text(), expected);
        let section = note.section();
        assert_eq!(section.len() % 4, 0);
        assert_eq!(section[..4], [7, 0, 0, 0]);
        assert_eq!(
            section[4..8],
            u32::try_from(expected.len()).expect("short").to_le_bytes()
        );
        assert_eq!(&section[12..20], b"ProgMP\0\0");
        assert_eq!(&section[20..20 + expected.len()], expected.as_bytes());
    }
}
