#!/bin/sh
# lifecycle.sh DEB SUITE... boots Debian of each suite in a container with its real
# systemd and has guest.sh install, break, upgrade, remove and purge the package there.
# Needs root, mmdebstrap and systemd-nspawn.
set -eu
deb=$(realpath "$1")
shift
cd "$(dirname "$0")"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-peers
mkdir -p "$cache"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The same package with a higher version, to upgrade to.
dpkg-deb -R "$deb" "$scratch/newer"
sed -i 's/^Version: .*/&+newer/' "$scratch/newer/DEBIAN/control"
dpkg-deb -Zgzip --root-owner-group -b "$scratch/newer" "$scratch/newer.deb" >/dev/null

for suite; do
	base=$cache/$suite.tar
	if [ ! -e "$base" ]; then
		mmdebstrap --quiet --variant=minbase --include=systemd-sysv,dbus,mosquitto-clients,mosquitto "$suite" "$cache/new-$suite.tar" # its ending says what to make
		mv "$cache/new-$suite.tar" "$base"
	fi
	root=$scratch/$suite
	mkdir "$root"
	tar -xf "$base" -C "$root"
	rm -f "$root/etc/systemd/system/multi-user.target.wants/mosquitto.service"
	cp "$deb" "$root/opt/sluice.deb"
	cp "$scratch/newer.deb" guest.sh "$root/opt/"
	printf '[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\nExecStart=/bin/bash /opt/guest.sh\nStandardOutput=file:/opt/result\nStandardError=file:/opt/result\nExecStopPost=/bin/systemctl --no-block poweroff\n' \
		>"$root/etc/systemd/system/guest.service"
	ln -s ../guest.service "$root/etc/systemd/system/multi-user.target.wants/"
	echo "-- $suite"
	timeout -k 5 600 systemd-nspawn --register=no --keep-unit -q -D "$root" --private-network --boot \
		</dev/null >"$scratch/console" 2>&1 || true
	cat "$root/opt/result"
	grep -q '^all passed$' "$root/opt/result" || {
		tail -n 40 "$scratch/console"
		exit 1
	}
done
