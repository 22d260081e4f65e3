//! `althing init`, `invite`, `join` and `leave`: how members come, and how they go.

mod ask;
mod home;

use std::path::Path;

use althing_protocol::{
    genesis::{Admission, Genesis},
    ids::Round,
    statement::Action,
};
use libp2p::{Multiaddr, multiaddr::Protocol};
use serde_json::json;

use self::home::{Home, Start};
use super::{
    Answer,
    payer::{Fate, Payer},
};
use crate::{
    cli::{InitArgs, InviteArgs, JoinArgs, LeaveArgs, MemberArg, RunArgs, membership::ROUNDS},
    config::Config,
    failure::Failure,
    genesis_file::{Draft, draft, hiring},
    invitation::{MAX_ADDRESSES, Pass, Terms},
    keyfile::{KeyFile, check_name},
    learn::catalogue::Catalogue,
    net::{Relay, SharedKey},
    status::Door,
};

/// Makes a federation, and its founder's folder.
pub(super) fn init(args: &InitArgs, catalogue: &Catalogue) -> Result<Answer, Failure> {
    home::must_not_exist(&args.dir)?;
    let federation = federation_name(&args.dir)?;
    let key = KeyFile::generate(&args.name)?;
    let mut genesis = found(args, federation.clone(), &key, catalogue)?;
    let unmeasured = genesis.clone();
    let relay = if args.relay { Relay::Serve } else { Relay::Use };
    let shared_key = if args.private { Some(SharedKey::generate()?) } else { None };
    let start =
        Start { port: Some(args.port), relay, invitation: None, shared_key: shared_key.as_ref(), first_model: None };
    let home = Home { dir: &args.dir, key: &key, genesis: &unmeasured, data: &args.data, start };
    // Whoever joins is paid by its data, beside the founder's; so joining under several names earns nothing.
    genesis.market.usual_samples = home.samples(catalogue)?.min(home::PASS_MICRO);
    let made = Home { genesis: &genesis, ..home }.make(catalogue)?;
    let addresses = machine_addresses(args.port)?;
    let terms = Terms { uses: args.uses, last_round: Round(ROUNDS) };
    let pass = Pass::new(&key.keypair(), (genesis.network(), &federation), terms, &addresses)?;
    let pass = pass.with_shared_key(shared_key);
    let config = args.dir.join(home::CONFIG);
    let text = format!(
        "{federation} is founded, network {}; {} has {} examples\n\nstart    althing run --config {}\ninvite   {} may join by this word, until round {ROUNDS}:\n\n{pass}\n",
        genesis.network(),
        args.name,
        made.samples,
        config.display(),
        args.uses,
    );
    let json = json!({
        "network": genesis.network(), "federation": federation, "config": config, "samples": made.samples,
        "invitation": pass.to_string(), "uses": args.uses, "last_round": ROUNDS,
    });
    Ok(Answer { text, json })
}

fn federation_name(dir: &Path) -> Result<String, Failure> {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    check_name(name).map_err(|error| {
        Failure::user(format_args!("the folder's name is the federation's, and {error}; as in `althing init village`"))
    })?;
    Ok(name.to_owned())
}

fn found(args: &InitArgs, name: String, key: &KeyFile, catalogue: &Catalogue) -> Result<Genesis, Failure> {
    let founder = MemberArg { name: key.name.clone(), id: key.id(), anchor: key.anchor() };
    let seed = 1;
    let facts = catalogue.facts(&args.model, &args.dataset, seed)?;
    let (model, dataset) = (args.model.clone(), args.dataset.clone());
    let members = vec![founder.into_member(1)];
    let mut genesis = hiring(draft(Draft { name, model, dataset, seed, members }, facts), args.winners);
    genesis.membership.admission = Admission::Founders;
    Ok(genesis)
}

/// Where this machine can be found, if a node listens at `port`. Without a network it is found on itself.
fn machine_addresses(port: u16) -> Result<Vec<Multiaddr>, Failure> {
    let interfaces = if_addrs::get_if_addrs()
        .map_err(|error| Failure::machine(format_args!("the system does not say its addresses: {error}")))?;
    let mut addresses: Vec<_> = interfaces.iter().map(|interface| interface.ip()).filter(|ip| ip.is_ipv4()).collect();
    addresses.sort_by_key(|ip| (ip.is_loopback(), *ip));
    let tcp = |ip| Multiaddr::from(ip).with(Protocol::Tcp(port));
    Ok(addresses.into_iter().take(MAX_ADDRESSES).map(tcp).collect())
}

/// Makes an invitation, or takes one back.
pub(super) fn invite(args: &InviteArgs) -> Result<Answer, Failure> {
    match &args.revoke {
        Some(pass) => revoke(args, pass),
        None => hand_out(args),
    }
}

