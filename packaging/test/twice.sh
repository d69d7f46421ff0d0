#!/bin/sh
# twice.sh PROGRAM... makes all packages of these programs twice, in different folders
# and time zones and with different umasks, and compares the bytes.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/programs"
for program; do ln -s "$(realpath "$program")" "$scratch/programs/"; done
cd "$(dirname "$0")/../tools"
go build -o "$scratch/pack" .
"$scratch/pack" -from "$scratch/programs" -to "$scratch/once"
(umask 077; TZ=Asia/Kathmandu "$scratch/pack" -from "$scratch/programs" -to "$scratch/again" >/dev/null)
diff "$scratch/once/SHA256SUMS" "$scratch/again/SHA256SUMS"
echo "$(wc -l <"$scratch/once/SHA256SUMS") files, twice the same"
