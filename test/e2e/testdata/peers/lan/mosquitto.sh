#!/bin/sh
# A client of the LAN broker made of mosquitto_sub and mosquitto_pub; see lan_test.go.
set -u
version=$LAN_VERSION
[ "$version" = 5 ] || version=311
common="-h 127.0.0.1 -p ${LAN_URL##*:} -V mqttv$version -u $LAN_USER -P $LAN_PASSWORD"
[ -z "$LAN_CA" ] || common="$common --cafile $LAN_CA"

session="-i $LAN_ID -q 2"
case "$LAN_CLEAN$version" in
0311) session="$session -c" ;;
05) session="$session -c -x 3600" ;;
esac
[ -z "$LAN_WILL" ] || session="$session --will-topic $LAN_WILL --will-payload gone --will-qos 1"
for filter in $(echo "$LAN_FILTERS" | tr , ' '); do session="$session -t $filter"; done

stdbuf -oL mosquitto_sub $common $session -d -F 'message %t %q %r %p' 2>&1 | sed -un \
	-e 's/^Client .* received CONNACK (0)$/connected ?/p' \
	-e 's/^Client .* received CONNACK (\(.*\))$/refused \1/p' \
	-e 's/^Subscribed (mid: .*): \(.*\)$/subscribed \1/' -e '/^subscribed/{s/, /,/g;p}' \
	-e '/certificate verify failed\|^Error: A TLS error\|^Error: Protocol error/s/.*/refused ?/p' \
	-e '/^message /p' &

while read -r _ topic qos retain payload; do
	[ "$retain" = 0 ] || qos="$qos -r"
	if said=$(timeout 50 mosquitto_pub $common -i "$LAN_ID-pub" -d -t "$topic" -q $qos -m "$payload" 2>&1); then
		code=0
	else
		code=lost
	fi
	refused=$(echo "$said" | sed -n 's/.*received PUB\(ACK\|REC\) (.*RC:\([0-9]*\)).*/\2/p' | head -1)
	[ "${refused:-0}" = 0 ] || code=$refused
	[ "$code" = lost ] && echo lost || echo "published $code"
done
pkill -TERM -g 0 -x mosquitto_sub # disconnects
wait