fn hand_out(args: &InviteArgs) -> Result<Answer, Failure> {
    let config = Config::load(&args.owner.config)?;
    let (key, genesis) = (KeyFile::load(&config.key)?, crate::genesis_file::load(&config.genesis)?);
    if genesis.membership.admission == Admission::Closed || genesis.member(&key.id()).is_none() {
        return Err(Failure::user(format_args!(
            "{} may not invite members into {}: its genesis allows it to {}",
            key.name,
            genesis.name,
            match genesis.membership.admission {
                Admission::Closed => "nobody",
                Admission::Founders => "its founders only",
            }
        )));
    }
    let port = config.net.listen.iter().find_map(fixed_port);
    let addresses = match (args.addresses.is_empty(), port) {
        (false, _) => args.addresses.clone(),
        (true, Some(port)) => machine_addresses(port)?,
        (true, None) => Vec::new(),
    };
    let last_round = Round(open_round(&config).0.saturating_add(args.rounds));
    let terms = Terms { uses: args.uses, last_round };
    let shared_key = config.net.shared_key_file.as_deref().map(SharedKey::load).transpose()?;
    let pass = Pass::new(&key.keypair(), (genesis.network(), &genesis.name), terms, &addresses)?;
    let pass = pass.with_shared_key(shared_key);
    let hint = match addresses.is_empty() {
        true => {
            "It names no address: it is good on this LAN; --address, or a fixed port in net.listen, would change that.\n"
        }
        false => "",
    };
    let text = format!("{} may join by this word, until round {last_round}. {hint}\n{pass}\n", args.uses);
    let json = json!({
        "network": genesis.network(), "federation": genesis.name, "invitation": pass.to_string(), "uses": args.uses,
        "last_round": last_round, "addresses": addresses,
    });
    Ok(Answer { text, json })
}

/// The TCP port of a listen address, unless the system is to choose one.
fn fixed_port(address: &Multiaddr) -> Option<u16> {
    address.iter().find_map(|part| match part {
        Protocol::Tcp(port) if port != 0 => Some(port),
        _ => None,
    })
}

/// The open round as the running node knows it; the first where none runs, since invitations are mostly made then.
fn open_round(config: &Config) -> Round {
    let books = Door::of(&config.data_dir).and_then(|door| door.books());
    books.map_or(Round(1), |books| books.round)
}

fn revoke(args: &InviteArgs, pass: &Pass) -> Result<Answer, Failure> {
    let payer = Payer::of(&args.owner)?;
    let invitation = pass.open()?;
    if pass.invitation.signer != payer.id() {
        return Err(Failure::user("this invitation is another member's; only whoever gave it can take it back"));
    }
    let fate = payer.instruct(&payer.books()?, Action::Revoke(invitation))?;
    Ok(decided(&fate, "the invitation is taken back", json!({ "ticket": invitation.ticket })))
}

/// Lets a member go.
pub(super) fn leave(args: &LeaveArgs) -> Result<Answer, Failure> {
    let payer = Payer::of(&args.owner)?;
    let fate = payer.instruct(&payer.books()?, Action::Leave)?;
    let what = "this node is no member any more once the open round is settled; its credits stay its own";
    Ok(decided(&fate, what, json!({ "member": payer.id() })))
}

fn decided(fate: &Fate, what: &str, mut json: serde_json::Value) -> Answer {
    let decided = matches!(fate, Fate::Decided(_));
    json["decided"] = decided.into();
    let text = if decided { format!("{what}\n") } else { format!("handed in: {what}\n") };
    Answer { text, json }
}

/// Makes a newcomer's folder, and says how to run its node.
pub(super) fn join(args: &JoinArgs, catalogue: &Catalogue) -> Result<(Answer, RunArgs), Failure> {
    let pass = &args.invitation;
    let dir = args.dir.clone().unwrap_or_else(|| pass.federation.clone().into());
    home::must_not_exist(&dir)?;
    let key = KeyFile::generate(&args.name)?;
    let genesis = ask::genesis(pass, &key)?;
    let first_model = args.first_model.as_deref();
    let start =
        Start { port: None, relay: Relay::Use, invitation: Some(pass), shared_key: pass.shared_key(), first_model };
    let home = Home { dir: &dir, key: &key, genesis: &genesis, data: &args.data, start };
    let made = home.make(catalogue)?;
    let config = dir.join(home::CONFIG);
    let (name, network) = (&genesis.name, genesis.network());
    let text = format!(
        "{name} is network {network}, as the invitation says; {} has {} examples\nstart    althing run --config {}\n",
        args.name,
        made.samples,
        config.display()
    );
    let json = json!({ "network": network, "federation": name, "config": config, "samples": made.samples });
    Ok((Answer { text, json }, RunArgs { config, bootstrap: Vec::new() }))
}
