#!/bin/sh
# Sees to what the tests of docker-compose.yml need: an engine that answers, a compose, and a way to get base images.
# Does nothing where all is there. What is missing it installs from Debian's packages, as root. The file is to be valid
# for docker-compose 1.29 and for the current `docker compose`: Debian 12 gets both.
set -eu

LOG=/var/log/dockerd.log

# Debian 12's engine (20.10) reads this file through a memory map, and dies of SIGSEGV where two images are built at once and
# one outgrows the map, which then moves, while the other reads (Unmarshal of contenthash in its log). The map is as large as
# the file was at the start, up to a gigabyte: a sparse one of that size is never outgrown.
BUILD_CACHE=/var/lib/docker/buildkit/metadata_v2.db

install() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "error: $1 is missing; install it, or run this as root on Debian" >&2
        exit 1
    fi
    echo "Installing $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$@" >/dev/null
}

is_there() { command -v "$1" >/dev/null; }

has_current_compose() { docker compose version >/dev/null 2>&1; }

engine_answers() { docker info >/dev/null 2>&1; }

# Where more can be installed, that is.
is_debian_12() { [ "$(id -u)" -eq 0 ] && grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release; }

start_engine() {
    is_there dockerd || install docker.io
    echo "Starting Docker's engine; its log is $LOG"
    [ -e "$BUILD_CACHE" ] || { run_engine && stop_engine; }  # which makes the file
    truncate --no-create --size='>1G' "$BUILD_CACHE"
    run_engine
}

run_engine() {
    setsid dockerd >"$LOG" 2>&1 </dev/null &
    for _ in $(seq 60); do
        engine_answers && return
        kill -0 $! 2>/dev/null || break
        sleep 1
    done
    tail -n 20 "$LOG" >&2
    exit 1
}

stop_engine() {
    kill $!
    wait $! || true
}

has_base_image() {
    docker image inspect "$1" >/dev/null 2>&1 || docker pull --quiet "$1" >/dev/null 2>&1
}

engine_answers || start_engine
is_there docker-compose || { has_current_compose && ! is_debian_12; } || install docker-compose
has_current_compose || ! is_debian_12 || sh "$(dirname "$0")/install_current_compose.sh" ||
    echo "Going on with docker-compose 1.29 alone"
has_base_image python:3.11-slim-bookworm || is_there debootstrap || install debootstrap
