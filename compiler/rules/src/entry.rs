//! The lines of a rule file, rule by rule.

/// What is wrong with a rule file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct Mistake {
    /// The file.
    pub file: String,
    /// The line, 1-based.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// One rule as it is written.
pub(crate) struct Entry<'t> {
    pub(crate) name: &'t str,
    /// The line that names it.
    pub(crate) start: usize,
    /// The others, with their numbers.
    pub(crate) lines: Vec<(usize, &'t str)>,
}

/// Makes a rule of each entry of a file; all mistakes, at most one for each rule.
pub(crate) fn entries<'t, T>(
    file: &str,
    text: &'t str,
    make: impl Fn(&Entry<'t>) -> Result<T, (usize, String)>,
) -> Result<Vec<T>, Vec<Mistake>> {
    let (mut rules, mut mistakes) = (Vec::new(), Vec::new());
    let mut names: Vec<&str> = Vec::new();
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .peekable();
    while let Some((start, line)) = lines.next() {
        let name = line.strip_prefix("rule ").map(str::trim);
        let mut entry = Entry {
            name: name.unwrap_or_default(),
            start,
            lines: Vec::new(),
        };
        while let Some(line) = lines.next_if(|(_, line)| !line.starts_with("rule ")) {
            entry.lines.push(line);
        }
        let result = match name {
            None => Err((start, "a rule begins with `rule <name>`".to_owned())),
            Some(name) if names.contains(&name) => {
                Err((start, format!("there is another rule `{name}`")))
            }
            Some(name) => {
                names.push(name);
                make(&entry)
            }
        };
        match result {
            Ok(rule) => rules.push(rule),
            Err((line, what)) => mistakes.push(Mistake {
                file: file.to_owned(),
                line,
                what,
            }),
        }
    }
    if mistakes.is_empty() {
        Ok(rules)
    } else {
        Err(mistakes)
    }
}
