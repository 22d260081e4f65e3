//! `althing key`.

use std::path::Path;

use serde_json::json;

use super::Answer;
use crate::{
    cli::{KeyCommand, MemberArg},
    failure::Failure,
    keyfile::KeyFile,
    net::SharedKey,
};

pub(super) fn execute(command: &KeyCommand) -> Result<Answer, Failure> {
    match command {
        KeyCommand::New { name, out } => {
            let key = KeyFile::generate(name)?;
            key.create(out)?;
            Ok(describe(&key, out))
        }
        KeyCommand::Show { file } => Ok(describe(&KeyFile::load(file)?, file)),
        KeyCommand::Shared { out } => {
            SharedKey::generate()?.create(out)?;
            let text = format!("file    {}\nGive it to members alone, as you would give a password.\n", out.display());
            Ok(Answer { text, json: json!({ "file": out }) })
        }
    }
}

/// The public half.
fn describe(key: &KeyFile, path: &Path) -> Answer {
    let member = MemberArg { name: key.name.clone(), id: key.id(), anchor: key.anchor() };
    let text = format!(
        "name    {}\nid      {}\nanchor  {}\nfile    {}\nmember  {member}\n",
        member.name,
        member.id,
        member.anchor,
        path.display()
    );
    let json = json!({
        "name": member.name, "id": member.id, "anchor": member.anchor, "file": path, "member": member.to_string(),
    });
    Answer { text, json }
}
