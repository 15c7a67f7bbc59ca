//! Traced executions: what the program saw, and what it left, as the reference interpreter knows them.
//!
//! In: bytes that [`Tracer`](crate::Tracer) read, `struct progmp_trace` and what follows it. Out: a
//! [`Record`] with the state before and the outcome. A record that no host may show (a value out of
//! range, queues that overlap) is an error, so reading a trace checks the shim's facts as well.

use progmp_abi::layout::{self, block, packet, queue, subflow};
use progmp_abi::{
    Block, Decision, Filled, Outcome, fill, place_of, queue_at, well_formed, word_of,
};
use progmp_ir::{
    Packet, Program, QueueName, SchedState, Subflow, SubflowBool, SubflowInt, execute,
};

use crate::error::Error;
use crate::uapi;

/// Members of `struct progmp_trace` and where they stand.
pub const MEMBERS: &[(&str, usize)] = &[
    ("bytes", 0),
    ("flags", FLAGS),
    ("number", NUMBER),
    ("lost", LOST),
    ("connection", CONNECTION),
    ("trigger", TRIGGER),
    ("scheduler", SCHEDULER),
    ("ns", NS),
    ("name", NAME),
    ("status", STATUS),
    ("subflows", SUBFLOWS),
    ("packets", PACKETS),
    ("actions", ACTIONS),
    ("prints", PRINTS),
    ("time_ms", TIME_MS),
    ("seed", SEED),
    ("is_backup", WORDS[0]),
    ("throttled", WORDS[1]),
    ("lossy", WORDS[2]),
    ("stale", WORDS[3]),
    ("reg_before", REG_BEFORE),
    ("reg_after", REG_AFTER),
    ("before", BEFORE),
    ("after", AFTER),
];

const FLAGS: usize = 4;
const NUMBER: usize = 8;
const LOST: usize = 16;
const CONNECTION: usize = 24;
const TRIGGER: usize = 32;
const SCHEDULER: usize = 40;
const NS: usize = 48;
const NAME: usize = 56;
const STATUS: usize = 88;
const SUBFLOWS: usize = 92;
const PACKETS: usize = 96;
const ACTIONS: usize = 100;
const PRINTS: usize = 104;
const TIME_MS: usize = 112;
const SEED: usize = 120;
/// In the order of [`SubflowBool::ALL`].
const WORDS: [usize; 4] = [128, 136, 144, 152];
const REG_BEFORE: usize = 160;
const REG_AFTER: usize = 208;
const BEFORE: usize = 256;
const AFTER: usize = BEFORE + 3 * queue::BYTES;
/// Bytes of `struct progmp_trace`.
pub const HEADER_BYTES: usize = AFTER + 3 * queue::BYTES;

/// One execution in the kernel.
#[derive(Clone, Debug)]
pub struct Record {
    /// Counted over all connections.
    pub number: u64,
    /// Records that found no room so far.
    pub lost: u64,
    /// Of which connection.
    pub connection: u64,
    /// Which trigger of the connection.
    pub trigger: u64,
    /// Number of the scheduler.
    pub scheduler: u64,
    /// Its name.
    pub name: String,
    /// Monotonic clock.
    pub ns: u64,
    /// Whether its trigger started with it.
    pub is_first: bool,
    /// Whether the shim refused what the program left.
    pub is_bad: bool,
    /// What the program saw.
    pub before: SchedState,
    /// What it decided; an error if that makes no sense.
    pub outcome: Result<Outcome, progmp_abi::Error>,
}

/// The records in what one read returned.
///
/// # Errors
/// What is wrong with the first that cannot be read.
///
/// # Panics
/// Never: slices have their own lengths.
pub fn records(mut bytes: &[u8]) -> impl Iterator<Item = Result<Record, Error>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let length = bytes.get(..4).map_or(0, |word| {
            u32::from_le_bytes(word.try_into().expect("four bytes")) as usize
        });
        let Some((record, rest)) = bytes.split_at_checked(length).filter(|_| length > 0) else {
            bytes = &[];
            return Some(Err(Error::Trace("a record is cut off".to_owned())));
        };
        bytes = rest;
        Some(Record::read(record))
    })
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let short = || Error::Trace("a record is shorter than its counts say".to_owned());
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or_else(short)?;
        self.bytes = rest;
        Ok(taken)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

