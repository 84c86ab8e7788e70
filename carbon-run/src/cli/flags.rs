//! The options, grouped as the help shows them. A group that a run and `replay` share is defined once.

use super::beyond::Beyond;
use super::calibrate::Calibrate;
use super::daemon::{Daemon, DaemonSocket};
use super::doctor::Doctor;
use super::estimate::Estimate;
use super::kept_runs::{Recover, Status};
use super::live::Live;
pub(super) use super::machine::{NvmlLibrary, State, Sysroot};
use super::merge::Merge;
use super::offered::{Offered, backends, idle_policies};
use super::phase::Phase;
use super::place::Place;
use super::publish::{Publish, Receivers};
use crate::settings::{Key, Layer, Origin};
use clap::{Args, Subcommand, ValueHint};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;

/// The options of a run.
#[derive(Debug, Clone, Default, Args)]
pub struct RunFlags {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    beyond: Beyond,
    #[command(flatten)]
    attribution: Attribution,
    #[command(flatten)]
    models: Models,
    #[command(flatten)]
    compatible: Compatible,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    run_output: RunOutput,
    #[command(flatten)]
    receivers: Receivers,
    #[command(flatten)]
    accounting: Accounting,
    #[command(flatten)]
    verbose: Verbose,
}

/// What is done instead of running a command.
#[derive(Debug, Clone, Subcommand)]
pub enum Verb {
    /// Say what can be measured here, by what, and how to get the rest
    Doctor(Doctor),
    /// Recompute a report from a recording, with other choices if asked
    ///
    /// What is not given is as it was recorded; a country, a region, an intensity or a file of them replaces the whole recorded
    /// place. Config files and CARBON_RUN_* variables are not looked at, so that a recording gives the same report everywhere.
    Replay(Box<Replay>),
    /// Measure the power of this machine with nothing to do, and keep it for later runs
    ///
    /// On a quiet machine only: the processes that are busy are named otherwise. Later runs know by it which part of the
    /// energy is the idle machine's, and have a narrower range.
    ///
    /// A GPU is measured in the state that it is in, with no context on it or with one that does nothing; the figure of the
    /// other state stays as it was. One that somebody works on is left out. To measure a GPU with a context, hold one in
    /// another terminal, as `python3 -c "import torch; x = torch.zeros(1).cuda(); input()"` does, and calibrate again.
    Calibrate(Calibrate),
    /// Serve all users of this machine: the privileged part, once, for any number of jobs
    ///
    /// Owns the eBPF program and the meters, so that `carbon-run` measures in full without any right. Stays in the foreground; the
    /// units that are shipped with it run it under systemd. SECURITY.md says what a user can and cannot learn through it.
    Daemon(Daemon),
    /// Add up the reports of a job's ranks, steps and nodes
    ///
    /// Under Slurm each task writes a report of its own, `carbon-run-CLUSTER-JOB-stepN-rankM-ID.json`: when the job is over, merge them
    /// as `carbon-run merge carbon-run-*-4711-*.json`. A run that is there twice counts once, a run inside another is in that one's
    /// figures, and ranks without a report are named.
    Merge(Merge),
    /// Mark a task inside of a running job: the report has energy and emissions for each
    ///
    /// Called from inside of the job, as `carbon-run phase start train` and `carbon-run phase stop train`. Phases nest, and times of the same
    /// name add up. Where nobody measures the job it does nothing and succeeds, so that the job's script works without carbon-run
    /// around it, too. GUIDE.md says how any language marks phases without starting a program.
    Phase(Phase),
    /// Finish the books of runs whose launcher was killed
    ///
    /// Delivers what such a run would have delivered when it was last kept (`--checkpoint-interval`): its row, its JSON report, its summary.
    /// Each run once, however often this is called.
    Recover(Recover),
    /// Estimate the emissions of hardware, hours and a place, without running anything
    ///
    /// Power by the model's name, with a range: for plans and for runs that nobody measured. As `carbon-run estimate --gpu A100 --gpus 8 --hours 72
    /// --country FR`. Place and facility may also be in the config files.
    Estimate(Box<Estimate>),
    /// Send what earlier runs could not deliver, or what recordings have in them
    ///
    /// What a receiver that could not be reached, or refused, was to get is kept in the state directory. On a cluster whose nodes reach no
    /// network, call this where there is one.
    Publish(Box<Publish>),
    /// Say what running jobs have used so far
    ///
    /// As of the last checkpoint (`--checkpoint-interval`); the first comes after the first interval.
    Status(Status),
    /// Print the completions for a shell
    ///
    /// For bash: `carbon-run completions bash > ~/.local/share/bash-completion/completions/carbon-run`
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the man page
    ///
    /// To read it at once: `carbon-run man | man -l -`
    Man,
}

