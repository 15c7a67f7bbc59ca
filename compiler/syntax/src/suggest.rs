//! "Did you mean": the candidate closest to what was written.

/// Candidates looked at; more cannot all be what was meant.
const CANDIDATES: usize = 2048;

/// The candidate with the fewest edits from `written` (insertions, deletions,
/// substitutions, transpositions; case counts half), if they are few for its
/// length. Of equals the first.
pub(crate) fn closest<'c>(
    written: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let folded = written.to_ascii_uppercase();
    let allowed = 2 * (written.chars().count() / 3).clamp(1, 4);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.into_iter().take(CANDIDATES) {
        if candidate.len().abs_diff(written.len()) > allowed {
            continue;
        }
        let exact = strsim::damerau_levenshtein(written, candidate);
        let loose = strsim::damerau_levenshtein(&folded, &candidate.to_ascii_uppercase());
        let distance = exact + loose;
        let near = loose * 2 <= allowed && (loose < candidate.chars().count());
        if near && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_finds_its_word() {
        let words = ["THROTTLED", "TSQ_THROTTLED", "RTT", "RTT_MS"];
        assert_eq!(closest("TSQ_THROTLED", words), Some("TSQ_THROTTLED"));
        assert_eq!(closest("RTTMS", words), Some("RTT_MS"));
        assert_eq!(closest("rtt", words), Some("RTT"));
    }

    #[test]
    fn what_is_far_from_all_words_finds_none() {
        assert_eq!(closest("bandwidth", ["RTT", "CWND"]), None);
        assert_eq!(closest("x", ["y"]), None);
        assert_eq!(closest("x", []), None);
    }
}
