//! The project's own chores: `cargo xtask VERB`.

mod bench;
mod build_ebpf;
mod data;
mod layers;
mod lint;
mod source_rules;
mod tally;
mod test;

use anyhow::Result;

/// The project's own chores.
#[derive(clap::Parser)]
#[command(bin_name = "cargo xtask")]
enum Xtask {
    /// What carbon-run costs, beside what it may cost, and how far its figures are from the truth
    #[command(subcommand)]
    Bench(bench::Verb),
    /// Build the eBPF object that carbon-run embeds, from carbon-ebpf
    BuildEbpf(build_ebpf::Options),
    /// The tables under data/ that carbon-run embeds
    #[command(subcommand)]
    Data(data::Verb),
    /// Check everything that can be checked without running a test
    Lint,
    /// Run every test, and say at the end which could not run here and why
    Test(test::Options),
}

fn main() -> Result<()> {
    match <Xtask as clap::Parser>::parse() {
        Xtask::Bench(verb) => bench::run(&verb),
        Xtask::BuildEbpf(options) => build_ebpf::run(&options),
        Xtask::Data(verb) => data::run(&verb),
        Xtask::Lint => lint::run(),
        Xtask::Test(options) => test::run(&options),
    }
}
