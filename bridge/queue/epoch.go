package queue

import (
	"math/rand/v2"
	"sync"

	"sluice/gateway/durable"
)

// epoch is drawn anew for each log that a lane is opened on: what number a message
// of another log had says nothing here.
type epoch struct {
	used bool

	mu  sync.Mutex
	log *durable.Log
	id  uint64
}

// of returns the epoch of what log takes in, 0: none.
func (e *epoch) of(log *durable.Log) uint64 {
	if !e.used {
		return 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.log != log || e.id == 0 { // 0 stands for none
		e.log, e.id = log, rand.Uint64()
	}
	return e.id
}
