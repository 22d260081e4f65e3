#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| althing_fuzz::run("epidemic", bytes));
