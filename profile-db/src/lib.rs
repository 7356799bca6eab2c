//! The model and boot record of flipper-profile, and the SQLite journal