/// The options of `replay`.
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// The file that `--record` wrote
    #[arg(value_hint = ValueHint::FilePath)]
    pub recording: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    beyond: Beyond,
    #[command(flatten)]
    attribution: Attribution,
    #[command(flatten)]
    models: Models,
    #[command(flatten)]
    output: Output,
    /// Add a row to emissions.csv
    #[arg(long, help_heading = "Output", display_order = 1)]
    csv: bool,
    #[command(flatten)]
    verbose: Verbose,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Attribution")]
struct Attribution {
    /// Who pays for the power of the idle machine
    ///
    /// By default `allocated` under Slurm or in a cpuset, else `capacity`. The JSON report has the figures of all of them.
    #[arg(long, value_name = "POLICY", value_parser = Offered(idle_policies))]
    idle_policy: Option<OsString>,
    /// Power of the idle machine, in watts per CPU package
    ///
    /// In the order of the packages, with commas between: `38.5,40`. Without it the job's energy is a wider range.
    #[arg(long, value_name = "W[,W...]", allow_hyphen_values = true)]
    idle_power: Option<OsString>,
    /// Power of a GPU with an idle context on it, in watts per GPU
    ///
    /// In the order of the devices, with commas between; one value is every GPU's. Without it the job's energy on a shared
    /// GPU is a wider range.
    #[arg(long, value_name = "W[,W...]", allow_hyphen_values = true)]
    gpu_idle_power: Option<OsString>,
    /// Weight of a thread beside a busy sibling, 0.5 to 1 [default: 0.575]
    ///
    /// Two busy hardware threads of one core draw less than two cores. Has no effect without SMT.
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true)]
    smt_weight: Option<OsString>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Models, where there is no meter")]
struct Models {
    /// Your own table of CPU power; it goes before the built-in one
    ///
    /// CSV with the columns model, tdp_w (watts of a package, or of all CPUs of a virtual machine), source, and if you like
    /// idle_w and threads (how many hardware threads tdp_w is for). `model` is the name in /proc/cpuinfo.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    cpu_table: Option<OsString>,
    /// Power of memory, in watts per GiB
    ///
    /// Without it 0.363, within 0.305 to 0.421 (METHOD.md).
    #[arg(long, value_name = "W_PER_GIB", allow_negative_numbers = true)]
    ram_power: Option<OsString>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Models, where there is no meter")]
struct Compatible {
    /// Reckon with CodeCarbon's intensities and models (3.3.2), to go on with its figures
    ///
    /// Its table of countries and regions, its world average of 475 g/kWh for what it does not know, and where there is no meter its CPU and
    /// memory models. They are labelled so in every report.
    #[arg(long)]
    codecarbon_compatible: bool,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
struct Output {
    /// Directory of emissions.csv [default: the working directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, display_order = 3)]
    output_dir: Option<OsString>,
    /// Name of the table in there [default: emissions.csv]
    #[arg(long, value_name = "NAME", display_order = 3)]
    output_file: Option<OsString>,
    /// Write the report as JSON; `-` is stdout
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, display_order = 4)]
    json: Option<OsString>,
    /// Nothing on stderr but errors
    #[arg(long, short, display_order = 7)]
    quiet: bool,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
struct RunOutput {
    /// Name of the project, for the reports
    #[arg(long, value_name = "NAME", display_order = 6)]
    project: Option<OsString>,
    /// Id of an experiment, for the reports and for CodeCarbon's server
    #[arg(long, value_name = "ID", display_order = 6)]
    experiment_id: Option<OsString>,
    /// Add a row to emissions.csv; this is the default
    #[arg(long, overrides_with = "no_csv", display_order = 1)]
    csv: bool,
    /// Add no row to emissions.csv
    #[arg(long, overrides_with = "csv", display_order = 2)]
    no_csv: bool,
    /// Write everything that is observed, for `carbon-run replay`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, display_order = 5)]
    record: Option<OsString>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Accounting")]
struct Accounting {
    /// How CPU time is counted [default: auto]
    #[arg(long, value_name = "HOW", value_parser = Offered(backends))]
    accounting: Option<OsString>,
    #[command(flatten)]
    daemon: DaemonSocket,
    /// Count what runs in a control group as the job's, too
    ///
    /// For what a container runtime starts, which is no descendant of the command. Paths below /sys/fs/cgroup, with commas between; a
    /// group need not be there yet. By the daemon or as root; users other than root can name groups that are delegated to them.
    #[arg(long, value_name = "PATH[,PATH...]")]
    cgroup: Option<OsString>,
    /// Time between two samples, 10ms to 1h, as 500ms, 1s or 2
    ///
    /// A number without a unit is seconds. By default 1 s, and 100 ms while a run is younger than 10 s.
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true)]
    interval: Option<OsString>,
    /// Keep the figures so far at least so often [default: 30s]
    ///
    /// Should carbon-run be killed, `carbon-run recover` finishes its books from there; `carbon-run status` shows them while it runs. From
    /// 1s to 1h; 0 keeps nothing.
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true)]
    checkpoint_interval: Option<OsString>,
    /// Wait for descendants that outlive the command
    #[arg(long)]
    wait_tree: bool,
    /// Fail where a measurement would otherwise be degraded
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    nvml: NvmlLibrary,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    sysroot: Sysroot,
}

