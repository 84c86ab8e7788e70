//! The kernel side, for real: the finished binary around jobs of every shape, each compared with what the kernel itself
//! says of the same job (a control group of its own, `wait4`, the thread's own clock).

#[path = "kernel/agreement.rs"]
mod agreement;
#[path = "support/charged.rs"]
mod charged;
#[path = "kernel/container.rs"]
mod container;
#[path = "kernel/control_groups.rs"]
mod control_groups;
#[path = "kernel/group.rs"]
mod group;
#[path = "kernel/hotplug.rs"]
mod hotplug;
#[path = "kernel/identity.rs"]
mod identity;
#[path = "kernel/in_flight.rs"]
mod in_flight;
#[path = "kernel/interrupts.rs"]
mod interrupts;
#[path = "kernel/io_workers.rs"]
mod io_workers;
#[path = "kernel/launched.rs"]
mod launched;
#[path = "kernel/leftovers.rs"]
mod leftovers;
#[path = "kernel/lineage.rs"]
mod lineage;
#[path = "kernel/needs.rs"]
mod needs;
#[path = "kernel/neighbours.rs"]
mod neighbours;
#[path = "kernel/rungs.rs"]
mod rungs;
#[path = "kernel/siblings.rs"]
mod siblings;
#[path = "kernel/storms.rs"]
mod storms;
#[path = "kernel/unprivileged.rs"]
mod unprivileged;
#[path = "kernel/workload/mod.rs"]
mod workload;
