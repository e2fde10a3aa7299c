#!/usr/bin/env bash
# CRI-O, Kata for peer pods, the cloud API adaptor and podman-cri on a host that is there. See README.md beside this file.
#
#   install.sh [--dry-run]              looks, installs what is missing, starts; a second time changes nothing
#   install.sh --files [--root DIR]     only places the files and enables the units: for images (Containerfile)
#   install.sh --uninstall [--dry-run]  takes away what it placed; packages, settings and what was stored stay
#
# PODMAN_CRI=FILE          podman-cri (target/release/podman-cri of this repository)
# KATA_SHIM=FILE           containerd-shim-kata-v2 that is there; else it is taken from KATA_IMAGE
# CLOUD_API_ADAPTOR=FILE   cloud-api-adaptor that is there; else it is taken from CAA_IMAGE
# KATA_IMAGE, CAA_IMAGE    images to take them from
# CRIO_PACKAGE=NAME        Fedora's package of CRI-O, one for each minor version
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${KATA_IMAGE:=quay.io/kata-containers/kata-deploy:3.31.0}"
: "${CAA_IMAGE:=quay.io/confidential-containers/cloud-api-adaptor:v0.21.1}"
: "${CRIO_PACKAGE:=cri-o1.34}"
: "${PODMAN_CRI:=$here/../target/release/podman-cri}"

mode=install
dry=
root=
# A host's own programs lie in /usr/local; an image's in /usr, which its updates carry.
bin=/usr/local/bin
libexec=/usr/local/libexec/podman-cri
units=/etc/systemd/system
docs=/usr/local/share/doc/podman-cri
changed=

say() { printf 'install.sh: %s\n' "$*" >&2; }

die() {
	say "$@"
	exit 1
}

have() { type -P "$1" >/dev/null; }

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; }

# Runs a command, or shows it.
run() {
	if [ -n "$dry" ]; then
		printf 'would run: %s\n' "$*"
	else
		"$@"
	fi
}

arguments() {
	while [ $# -gt 0 ]; do
		case $1 in
		--dry-run) dry=1 ;;
		--files)
			mode=files
			bin=/usr/bin
			libexec=/usr/libexec/podman-cri
			units=/usr/lib/systemd/system
			docs=/usr/share/doc/podman-cri
			;;
		--uninstall) mode=uninstall ;;
		--root)
			[ $# -ge 2 ] || die '--root needs a folder'
			root=${2%/}
			shift
			;;
		-h | --help)
			usage
			exit 0
			;;
		*) die "unknown: $1 (--help tells what there is)" ;;
		esac
		shift
	done
	[ -z "$root" ] || [ "$mode" = files ] || die '--root goes with --files alone'
}

# --- files -------------------------------------------------------------------------------------------------------------------

# A file of this folder, with the paths of this host: standard output.
rendered() { # SOURCE
	sed -e "s#/usr/bin/podman-cri#$bin/podman-cri#" \
		-e "s#/usr/bin/cloud-api-adaptor#$bin/cloud-api-adaptor#" \
		-e "s#/usr/share/doc/podman-cri#$docs#" \
		-e "s#/usr/libexec/podman-cri/containerd-shim-kata-v2#$(shim_path)#" "$here/$1"
}

# Writes standard input to a file, if that would change it.
place() { # TARGET MODE
	local target=$root$1 text
	text=$(cat && printf .)
	if [ -f "$target" ] && printf %s "${text%.}" | cmp -s - "$target"; then
		return
	fi
	changed=1
	if [ -n "$dry" ]; then
		printf 'would write: %s\n' "$target"
		return
	fi
	mkdir -p "${target%/*}"
	printf %s "${text%.}" >"$target.new"
	chmod "$2" "$target.new"
	mv "$target.new" "$target"
	say "wrote $target"
}

# Copies a program, if that would change the one there.
place_program() { # SOURCE TARGET
	[ "$1" -ef "$2" ] && return
	cmp -s "$1" "$2" && return
	changed=1
	run mkdir -p "${2%/*}"
	run install -m 755 "$1" "$2.new"
	run mv "$2.new" "$2"
}

shim_path() {
	if [ "$mode" != files ] && [ -n "${KATA_SHIM:-}" ]; then
		printf '%s\n' "$KATA_SHIM"
	else
		printf '%s\n' "$libexec/containerd-shim-kata-v2"
	fi
}

