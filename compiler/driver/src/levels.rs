//! `--deny`, `--allow`, `--require`: what a finding means for the gate.

use std::collections::BTreeSet;

use progmp_verifier::{Finding, Level, Property};

/// The levels in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    deny: BTreeSet<Property>,
    allow: BTreeSet<Property>,
    /// Requirements in the syntax of `/* @require … */`.
    pub require: Vec<String>,
}

/// How a property with a parameter is asked for.
const fn form(property: Property) -> Option<&'static str> {
    match property {
        Property::Redundancy => Some("redundancy <= 1"),
        Property::Prefers => Some("prefers(s => !s.IS_BACKUP)"),
        Property::Fair => Some("fair <= 2"),
        _ => None,
    }
}

impl Levels {
    /// The levels that the options ask for.
    ///
    /// # Errors
    /// A message for the user: a name that there is not, or a contradiction.
    pub fn new(deny: &[String], allow: &[String], require: &[String]) -> Result<Self, String> {
        let mut levels = Self::default();
        for name in allow {
            levels.allow.insert(property(name, "--allow")?);
        }
        for name in deny {
            levels.gate(property(name, "--deny")?, "--deny")?;
        }
        for text in require {
            let text = text.trim();
            let head = text.split(|c: char| c == '<' || c == '≤' || c.is_whitespace());
            let head = head.into_iter().next().unwrap_or_default();
            match Property::from_name(text) {
                Some(found) if form(found).is_none() => levels.gate(found, "--require")?,
                _ if head.starts_with("prefers(") || text == "any-size" || text.contains(',') => {
                    levels.require.push(text.to_owned());
                }
                _ => match property(head, "--require")? {
                    found if form(found).is_some() && text != found.name() => {
                        levels.require.push(text.to_owned());
                    }
                    found if form(found).is_some() => {
                        return Err(wants_parameter(found, "--require"));
                    }
                    found => {
                        return Err(format!(
                            "--require {text}: `{found}` takes no parameter; write `--require {found}`"
                        ));
                    }
                },
            }
        }
        if let Some(both) = levels.deny.intersection(&levels.allow).next() {
            return Err(format!(
                "`{both}` is both allowed and denied (or required); say one of them"
            ));
        }
        Ok(levels)
    }

    fn gate(&mut self, property: Property, option: &str) -> Result<(), String> {
        if form(property).is_some() {
            return Err(wants_parameter(property, option));
        }
        self.deny.insert(property);
        if property.default_level() == Level::Ask {
            self.require.push(property.name().to_owned());
        }
        Ok(())
    }

    /// What this finding means for the gate: denied findings gate, allowed ones are reported.
    pub fn of(&self, finding: &Finding) -> Level {
        if self.deny.contains(&finding.property) {
            return Level::Gate;
        }
        match finding.level {
            Level::Gate | Level::Ask if self.allow.contains(&finding.property) => Level::Warn,
            level => level,
        }
    }
}

fn wants_parameter(property: Property, option: &str) -> String {
    let example = form(property).unwrap_or_default();
    format!("{option} {property}: it takes a parameter; write `--require '{example}'`")
}

fn property(name: &str, option: &str) -> Result<Property, String> {
    let name = name.trim();
    Property::from_name(name).ok_or_else(|| {
        let names = Property::ALL.iter().map(|p| p.name());
        let hint = match closest(name, names) {
            Some(close) => format!("did you mean `{close}`?"),
            None => "`--explain properties` lists them all".to_owned(),
        };
        format!("{option} {name}: there is no such property; {hint}")
    })
}

/// The candidate that a misspelt word probably meant.
pub fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let near = |candidate: &'c str| {
        let likeness = strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase());
        (likeness > 0.82).then_some((likeness, candidate))
    };
    candidates
        .into_iter()
        .filter_map(near)
        // The first of equals, so that the answer does not depend on anything else.
        .fold(None, |best: Option<(f64, &str)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use progmp_verifier::Verdict;

    fn finding(property: Property) -> Finding {
        Finding {
            property,
            title: property.name().to_owned(),
            verdict: Verdict::Refuted,
            level: property.default_level(),
            span: None,
            message: String::new(),
            help: None,
            bound: None,
            follows_from: None,
            counterexample: None,
        }
    }

    fn levels(deny: &[&str], allow: &[&str], require: &[&str]) -> Result<Levels, String> {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        Levels::new(&owned(deny), &owned(allow), &owned(require))
    }

    #[test]
    fn a_denied_warning_gates_and_an_allowed_gate_is_reported() {
        let levels = levels(&["null-is-masked"], &["trigger-is-short"], &[]).unwrap();
        assert_eq!(levels.of(&finding(Property::NullIsMasked)), Level::Gate);
        assert_eq!(levels.of(&finding(Property::TriggerIsShort)), Level::Warn);
        assert_eq!(levels.of(&finding(Property::NoWrap)), Level::Warn);
        assert_eq!(levels.of(&finding(Property::DropIsLicensed)), Level::Gate);
    }

    #[test]
    fn an_allowed_warning_or_note_stays_what_it_is() {
        let levels = levels(&[], &["no-wrap", "push-may-be-skipped"], &[]).unwrap();
        assert_eq!(levels.of(&finding(Property::NoWrap)), Level::Warn);
        assert_eq!(levels.of(&finding(Property::PushMayBeSkipped)), Level::Note);
    }

    #[test]
    fn requirements_are_handed_on_and_other_properties_gate() {
        let asked = [
            "redundancy <= 2",
            "no-wrap",
            "work-conserving(Q)",
            "any-size",
            "prefers(s => s.STALE)",
        ];
        let levels = levels(&[], &[], &asked).unwrap();
        let handed = [
            "redundancy <= 2",
            "work-conserving(Q)",
            "any-size",
            "prefers(s => s.STALE)",
        ];
        assert_eq!(levels.require, handed);
        assert_eq!(levels.of(&finding(Property::NoWrap)), Level::Gate);
    }

    #[test]
    fn a_misspelt_name_gets_a_suggestion() {
        let error = levels(&["null-is-maskd"], &[], &[]).unwrap_err();
        assert!(error.ends_with("did you mean `null-is-masked`?"), "{error}");
        let error = levels(&[], &[], &["redundanzy <= 2"]).unwrap_err();
        assert!(error.ends_with("did you mean `redundancy`?"), "{error}");
        let error = levels(&[], &["xyzzy"], &[]).unwrap_err();
        assert!(error.contains("--explain properties"), "{error}");
    }

    #[test]
    fn a_missing_or_superfluous_parameter_is_told() {
        let error = levels(&["redundancy"], &[], &[]).unwrap_err();
        assert!(error.contains("--require 'redundancy <= 1'"), "{error}");
        let error = levels(&[], &[], &["fair"]).unwrap_err();
        assert!(error.contains("--require 'fair <= 2'"), "{error}");
        let error = levels(&[], &[], &["no-wrap <= 3"]).unwrap_err();
        assert!(error.contains("takes no parameter"), "{error}");
    }

    #[test]
    fn both_allowed_and_denied_is_a_contradiction() {
        assert!(levels(&["no-wrap"], &["no-wrap"], &[]).is_err());
    }
}
