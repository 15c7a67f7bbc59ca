//! `progmp doctor`: is all there that the shim needs?
//!
//! It asks the running system and changes nothing. Each line says what was looked at, and what to do
//! if it is not as it should be.

use std::fmt::Write as _;
use std::fs;

use progmp_control::btf::Btf;
use progmp_control::{Device, module};

use crate::commands::printed;
use crate::exit::Exit;

/// What to look at besides.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A module that is to be inserted: compare what it was built for with the running kernel
    #[arg(long, value_name = "PROGMP.KO")]
    module: Option<String>,
}

/// What one look showed.
enum Found {
    Good(String),
    /// It works without it, or comes later.
    Note(String, &'static str),
    Bad(String, &'static str),
}

use Found::{Bad, Good, Note};

/// Runs the command.
pub(super) fn doctor(args: &Args) -> Exit {
    let mut looks = vec![
        ("kernel", kernel()),
        ("types of the kernel", types()),
        ("MPTCP", mptcp()),
        ("scheduler of this network namespace", chosen()),
        ("compiler for programs (JIT)", jit()),
        ("file system for programs", file_system()),
        ("privilege", privilege()),
        ("lockdown", lockdown()),
        ("private functions of MPTCP", symbols()),
        ("module", inserted()),
    ];
    if !module::is_inserted() {
        looks.push(("modules at all", takes_modules()));
        if args.module.is_none() {
            looks.push(("headers to build it", headers()));
        }
    }
    if let Some(path) = &args.module {
        looks.push((
            "layouts of the module's file",
            layouts(module::compare_file(path)),
        ));
    } else if module::is_inserted() {
        looks.push(("layouts of the module", layouts(module::compare_inserted())));
    }
    let mut out = String::new();
    let mut fit = true;
    for (what, found) in looks {
        let (mark, text, help) = match found {
            Good(text) => ("ok     ", text, None),
            Note(text, help) => ("note   ", text, Some(help)),
            Bad(text, help) => {
                fit = false;
                ("MISSING", text, Some(help))
            }
        };
        let _ = writeln!(out, "{mark} {what}: {text}");
        if let Some(help) = help {
            let _ = writeln!(out, "        {help}");
        }
    }
    printed(&out, if fit { Exit::Accepted } else { Exit::Rejected })
}

fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

/// The first two numbers of a version.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn kernel() -> Found {
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    match version(&release) {
        Some(found) if found >= (6, 9) => Good(release),
        _ => Bad(
            format!("wrong-kernel: {release}"),
            "the shim needs Linux 6.9 or newer; Debian has it in its backports",
        ),
    }
}

fn types() -> Found {
    let path = "/sys/kernel/btf/vmlinux";
    match fs::read(path) {
        Ok(bytes) => match Btf::read(&bytes, None) {
            Ok(_) => Good(format!("{} bytes", bytes.len())),
            Err(error) => Bad(error.to_string(), "report this, with the kernel's version"),
        },
        Err(error) => Bad(
            format!("{path}: {error}"),
            "a kernel with CONFIG_DEBUG_INFO_BTF=y is needed, as all of Debian's are",
        ),
    }
}

fn mptcp() -> Found {
    match read("/proc/sys/net/mptcp/enabled").as_deref() {
        Some("1") => Good("enabled".to_owned()),
        Some(_) => Bad("disabled".to_owned(), "sysctl net.mptcp.enabled=1"),
        None => Bad(
            "the kernel has none".to_owned(),
            "a kernel with CONFIG_MPTCP=y is needed, as all of Debian's are",
        ),
    }
}

fn chosen() -> Found {
    match read("/proc/sys/net/mptcp/scheduler").as_deref() {
        Some("progmp") => Good("progmp".to_owned()),
        Some(other) => Note(
            other.to_owned(),
            "progmp set NAME chooses one of the shim for connections to come",
        ),
        None => Bad(
            "net.mptcp.scheduler is not there".to_owned(),
            "Linux 6.9 or newer with MPTCP is needed",
        ),
    }
}

fn jit() -> Found {
    match read("/proc/sys/net/core/bpf_jit_enable").as_deref() {
        Some("0") => Bad(
            "off: kernel functions cannot be called".to_owned(),
            "sysctl net.core.bpf_jit_enable=1",
        ),
        Some(_) => Good("on".to_owned()),
        None => Note(
            "unknown: the setting cannot be read".to_owned(),
            "ask as root, in the first network namespace",
        ),
    }
}

fn file_system() -> Found {
    let mounts = read("/proc/self/mounts").unwrap_or_default();
    let there = mounts.lines().any(|line| {
        let mut words = line.split(' ').skip(1);
        words.next() == Some("/sys/fs/bpf") && words.next() == Some("bpf")
    });
    if there {
        Good("/sys/fs/bpf".to_owned())
    } else {
        Bad(
            "/sys/fs/bpf is not mounted".to_owned(),
            "mount -t bpf bpf /sys/fs/bpf",
        )
    }
}

/// `CAP_BPF`, and `CAP_NET_ADMIN` for what concerns others.
fn privilege() -> Found {
    const WANTED: [(u32, &str); 2] = [(12, "CAP_NET_ADMIN"), (39, "CAP_BPF")];
    let status = read("/proc/self/status").unwrap_or_default();
    let word = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let word = word.and_then(|word| u64::from_str_radix(word.trim(), 16).ok());
    let word = word.unwrap_or(0);
    let missing: Vec<&str> = WANTED
        .iter()
        .filter(|(bit, _)| word >> bit & 1 == 0)
        .map(|(_, name)| *name)
        .collect();
    if missing.is_empty() {
        Good("enough to load".to_owned())
    } else {
        Note(
            format!(
                "no-privilege: without {} nothing loads",
                missing.join(" and ")
            ),
            "become root for load, unload, set without --socket, restore, trace",
        )
    }
}

fn lockdown() -> Found {
    let state = read("/sys/kernel/security/lockdown");
    let state = state.unwrap_or_else(|| "[none]".to_owned());
    if state.contains("[none]") {
        Good("none".to_owned())
    } else {
        Bad(
            state,
            "a locked kernel takes signed modules only: sign progmp.ko, or boot without Secure Boot",
        )
    }
}

/// Functions that are not exported and that the module looks up.
const SYMBOLS: [&str; 3] = [
    "mptcp_register_scheduler",
    "mptcp_sendmsg_frag",
    "__mptcp_subflow_push_pending",
];

fn symbols() -> Found {
    let text = read("/proc/kallsyms").unwrap_or_default();
    if text.is_empty() {
        return Note(
            "unknown: /proc/kallsyms cannot be read".to_owned(),
            "the module looks for them itself when it is inserted",
        );
    }
    let has = |symbol: &&&str| {
        let mut names = text
            .lines()
            .filter_map(|line| line.split_whitespace().nth(2));
        !names.any(|name| name == **symbol)
    };
    let missing: Vec<&str> = SYMBOLS.iter().filter(has).copied().collect();
    if missing.is_empty() {
        Good("there".to_owned())
    } else {
        Bad(
            format!("missing-symbol: {}", missing.join(", ")),
            "this kernel was compiled in a way that the module does not know; report it",
        )
    }
}

fn inserted() -> Found {
    match Device::open() {
        Ok(device) => match device.version() {
            Ok(version) => Good(format!(
                "version {}",
                progmp_control::uapi::text(&version.module)
            )),
            Err(error) => Bad(
                error.to_string(),
                "remove it and insert one of this version",
            ),
        },
        Err(progmp_control::Error::NoModule) => Bad(
            "not inserted".to_owned(),
            "build it with kmod-shim/module/build; progmp load --module progmp.ko inserts it",
        ),
        Err(error) => Bad(
            error.to_string(),
            "insert the module of this version, as root",
        ),
    }
}

/// A kernel without modules has no list of them.
fn takes_modules() -> Found {
    if fs::exists("/proc/modules").unwrap_or(false) {
        Good("the kernel takes them".to_owned())
    } else {
        Bad(
            "this kernel was built without modules".to_owned(),
            "boot a kernel of Debian, or see the shim in a virtual machine: cargo vm",
        )
    }
}

fn headers() -> Found {
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let folder = format!("/usr/src/linux-headers-{release}");
    if fs::exists(format!("{folder}/Makefile")).unwrap_or(false) {
        Good(folder)
    } else {
        Note(
            format!("there are none in {folder}"),
            "apt-get install linux-headers-$(uname -r); only kernels of Debian have such a package",
        )
    }
}

fn layouts(compared: Result<usize, progmp_control::Error>) -> Found {
    match compared {
        Ok(facts) => Good(format!("{facts} facts hold of this kernel")),
        Err(error) => Bad(error.to_string(), "build it with kmod-shim/module/build"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(version("6.12.117+deb12-cloud-amd64"), Some((6, 12)));
        assert!(version("6.9.0") > version("6.8.12"));
        assert!(version("6.10") > version("6.9"));
        assert_eq!(version(""), None);
    }

    #[test]
    fn a_file_without_the_note_is_not_fit() {
        let this = std::env::current_exe().unwrap();
        let found = layouts(module::compare_file(&this.display().to_string()));
        assert!(matches!(found, Bad(text, _) if text.starts_with("not-the-module")));
    }
}
