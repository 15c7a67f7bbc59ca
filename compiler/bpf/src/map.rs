//! Maps: a value that both sides see, and a table of operations.
//!
//! In: sizes and bytes. Out: a map that is mapped into memory, or the descriptor of a table, which
//! [`link`](crate::link()) registers.

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;

use crate::call::{address, bpf, count, create, kernel_name, number};

const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;

const MAP_TYPE_ARRAY: u32 = 2;
const MAP_TYPE_STRUCT_OPS: u32 = 26;
/// `BPF_F_MMAPABLE`: the value can be mapped into user space.
const F_MMAPABLE: u32 = 1 << 10;
/// `BPF_F_LINK`: the map is registered by its link.
const F_LINK: u32 = 1 << 13;
/// `BPF_F_VTYPE_BTF_OBJ_FD`: the value's type is one of a module.
const F_VALUE_TYPE_OF_MODULE: u32 = 1 << 15;

#[repr(C)]
#[derive(Default)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
    map_ifindex: u32,
    btf_fd: u32,
    btf_key_type_id: u32,
    btf_value_type_id: u32,
    btf_vmlinux_value_type_id: u32,
    map_extra: u64,
    value_type_btf_obj_fd: i32,
    map_token_fd: i32,
}

#[repr(C)]
#[derive(Default)]
struct MapUpdate {
    map_fd: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// An array map of one value that user space sees too.
///
/// Programs that share the value are to run only while nobody reads or writes it here, as
/// [`test_run`](crate::test_run) does; otherwise bytes from before and after are mixed.
#[derive(Debug)]
pub struct ValueMap {
    descriptor: OwnedFd,
    memory: NonNull<c_void>,
    bytes: usize,
}

impl ValueMap {
    /// Makes a map whose value has so many bytes, all 0.
    ///
    /// # Errors
    /// A lack of privilege or of memory, or a size that no map has: 0, or more than 32 bits count.
    pub fn new(name: &str, bytes: usize) -> io::Result<Self> {
        let mut attributes = MapCreate {
            map_type: MAP_TYPE_ARRAY,
            key_size: 4,
            value_size: count(bytes)?,
            max_entries: 1,
            map_flags: F_MMAPABLE,
            map_name: kernel_name(name),
            ..MapCreate::default()
        };
        // SAFETY: the structure holds no address.
        let descriptor = unsafe { create(MAP_CREATE, &mut attributes) }?;
        // SAFETY: a fresh mapping at an address of the kernel's choice overlaps nothing of ours.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                descriptor.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory).ok_or_else(io::Error::last_os_error)?;
        Ok(Self {
            descriptor,
            memory,
            bytes,
        })
    }

    /// The descriptor, as a program's bytecode names the map.
    pub fn descriptor(&self) -> i32 {
        self.descriptor.as_raw_fd()
    }

    /// Bytes of the value; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "no value is empty")]
    pub const fn len(&self) -> usize {
        self.bytes
    }

    /// Copies into the value.
    ///
    /// # Panics
    /// The lengths differ.
    pub fn write(&mut self, from: &[u8]) {
        assert_eq!(from.len(), self.bytes, "the block fills the map");
        // SAFETY: the mapping has `bytes` bytes and lives as long as `self`, and `from` lies outside
        // of it, as no slice of it is ever made. A program that ran meanwhile, which the type asks
        // its user not to let happen, would leave other bytes, and any bytes are a value.
        unsafe {
            std::ptr::copy_nonoverlapping(from.as_ptr(), self.memory.as_ptr().cast(), self.bytes);
        }
    }

    /// Copies out of the value.
    ///
    /// # Panics
    /// The lengths differ.
    pub fn read(&self, into: &mut [u8]) {
        assert_eq!(into.len(), self.bytes, "the block fills the map");
        // SAFETY: as in `write`, the other way round.
        unsafe {
            std::ptr::copy_nonoverlapping(
                self.memory.as_ptr().cast(),
                into.as_mut_ptr(),
                self.bytes,
            );
        }
    }
}

impl Drop for ValueMap {
    fn drop(&mut self) {
        // SAFETY: address and length are those of the mapping; nobody borrows from it.
        // An error would leave it mapped, which harms nobody.
        let _ = unsafe { libc::munmap(self.memory.as_ptr(), self.bytes) };
    }
}

/// Makes a table of operations of a module's type, filled with `value`.
///
/// `value_type` is the number of the value's type among those of the module; `btf` are the types of
/// the programs in the table.
///
/// # Errors
/// A lack of privilege, or why the kernel or the module does not take the value.
pub fn operations(
    name: &str,
    value: &[u8],
    value_type: u32,
    btf: &OwnedFd,
    module: &OwnedFd,
) -> io::Result<OwnedFd> {
    let mut attributes = MapCreate {
        map_type: MAP_TYPE_STRUCT_OPS,
        key_size: 4,
        value_size: count(value.len())?,
        max_entries: 1,
        map_flags: F_LINK | F_VALUE_TYPE_OF_MODULE,
        map_name: kernel_name(name),
        btf_fd: number(btf),
        btf_vmlinux_value_type_id: value_type,
        value_type_btf_obj_fd: module.as_raw_fd(),
        ..MapCreate::default()
    };
    // SAFETY: the structure holds no address.
    let map = unsafe { create(MAP_CREATE, &mut attributes) }?;
    let key = [0_u8; 4];
    let mut update = MapUpdate {
        map_fd: number(&map),
        key: address(&key),
        value: address(value),
        ..MapUpdate::default()
    };
    // SAFETY: the addresses lead to a key and a value of the sizes that the map was made with,
    // which the kernel only reads.
    unsafe { bpf(MAP_UPDATE_ELEM, &mut update) }?;
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_kernels_and_no_padding() {
        assert_eq!(size_of::<MapCreate>(), 12 * 4 + 16 + 8 + 2 * 4);
        assert_eq!(size_of::<MapUpdate>(), 2 * 4 + 3 * 8);
    }

    #[test]
    fn a_size_of_more_than_32_bits_is_refused_before_the_kernel_is_asked() {
        let error = ValueMap::new("block", 1 << 32).expect_err("no map is as big");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.raw_os_error(), None);
    }
}
