#!/bin/sh
# Gives Debian 12 the current `docker compose`, from Debian 13's package, which needs nothing of that release but itself.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/sources" "$folder/lists/partial" "$folder/cache/archives/partial" ~/.docker/cli-plugins
for sources in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    [ ! -f "$sources" ] || sed 's/bookworm/trixie/g' "$sources" >"$folder/sources/${sources##*/}"
done
cd "$folder"
from_trixie() {
    apt-get -qq -o "Dir::Etc::sourceparts=$folder/sources" -o Dir::Etc::sourcelist=/dev/null \
        -o "Dir::State::lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User=root "$@"
}
from_trixie update
from_trixie download docker-compose
dpkg-deb --extract docker-compose_*.deb .
cp usr/libexec/docker/cli-plugins/docker-compose ~/.docker/cli-plugins/
