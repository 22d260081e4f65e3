//! What travels and what is stored: frozen to the last byte, and decoded without harm whatever the bytes are.

mod decoders;
mod golden;
mod samples;
