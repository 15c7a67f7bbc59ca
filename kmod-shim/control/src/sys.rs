//! The door to the kernel: `bpf`, `ioctl`, `poll`, one socket option.
//!
//! In: slices, plain structures, descriptors. Out: owned descriptors, numbers, errors. Structures of
//! `bpf` are those of `include/uapi/linux/bpf.h`; the kernel takes a shorter one as one whose rest is
//! 0. All unsafe code of this crate is here.
#![allow(unsafe_code, reason = "the door to the kernel")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

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
    let call = |result: libc::c_long| {
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        let number = libc::c_int::try_from(result);
        number.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
    };
    // SAFETY: the call takes numbers only.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) };
    let process = owned(call(process)?);
    // SAFETY: the call takes numbers only.
    let shared =
        unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0) };
    call(shared).map(owned)
}

/// `getsockopt(SOL_MPTCP, MPTCP_INFO)`; gives the number of bytes.
pub(crate) fn mptcp_info(socket: &impl AsFd, bytes: &mut [u8]) -> io::Result<usize> {
    const SOL_MPTCP: libc::c_int = 284;
    const MPTCP_INFO: libc::c_int = 1;
    let mut length = libc::socklen_t::try_from(bytes.len())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the kernel writes at most `length` bytes, which is how many `bytes` has.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
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

// Commands of `bpf`.
const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const OBJ_PIN: libc::c_int = 6;
const OBJ_GET: libc::c_int = 7;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BTF_LOAD: libc::c_int = 18;
const BTF_GET_FD_BY_ID: libc::c_int = 19;
const BTF_GET_NEXT_ID: libc::c_int = 23;
const LINK_CREATE: libc::c_int = 28;
const LINK_UPDATE: libc::c_int = 29;

const MAP_TYPE_STRUCT_OPS: u32 = 26;
const PROG_TYPE_STRUCT_OPS: u32 = 27;
/// `BPF_STRUCT_OPS`, how a link is attached.
const ATTACH_STRUCT_OPS: u32 = 44;
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
    attach_btf_obj_fd: u32,
    core_relo_cnt: u32,
    fd_array: u64,
}

#[repr(C)]
#[derive(Default)]
struct Object {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
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

#[repr(C)]
#[derive(Default)]
struct GetId {
    start_id: u32,
    next_id: u32,
    open_flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    map_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct LinkUpdate {
    link_fd: u32,
    new_map_fd: u32,
    flags: u32,
    old_map_fd: u32,
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

fn number(descriptor: &impl AsFd) -> u32 {
    descriptor.as_fd().as_raw_fd().cast_unsigned()
}

/// Calls `bpf(command, attributes)`.
///
/// # Safety
/// Every address in `attributes` leads to memory of the length that stands beside it (or that the
/// command's definition gives it), which the kernel may read, and may write where that definition
/// says so, and which lives until this function returns. `T` is the structure of the command.
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

/// The types of a module that is loaded.
pub(crate) fn module_btf(module: &str) -> io::Result<OwnedFd> {
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
        let Ok(descriptor) = (unsafe { bpf(BTF_GET_FD_BY_ID, &mut get) }) else {
            continue;
        };
        let descriptor = owned(descriptor);
        let mut name = [0_u8; 64];
        let mut info = BtfInfo {
            name: name.as_mut_ptr() as u64,
            name_len: count(name.len())?,
            ..BtfInfo::default()
        };
        let pointer: *mut BtfInfo = &raw mut info;
        let mut attributes = GetInfo {
            bpf_fd: number(&descriptor),
            info_len: count(size_of::<BtfInfo>())?,
            info: pointer as u64,
        };
        // SAFETY: the addresses are those of `info` and `name`, with their own lengths; both may
        // be written. The place for the types is empty.
        let known = unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attributes) };
        if known.is_ok() && info.kernel_btf != 0 && uapi::text(&name) == module {
            return Ok(descriptor);
        }
    }
}

/// Loads types.
pub(crate) fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    let mut attributes = BtfLoad {
        btf: address(btf),
        btf_size: count(btf.len())?,
        ..BtfLoad::default()
    };
    // SAFETY: the one address leads to `btf`, which the kernel only reads.
    unsafe { bpf(BTF_LOAD, &mut attributes) }.map(owned)
}

