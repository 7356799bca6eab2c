//! Holding the packages that an undo brings back in an older version.

use profile_store::undo::Held;

use crate::context::Context;
use crate::report::undo::Undone;

/// Asks whether to hold them, where somebody can be asked.
pub fn offer(older: &Held, context: &Context) -> bool {
    if older.packages.is_empty() {
        return false;
    }
    context.offer(&format!(
        "The next upgrade would bring newer versions again of: {}\nHold the versions that come back?",
        older.packages.join(" ")
    ))
}

/// Tells what is held; or, where nothing is, how the versions that come back are kept: the next upgrade, at night
/// perhaps, would bring the others again.
pub fn tell(report: &mut Undone, older: &Held, is_held: bool) {
    if is_held {
        report.held.clone_from(&older.packages);
        report.notes.extend(older.left.iter().cloned());
        if older.packages.is_empty() && older.left.is_empty() {
            let note = "Nothing is held: no package goes back to an older version, or those that do are held already.";
            report.notes.push(note.to_owned());
        }
    } else if !older.packages.is_empty() {
        let how = match report.check {
            true => "`--hold`".to_owned(),
            false => format!(
                "`apt-mark hold {}` in the profile",
                older.packages.join(" ")
            ),
        };
        report.notes.push(format!(
            "The next upgrade brings the newer versions again; {how} keeps these."
        ));
    }
}
