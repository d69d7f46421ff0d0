package sim_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/sim"
)

func TestMemPortReadTimeout(t *testing.T) {
	for _, tt := range []struct {
		name    string
		timeout time.Duration
		after   time.Duration
		bytes   int
	}{
		{"nothing comes in time", 10 * ms, 10 * ms, 0},
		{"returns with the first character", 100 * ms, 32500 * time.Microsecond, 1},
		{"zero does not wait", 0, 0, 0},
		{"negative waits for ever", -1, 32500 * time.Microsecond, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			simulate(t, oneUnit(), func(h host) {
				h.write(frame(h, ask))
				begin := time.Now()
				if err := h.SetReadTimeout(tt.timeout); err != nil {
					h.Fatal(err)
				}
				n, err := h.Read(make([]byte, 64))
				if after := time.Since(begin); n != tt.bytes || err != nil || after != tt.after {
					h.Errorf("%d bytes, %v after %v; want %d after %v", n, err, after, tt.bytes, tt.after)
				}
			})
		})
	}
}

func TestMemPortReadsInPieces(t *testing.T) {
	simulate(t, oneUnit(), func(h host) {
		h.write(frame(h, ask))
		time.Sleep(time.Second)
		var b [4]byte
		for _, want := range []int{4, 4, 1} {
			if n, err := h.Read(b[:]); n != want || err != nil {
				h.Errorf("%d, %v; want %d", n, err, want)
			}
		}
		if n, err := h.Read(nil); n != 0 || err != nil {
			h.Errorf("%d, %v for no bytes", n, err)
		}
	})
}

func TestMemPortHoldsWhatADriverHolds(t *testing.T) {
	cfg := oneUnit()
	cfg.Adapter = sim.Adapter{}
	simulate(t, cfg, func(h host) {
		for range 300 { // 25 bytes each
			h.write(frame(h, "01 03 0000 000a"))
			time.Sleep(time.Second)
		}
		if n, err := h.Read(make([]byte, 8192)); n != 4096 || err != nil {
			h.Errorf("%d, %v", n, err)
		}
	})
}

func TestMemPortGone(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*sim.MemPort)
		want error
	}{
		{"unplugged", (*sim.MemPort).Unplug, sim.ErrUnplugged},
		{"closed", func(p *sim.MemPort) { _ = p.Close() }, os.ErrClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus, port := sim.New(oneUnit()), sim.NewMemPort()
				served, read := make(chan error, 1), make(chan error, 1)
				go func() { served <- bus.Serve(t.Context(), port) }()
				go func() {
					_, err := port.Read(make([]byte, 1))
					read <- err
				}()
				synctest.Wait()
				tt.end(port)
				tt.end(port) // once more does no harm
				if err := <-served; !errors.Is(err, sim.ErrUnplugged) {
					t.Errorf("serve: %v", err)
				}
				if err := <-read; !errors.Is(err, tt.want) {
					t.Errorf("pending read: %v", err)
				}
				if _, err := port.Read(make([]byte, 1)); !errors.Is(err, tt.want) {
					t.Errorf("read: %v", err)
				}
				if _, err := port.Write([]byte{1}); !errors.Is(err, tt.want) {
					t.Errorf("write: %v", err)
				}
				if err := port.SetReadTimeout(0); !errors.Is(err, tt.want) {
					t.Errorf("set read timeout: %v", err)
				}
			})
		})
	}
}

func TestServeAnotherPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		bus := sim.New(oneUnit())
		first, second := host{t, sim.NewMemPort(), bus}, host{t, sim.NewMemPort(), bus}
		served := make(chan error, 2)
		go func() { served <- bus.Serve(ctx, first.MemPort) }()
		synctest.Wait()
		go func() { served <- bus.Serve(ctx, second.MemPort) }() // waits for the first to be left

		first.expect("01 06 0000 0007", "01 06 0000 0007")
		first.write(frame(t, ask))
		time.Sleep(35 * ms) // in the middle of the reply
		first.Unplug()
		if err := <-served; !errors.Is(err, sim.ErrUnplugged) {
			t.Errorf("serve: %v", err)
		}
		second.expect(ask, "01 03 04 0007 0065")
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if got := bus.Stats().Replies; got != 3 {
			t.Errorf("%d replies", got)
		}
		if err := bus.Serve(ctx, second.MemPort); err != nil {
			t.Errorf("serve after cancel: %v", err)
		}
	})
}

func TestCancelEndsServeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		bus, port := sim.New(oneUnit()), sim.NewMemPort()
		served := make(chan error, 1)
		go func() { served <- bus.Serve(ctx, port) }()
		synctest.Wait()
		cancel()
		begin := time.Now()
		if err := <-served; err != nil || time.Since(begin) != 0 {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}
