//! A compiled scheduler becomes a registered one: program, table of operations, link, pin.
//!
//! In: a [`Scheduler`], which the caller has verified. Out: a [`Link`]; the scheduler stays until its
//! last descriptor and its pin are gone. What the module's types are called and where their members
//! stand is asked of the running kernel, so a module with more members takes the same objects.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use progmp_bpf as bpf;
use sha2::{Digest, Sha256};

use crate::btf::{Btf, Structure};
use crate::error::Error;
use crate::uapi;

/// Where links are pinned, each under the name of its scheduler.
pub const PINS: &str = "/sys/fs/bpf/progmp";

const MODULE: &str = "progmp";
const OPERATIONS: &str = "progmp_ops";
/// What the kernel wraps around a table of operations.
const VALUE: &str = "bpf_struct_ops_progmp_ops";
const BLOCK_OF: &str = "progmp_block";

/// A compiled scheduler, and what was proved of it.
#[derive(Clone, Copy, Debug)]
pub struct Scheduler<'a> {
    /// Its name: 1 to 31 bytes.
    pub name: &'a str,
    /// Bytecode for the shim; calls of the kernel function that hands out the block are open.
    pub code: &'a [u8],
    /// Its types, for the kernel.
    pub btf: &'a [u8],
    /// `struct bpf_func_info` records.
    pub functions: &'a [u8],
    /// `struct bpf_line_info` records.
    pub lines: &'a [u8],
    /// For how many subflows it is proved; 0: nothing is proved.
    pub subflows: u32,
    /// For how many packets of each queue; 0: as many as fit.
    pub packets: u32,
    /// Which of [`uapi::PROPERTIES`] it reads.
    pub needs: u32,
    /// [`uapi::UNPROVED`], [`uapi::COMPRESSED`], [`uapi::BLIND`].
    pub flags: u32,
    /// SHA-256 of its source.
    pub source: [u8; 32],
}

/// A registered scheduler. It goes when this is dropped, unless it is pinned.
#[derive(Debug)]
pub struct Link {
    descriptor: OwnedFd,
}

impl Link {
    /// Keeps the scheduler after this process has ended.
    ///
    /// # Errors
    /// Why it cannot be pinned there.
    pub fn pin(&self, name: &str) -> Result<PathBuf, Error> {
        let at = pin_path(name)?;
        let pins = Path::new(PINS);
        fs::create_dir_all(pins).map_err(|error| Error::system(PINS, error))?;
        bpf::pin(&self.descriptor, &at).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::NameClash(name.to_owned()),
            _ => Error::system(at.display().to_string(), error),
        })?;
        Ok(at)
    }

    /// Puts another program in the place of this one, under traffic.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn replace(&self, by: &Scheduler<'_>) -> Result<(), Error> {
        let map = Prepared::new(by)?.map;
        bpf::update(&self.descriptor, &map).map_err(|error| refused(by, error))
    }
}

/// SHA-256 of a source text.
pub fn source_hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn pin_path(name: &str) -> Result<PathBuf, Error> {
    let is_name = uapi::name(name).is_some() && !name.contains('/') && !name.starts_with('.');
    if is_name {
        Ok(Path::new(PINS).join(name))
    } else {
        Err(Error::BadName(name.to_owned()))
    }
}

/// The link of a scheduler that is pinned.
///
/// # Errors
/// There is none.
pub fn pinned(name: &str) -> Result<Link, Error> {
    let at = pin_path(name)?;
    let descriptor = bpf::open_pin(&at).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoScheduler(name.to_owned()),
        _ => from_bpf(at.display().to_string(), error),
    })?;
    Ok(Link { descriptor })
}

/// Removes a pinned scheduler; its connections go on with the kernel's own.
///
/// # Errors
/// There is none, or no privilege.
pub fn unload(name: &str) -> Result<(), Error> {
    let at = pin_path(name)?;
    fs::remove_file(&at).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoScheduler(name.to_owned()),
        io::ErrorKind::PermissionDenied => Error::NoPrivilege("unloading", "root"),
        _ => Error::system(at.display().to_string(), error),
    })
}

/// Registers a scheduler.
///
/// # Errors
/// Which of the many things it is that is not as it should be.
pub fn load(scheduler: &Scheduler<'_>) -> Result<Link, Error> {
    pin_path(scheduler.name)?;
    let map = Prepared::new(scheduler)?.map;
    let descriptor = bpf::link(&map).map_err(|error| refused(scheduler, error))?;
    Ok(Link { descriptor })
}

