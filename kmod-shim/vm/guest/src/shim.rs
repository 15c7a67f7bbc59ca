//! The module and compiled schedulers, as tests use them.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use progmp_control::uapi::{BLIND, COMPRESSED};
use progmp_control::{Device, Link, Scheduler, load, source_hash};
use progmp_ir::Program;
use progmp_rewrite::{compress, sites};
use rustix::io::Errno;
use rustix::system::delete_module;

use crate::{Tried, init};

/// The shim: inserted when it is first asked for.
pub(crate) fn device() -> Result<Device, String> {
    if !inserted() {
        init::insert("/modules/progmp.ko", "")?;
    }
    Device::open().tried("the device")
}

/// Whether the module is there.
pub(crate) fn inserted() -> bool {
    fs::exists("/sys/module/progmp").unwrap_or(false)
}

/// Tries once to remove the module.
pub(crate) fn try_remove() -> Result<(), Errno> {
    // Without waiting: a module in use is refused.
    const NONBLOCK: i32 = 0o4000;
    delete_module(c"progmp", NONBLOCK)
}

/// Removes the module; whoever uses it may take a while to let go.
pub(crate) fn remove() -> Result<(), String> {
    let started = Instant::now();
    loop {
        match try_remove() {
            Ok(()) => return Ok(()),
            Err(error) if started.elapsed() > Duration::from_secs(70) => {
                return Err(format!("the module cannot be removed: {error}"));
            }
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// A compiled scheduler of the corpus.
pub(crate) struct Object {
    /// Name of its file.
    pub(crate) name: String,
    code: Vec<u8>,
    btf: Vec<u8>,
    functions: Vec<u8>,
    lines: Vec<u8>,
    source: String,
    subflows: u32,
    packets: u32,
    compressed: bool,
    /// Whether it does not read QU.
    blind: bool,
}

impl Object {
    /// Reads it.
    pub(crate) fn read(name: &str) -> Result<Self, String> {
        let part = |part: &str| {
            let path = format!("/objects/{name}/{part}");
            fs::read(&path).tried(&path)
        };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).tried(name);
        let note = text(part("note")?)?;
        let value = |key: &str| {
            let mut lines = note.lines().filter_map(|line| line.split_once(": "));
            let found = lines
                .find(|(found, _)| *found == key)
                .map(|(_, value)| value);
            found.ok_or_else(|| format!("{name}: the note has no {key}"))
        };
        let proof = value("proof")?;
        let numbers: Vec<u32> = proof
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect();
        let (subflows, packets) = match numbers.as_slice() {
            [subflows, packets] => (*subflows, *packets),
            _ if proof == "any size" => (32, value("packets")?.parse().tried("packets")?),
            _ => (0, 0),
        };
        Ok(Self {
            name: name.to_owned(),
            code: part("code")?,
            btf: part("btf")?,
            functions: part("functions")?,
            lines: part("lines")?,
            source: text(part("source")?)?,
            subflows,
            packets,
            compressed: value("compressed")? == "yes",
            blind: !value("needs")?.split(' ').any(|name| name == "QU"),
        })
    }

    fn flags(&self) -> u32 {
        let flag = |set, flag| if set { flag } else { 0 };
        flag(self.compressed, COMPRESSED) | flag(self.blind, BLIND)
    }

    /// What is loaded, under a name.
    pub(crate) fn scheduler<'a>(&'a self, name: &'a str) -> Scheduler<'a> {
        Scheduler {
            name,
            code: &self.code,
            btf: &self.btf,
            functions: &self.functions,
            lines: &self.lines,
            subflows: self.subflows,
            packets: self.packets,
            needs: 0,
            flags: self.flags(),
            source: source_hash(&self.source),
        }
    }

    /// The same types around other code.
    pub(crate) fn with_code(&self, code: Vec<u8>) -> Self {
        Self {
            name: self.name.clone(),
            code,
            btf: self.btf.clone(),
            functions: self.functions.clone(),
            lines: Vec::new(),
            source: self.source.clone(),
            subflows: 0,
            packets: 0,
            compressed: self.compressed,
            // It may read anything.
            blind: false,
        }
    }

    /// The same, for a host that believes that each run does what one of the source does.
    pub(crate) fn for_a_host_that_keeps(mut self) -> Self {
        self.compressed = false;
        self
    }

    /// What the reference interpreter runs.
    pub(crate) fn program(&self) -> Result<Program, String> {
        let parsed = progmp_syntax::parse(&self.name, self.source.as_bytes(), &[]);
        let source = parsed
            .program
            .ok_or_else(|| format!("{} is no scheduler", self.name))?;
        Ok(match sites(&source) {
            Ok(places) if self.compressed => compress(&source, &places),
            _ => source,
        })
    }

    /// Loads it under its name.
    pub(crate) fn load(&self) -> Result<(Link, String), String> {
        let link = load(&self.scheduler(&self.name)).tried(&format!("loading {}", self.name))?;
        Ok((link, self.name.clone()))
    }
}

/// The names of all of the corpus, sorted; `NAME.single` is what is compressed, compiled as it is.
pub(crate) fn corpus() -> Result<Vec<String>, String> {
    let entries = fs::read_dir("/objects").tried("/objects")?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.retain(|name| !name.ends_with(".single"));
    names.sort();
    Ok(names)
}
