package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

// maxVectorBytes bounds a vector file.
const maxVectorBytes = maxLineBytes

func queryTable() config.Table {
	return append(clientTable(), config.Table{
		{Name: "collection", Placeholder: "NAME", Usage: "where to search"},
		{Name: "id", Placeholder: "ID", Usage: "the neighbours of this point (a number or a UUID)"},
		{Name: "where", Kind: config.Lines, Placeholder: "KEY=VALUE", Usage: "the neighbours of the first point whose payload says so; may be given again: all must match"},
		{Name: "vector", Placeholder: "FILE", Usage: "the neighbours of the vector in this file: numbers, or JSON (- is standard input)"},
		{Name: "using", Placeholder: "NAME", Usage: "which vector to compare, where points have several"},
		{Name: "limit", Kind: config.Int, Placeholder: "N", Default: "5", Usage: "how many"},
		outputSetting(),
	}...)
}

func newQuery(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "query --collection NAME (--id ID | --where KEY=VALUE | --vector FILE)",
		Short: "Find the points nearest to a point or a vector",
		Long: `Query finds the nearest points: to the point with --id, to the first point whose payload matches --where, or to the
vector in a file. It prints them nearest first with their score (Cosine and Dot: higher is nearer; Euclid and Manhattan:
lower is nearer) and their payload.`,
		Example: `  ostraka query --collection words --where word=king
  ostraka query --collection docs --id 42 --limit 10 -o json
  echo '[0.1, 0.2, 0.3]' | ostraka query --collection docs --vector - --using text`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return query(w, cmd) },
	}
	bind(cmd, queryTable())
	completeCollections(w, cmd, queryTable())
	return cmd
}

func query(w World, cmd *cobra.Command) error {
	v, err := resolve(w, cmd, queryTable())
	if err != nil {
		return err
	}
	output, err := oneOf(v, "output", "table", "json")
	if err != nil {
		return err
	}
	q, err := newSearch(w, v)
	if err != nil {
		return err
	}
	c, err := connect(w, v)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing is in flight
	if err := q.complete(cmd.Context(), c); err != nil {
		return err
	}
	found, err := c.Query(cmd.Context(), q.collection, q.request)
	if err != nil {
		return err
	}
	if output == "json" {
		return printJSON(w.Out, q.json(found))
	}
	p := newPrinter(w)
	p.cut = true // payloads may be of any length; -o json has them whole
	q.print(p, found)
	return p.err
}

// search is a query as it was asked for.
type search struct {
	collection string
	where      []string
	request    client.QueryRequest
}

func newSearch(w World, v config.Values) (*search, error) {
	q := &search{collection: v.String("collection"), where: v.List("where")}
	q.request = client.QueryRequest{Using: v.String("using"), Limit: uint64(v.Int("limit")), WithPayload: true}
	given := 0
	for _, name := range []string{"id", "where", "vector"} {
		if v.Given(name) {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, usage("say what to search for: one of --id, --where and --vector")
	case v.Int("limit") < 1:
		return nil, usage("--limit starts at 1")
	}
	if v.Given("id") {
		id, err := client.ParseID(v.String("id"))
		if err != nil {
			return nil, usage("--id: %v", err)
		}
		q.request.ID = &id
	}
	if v.Given("vector") {
		vector, err := readVector(w, v.String("vector"))
		if err != nil {
			return nil, err
		}
		q.request.Vector = vector
	}
	_, err := whereFilter(q.where)
	return q, err
}

// complete looks up what depends on the collection: the vector to compare, and the point that --where means.
func (q *search) complete(ctx context.Context, c *client.Client) error {
	collection, err := theCollection(ctx, c, q.collection)
	if err != nil {
		return err
	}
	if err := q.chooseVector(collection); err != nil {
		return err
	}
	if len(q.where) == 0 {
		return nil
	}
	filter, err := whereFilter(q.where)
	if err != nil {
		return err
	}
	first, _, err := c.Scroll(ctx, q.collection, client.ScrollRequest{Filter: filter, Limit: 1})
	if err != nil {
		return err
	}
	if len(first) == 0 {
		return fmt.Errorf("no point of %s has %s", q.collection, strings.Join(q.where, " and "))
	}
	q.request.ID = &first[0].ID
	return nil
}

func (q *search) chooseVector(c *client.Collection) error {
	if _, ok := c.Vectors[q.request.Using]; ok {
		return nil
	}
	var names []string
	for name := range c.Vectors {
		names = append(names, strconv.Quote(name))
	}
	slices.Sort(names)
	switch {
	case q.request.Using == "" && len(c.Vectors) == 1:
		for name := range c.Vectors {
			q.request.Using = name
		}
		return nil
	case q.request.Using == "":
		return usage("the points of %s have several vectors: choose one with --using: %s", q.collection, strings.Join(names, ", "))
	}
	return usage("--using %q: %s has %s", q.request.Using, q.collection, strings.Join(names, ", "))
}

// whereFilter reads KEY=VALUE conditions. A value is compared as text and, where it can be one, as a number or as true
// or false: a payload does not say which it would be.
func whereFilter(where []string) (*client.Filter, error) {
	f := &client.Filter{}
	for _, text := range where {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, usage("--where %q: want KEY=VALUE", text)
		}
		either := &client.Filter{Should: []client.Condition{{Key: key, Equals: value}}}
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			either.Should = append(either.Should, client.Condition{Key: key, Equals: n})
		} else if n, err := strconv.ParseFloat(value, 64); err == nil && json.Valid([]byte(value)) {
			either.Should = append(either.Should, client.Condition{Key: key, Equals: n})
		} else if value == "true" || value == "false" {
			either.Should = append(either.Should, client.Condition{Key: key, Equals: value == "true"})
		}
		f.Must = append(f.Must, client.Condition{Filter: either})
	}
	return f, nil
}

