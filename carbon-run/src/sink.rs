//! The only writer: files, locks, stdout and stderr.
//!
//! Nothing in here may harm the job or what is already on the disk. A file is either the old one or the new one, a table
//! gains a whole row or nothing, waiting for a lock or a reader is bounded, and what cannot be written where it was
//! wanted is [rescued](Rescue) to a place that is named. Only regular files are replaced; terminals, pipes and inherited
//! descriptors are written to as they are.

mod deliver;
mod failure;
mod inherited;
mod kept_file;
mod line_file;
mod patience;
mod probe;
mod rescue;
mod screen;
#[cfg(test)]
mod small_disk;
mod table;
mod target;
mod whole_file;

pub use deliver::{Delivered, deliver_file, deliver_row};
pub use failure::SinkError;
pub use kept_file::change_file;
pub use line_file::LineWriter;
pub use probe::probe_writable;
pub use rescue::{Rescue, rescue_directories};
pub use screen::Screen;
pub use table::{Appended, append_row};
pub use whole_file::write_file;
