//! Bad input and bad surroundings, end to end, as a person meets them. In every case the job's exit status and output are
//! what they would be without carbon-run, the message names the thing and a remedy, and nothing is left lying about.

#[path = "trouble/counters.rs"]
mod counters;
#[path = "trouble/disks.rs"]
mod disks;
#[path = "trouble/killed.rs"]
mod killed;
#[path = "trouble/places.rs"]
mod places;
#[path = "trouble/rights.rs"]
mod rights;
#[path = "trouble/streams.rs"]
mod streams;
#[path = "trouble/surroundings.rs"]
mod surroundings;
#[path = "trouble/world.rs"]
mod world;
