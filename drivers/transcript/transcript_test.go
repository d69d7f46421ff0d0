package transcript_test

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/transcript"
)

// example is the one in FORMAT.md.
func example(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(doc)) {
		if code, ok := strings.CutPrefix(line, "    "); ok || line == "\n" && text.Len() > 0 {
			text.WriteString(code)
			if !ok {
				text.WriteByte('\n')
			}
		} else if text.Len() > 0 {
			break
		}
	}
	return text.String()
}

func TestExampleOfTheDocument(t *testing.T) {
	got, err := transcript.Parse(strings.NewReader(example(t)))
	if err != nil {
		t.Fatal(err)
	}
	us := func(n int) time.Duration { return time.Duration(n) * time.Microsecond }
	want := &transcript.Transcript{
		Header: transcript.Header{
			Line:  modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1},
			Start: time.Date(2026, 11, 21, 3, 30, 24, 123456000, time.UTC),
		},
		Entries: []transcript.Entry{
			{Kind: transcript.Request, Bytes: []byte("\x01\x04\x00\x34\x00\x02\x30\x05")},
			{Gap: us(12830), Kind: transcript.Reply, Bytes: []byte("\x01\x04\x04\x43\x66\x80\x00\x6f\xdf")},
			{Gap: us(1003646), Kind: transcript.Request, Bytes: []byte("\x02\x03\x00\x00\x00\x01\x84\x39")},
			{Gap: us(500000), Kind: transcript.Nothing, Bytes: []byte{}, Note: "nobody there"},
			{Gap: us(1250), Kind: transcript.Noise, Bytes: []byte{0, 0xFF}},
			{Gap: us(4000), Kind: transcript.Event, Note: "port down: input/output error"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	for _, e := range got.Entries {
		if e.Kind != transcript.Noise && len(e.Bytes) > 0 && !modbus.ValidCRC(e.Bytes) {
			t.Errorf("% x: the example has a wrong checksum", e.Bytes)
		}
	}
}

func TestWritesWhatItReads(t *testing.T) {
	for _, text := range []string{
		"sluice transcript 1\nframing rtu\n\n       +0 > 01\n",
		"sluice transcript 1\nframing ascii\nline 9600 7E1\n\n       +0 > \":010300000001FB\\r\\n\"  # asks \"once\"\n" +
			"    +1250 ? \"\\x00\\\"#\"\n",
		"sluice transcript 1\nframing tcp\nstart 2026-11-21T03:30:24Z\n\n       +0 > 00 01 00 00 00 06 ff 03 00 00 00 01\n" +
			" +1000000 -\n      +12 ! port down: # of a kind\n",
	} {
		got, err := transcript.Parse(strings.NewReader(text))
		if err != nil {
			t.Errorf("%v in\n%s", err, text)
			continue
		}
		if out := string(got.Format()); out != text {
			t.Errorf("%s\nwant\n%s", out, text)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", `a transcript begins with "sluice transcript 1"`},
		{"sluice transcript 2", `line 1: a transcript begins with "sluice transcript 1"`},
		{"sluice transcript 1\nframing rtu-over-tcp", `line 2: framing "rtu-over-tcp" is none of rtu, ascii and tcp`},
		{"sluice transcript 1\nline fast 8N1", `line 2: "fast" is no speed of a serial line`},
		{"sluice transcript 1\nline 9600", `line 2: "" is not a serial format such as`},
		{"sluice transcript 1\nstart today", `line 2: parsing time "today"`},
		{"sluice transcript 1\nspeed 5", `line 2: "speed" is neither framing, line, start nor an entry`},
		{"sluice transcript 1\n+0 > 01\nframing rtu", `line 3: "framing" between entries`},
		{"sluice transcript 1\n+x > 01", `line 2: "+x" is not a gap in microseconds`},
		{"sluice transcript 1\n+99999999999999 > 01", `is not a gap in microseconds`},
		{"sluice transcript 1\n+5", `line 2: nothing behind the gap`},
		{"sluice transcript 1\n+5 * 01", `line 2: '*' is no kind of entry`},
		{"sluice transcript 1\n+5 > 0g", `line 2: "0g" are no bytes in hexadecimal digits`},
		{"sluice transcript 1\n+5 > 012", `line 2: "012" are no bytes`},
		{"sluice transcript 1\n+5 > # nothing", `line 2: > with 0 bytes`},
		{"sluice transcript 1\n+5 - 01", `line 2: - with 1 bytes`},
		{"sluice transcript 1\n+5 > \"ab", `line 2: "ab has no end`},
		{"sluice transcript 1\n+5 > \"ab\" cd", `line 2: "cd" behind the text`},
		{"sluice transcript 1\n+5 > " + strings.Repeat("00", 1025), `line 2: 1025 bytes, of at most 1024`},
		{"sluice transcript 1\n+5 > " + strings.Repeat("00", 8192), `line 2 is longer than 8192 bytes`},
	} {
		if _, err := transcript.Parse(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60q: %v, want %s", tt.text, err, tt.want)
		}
	}
}

// FuzzParse has a parser that takes back what it has written.
func FuzzParse(f *testing.F) {
	f.Add([]byte("sluice transcript 1\nframing ascii\nline 9600 7E1\n+0 > \":0103\\r\\n\" # note\n+5 ! gone\n+9 -\n"))
	f.Add([]byte("sluice transcript 1\nstart 2026-11-21T03:30:24Z\n+0 > 0103\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := transcript.Parse(strings.NewReader(string(text)))
		if err != nil {
			return
		}
		written := first.Format()
		second, err := transcript.Parse(strings.NewReader(string(written)))
		if err != nil || string(second.Format()) != string(written) {
			t.Fatalf("%v\n%s", err, written)
		}
	})
}
