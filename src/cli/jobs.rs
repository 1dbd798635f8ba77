//! `stakeout jobs`: the runs of monitors, those that run and those that ended, and how to end one or have it run again.

use std::time::Duration;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::client::Client;
use super::exit::Failure;
use super::print::{self, Cell, Table, Tint};
use super::records::Records;
use super::settings::ConfigFile;
use super::shown::{self, One};
use crate::api::{JobLine, JobQuery};
use crate::event::JobStatus;
use crate::name::Name;
use crate::time::now;

const START_HELP: &str = "\
Enables the monitor of the job, and prints the id of the job that runs from then on; one that runs
already is said to. What a client asked for over the API is kept for two minutes after its job came
to its end by itself: later, its client has to ask again.";

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List jobs, the newest first
    List(List),
    /// Show one job
    Show(One),
    /// End a job; its monitor watches no more until it is enabled
    Stop(One),
    /// Do again what an ended job did, as a new job
    #[command(after_help = START_HELP)]
    Start(One),
}

#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    file: ConfigFile,
    /// Only jobs in this status
    #[arg(long, value_parser = status_parser())]
    status: Option<JobStatus>,
    /// Only jobs of this monitor
    #[arg(long, value_name = "NAME", value_parser = Name::new)]
    monitor: Option<Name>,
    /// At most N jobs, 1 to 1000 [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

const STATUSES: [JobStatus; 5] =
    [JobStatus::Pending, JobStatus::Running, JobStatus::Stopped, JobStatus::Completed, JobStatus::Failed];

fn status_parser() -> impl TypedValueParser<Value = JobStatus> {
    PossibleValuesParser::new(STATUSES.map(JobStatus::as_str))
        .try_map(|text| STATUSES.into_iter().find(|status| status.as_str() == text).ok_or("it is none of the statuses"))
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Show(args) => show(args),
        Command::Stop(args) => stop(args),
        Command::Start(args) => start(args),
    }
}

fn list(args: &List) -> Result<(), Failure> {
    let records = Records::open(&args.file.load()?.config)?;
    let query = JobQuery { status: args.status, monitor: args.monitor.clone(), limit: args.limit };
    let jobs = records.jobs(&query)?.jobs;
    if jobs.is_empty() {
        print::say("no such jobs");
    }
    Ok(shown::many(&jobs, args.json, table)?)
}

fn show(args: &One) -> Result<(), Failure> {
    let records = Records::open(&args.file.load()?.config)?;
    let job = records.job(args.id)?;
    let away = if job.ended_at.is_none() && !args.json { records.why_away(&job.camera)? } else { None };
    Ok(shown::one(&job, args.json, |job, out| facts(job, away).print_rows(out, print::colour_on_stdout()))?)
}

fn stop(args: &One) -> Result<(), Failure> {
    let client = Client::new(&args.file.load()?.config.api.socket)?;
    let job: JobLine = client.delete(&format!("/jobs/{}", args.id))?;
    Ok(shown::one(&job, args.json, |job, out| writeln!(out, "job `{}` has ended", job.job_id))?)
}

fn start(args: &One) -> Result<(), Failure> {
    let client = Client::new(&args.file.load()?.config.api.socket)?;
    let (is_new, job): (bool, JobLine) = client.make(&format!("/jobs/{}/start", args.id))?;
    shown::one(&job, args.json, |JobLine { job_id, monitor, .. }, out| match is_new {
        true => writeln!(out, "job `{job_id}` has begun"),
        false if *job_id == args.id => writeln!(out, "job `{job_id}` runs already"),
        false => writeln!(out, "monitor `{monitor}` runs already, as job `{job_id}`"),
    })?;
    if let (true, Some(reason)) = (is_new, job.details.reason) {
        print::say(&format!("it has ended at once: {}", reason.as_str()));
    }
    Ok(())
}

fn table(jobs: &[JobLine]) -> Table<8> {
    let now = now().wall;
    let mut table = Table::new(["started", "status", "monitor", "camera", "checks", "alerts", "ran for", "id"]);
    for job in jobs {
        table.row([
            print::ago(job.started_at.0, now).into(),
            state(job),
            job.monitor.as_str().into(),
            job.camera.as_str().into(),
            job.details.checks_performed.into(),
            job.details.triggers_fired.into(),
            ran(job).into(),
            job.job_id.into(),
        ]);
    }
    table
}

/// `away`: why its camera shows nothing now.
fn facts(job: &JobLine, away: Option<String>) -> Table<2> {
    let mut table = Table::new(["", ""]);
    let mut fact = |what: &str, cell: Cell| table.row([what.into(), cell]);
    fact("job", job.job_id.into());
    fact("status", state(job));
    fact("monitor", job.monitor.as_str().into());
    fact("camera", job.camera.as_str().into());
    if let Some(why) = away {
        fact("not watched", Cell::tinted(why, Tint::Bad));
    }
    for (what, text) in [("condition", &job.condition), ("stream", &job.stream_url), ("webhook", &job.webhook_url)] {
        if let Some(text) = text {
            fact(what, text.into());
        }
    }
    fact("started", job.started_at.into());
    if let Some(ended) = job.ended_at {
        fact("ended", ended.into());
    }
    fact("ran for", ran(job).into());
    fact("checks", job.details.checks_performed.into());
    fact("alerts", job.details.triggers_fired.into());
    fact("skipped", format!("{} frames", job.details.frames_skipped).into());
    let failed = job.logs.webhooks_failed;
    let tint = if failed > 0 { Tint::Bad } else { Tint::Plain };
    fact("not delivered", Cell::tinted(failed, tint));
    table
}

fn state(job: &JobLine) -> Cell {
    let tint = match job.status {
        JobStatus::Running => Tint::Good,
        JobStatus::Failed => Tint::Bad,
        JobStatus::Pending | JobStatus::Stopped | JobStatus::Completed => Tint::Plain,
    };
    match job.details.reason {
        Some(reason) => Cell::tinted(format!("{} ({})", job.status.as_str(), reason.as_str()), tint),
        None => Cell::tinted(job.status.as_str(), tint),
    }
}

fn ran(job: &JobLine) -> String {
    print::span(Duration::from_secs(job.details.elapsed_seconds))
}
