//! `progmp-verify --object OBJECT FILE`: does an object do what its scheduler says?
//!
//! In: an object, from anybody, and a scheduler. Out: the gate's verdict on the scheduler, then one on
//! each program in the object: validated, for every well-formed block; refuted, with a state in which
//! both part; or unknown, which never passes. What the object says of itself is a hint at most.

use std::fmt::Write as _;
use std::path::Path;

use super::{failed, printed};
use crate::exit::Exit;
use crate::files;
use crate::human::{self, View};
use crate::pipeline::{self, Settings};
use crate::rewrite::{Rewriting, lowered};
use progmp_codegen_ebpf::Options;
use progmp_ir::Program;
use progmp_verifier::ebpf::{self, Object, ObjectProgram, decode};
use progmp_verifier::validate::{Counterexample, Entry, Validator, Verdict};

/// Bytes of an object that are read.
const LIMIT: usize = 16 << 20;
/// The section of the program that the shim calls (specs/object.md).
const SHIM: &str = "?struct_ops/schedule";

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) object: &'a str,
    pub(super) file: &'a str,
    /// Where to leave a state in which both part.
    pub(super) folder: Option<&'a Path>,
    pub(super) settings: &'a Settings,
    pub(super) view: View,
}

/// Judges the scheduler, then the object.
pub(super) fn judge(question: &Question<'_>) -> Exit {
    let name = files::display_name(question.object);
    let object = match read(question.object) {
        Ok(object) => object,
        Err(why) => return failed(&format!("{name}: {why}")),
    };
    let checked = pipeline::check(question.file, question.settings, &mut |_| ());
    let exit = printed(
        &human::render(&checked, question.view),
        checked.verdict.exit(),
    );
    let Some(program) = &checked.program else {
        return exit;
    };
    if object.source != checked.source.text {
        let text = format!(
            "{name}: not-its-source: the object holds another scheduler than {}: compile it again\n",
            checked.name
        );
        return exit.and(printed(&text, Exit::Rejected));
    }
    exit.and(bytes(question, &name, &object, program))
}

fn read(argument: &str) -> Result<Object, String> {
    let bytes = files::read(argument, LIMIT)?;
    if bytes.len() > LIMIT {
        return Err(format!("larger than {LIMIT} bytes"));
    }
    if !bytes.starts_with(b"\x7fELF") {
        return Err("bad-object: this is no ELF file; `progmp compile` makes objects".to_owned());
    }
    ebpf::read(&bytes).map_err(|why| format!("bad-object: {why}"))
}

/// The program that bytes are held against: the scheduler's own, or one that is proved to decide as it
/// does. Which of them the object was made of is for it to tell; a wrong answer helps nobody.
fn basis(object: &Object, program: &Program) -> Result<(Program, &'static str), String> {
    let said = object.note.iter().find(|(key, _)| key == "rewriting");
    let said = said.map_or("", |(_, value)| value.as_str());
    let rewriting = Rewriting::named(said);
    let rewriting = rewriting.ok_or_else(|| format!("bad-object: rewriting: {said}"))?;
    let lowered = lowered(program, &Options::default(), rewriting);
    let remark = if lowered.is_compressed() {
        ", in every trigger of a host that takes back"
    } else {
        ""
    };
    Ok((lowered.program, remark))
}

fn bytes(question: &Question<'_>, name: &str, object: &Object, program: &Program) -> Exit {
    let (basis, remark) = match basis(object, program) {
        Ok(basis) => basis,
        Err(why) => return failed(&format!("{name}: {why}")),
    };
    let mut exit = Exit::Accepted;
    let mut validator = Validator::new(&basis);
    for part in &object.programs {
        let (text, found) = one(question, name, part, &mut validator, remark);
        exit = exit.and(printed(&text, found));
    }
    exit
}

/// The verdict on one program, in words.
fn one(
    question: &Question<'_>,
    name: &str,
    part: &ObjectProgram,
    validator: &mut Validator<'_>,
    remark: &str,
) -> (String, Exit) {
    let mut text = format!("{name}: {}: ", part.section);
    let entry = if part.section == SHIM {
        Entry::Shim
    } else {
        Entry::TestRun
    };
    let code = match decode(&part.code) {
        Ok(code) => code,
        Err(why) => {
            let _ = writeln!(text, "no bytecode: {why}");
            return (text, Exit::Rejected);
        }
    };
    let exit = match validator.validates(&code, entry) {
        Verdict::Validated => {
            let _ = writeln!(
                text,
                "validated: the bytes do what the scheduler says{remark}, for any size"
            );
            Exit::Accepted
        }
        Verdict::Unsafe(why) => {
            let _ = writeln!(text, "unsafe: {why}");
            Exit::Rejected
        }
        Verdict::Refuted(found) => {
            let _ = write!(text, "refuted: {}", found.difference);
            match keep(question, &part.section, &found) {
                Ok(hint) => text += &hint,
                Err(why) => return (text, Exit::BadInput.and(failed(&why))),
            }
            Exit::Rejected
        }
        Verdict::Unknown(why) => {
            let _ = writeln!(
                text,
                "unknown: no state is known in which they part, and no proof: {why}"
            );
            Exit::Unknown
        }
    };
    (text, exit)
}

/// Writes the state, or tells how to get it.
fn keep(question: &Question<'_>, section: &str, found: &Counterexample) -> Result<String, String> {
    let Some(folder) = question.folder else {
        return Ok("  --counterexamples DIR keeps the state\n".to_owned());
    };
    files::create_folder(folder)?;
    let stem = files::safe_stem(&human::file_stem(question.object));
    let place = folder.join(format!("{stem}.{}.state.json", files::safe_stem(section)));
    files::write(&place, (found.state.to_json() + "\n").as_bytes())?;
    Ok(format!(
        "  what the scheduler does there: progmp run {} --state {}\n",
        question.file,
        place.display()
    ))
}
