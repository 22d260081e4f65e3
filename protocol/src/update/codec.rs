//! How updates are coded, as one word: `f32`, `q8`, `topk:50`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Most of a thousand parameters that `topk` may send: with more of them it would save nothing worth its loss.
const PERMILLE_MAX: u32 = 500;

/// How updates are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Codec {
    /// `f32`: the parameters as they are, four bytes each.
    #[default]
    F32,
    /// `q8`: the change of each parameter in one byte, with a common scale for every 256 of them, rounded up or down by
    /// chance so that it is right in the mean (Alistarh and others, "QSGD", 2017).
    Q8,
    /// `topk:P`: the `P` of a thousand parameters that have changed most. What is left out is added to the next change
    /// (Stich, Cordonnier and Jaggi, "Sparsified SGD with Memory", 2018).
    TopK {
        /// Parameters sent of a thousand.
        permille: u32,
    },
}

/// Why a word names no codec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// No codec has this name and shape.
    #[error("`{0}` is no codec; say f32, q8 or topk:P")]
    Unknown(String),
    /// Not a part of a thousand.
    #[error("`{0}` is not how many of a thousand parameters to send; say from 1 to {PERMILLE_MAX}, as in topk:50")]
    Permille(String),
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F32 => f.write_str("f32"),
            Self::Q8 => f.write_str("q8"),
            Self::TopK { permille } => write!(f, "topk:{permille}"),
        }
    }
}

impl FromStr for Codec {
    type Err = CodecError;

    fn from_str(text: &str) -> Result<Self, CodecError> {
        match text.split_once(':') {
            None if text == "f32" => Ok(Self::F32),
            None if text == "q8" => Ok(Self::Q8),
            Some(("topk", number)) => Ok(Self::TopK { permille: permille(number)? }),
            _ => Err(CodecError::Unknown(text.chars().take(40).collect())),
        }
    }
}

/// One way to write each number: without a sign and without leading zeros.
fn permille(text: &str) -> Result<u32, CodecError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let number = text.parse().ok().filter(|number| plain && (1..=PERMILLE_MAX).contains(number));
    number.ok_or_else(|| CodecError::Permille(text.chars().take(40).collect()))
}

impl TryFrom<String> for Codec {
    type Error = CodecError;

    fn try_from(text: String) -> Result<Self, CodecError> {
        text.parse()
    }
}

impl From<Codec> for String {
    fn from(codec: Codec) -> Self {
        codec.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_is_one_word() {
        for word in ["f32", "q8", "topk:1", "topk:50", "topk:500"] {
            let codec: Codec = word.parse().unwrap();
            assert_eq!(codec.to_string(), word);
            assert_eq!(serde_json::to_string(&codec).unwrap(), format!("\"{word}\""));
            assert_eq!(serde_json::from_str::<Codec>(&format!("\"{word}\"")).unwrap(), codec);
        }
    }

    #[test]
    fn other_words_are_refused_with_words() {
        for word in ["", "f16", "q8:", "f32:1", "topk", "TOPK:1"] {
            assert!(word.parse::<Codec>().unwrap_err().to_string().contains("say f32, q8"), "{word}");
        }
        for word in ["topk:", "topk:0", "topk:501", "topk:+5", "topk:050", "topk:5%", "topk:4294967297"] {
            assert!(word.parse::<Codec>().unwrap_err().to_string().contains("from 1 to 500"), "{word}");
        }
    }
}
