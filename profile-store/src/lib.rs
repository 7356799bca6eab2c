//! The only writer of flipper-profile pools: inventory, plan, apply, recover, collect
