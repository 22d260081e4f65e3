//! A node with a model of its own. It does all that `althing` does, and knows one task more:
//!
//! ```sh
//! own-model write-moons moons                        # data for the example
//! testnet run --althing target/debug/own-model --model moons-mlp --dataset moons --data moons --nodes 4 --rounds 5
//! ```

mod model;
mod moons;

use std::{path::Path, process::ExitCode};

use althing_node::{
    learn::{catalogue::Catalogue, classifier},
    program,
};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [command, folder] = &words[..]
        && command == "write-moons"
    {
        return written(moons::write(Path::new(folder)));
    }
    // The names are those of `genesis new --model moons-mlp --dataset moons`. All members must run this program.
    program::main(Catalogue::built_in().with("moons-mlp", "moons", classifier::task(model::Moons)))
}

fn written(outcome: std::io::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("own-model: the moons cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}
