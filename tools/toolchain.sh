#!/usr/bin/env bash
# Finds, or else installs, what a build needs, and prints the shell lines that make the rest use it:
#
#   eval "$(tools/toolchain.sh)"          to build
#   eval "$(tools/toolchain.sh test)"     to test: also rustfmt, clippy, a Chromium, and what the fault tests need
#
# Nothing is printed, and nothing changed, where the Rust in PATH has its WebAssembly target: the case of almost
# everybody. Messages go to stderr. With everything in place it takes a fraction of a second.
#
# On a Debian that reaches packages only and not rustup's server, the compiler is Debian's `rustc-web`. Its package has
# no standard library for WebAssembly, so that is compiled here from `rust-web-src`, once.
set -euo pipefail

readonly target=wasm32-unknown-unknown
readonly debian_rustc=/usr/bin/rustc
readonly debian_std=/usr/lib/rustlib/$target
# Says for which compiler the library beside it was compiled: after an upgrade of Debian's package it must be again.
readonly marker=$debian_std/built-for
readonly root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Debian's tools under their own names, and nothing else of /usr/bin: that may hold an older node.
readonly shims=$root/.toolchain/bin

say() { echo "toolchain: $*" >&2; }
die() { say "$*"; exit 1; }

has_wasm() { # <rustc>
  local libraries
  libraries=$("$1" --print target-libdir --target "$target" 2>/dev/null) && compgen -G "$libraries/libstd*.rlib" >/dev/null
}

is_debians() { [[ -e $debian_rustc && $(readlink -f "$1") == "$(readlink -f $debian_rustc)" ]]; }

debian_is_ready() { [[ -r $marker && $(head -n 1 "$marker") == "$($debian_rustc -V)" ]]; }

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "this needs root: $*"
  fi
}

apt_updated=
apt_install() {
  command -v apt-get >/dev/null || return 1
  if [[ -z $apt_updated ]]; then
    as_root apt-get update -q >&2
    apt_updated=yes
  fi
  say "installs $* from the system's packages"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2
}

# Whether Debian's compiler, library and linker together make a module, with the optimisation across crates that the
# build uses (it needs bitcode in the library).
debian_compiles() { # <linker>
  local folder
  folder=$(mktemp -d)
  echo '#[no_mangle] pub extern "C" fn words() -> usize { std::env::args().map(|word| word.len()).sum() }' > "$folder/try.rs"
  local result=0
  "$debian_rustc" --crate-type cdylib --target "$target" -C linker="$1" -C lto=fat -C opt-level=s -C panic=abort \
    -o "$folder/try.wasm" "$folder/try.rs" >"$folder/log" 2>&1 || result=1
  [[ $result == 0 ]] || say "the standard library for $target must be compiled ($(grep -m 1 '^error' "$folder/log" || true))"
  rm -r "$folder"
  return $result
}

