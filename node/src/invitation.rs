//! An invitation as people hand it on: one word that holds all that a newcomer has to know.

use std::{fmt, path::Path, str::FromStr};

use althing_protocol::{
    codec,
    crypto::{Keypair, Signed, StatementError},
    ids::NetworkId,
    statement::Invitation,
};
use libp2p::Multiaddr;
use rand::{TryRng, rngs::SysRng};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    files::{self, FileError, Readers},
    keyfile::check_name,
    net::SharedKey,
};

/// What every such word begins with.
const PREFIX: &str = "althing-invitation-";

/// Longest invitation, in bytes before it is put into letters.
const MAX_BYTES: usize = 2 * 1024;

/// Addresses that one holds.
pub const MAX_ADDRESSES: usize = 8;

/// An invitation with its ticket, and where to go with it. Whoever reads it can use it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// Of which federation.
    pub network: NetworkId,
    /// What that calls itself.
    pub federation: String,
    /// What the inviter says.
    pub invitation: Signed<Invitation>,
    /// The ticket's secret key.
    ticket: [u8; 32],
    /// Where members may be found.
    addresses: Vec<ByteBuf>,
    /// The key of the network, if it is private.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shared_key: Option<SharedKey>,
}

/// Why a word is no invitation.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// Something is missing or was changed on its way.
    #[error("this is no invitation, or not all of it; copy the whole word that begins with {PREFIX}")]
    Damaged,
    /// It was not signed like this.
    #[error("the invitation is not what its inviter signed ({0}); ask for another")]
    Forged(#[from] StatementError),
    /// Its file cannot be read or made.
    #[error("invitation: {0}")]
    File(#[from] FileError),
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers ({0}), and a ticket without them is none; try again later")]
    Randomness(String),
}

/// What an invitation allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How many may join by it.
    pub uses: u32,
    /// The last round in which anybody may.
    pub last_round: althing_protocol::ids::Round,
}

impl Pass {
    /// A new invitation into the federation of `network` by the member with this key, with a ticket of its own.
    ///
    /// # Errors
    /// [`PassError::Randomness`] when there is none for the ticket.
    pub fn new(
        inviter: &Keypair,
        (network, federation): (NetworkId, &str),
        terms: Terms,
        addresses: &[Multiaddr],
    ) -> Result<Self, PassError> {
        let mut ticket = [0; 32];
        SysRng.try_fill_bytes(&mut ticket).map_err(|error| PassError::Randomness(error.to_string()))?;
        let Terms { uses, last_round } = terms;
        let invitation = Invitation { ticket: Keypair::from_secret(ticket).id(), uses, last_round };
        let addresses = addresses.iter().take(MAX_ADDRESSES).map(|address| ByteBuf::from(address.to_vec()));
        Ok(Self {
            network,
            federation: federation.to_owned(),
            invitation: Signed::new(inviter, &network, &invitation),
            ticket,
            addresses: addresses.collect(),
            shared_key: None,
        })
    }

    /// The same, with the key of a private network.
    #[must_use]
    pub fn with_shared_key(self, shared_key: Option<SharedKey>) -> Self {
        Self { shared_key, ..self }
    }

    /// The key of the network, if it is private.
    pub const fn shared_key(&self) -> Option<&SharedKey> {
        self.shared_key.as_ref()
    }

    /// The key that lets its holder claim the invitation.
    pub fn ticket(&self) -> Keypair {
        Keypair::from_secret(self.ticket)
    }

    /// Where members may be found.
    pub fn addresses(&self) -> Vec<Multiaddr> {
        let addresses = self.addresses.iter().take(MAX_ADDRESSES);
        addresses.filter_map(|bytes| Multiaddr::try_from(bytes.to_vec()).ok()).collect()
    }

    /// What the inviter says, verified.
    ///
    /// # Errors
    /// [`PassError`] when it is forged, or the ticket is not this invitation's.
    pub fn open(&self) -> Result<Invitation, PassError> {
        let invitation = self.invitation.open(&self.network)?;
        let is_whole = invitation.ticket == self.ticket().id() && check_name(&self.federation).is_ok();
        if is_whole { Ok(invitation) } else { Err(PassError::Damaged) }
    }