// readVector reads numbers separated by commas or white space, a JSON array of them, or a JSON object with "vector".
func readVector(w World, file string) ([]float32, error) {
	in, _, err := open(w, file)
	if err != nil {
		return nil, usage("--vector: %v", err)
	}
	defer in.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(in, maxVectorBytes+1))
	if err == nil && len(raw) > maxVectorBytes {
		err = fmt.Errorf("longer than %d bytes", maxVectorBytes)
	}
	if err != nil {
		return nil, usage("--vector %s: %v", file, err)
	}
	vector, err := parseAnyVector(bytes.TrimSpace(raw))
	if err != nil {
		return nil, usage("--vector %s: %v", file, err)
	}
	return vector, nil
}

func parseAnyVector(raw []byte) ([]float32, error) {
	switch {
	case bytes.HasPrefix(raw, []byte("{")):
		var object struct {
			Vector json.RawMessage `json:"vector"`
		}
		if err := unmarshal(raw, &object); err != nil {
			return nil, err
		}
		if object.Vector == nil {
			return nil, errors.New(`the object has no "vector"`)
		}
		return parseVector(object.Vector)
	case bytes.HasPrefix(raw, []byte("[")):
		return parseVector(raw)
	}
	numbers := strings.FieldsFunc(string(raw), func(r rune) bool { return strings.ContainsRune(", \t\r\n;", r) })
	return parseVector([]byte("[" + strings.Join(numbers, ",") + "]"))
}

// queryJSON is the JSON of `ostraka query -o json`. Its keys are a contract: add, never rename.
type queryJSON struct {
	Collection string          `json:"collection"`
	ID         *client.PointID `json:"id,omitempty"` // whose neighbours these are
	Points     []scoredJSON    `json:"points"`
}

type scoredJSON struct {
	ID      client.PointID `json:"id"`
	Score   float32        `json:"score"`
	Payload map[string]any `json:"payload"`
}

func (q *search) json(found []client.Scored) queryJSON {
	out := queryJSON{Collection: q.collection, ID: q.request.ID, Points: []scoredJSON{}}
	for _, p := range found {
		out.Points = append(out.Points, scoredJSON{ID: p.ID, Score: p.Score, Payload: p.Payload})
	}
	return out
}

func (q *search) print(p *printer, found []client.Scored) {
	if len(q.where) > 0 {
		p.printf("The first point with %s is %s; nearest to it:\n", printable(strings.Join(q.where, " and ")), q.request.ID)
	}
	if len(found) == 0 {
		p.printf("No points found.\n")
		return
	}
	var rows [][]cell
	for _, f := range found {
		rows = append(rows, []cell{{text: f.ID.String()}, {text: strconv.FormatFloat(float64(f.Score), 'f', 4, 32)}, {text: payloadText(f.Payload)}})
	}
	p.table([]string{"ID", "SCORE", "PAYLOAD"}, rows)
}

func payloadText(payload map[string]any) string {
	if len(payload) == 0 {
		return "-"
	}
	return compactJSON(payload)
}
