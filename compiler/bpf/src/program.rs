//! Programs: they are loaded, described, and run for a test.
//!
//! In: bytecode with its types. Out: a descriptor, the verifier's log, what the kernel counts, the
//! result of a run.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::btf::object_info;
use crate::call::{address, address_mut, bpf, count, create, kernel_name, number};

const PROG_LOAD: libc::c_int = 5;
const PROG_TEST_RUN: libc::c_int = 10;

const PROG_TYPE_SCHED_CLS: u32 = 3;
const PROG_TYPE_STRUCT_OPS: u32 = 27;
const PROG_TYPE_SYSCALL: u32 = 31;
/// `BPF_F_SLEEPABLE`: the program may sleep; those of type `SYSCALL` must have it.
const F_SLEEPABLE: u32 = 1 << 4;

const LICENSE: &[u8] = b"Dual MIT/GPL\0";
/// A log of every step (1), and statistics (4).
const LOG_LEVEL: u32 = 1 | 4;
/// Bytes of a slot of bytecode, of a `struct bpf_func_info` and of a `struct bpf_line_info`.
const SLOT_BYTES: usize = 8;
const FUNC_INFO_BYTES: u32 = 8;
const LINE_INFO_BYTES: u32 = 16;

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

/// `struct bpf_prog_info` up to `verified_insns`.
#[repr(C)]
#[derive(Default)]
struct ProgInfo {
    prog_type: u32,
    id: u32,
    tag: [u8; 8],
    jited_prog_len: u32,
    xlated_prog_len: u32,
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
    verified_insns: u32,
    attach_btf_obj_id: u32,
    attach_btf_id: u32,
    padding: u32,
}

/// As what a program is loaded.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// Type `SYSCALL`, which may sleep.
    Syscall,
    /// Type `SCHED_CLS`.
    Classifier,
    /// Type `STRUCT_OPS`.
    Operation(Operation<'a>),
}

/// A member of a module's table of operations.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// Number of the table's type among those of the module.
    pub table: u32,
    /// Which of its members this is, from 0.
    pub member: u32,
    /// The types of the module. Calls of kernel functions with the offset 1 go to it.
    pub module: &'a OwnedFd,
}

/// The types of a program, and where it has them.
#[derive(Clone, Copy, Debug)]
pub struct Types<'a> {
    /// What [`load_btf`](crate::load_btf) gave.
    pub btf: &'a OwnedFd,
    /// `struct bpf_func_info` records.
    pub functions: &'a [u8],
    /// `struct bpf_line_info` records.
    pub lines: &'a [u8],
}

/// What a load hands to the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// The name under which the kernel lists it; cut after 15 bytes.
    pub name: &'a str,
    /// As what it is loaded.
    pub kind: Kind<'a>,
    /// Bytecode.
    pub code: &'a [u8],
    /// Its types.
    pub types: Option<Types<'a>>,
}

/// Loads a program. A log is written only if there is room for one; it ends with a 0.
///
/// # Errors
/// A lack of privilege, the verifier's refusal, [`io::ErrorKind::InvalidInput`] for an
/// [`Operation`] that names a descriptor by another index than 0 and 1.
pub fn load(program: &Program<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let mut attributes = ProgLoad {
        insn_cnt: count(program.code.len() / SLOT_BYTES)?,
        insns: address(program.code),
        license: address(LICENSE),
        log_level: if log.is_empty() { 0 } else { LOG_LEVEL },
        log_size: count(log.len())?,
        log_buf: address_mut(log),
        prog_name: kernel_name(program.name),
        ..ProgLoad::default()
    };
    // The kernel takes the place of index 0 for no module.
    let mut descriptors = [-1; 2];
    match program.kind {
        Kind::Syscall => {
            attributes.prog_type = PROG_TYPE_SYSCALL;
            attributes.prog_flags = F_SLEEPABLE;
        }
        Kind::Classifier => attributes.prog_type = PROG_TYPE_SCHED_CLS,
        Kind::Operation(operation) => {
            if !indices_are_below(program.code, descriptors.len()) {
                return Err(io::Error::from(io::ErrorKind::InvalidInput));
            }
            descriptors[1] = operation.module.as_raw_fd();
            attributes.prog_type = PROG_TYPE_STRUCT_OPS;
            attributes.expected_attach_type = operation.member;
            attributes.attach_btf_id = operation.table;
            attributes.attach_btf_obj_fd = number(operation.module);
            attributes.fd_array = address(&descriptors);
        }
    }
    if let Some(types) = program.types {
        attributes.prog_btf_fd = number(types.btf);
        attributes.func_info_rec_size = FUNC_INFO_BYTES;
        attributes.func_info = address(types.functions);
        attributes.func_info_cnt = count(types.functions.len())? / FUNC_INFO_BYTES;
        attributes.line_info_rec_size = LINE_INFO_BYTES;
        attributes.line_info = address(types.lines);
        attributes.line_info_cnt = count(types.lines.len())? / LINE_INFO_BYTES;
    }
    // SAFETY: the addresses lead to slices that live until the end of this function, with their
    // own lengths; `descriptors` is as long as the indices in the code reach, and without it the
    // kernel follows none. It writes to the log alone, which is borrowed mutably.
    unsafe { create(PROG_LOAD, &mut attributes) }
}

