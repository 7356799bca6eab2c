//! Every effect of flipper-profile: ioctls, mounts, files, locks, commands, fault points
