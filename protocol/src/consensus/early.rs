//! Messages of the next height, kept until it starts.
//!
//! Members do not close a round at the same moment. Without this, the first words of the quicker ones would be lost on
//! the slower ones and only come again with the next repetition.

use super::message::Message;
use crate::ids::{Height, MemberId};

/// Most messages that are kept for one member: a proposal, two votes of round 0, and one more to spare.
const KEPT_PER_MEMBER: usize = 4;

/// The messages that are kept, in the order they came. Only authentic ones of members get in.
#[derive(Debug)]
pub(super) struct Early {
    messages: Vec<(MemberId, Message)>,
}

impl Early {
    pub(super) const fn new() -> Self {
        Self { messages: Vec::new() }
    }

    /// Whether there is room for `message` of `member` and it is not here yet.
    pub(super) fn wants(&self, member: MemberId, message: &Message) -> bool {
        let mut kept = self.messages.iter().filter(|(signer, _)| *signer == member);
        kept.clone().count() < KEPT_PER_MEMBER && kept.all(|(_, known)| known != message)
    }

    pub(super) fn keep(&mut self, member: MemberId, message: Message) {
        self.messages.push((member, message));
    }

    /// Drops what is over, now that `decided` is.
    pub(super) fn forget(&mut self, decided: Height) {
        self.messages.retain(|(_, message)| message.height() > decided);
    }

    /// The messages of `height`; all others are dropped.
    pub(super) fn take(&mut self, height: Height) -> Vec<Message> {
        let all = std::mem::take(&mut self.messages).into_iter();
        all.map(|(_, message)| message).filter(|message| message.height() == height).collect()
    }
}
