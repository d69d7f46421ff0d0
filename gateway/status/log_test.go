package status_test

import (
	"bytes"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"sluice/gateway/status"
)

func TestLogBecomesEvents(t *testing.T) {
	var out bytes.Buffer
	b := status.NewBoard()
	log := slog.New(b.Tee(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))).With("bus", "line")
	log.Debug("too little for both")
	log.Info("an event", "n", 1)
	log.Warn("both", "error", errors.New("why"))
	events := b.Events(0)
	if len(events) != 2 || strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "bus=line error=why") {
		t.Fatalf("events %v, log %s", events, out.String())
	}
	e := events[1]
	if want := []status.Attr{{Key: "bus", Value: "line"}, {Key: "error", Value: "why"}}; e.Level != "WARN" || !reflect.DeepEqual(e.Attrs, want) {
		t.Errorf("%+v, want %v", e, want)
	}
}
