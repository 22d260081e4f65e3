use super::*;

const LEAST: &str = "genesis = \"genesis.toml\"\nkey = \"/keys/key.toml\"\ndata_dir = \"data\"\n";

fn parse(more: &str) -> Result<Config, ConfigError> {
    Config::parse(&format!("{LEAST}{more}"), Path::new("/nodes/one/node.toml"))
}

#[test]
fn three_lines_suffice_and_paths_are_relative_to_the_file() {
    let config = parse("").unwrap();
    assert_eq!(config.genesis, Path::new("/nodes/one/genesis.toml"));
    assert_eq!(config.key, Path::new("/keys/key.toml"));
    assert_eq!(config.data_dir, Path::new("/nodes/one/data"));
    assert_eq!(config.data.path, Path::new("/nodes/one/data/mnist"));
    let listen: Vec<String> = config.net.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1"]);
    assert_eq!((config.net.max_peers, config.net.mdns), (64, true));
    assert_eq!((config.net.relay, config.net.relay_bulk, config.net.upnp), (Relay::Use, Bulk::Direct, false));
    assert!(!config.net.is_loopback_only());
    assert!(parse("[net]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]").unwrap().net.is_loopback_only());
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:0");
    assert_eq!((config.data.parts, config.data.held_out, config.agents.cost_per_sample), (1, 256, 10));
    assert!((&config.agents.endpoint, &config.agents.model, &config.agents.key_env) == (&None, &None, &None));
    assert_eq!(config.agents.answer_within_ms, 120_000);
}

#[test]
fn every_field_can_be_said() {
    let config = parse(
        r#"
        first_model = "model.bin"
        [net]
        listen = ["/ip4/127.0.0.1/tcp/0"]
        bootstrap = ["/dns4/hub.example/tcp/4001"]
        mdns = false
        max_peers = 8
        relay = "serve"
        relay_bulk = "anywhere"
        upnp = true
        external = ["/ip4/203.0.113.7/tcp/4001"]
        shared_key_file = "shared.key"
        [http]
        listen = "[::1]:8080"
        [data]
        path = "/data/mnist"
        format = "csv"
        label = "species"
        partition = "dirichlet:0.5"
        parts = 8
        part = 7
        seed = 3
        held_out = 100
        [agents]
        cost_per_sample = 20
        endpoint = "https://models.example/api/v1"
        model = "qwen2.5-coder-1.5b"
        key_env = "ALTHING_LM_KEY"
        answer_within_ms = 5000
        [limits]
        memory_mb = 128
        disk_mb = 64
        "#,
    )
    .unwrap();
    assert_eq!(config.net.bootstrap[0].to_string(), "/dns4/hub.example/tcp/4001");
    assert_eq!((config.net.mdns, config.net.max_peers), (false, 8));
    assert_eq!((config.net.relay, config.net.relay_bulk, config.net.upnp), (Relay::Serve, Bulk::Anywhere, true));
    assert_eq!(config.net.external[0].to_string(), "/ip4/203.0.113.7/tcp/4001");
    assert_eq!(config.net.shared_key_file.as_deref(), Some(Path::new("/nodes/one/shared.key")));
    assert_eq!(config.http.listen.port(), 8080);
    assert_eq!(config.data.path, Path::new("/data/mnist"));
    assert_eq!(config.first_model.as_deref(), Some(Path::new("/nodes/one/model.bin")));
    assert_eq!((config.data.format, config.data.label.as_deref()), (Some(Format::Csv), Some("species")));
    assert_eq!((config.data.partition.as_str(), config.data.part, config.data.seed), ("dirichlet:0.5", 7, 3));
    assert_eq!(config.agents.endpoint, Some("https://models.example/api/v1".parse().unwrap()));
    assert_eq!(config.agents.model.as_deref(), Some("qwen2.5-coder-1.5b"));
    assert_eq!((config.agents.key_env.as_deref(), config.agents.answer_within_ms), (Some("ALTHING_LM_KEY"), 5_000));
    assert_eq!((config.limits.memory_mb, config.limits.disk_mb), (128, Some(64)));
}

