package command

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// maxLineBytes bounds a line: a point with the longest vector, written in full, stays well below.
const maxLineBytes = 8 << 20

// lineReader gives the points of a JSONL file, compressed or not, with their line numbers.
type lineReader struct {
	in   *bufio.Reader
	read *counter // what was taken from the file itself, for the progress
	line int      // number of the last line that was read, from 1
}

// counter counts the bytes that pass.
type counter struct {
	in io.Reader
	n  int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

// newLineReader looks at the first bytes, not at the file's name, to see whether it is compressed.
func newLineReader(in io.Reader) (*lineReader, error) {
	r := &lineReader{read: &counter{in: in}}
	raw := bufio.NewReaderSize(r.read, 1<<16)
	magic, err := raw.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read: %w", err)
	}
	r.in = raw
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(raw)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", truncated(err))
		}
		r.in = bufio.NewReaderSize(unzipped, 1<<16)
	}
	return r, nil
}

func truncated(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the file ends too early: it is truncated")
	}
	return err
}

// next returns the next line that is not blank, or io.EOF. Every other error names the line.
func (r *lineReader) next() ([]byte, error) {
	for {
		line, err := r.readLine()
		if err != nil {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

func (r *lineReader) readLine() ([]byte, error) {
	var line []byte
	for {
		part, err := r.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLineBytes:
			return nil, fmt.Errorf("line %d: longer than %d bytes", r.line+1, maxLineBytes)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("line %d: %w", r.line+1, truncated(err))
		}
		r.line++
		return line, nil
	}
}

// skipTo reads and forgets lines, so that the next one has that number.
func (r *lineReader) skipTo(line int) error {
	for r.line < line-1 {
		_, err := r.readLine()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the file has only %d lines", r.line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parsePoint reads {"id": ..., "vector": [...] or "vectors": {"name": [...]}, ...}. Every other field is payload; when
// the only other field is an object called payload, it is the payload.
func parsePoint(line []byte) (client.Point, error) {
	var fields map[string]json.RawMessage
	if err := unmarshal(line, &fields); err != nil {
		return client.Point{}, err
	}
	if fields == nil {
		return client.Point{}, errors.New("want an object with id and vector or vectors")
	}
	id, err := parseID(fields["id"])
	if err != nil {
		return client.Point{}, err
	}
	vectors, err := parseVectors(fields)
	if err != nil {
		return client.Point{}, err
	}
	for _, name := range []string{"id", "vector", "vectors"} {
		delete(fields, name)
	}
	payload, err := parsePayload(fields)
	return client.Point{ID: id, Vectors: vectors, Payload: payload}, err
}

// unmarshal keeps numbers as written and refuses anything behind the value.
func unmarshal(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("the JSON ends too early: it is truncated")
		}
		return fmt.Errorf("not the JSON that was expected: %w", err)
	}
	if d.More() {
		return errors.New("there is more behind the JSON object")
	}
	return nil
}

func parseID(raw json.RawMessage) (client.PointID, error) {
	if raw == nil {
		return client.PointID{}, errors.New(`"id" is missing: want a number or a UUID`)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		text = string(raw)
	} else if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		return client.PointID{}, fmt.Errorf(`"id" is the text %q: write a number without quotes`, text)
	}
	id, err := client.ParseID(text)
	if err != nil {
		return client.PointID{}, fmt.Errorf(`"id" is %.64s: want a whole number, 0 or more, or a UUID in quotes`, raw)
	}
	return id, nil
}

func parseVectors(fields map[string]json.RawMessage) (client.Vectors, error) {
	single, named := fields["vector"], fields["vectors"]
	switch {
	case single != nil && named != nil:
		return nil, errors.New(`"vector" and "vectors" are both there: write one of them`)
	case single != nil:
		values, err := parseVector(single)
		if err != nil {
			return nil, fmt.Errorf(`"vector": %w`, err)
		}
		return client.Vectors{"": values}, nil
	case named == nil:
		return nil, errors.New(`"vector" or "vectors" is missing`)
	}
	var raw map[string]json.RawMessage
	if err := unmarshal(named, &raw); err != nil || raw == nil {
		return nil, errors.New(`"vectors": want an object of vectors by name`)
	}
	out := client.Vectors{}
	for name, r := range raw {
		values, err := parseVector(r)
		if err != nil {
			return nil, fmt.Errorf(`"vectors": %q: %w`, name, err)
		}
		out[name] = values
	}
	return out, nil
}

func parseVector(raw json.RawMessage) ([]float32, error) {
	var numbers []json.Number
	if err := unmarshal(raw, &numbers); err != nil || len(numbers) == 0 {
		return nil, errors.New("want an array of numbers")
	}
	out := make([]float32, len(numbers))
	for i, n := range numbers {
		f, err := strconv.ParseFloat(string(n), 32)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, fmt.Errorf("component %d is %.32q: want a number that fits 32 bits", i, string(n))
		}
		out[i] = float32(f)
	}
	return out, nil
}

func parsePayload(fields map[string]json.RawMessage) (map[string]any, error) {
	payload := map[string]any{}
	if raw, ok := fields["payload"]; ok && len(fields) == 1 && bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		err := unmarshal(raw, &payload)
		return payload, err
	}
	for name, raw := range fields {
		var v any
		if err := unmarshal(raw, &v); err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		payload[name] = v
	}
	return payload, nil
}