impl Record {
    fn read(record: &[u8]) -> Result<Self, Error> {
        let mut rest = Reader { bytes: record };
        let header = rest.take(HEADER_BYTES)?;
        let count = |at: usize, limit: usize| {
            let count = u32_at(header, at) as usize;
            if count <= limit {
                Ok(count)
            } else {
                Err(Error::Trace(format!("{count} is more than {limit}")))
            }
        };
        let subflows = count(SUBFLOWS, layout::SUBFLOWS)?;
        let packets = count(PACKETS, layout::PACKETS)?;
        // Of an execution that does not count, counts may be anything: then nothing follows.
        let actions = count(ACTIONS, layout::ACTIONS).unwrap_or(0);
        let prints = (u32_at(header, PRINTS) as usize).min(layout::PRINTS);
        let parts = Parts {
            header,
            subflows: rest.take(subflows * subflow::BYTES)?,
            packets: rest.take(packets * packet::BYTES)?,
            users: rest.take(8 * subflows)?,
            users_after: rest.take(8 * subflows)?,
            prints: rest.take(prints * layout::print::BYTES)?,
            actions: rest.take(4 * actions.next_multiple_of(2))?,
        };
        if !rest.bytes.is_empty() {
            let more = rest.bytes.len();
            return Err(Error::Trace(format!("a record has {more} bytes too many")));
        }
        let before = parts.state();
        let impossible = |error| Error::Trace(format!("what the shim showed: {error}"));
        let mut filled = fill(&before).map_err(impossible)?;
        if filled.packets.len() != packets {
            return Err(Error::Trace(
                "what the shim showed: a packet record in no queue".to_owned(),
            ));
        }
        parts.compare(&filled.block)?;
        well_formed(&filled.block).map_err(impossible)?;
        parts.apply(&mut filled);
        Ok(Self {
            number: u64_at(header, NUMBER),
            lost: u64_at(header, LOST),
            connection: u64_at(header, CONNECTION),
            trigger: u64_at(header, TRIGGER),
            scheduler: u64_at(header, SCHEDULER),
            name: uapi::text(&header[NAME..NAME + uapi::NAME_BYTES]),
            ns: u64_at(header, NS),
            is_first: u32_at(header, FLAGS) & uapi::TRACE_FIRST != 0,
            is_bad: u32_at(header, FLAGS) & uapi::TRACE_BAD != 0,
            outcome: filled.read_back(),
            before,
        })
    }

    /// Lets the reference interpreter decide, and names what differs.
    ///
    /// # Errors
    /// The part that differs, with both values.
    pub fn replay(&self, program: &Program) -> Result<(), String> {
        let expected = Outcome::of(&execute(program, &self.before), &self.before);
        let found = match &self.outcome {
            Ok(found) if *found == expected => return Ok(()),
            Ok(found) => found,
            Err(error) => return Err(format!("no decision: {error}")),
        };
        let parts = [
            ("actions", expected.actions != found.actions),
            ("registers", expected.registers != found.registers),
            ("USER values", expected.users != found.users),
            ("queues", expected.queues != found.queues),
            ("prints", expected.prints != found.prints),
        ];
        let part = parts.iter().find(|(_, differs)| *differs);
        let part = part.map_or("number of prints", |(part, _)| part);
        Err(format!("{part}: expected {expected:?}, found {found:?}"))
    }

    /// How many packets it pushed.
    pub fn pushes(&self) -> usize {
        let actions = self.outcome.as_ref().map_or(&[][..], |o| &o.actions);
        let pushes = actions
            .iter()
            .filter(|a| matches!(a, Decision::Push { .. }));
        pushes.count()
    }
}

struct Parts<'a> {
    header: &'a [u8],
    subflows: &'a [u8],
    packets: &'a [u8],
    users: &'a [u8],
    users_after: &'a [u8],
    prints: &'a [u8],
    actions: &'a [u8],
}