    /// Writes it to a new file that only its owner can read.
    ///
    /// # Errors
    /// [`PassError::File`] when the file exists already or the disk refuses.
    pub fn create(&self, path: &Path) -> Result<(), PassError> {
        Ok(files::create(path, format!("{self}\n"), Readers::Owner)?)
    }

    /// Reads one that was written so.
    ///
    /// # Errors
    /// [`PassError`] when the file cannot be read or is no invitation.
    pub fn load(path: &Path) -> Result<Self, PassError> {
        files::read(path, 2 * MAX_BYTES as u64 + 64)?.trim().parse()
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", bs58::encode(codec::encode(self)).into_string())
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the ticket nor the network's key: whoever reads a log could use them.
        f.debug_struct("Pass").field("network", &self.network).finish_non_exhaustive()
    }
}

impl FromStr for Pass {
    type Err = PassError;

    fn from_str(word: &str) -> Result<Self, PassError> {
        let letters = word.trim().strip_prefix(PREFIX).ok_or(PassError::Damaged)?;
        if letters.len() > 2 * MAX_BYTES {
            return Err(PassError::Damaged);
        }
        let bytes = bs58::decode(letters).into_vec().map_err(|_| PassError::Damaged)?;
        let pass: Self = codec::decode(&bytes, MAX_BYTES).map_err(|_| PassError::Damaged)?;
        pass.open()?;
        Ok(pass)
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::ids::Round;

    use super::*;

    fn pass() -> Pass {
        let addresses = ["/ip4/192.168.1.5/tcp/4001".parse().unwrap()];
        let terms = Terms { uses: 3, last_round: Round(900) };
        Pass::new(&Keypair::from_secret([1; 32]), (NetworkId([2; 32]), "village"), terms, &addresses).unwrap()
    }

    #[test]
    fn an_invitation_survives_the_mail() {
        let sent = pass();
        let got: Pass = format!("  {sent}\n").parse().unwrap();
        assert_eq!(got, sent);
        assert_eq!(got.addresses(), ["/ip4/192.168.1.5/tcp/4001".parse().unwrap()]);
        assert_eq!(got.open().unwrap().uses, 3);
        assert!(sent.to_string().len() < 600, "{} letters", sent.to_string().len());
        assert!(!format!("{sent:?}").contains(&hex::encode(sent.ticket)[..8]));
    }

    #[test]
    fn the_key_of_a_private_network_travels_in_it_and_without_one_the_word_is_as_it_was() {
        let key = SharedKey::generate().unwrap();
        let private = pass().with_shared_key(Some(key.clone()));
        let got: Pass = private.to_string().parse().unwrap();
        assert_eq!(got.shared_key(), Some(&key));
        let open: Pass = pass().to_string().parse().unwrap();
        assert_eq!(open.shared_key(), None);
        let fields = |pass: &Pass| codec::encode(pass)[0] & 0x1f;
        assert_eq!((fields(&pass()), fields(&private)), (5, 6));
    }

    #[test]
    fn what_was_cut_or_changed_is_none() {
        let word = pass().to_string();
        let forged = Pass { network: NetworkId([3; 32]), ..pass() }.to_string();
        let other_ticket = Pass { ticket: [9; 32], ..pass() }.to_string();
        let rude = Pass { federation: "\x1b[0m".into(), ..pass() }.to_string();
        for (bad, wanted) in [
            (&word[..word.len() - 9], "not all of it"),
            (&word[9..], "not all of it"),
            (&format!("{word}{word}"), "not all of it"),
            ("", "not all of it"),
            (&forged, "is not what its inviter signed"),
            (&other_ticket, "not all of it"),
            (&rude, "not all of it"),
        ] {
            let why = bad.parse::<Pass>().unwrap_err().to_string();
            assert!(why.contains(wanted), "{why}");
        }
    }
}
