#!/bin/sh
# Sees to what the tests of docker-compose.yml need: an engine that answers, a compose, and a way to get base images.
# Does nothing where all is there. What is missing it installs from Debian's packages, as root.
set -eu

LOG=/var/log/dockerd.log

install() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "error: $1 is missing; install it, or run this as root on Debian" >&2
        exit 1
    fi
    echo "Installing $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$@" >/dev/null
}

engine_answers() { docker info >/dev/null 2>&1; }

start_engine() {
    command -v dockerd >/dev/null || install docker.io
    echo "Starting Docker's engine; its log is $LOG"
    setsid dockerd >"$LOG" 2>&1 </dev/null &
    for _ in $(seq 60); do
        engine_answers && return
        kill -0 $! 2>/dev/null || break
        sleep 1
    done
    tail -n 20 "$LOG" >&2
    exit 1
}

has_base_image() {
    docker image inspect "$1" >/dev/null 2>&1 || docker pull --quiet "$1" >/dev/null 2>&1
}

engine_answers || start_engine
docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || install docker-compose
has_base_image python:3.11-slim-bookworm || command -v debootstrap >/dev/null || install debootstrap
