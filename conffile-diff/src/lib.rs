//! Pure checkers and comparers of dpkg's databases, of package changes and of texts.
//!
//! Everything here takes bytes and plain values and returns plain values: no file is opened,
//! nothing is printed, and the clock only bounds how long two texts are compared. The crate depends on no other crate of the workspace,
//! so undo, rebase and the hooks call the same rules.
//!
//! 1. [`dpkg`] reads what dpkg and apt keep: the status file, automatic marks, file lists and
//!    the history log, and says what changed between two states of them.
//! 2. [`attribution`] decides which changed paths of a transaction were the work of its packages.
//! 3. [`text`] prints the difference of two files.
//! 4. [`merge`] joins two changes of one file, record by record where it is a list of records.
//!
//! Paths are bytes throughout: a package may ship a name that is not UTF-8.

pub mod attribution;
pub mod dpkg;
pub mod merge;
pub mod text;