# The folder of CNI's plugins, by the first of them.
plugin_folder() {
	local folder
	for folder in /usr/libexec/cni /usr/lib/cni /opt/cni/bin; do
		[ -x "$root$folder/bridge" ] || continue
		printf '%s\n' "$folder"
		return
	done
	return 1
}

# A network, where the runtime has none but loopback.
network() {
	local file
	for file in "$root"/etc/cni/net.d/*.conf "$root"/etc/cni/net.d/*.conflist; do
		case $file in
		*/10-podman-cri.conflist | *loopback* | *\**) ;;
		*) return 0 ;;
		esac
	done
	place /etc/cni/net.d/10-podman-cri.conflist 644 <"$here/cni/10-podman-cri.conflist"
}

# Kata itself is installed, and nobody else, such as its package, has made the handler.
wants_local_kata() {
	local file
	[ -x "$root/usr/bin/containerd-shim-kata-v2" ] || return 1
	for file in "$root"/etc/crio/crio.conf "$root"/etc/crio/crio.conf.d/*; do
		case $file in
		*/60-kata.conf) ;;
		*) ! grep -qs '^ *\[crio\.runtime\.runtimes\.kata\]' "$file" || return 1 ;;
		esac
	done
}

files() {
	local folder
	rendered units/podman-cri.service | place "$units/podman-cri.service" 644
	rendered units/cloud-api-adaptor.service | place "$units/cloud-api-adaptor.service" 644
	rendered crio/60-kata-remote.conf | place /etc/crio/crio.conf.d/60-kata-remote.conf 644
	! wants_local_kata || rendered crio/60-kata.conf | place /etc/crio/crio.conf.d/60-kata.conf 644
	if folder=$(plugin_folder); then
		# CRI-O makes the folders named here, and does not start where that fails: the one that is there, alone
		printf '[crio.network]\nplugin_dirs = ["%s"]\n' "$folder" |
			place /etc/crio/crio.conf.d/60-plugins.conf 644
	elif [ "$mode" != files ] || [ -z "$root" ]; then
		[ -n "$dry" ] || die 'no CNI plugins (bridge) in /usr/libexec/cni, /usr/lib/cni or /opt/cni/bin'
	fi
	network
	place /etc/peerpods/kata/configuration-remote.toml 644 <"$here/kata/configuration-remote.toml"
	# what somebody has filled in stays
	[ -e "$root/etc/peerpods/adaptor.env" ] || place /etc/peerpods/adaptor.env 600 <"$here/adaptor.env"
	place "$docs/adaptor.env" 644 <"$here/adaptor.env"
	place "$docs/machine.md" 644 <"$here/README.md"
}

# --- packages ----------------------------------------------------------------------------------------------------------------

missing_packages() {
	have crio || printf '%s\n' "$CRIO_PACKAGE"
	plugin_folder >/dev/null || printf 'containernetworking-plugins\n'
	have nft || printf 'nftables\n'
	# the adaptor's tunnel
	have iptables || printf '%s\n' "$([ -e /etc/debian_version ] && echo iptables || echo iptables-nft)"
}