compile_debian_std() {
  local version sources folder
  version=$($debian_rustc -V | cut -d ' ' -f 2)
  sources=/usr/src/rustc-$version/library
  [[ -d $sources ]] || die "$sources is missing: is the package rust-web-src of another version than rustc-web?"
  say "compiles the standard library of Rust $version for $target, about a minute"
  folder=$(mktemp -d)
  # From a neutral place and with a clean environment, so that no setting of this project reaches the library.
  # RUSTC_BOOTSTRAP and force-unstable-if-unmarked are what Rust's own build uses; without bitcode there is no LTO.
  (cd "$sources" && env -u CARGO_BUILD_TARGET -u CARGO_TARGET_DIR -u CARGO_ENCODED_RUSTFLAGS -u RUSTUP_TOOLCHAIN \
    RUSTC=$debian_rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes" \
    /usr/bin/cargo build --quiet --release --locked --target "$target" --manifest-path sysroot/Cargo.toml \
    --target-dir "$folder" >&2) || die "the standard library could not be compiled"
  as_root rm -rf "$debian_std/lib"
  as_root mkdir -p "$debian_std/lib"
  as_root cp "$folder/$target"/release/deps/*.rlib "$debian_std/lib/"
  rm -r "$folder"
}

prepare_debian() {
  if [[ ! -x $debian_rustc || ! -x /usr/bin/cargo || ! -x /usr/bin/cargo-clippy || ! -d /usr/src/rustc-$($debian_rustc -V | cut -d ' ' -f 2) ]]; then
    apt_install rustc-web cargo-web libstd-rust-web-dev rust-web-src rust-web-clippy || return 1
  fi
  # The linker must be of the LLVM that the compiler was built with.
  local llvm
  llvm=$($debian_rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
  command -v "wasm-ld-$llvm" >/dev/null || apt_install "lld-$llvm" || return 1
  if ! debian_compiles "wasm-ld-$llvm"; then
    compile_debian_std
    debian_compiles "wasm-ld-$llvm" || die "Debian's compiler makes no WebAssembly even now"
  fi
  printf '%s\n%s\n' "$($debian_rustc -V)" "wasm-ld-$llvm" | as_root tee "$marker" >/dev/null
}

use_debian() {
  local tool
  mkdir -p "$shims"
  for tool in cargo rustc rustdoc cargo-clippy clippy-driver; do
    [[ -e $shims/$tool || ! -x /usr/bin/$tool ]] || ln -s "/usr/bin/$tool" "$shims/$tool"
  done
  export PATH=$shims:$PATH
  printf 'export PATH=%q:"$PATH"\n' "$shims"
  printf 'export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=%q\n' "$(sed -n 2p "$marker")"
}

find_rust() {
  local rustc
  rustc=$(command -v rustc || true)
  if [[ -n $rustc ]] && ! is_debians "$rustc"; then
    has_wasm "$rustc" && return
  fi
  if debian_is_ready 2>/dev/null; then
    use_debian
    return
  fi
  if command -v rustup >/dev/null && rustup target add "$target" >&2; then
    has_wasm rustc && return
  fi
  if command -v apt-get >/dev/null; then
    say "no $target from rustup, so Debian's compiler is tried"
    if prepare_debian; then
      use_debian
      return
    fi
  fi
  die "the Rust in use (${rustc:-none}) has no target $target, and neither rustup nor the system's packages give it.
Install it (rustup target add $target), then call make again."
}

find_lints() {
  cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt >&2 || apt_install rustfmt-web ||
    die "cargo fmt is missing: rustup component add rustfmt"
  cargo clippy --version >/dev/null 2>&1 || rustup component add clippy >&2 || die "cargo clippy is missing: rustup component add clippy"
}

# KABINET_TEST_CHROMIUM is the browser of the journeys; without it Playwright takes the one it downloaded itself. The shell
# draws no windows, tabs and menus around the pages: with it the journeys take a bit more than half the time. It has no camera,
# so those that hold something before one are given the whole of it (KABINET_TEST_CAMERA).
find_browser() {
  command -v chromium >/dev/null || apt_install chromium >&2 || true
  if command -v chromium >/dev/null; then
    printf 'export KABINET_TEST_CAMERA=%q\n' "$(command -v chromium)"
  fi
  [[ -z ${KABINET_TEST_CHROMIUM:-} ]] || return 0
  # A page without any font has no widths that a test could measure.
  command -v chromium-headless-shell >/dev/null || apt_install chromium-headless-shell fonts-dejavu-core || true
  local name
  for name in chromium-headless-shell chromium chromium-browser google-chrome-stable google-chrome; do
    if command -v "$name" >/dev/null; then
      printf 'export KABINET_TEST_CHROMIUM=%q\n' "$(command -v "$name")"
      return
    fi
  done
  (cd "$root" && npx playwright install --only-shell chromium >&2) || die "no Chromium was found and none could be installed"
}

# A proxy before several nodes, another one before one node, and a clock that can be set: without them those tests fail and say so.
find_fault_tools() {
  [[ -x /usr/sbin/nginx ]] || command -v nginx >/dev/null || apt_install nginx-light >&2 || say "nginx is missing: install it"
  [[ -x /usr/sbin/haproxy ]] || command -v haproxy >/dev/null || apt_install haproxy >&2 || say "haproxy is missing: install it"
  compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || apt_install libfaketime >&2 || say "libfaketime is missing: install it"
}

for needed in cc node npm; do
  command -v "$needed" >/dev/null || die "$needed is missing: a build needs a C compiler (for SQLite), Node 20 and npm"
done

find_rust
if [[ ${1:-} == test ]]; then
  find_lints
  find_browser
  find_fault_tools
fi
