//! `kmod-shim/progmp_uapi.h` in Rust; a test asks the C compiler whether both say the same.

/// The version of the calls that this crate speaks.
pub const VERSION: u32 = 1;
/// The device.
pub const DEVICE: &str = "/dev/progmp";
/// Bytes of a scheduler's name, its end included.
pub const NAME_BYTES: usize = 32;
/// R1 to R6.
pub const REGISTERS: usize = 6;
/// Subflows of a connection that statistics show.
pub const SHOWN: usize = 32;

/// Properties beyond tier A, by bit and name.
pub const PROPERTIES: [(u32, &str); 3] = [
    (1 << 0, "BW_OUT_SEND"),
    (1 << 1, "DELAY_IN"),
    (1 << 2, "DELAY_OUT"),
];

/// Flag of a scheduler: nothing was proved of it.
pub const UNPROVED: u32 = 1 << 0;
/// Flag of a scheduler: one execution does what several of its source would.
pub const COMPRESSED: u32 = 1 << 2;
/// Flag of a scheduler: it does not read QU, which is shown only where it is traced.
pub const BLIND: u32 = 1 << 3;
/// Flag of a scheduler: sockets to come in the caller's network namespace get it.
pub const IS_DEFAULT: u32 = 1 << 1;

/// Flag of a traced execution: the first of its trigger.
pub const TRACE_FIRST: u32 = 1 << 0;
/// Flag of a traced execution: it does not count.
pub const TRACE_BAD: u32 = 1 << 1;

/// No fallback: the program serves the connection.
pub const SERVED: u32 = 0;
/// The connection is plain TCP by now, and nobody is asked. The module does not see that;
/// [`Device::connection`](crate::Device::connection) asks the kernel.
pub const TCP: u32 = 6;

/// Why the kernel's default scheduler serves a connection, by number.
pub const FALLBACKS: [&str; 9] = [
    "served",
    "not chosen",
    "removed",
    "out of fuel",
    "nonsense",
    "too many subflows",
    "fell back to TCP",
    "out of memory",
    "data waited that could be sent",
];

macro_rules! structure {
    ($(#[$meta:meta])* $name:ident = $c:literal, $bytes:literal { $($(#[$doc:meta])* $member:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$doc])* pub $member: $kind,)*
        }

        impl $name {
            /// The structure's name in C.
            pub const NAME: &'static str = $c;
            /// Members by name, offset and size.
            pub const MEMBERS: &'static [(&'static str, usize, usize)] =
                &[$((stringify!($member), std::mem::offset_of!($name, $member), size_of::<$kind>()),)*];
        }

        const _: () = assert!(size_of::<$name>() == $bytes, "no padding, no member missing");
    };
}

structure! {
    /// What the module is.
    Version = "progmp_version", 64 {
        /// Version of the calls.
        uapi: u32,
        /// Version of the block.
        abi: u32,
        /// Of a block, one for each running trigger.
        block_bytes: u32,
        /// Fixed memory of a loaded scheduler.
        scheduler_bytes: u32,
        /// Fixed memory of a connection.
        connection_bytes: u32,
        /// Of each packet of a connection.
        packet_bytes: u32,
        /// Which of [`PROPERTIES`] the kernel gives.
        gives: u32,
        /// 0.
        reserved: u32,
        /// Version of the module, as text.
        module: [u8; 32],
    }
}

structure! {
    /// The scheduler of one socket, or of sockets to come.
    Choice = "progmp_choice", 40 {
        /// The socket.
        fd: i32,
        /// 0.
        reserved: u32,
        /// `default` is the kernel's own.
        name: [u8; NAME_BYTES],
    }
}

structure! {
    /// All registers of a connection.
    Registers = "progmp_registers", 56 {
        /// The socket.
        fd: i32,
        /// Bit i: set R(i+1).
        mask: u32,
        /// R1 to R6.
        reg: [u64; REGISTERS],
    }
}

structure! {
    /// USER of a subflow, or of packets to come.
    User = "progmp_user", 16 {
        /// The socket.
        fd: i32,
        /// ID, or 0 for packets.
        subflow: u32,
        /// The value.
        value: u64,
    }
}

structure! {
    /// What happened.
    Counters = "progmp_counters", 192 {
        /// Triggers.
        triggers: u64,
        /// Executions.
        executions: u64,
        /// Of these, without an effect.
        no_effect: u64,
        /// Pushes carried out.
        pushes: u64,
        /// Their bytes.
        pushed_bytes: u64,
        /// Of these, of packets that had been sent before.
        copies: u64,
        /// Their bytes.
        copied_bytes: u64,
        /// Drops.
        drops: u64,
        /// Packets taken from Q or RQ.
        pops: u64,
        /// Pushes of packets acknowledged meanwhile.
        skipped: u64,
        /// Pushes on subflows that were gone, losses, orphans.
        reinjected: u64,
        /// Triggers that ended at a push that could not go.
        blocked: u64,
        /// Actions that name nothing.
        refused: u64,
        /// What the kernel's last-resort timer sent.
        rescues: u64,
        /// Connections given to the kernel's scheduler for good.
        fallbacks: u64,
        /// Most executions in a row without progress.
        longest_idle: u64,
        /// Groups of pushes under one lock.
        groups: u64,
        /// Time in programs, while it is measured.
        run_ns: u64,
        /// Time in triggers, while it is measured.
        trigger_ns: u64,
        /// Of that, in transmissions.
        send_ns: u64,
        /// 0.
        reserved: [u64; 4],
    }
}

