//! `stakeout verify`: whether a webhook body is what the box signed. For the receiver's developer.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use crate::config::{Located, SecretRef};
use crate::secrets;
use crate::sign::{self, Key, Message, Unverified};

#[derive(clap::Args)]
pub(super) struct Args {
    /// File with the endpoint's secret; give it twice while two secrets are in use
    #[arg(long, value_name = "FILE", required = true)]
    secret_file: Vec<PathBuf>,
    /// Value of the header X-Trio-Signature or webhook-signature
    #[arg(long, value_name = "SIGNATURE")]
    signature: String,
    /// Value of the header webhook-id; needed for webhook-signature
    #[arg(long, value_name = "ID", requires = "timestamp")]
    id: Option<String>,
    /// Value of the header webhook-timestamp, seconds since 1970; needed for webhook-signature
    #[arg(long, value_name = "SECONDS", requires = "id")]
    timestamp: Option<i64>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let keys = args.secret_file.iter().map(|path| key(path)).collect::<Result<Vec<_>, _>>()?;
    let mut body = Vec::new();
    io::stdin()
        .read_to_end(&mut body)
        .map_err(|error| Failure::plain(format_args!("cannot read the body from stdin: {error}")))?;
    let message = match (&args.id, args.timestamp) {
        (Some(id), Some(timestamp)) => Some(Message { id, timestamp }),
        _ => None,
    };
    sign::verify(&keys, &args.signature, message, &body).map_err(|error| match error {
        Unverified::MessageNeeded => Failure::new(Exit::Usage, error).hint("add `--id` and `--timestamp`"),
        Unverified::Unreadable | Unverified::Mismatch => Failure::plain(error),
    })?;
    writeln!(io::stdout(), "the signature is right ({} bytes)", body.len())?;
    Ok(())
}

fn key(path: &Path) -> Result<Key, Failure> {
    let reference = SecretRef::File(Located { value: path.to_owned(), at: 0..0 });
    let secret = secrets::read(&reference).map_err(Failure::plain)?;
    Key::new(secret.expose()).map_err(|error| Failure::plain(format_args!("`{}`: {error}", path.display())))
}
