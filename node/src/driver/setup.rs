//! From files to a running node: everything that can be wrong is found here, before the node joins anybody.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use althing_agents::Council;
use althing_protocol::{
    aggregate,
    epidemic::Topology,
    event::Event,
    genesis::{self, Genesis},
    ids::{BlobRef, Height, MemberId},
    machine::{Durable, Identity, Machine, Voice},
    state::Federation,
    time::Time,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::{
    counsel::Counsel,
    door::{Applicant, roster},
    jobs::{Jobs, Memory},
    journal::Journal,
    measured::{Kind, Measured},
    outlet::Outlet,
    privacy::Purse,
    requests::Desk,
    shell::{Shell, books},
    telling::{Names, Sink},
    timers::Timers,
    writer::Residual,
};
use crate::{
    account::{Account, AccountError, Owner, Witness},
    advice::Adviser,
    backup,
    blobs::{self, BlobConfig, Blobs, Durability},
    cli::RunArgs,
    config::{self, Config},
    endpoint::Endpoint,
    failure::Failure,
    files, genesis_file,
    keyfile::KeyFile,
    learn::{catalogue::Catalogue, throttle::Throttled, worker::WorkerHandle},
    net::{self, Admission, Door, Mdns, NetConfig, Network, Relay, SharedKey, Upnp},
    page::Board,
    status::{Place, SUBMISSIONS, Server, Status, Token, Told},
    store::{EXCHANGE, Origin, Store},
};

/// Inputs that wait for the loop.
const INPUT_CAPACITY: usize = 1_024;

/// Folder of the blobs, in the data folder.
pub(crate) const BLOBS_DIR: &str = "blobs";

/// Starts a node.
pub(super) async fn start(
    args: &RunArgs,
    catalogue: &Catalogue,
    (sink, outlet): (Sink, Arc<dyn Outlet>),
) -> Result<Shell, Failure> {
    let config = Config::load(&args.config)?;
    let genesis = genesis_file::load(&config.genesis)?;
    let key = KeyFile::load(&config.key)?;
    let disk_bytes = config.limits.disk_bytes(&genesis)?;
    let me = member(&genesis, &key)?;
    let task = catalogue.check(&genesis.task)?;
    let first = first_model(&config, &genesis, catalogue)?;
    let learner = task.learner(&config.data)?;
    let samples = learner.samples();
    let federation = Federation::new(genesis.clone());
    let store = Arc::new(Store::open(&config.data_dir, &federation.network)?);
    backup::clean_up(&config.data_dir);
    let origin = copied(&store, &config, &federation)?;
    let purse = Purse::open(&config, &store, federation.network, &genesis.task, &*learner)?;
    let kind = if purse.is_some() { Kind::Private } else { Kind::Plain };
    let blob_store = blobs::Store::open(&config.data_dir.join(BLOBS_DIR))?;
    blob_store.put(&first, Durability::Refetchable)?;
    let measured = Measured::recall(Arc::clone(&store), &genesis.task, &*learner, (kind, config.limits.core_percent));
    measured.calibrate(&*learner, &genesis, &aggregate::parameters(&first).collect::<Vec<f32>>());
    let learner = Box::new(Throttled::new(learner, config.limits.core_percent));

    let counsel = Counsel::start(Arc::clone(&store), adviser(&config.agents)?)?;
    let clock = Instant::now();
    let durable = Durable { voice: origin.voice(), ..durable(&store, blob_store.list())? };
    let identity = Identity { keypair: key.keypair(), chain: key.chain() };
    let (mut machine, mut first) =
        Machine::recover(federation.clone(), identity, durable, Time(0)).map_err(Failure::machine)?;
    if origin == Origin::Whole {
        first.extend(machine.when_halted(config.exchange.when_halted()));
    }

    let applicant = applicant(&config, &federation, &key, &machine)?;
    let (roster, may_ask) = watch::channel(roster(&machine.state().ledger));
    let bootstrap: Vec<_> =
        args.bootstrap.iter().cloned().chain(applicant.iter().flat_map(Applicant::addresses)).collect();
    let (network, net_events) = connect(&config, bootstrap, &key, &federation, &roster.borrow())?;
    let shared = (blob_store.clone(), disk_bytes, Arc::clone(&outlet));
    let (blobs, blob_events) = share(&network, shared, &federation, may_ask)?;
    let worker = WorkerHandle::spawn(learner).map_err(|error| no_thread(&error))?;
    let (bring, brought) = mpsc::channel(INPUT_CAPACITY);
    let (status, status_reader) = watch::channel(Status::new(me, federation.network));
    let (board, board_reader) = watch::channel(Board::new(&genesis));
    let (books, books_reader) = watch::channel(books(machine.state(), federation.network));
    let (submit, submitted) = mpsc::channel(SUBMISSIONS);
    let told = Told { status: status_reader, board: board_reader, books: books_reader, submit };
    let server = Server::start(place(&config)?, told, Arc::clone(&store)).await?;
    let genesis = Arc::new(genesis);
    let residual = Residual::open(&config.data_dir, genesis.task.tensors.parameters() as usize);
    let memory = Memory { residual, measured };
    let mut shell = Shell {
        names: Names::of(&machine.state().ledger.roll, (me, &key.name)),
        jobs: Jobs::new(worker, blob_store, (bring.clone(), Arc::clone(&outlet)), Arc::clone(&genesis), memory),
        outlet,
        machine,
        genesis,
        me,
        clock,
        journal: Journal::new(store),
        network,
        net_events,
        blobs,
        blob_events,
        without_room: None,
        counsel,
        council: Council::by_rules(config.agents.cost_per_sample),
        samples,
        purse,
        limits: config.limits,
        brought,
        bring,
        timers: Timers::default(),
        desk: Desk::default(),
        sink,
        status,
        board,
        books,
        submitted,
        server: None,
        origin,
        roster,
        applicant,
        first,
    };
    shell.tell(&Event::Guarded { account: shell.purse.as_ref().map(Purse::standing) });
    shell.tell(&Event::Serving { address: server.address().to_string() });
    shell.server = Some(server);
    Ok(shell)
}

/// What the store is worth. A copy's privacy account is given up here, before anybody can spend from it again: the
/// witness makes that a reason not to train, and not to begin anew.
fn copied(store: &Arc<Store>, config: &Config, federation: &Federation) -> Result<Origin, Failure> {
    let origin = store.origin()?;
    if origin != Origin::Whole && matches!(federation.genesis.exchange.topology, Topology::Epidemic { .. }) {
        return Err(Failure::user(
            "this store is a copy, and in an epidemic federation nothing tells which steps were taken after it; move a \
             node by `althing backup --move`, or restore with --nothing-signed-since if it has not run since",
        ));
    }
    if origin == Origin::Copy
        && let Some(account) = Account::stored(Arc::clone(store))?
    {
        let owner = Owner { network: federation.network, data: account.data() };
        Witness::beside(&config.key).add(&owner).map_err(AccountError::from)?;
        store.forget_privacy()?;
    }
    Ok(origin)
}

/// Where the pages are served, and for whom.
fn place(config: &Config) -> Result<Place, Failure> {
    let load = |path: &PathBuf| Ok::<_, Failure>((Token::load(path)?, path.clone()));
    let token = config.http.token_file.as_ref().map(load).transpose()?;
    Ok(Place { listen: config.http.listen, token, data_dir: config.data_dir.clone() })
}

/// Who is asked for standing orders, and how often; nobody where the agents are to decide by rules.
fn adviser(agents: &config::Agents) -> Result<Option<(Adviser, Duration)>, Failure> {
    let Some(endpoint) = Endpoint::configured(agents)? else { return Ok(None) };
    let within = Duration::from_millis(agents.answer_within_ms);
    let adviser = Adviser { endpoint, asking: agents.asking, within };
    Ok(Some((adviser, Duration::from_millis(agents.ask_every_ms))))
}

/// The model that the first round starts from.
pub(crate) fn first_model(config: &Config, genesis: &Genesis, catalogue: &Catalogue) -> Result<Vec<u8>, Failure> {
    let read = |path| files::read_bytes(path, genesis.task.initial_model.size);
    let file = config.first_model.as_deref().map(read).transpose()?;
    Ok(catalogue.first_model(&genesis.task, file)?)
}

/// The member that the key speaks for, or the newcomer where members can be invited.
pub(crate) fn member(genesis: &Genesis, key: &KeyFile) -> Result<MemberId, Failure> {
    let me = key.id();
    let Some(member) = genesis.member(&me) else {
        return match genesis.membership.admission {
            genesis::Admission::Closed => Err(stranger(genesis, key, "ask the founder for a genesis with it")),
            genesis::Admission::Founders => Ok(me),
        };
    };
    if member.anchor != key.anchor() {
        return Err(Failure::user(format_args!(
            "the genesis names another hash chain for {}: it was made for another key file with the same id; use that file",
            key.name
        )));
    }
    Ok(me)
}

fn stranger(genesis: &Genesis, key: &KeyFile, or: &str) -> Failure {
    Failure::user(format_args!(
        "{} ({}) is no member of {}: its key is not in the genesis; use the key that is, or {or}",
        key.name,
        key.id(),
        genesis.name
    ))
}

/// What a node says to be let in. One that is no member, and never was, must have been invited.
fn applicant(
    config: &Config,
    federation: &Federation,
    key: &KeyFile,
    machine: &Machine,
) -> Result<Option<Applicant>, Failure> {
    match config.invitation.as_ref().filter(|path| path.exists()) {
        Some(path) => Applicant::load(path, key.clone(), federation.network).map(Some),
        // Others may know by now that it is a member, which its own ledger will tell once it has caught up.
        None if machine.is_member() || machine.state().height > Height(0) => Ok(None),
        None => {
            let or = "ask one of its founders for an invitation and `althing join` with it";
            Err(stranger(&federation.genesis, key, or))
        }
    }
}

fn durable(store: &Store, blobs: BTreeSet<BlobRef>) -> Result<Durable, Failure> {
    let state = store.state()?.map(|(_, bytes)| bytes);
    let journal = store.journal()?.into_iter().map(|(_, bytes)| bytes).collect();
    let step = store.recall(EXCHANGE)?;
    Ok(Durable { state, journal, step, blobs, voice: Voice::Speaks })
}

fn connect(
    config: &Config,
    bootstrap: Vec<net::Multiaddr>,
    key: &KeyFile,
    federation: &Federation,
    roster: &BTreeSet<MemberId>,
) -> Result<(Network, mpsc::Receiver<net::Event>), Failure> {
    let door = match federation.genesis.membership.admission {
        genesis::Admission::Closed => Door::Closed,
        genesis::Admission::Founders => Door::Open,
    };
    let (net, limits) = (&config.net, &config.limits);
    let shared_key = net.shared_key_file.as_deref().map(SharedKey::load).transpose()?;
    let config = NetConfig {
        listen: net.listen.clone(),
        bootstrap: net.bootstrap.iter().cloned().chain(bootstrap).collect(),
        mdns: if net.mdns { Mdns::On } else { Mdns::Off },
        max_peers: net.max_peers,
        max_memory_mb: u32::try_from(limits.memory_mb).unwrap_or(u32::MAX),
        admission: Admission::MembersOnly(roster.clone()),
        door,
        // What is found on this machine alone is behind no router.
        relay: if net.relay == Relay::Use && net.is_loopback_only() { Relay::Off } else { net.relay },
        bulk: net.relay_bulk,
        upnp: if net.upnp && !net.is_loopback_only() { Upnp::On } else { Upnp::Off },
        external: net.external.clone(),
        shared_key,
        ..NetConfig::default()
    };
    Ok(net::spawn(&key.keypair(), federation.network, config)?)
}

fn share(
    network: &Network,
    (store, max_disk_bytes, outlet): (blobs::Store, u64, Arc<dyn Outlet>),
    federation: &Federation,
    roster: watch::Receiver<Arc<BTreeSet<MemberId>>>,
) -> Result<(Blobs, mpsc::Receiver<blobs::BlobEvent>), Failure> {
    let protocol = network.protocol("blob/1")?;
    // Streams are open to whoever is connected; a stranger may be, for the moment before it is recognised.
    let may_ask = move |peer| match net::member_id(&peer) {
        Some(member) if roster.borrow().contains(&member) => blobs::Admission::Admitted,
        _ => blobs::Admission::Refused,
    };
    let config = BlobConfig {
        max_blob_bytes: federation.genesis.limits.max_update_bytes,
        max_disk_bytes,
        admit: Arc::new(may_ask),
        let_out: Arc::new(move |answer| outlet.serve(answer)),
        opened: Arc::new({
            let network = network.clone();
            move |peer| network.opened(peer)
        }),
        ..BlobConfig::default()
    };
    Blobs::spawn(network.streams(), protocol, store, config).map_err(Failure::machine)
}

fn no_thread(error: &std::io::Error) -> Failure {
    Failure::machine(format_args!("the operating system gives no thread for training ({error}); free some"))
}
