//! `althing`.

use std::process::ExitCode;

use althing_node::{learn::catalogue::Catalogue, program};

fn main() -> ExitCode {
    program::main(Catalogue::built_in())
}