/// A table of operations with its program in it.
struct Prepared {
    map: OwnedFd,
}

impl Prepared {
    fn new(scheduler: &Scheduler<'_>) -> Result<Self, Error> {
        let module = bpf::module_btf(MODULE).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoModule,
            _ => from_bpf("the module's types", error),
        })?;
        let own = type_bytes(MODULE)?;
        let types = Btf::read(&own, Some(kernel_types()?))?;
        let operations = structure(&types, OPERATIONS)?;
        let value = structure(&types, VALUE)?;
        let kernel_function = types.function(BLOCK_OF);
        let kernel_function = kernel_function
            .ok_or_else(|| Error::Layout(format!("the module has no function {BLOCK_OF}")))?;
        let btf = bpf::load_btf(scheduler.btf)
            .map_err(|error| from_bpf("the types of the program", error))?;
        let code = with_function(scheduler.code, kernel_function);
        let program = bpf::Program {
            name: scheduler.name,
            kind: bpf::Kind::Operation(bpf::Operation {
                table: operations.id,
                member: place(&operations, "schedule")?.0,
                module: &module,
            }),
            code: &code,
            types: Some(bpf::Types {
                btf: &btf,
                functions: scheduler.functions,
                lines: scheduler.lines,
            }),
        };
        let program = load_program(&program)?;
        let bytes = table(scheduler, &operations, &value, &program)?;
        let map = bpf::operations(scheduler.name, &bytes, value.id, &btf, &module)
            .map_err(|error| refused(scheduler, error))?;
        Ok(Self { map })
    }
}

fn type_bytes(name: &str) -> Result<Vec<u8>, Error> {
    let path = format!("/sys/kernel/btf/{name}");
    fs::read(&path).map_err(|error| Error::NoBtf(format!("{path}: {error}")))
}

/// The types of the kernel that runs: a hundred thousand, which are read once.
fn kernel_types() -> Result<&'static Btf<'static>, Error> {
    static TYPES: OnceLock<Btf<'static>> = OnceLock::new();
    if let Some(types) = TYPES.get() {
        return Ok(types);
    }
    let types = Btf::read(type_bytes("vmlinux")?.leak(), None)?;
    Ok(TYPES.get_or_init(|| types))
}

/// Enough for the end of any log.
const LOG_BYTES: usize = 1 << 20;

/// Most programs load, and a log costs more than the load.
fn load_program(program: &bpf::Program<'_>) -> Result<OwnedFd, Error> {
    let error = match bpf::load(program, &mut []) {
        Ok(program) => return Ok(program),
        Err(error) => error,
    };
    if bpf::lacks_privilege(&error) {
        return Err(Error::NoPrivilege("loading a program", "CAP_BPF"));
    }
    let mut log = vec![0; LOG_BYTES];
    match bpf::load(program, &mut log) {
        Ok(program) => Ok(program),
        Err(error) => Err(Error::Verifier {
            why: error.to_string(),
            log: uapi::text(&log),
        }),
    }
}

fn structure(types: &Btf<'_>, name: &str) -> Result<Structure, Error> {
    let found = types.structure(name);
    found.ok_or_else(|| Error::Layout(format!("the module has no struct {name}")))
}

/// Which member of a structure this is, and where it starts, bytes.
fn place(structure: &Structure, name: &str) -> Result<(u32, usize), Error> {
    let at = structure.members.iter().position(|m| m.name == name);
    let at = at.ok_or_else(|| Error::Layout(format!("{OPERATIONS} has no member {name}")))?;
    let index = u32::try_from(at).expect("members are counted in 16 bits");
    Ok((index, structure.members[at].bit_offset as usize / 8))
}

