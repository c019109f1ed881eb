package inproc

import (
	"fmt"
	"io"
	"os"
)

// Figure is something measured that is to be at least, or at most, so much.
type Figure struct {
	Number  int // in docs/design/search.md
	What    string
	Got     float64 // 0: not measured
	AtLeast float64 // or
	AtMost  float64
}

// Reached reports whether the figure is what it is to be. One that was not measured is not reached.
func (f Figure) Reached() bool {
	return f.Got > 0 && (f.AtLeast == 0 || f.Got >= f.AtLeast) && (f.AtMost == 0 || f.Got <= f.AtMost)
}

// Line tells whether the figure is reached, and by how much it is not.
func (f Figure) Line() string {
	sign, want := "at least", f.AtLeast
	if f.AtMost > 0 {
		sign, want = "at most", f.AtMost
	}
	verdict := "reached"
	switch {
	case f.Got <= 0:
		return fmt.Sprintf("%d. %s: %s %.4g is wanted: NOT MEASURED", f.Number, f.What, sign, want)
	case !f.Reached():
		verdict = fmt.Sprintf("NOT reached: %.2f of it", f.Got/want)
	}
	return fmt.Sprintf("%d. %s: %.4g, %s %.4g is wanted: %s", f.Number, f.What, f.Got, sign, want, verdict)
}

// Tell writes the lines of figures, and appends them to a file, if it is named.
func Tell(w io.Writer, file string, figures []Figure) (err error) {
	if file != "" {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // what was not written, a write has told
		w = io.MultiWriter(w, f)
	}
	for _, f := range figures {
		if _, err := fmt.Fprintln(w, f.Line()); err != nil {
			return err
		}
	}
	return nil
}

// Ratio compares two curves' rates at a recall. Where one begins above that, it is at the least recall that both have. It is 0 if one
// does not reach it.
func Ratio(a, b *Curve, recall float64, of func(Point) float64) (ratio, at float64) {
	if len(a.Points) == 0 || len(b.Points) == 0 {
		return 0, recall
	}
	at = max(recall, a.Points[0].Recall, b.Points[0].Recall)
	if x, y := a.At(at, of), b.At(at, of); x > 0 && y > 0 {
		return x / y, at
	}
	return 0, at
}

// Goals are the recalls at which a set is measured, and how many candidates searches are tried with.
type Goals struct {
	Recalls [2]float64
	Efs     []int
}

// GoalsOf returns those of a set.
func GoalsOf(set string) Goals {
	if set == "glove" {
		return Goals{Recalls: [2]float64{0.95, 0.98}, Efs: []int{64, 96, 128, 160, 200, 256, 384, 512, 640}}
	}
	return Goals{Recalls: [2]float64{0.95, 0.99}, Efs: []int{10, 12, 14, 17, 22, 32, 48}}
}
