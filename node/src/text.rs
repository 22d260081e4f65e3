//! Text that people will read in their terminals.

/// `text` on one line and without what would drive a terminal: parts of it may come from a file or from a peer.
pub fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|letter| !letter.is_control()).collect()
}

/// Micro-credits as credits.
pub fn credits(micro: u64) -> String {
    format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000)
}