impl Parts<'_> {
    /// What the program saw.
    fn state(&self) -> SchedState {
        let flag = |flag: SubflowBool, index: usize| {
            let at = SubflowBool::ALL.iter().position(|&other| other == flag);
            let word = u64_at(self.header, WORDS[at.expect("one of all")]);
            word >> index & 1 == 1
        };
        let records = self.subflows.chunks_exact(subflow::BYTES).enumerate();
        let subflows: Vec<Subflow> = records
            .map(|(index, record)| {
                let mut seen = Subflow::default();
                for &property in SubflowInt::ALL {
                    *seen.int_mut(property) = match place_of(property) {
                        Some((at, 4)) => u64::from(u32_at(record, at)),
                        Some((at, _)) => u64_at(record, at),
                        None => u64_at(self.users, 8 * index),
                    };
                }
                for &property in SubflowBool::ALL {
                    *seen.flag_mut(property) = flag(property, index);
                }
                seen
            })
            .collect();
        let ids = |word: u32, wanted: bool| {
            let subflows = subflows.iter().enumerate();
            let chosen = subflows.filter(|(index, _)| (word >> index & 1 == 1) == wanted);
            chosen.map(|(_, subflow)| subflow.id).collect()
        };
        let packets = self
            .packets
            .chunks_exact(packet::BYTES)
            .map(|record| Packet {
                seq: u64_at(record, packet::SEQ),
                length: u64::from(u32_at(record, packet::LENGTH)),
                user: u64_at(record, packet::USER),
                psh: u32_at(record, packet::FLAGS) & layout::PSH != 0,
                sent_on: ids(u32_at(record, packet::SENT_ON), true),
                no_window_on: ids(u32_at(record, packet::WINDOW), false),
            });
        let packets = packets.collect();
        let members = |name: QueueName| {
            let words = BEFORE + queue::BYTES * name as usize + queue::WORD;
            let holds = |&place: &usize| {
                u64_at(self.header, words + place / 64 * 8) >> (place % 64) & 1 == 1
            };
            (0..layout::PACKETS).filter(holds).collect()
        };
        SchedState {
            q: members(QueueName::Send),
            qu: members(QueueName::Unacked),
            rq: members(QueueName::Retrans),
            packets,
            subflows,
            registers: std::array::from_fn(|r| u64_at(self.header, REG_BEFORE + 8 * r)),
            time_ms: u64_at(self.header, TIME_MS),
            seed: u64_at(self.header, SEED),
        }
    }

    /// Whether the shim showed exactly what the block of this state shows.
    fn compare(&self, shown: &Block) -> Result<(), Error> {
        let bytes = shown.bytes();
        let queues = &self.header[BEFORE..AFTER];
        for (what, at, found) in [
            ("a subflow", block::SUBFLOW, self.subflows),
            ("a packet", block::PACKET, self.packets),
            ("the queues", queue_at(QueueName::Send), queues),
        ] {
            let expected = &bytes[at..at + found.len()];
            if let Some(place) = expected.iter().zip(found).position(|(a, b)| a != b) {
                let why = format!("byte {place} of {what} is not as the block has it");
                return Err(Error::Trace(format!("what the shim showed: {why}")));
            }
        }
        for (&flag, at) in SubflowBool::ALL.iter().zip(WORDS) {
            if u64_at(self.header, at) != shown.u64(word_of(flag)) {
                let why = format!("{flag:?} of a subflow that is not there");
                return Err(Error::Trace(format!("what the shim showed: {why}")));
            }
        }
        Ok(())
    }

    /// Puts what the run left into the block.
    fn apply(&self, filled: &mut Filled) {
        let shown = &mut filled.block;
        let header = self.header;
        shown.put_u32(block::STATUS, u32_at(header, STATUS));
        shown.put_u32(block::ACTION_COUNT, u32_at(header, ACTIONS));
        shown.put_u32(block::PRINT_COUNT, u32_at(header, PRINTS));
        shown.put(block::REG, &header[REG_AFTER..BEFORE]);
        shown.put(queue_at(QueueName::Send), &header[AFTER..HEADER_BYTES]);
        shown.put(block::USER, self.users_after);
        shown.put(block::PRINT, self.prints);
        shown.put(block::ACTION, self.actions);
    }
}
