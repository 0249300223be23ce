//! What happens when something breaks: processes are killed, disks fill, databases go away, clocks jump, people hang up.
//!
//! Everything here is real: `kabinet serve` as a process of its own over a database of its own, changes sent through
//! the site's own forms. A change counts as acknowledged when its answer (303) arrived; whatever happens afterwards, it
//! has to be there, and once. Names begin with `fault_`, so that the layer `rust` can leave them to the layer `faults`.
//!
//! `KABINET_TEST_KILLS`, `KABINET_TEST_HANG_UPS` and `KABINET_TEST_SCALE_SECONDS` make the same tests long.
#![allow(unreachable_pub, reason = "modules of tests")]

mod browser;
mod clock;
mod disk;
mod hang_ups;
mod kill;
mod load;
mod nginx;
mod node;
#[path = "../ports/mod.rs"]
mod ports;
mod postgres;
mod scale_out;
