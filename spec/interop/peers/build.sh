#!/usr/bin/env bash
# Builds the peer program and the full node of every release line, and the program that runs full nodes.
# Usage: build.sh [line...]      Result: $TROUPE_INTEROP_CACHE/<line>/{peer,node} and $TROUPE_INTEROP_CACHE/full/full
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${TROUPE_INTEROP_CACHE:-$here/../.build}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

node_package() {
  case $1 in
    tm*) echo github.com/tendermint/tendermint/cmd/tendermint ;;
    cmt*) echo github.com/cometbft/cometbft/cmd/cometbft ;;
  esac
}

digest() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d' ' -f1
}

# All that decides what comes out: sources, pinned modules, toolchain, this script.
stamp_of() {
  local folders=("$here/$1")
  [ "$1" = full ] || folders+=("$here/control")
  { go env GOVERSION GOOS GOARCH; find "${folders[@]}" -type f \( -name '*.go' -o -name 'go.*' \) | LC_ALL=C sort | xargs cat; cat "$here/build.sh"; } | digest
}

build_line() {
  local line=$1 out="$cache/$1" started=$SECONDS stamp
  stamp=$(cd "$here/$line" && stamp_of "$line")
  if [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
    echo "$line up to date"
    return
  fi
  mkdir -p "$out"
  rm -f "$out/stamp"
  cd "$here/$line"
  local flags=(-trimpath -buildvcs=false -ldflags '-s -w')
  if [ "$line" = full ]; then
    go build "${flags[@]}" -o "$out/full" .
  else
    go build "${flags[@]}" -o "$out/peer" .
    go build "${flags[@]}" -o "$out/node" "$(node_package "$line")"
  fi
  echo "$stamp" >"$out/stamp"
  echo "$line built in $((SECONDS - started)) s"
}

if [ "${1:-}" = --one ]; then
  build_line "$2"
  exit
fi

# The proxy has every version that is pinned, but refuses to list some of the modules; with a complete go.mod nothing has to be listed.
export GOFLAGS="${GOFLAGS:-} -mod=readonly"
lines=("$@")
[ ${#lines[@]} -gt 0 ] || lines=(full tm034 tm035 cmt038 cmt040 cmt1)
# Two at once keep two cores busy while one of them links or downloads.
printf '%s\n' "${lines[@]}" | TROUPE_INTEROP_CACHE=$cache xargs -P 2 -I {} "${BASH_SOURCE[0]}" --one {}
