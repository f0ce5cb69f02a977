#!/bin/sh
# Install edgeagent on a board with 64-bit Debian 12 or 13, Raspberry Pi OS or Ubuntu 22.04 or 24.04:
#   sudo sh install.sh --repository https://apt.example.org --camera /dev/video0 --broker 10.0.0.2:1883
#   sudo sh install.sh --package edgeagent_0.1.0-1~debian12_arm64.deb
# Options are asked for where they are missing; EDGEAGENT_CAMERA and EDGEAGENT_BROKER give them unseen by others.
#   --keyring FILE       key of the repository (default: edgeagent-archive-keyring.gpg beside this script)
#   --provisioning FILE  a complete configuration, a file of `edgeagent provision make` or a folder/ of them; asks nothing
#   --yes                ask nothing: what is missing keeps its default (/dev/video0, no broker)
# It writes /etc/apt/keyrings/edgeagent.gpg, /etc/apt/sources.list.d/edgeagent.sources and
# /etc/edgeagent/edgeagent.yaml, and it leaves a configuration alone that somebody has changed.
set -eu

fail() { echo "install.sh: $1" >&2; exit 1; }
ask() { # QUESTION DEFAULT: the answer
    [ -n "$yes" ] || { printf '%s [%s]: ' "$1" "$2" >&2; read -r answer || true; }
    printf '%s\n' "${answer:-$2}" # echo would change a backslash of a password
}

answer="" repository="" package="" provisioning="" yes="" config=/etc/edgeagent/edgeagent.yaml
keyring=$(dirname "$0")/edgeagent-archive-keyring.gpg camera=${EDGEAGENT_CAMERA:-} broker=${EDGEAGENT_BROKER:-}
while [ $# -gt 0 ]; do
    case "$1" in
    --yes) yes=1; shift; continue ;; -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --repository | --package | --keyring | --camera | --broker | --provisioning) ;;
    *) fail "unknown option $1; --help lists them" ;;
    esac
    [ $# -ge 2 ] || fail "$1 needs a value"
    case "$1" in
    --repository) repository=$2 ;; --package) package=$2 ;; --keyring) keyring=$2 ;;
    --camera) camera=$2 ;; --broker) broker=$2 ;; --provisioning) provisioning=$2 ;;
    esac
    shift 2
done

[ "$(id -u)" -eq 0 ] || fail "run it as root: sudo sh install.sh ..."
case "$(dpkg --print-architecture)" in amd64 | arm64) ;; *) fail "a 64-bit system is needed (amd64 or arm64)" ;; esac
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-unknown}")
case "$suite" in bookworm | trixie | jammy | noble) ;; *) fail "no package for the system $suite; see docs/install.md" ;; esac
[ -z "$provisioning" ] || [ -r "$provisioning" ] || fail "$provisioning cannot be read"

if [ -n "$package" ]; then
    apt-get install -y "$(realpath "$package")"
else
    [ -n "$repository" ] || fail "--repository or --package is needed; --help explains them"
    [ -r "$keyring" ] || fail "$keyring cannot be read: put the key of the repository there, or give --keyring FILE"
    install -D -m 644 "$keyring" /etc/apt/keyrings/edgeagent.gpg
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /etc/apt/keyrings/edgeagent.gpg\n' \
        "$repository" "$suite" >/etc/apt/sources.list.d/edgeagent.sources
    apt-get update && apt-get install -y edgeagent
fi
[ -n "$provisioning$camera" ] || camera=$(ask "Camera: device or address" /dev/video0)
[ -n "$provisioning$broker" ] || broker=$(ask "MQTT broker: HOST[:PORT], or none" none)
case "$provisioning" in
*.edgeagent | */) /opt/edgeagent/bin/python3 -I -m edgeagent provision apply "$provisioning" ;;
*) EDGEAGENT_CAMERA="$camera" EDGEAGENT_BROKER="$broker" /opt/edgeagent/bin/python3 -I -m \
    edgeagent.settings.first_configuration --out "$config" ${provisioning:+--complete "$provisioning"} ;;
esac
systemctl restart edgeagent
cd / && runuser -u edgeagent -- edgeagent doctor -c "$config" # what this board has, what is wrong, what to do
