//! Where everything in the block is: the members of `kmod-shim/progmp_abi.h`, in bytes.
//!
//! One table for each structure gives the constants that Rust code uses and the list that the
//! test compares with what the system's C compiler says.

/// First word of the read-only part: `PPMB` in memory.
pub const MAGIC: u32 = 0x424d_5050;
/// The version that this crate speaks.
pub const VERSION: u32 = 1;

/// Subflow records.
pub const SUBFLOWS: usize = 32;
/// Packets that one queue shows at most.
pub const QUEUE_MAX: usize = 256;
/// Packet records; Q, QU and RQ use at most 768 of them.
pub const PACKETS: usize = 1024;
/// Bit words over the packet records.
pub const WORDS: usize = PACKETS / 64;
/// Places in the action buffer.
pub const ACTIONS: usize = 1024;
/// Records in the ring of PRINT.
pub const PRINTS: usize = 256;
/// 64-bit words of scratch memory.
pub const SCRATCH_WORDS: usize = 1024;

/// Multiplier of the table [`block::LOWEST`]: a de Bruijn sequence of 64 bits.
pub const DEBRUIJN: u64 = 0x03f7_9d71_b4cb_0a89;
/// How far the product is shifted to the right.
pub const DEBRUIJN_SHIFT: u32 = 58;

/// Value of [`block::STATUS`] that the host writes before a run.
pub const STARTED: u32 = 0;
/// The run ended as the program says.
pub const DONE: u32 = 1;
/// A loop's budget was spent: nothing of the run counts.
pub const ABORTED: u32 = 2;

/// An action that transmits: `PUSH << 24 | subflow << 16 | packet`.
pub const PUSH: u32 = 1;
/// An action that gives a packet up: `DROP << 24 | packet`.
pub const DROP: u32 = 2;

/// Bit of [`packet::FLAGS`]: end of an application write.
pub const PSH: u32 = 1;

/// Bit of [`print::FLAGS`]: the value is NULL.
pub const PRINT_NULL: u16 = 1;
/// Bit of [`print::FLAGS`]: a PRINT without values.
pub const PRINT_TEXT: u16 = 2;

/// A member of a C structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name in C.
    pub name: &'static str,
    /// From the start of the structure, bytes.
    pub offset: usize,
    /// Bytes, of a whole array.
    pub size: usize,
}

