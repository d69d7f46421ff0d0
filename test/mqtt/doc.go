// Package mqtt holds the broker against the letter of MQTT 3.1.1 and 5.0: each
// numbered statement of the two specifications stands in a table, with the packets
// that show that the broker keeps it, or with the reason why packets can't. The
// tests speak over TCP in bytes, through no client library, and know nothing of
// the broker but its address, its limits and its users.
package mqtt