#[derive(Debug, Clone, Default, Args)]
pub(super) struct Verbose {
    /// Say on stderr what is being done
    #[arg(long, short, help_heading = None::<&str>)]
    pub(super) verbose: bool,
}

impl RunFlags {
    /// What the command line says.
    #[must_use]
    pub fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        self.place.say(&mut layer);
        self.live.say(&mut layer);
        self.beyond.say(&mut layer);
        self.attribution.say(&mut layer);
        self.models.say(&mut layer);
        switch(
            &mut layer,
            Key::CodecarbonCompatible,
            self.compatible.codecarbon_compatible,
        );
        self.output.say(&mut layer);
        self.run_output.say(&mut layer);
        self.receivers.say(&mut layer);
        self.accounting.say(&mut layer);
        switch(&mut layer, Key::Verbose, self.verbose.verbose);
        layer
    }
}

impl Replay {
    /// What the command line says.
    #[must_use]
    pub fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        self.place.say(&mut layer);
        self.beyond.say(&mut layer);
        self.attribution.say(&mut layer);
        self.models.say(&mut layer);
        self.output.say(&mut layer);
        switch(&mut layer, Key::Csv, self.csv);
        switch(&mut layer, Key::Verbose, self.verbose.verbose);
        layer
    }
}

impl Attribution {
    fn say(&self, layer: &mut Layer) {
        value(layer, Key::IdlePolicy, self.idle_policy.as_ref());
        value(layer, Key::IdlePower, self.idle_power.as_ref());
        value(layer, Key::GpuIdlePower, self.gpu_idle_power.as_ref());
        value(layer, Key::SmtWeight, self.smt_weight.as_ref());
    }
}

impl Models {
    fn say(&self, layer: &mut Layer) {
        value(layer, Key::CpuTable, self.cpu_table.as_ref());
        value(layer, Key::RamPower, self.ram_power.as_ref());
    }
}

impl Output {
    fn say(&self, layer: &mut Layer) {
        value(layer, Key::OutputDir, self.output_dir.as_ref());
        value(layer, Key::OutputFile, self.output_file.as_ref());
        value(layer, Key::Json, self.json.as_ref());
        switch(layer, Key::Quiet, self.quiet);
    }
}

impl RunOutput {
    fn say(&self, layer: &mut Layer) {
        value(layer, Key::Project, self.project.as_ref());
        value(layer, Key::ExperimentId, self.experiment_id.as_ref());
        value(layer, Key::Record, self.record.as_ref());
        switch(layer, Key::Csv, self.csv);
        if self.no_csv {
            layer.say(Key::Csv, "false", Origin::Flag);
        }
    }
}

impl Accounting {
    fn say(&self, layer: &mut Layer) {
        value(layer, Key::Accounting, self.accounting.as_ref());
        value(layer, Key::DaemonSocket, self.daemon.daemon_socket.as_ref());
        value(layer, Key::Cgroup, self.cgroup.as_ref());
        value(layer, Key::Interval, self.interval.as_ref());
        value(layer, Key::CheckpointInterval, self.checkpoint_interval.as_ref());
        value(layer, Key::NvmlLibrary, self.nvml.nvml_library.as_ref());
        value(layer, Key::StateDir, self.state.state_dir.as_ref());
        value(layer, Key::Sysroot, self.sysroot.sysroot.as_ref());
        switch(layer, Key::WaitTree, self.wait_tree);
        switch(layer, Key::Strict, self.strict);
    }
}

pub(super) fn value(layer: &mut Layer, key: Key, given: Option<&OsString>) {
    if let Some(text) = given {
        layer.say(key, text, Origin::Flag);
    }
}

pub(super) fn switch(layer: &mut Layer, key: Key, given: bool) {
    if given {
        layer.say(key, "true", Origin::Flag);
    }
}
