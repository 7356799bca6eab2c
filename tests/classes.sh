# The classes of ./check in the order they run: cheap ones first. Sourced by it.
# shellcheck shell=sh disable=SC2154 # tier, logs and deb are of ./check

if command -v cargo-fmt >/dev/null; then
	class format cargo fmt --all --check
else
	skip format 'no rustfmt on this machine'
fi
for script in tests/lint/*; do
	class "lint-$(basename "$script")" "$script"
done
if command -v cargo-clippy >/dev/null; then
	class clippy cargo clippy --workspace --all-targets --locked -- -D warnings
else
	skip clippy 'no clippy on this machine'
fi
if command -v cargo-deny >/dev/null; then
	class deny cargo deny --offline check bans licenses sources
	if [ -d "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs" ]; then
		class advisories cargo deny --offline check advisories
	else
		skip advisories 'no advisory database on this machine'
	fi
else
	skip deny 'cargo-deny is not installed (cargo install cargo-deny; minutes)'
fi

class unit cargo test --workspace --locked -- --skip loop_
if as_root loop; then
	class loop cargo test --workspace --locked -- loop_
	# The delta beside a walk of both trees, over generated changes: a few dozen of them are in the class above.
	case $tier in
	long) class delta env FLIPPER_DELTA_CASES=4000 cargo test -p profile-store --test delta --locked -- loop_ ;;
	default) class delta env FLIPPER_DELTA_CASES=400 FLIPPER_DELTA_SEED=1001 \
		cargo test -p profile-store --test delta --locked -- loop_ ;;
	esac
fi
class build cargo build --workspace --locked
if [ "$tier" = long ]; then
	class fuzz tests/fuzz/run 60
elif [ "$tier" = default ]; then
	class fuzz tests/fuzz/run 5
else
	skip fuzz 'default tier'
fi

if [ "$tier" != fast ] && as_root packages; then
	# It also removes what an earlier run built, for whatever release: nothing below tests an old build.
	class deb tests/build/deb "$deb"
	class lintian lintian --fail-on error,warning "$deb"/*.deb
	class lifecycle tests/build/lifecycle "$deb"
	class source tests/build/source "$deb/source"
	if [ "$tier" = long ]; then
		class trixie-amd64 tests/build/clean trixie amd64 "$deb/source" "$deb/trixie"
		class bookworm-amd64 tests/build/clean bookworm amd64 "$deb/source" "$deb/bookworm"
		class reproducible tests/build/reproducible "$deb/source" "$deb/trixie"
	else
		skip trixie-amd64 'long tier; the default one compiles with the same compiler for arm64'
		for name in bookworm-amd64 reproducible; do
			skip $name 'long tier'
		done
	fi
	class autopkgtest tests/build/autopkgtest "$deb/source" "$deb"
	# Debian's own, older compiler, and a foreign architecture, in one build.
	class trixie-arm64 env DEB_BUILD_OPTIONS='nocheck noautodbgsym' \
		tests/build/clean trixie arm64 "$deb/source" "$deb/trixie-arm64"
	# What Debian 13 built: an older debhelper puts units elsewhere.
	class lintian-source tests/build/lintian "$deb/source" "$deb/trixie-arm64"
fi

# The integration tests: two at a time, what is timed alone.
system() { # CLASS JOBS AREA...
	name=$1 jobs=$2
	shift 2
	for area in "$@"; do
		set -- "$@" -k "$(basename "$area")/"
		shift
	done
	class "$name" tests/run --tier "$tier" --bin-dir "$CARGO_TARGET_DIR/debug" --deb "$deb" \
		-j "$jobs" ${FLIPPER_NO_CACHE:+--no-cache} "$@"
}
if as_root system; then
	system system 2 tests/cases/*
	if [ "$tier" = long ]; then
		system bench 1 tests/bench
	else
		# One round of each, held to nothing: they still work.
		system bench 2 tests/bench
	fi
fi
