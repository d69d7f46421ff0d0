package sim

import (
	"context"
	"io"
	"net"
	"sync"
)

// Listen serves the bus on a network until ctx is cancelled, and returns nil, or
// until in fails: as a device with modbus.TCP, else as a converter with the line
// behind it. It has one connection at a time, as many devices do, and owns in.
func (b *Bus) Listen(ctx context.Context, in net.Listener) error {
	stop := context.AfterFunc(ctx, func() { in.Close() })
	defer in.Close()
	defer stop()
	for {
		conn, err := in.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		b.connect(ctx, conn)
	}
}

// connect serves one connection until either side ends it.
func (b *Bus) connect(ctx context.Context, conn net.Conn) {
	port := NewMemPort()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var pumps sync.WaitGroup
	pumps.Go(func() {
		io.Copy(port, conn) // ends when the connection does
		port.Unplug()
	})
	pumps.Go(func() {
		io.Copy(conn, port) // ends when the port is unplugged, or nobody takes it
		conn.Close()
	})
	_ = b.Serve(ctx, port) // its error is that of the port
	conn.Close()
	port.Unplug()
	pumps.Wait()
}
