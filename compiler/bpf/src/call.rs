//! The call itself, and what the structures of its commands are filled with.
//!
//! In: the number of a command and its structure. Out: a number or a new descriptor. Each command
//! answers for the addresses in its own structure.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Calls `bpf(command, attributes)`.
///
/// # Safety
/// Every address in `attributes` leads to memory of the length that stands beside it (or that the
/// command's definition gives it), which the kernel may read, and may write where that definition
/// says so, and which lives until this function returns. `T` is the structure of the command and
/// has no padding.
pub(crate) unsafe fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_int> {
    let pointer: *mut T = attributes;
    // SAFETY: the pointer and the size are those of a live structure; the caller answers for
    // what it points to.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, size_of::<T>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    libc::c_int::try_from(result).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// Calls `bpf(command, attributes)` and owns the descriptor that it gives.
///
/// # Safety
/// As for [`bpf`]; and the command is one of those that give a new descriptor.
pub(crate) unsafe fn create<T>(command: libc::c_int, attributes: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: the caller answers for the structure.
    let descriptor = unsafe { bpf(command, attributes) }?;
    // SAFETY: the kernel has just made this descriptor, so nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Whether the kernel says that a capability is missing.
pub fn lacks_privilege(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EPERM)
}

/// The address of a slice that the kernel reads; 0 for an empty one.
pub(crate) fn address<T>(slice: &[T]) -> u64 {
    if slice.is_empty() {
        0
    } else {
        slice.as_ptr() as u64
    }
}

/// The address of a slice that the kernel writes to; 0 for an empty one.
pub(crate) fn address_mut<T>(slice: &mut [T]) -> u64 {
    if slice.is_empty() {
        0
    } else {
        slice.as_mut_ptr() as u64
    }
}

/// A length as the kernel's structures hold it.
pub(crate) fn count(number: usize) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// A descriptor as the kernel's structures hold it.
pub(crate) fn number(descriptor: &OwnedFd) -> u32 {
    descriptor.as_raw_fd().cast_unsigned()
}

/// A name as the kernel takes it: at most 15 letters, digits, `_` and `.`; anything else becomes `_`.
pub(crate) fn kernel_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    let plain = |byte: u8| {
        let known = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        if known { byte } else { b'_' }
    };
    for (to, from) in bytes.iter_mut().take(15).zip(name.bytes()) {
        *to = plain(from);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_slice_has_no_address() {
        assert_eq!(address::<u8>(&[]), 0);
        assert_eq!(address_mut::<u8>(&mut []), 0);
        assert_ne!(address(&[0_u8]), 0);
        assert_ne!(address_mut(&mut [0_u8]), 0);
    }

    #[test]
    fn a_name_is_cut_and_cleaned() {
        assert_eq!(&kernel_name("min_rtt.2"), b"min_rtt.2\0\0\0\0\0\0\0");
        assert_eq!(&kernel_name("a-b c/d"), b"a_b_c_d\0\0\0\0\0\0\0\0\0");
        assert_eq!(&kernel_name("sixteen_letters_"), b"sixteen_letters\0");
    }

    #[test]
    fn an_unknown_command_is_an_error_of_the_kernel() {
        // SAFETY: no command has this number, so the kernel looks at no more than the bytes.
        let answer = unsafe { bpf(libc::c_int::MAX, &mut [0_u64; 2]) };
        let error = answer.expect_err("there is no such command");
        let number = error.raw_os_error();
        assert!(
            lacks_privilege(&error) || number == Some(libc::EINVAL),
            "{error}"
        );
    }
}
