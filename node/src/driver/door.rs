//! Both sides of the door: a member that is asked to let somebody in, and a node that asks.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use althing_protocol::{
    crypto::Signed,
    ids::{MemberId, NetworkId},
    ledger::Ledger,
    machine::SubmitError,
    statement::{Action, Application, Instruction, Newcomer},
};
use tokio::sync::watch;

use super::shell::Shell;
use crate::{
    door::{Knock, Welcome},
    failure::Failure,
    invitation::Pass,
    keyfile::KeyFile,
    net::{Admission, Multiaddr, Network, ReplyToken},
    text::one_line,
};

/// Who may be connected, as far as this node knows: whoever serves peers looks it up there.
pub(super) type Roster = watch::Sender<Arc<BTreeSet<MemberId>>>;

/// Who may be connected, as `ledger` has it: members, and whoever has an account may follow. So a member that leaves
/// still hears that it has left.
pub(super) fn roster(ledger: &Ledger) -> Arc<BTreeSet<MemberId>> {
    Arc::new(ledger.accounts.keys().chain(ledger.guests.keys()).copied().collect())
}

/// What this node says to be let in.
pub(super) struct Applicant {
    pass: Pass,
    /// Where the invitation lies.
    path: PathBuf,
    key: KeyFile,
    network: NetworkId,
}

impl Applicant {
    /// The owner of `key`, who was handed the invitation at `path`.
    pub(super) fn load(path: &Path, key: KeyFile, network: NetworkId) -> Result<Self, Failure> {
        let pass = Pass::load(path)?;
        if pass.network == network {
            return Ok(Self { pass, path: path.to_owned(), key, network });
        }
        Err(Failure::user(format_args!(
            "{} invites to network {}, but the genesis is that of {network}; use the files that `althing join` has made",
            path.display(),
            pass.network
        )))
    }

    /// Where members may be found.
    pub(super) fn addresses(&self) -> Vec<Multiaddr> {
        self.pass.addresses()
    }

    /// The application, when so many instructions of this key were carried out before.
    fn application(&self, nonce: u64) -> Signed<Instruction> {
        let newcomer = Newcomer { name: self.key.name.clone(), anchor: self.key.anchor() };
        let (invitation, ticket) = (self.pass.invitation.clone(), self.pass.ticket());
        let application = Application::new(newcomer, self.key.id(), invitation, &ticket, &self.network);
        let instruction = Instruction { nonce, action: Action::Join(Box::new(application)) };
        Signed::new(&self.key.keypair(), &self.network, &instruction)
    }
}

impl Shell {
    /// Lets the network know who may be connected now.
    pub(super) async fn call_the_roll(&mut self, ledger: &Ledger) {
        let now = roster(ledger);
        if *now == **self.roster.borrow() {
            return;
        }
        self.network.admit(Admission::MembersOnly(BTreeSet::clone(&now))).await;
        self.roster.send_replace(now);
    }

    /// Answers somebody at the door.
    pub(super) async fn answer_the_door(
        &mut self,
        from: MemberId,
        bytes: &[u8],
        reply: ReplyToken,
    ) -> Result<(), Failure> {
        let welcome = match Knock::decode(bytes) {
            Ok(Knock::Genesis) => Welcome::Genesis(Box::new((*self.genesis).clone())),
            Ok(Knock::Join(signed)) if signed.signer == from => self.take_application(signed).await?,
            Ok(Knock::Join(_)) => Welcome::Refused("the application is somebody else's".into()),
            Err(error) => Welcome::Refused(format!("the knock is {error}; compare the versions of both nodes")),
        };
        self.network.respond(reply, welcome.encode()).await;
        Ok(())
    }

    async fn take_application(&mut self, signed: Signed<Instruction>) -> Result<Welcome, Failure> {
        let (applicant, now) = (signed.signer, self.now());
        if self.machine.state().ledger.accounts.contains_key(&applicant) {
            // It has not heard yet that it is in.
            return Ok(Welcome::Heard);
        }
        let (taken, effects) = self.machine.submit(signed, now).map_err(Failure::machine)?;
        self.carry_out(effects).await?;
        Ok(match taken {
            Ok(()) | Err(SubmitError::Taken(_)) => Welcome::Heard,
            Err(why) => {
                tracing::info!(%applicant, %why, "somebody at the door cannot be let in");
                Welcome::Refused(why.to_string())
            }
        })
    }

    /// Who has left does not come back by the invitation that it once came by, now or after a restart.
    pub(super) fn give_up_invitation(&mut self) {
        let Some(Applicant { path, .. }) = self.applicant.take() else { return };
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "remove the invitation, or this node comes back by it");
        }
    }

    /// Asks `member` to be let in, as long as this node is no member.
    pub(super) fn ask_to_join(&self, member: MemberId) {
        let Some(applicant) = self.applicant.as_ref().filter(|_| !self.machine.is_member()) else { return };
        let me = self.me;
        let nonce = self.machine.state().ledger.standing(&me).map_or(0, |(nonce, _)| nonce);
        let (network, knock) = (self.network.clone(), Knock::Join(applicant.application(nonce)));
        tokio::spawn(async move { apply(&network, member, &knock).await });
    }
}

/// Hands the application in at `member`'s, and says what comes of it. It is done again whenever a member is met.
async fn apply(network: &Network, member: MemberId, knock: &Knock) {
    let answer = match network.knock(member, knock.encode()).await {
        Ok(answer) => answer,
        Err(error) => return tracing::debug!(%member, %error, "nobody answers the door"),
    };
    match Welcome::decode(&answer) {
        Ok(Welcome::Heard) => {
            tracing::info!(%member, "the application is passed on; the next Plan may let this node in")
        }
        Ok(Welcome::Refused(why)) => tracing::warn!(%member, "this node is not let in: {}", one_line(&why)),
        Ok(Welcome::Genesis(_)) | Err(_) => tracing::debug!(%member, "an answer at the door makes no sense"),
    }
}
