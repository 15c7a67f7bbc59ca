//! Types: those of a program go in, those of a module are found.
//!
//! In: bytes of the BPF Type Format, or the name of a module. Out: a descriptor. What the bytes say
//! is for others to read.

use std::io;
use std::os::fd::OwnedFd;

use crate::call::{address, bpf, count, create, number};

const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BTF_LOAD: libc::c_int = 18;
const BTF_GET_FD_BY_ID: libc::c_int = 19;
const BTF_GET_NEXT_ID: libc::c_int = 23;

#[repr(C)]
#[derive(Default)]
struct BtfLoad {
    btf: u64,
    btf_log_buf: u64,
    btf_size: u32,
    btf_log_size: u32,
    btf_log_level: u32,
    reserved: u32,
}

#[repr(C)]
#[derive(Default)]
struct GetId {
    start_id: u32,
    next_id: u32,
    open_flags: u32,
}

/// Asks for what the kernel tells of an object.
#[repr(C)]
#[derive(Default)]
struct GetInfo {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// `struct bpf_btf_info`
#[repr(C)]
#[derive(Default)]
struct BtfInfo {
    btf: u64,
    btf_size: u32,
    id: u32,
    name: u64,
    name_len: u32,
    kernel_btf: u32,
}

/// Fills `info` with what the kernel tells of an object.
///
/// # Safety
/// `T` is the structure that the kernel has for objects of this kind, any bytes are a value of it,
/// and the addresses in it lead to memory as for [`bpf`].
pub(crate) unsafe fn object_info<T>(object: &OwnedFd, info: &mut T) -> io::Result<()> {
    let pointer: *mut T = info;
    let mut attributes = GetInfo {
        bpf_fd: number(object),
        info_len: count(size_of::<T>())?,
        info: pointer as u64,
    };
    // SAFETY: the address is that of `info`, with its own length, which may be written; the caller
    // answers for the addresses in it.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attributes) }.map(|_| ())
}

/// Loads types.
///
/// # Errors
/// A lack of privilege, or that the kernel does not take them.
pub fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    let mut attributes = BtfLoad {
        btf: address(btf),
        btf_size: count(btf.len())?,
        ..BtfLoad::default()
    };
    // SAFETY: the one address leads to `btf`, which the kernel only reads.
    unsafe { create(BTF_LOAD, &mut attributes) }
}

/// The types of a module that is loaded; those of the kernel itself are named `vmlinux`.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] when no module of this name is there, or a lack of privilege.
pub fn module_btf(module: &str) -> io::Result<OwnedFd> {
    let mut start = 0;
    loop {
        let mut next = GetId {
            start_id: start,
            ..GetId::default()
        };
        // SAFETY: the structure holds no address.
        unsafe { bpf(BTF_GET_NEXT_ID, &mut next) }?;
        start = next.next_id;
        let mut get = GetId {
            start_id: start,
            ..GetId::default()
        };
        // SAFETY: the structure holds no address.
        let Ok(descriptor) = (unsafe { create(BTF_GET_FD_BY_ID, &mut get) }) else {
            continue;
        };
        let mut name = [0_u8; 64];
        let mut info = BtfInfo {
            name: name.as_mut_ptr() as u64,
            name_len: count(name.len())?,
            ..BtfInfo::default()
        };
        // SAFETY: the address in `info` is that of `name`, with its own length, which may be
        // written. The place for the types is empty.
        let known = unsafe { object_info(&descriptor, &mut info) };
        let name = name.split(|&byte| byte == 0).next();
        if known.is_ok() && info.kernel_btf != 0 && name == Some(module.as_bytes()) {
            return Ok(descriptor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_kernels_and_no_padding() {
        assert_eq!(size_of::<BtfLoad>(), 2 * 8 + 4 * 4);
        assert_eq!(size_of::<GetId>(), 3 * 4);
        assert_eq!(size_of::<GetInfo>(), 2 * 4 + 8);
        assert_eq!(size_of::<BtfInfo>(), 2 * 8 + 4 * 4);
    }
}