packages() {
	local wanted=()
	mapfile -t wanted < <(missing_packages)
	[ ${#wanted[@]} -gt 0 ] || return 0
	if [ -e /run/ostree-booted ]; then
		layered "${wanted[@]}"
	elif have dnf; then
		run dnf install -y "${wanted[@]}"
	elif have apt-get; then
		case " ${wanted[*]} " in
		*" $CRIO_PACKAGE "*) die 'CRI-O is missing, and Debian has none: take its own packages (https://github.com/cri-o/packaging), then run this again' ;;
		esac
		run apt-get install -y --no-install-recommends "${wanted[@]}"
	else
		die "missing, and there is neither rpm-ostree nor dnf nor apt-get: ${wanted[*]}"
	fi
}

# A host whose /usr comes as a whole.
layered() { # PACKAGES...
	if ! have rpm-ostree || ! rpm-ostree status >/dev/null 2>&1; then
		die "missing: $*. This host takes no single packages (bootc): build the image of the Containerfile and switch to it"
	fi
	run rpm-ostree install --idempotent --allow-inactive "$@"
	[ -n "$dry" ] || {
		say 'the packages are there after a reboot: systemctl reboot, then run this again'
		exit 0
	}
}

# A program out of an image, by the Podman that is there.
from_image() { # IMAGE PATH TARGET
	[ ! -x "$3" ] || return 0
	have podman || die "podman is missing: it would take $2 out of $1"
	if [ -n "$dry" ]; then
		printf 'would take: %s from %s to %s\n' "$2" "$1" "$3"
		return
	fi
	local container
	container=$(podman create --quiet "$1" none) || die "$1 cannot be had"
	mkdir -p "${3%/*}"
	podman cp "$container:$2" "$3.new" || {
		podman rm "$container" >/dev/null
		die "$1 has no $2"
	}
	podman rm "$container" >/dev/null
	chmod 755 "$3.new"
	mv "$3.new" "$3"
	changed=1
	say "took $3 from $1"
}

programs() {
	if [ -f "$PODMAN_CRI" ]; then
		place_program "$PODMAN_CRI" "$bin/podman-cri"
	else
		[ -x "$bin/podman-cri" ] || die "no $PODMAN_CRI: run make build, or name it with PODMAN_CRI"
	fi
	[ -n "${KATA_SHIM:-}" ] ||
		from_image "$KATA_IMAGE" /opt/kata-artifacts/opt/kata/bin/containerd-shim-kata-v2 "$(shim_path)"
	if [ -n "${CLOUD_API_ADAPTOR:-}" ]; then
		place_program "$CLOUD_API_ADAPTOR" "$bin/cloud-api-adaptor"
	else
		from_image "$CAA_IMAGE" /usr/local/bin/cloud-api-adaptor "$bin/cloud-api-adaptor"
	fi
}

# --- the whole ---------------------------------------------------------------------------------------------------------------

checks() {
	[ -n "$dry" ] || [ "$(id -u)" = 0 ] || die 'it needs root'
	[ -d /run/systemd/system ] || die 'systemd does not run here'
	[ -z "${KATA_SHIM:-}" ] || [ -x "$KATA_SHIM" ] || die "KATA_SHIM=$KATA_SHIM is no program"
	case ${KATA_SHIM:-containerd-shim-kata-v2} in
	*containerd-shim-*-v2) ;;
	*) die "KATA_SHIM=$KATA_SHIM: CRI-O takes only programs named containerd-shim-…-v2" ;;
	esac
	[ -z "${CLOUD_API_ADAPTOR:-}" ] || [ -x "$CLOUD_API_ADAPTOR" ] || die "CLOUD_API_ADAPTOR=$CLOUD_API_ADAPTOR is no program"
	if pgrep -x kubelet >/dev/null; then
		say 'a kubelet runs here: podman-cri will refuse to make containers on its runtime'
	fi
}

start() {
	run systemctl daemon-reload
	run systemctl enable --now crio.service podman-cri.service
	if [ -n "$changed" ]; then
		# CRI-O reads handlers at its start; containers go on meanwhile
		run systemctl restart crio.service podman-cri.service
	fi
	if grep -q '^CLOUD_PROVIDER=.' /etc/peerpods/adaptor.env 2>/dev/null; then
		# not restarted: it remembers its machines in memory alone
		run systemctl enable --now cloud-api-adaptor.service
	else
		say 'no provider yet: fill in /etc/peerpods/adaptor.env, then systemctl enable --now cloud-api-adaptor'
	fi
}

uninstall() {
	run systemctl disable --now podman-cri.service cloud-api-adaptor.service || true
	run rm -f "$units/podman-cri.service" "$units/cloud-api-adaptor.service" \
		/etc/crio/crio.conf.d/60-kata-remote.conf /etc/crio/crio.conf.d/60-kata.conf /etc/crio/crio.conf.d/60-plugins.conf \
		/etc/cni/net.d/10-podman-cri.conflist /etc/peerpods/kata/configuration-remote.toml \
		"$bin/podman-cri" "$bin/cloud-api-adaptor" "$docs/machine.md" "$docs/adaptor.env" "$libexec/containerd-shim-kata-v2"
	run systemctl daemon-reload
	say 'left: packages, /etc/peerpods/adaptor.env, /var/lib/podman-cri, containers (systemctl restart crio drops the handlers)'
}

arguments "$@"
case $mode in
files)
	files
	run systemctl ${root:+--root="$root"} enable crio.service podman-cri.service
	;;
uninstall)
	checks
	uninstall
	;;
install)
	checks
	packages
	programs
	files
	start
	[ -n "$changed" ] || say 'nothing to change'
	;;
esac
