//! Rule files: one rule after the other, each line a key and what belongs to it.

use crate::entry::{Mistake, entries};
use crate::op::{Op, Sort};
use crate::rule::{Guard, Hole, HoleSort, Rule, Tier};
use crate::sexpr::{self, Sexpr};
use crate::term::Pattern;

/// Reads the text of one file of rules between values.
///
/// # Errors
/// Every mistake in it, at most one for each rule.
pub fn parse(file: &str, text: &str) -> Result<Vec<Rule>, Vec<Mistake>> {
    entries(file, text, |entry| {
        let mut draft = Draft {
            name: entry.name.to_owned(),
            ..Draft::default()
        };
        for &(number, line) in &entry.lines {
            draft.line(line).map_err(|what| (number, what))?;
        }
        draft.finish().map_err(|what| (entry.start, what))
    })
}

#[derive(Default)]
struct Draft {
    name: String,
    why: Option<String>,
    holes: Vec<Hole>,
    from: Option<Pattern>,
    to: Option<Pattern>,
    guards: Vec<Guard>,
    miss: Miss,
}

/// In what the near miss differs from the rule.
#[derive(Default)]
struct Miss {
    from: Option<Pattern>,
    to: Option<Pattern>,
    unguarded: bool,
}

impl Draft {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match key {
            "why" if self.why.is_none() => self.why = Some(rest.to_owned()),
            "for" if self.from.is_none() => self.declare(rest)?,
            "from" if self.from.is_none() => self.from = Some(self.pattern(rest)?),
            "to" if self.to.is_none() => self.to = Some(self.pattern(rest)?),
            "given" => {
                let guard = self.guard(rest)?;
                self.guards.push(guard);
            }
            "miss" => match rest.split_once(' ') {
                Some(("from", text)) if self.miss.from.is_none() => {
                    self.miss.from = Some(self.pattern(text)?);
                }
                Some(("to", text)) if self.miss.to.is_none() => {
                    self.miss.to = Some(self.pattern(text)?);
                }
                None if rest == "unguarded" => self.miss.unguarded = true,
                _ => return Err("a near miss is `from`, `to` or `unguarded`".to_owned()),
            },
            "why" | "for" | "from" | "to" => {
                return Err(format!("`{key}` does not belong here"));
            }
            other => return Err(format!("`{other}` is no key of a rule")),
        }
        Ok(())
    }

    /// `a b: int, p: predicate`.
    fn declare(&mut self, text: &str) -> Result<(), String> {
        for group in text.split(',') {
            let (names, sort) = group
                .split_once(':')
                .ok_or("holes are `a b: int, l: list`")?;
            let sort = sort.trim();
            let sort = HoleSort::named(sort).ok_or_else(|| format!("`{sort}` is no sort"))?;
            for name in names.split_whitespace() {
                if self.holes.iter().any(|hole| hole.name == name) {
                    return Err(format!("`{name}` is declared twice"));
                }
                let name = name.to_owned();
                self.holes.push(Hole { name, sort });
            }
        }
        Ok(())
    }

    fn guard(&self, text: &str) -> Result<Guard, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["non-null", hole] => Ok(Guard::NonNull(self.hole(hole)?)),
            ["at-most", most, hole] => {
                let hole = self.hole(hole)?;
                let most = most.parse();
                let most = most.map_err(|_| format!("`{text}` names no number"))?;
                if self.holes[hole].sort != HoleSort::Of(Sort::List) {
                    return Err(format!("`{text}` speaks of no list"));
                }
                Ok(Guard::AtMost(hole, most))
            }
            _ => Err("a guard is `non-null ?hole` or `at-most 1 ?list`".to_owned()),
        }
    }

    fn hole(&self, word: &str) -> Result<usize, String> {
        let name = word.strip_prefix('?');
        let found = name.and_then(|name| self.holes.iter().position(|hole| hole.name == name));
        found.ok_or_else(|| format!("`{word}` is not declared; holes are `?name`"))
    }

    fn pattern(&self, text: &str) -> Result<Pattern, String> {
        let pattern = self.build(&sexpr::read(text)?, 0)?;
        self.sort(&pattern)?;
        Ok(pattern)
    }

    fn build(&self, sexpr: &Sexpr<'_>, depth: usize) -> Result<Pattern, String> {
        match sexpr {
            Sexpr::Word(word) if word.starts_with('?') => {
                let number = self.hole(word)?;
                if self.holes[number].sort.depth() != depth {
                    return Err(format!("`{word}` cannot stand under {depth} lambdas"));
                }
                Ok(Pattern::Hole(number))
            }
            Sexpr::Word(word) => self.node(word, &[], depth),
            Sexpr::List(parts) => match parts.split_first() {
                Some((Sexpr::Word(word), args)) => self.node(word, args, depth),
                _ => Err("`(` is followed by an operator".to_owned()),
            },
        }
    }

    fn node(&self, word: &str, args: &[Sexpr<'_>], depth: usize) -> Result<Pattern, String> {
        let op = match word.parse::<u64>() {
            Ok(value) => Op::Int(value),
            Err(_) => Op::named(word).ok_or_else(|| format!("`{word}` is no operator"))?,
        };
        let wanted = op.operands().len();
        if args.len() != wanted {
            return Err(format!(
                "`{word}` has {wanted} operands, not {}",
                args.len()
            ));
        }
        let mut built = Vec::new();
        for (index, arg) in args.iter().enumerate() {
            let inner = op.binds() && index + 1 == wanted;
            built.push(self.build(arg, depth + usize::from(inner))?);
        }
        Ok(Pattern::Node(op, built))
    }

    fn sort(&self, pattern: &Pattern) -> Result<Sort, String> {
        let Pattern::Node(op, args) = pattern else {
            let Pattern::Hole(number) = pattern else {
                unreachable!("a pattern is a hole or a node")
            };
            return Ok(self.holes[*number].sort.sort());
        };
        let sorts = args
            .iter()
            .map(|arg| self.sort(arg))
            .collect::<Result<Vec<_>, _>>()?;
        let fits = match op {
            Op::Equal | Op::Unequal => sorts[0] == sorts[1] && sorts[0] != Sort::List,
            _ => sorts == op.operands(),
        };
        if fits {
            Ok(op.sort())
        } else {
            Err(format!("`{op}` does not take {sorts:?}"))
        }
    }

    fn finish(self) -> Result<Rule, String> {
        let missing = |key: &str| format!("`{key}` is missing");
        let why = self.why.clone().ok_or_else(|| missing("why"))?;
        let from = self.from.clone().ok_or_else(|| missing("from"))?;
        let to = self.to.clone().ok_or_else(|| missing("to"))?;
        if self.miss.unguarded && self.guards.is_empty() {
            return Err("there is no guard to leave out".to_owned());
        }
        if !self.miss.unguarded && self.miss.from.is_none() && self.miss.to.is_none() {
            return Err(missing("miss"));
        }
        let guards = if self.miss.unguarded {
            Vec::new()
        } else {
            self.guards.clone()
        };
        let miss = (
            self.miss.from.clone().unwrap_or_else(|| from.clone()),
            self.miss.to.clone().unwrap_or_else(|| to.clone()),
            guards,
        );
        if matches!(from, Pattern::Hole(_)) {
            return Err("`from` is a mere hole: the rule would apply everywhere".to_owned());
        }
        for (left, right) in [(&from, &to), (&miss.0, &miss.1)] {
            if self.sort(left)? != self.sort(right)? {
                return Err("both sides must have one sort".to_owned());
            }
            let (mut known, mut used) = (Vec::new(), Vec::new());
            left.holes(&mut known);
            right.holes(&mut used);
            if let Some(free) = used.iter().find(|hole| !known.contains(hole)) {
                let name = &self.holes[*free].name;
                return Err(format!("`?{name}` stands only on the right"));
            }
        }
        // The proof takes all lists of a rule to start from the same one.
        let is_list = |hole: &&Hole| hole.sort == HoleSort::Of(Sort::List);
        if self.holes.iter().filter(is_list).count() > 1 {
            return Err("a rule speaks of one list".to_owned());
        }
        let lists = |hole: &Hole| hole.sort.depth() > 0 || hole.sort.sort() == Sort::List;
        let tier = if self.holes.iter().any(lists) {
            Tier::List
        } else {
            Tier::Value
        };
        Ok(Rule {
            name: self.name,
            tier,
            why,
            holes: self.holes,
            from,
            to,
            guards: self.guards,
            miss: Box::new(miss),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "rule not-not\nwhy twice\nfor x: bool\nfrom (not (not ?x))\nto ?x\nmiss to (not ?x)\n";

    fn mistake(text: &str) -> String {
        let mistakes = parse("test.rules", text).expect_err("there is a mistake");
        mistakes[0].to_string()
    }

    #[test]
    fn a_rule_is_read() {
        let rules = parse("test.rules", GOOD).expect("it is right");
        assert_eq!(rules[0].name, "not-not");
        assert_eq!(rules[0].tier, Tier::Value);
        assert_eq!(rules[0].to, Pattern::Hole(0));
    }

    #[test]
    fn the_rules_of_this_project_have_no_mistake_and_no_name_twice() {
        let rules = crate::all().rules;
        let mut names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), rules.len());
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (from, to, what) in [
            (
                "(not (not ?x))",
                "(not (not ?y))",
                "test.rules:4: `?y` is not declared",
            ),
            (
                "(not (not ?x))",
                "(not (nut ?x))",
                "test.rules:4: `nut` is no operator",
            ),
            (
                "(not (not ?x))",
                "(not (+ ?x 1))",
                "test.rules:4: `+` does not take",
            ),
            (
                "(not (not ?x))",
                "(not ?x ?x)",
                "test.rules:4: `not` has 1 operands",
            ),
            (
                "(not (not ?x))",
                "?x",
                "test.rules:1: `from` is a mere hole",
            ),
            ("to ?x", "to 7", "test.rules:1: both sides"),
            ("why twice\n", "", "test.rules:1: `why` is missing"),
            (
                "miss to (not ?x)",
                "miss unguarded",
                "test.rules:1: there is no guard",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert!(mistake(&text).starts_with(what), "{}", mistake(&text));
        }
        assert!(mistake(&GOOD.repeat(2)).contains("another rule"));
        assert!(mistake("from ?x").contains("begins with"));
    }

    #[test]
    fn a_rule_speaks_of_one_list_and_says_how_long_it_is() {
        let text =
            "rule r\nwhy w\nfor l m: list\nfrom (== (count ?l) (count ?m))\nto true\nmiss to false";
        assert!(mistake(text).contains("a rule speaks of one list"));
        let text = |guard: &str| {
            format!(
                "rule r\nwhy w\nfor l: list, a: int\nfrom (get ?l ?a)\nto (first ?l)\ngiven {guard}\nmiss unguarded"
            )
        };
        let rules = parse("test.rules", &text("at-most 1 ?l")).expect("it is right");
        assert_eq!(rules[0].guards, [Guard::AtMost(0, 1)]);
        assert!(mistake(&text("at-most 1 ?a")).contains("speaks of no list"));
        assert!(mistake(&text("at-most x ?l")).contains("names no number"));
        assert!(mistake(&text("at-least 1 ?l")).contains("a guard is"));
    }

    #[test]
    fn a_hole_keeps_to_its_depth() {
        let text = "rule r\nwhy w\nfor l: list, b: bool\nfrom (filter ?l ?b)\nto ?l\nmiss to ?l";
        assert!(mistake(text).contains("cannot stand under 1 lambdas"));
    }
}