macro_rules! structure {
    ($(#[$meta:meta])* $module:ident = $c:literal, $bytes:expr; $($(#[$doc:meta])* $name:ident $member:literal $size:expr;)*) => {
        $(#[$meta])*
        pub mod $module {
            #[allow(unused_imports, reason = "some structures hold no other structure")]
            use super::*;
            /// The structure's name in C.
            pub const NAME: &str = $c;
            /// Its size, bytes.
            pub const BYTES: usize = $bytes;
            structure!(@offset 0; $($(#[$doc])* $name $size;)*);
            /// Every member, in order.
            pub const MEMBERS: &[Member] = &[$(Member { name: $member, offset: $name, size: $size }),*];
        }
    };
    (@offset $at:expr;) => {
        const _: () = assert!($at == BYTES, "the members fill the structure");
    };
    (@offset $at:expr; $(#[$doc:meta])* $name:ident $size:expr; $($rest:tt)*) => {
        $(#[$doc])*
        pub const $name: usize = $at;
        structure!(@offset $name + $size; $($rest)*);
    };
}

structure! {
    /// A set of packets: Q, QU, RQ, and snapshots of them in scratch memory.
    queue = "progmp_queue", 8 + 8 * WORDS;
    /// Bit `w`: word `w` is not 0.
    SOME "some" 8;
    /// Bit `b` of word `w`: packet `64 * w + b`.
    WORD "word" 8 * WORDS;
}

structure! {
    /// One value of a PRINT.
    print = "progmp_print", 16;
    /// The statement's number, u32.
    STMT "stmt" 4;
    /// Which of its values, u16.
    ARG "arg" 2;
    /// [`PRINT_NULL`], [`PRINT_TEXT`], u16.
    FLAGS "flags" 2;
    /// int, bool (0 or 1), ID or SEQ, u64.
    VALUE "value" 8;
}

structure! {
    /// A subflow; what most schedulers read comes first.
    subflow = "progmp_subflow", 128;
    /// RTT, µs, u64.
    RTT "rtt" 8;
    /// CWND, u32.
    CWND "cwnd" 4;
    /// `SKBS_IN_FLIGHT`, u32.
    IN_FLIGHT "skbs_in_flight" 4;
    /// QUEUED, u32.
    QUEUED "queued" 4;
    /// ID, u32.
    ID "id" 4;
    /// MSS, u32.
    MSS "mss" 4;
    /// `LOST_SKBS`, u32.
    LOST_SKBS "lost_skbs" 4;
    /// SSTHRESH, u32.
    SSTHRESH "ssthresh" 4;
    /// 0.
    RESERVED "reserved" 4;
    /// `RTT_MS`, u64.
    RTT_MS "rtt_ms" 8;
    /// `RTT_VAR`, u64.
    RTT_VAR "rtt_var" 8;
    /// `DELIVERY_RATE`, u64.
    DELIVERY_RATE "delivery_rate" 8;
    /// `PACING_RATE`, u64.
    PACING_RATE "pacing_rate" 8;
    /// `BW_OUT_SEND`, u64.
    SEND_RATE "bw_out_send" 8;
    /// `DELAY_IN`, u64.
    DELAY_IN "delay_in" 8;
    /// `DELAY_OUT`, u64.
    DELAY_OUT "delay_out" 8;
    /// 0.
    SPARE "spare" 32;
}

structure! {
    /// A packet.
    packet = "progmp_packet", 32;
    /// SEQ, u64.
    SEQ "seq" 8;
    /// USER, u64.
    USER "user" 8;
    /// LENGTH, u32.
    LENGTH "length" 4;
    /// [`PSH`], u32.
    FLAGS "flags" 4;
    /// Bit `i`: transmitted on subflow `i`, u32.
    SENT_ON "sent_on" 4;
    /// Bit `i`: the window of subflow `i` has room for it, u32.
    WINDOW "window" 4;
}

structure! {
    /// The block.
    block = "progmp_block", PACKET + PACKETS * packet::BYTES;
    /// Q, QU, RQ: three [`queue`]s.
    QUEUE "queue" 3 * queue::BYTES;
    /// R1 … R6, u64 each.
    REG "reg" 48;
    /// USER of each subflow, u64 each.
    USER "user" 8 * SUBFLOWS;
    /// [`STARTED`], [`DONE`] or [`ABORTED`], u32.
    STATUS "status" 4;
    /// How many actions there are, u32.
    ACTION_COUNT "actions" 4;
    /// How many PRINT records were written, u32; the last [`PRINTS`] are kept.
    PRINT_COUNT "prints" 4;
    /// 0; scratch memory starts on a cache line.
    RESERVED "reserved" 44;
    /// The program's own, u64 each.
    SCRATCH "scratch" 8 * SCRATCH_WORDS;
    /// u32 each.
    ACTION "action" 4 * ACTIONS;
    /// A ring of [`mod@print`] records.
    PRINT "print" PRINTS * print::BYTES;
    /// [`MAGIC`], u32. Here the read-only part starts.
    MAGIC_AT "magic" 4;
    /// [`VERSION`], u32.
    VERSION_AT "version" 4;
    /// [`BYTES`], u32.
    SIZE_AT "size" 4;
    /// Packet records in use, u32.
    PACKET_COUNT "packets" 4;
    /// Subflow records in use, u64.
    SUBFLOW_COUNT "subflows" 8;
    /// 0, u64.
    ZERO "zero" 8;
    /// 1, u64.
    ONE "one" 8;
    /// 2^64 - 1.
    INF "inf" 8;
    /// `CURRENT_TIME_MS`, u64.
    TIME_MS "time_ms" 8;
    /// Seed of RANDOM, u64.
    SEED "seed" 8;
    /// Bit `i`: subflow record `i` is in use, u64.
    LIVE "live" 8;
    /// `IS_BACKUP`, one bit for each subflow, u64.
    IS_BACKUP "is_backup" 8;
    /// THROTTLED, likewise.
    THROTTLED "throttled" 8;
    /// LOSSY, likewise.
    LOSSY "lossy" 8;
    /// STALE, likewise.
    STALE "stale" 8;
    /// 0.
    SPARE "spare" 24;
    /// Position of the lowest bit of `x` at `(x & -x) * DEBRUIJN >> 58`, u8 each.
    LOWEST "lowest" 64;
    /// [`subflow`] records, oldest first.
    SUBFLOW "subflow" SUBFLOWS * subflow::BYTES;
    /// [`packet`] records, in sequence order.
    PACKET "packet" PACKETS * packet::BYTES;
}

/// Bytes of the writable part.
pub const WRITABLE: usize = block::MAGIC_AT;

// Record offsets are 16 signed bits in an instruction; indices are masked with counts - 1.
const _: () = assert!(block::PACKET + packet::BYTES <= i16::MAX as usize);
const _: () = assert!(SUBFLOWS.is_power_of_two() && subflow::BYTES.is_power_of_two());
const _: () = assert!(PACKETS.is_power_of_two() && packet::BYTES.is_power_of_two());
const _: () = assert!(ACTIONS.is_power_of_two() && PRINTS.is_power_of_two());
const _: () = assert!(block::SUBFLOW.is_multiple_of(64) && block::PACKET.is_multiple_of(64));
const _: () = assert!(WRITABLE.is_multiple_of(64));

/// The table at [`block::LOWEST`].
pub const fn lowest_table() -> [u8; 64] {
    let mut table = [0; 64];
    let mut bit: u8 = 0;
    while bit < 64 {
        let product = (1_u64 << bit).wrapping_mul(DEBRUIJN);
        table[(product >> DEBRUIJN_SHIFT) as usize] = bit;
        bit += 1;
    }
    table
}
