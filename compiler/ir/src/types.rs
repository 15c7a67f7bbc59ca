//! Types, property names and the small closed vocabularies of the language.
//!
//! Everything here is a plain enumeration with its ProgMP spelling, unit and
//! range (specs/semantics.md). Who reads a property asks this file what it is
//! called, how wide it is and which host can give it.

use std::fmt;

/// What an element of a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A subflow of the connection (RFC 8684).
    Subflow,
    /// A packet: a slice of the connection's byte stream.
    Packet,
}

/// The three packet queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueName {
    /// `Q`: data not yet scheduled.
    Send,
    /// `QU`: scheduled and not yet acknowledged.
    Unacked,
    /// `RQ`: suspected lost, to be reinjected.
    Retrans,
}

impl QueueName {
    /// All queues, in the order in which tables and JSON list them.
    pub const ALL: [Self; 3] = [Self::Send, Self::Unacked, Self::Retrans];

    /// The ProgMP spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Send => "Q",
            Self::Unacked => "QU",
            Self::Retrans => "RQ",
        }
    }
}

/// Which list the members of a list value come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListSource {
    /// `SUBFLOWS`.
    Subflows,
    /// One of the packet queues.
    Queue(QueueName),
}

impl ListSource {
    /// What the list's elements are.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Subflows => Kind::Subflow,
            Self::Queue(_) => Kind::Packet,
        }
    }
}

/// The type of a value. Whether it may be NULL stands beside it ([`crate::Expr`]);
/// a list never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Unsigned 64 bit; `+ - *` wrap.
    Int,
    /// TRUE, FALSE (or NULL).
    Bool,
    /// A reference to a member of SUBFLOWS.
    Subflow,
    /// A reference to a packet.
    Packet,
    /// A snapshot of references in list order.
    List(ListSource),
}

impl Type {
    /// The type of one element of a list of `kind`.
    pub const fn element(kind: Kind) -> Self {
        match kind {
            Kind::Subflow => Self::Subflow,
            Kind::Packet => Self::Packet,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Subflow => "subflow",
            Self::Packet => "packet",
            Self::List(ListSource::Subflows) => "subflow list",
            Self::List(ListSource::Queue(_)) => "packet queue",
        })
    }
}

/// A register of the connection, R1 to R6. Kept as 0..=5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchedReg(u8);

impl SchedReg {
    /// Number of registers of a connection.
    pub const COUNT: usize = 6;

    /// The register `R{number}`; `None` unless 1 ≤ number ≤ 6.
    pub const fn new(number: u8) -> Option<Self> {
        match number {
            1..=6 => Some(Self(number - 1)),
            _ => None,
        }
    }

    /// All registers, R1 first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..6).map(Self)
    }

    /// 0 for R1 … 5 for R6.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for SchedReg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{}", self.0 + 1)
    }
}

/// Where a host can take a property from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Every stock kernel gives it.
    A,
    /// Only where the host can; a scheduler that reads it is refused elsewhere.
    B,
}

macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal $(| $alias:literal)*;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)* }

        impl $name {
            /// Every member, in the order of specs/semantics.md.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The canonical ProgMP spelling.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// Looks a spelling up, aliases included.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text $(| $alias)* => Some(Self::$variant),)* _ => None }
            }

            /// Canonical names and aliases: what a "did you mean" may offer.
            pub const SPELLINGS: &'static [&'static str] = &[$($text $(, $alias)*),*];
        }
    };
}

