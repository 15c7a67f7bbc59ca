//! `--explain`: what a code or a property means.

use std::fmt::Write as _;

use progmp_control::EXPLANATIONS;
use progmp_syntax::Code;

use super::{failed, printed};
use crate::exit::Exit;
use crate::levels::closest;
use crate::pipeline::{BAD_STATE, CANNOT_READ, FAULT};
use progmp_verifier::Property;

/// What to explain.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A code (E0202, unknown-member), a property (trigger-terminates), or a list: codes, properties
    pub what: String,
}

/// The codes that are not about a scheduler's text: code, name, explanation.
const OWN: [(&str, &str, &str); 3] = [
    (
        CANNOT_READ,
        "cannot-read",
        "a file cannot be read\n\n\
         The file does not exist, is a directory, or the system refuses to read it. `-` stands\n\
         for standard input, and can be named once.\n",
    ),
    (
        BAD_STATE,
        "bad-state",
        "a state or a counterexample cannot be used\n\n\
         It is not the JSON that is wanted (specs/state.md), or it is a state that no host can\n\
         show: a packet in Q and in QU, two subflows with one ID, a queue out of order, a value\n\
         beyond its range.\n",
    ),
    (
        FAULT,
        "internal-fault",
        "the tool failed\n\n\
         Something that should always hold inside the tool did not. This says nothing about the\n\
         scheduler, which counts as not judged. Please report it, with the scheduler and the\n\
         message.\n",
    ),
];

/// Prints the explanation.
pub fn explain(what: &str) -> Exit {
    match explanation(what) {
        Ok(text) => printed(&text, Exit::Accepted),
        Err(why) => failed(&why),
    }
}

fn explanation(what: &str) -> Result<String, String> {
    let what = what.trim();
    let title = what.split(" <=").next().unwrap_or(what);
    let title = if title.starts_with("prefers(") {
        "prefers"
    } else {
        title
    };
    if let Some(property) = Property::from_name(title) {
        return Ok(progmp_verifier::explain(property).to_owned());
    }
    if let Ok(code) = what.parse::<Code>() {
        return Ok(code.explanation());
    }
    if let Some((id, name, text)) = OWN
        .iter()
        .find(|(id, name, _)| id.eq_ignore_ascii_case(what) || *name == what)
    {
        return Ok(format!("{id} {name}: {text}"));
    }
    if let Some((name, text)) = EXPLANATIONS.iter().find(|(name, _)| *name == what) {
        return Ok(format!("{name}: of the shim\n\n{text}\n"));
    }
    match what {
        "properties" => Ok(properties()),
        "codes" => Ok(codes()),
        _ => {
            let names = Property::ALL.iter().map(|property| property.name());
            let codes = Code::ALL.iter().flat_map(|code| [code.id(), code.name()]);
            let own = OWN.iter().flat_map(|(id, name, _)| [*id, *name]);
            let shim = EXPLANATIONS.iter().map(|(name, _)| *name);
            let hint = match closest(what, names.chain(codes).chain(own).chain(shim)) {
                Some(close) => format!("did you mean `{close}`?"),
                None => "`properties` and `codes` list what there is".to_owned(),
            };
            Err(format!("there is no code and no property `{what}`; {hint}"))
        }
    }
}

/// The first sentence of each property, with its level.
fn properties() -> String {
    let mut out = String::new();
    for property in Property::ALL {
        let text = progmp_verifier::explain(property);
        let statement = text
            .split("\n\n")
            .nth(1)
            .unwrap_or_default()
            .replace('\n', " ");
        let first = statement
            .split_once(". ")
            .map_or(&*statement, |(first, _)| first);
        let level = property.default_level().name();
        let _ = writeln!(
            out,
            "{level:<5} {:<28} {}",
            property.name(),
            first.trim_end_matches('.')
        );
    }
    out
}

fn codes() -> String {
    let mut out = String::new();
    let texts = Code::ALL
        .iter()
        .map(|code| (code.id(), code.name(), code.summary()));
    for (id, name, summary) in texts.chain(OWN) {
        let summary = summary.lines().next().unwrap_or_default();
        let _ = writeln!(out, "{id}  {name:<28} {summary}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_and_every_code_is_explained() {
        for property in Property::ALL {
            let text = explanation(property.name()).unwrap();
            assert!(text.starts_with(property.name()), "{property}");
        }
        let text = explanation("no-module").unwrap();
        assert!(text.contains("progmp doctor"), "{text}");
        for code in Code::ALL {
            for name in [
                code.id().to_owned(),
                code.id().to_lowercase(),
                code.name().to_owned(),
            ] {
                assert!(explanation(&name).unwrap().starts_with(code.id()), "{name}");
            }
        }
        for (id, name, _) in OWN {
            assert_eq!(explanation(id), explanation(name));
        }
    }

    #[test]
    fn a_requirement_is_explained_by_its_property() {
        assert_eq!(explanation("redundancy <= 7"), explanation("redundancy"));
        assert_eq!(explanation("prefers(s => s.STALE)"), explanation("prefers"));
    }

    #[test]
    fn lists_name_everything_once() {
        let text = explanation("properties").unwrap();
        assert_eq!(text.lines().count(), Property::ALL.len());
        let text = explanation("codes").unwrap();
        assert_eq!(text.lines().count(), Code::ALL.len() + OWN.len());
    }

    #[test]
    fn an_unknown_word_gets_a_suggestion() {
        let why = explanation("triger-terminates").unwrap_err();
        assert!(why.contains("did you mean `trigger-terminates`?"), "{why}");
        assert!(explanation("").is_err());
    }
}
