//! `stakeout snapshot`: what a camera sees now.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::client::Client;
use super::exit::Failure;
use super::print;
use super::settings::ConfigFile;
use crate::name::Name;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Name of the camera
    #[arg(value_parser = Name::new)]
    camera: Name,
    #[command(flatten)]
    file: ConfigFile,
    /// Where to save it; `-` is stdout [default: CAMERA.jpg]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = Client::new(&args.file.load()?.config.api.socket)?;
    let to = args.output.clone().unwrap_or_else(|| format!("{}.jpg", args.camera).into());
    if to == Path::new("-") && io::stdout().is_terminal() {
        return Err(Failure::plain("a picture would upset this terminal").hint("name a file with `-o`, or pipe it on"));
    }
    let jpeg = client.bytes(&format!("/v1/cameras/{}/snapshot", args.camera))?;
    if to == Path::new("-") {
        let mut out = io::stdout().lock();
        out.write_all(&jpeg)?;
        return Ok(out.flush()?);
    }
    let failed = |error| Failure::plain(format_args!("`{}` can't be written: {error}", to.display()));
    std::fs::write(&to, jpeg).map_err(failed)?;
    print::say(&format!("saved as `{}`", to.display()));
    Ok(())
}
