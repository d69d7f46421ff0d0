package homeassistant

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"sluice/gateway/durable"
)

// record is what was announced: devices by their object ids.
type record map[string]platforms

// platforms are the entities of a device by their keys.
type platforms map[string]string

// memoryVersion is the version of the memory file, and maxMemory its bound.
const (
	memoryVersion = 1
	maxMemory     = 16 << 20
)

// memory is the memory file.
type memory struct {
	Version int    `json:"version"`
	Devices record `json:"devices"`
}

// present is what the site has now.
func (a *Announcer) present() record {
	r := record{}
	for _, d := range a.cfg.Devices {
		entities := platforms{}
		for _, p := range d.Points {
			entities[p.key()] = p.platform()
		}
		r[a.object(d)] = entities
	}
	return r
}

// without returns what r has and other has not.
func (r record) without(other record) record {
	gone := record{}
	for object, entities := range r {
		kept, here := other[object]
		missing := maps.Clone(entities)
		maps.DeleteFunc(missing, func(key, _ string) bool { return kept[key] != "" })
		if !here || len(missing) > 0 {
			gone[object] = missing
		}
	}
	return gone
}

// and returns what r and other have together.
func (r record) and(other record) record {
	all := record{}
	for _, part := range []record{r, other} {
		for object, entities := range part {
			if all[object] == nil {
				all[object] = platforms{}
			}
			maps.Copy(all[object], entities)
		}
	}
	return all
}

// recall reads the memory file. Without one nothing can be taken back.
func (a *Announcer) recall() record {
	if a.cfg.Memory == "" {
		return nil
	}
	m, err := readMemory(a.cfg.Memory)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.Warn("what Home Assistant was told before is not known; entities of old points must be deleted there", "error", err)
	}
	return m.Devices
}

func readMemory(path string) (m memory, err error) {
	f, err := os.Open(path)
	if err != nil {
		return m, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMemory+1))
	switch {
	case err != nil:
		return m, err
	case len(text) > maxMemory:
		return m, fmt.Errorf("%s is too large for a memory file", path)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return memory{}, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if m.Version != memoryVersion {
		return memory{}, fmt.Errorf("%s has version %d, this program reads %d", path, m.Version, memoryVersion)
	}
	return m, nil
}

// remember writes the memory file, unless there never was anything to remember.
func (a *Announcer) remember(r record) {
	if a.cfg.Memory == "" {
		return
	}
	if len(r) == 0 {
		if err := os.Remove(a.cfg.Memory); err != nil && !errors.Is(err, fs.ErrNotExist) {
			a.log.Warn("what Home Assistant was told cannot be forgotten", "error", err)
		}
		return
	}
	text, err := json.MarshalIndent(memory{memoryVersion, r}, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(a.cfg.Memory), 0o750)
	}
	if err == nil {
		err = durable.WriteFile(a.cfg.Memory, append(text, '\n'), 0o640)
	}
	if err != nil {
		a.log.Warn("points that the site loses will stay in Home Assistant", "error", err)
	}
}
