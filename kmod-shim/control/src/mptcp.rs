//! What the kernel itself says of an MPTCP socket, with or without the shim.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use crate::sys;

/// `struct mptcp_info` (Linux, `include/uapi/linux/mptcp.h`) as far as it is used here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Subflows beside the first.
    pub subflows: u8,
    /// Whether it is plain TCP by now.
    pub fallback: bool,
    /// Bytes written.
    pub write_seq: u64,
    /// What the peer has acknowledged.
    pub snd_una: u64,
}

const FALLBACK: u32 = 1 << 0;

/// Asks a socket.
///
/// # Errors
/// It is no MPTCP socket: the system's answer.
///
/// # Panics
/// Never: slices have their own lengths.
pub fn info(socket: BorrowedFd<'_>) -> io::Result<Info> {
    info_of(socket.as_raw_fd())
}

/// Whether a socket that was an MPTCP one is plain TCP by now. Once it is, the kernel passes options on
/// to the TCP socket below, which knows none of MPTCP.
pub(crate) fn is_tcp(socket: RawFd) -> bool {
    match info_of(socket) {
        Ok(info) => info.fallback,
        Err(error) => matches!(
            error.raw_os_error(),
            Some(libc::EOPNOTSUPP | libc::ENOPROTOOPT)
        ),
    }
}

/// The same of a descriptor by its number, as the calls of the device have it.
fn info_of(socket: RawFd) -> io::Result<Info> {
    let mut bytes = [0; 128];
    let length = sys::mptcp_info(socket, &mut bytes)?;
    if length < 40 {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let flags = u32::from_le_bytes(bytes[8..12].try_into().expect("4 bytes"));
    Ok(Info {
        subflows: bytes[0],
        fallback: flags & FALLBACK != 0,
        write_seq: u64_at(16),
        snd_una: u64_at(24),
    })
}
