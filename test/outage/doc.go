// Package outage runs the whole bridge in simulated time: publisher, rules, queue
// on a disk that forgets, sender, MQTT client, a link that fails and a broker that
// does not always answer. Every schedule of faults follows from its seed, and the
// tests check what the bridge promises. It knows no part from the inside.
package outage
