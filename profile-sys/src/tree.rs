//! Single entries of a tree, with everything that belongs to them: what undo and import replay.
//!
//! Entries of trees that others may write to are reached through [`Root`], which follows no symlink on the way
//! and never leaves the tree, whatever is put in its way meanwhile.

mod copy;
mod data;
mod directory;
mod meta;
mod place;
mod root;
mod whole;

pub use copy::copy_entry;
pub use directory::{Directory, Removed};
pub use meta::{Kind, Meta, is_opaque, lstat, set_meta, xattrs};
pub use root::Root;
pub use whole::{CopiedTree, copy_tree};
