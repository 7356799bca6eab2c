# Which cargo to use: the one on PATH when it is new enough, else Debian's. Sourced.
# shellcheck shell=sh

# new_enough: true when cargo and rustc on PATH are at least the version that Cargo.toml asks for.
new_enough() {
	wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
	found=$(rustc --version 2>/dev/null | cut -d' ' -f2)
	[ -n "$found" ] && cargo --version >/dev/null 2>&1 &&
		[ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n1)" = "$wanted" ]
}

# find_toolchain: puts a good cargo on PATH or says what is missing.
find_toolchain() {
	new_enough && return
	PATH=$HOME/.cargo/bin:$PATH
	new_enough && return
	echo "no cargo and rustc $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer; as root this installs Debian's" >&2
	return 1
}

# toolchain_packages: the Debian packages that hold one.
toolchain_packages() {
	# shellcheck source=/dev/null
	case $(. /etc/os-release && echo "$VERSION_CODENAME") in
	bookworm) echo cargo-web rustc-web libstd-rust-web-dev rustfmt-web ;;
	*) echo cargo rustc libstd-rust-dev rustfmt rust-clippy ;;
	esac
}