/// Whether every slot that names a descriptor by its index names one below `length`.
///
/// These are calls of kernel functions, by their offset, and constants of a map, by their
/// immediate. The second slot of a constant is looked at too, as the kernel may do so before it
/// finds out what it is; in a program that it takes, this slot is neither.
fn indices_are_below(code: &[u8], length: usize) -> bool {
    const CALL: u8 = 0x85;
    const KERNEL_FUNCTION: u8 = 2;
    const CONSTANT: u8 = 0x18;
    const MAP_BY_INDEX: u8 = 5;
    const VALUE_OF_MAP_BY_INDEX: u8 = 6;
    let is_below = |slot: &[u8]| {
        let index = match (slot[0], slot[1] >> 4) {
            (CALL, KERNEL_FUNCTION) => i16::from_le_bytes([slot[2], slot[3]]).into(),
            (CONSTANT, MAP_BY_INDEX | VALUE_OF_MAP_BY_INDEX) => {
                i32::from_le_bytes([slot[4], slot[5], slot[6], slot[7]])
            }
            _ => return true,
        };
        usize::try_from(index).is_ok_and(|index| index < length)
    };
    code.chunks_exact(SLOT_BYTES).all(is_below)
}

/// What the kernel counts of a loaded program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Instructions that the kernel's verifier walked (0 before Linux 5.16).
    pub walked: u32,
    /// Bytes of the program as the kernel has rewritten it.
    pub translated_bytes: u32,
    /// Bytes of machine code; 0 without a JIT.
    pub jited_bytes: u32,
}

/// What the kernel tells of a program.
///
/// # Errors
/// The kernel's answer.
pub fn info(program: &OwnedFd) -> io::Result<Statistics> {
    let mut info = ProgInfo::default();
    // SAFETY: the structure is that of programs, of numbers only. Its lists are empty: their
    // addresses and counts are 0.
    unsafe { object_info(program, &mut info) }?;
    Ok(Statistics {
        walked: info.verified_insns,
        translated_bytes: info.xlated_prog_len,
        jited_bytes: info.jited_prog_len,
    })
}

/// What test runs gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Result of the last one.
    pub result: u32,
    /// Mean time of one, ns; only [`Kind::Classifier`] is measured.
    pub mean_ns: u32,
}

/// Runs a program on a frame or a context: once, or `repeat` times with [`Kind::Classifier`].
///
/// # Errors
/// Programs of this type are not run so, or not on this.
pub fn test_run(
    program: &OwnedFd,
    data: &[u8],
    context: &mut [u8],
    repeat: u32,
) -> io::Result<Run> {
    let mut attributes = TestRun {
        prog_fd: number(program),
        data_size_in: count(data.len())?,
        data_in: address(data),
        repeat,
        ctx_size_in: count(context.len())?,
        ctx_in: address_mut(context),
        ..TestRun::default()
    };
    // SAFETY: the addresses lead to `data`, which the kernel reads, and to `context`, which it
    // reads and writes; both are borrowed until the end of this function.
    unsafe { bpf(PROG_TEST_RUN, &mut attributes) }?;
    Ok(Run {
        result: attributes.retval,
        mean_ns: attributes.duration,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_kernels_and_no_padding() {
        assert_eq!(size_of::<ProgLoad>(), 128);
        assert_eq!(size_of::<TestRun>(), 8 * 4 + 4 * 8);
        assert_eq!(size_of::<ProgInfo>(), 232);
        assert_eq!(std::mem::offset_of!(ProgInfo, verified_insns), 216);
    }

    #[test]
    fn indices_of_descriptors_are_found_in_every_slot() {
        let call = |offset: i16| {
            let [low, high] = offset.to_le_bytes();
            [0x85, 0x20, low, high, 7, 0, 0, 0]
        };
        let map = |kind: u8, index: u8| [0x18, kind << 4 | 1, 0, 0, index, 0, 0, 0];
        let rest = [0; 8];
        for (slots, expected) in [
            (vec![], true),
            (vec![call(0), call(1)], true),
            (vec![call(0), call(2)], false),
            (vec![call(-1)], false),
            (vec![map(5, 1), rest, map(6, 0), rest], true),
            (vec![map(5, 2), rest], false),
            (vec![map(6, 2), rest], false),
            // A map by its descriptor, a plain constant, a helper.
            (vec![map(1, 9), rest, map(0, 9), rest], true),
            (vec![[0x85, 0, 9, 0, 9, 0, 0, 0]], true),
            (vec![map(0, 0), call(2)], false),
        ] {
            let code = slots.concat();
            assert_eq!(indices_are_below(&code, 2), expected, "{code:x?}");
        }
    }
}
