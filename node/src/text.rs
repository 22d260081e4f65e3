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

/// Credits with up to six places after the point, as micro-credits.
///
/// # Errors
/// What is wrong with `text`.
pub fn micro_credits(text: &str) -> Result<u64, String> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || places.len() > 6 || !is_number(whole) || !is_number(places) {
        return Err("give a number with at most six places after the point, as 1.5".to_owned());
    }
    let amount = format!("{whole}{places:0<6}").parse();
    amount.map_err(|_| "more than there can be".to_owned())
}

/// A part from 0 to 1, in millionths.
///
/// # Errors
/// What is wrong with `text`.
pub fn part_ppm(text: &str) -> Result<u32, String> {
    let ppm = micro_credits(text)?;
    u32::try_from(ppm).ok().filter(|ppm| *ppm <= 1_000_000).ok_or_else(|| "give a number from 0 to 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_are_read_to_the_millionth_and_no_further() {
        assert_eq!(
            ["0", "1.5", "20", "0.000001", "3."].map(micro_credits).map(Result::unwrap),
            [0, 1_500_000, 20_000_000, 1, 3_000_000]
        );
        for wrong in ["", ".5", "1.0000001", "-1", "1,5", "1e3", "18446744073710"] {
            assert!(micro_credits(wrong).is_err(), "{wrong}");
        }
        assert_eq!((part_ppm("0.97"), part_ppm("1.01").is_err()), (Ok(970_000), true));
    }

    #[test]
    fn credits_are_millions_of_micro_credits() {
        assert_eq!([0, 1, 12_345_678].map(credits), ["0.000000", "0.000001", "12.345678"]);
    }
}
