//! The door to the kernel: `ioctl`, `poll`, descriptors of other processes, one socket option.
//!
//! In: slices, plain structures, descriptors. Out: owned descriptors, numbers, errors. All unsafe
//! code of this crate is here; `bpf` has a door of its own, `compiler/bpf`.
#![allow(unsafe_code, reason = "the door to the kernel")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::uapi;

/// A structure without padding, of which every bit pattern is a value.
pub(crate) trait Plain: Copy {}
impl Plain for u32 {}
impl Plain for uapi::Version {}
impl Plain for uapi::Choice {}
impl Plain for uapi::Registers {}
impl Plain for uapi::User {}
impl Plain for uapi::Connection {}
impl Plain for uapi::Loaded {}
impl Plain for uapi::Tracing {}

/// Calls a device. The number of the call must be made of the size of `T` (see `uapi::calls`).
pub(crate) fn ioctl<T: Plain>(device: &impl AsFd, number: u32, argument: &mut T) -> io::Result<()> {
    let size = (number >> 16 & 0x3fff) as usize;
    assert_eq!(size, size_of::<T>(), "the call has this argument");
    let pointer: *mut T = argument;
    let device = device.as_fd().as_raw_fd();
    // SAFETY: the kernel reads and writes at most as many bytes as the number of the call says,
    // which is the size of what the pointer leads to; any bytes are a value of it.
    let result = unsafe { libc::ioctl(device, libc::Ioctl::from(number), pointer) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Waits until there is something to read, at most so long.
pub(crate) fn readable(file: &impl AsFd, timeout_ms: i32) -> io::Result<bool> {
    let mut entry = libc::pollfd {
        fd: file.as_fd().as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: the pointer leads to one live structure, and one is what the count says.
    let result = unsafe { libc::poll(&raw mut entry, 1, timeout_ms) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result > 0)
}

/// Shares a descriptor of another process.
pub(crate) fn borrow(process: i32, descriptor: i32) -> io::Result<OwnedFd> {
    let owned = |result: libc::c_long| {
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        let number = libc::c_int::try_from(result)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        // SAFETY: both calls below return a new descriptor that nobody else knows.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    };
    // SAFETY: the call takes numbers only.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) };
    let process = owned(process)?;
    // SAFETY: the call takes numbers only.
    let shared =
        unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0) };
    owned(shared)
}

/// `getsockopt(SOL_MPTCP, MPTCP_INFO)`; gives the number of bytes.
pub(crate) fn mptcp_info(socket: RawFd, bytes: &mut [u8]) -> io::Result<usize> {
    const SOL_MPTCP: libc::c_int = 284;
    const MPTCP_INFO: libc::c_int = 1;
    let mut length = libc::socklen_t::try_from(bytes.len())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the kernel writes at most `length` bytes, which is how many `bytes` has.
    let result = unsafe {
        libc::getsockopt(
            socket,
            SOL_MPTCP,
            MPTCP_INFO,
            bytes.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(length as usize)
}
