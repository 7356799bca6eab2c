//! Undo and redo: taking one transaction back.
//!
//! [`prepare`] reads the world under the pool's lock and makes the plan; [`apply`] carries it out.
//! Between the two the caller may show the plan, or drop it. An undo is itself a transaction; redo
//! is the undo of an undo.
//!
//! Where the profile is mounted nowhere, a copy is built beside it and exchanged in one step (see
//! [`crate::replacement`]). Where it is mounted, its upper cannot be exchanged under the overlay
//! (the kernel's Documentation/filesystems/overlayfs.rst): the same plan is replayed through the merged mount, and a crash in the
//! middle is finished by `recover`. What must not be changed under running programs can wait until the profile starts
//! next ([`wait`], [`carry_out`]).

mod alternatives;
mod apply;
mod caches;
mod choose;
mod culprits;
mod decisions;
mod derived;
mod essential;
mod facts;
mod hold;
mod join;
mod left_behind;
mod live;
mod meanwhile;
mod members;
mod outlook;
mod packages;
mod plan;
mod prepare;
mod range;
mod replay;
pub(crate) mod row;
mod services;
mod several;
mod sides;
mod step;
mod waiting;
mod whole;
mod world;

pub use conffile_diff::dpkg::hold::Held;

pub use apply::{Applied, apply};
pub(crate) use choose::own;
pub use choose::{Which, choose};
pub use decisions::{Decision, Decisions};
pub(crate) use derived::Remake;
pub use essential::Essential;
pub use join::Joined;
pub use left_behind::LeftBehind;
pub(crate) use live::{LiveReplay, replay_again, replay_live};
pub use live::{Task, finish_replay};
pub use outlook::Outlook;
pub(crate) use outlook::look;
pub(crate) use plan::refuse_mounted;
pub use plan::{Conflict, Method, Obstacle, Plan};
pub use prepare::{Prepared, Request, Verb, Wishes, prepare};
pub use replay::{Replayed, replay};
pub use services::Services;
pub use sides::{Made, Sides, made, sides};
pub use waiting::{Waited, carry_out, carry_out_all, wait, waiting, withdraw};
