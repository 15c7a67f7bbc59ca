//! `progmp load`, `progmp unload`.
//!
//! Nothing in an object is believed: its source is verified again, compiled again, and the object
//! must be what comes out, byte for byte. Only then does the kernel get it.

use progmp_codegen_ebpf::note::{Note, Proof, needs};
use progmp_codegen_ebpf::object::{self, Source};
use progmp_control::{Error, Scheduler, module, pinned, source_hash, uapi};
use progmp_verifier::ebpf::{self, Object, ObjectProgram};

use crate::commands::compile::{self, Form};
use crate::commands::{failed, mistakes, printed};
use crate::exit::Exit;
use crate::files;
use crate::pipeline::{self, Loaded, Settings};
use crate::report::FileVerdict;
use crate::rewrite::{Rewriting, lowered};

/// What to load, and how.
#[derive(Debug, clap::Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "switches of a command line are independent"
)]
pub struct Args {
    /// A scheduler, or an object that `progmp compile` made of one; `-` is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Load it under this name
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Load it although it is not proved; the kernel's log will tell
    #[arg(long)]
    unproved: bool,
    /// Compile a scheduler as it is, without rewriting; an object tells by itself
    #[arg(long)]
    no_rewrite: bool,
    /// Leave it at one packet for each execution; else one pushes as many as the window takes, where
    /// that is proved to be the same
    #[arg(long)]
    no_compress: bool,
    /// Put it in the place of the scheduler of this name, under traffic
    #[arg(long)]
    replace: bool,
    /// If the module is not inserted yet, compare this one with the kernel and insert it
    #[arg(long, value_name = "PROGMP.KO")]
    module: Option<String>,
    /// Do everything but load it
    #[arg(long)]
    check: bool,
}

/// A scheduler by its name.
#[derive(Debug, clap::Args)]
pub struct Name {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
}

/// Bytes of an object that are read.
const LIMIT: usize = 16 << 20;
/// The section with the program for the shim.
const SHIM: &str = "?struct_ops/schedule";

/// A scheduler that may be loaded.
struct Ready {
    note: Note,
    source: String,
    program: ObjectProgram,
}

/// Runs `progmp load`.
pub(super) fn load(args: &Args) -> Exit {
    let ready = match prepared(args) {
        Ok(ready) => ready,
        Err(exit) => return exit,
    };
    let name = args.name.as_deref().unwrap_or(&ready.note.name);
    let (subflows, packets, unproved) = match ready.note.proof {
        Proof::AnySize => (32, ready.note.packets, 0),
        Proof::UpTo { subflows, packets } => (subflows, packets as usize, 0),
        Proof::Unproved => (0, ready.note.packets, uapi::UNPROVED),
    };
    let packets = packets.min(ready.note.packets);
    let compressed = if ready.note.compressed {
        uapi::COMPRESSED
    } else {
        0
    };
    let blind = if ready.note.needs.iter().any(|name| name == "QU") {
        0
    } else {
        uapi::BLIND
    };
    let wanted = uapi::PROPERTIES.iter().filter(|(_, property)| {
        let needed = format!("subflow.{property}");
        ready.note.needs.contains(&needed)
    });
    let debug = &ready.program.debug;
    let scheduler = Scheduler {
        name,
        code: &ready.program.code,
        btf: &debug.btf,
        functions: &debug.functions,
        lines: &debug.lines,
        subflows,
        packets: u32::try_from(packets).expect("queues show few packets"),
        needs: wanted.fold(0, |bits, (bit, _)| bits | bit),
        flags: unproved | compressed | blind,
        source: source_hash(&ready.source),
    };
    let proved = match ready.note.proof {
        Proof::AnySize => "proved for any size".to_owned(),
        Proof::UpTo { subflows, packets } => {
            format!("proved for {subflows} subflows and {packets} packets")
        }
        Proof::Unproved => "not proved".to_owned(),
    };
    if args.check {
        return printed(&format!("{name} may be loaded: {proved}\n"), Exit::Accepted);
    }
    if let Err(error) = module_fits(args.module.as_deref()) {
        return super::told(&error);
    }
    match into_kernel(&scheduler, args.replace) {
        Ok(what) => printed(&format!("{name} {what}: {proved}\n"), Exit::Accepted),
        Err(error) => super::told(&error),
    }
}

/// A module that was built for another kernel must not run a program.
fn module_fits(file: Option<&str>) -> Result<(), Error> {
    match file {
        _ if module::is_inserted() => module::compare_inserted().map(|_| ()),
        Some(file) => module::insert(file),
        // The attempt to load says that it is missing.
        None => Ok(()),
    }
}