structure! {
    /// One subflow in the statistics of a connection.
    ConnectionSubflow = "progmp_connection_subflow", 16 {
        /// Its ID.
        id: u32,
        /// Pushes on it.
        pushes: u32,
        /// Bytes that the shim transmitted on it.
        bytes: u64,
    }
}

structure! {
    /// Statistics of a connection.
    Connection = "progmp_connection", 792 {
        /// The socket.
        fd: i32,
        /// Index into [`FALLBACKS`].
        fallback: u32,
        /// The scheduler.
        name: [u8; NAME_BYTES],
        /// Of the connection, as in traces.
        number: u64,
        /// Packets in Q.
        q: u64,
        /// Packets in QU.
        qu: u64,
        /// Packets in RQ.
        rq: u64,
        /// Actions not carried out yet.
        pending: u64,
        /// How many of the following are in use.
        subflows: u32,
        /// Room in the packet table.
        records: u32,
        /// What happened.
        counters: Counters,
        /// Its subflows.
        subflow: [ConnectionSubflow; SHOWN],
    }
}

structure! {
    /// A loaded scheduler.
    Loaded = "progmp_scheduler", 288 {
        /// Position in the list, from 0; or a name is given.
        index: u32,
        /// [`UNPROVED`], [`IS_DEFAULT`], [`COMPRESSED`], [`BLIND`].
        flags: u32,
        /// Its name.
        name: [u8; NAME_BYTES],
        /// What its proof covers.
        subflows: u32,
        /// What its proof covers, of each queue.
        packets: u32,
        /// Which of [`PROPERTIES`] it needs.
        needs: u32,
        /// Connections that it serves.
        connections: u32,
        /// Another program has another number.
        number: u64,
        /// SHA-256 of the source.
        source: [u8; 32],
        /// What happened.
        counters: Counters,
    }
}

structure! {
    /// How to trace.
    Tracing = "progmp_tracing", 16 {
        /// Only this connection; -1: all.
        fd: i32,
        /// Most records in a second; 0: no limit.
        per_second: u32,
        /// Size of the ring; 0: the usual.
        kib: u32,
        /// 0.
        reserved: u32,
    }
}

const WRITE: u32 = 1;
const READ: u32 = 2;

/// The number of a call (Linux, `include/uapi/asm-generic/ioctl.h`).
#[allow(
    clippy::cast_possible_truncation,
    reason = "the assertion bounds the size, and constant functions have no other cast"
)]
const fn call<T>(direction: u32, number: u32) -> u32 {
    assert!(size_of::<T>() < 1 << 14, "the size has 14 bits");
    direction << 30 | (size_of::<T>() as u32) << 16 | 0xb7 << 8 | number
}

/// Numbers of the calls.
pub mod calls {
    use super::{Choice, Connection, Loaded, READ, Registers, Tracing, User, Version, WRITE, call};

    /// What the module is.
    pub const VERSION: u32 = call::<Version>(READ, 0);
    /// Chooses the scheduler of a socket.
    pub const CHOOSE: u32 = call::<Choice>(WRITE, 1);
    /// Chooses that of sockets to come.
    pub const DEFAULT: u32 = call::<Choice>(WRITE, 2);
    /// Sets registers.
    pub const SET_REGISTERS: u32 = call::<Registers>(WRITE, 3);
    /// Reads registers.
    pub const GET_REGISTERS: u32 = call::<Registers>(READ | WRITE, 4);
    /// Sets USER.
    pub const SET_USER: u32 = call::<User>(WRITE, 5);
    /// Statistics of a connection.
    pub const CONNECTION: u32 = call::<Connection>(READ | WRITE, 6);
    /// A loaded scheduler.
    pub const SCHEDULER: u32 = call::<Loaded>(READ | WRITE, 7);
    /// The kernel's own scheduler for everybody.
    pub const RESTORE: u32 = call::<u32>(READ, 8);
    /// Starts a trace.
    pub const TRACE: u32 = call::<Tracing>(WRITE, 9);
    /// Measures time, or not.
    pub const TIMING: u32 = call::<u32>(WRITE, 10);
}

/// A name as the calls hold it; `None` if it does not fit, or would not be seen as it is in paths and
/// logs.
pub fn name(text: &str) -> Option<[u8; NAME_BYTES]> {
    let mut name = [0; NAME_BYTES];
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    if text.is_empty() || text.len() >= NAME_BYTES || !text.bytes().all(plain) {
        return None;
    }
    name[..text.len()].copy_from_slice(text.as_bytes());
    Some(name)
}

/// A name of a call as text.
pub fn text(name: &[u8]) -> String {
    let end = name
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(name.len());
    String::from_utf8_lossy(&name[..end]).into_owned()
}
