//! The door to the kernel: the `bpf` system call and the memory of a map, nothing else.
//!
//! In: slices and numbers. Out: owned descriptors, numbers, errors. Structures are those of
//! `include/uapi/linux/bpf.h`; the kernel takes a shorter structure as one whose rest is 0, so each
//! ends where we stop. All unsafe code of this crate is here.
#![allow(unsafe_code, reason = "the door to the kernel")]

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;

// Commands of the system call.
const MAP_CREATE: libc::c_int = 0;
const PROG_LOAD: libc::c_int = 5;
const PROG_TEST_RUN: libc::c_int = 10;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BTF_LOAD: libc::c_int = 18;

const MAP_TYPE_ARRAY: u32 = 2;
/// The value can be mapped into user space.
const F_MMAPABLE: u32 = 1 << 10;

/// `BPF_PROG_TYPE_SCHED_CLS`
pub(super) const SCHED_CLS: u32 = 3;
/// `BPF_PROG_TYPE_SYSCALL`
pub(super) const SYSCALL: u32 = 31;
/// Flag of programs that may sleep; those of type `SYSCALL` must have it.
pub(super) const F_SLEEPABLE: u32 = 1 << 4;

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
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
}

#[repr(C)]
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
}

#[repr(C)]
#[derive(Default)]
struct GetInfo {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

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

/// `struct bpf_prog_info` up to `verified_insns`.
#[repr(C)]
#[derive(Default)]
pub(super) struct ProgInfo {
    prog_type: u32,
    id: u32,
    tag: [u8; 8],
    /// Bytes of machine code; 0 without a JIT.
    pub(super) jited_prog_len: u32,
    /// Bytes of the program as the kernel has rewritten it.
    pub(super) xlated_prog_len: u32,
    jited_prog_insns: u64,
    xlated_prog_insns: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; 16],
    ifindex: u32,
    gpl_compatible: u32,
    netns_dev: u64,
    netns_ino: u64,
    nr_jited_ksyms: u32,
    nr_jited_func_lens: u32,
    jited_ksyms: u64,
    jited_func_lens: u64,
    btf_id: u32,
    func_info_rec_size: u32,
    func_info: u64,
    nr_func_info: u32,
    nr_line_info: u32,
    line_info: u64,
    jited_line_info: u64,
    nr_jited_line_info: u32,
    line_info_rec_size: u32,
    jited_line_info_rec_size: u32,
    nr_prog_tags: u32,
    prog_tags: u64,
    run_time_ns: u64,
    run_cnt: u64,
    recursion_misses: u64,
    /// Instructions that the kernel's verifier walked.
    pub(super) verified_insns: u32,
    attach_btf_obj_id: u32,
    attach_btf_id: u32,
    padding: u32,
}

/// The address of a slice for the kernel; 0 for an empty one.
fn address<T>(slice: &[T]) -> u64 {
    if slice.is_empty() {
        0
    } else {
        slice.as_ptr() as u64
    }
}