fn into_kernel(scheduler: &Scheduler<'_>, replace: bool) -> Result<&'static str, Error> {
    if replace {
        match pinned(scheduler.name) {
            Ok(link) => {
                link.replace(scheduler)?;
                return Ok("is replaced");
            }
            Err(Error::NoScheduler(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let link = progmp_control::load(scheduler)?;
    link.pin(scheduler.name)?;
    Ok("is loaded")
}

/// Runs `progmp unload`.
pub(super) fn unload(args: &Name) -> Result<Exit, Error> {
    progmp_control::unload(&args.name).map_err(|error| match error {
        Error::NoScheduler(_) if !module::is_inserted() => Error::NoModule,
        error => error,
    })?;
    Ok(printed(
        &format!("{} is removed\n", args.name),
        Exit::Accepted,
    ))
}

/// A scheduler as text, or an object.
pub(super) struct Input {
    /// As messages name it.
    pub(super) name: String,
    bytes: Vec<u8>,
    object: Option<Object>,
}

impl Input {
    /// Reads a file.
    pub(super) fn read(file: &str) -> Result<Self, Exit> {
        let name = files::display_name(file);
        let tell = |why: String| failed(&format!("{name}: {why}"));
        let bytes = files::read(file, LIMIT).map_err(tell)?;
        if bytes.len() > LIMIT {
            return Err(tell(format!("larger than {LIMIT} bytes")));
        }
        let object = bytes.starts_with(b"\x7fELF").then(|| ebpf::read(&bytes));
        let object = object.transpose();
        let object = object.map_err(|why| tell(format!("bad-object: {why}")))?;
        Ok(Self {
            name,
            bytes,
            object,
        })
    }

    /// The scheduler itself; that in an object has the name that it had when it was compiled.
    pub(super) fn load(&self) -> Loaded {
        match &self.object {
            None => pipeline::load_text(&self.name, &self.bytes, &[]),
            Some(found) => pipeline::load_text(&source_name(found), found.source.as_bytes(), &[]),
        }
    }
}

/// Reads, verifies and compiles.
fn prepared(args: &Args) -> Result<Ready, Exit> {
    let input = Input::read(&args.file)?;
    let Some(found) = &input.object else {
        let how = How {
            prove: !args.unproved,
            form: Form::MayGoto,
            rewriting: Rewriting::of(args.no_rewrite, args.no_compress),
        };
        return made(&input.name, input.load(), how).map(|(ready, _)| ready);
    };
    from_object(&input, found, args.unproved)
}

/// An object is loaded if it is what this compiler makes of its source.
fn from_object(input: &Input, found: &Object, unproved: bool) -> Result<Ready, Exit> {
    let name = &input.name;
    let said = |key: &str| {
        let mut lines = found.note.iter().filter(|(found, _)| found == key);
        lines.next().map_or("", |(_, value)| value.as_str())
    };
    if said("proof") == "none" && !unproved {
        return Err(failed(&format!(
            "{name}: no-proof-note: the object was compiled without proof; see --unproved"
        )));
    }
    let form = match said("loops") {
        "may-goto" => Form::MayGoto,
        "bounded" => Form::Bounded,
        other => return Err(failed(&format!("{name}: bad-object: loops: {other}"))),
    };
    let Some(rewriting) = Rewriting::named(said("rewriting")) else {
        let other = said("rewriting");
        return Err(failed(&format!("{name}: bad-object: rewriting: {other}")));
    };
    let how = How {
        prove: said("proof") != "none",
        form,
        rewriting,
    };
    let (ready, made) = made(&source_name(found), input.load(), how)?;
    if made != input.bytes {
        return Err(failed(&format!(
            "{name}: not-reproduced: the object is not what this compiler makes of its source \
             (it was altered, or made by another version, or with other requirements): \
             compile it again"
        )));
    }
    Ok(ready)
}

/// The name of the source file as the object's types have it.
fn source_name(found: &Object) -> String {
    let debug = found.programs.first().map(|program| &program.debug);
    let name = debug.and_then(|debug| {
        let word = |bytes: &[u8], at: usize| {
            let word = bytes.get(at..at.checked_add(4)?)?;
            usize::try_from(u32::from_le_bytes(word.try_into().ok()?)).ok()
        };
        // Of the first line: instruction, file, text, line and column.
        let at = word(&debug.lines, 4)?;
        let strings = word(&debug.btf, 4)?.checked_add(word(&debug.btf, 16)?)?;
        let text = debug.btf.get(strings.checked_add(at)?..)?;
        let text = text.split(|&byte| byte == 0).next()?;
        String::from_utf8(text.to_vec()).ok()
    });
    name.unwrap_or_default()
}

/// How an object is made.
#[derive(Clone, Copy)]
struct How {
    prove: bool,
    form: Form,
    rewriting: Rewriting,
}

/// Verifies, if that is wanted, and compiles; gives the object's bytes too.
fn made(name: &str, loaded: Loaded, how: How) -> Result<(Ready, Vec<u8>), Exit> {
    let How {
        prove,
        form,
        rewriting,
    } = how;
    let (lowered, source, proof) = if prove {
        let settings = Settings {
            rewriting,
            form: form.options(),
            ..Settings::default()
        };
        let checked = pipeline::check_loaded(loaded, &settings, &mut |_| ());
        if checked.verdict != FileVerdict::Accepted {
            return Err(compile::refused(&checked));
        }
        let proof = compile::proof(&checked);
        let lowered = checked.lowered.expect("what is accepted is a program");
        (lowered, checked.source.text, proof)
    } else {
        files::complain(&mistakes(&loaded));
        let program = loaded.program.ok_or(Exit::BadInput)?;
        let lowered = lowered(&program, &form.options(), rewriting);
        (lowered, loaded.source.text, Proof::Unproved)
    };
    let code = match &lowered.code {
        Ok(code) => code,
        Err(error) => return Err(failed(&format!("{name}: {error}"))),
    };
    let mut note = compile::note(name, &lowered, code, form, proof);
    let text = Source {
        file: name,
        text: &source,
    };
    let bytes = object::object(&code.body(), text, &note);
    let read = ebpf::read(&bytes);
    let read = read.unwrap_or_else(|error| panic!("our own object is refused: {error}"));
    let shim = read.programs.into_iter().find(|p| p.section == SHIM);
    note.needs = needs(&lowered.program);
    let ready = Ready {
        note,
        source,
        program: shim.expect("our own object has a program for the shim"),
    };
    Ok((ready, bytes))
}
