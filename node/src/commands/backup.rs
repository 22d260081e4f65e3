//! `althing backup` and `althing restore`.

use serde_json::json;

use super::Answer;
use crate::{
    backup::{self, Kind, Manifest, Since},
    cli::{BackupArgs, RestoreArgs},
    config::Config,
    failure::Failure,
};

pub(super) fn save(args: &BackupArgs) -> Result<Answer, Failure> {
    let kind = if args.moved { Kind::Moved } else { Kind::Copied };
    let manifest = backup::save(&Config::load(&args.config)?, &args.dir, kind)?;
    let next = match kind {
        Kind::Copied => "this node may go on; one that is restored from the copy keeps silent at first",
        Kind::Moved => "this node never runs again here; `althing restore` goes on with it elsewhere, once",
    };
    Ok(answer(&args.dir.display().to_string(), &manifest, next))
}

pub(super) fn restore(args: &RestoreArgs) -> Result<Answer, Failure> {
    let since = if args.nothing_signed_since { Since::NothingSigned } else { Since::Unknown };
    let config = Config::load(&args.config)?;
    let manifest = backup::restore(&config, &args.dir, since)?;
    let next = match (manifest.kind, since) {
        (Kind::Copied, Since::Unknown) => {
            "the node says nothing until its key cannot sign anything twice, and a privacy account counts as lost"
        }
        (Kind::Copied, Since::NothingSigned) | (Kind::Moved, _) => "the node goes on where it stopped",
    };
    Ok(answer(&config.data_dir.display().to_string(), &manifest, next))
}

fn answer(place: &str, manifest: &Manifest, next: &str) -> Answer {
    let Manifest { member, network, height, .. } = manifest;
    let text = format!("folder   {place}\nmember   {member}\nnetwork  {network}\nheight   {height}\nnext     {next}\n");
    Answer { text, json: json!({ "folder": place, "backup": manifest, "next": next }) }
}