fn count(number: usize) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// Calls `bpf(command, attributes)`.
///
/// # Safety
/// Every address in `attributes` leads to memory of the length that stands beside it, which the
/// kernel may read, and may write where the command's definition says so, and which lives until
/// this function returns. `T` is the structure of the command.
unsafe fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_int> {
    let pointer: *mut T = attributes;
    // SAFETY: the pointer and the size are those of a live structure; the caller answers for
    // what it points to.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, size_of::<T>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    libc::c_int::try_from(result).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// Owns a descriptor that the kernel has just made.
fn owned(descriptor: libc::c_int) -> OwnedFd {
    // SAFETY: the commands that end here return a new descriptor that nobody else knows.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// A descriptor as the kernel's structures hold it.
fn number(descriptor: &OwnedFd) -> u32 {
    descriptor.as_raw_fd().cast_unsigned()
}

/// An array map of one value that user space sees too.
pub(super) struct ValueMap {
    descriptor: OwnedFd,
    memory: NonNull<c_void>,
    bytes: usize,
}

impl ValueMap {
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        let mut attributes = MapCreate {
            map_type: MAP_TYPE_ARRAY,
            key_size: 4,
            value_size: count(bytes)?,
            max_entries: 1,
            map_flags: F_MMAPABLE,
            ..MapCreate::default()
        };
        attributes.map_name[..5].copy_from_slice(b"block");
        // SAFETY: the structure holds no address.
        let descriptor = owned(unsafe { bpf(MAP_CREATE, &mut attributes) }?);
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

    pub(super) fn descriptor(&self) -> i32 {
        self.descriptor.as_raw_fd()
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes
    }

    /// Copies into the value; the lengths are equal.
    pub(super) fn write(&mut self, from: &[u8]) {
        assert_eq!(from.len(), self.bytes, "the block fills the map");
        // SAFETY: the mapping has `bytes` bytes and lives as long as `self`. Programs that share it
        // run only within calls that borrow `self` mutably, so nobody writes meanwhile.
        unsafe {
            std::ptr::copy_nonoverlapping(from.as_ptr(), self.memory.as_ptr().cast(), self.bytes);
        }
    }

    /// Copies out of the value; the lengths are equal.
    pub(super) fn read(&self, into: &mut [u8]) {
        assert_eq!(into.len(), self.bytes, "the block fills the map");
        // SAFETY: as in `write`.
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

/// Loads type information.
pub(super) fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    let mut attributes = BtfLoad {
        btf: address(btf),
        btf_size: count(btf.len())?,
        ..BtfLoad::default()
    };
    // SAFETY: the one address leads to `btf`, which the kernel only reads.
    unsafe { bpf(BTF_LOAD, &mut attributes) }.map(owned)
}

/// What a load hands to the kernel.
pub(super) struct Load<'a> {
    pub(super) kind: u32,
    pub(super) flags: u32,
    pub(super) code: &'a [u8],
    pub(super) btf: Option<&'a OwnedFd>,
    pub(super) functions: &'a [u8],
    pub(super) lines: &'a [u8],
}

/// Bytes of a `struct bpf_func_info` and of a `struct bpf_line_info`.
const FUNC_INFO_BYTES: u32 = 8;
const LINE_INFO_BYTES: u32 = 16;

/// Loads a program. A log is written only if there is room for one.
pub(super) fn load(load: &Load<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let mut attributes = ProgLoad {
        prog_type: load.kind,
        insn_cnt: count(load.code.len() / 8)?,
        insns: address(load.code),
        license: address(b"Dual MIT/GPL\0"),
        // Steps and statistics.
        log_level: if log.is_empty() { 0 } else { 1 | 4 },
        log_size: count(log.len())?,
        log_buf: address(log),
        prog_flags: load.flags,
        ..ProgLoad::default()
    };
    attributes.prog_name[..6].copy_from_slice(b"progmp");
    if let Some(btf) = load.btf {
        attributes.prog_btf_fd = number(btf);
        attributes.func_info_rec_size = FUNC_INFO_BYTES;
        attributes.func_info = address(load.functions);
        attributes.func_info_cnt = count(load.functions.len())? / FUNC_INFO_BYTES;
        attributes.line_info_rec_size = LINE_INFO_BYTES;
        attributes.line_info = address(load.lines);
        attributes.line_info_cnt = count(load.lines.len())? / LINE_INFO_BYTES;
    }
    // SAFETY: the addresses lead to slices that live until the end of this function, with their
    // own lengths. The kernel writes to the log alone, which is borrowed mutably.
    unsafe { bpf(PROG_LOAD, &mut attributes) }.map(owned)
}

/// What `bpf_prog_info` tells.
pub(super) fn info(program: &OwnedFd) -> io::Result<ProgInfo> {
    let mut info = ProgInfo::default();
    let pointer: *mut ProgInfo = &raw mut info;
    let mut attributes = GetInfo {
        bpf_fd: number(program),
        info_len: count(size_of::<ProgInfo>())?,
        info: pointer as u64,
    };
    // SAFETY: the address is that of `info`, with its own length. Its lists are empty: their
    // addresses and counts are 0.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attributes) }?;
    Ok(info)
}

/// Runs a program once or more often; gives the result of the last run and, of type `SCHED_CLS`,
/// the mean time of one in ns.
pub(super) fn test_run(
    program: &OwnedFd,
    data: &[u8],
    context: &mut [u8],
    repeat: u32,
) -> io::Result<(u32, u32)> {
    let mut attributes = TestRun {
        prog_fd: number(program),
        data_size_in: count(data.len())?,
        data_in: address(data),
        repeat,
        ctx_size_in: count(context.len())?,
        ctx_in: address(context),
        ..TestRun::default()
    };
    // SAFETY: the addresses lead to `data`, which the kernel reads, and to `context`, which it
    // reads and writes; both are borrowed until the end of this function.
    unsafe { bpf(PROG_TEST_RUN, &mut attributes) }?;
    Ok((attributes.retval, attributes.duration))
}
