package gateway

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bridge"
	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/gateway/presence"
)

// healthSince returns what makes heartbeats: counts are of the time since the last.
func (g *Gateway) healthSince(stateDir string) func() presence.Health {
	began := time.Now()
	last, before := began, map[string]bus.Stats{}
	return func() presence.Health {
		s, now := g.Status(), time.Now()
		h := presence.Health{Uptime: int64(now.Sub(began) / time.Second), Devices: map[string]int{}, Host: hostOf(stateDir)}
		for _, b := range s.Buses {
			h.Buses = append(h.Buses, busHealth(b, before[b.ID], now.Sub(last)))
			before[b.ID] = b.Bus
			for _, u := range b.Poll.Units {
				h.Devices[string(u.State)]++
			}
		}
		for _, b := range s.Bridges {
			h.Bridges = append(h.Bridges, bridgeHealth(b.ID, b.Stats, now))
		}
		last = now
		return h
	}
}

func busHealth(b BusStatus, before bus.Stats, span time.Duration) presence.BusHealth {
	h := presence.BusHealth{ID: b.ID, Open: b.Bus.Open}
	if span > 0 {
		share := float64(b.Bus.Busy-before.Busy) / float64(span)
		h.Busy = float64(int(100*share+0.5)) / 100
	}
	for fault := range b.Bus.Faults {
		if modbus.Fault(fault) != modbus.None {
			h.Errors += b.Bus.Faults[fault] - before.Faults[fault]
		}
	}
	return h
}

func bridgeHealth(id string, b bridge.Stats, now time.Time) presence.BridgeHealth {
	h := presence.BridgeHealth{ID: id, Connected: b.Connected, RTT: b.RTT.Milliseconds(), Rate: b.Rate, Reconnects: b.Reconnects}
	for _, l := range b.Lanes {
		h.Messages += l.Backlog
		h.Lost += l.Lost
		h.Dead += l.Dead
		if l.Backlog == 0 {
			continue
		}
		h.Bytes += l.BacklogBytes
		if !l.OldestAt.IsZero() {
			h.Oldest = max(h.Oldest, int64(now.Sub(l.OldestAt)/time.Second))
		}
	}
	return h
}

// hostOf is how the machine is; dir is where the queues live.
func hostOf(dir string) presence.Host {
	h := presence.Host{MemFree: memFree()}
	if words := strings.Fields(firstOf("/proc/loadavg")); len(words) > 0 {
		h.Load, _ = strconv.ParseFloat(words[0], 64)
	}
	if milli, err := strconv.Atoi(firstOf("/sys/class/thermal/thermal_zone0/temp")); err == nil {
		celsius := float64(milli/100) / 10
		h.Temperature = &celsius
	}
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) == nil && fs.Blocks > 0 {
		free := float64(1000*fs.Bavail/fs.Blocks) / 10
		h.DiskFree = &free
	}
	return h
}

// memFree is how many bytes programs can still have; 0: not known.
func memFree() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "MemAvailable:")
	words := strings.Fields(rest)
	if len(words) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(words[0], 10, 64)
	return kib << 10
}

// firstOf returns the first line of a file, empty when there is none.
func firstOf(path string) string {
	line, err := firstLine(path)
	if err != nil {
		return ""
	}
	return line
}