#[test]
fn a_mistake_is_named_with_its_line_and_what_to_write_instead() {
    let many = format!("[net]\nbootstrap = [{}]", "\"/ip4/1.2.3.4/tcp/1\",".repeat(65));
    let cases: &[(&str, usize, &str)] = &[
        ("[net]\nmax_peers = 0", 5, "from 1 to 1024"),
        ("[net]\nmax_peers = -1", 5, "from 1 to 1024"),
        ("[net]\nmax_peers = \"many\"", 5, "expected i64"),
        ("[net]\nmax_peer = 3", 5, "expected one of `listen`, `bootstrap`, `mdns`, `max_peers`"),
        ("[net]\nrelay = \"on\"", 5, "expected one of `off`, `use`, `serve`"),
        ("[net]\nrelay_bulk = \"never\"", 5, "expected `direct` or `anywhere`"),
        ("[net]\nlisten = []", 5, "from 1 to 16"),
        ("[net]\nlisten = [\"0.0.0.0:1\"]", 5, "must be like \"/ip4/"),
        (&many, 5, "at most 64"),
        ("[http]\nlisten = \"localhost\"", 5, "must be like \"127.0.0.1:0\""),
        ("[data]\n\nparts = 0", 6, "from 1 to 1000000"),
        ("[data]\nseed = -1", 5, "expected u64"),
        ("[data]\nformat = \"png\"", 5, "expected one of `idx`, `cifar`, `csv`"),
        ("[data]\nheld_out = 0", 5, "from 1 to 1000000"),
        ("[agents]\ncost_per_sample = 1000001", 5, "from 0 to 1000000"),
        ("[agents]\nendpoint = \"127.0.0.1:8080\"", 5, "must be like \"http://127.0.0.1:8080\""),
        ("[agents]\nendpoint = \"https://a:b@c.example\"", 5, "must be without"),
        ("[agents]\nmodel = \"\"", 5, "must be 1 to 200 printable characters"),
        ("[agents]\nkey_env = \"sk-secret\"", 5, "the key itself belongs into the variable"),
        ("[agents]\nkey_env = \"\"", 5, "must be 1 to 64 capitals"),
        ("[agents]\nanswer_within_ms = 99", 5, "from 100 to 3600000"),
        ("[agents]\nanswer_within_ms = 3600001", 5, "from 100 to 3600000"),
        ("[limits]\nmemory_mb = 1", 5, "from 64 to 1048576"),
        ("[limits]\nmemory_mb = 1.5", 5, "expected i64"),
        ("[limits]\ndisk_mb = 0", 5, "from 1 to 1073741824"),
        ("[nets]", 4, "expected one of `genesis`"),
        ("[net", 4, "expected `]`"),
        ("key = \"twice\"", 4, "duplicate key"),
    ];
    for (text, line, wanted) in cases {
        let error = parse(text).expect_err(text).to_string();
        assert!(!error.contains("sk-secret"), "what may be a key is repeated: {error}");
        assert!(error.contains(&format!("/nodes/one/node.toml:{line}: ")), "{text}: {error}");
        assert!(error.contains(wanted), "{text}: {error}");
        assert!(error.contains("correct that line") && !error.contains('\n'), "{text}: {error}");
    }
    let error = parse("[data]\nparts = 4\npart = 4").unwrap_err().to_string();
    assert!(error.contains("below data.parts (4)"), "{error}");
    let exposed = "[http]\nlisten = \"0.0.0.0:80\"";
    let error = parse(exposed).unwrap_err().to_string();
    assert!(error.contains("must be on 127.0.0.1") && error.contains("http.token_file"), "{error}");
    let config = parse(&format!("{exposed}\ntoken_file = \"token\"")).unwrap();
    assert_eq!(config.http.token_file.as_deref(), Some(Path::new("/nodes/one/token")));
    let error = Config::parse("key = \"k\"", Path::new("n.toml")).unwrap_err().to_string();
    assert!(error.contains("missing field `genesis`"), "{error}");
}

#[test]
fn a_file_that_is_no_configuration_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.toml");
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("does not exist; check the path"), "{error}");
    std::fs::write(&path, vec![b'#'; 1 + MAX_BYTES as usize]).unwrap();
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("longer than"), "{error}");
    std::fs::write(&path, "a = ".to_owned() + &"[".repeat(10_000)).unwrap();
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("node.toml:1: "), "{error}");
}
