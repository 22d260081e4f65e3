//! The live page of a node, for people: the federation at a glance, and this member's part in it.
//!
//! The node renders everything ([`html`]) from its [`Status`](crate::status::Status), its transcript and a [`Board`] that
//! follows its events. The browser's script only asks for the parts again, once a second, and puts in what has changed.
//! Nothing comes from elsewhere, and nothing on the page can change the node.

mod board;
mod curve;
pub(crate) mod html;
#[cfg(test)]
mod tests;

pub use board::{Board, Fault, Past, Row, Said, Scored};

/// The look.
pub(crate) const STYLE: &str = include_str!("page/page.css");

/// What asks for the parts again.
pub(crate) const SCRIPT: &str = include_str!("page/page.js");

/// What a browser may load for the page: what comes from this node, and nothing else.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                                 img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
