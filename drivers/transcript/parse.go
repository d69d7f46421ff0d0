package transcript

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sluice/drivers/modbus"
)

// What is taken from a file.
const (
	maxLine    = 8 << 10 // bytes of a line
	maxBytes   = 1024    // of an entry
	maxEntries = 1 << 20
	maxGap     = 366 * 24 * time.Hour
)

// Parse reads a transcript of at most 1048576 entries. An error names the line.
func Parse(r io.Reader) (*Transcript, error) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	t := &Transcript{}
	n := 0
	for s.Scan() {
		n++
		if err := t.take(n, strings.TrimSpace(s.Text())); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	switch err := s.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("line %d is longer than %d bytes", n+1, maxLine)
	case err != nil:
		return nil, err
	case n == 0:
		return nil, errFirst
	}
	return t, nil
}

var errFirst = fmt.Errorf("a transcript begins with %q", firstLine)

// take reads one line.
func (t *Transcript) take(number int, line string) error {
	switch {
	case number == 1 && line != firstLine:
		return errFirst
	case number == 1, line == "", line[0] == '#':
		return nil
	case line[0] != '+':
		return t.header(line)
	case len(t.Entries) == maxEntries:
		return fmt.Errorf("more than %d entries", maxEntries)
	}
	e, err := parseEntry(line)
	t.Entries = append(t.Entries, e)
	return err
}

// header reads a line that says something about the bus.
func (t *Transcript) header(line string) (err error) {
	key, value, _ := strings.Cut(line, " ")
	switch {
	case len(t.Entries) > 0:
		return fmt.Errorf("%q between entries, which begin with + and microseconds", key)
	case key == "framing":
		t.Framing, err = parseFraming(value)
	case key == "line":
		t.Line, err = parseLine(value)
	case key == "start":
		t.Start, err = time.Parse(time.RFC3339Nano, value)
	default:
		err = fmt.Errorf("%q is neither framing, line, start nor an entry", key)
	}
	return err
}

func parseFraming(s string) (modbus.Framing, error) {
	for _, f := range []modbus.Framing{modbus.RTU, modbus.ASCII, modbus.TCP} {
		if s == f.String() {
			return f, nil
		}
	}
	return 0, fmt.Errorf("framing %q is none of rtu, ascii and tcp", s)
}

func parseLine(s string) (l modbus.Line, err error) {
	baud, format, _ := strings.Cut(s, " ")
	if l.Baud, err = strconv.Atoi(baud); err != nil || l.Baud < 50 || l.Baud > 4_000_000 {
		return l, fmt.Errorf("%q is no speed of a serial line", baud)
	}
	l.DataBits, l.Parity, l.StopBits, err = modbus.ParseFormat(format)
	return l, err
}

// parseEntry reads "+MICROSECONDS KIND BYTES  # NOTE".
func parseEntry(line string) (e Entry, err error) {
	gap, rest, _ := strings.Cut(line, " ")
	us, err := strconv.ParseInt(gap[1:], 10, 64)
	if e.Gap = time.Duration(us) * time.Microsecond; err != nil || us < 0 || us > maxGap.Microseconds() {
		return e, fmt.Errorf("%q is not a gap in microseconds", gap)
	}
	rest = strings.TrimSpace(rest)
	if rest == "" {
		return e, errors.New("nothing behind the gap")
	}
	e.Kind, rest = Kind(rest[0]), strings.TrimSpace(rest[1:])
	switch e.Kind {
	case Event:
		e.Note = rest
		return e, nil
	case Request, Reply, Noise, Nothing:
		e.Bytes, e.Note, err = parseBytes(rest)
	default:
		return e, fmt.Errorf("%q is no kind of entry", byte(e.Kind))
	}
	if has := len(e.Bytes) > 0; err == nil && has == (e.Kind == Nothing) {
		err = fmt.Errorf("%c with %d bytes", e.Kind, len(e.Bytes))
	}
	return e, err
}

// parseBytes reads hexadecimal digits or text in quotes, and a note.
func parseBytes(s string) (b []byte, note string, err error) {
	if strings.HasPrefix(s, `"`) {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, "", fmt.Errorf("%s has no end", s)
		}
		text, err := strconv.Unquote(quoted)
		b, s = []byte(text), strings.TrimSpace(s[len(quoted):])
		if err != nil || s != "" && s[0] != '#' {
			return nil, "", fmt.Errorf("%q behind the text", s)
		}
	}
	digits, note, _ := strings.Cut(s, "#")
	if b == nil {
		if b, err = hex.DecodeString(strings.Join(strings.Fields(digits), "")); err != nil {
			return nil, "", fmt.Errorf("%q are no bytes in hexadecimal digits", strings.TrimSpace(digits))
		}
	}
	if len(b) > maxBytes {
		return nil, "", fmt.Errorf("%d bytes, of at most %d", len(b), maxBytes)
	}
	return b, strings.TrimSpace(note), nil
}