/// The value of the table: the program and what the module is told of it.
fn table(
    scheduler: &Scheduler<'_>,
    operations: &Structure,
    value: &Structure,
    program: &OwnedFd,
) -> Result<Vec<u8>, Error> {
    use std::os::fd::AsRawFd;
    let name = uapi::name(scheduler.name);
    let name = name.ok_or_else(|| Error::BadName(scheduler.name.to_owned()))?;
    let descriptor = u64::from(program.as_raw_fd().cast_unsigned());
    let (_, data) = place(value, "data")?;
    let mut bytes = vec![0; value.bytes as usize];
    for (member, content) in [
        ("schedule", descriptor.to_le_bytes().as_slice()),
        ("name", &name),
        ("subflows", &scheduler.subflows.to_le_bytes()),
        ("packets", &scheduler.packets.to_le_bytes()),
        ("needs", &scheduler.needs.to_le_bytes()),
        ("flags", &scheduler.flags.to_le_bytes()),
        ("source", &scheduler.source),
    ] {
        let start = data + place(operations, member)?.1;
        let cell = bytes.get_mut(start..start + content.len());
        let cell = cell.ok_or_else(|| Error::Layout(format!("{member} lies outside")))?;
        cell.copy_from_slice(content);
    }
    Ok(bytes)
}

/// The code with the kernel function's number in each call of one, and the module as its place.
fn with_function(code: &[u8], function: u32) -> Vec<u8> {
    let mut code = code.to_vec();
    let mut rest = code.as_mut_slice();
    while rest.len() >= 8 {
        let (slot, behind) = rest.split_at_mut(8);
        // A 64-bit constant has two slots; the second may look like anything.
        let is_wide = slot[0] == 0x18 && behind.len() >= 8;
        if slot[0] == 0x85 && slot[1] >> 4 == 2 {
            slot[2..4].copy_from_slice(&1_i16.to_le_bytes());
            slot[4..8].copy_from_slice(&function.to_le_bytes());
        }
        rest = if is_wide {
            behind.split_at_mut(8).1
        } else {
            behind
        };
    }
    code
}

/// Why the module did not take a table, by its own answers (specs/shim.md, section 2).
fn refused(scheduler: &Scheduler<'_>, error: io::Error) -> Error {
    let name = scheduler.name.to_owned();
    match error.raw_os_error() {
        Some(libc::EEXIST) => Error::NameClash(name),
        Some(libc::EOPNOTSUPP) => {
            let wanted = uapi::PROPERTIES.iter();
            let wanted = wanted.filter(|(bit, _)| scheduler.needs & bit != 0);
            let names: Vec<&str> = wanted.map(|(_, name)| *name).collect();
            Error::NotGiven(names.join(", "))
        }
        _ => from_bpf("registering", error),
    }
}

fn from_bpf(what: impl Into<String>, error: io::Error) -> Error {
    if bpf::lacks_privilege(&error) {
        return Error::NoPrivilege("bpf", "CAP_BPF and CAP_NET_ADMIN");
    }
    Error::system(what, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_kernel_functions_are_filled_in() {
        let kernel_call = [0x85, 0x20, 0, 0, 0, 0, 0, 0];
        let helper_call = [0x85, 0x00, 0, 0, 5, 0, 0, 0];
        // A constant whose second half looks like a call.
        let constant = [[0x18, 1, 0, 0, 7, 0, 0, 0], kernel_call].concat();
        let code = [constant.as_slice(), &kernel_call, &helper_call].concat();
        let filled = with_function(&code, 0x1_0203);
        assert_eq!(filled[..16], code[..16]);
        assert_eq!(filled[16..24], [0x85, 0x20, 1, 0, 3, 2, 1, 0]);
        assert_eq!(filled[24..], code[24..]);
    }

    #[test]
    fn names_that_are_no_files_are_refused() {
        assert!(pin_path("min_rtt-2.new+").is_ok());
        for name in [
            "",
            "a/b",
            "..",
            "a b",
            "a\u{1b}[2J",
            "größe",
            "a_name_of_thirty_two_bytes_is_too",
        ] {
            assert_eq!(pin_path(name).unwrap_err().name(), "bad-name", "{name}");
        }
    }

    #[test]
    fn without_the_module_nothing_loads_and_the_error_says_why() {
        let scheduler = Scheduler {
            name: "nothing",
            code: &[],
            btf: &[],
            functions: &[],
            lines: &[],
            subflows: 0,
            packets: 0,
            needs: 0,
            flags: 0,
            source: [0; 32],
        };
        if !Path::new("/sys/module/progmp").exists() {
            let name = load(&scheduler).unwrap_err().name();
            assert!(
                ["no-module", "no-privilege"].contains(&name.as_str()),
                "{name}"
            );
        }
    }

    #[test]
    fn the_hash_is_sha_256() {
        let hash = source_hash("abc");
        assert_eq!(hash[..4], [0xba, 0x78, 0x16, 0xbf]);
    }
}
