#!/bin/sh
# lintian.sh DEB... fails when lintian has anything to say.
set -eu
for deb; do
	if ! said=$(lintian --allow-root --fail-on error,warning "$deb" 2>&1) || [ -n "$said" ]; then
		printf 'lintian on %s:\n%s\n' "$deb" "$said" >&2
		exit 1
	fi
done
echo "lintian is silent on $# packages"
