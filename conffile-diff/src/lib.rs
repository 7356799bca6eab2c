//! Pure checkers and mergers of conffiles, dpkg databases and trees
