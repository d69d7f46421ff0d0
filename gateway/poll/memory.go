package poll

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sluice/gateway/durable"
	"sluice/mapping"
)

// memoryVersion is the version of the memory file. A file of another version is
// not read: what it holds can be learned again.
const memoryVersion = 1

// maxMemory bounds the memory file; some hundred devices need a tenth of it.
const maxMemory = 1 << 20

// memory is the file that keeps what devices refuse.
type memory struct {
	Version int                 `json:"version"`
	Devices map[string]learning `json:"devices"`
}

// learning is what is known of one device, as long as its map is the same.
type learning struct {
	Map   string         `json:"map"`
	Walls []wall         `json:"walls,omitempty"`
	Most  map[string]int `json:"most,omitempty"` // registers in one request, by table
}

// wall is registers From to To of a table, To excluded, that no request may
// reach over.
type wall struct {
	Table string `json:"table"`
	From  int    `json:"from"`
	To    int    `json:"to"`
}

// recall reads the memory file. Without one, or with one that cannot be read,
// the poller learns afresh.
func (p *Poller) recall() {
	if p.cfg.Memory == "" {
		return
	}
	m, err := readMemory(p.cfg.Memory)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.log.Warn("what devices refuse is not known any more, learning it again", "error", err)
	}
	for _, d := range p.devices {
		if l, ok := m.Devices[d.ID]; ok && l.Map == d.MapDigest() {
			d.known = l.knowledge()
		}
	}
	p.countWalls()
}

func readMemory(path string) (m memory, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return m, err
	}
	if info.Size() > maxMemory {
		return m, fmt.Errorf("%s is too large for a memory file: %d bytes", path, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return memory{}, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if m.Version != memoryVersion {
		return memory{}, fmt.Errorf("%s has version %d, this program reads %d", path, m.Version, memoryVersion)
	}
	return m, nil
}

// remember writes the memory file. That takes a moment in which nothing is
// polled, once for each thing learned.
func (p *Poller) remember() {
	p.countWalls()
	if p.cfg.Memory == "" {
		return
	}
	m := memory{Version: memoryVersion, Devices: map[string]learning{}}
	for _, d := range p.devices {
		if l := learningOf(d); len(l.Walls) > 0 || len(l.Most) > 0 {
			m.Devices[d.ID] = l
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(p.cfg.Memory), 0o750)
	}
	if err == nil {
		err = durable.WriteFile(p.cfg.Memory, append(text, '\n'), 0o640)
	}
	if err != nil && !p.forgetful {
		p.log.Warn("what devices refuse will have to be learned again after a restart", "error", err)
	}
	p.forgetful = err != nil
}

func (p *Poller) countWalls() {
	walls := 0
	for _, d := range p.devices {
		walls += len(d.known.Walls)
	}
	p.count(func(s *Stats) { s.Walls = walls })
}

func learningOf(d *device) learning {
	l := learning{Map: d.MapDigest(), Most: map[string]int{}}
	for _, w := range d.known.Walls {
		l.Walls = append(l.Walls, wall{w.Table.String(), w.From, w.To})
	}
	for t, most := range d.known.Most {
		if most > 0 {
			l.Most[mapping.Table(t).String()] = most
		}
	}
	return l
}

// knowledge is what the file says of a device; what makes no sense is left out.
func (l learning) knowledge() (k mapping.Knowledge) {
	for t := range k.Most {
		name := mapping.Table(t).String()
		k.Most[t] = max(0, l.Most[name])
		for _, w := range l.Walls {
			if w.Table == name && w.From <= w.To {
				k.Walls = append(k.Walls, mapping.Wall{Table: mapping.Table(t), From: w.From, To: w.To})
			}
		}
	}
	return k
}