vocabulary! {
    /// Integer properties of a subflow, fixed during one execution but for `USER`.
    SubflowInt {
        /// Smoothed round-trip time, µs, < 2^40.
        Rtt = "RTT";
        /// `RTT / 1000`, ms.
        RttMs = "RTT_MS" | "RTT_AVG";
        /// Round-trip time variation, µs, < 2^40.
        RttVar = "RTT_VAR";
        /// Congestion window, packets, < 2^32.
        Cwnd = "CWND";
        /// Slow-start threshold, packets, < 2^32.
        Ssthresh = "SSTHRESH";
        /// Packets sent and not acknowledged, < 2^32.
        InFlight = "SKBS_IN_FLIGHT";
        /// Packets accepted by the subflow and unsent, < 2^32.
        Queued = "QUEUED";
        /// Packets marked lost, < 2^32.
        LostSkbs = "LOST_SKBS";
        /// Maximum segment size, bytes, < 2^32.
        Mss = "MSS";
        /// Per-connection id, 1 for the first subflow, distinct, < 2^32.
        Id = "ID";
        /// Pacing rate, bytes/s, < 2^48.
        PacingRate = "PACING_RATE";
        /// Delivery-rate estimate, bytes/s, < 2^48.
        DeliveryRate = "DELIVERY_RATE" | "BW_OUT_ACK";
        /// Bytes handed to the subflow over the last second, < 2^48. Tier B.
        SendRate = "BW_OUT_SEND";
        /// One-way delay towards us, timestamp ticks. Tier B.
        DelayIn = "DELAY_IN";
        /// One-way delay from us, timestamp ticks. Tier B.
        DelayOut = "DELAY_OUT";
        /// Set by `SET_USER`; any value.
        User = "USER";
    }
}

impl SubflowInt {
    /// The host clamps what it shows below `2^bits`; 64 means any value.
    pub const fn range_bits(self) -> u32 {
        match self {
            Self::Rtt | Self::RttMs | Self::RttVar => 40,
            Self::Cwnd
            | Self::Ssthresh
            | Self::InFlight
            | Self::Queued
            | Self::LostSkbs
            | Self::Mss
            | Self::Id => 32,
            Self::PacingRate | Self::DeliveryRate | Self::SendRate => 48,
            Self::DelayIn | Self::DelayOut | Self::User => 64,
        }
    }

    /// Which hosts can give it.
    pub const fn tier(self) -> Tier {
        match self {
            Self::SendRate | Self::DelayIn | Self::DelayOut => Tier::B,
            _ => Tier::A,
        }
    }
}

vocabulary! {
    /// Boolean properties of a subflow, fixed during one execution. All tier A.
    SubflowBool {
        /// The peer or the path manager asked to use it as backup only.
        IsBackup = "IS_BACKUP" | "BACKUP";
        /// TCP small queues hold the subflow.
        Throttled = "THROTTLED" | "TSQ_THROTTLED";
        /// Congestion state Loss.
        Lossy = "LOSSY";
        /// MPTCP marked the subflow stale.
        Stale = "STALE";
    }
}

vocabulary! {
    /// Integer properties of a packet. All tier A.
    PacketInt {
        /// Bytes, < 2^32.
        Length = "LENGTH" | "SIZE";
        /// Data sequence number.
        Seq = "SEQ";
        /// Set by the application, 0 by default.
        User = "USER";
    }
}

impl PacketInt {
    /// The host clamps what it shows below `2^bits`; 64 means any value.
    pub const fn range_bits(self) -> u32 {
        match self {
            Self::Length => 32,
            Self::Seq | Self::User => 64,
        }
    }
}

/// `+ - * / %` on unsigned 64-bit integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArithOp {
    /// Wraps modulo 2^64.
    Add,
    /// Wraps modulo 2^64.
    Sub,
    /// Wraps modulo 2^64.
    Mul,
    /// Unsigned; NULL when the divisor is 0.
    Div,
    /// Unsigned; NULL when the divisor is 0.
    Rem,
}

impl ArithOp {
    /// The ProgMP spelling.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
        }
    }

    /// The operation on two words; `None` for a division by 0.
    pub const fn apply(self, a: u64, b: u64) -> Option<u64> {
        match self {
            Self::Add => Some(a.wrapping_add(b)),
            Self::Sub => Some(a.wrapping_sub(b)),
            Self::Mul => Some(a.wrapping_mul(b)),
            Self::Div => a.checked_div(b),
            Self::Rem => a.checked_rem(b),
        }
    }
}

/// The orderings of two integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrderOp {
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl OrderOp {
    /// The ProgMP spelling.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

/// `MIN`, `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extremum {
    /// The first element with the least key.
    Min,
    /// The first element with the greatest key.
    Max,
}
