//! Versions of packages: an order, whatever they look like.

#![no_main]

use conffile_diff::dpkg::changes::compare_versions;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|pair: (&str, &str)| {
    let (a, b) = pair;
    assert_eq!(compare_versions(a, b), compare_versions(b, a).reverse());
});
