package point

// Projection picks parts of payloads by paths. Make one with NewProjection; the zero Projection picks everything.
//
// With include paths, what they reach is kept, and with it what leads there: objects and arrays on the way are kept
// even if nothing is left in them, and so is a value that ends a path early. With exclude paths, what they reach is
// left out. With both, a value must pass both. Here "a.b" does not reach into arrays; "a[].b" and "a[0].b" do.
type Projection struct{ include, exclude []Path }

// MaxProjectionPaths bounds the paths of a projection: each is compared with each part of each payload.
const MaxProjectionPaths = 1000

// NewProjection parses the paths of a projection. No paths of a kind mean no restriction of that kind.
func NewProjection(include, exclude []string) (Projection, error) {
	var (
		pr  Projection
		err error
	)
	if n := len(include) + len(exclude); n > MaxProjectionPaths {
		return pr, exceeds("%d paths to include or exclude: at most %d are allowed", n, MaxProjectionPaths)
	}
	if pr.include, err = parsePaths(include); err == nil {
		pr.exclude, err = parsePaths(exclude)
	}
	return pr, err
}

func parsePaths(texts []string) ([]Path, error) {
	var paths []Path
	for _, t := range texts {
		p, err := ParsePath(t)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	return paths, nil
}

// Apply returns the picked part of payload. Payload is not changed; the result may share parts with it.
func (pr Projection) Apply(payload Payload) Payload {
	if len(pr.include) == 0 && len(pr.exclude) == 0 {
		return payload
	}
	return Payload(pr.object(make([]step, 0, 8), payload))
}

func (pr Projection) object(at []step, m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if below := append(at, step{key: k}); pr.keeps(below) {
			out[k] = pr.value(below, v)
		}
	}
	return out
}

func (pr Projection) value(at []step, v any) any {
	switch v := v.(type) {
	case map[string]any:
		return pr.object(at, v)
	case []any:
		out := make([]any, 0, len(v))
		for i, e := range v {
			if below := append(at, step{kind: stepIndex, index: i}); pr.keeps(below) {
				out = append(out, pr.value(below, e))
			}
		}
		return out
	}
	return v
}

func (pr Projection) keeps(at []step) bool {
	for _, p := range pr.exclude {
		if len(p.steps) <= len(at) && agree(p.steps, at) {
			return false
		}
	}
	for _, p := range pr.include {
		if agree(p.steps, at) {
			return true
		}
	}
	return len(pr.include) == 0
}

// agree reports whether one of pattern and place leads to or through the other.
func agree(pattern, place []step) bool {
	for i := range min(len(pattern), len(place)) {
		if pattern[i] != place[i] && (pattern[i].kind != stepEvery || place[i].kind != stepIndex) {
			return false
		}
	}
	return true
}
