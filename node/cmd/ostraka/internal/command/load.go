package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

func loadTable() config.Table {
	return append(clientTable(), config.Table{
		{Name: "collection", Placeholder: "NAME", Usage: "where the points go"},
		{Name: "from-line", Kind: config.Int, Placeholder: "N", Default: "1", Usage: "go on at this line of the file, after a load that stopped"},
		{Name: "batch", Kind: config.Int, Placeholder: "N", Default: "256", Usage: "points in one request"},
		{Name: "parallel", Kind: config.Int, Placeholder: "N", Default: "4", Usage: "requests in flight at once"},
	}...)
}

func newLoad(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "load --collection NAME FILE",
		Short: "Fill a collection from a JSONL file, compressed or not",
		Long: `Load upserts the points of a JSONL file (FILE, or - for standard input; gzip is recognised by itself) into a collection
that exists. A line is one point:

  {"id": 1, "vector": [0.1, 0.2], "word": "king", "rank": 7}
  {"id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "vectors": {"image": [0.1], "text": [0.2, 0.3]}}

The id is a whole number or a UUID; every field but id, vector and vectors is payload. Each request is answered once
enough replicas have applied it.

When load stops, because a line is wrong, the cluster is away, or Ctrl-C, it says up to which line everything is in and
how to go on. Loading a line twice is harmless: a point with the same id is replaced by itself.`,
		Example: `  ostraka load --collection words words-6k.jsonl.gz
  zcat a.jsonl.gz | ostraka load --collection docs -
  ostraka load --collection docs --from-line 30001 docs.jsonl`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("load needs one file (or - for standard input); see %s --help", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return load(w, cmd, args[0]) },
	}
	bind(cmd, loadTable())
	completeCollections(w, cmd, loadTable())
	return cmd
}

func load(w World, cmd *cobra.Command, file string) error {
	v, err := resolve(w, cmd, loadTable())
	if err != nil {
		return err
	}
	if v.Int("from-line") < 1 || v.Int("batch") < 1 || v.Int("parallel") < 1 {
		return usage("--from-line, --batch and --parallel start at 1")
	}
	c, err := connect(w, v)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // every request has been answered
	in, size, err := open(w, file)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	if _, err := theCollection(cmd.Context(), c, v.String("collection")); err != nil {
		return err
	}
	lines, err := newLineReader(in)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := lines.skipTo(v.Int("from-line")); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	l := &loader{
		client: c, collection: v.String("collection"), batch: v.Int("batch"), parallel: v.Int("parallel"),
		lines: lines, progress: newProgress(w, lines.read, size), in: lines.line, inFlight: map[client.PointID]bool{},
	}
	start := w.Now()
	err = l.run(cmd.Context())
	l.progress.end()
	return l.report(w, file, v.Int("from-line"), w.Now().Sub(start), err)
}

// open returns the file and its size; 0: unknown.
func open(w World, file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		return io.NopCloser(w.In), 0, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s: is a folder", file)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// report says what is in, and after a failure how to go on.
func (l *loader) report(w World, file string, from int, took time.Duration, err error) error {
	if err == nil {
		rate := ""
		if s := took.Seconds(); s > 0 {
			rate = fmt.Sprintf(" (%s a second)", grouped(uint64(float64(l.points)/s)))
		}
		_, err := fmt.Fprintf(w.Out, "%s points are in %s after %s%s.\n", grouped(l.points), l.collection, took.Round(time.Millisecond), rate)
		return err
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	what := "nothing is in"
	if l.in >= from {
		what = fmt.Sprintf("everything up to line %d is in", l.in)
	}
	// What can be typed again needs no quotes unless the file's name does.
	if strings.ContainsAny(file, " '\"\\$`&|;<>()*?[]#~!{}") {
		file = "'" + strings.ReplaceAll(file, "'", `'\''`) + "'"
	}
	return &loadError{cause: err, text: fmt.Sprintf("%s\n%s; to go on: ostraka load --collection %s --from-line %d %s",
		explain(err), what, l.collection, l.in+1, file)}
}

// loadError is a load that stopped.
type loadError struct {
	text  string
	cause error
}

func (e *loadError) Error() string { return e.text }

// Unwrap lets the exit code follow from the cause.
func (e *loadError) Unwrap() error { return e.cause }