/// What a load of a program hands to the kernel.
pub(crate) struct Program<'a> {
    pub(crate) name: &'a str,
    pub(crate) code: &'a [u8],
    pub(crate) btf: &'a OwnedFd,
    pub(crate) functions: &'a [u8],
    pub(crate) lines: &'a [u8],
    /// Type of the table of operations, and which of its members this is.
    pub(crate) operations: u32,
    pub(crate) member: u32,
    pub(crate) module: &'a OwnedFd,
}

/// Loads a program of type `STRUCT_OPS`. Calls of kernel functions with the offset 1 go to the
/// module. A log is written only if there is room for one.
pub(crate) fn load_program(program: &Program<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let modules = [-1, program.module.as_raw_fd()];
    let mut attributes = ProgLoad {
        prog_type: PROG_TYPE_STRUCT_OPS,
        insn_cnt: count(program.code.len() / 8)?,
        insns: address(program.code),
        license: address(b"Dual MIT/GPL\0"),
        log_level: if log.is_empty() { 0 } else { 1 | 4 },
        log_size: count(log.len())?,
        log_buf: address(log),
        prog_name: kernel_name(program.name),
        expected_attach_type: program.member,
        prog_btf_fd: number(program.btf),
        func_info_rec_size: 8,
        func_info: address(program.functions),
        func_info_cnt: count(program.functions.len() / 8)?,
        line_info_rec_size: 16,
        line_info: address(program.lines),
        line_info_cnt: count(program.lines.len() / 16)?,
        attach_btf_id: program.operations,
        attach_btf_obj_fd: number(program.module),
        fd_array: address(&modules),
        ..ProgLoad::default()
    };
    // SAFETY: the addresses lead to slices that live until the end of this function, with their
    // own lengths; `modules` is as long as the offsets of calls reach. The kernel writes to the log
    // alone, which is borrowed mutably.
    unsafe { bpf(PROG_LOAD, &mut attributes) }.map(owned)
}

/// A name as the kernel takes it: letters, digits, `_` and `.`.
fn kernel_name(name: &str) -> [u8; 16] {
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

/// Makes a table of operations of a module's type, filled with `value`.
pub(crate) fn operations(
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
    let map = owned(unsafe { bpf(MAP_CREATE, &mut attributes) }?);
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

/// Registers a table of operations.
pub(crate) fn link(map: &OwnedFd) -> io::Result<OwnedFd> {
    let mut attributes = LinkCreate {
        map_fd: number(map),
        attach_type: ATTACH_STRUCT_OPS,
        ..LinkCreate::default()
    };
    // SAFETY: the structure holds no address.
    unsafe { bpf(LINK_CREATE, &mut attributes) }.map(owned)
}

/// Puts another table in the place of the one that a link registers.
pub(crate) fn update(link: &OwnedFd, map: &OwnedFd) -> io::Result<()> {
    let mut attributes = LinkUpdate {
        link_fd: number(link),
        new_map_fd: number(map),
        ..LinkUpdate::default()
    };
    // SAFETY: the structure holds no address.
    unsafe { bpf(LINK_UPDATE, &mut attributes) }.map(|_| ())
}

fn path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// Pins a link.
pub(crate) fn pin(link: &OwnedFd, at: &Path) -> io::Result<()> {
    let at = path(at)?;
    let mut attributes = Object {
        pathname: at.as_ptr() as u64,
        bpf_fd: number(link),
        file_flags: 0,
    };
    // SAFETY: the address leads to a string with its end, which the kernel only reads.
    unsafe { bpf(OBJ_PIN, &mut attributes) }.map(|_| ())
}

/// Opens what is pinned.
pub(crate) fn open_pin(at: &Path) -> io::Result<OwnedFd> {
    let at = path(at)?;
    let mut attributes = Object {
        pathname: at.as_ptr() as u64,
        ..Object::default()
    };
    // SAFETY: as in `pin`.
    unsafe { bpf(OBJ_GET, &mut attributes) }.map(owned)
}
