package command

import (
	"io"
	"iter"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// MaxLineBytes is the longest line that load reads.
const MaxLineBytes = maxLineBytes

// Points reads a file as load does, up to the first error.
func Points(in io.Reader) iter.Seq2[int, client.Point] {
	return func(yield func(int, client.Point) bool) {
		r, err := newLineReader(in)
		if err != nil {
			return
		}
		for {
			line, err := r.next()
			if err != nil {
				return
			}
			p, err := parsePoint(line)
			if err != nil || !yield(r.line, p) {
				return
			}
		}
	}
}
