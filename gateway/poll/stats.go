package poll

import "time"

// Stats are counts since the start.
type Stats struct {
	Polls       uint64 // blocks read, with or without success
	Overruns    uint64 // periods that passed before the bus could serve them
	Devices     int
	Offline     int           // devices that do not answer now
	Unanswered  time.Duration // bus time given to units that did not answer
	Quarantined int           // points that are refused again and again, and asked ever more rarely
	Walls       int           // places that devices refuse to have read over
	Units       []UnitStats   // in the order of Config.Devices
}

// UnitStats is how a device does.
type UnitStats struct {
	Device   string
	State    State
	Since    time.Time // of the state; zero while nothing is known
	LastGood time.Time // when it last did what it was asked; zero: never
	Failing  int       // points that could not be read when they were last asked for
	Failures uint64    // exchanges without a usable reply
	Error    string    // the last of them
	ErrorAt  time.Time
	Answers  uint64
	Latency  time.Duration // end of a request to the first byte of the reply, mean of the latest; 0: not known
	P99      time.Duration // of the latest some hundreds
	Advice   string        // what to write into the site file, if anything: "timeout: 120ms"
}

// Stats returns the counts so far.
func (p *Poller) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Units = make([]UnitStats, len(p.devices))
	for i, d := range p.devices {
		s.Units[i] = d.shown
	}
	return s
}

func (p *Poller) count(change func(*Stats)) {
	p.mu.Lock()
	change(&p.stats)
	p.mu.Unlock()
}

// timed notes how long a device took to answer, and logs advice once it is due.
func (p *Poller) timed(d *device, latency time.Duration) {
	d.answers++
	if latency > 0 {
		d.times.add(latency)
	}
	shown := d.shown // which nobody else changes
	shown.Answers, shown.Latency, shown.P99, shown.Advice = d.answers, d.times.mean, d.times.p99(), d.times.advice(d.Timeout)
	if shown.Advice != "" && !d.advised {
		d.advised = true
		p.log.Info("timeout does not fit the device", "device", d.ID, "timeout", d.Timeout,
			"p99", shown.P99.Round(time.Millisecond), "set", shown.Advice)
	}
	p.mu.Lock()
	d.shown = shown
	p.mu.Unlock()
}
