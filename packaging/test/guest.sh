#!/bin/bash
# guest.sh runs in the container that lifecycle.sh boots: the life of the package.
set -u
fail() { printf 'FAIL %s\n' "$1"; journalctl -u sluice --no-pager -n 40; exit 1; }
ok() { printf 'ok   %s\n' "$1"; }
check() { what=$1; shift; if "$@"; then ok "$what"; else fail "$what"; fi; }
eventually() { what=$1; shift; for _ in $(seq 600); do "$@" >/dev/null 2>&1 && { ok "$what"; return; }; sleep 0.1; done; fail "$what"; }
prop() { systemctl show -p "$1" --value sluice; }
is() { [ "$(prop "$1")" = "$2" ]; }
serves() { mosquitto_pub -h 127.0.0.1 -p 1883 -t probe -m x; }

systemctl --version | head -n 1
dpkg -i /opt/sluice.deb >/dev/null || fail "installs"
check "waits for a site file" is ActiveState inactive
check "is enabled" systemctl -q is-enabled sluice
check "has a user in dialout" sh -c 'id -nG sluice | grep -qw dialout'

# A foreign broker upstream that asks for a password, which comes as a credential.
mosquitto_passwd -b -c /etc/upstream.users plant s3cret 2>/dev/null
chmod 644 /etc/upstream.users
printf 'listener 1884 127.0.0.1\npassword_file /etc/upstream.users\nmax_queued_messages 100000\nuser root\n' >/etc/upstream.conf
systemd-run -q --unit upstream mosquitto -c /etc/upstream.conf
(umask 077; printf s3cret >/etc/sluice/credentials/upstream; printf plant >/etc/sluice/credentials/user)
cat >/etc/sluice/site.yaml <<'SITE'
version: 1
site: lifecycle
buses:
  - {id: line, tcp: 127.0.0.1:1502, framing: tcp}
devices:
  - {id: none, bus: line, unit: 1, points: [{id: x, register: input 0x0000}]}
bridges:
  - id: cloud
    url: mqtt://127.0.0.1:1884
    username: {credential: sluice_user}
    password: {credential: sluice_upstream}
    send:
      - {match: load/#}
SITE
check "the site file has no mistakes" systemd-run -q --wait -p LoadCredential=sluice:/etc/sluice/credentials sluice check -c /etc/sluice/site.yaml
systemctl start sluice || fail "starts"
eventually "serves" serves

check "runs as sluice" sh -c "[ \$(stat -c %U /proc/$(prop MainPID)) = sluice ]"
check "state is its own alone" sh -c '[ "$(stat -c %U:%a /var/lib/sluice)" = sluice:750 ]'
check "cannot write /etc" sh -c "! nsenter -t $(prop MainPID) -m touch /etc/x 2>/dev/null"
check "credentials are for root alone" sh -c '! setpriv --reuid sluice --regid sluice --clear-groups cat /etc/sluice/credentials/upstream 2>/dev/null'

# Everything that is published goes up, whatever happens to the program meanwhile.
mosquitto_sub -h 127.0.0.1 -p 1884 -u plant -P s3cret -i far-end -c -q 1 -t 'load/#' -F %p >/opt/arrived &
for _ in $(seq 600); do mosquitto_pub -h 127.0.0.1 -p 1883 -q 1 -t load/x -m 0 2>/dev/null && grep -qx 0 /opt/arrived && break; sleep 0.1; done
check "credential opens the door upstream" grep -qx 0 /opt/arrived
(n=1; while [ ! -e /opt/stop ]; do
	# mosquitto_pub ends with 0 once the gateway has acknowledged.
	timeout 10 mosquitto_pub -h 127.0.0.1 -p 1883 -q 1 -t load/x -m $n 2>/dev/null && echo $n >>/opt/acknowledged && n=$((n + 1))
done) &
more() { before=$(wc -l </opt/acknowledged); eventually "$1: goes on taking messages" sh -c "[ \$(wc -l </opt/acknowledged) -gt $((before + 20)) ]"; }
eventually "takes messages" test -s /opt/acknowledged
more "start"

old=$(prop MainPID)
kill -9 "$old"
eventually "kill -9: starts again" sh -c "p=\$(systemctl show -p MainPID --value sluice); [ \$p != 0 ] && [ \$p != $old ]"
more "kill -9"

echo '# mine' >>/etc/sluice/site.yaml
old=$(prop MainPID)
dpkg -i /opt/newer.deb >/dev/null </dev/null || fail "upgrades"
check "upgrade: the new program runs" sh -c "p=\$(systemctl show -p MainPID --value sluice); [ \$p != 0 ] && [ \$p != $old ]"
more "upgrade"
check "upgrade keeps the site file" grep -q '^# mine' /etc/sluice/site.yaml

touch /opt/stop
arrived() { sort -u /opt/acknowledged | comm -23 - <(sort -u /opt/arrived) | wc -l | grep -qx 0; }
eventually "all $(wc -l </opt/acknowledged) acknowledged messages arrived upstream" arrived

dpkg -r sluice >/dev/null 2>&1 || fail "removes"
check "remove stops it" sh -c '! pgrep -x sluice >/dev/null 2>&1; ! systemctl -q is-active sluice'
check "remove keeps site and state" test -e /etc/sluice/site.yaml -a -d /var/lib/sluice/queue
dpkg -i /opt/sluice.deb >/dev/null 2>&1 || fail "installs again"
eventually "installed again, it serves" serves
dpkg -P sluice >/dev/null 2>&1 || fail "purges"
check "purge leaves nothing" sh -c '[ ! -e /etc/sluice ] && [ ! -e /var/lib/sluice ]'
echo "all passed"
