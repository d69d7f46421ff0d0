package transcript

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sluice/drivers/modbus"
)

// firstLine begins every file; the number is the version of the format.
const firstLine = "sluice transcript 1"

// Writer writes a transcript, each entry with one Write to the file below it. It
// is not safe for concurrent use.
type Writer struct {
	w       io.Writer
	framing modbus.Framing
}

// NewWriter begins a transcript on w.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	var head strings.Builder
	fmt.Fprintf(&head, "%s\nframing %v\n", firstLine, h.Framing)
	if h.Line != (modbus.Line{}) {
		fmt.Fprintf(&head, "line %v\n", h.Line)
	}
	if !h.Start.IsZero() {
		fmt.Fprintf(&head, "start %s\n", h.Start.UTC().Format(time.RFC3339Nano))
	}
	head.WriteByte('\n')
	_, err := io.WriteString(w, head.String())
	return &Writer{w, h.Framing}, err
}

// Write adds an entry. Fractions of a microsecond, and line breaks in a note, are
// lost.
func (w *Writer) Write(e Entry) error {
	_, err := io.WriteString(w.w, e.text(w.framing)+"\n")
	return err
}

// text is the line of an entry.
func (e Entry) text(f modbus.Framing) string {
	line := fmt.Sprintf("%+9d %c", max(0, e.Gap).Microseconds(), e.Kind)
	switch {
	case len(e.Bytes) == 0:
	case f == modbus.ASCII:
		line += " " + strconv.QuoteToASCII(string(e.Bytes))
	default:
		line += fmt.Sprintf(" % x", e.Bytes)
	}
	note := strings.Join(strings.Fields(e.Note), " ")
	switch {
	case note == "":
	case e.Kind == Event:
		line += " " + note
	default:
		line += "  # " + note
	}
	return line
}

// Format is the text of a whole transcript.
func (t *Transcript) Format() []byte {
	var b strings.Builder
	w, _ := NewWriter(&b, t.Header) // a Builder takes everything
	for _, e := range t.Entries {
		_ = w.Write(e)
	}
	return []byte(b.String())
}
