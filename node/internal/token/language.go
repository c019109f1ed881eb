package token

import (
	"slices"
	"strings"

	"github.com/blevesearch/bleve/v2/analysis/lang/ar"
	"github.com/blevesearch/bleve/v2/analysis/lang/bg"
	"github.com/blevesearch/bleve/v2/analysis/lang/ca"
	"github.com/blevesearch/bleve/v2/analysis/lang/cs"
	"github.com/blevesearch/bleve/v2/analysis/lang/da"
	"github.com/blevesearch/bleve/v2/analysis/lang/de"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/lang/es"
	"github.com/blevesearch/bleve/v2/analysis/lang/eu"
	"github.com/blevesearch/bleve/v2/analysis/lang/fi"
	"github.com/blevesearch/bleve/v2/analysis/lang/fr"
	"github.com/blevesearch/bleve/v2/analysis/lang/ga"
	"github.com/blevesearch/bleve/v2/analysis/lang/gl"
	"github.com/blevesearch/bleve/v2/analysis/lang/hi"
	"github.com/blevesearch/bleve/v2/analysis/lang/hu"
	"github.com/blevesearch/bleve/v2/analysis/lang/hy"
	"github.com/blevesearch/bleve/v2/analysis/lang/id"
	"github.com/blevesearch/bleve/v2/analysis/lang/it"
	"github.com/blevesearch/bleve/v2/analysis/lang/nl"
	"github.com/blevesearch/bleve/v2/analysis/lang/no"
	"github.com/blevesearch/bleve/v2/analysis/lang/pt"
	"github.com/blevesearch/bleve/v2/analysis/lang/ro"
	"github.com/blevesearch/bleve/v2/analysis/lang/ru"
	"github.com/blevesearch/bleve/v2/analysis/lang/sv"
	"github.com/blevesearch/bleve/v2/analysis/lang/tr"
	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/arabic"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/irish"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/tamil"
	"github.com/blevesearch/snowballstem/turkish"
)

// language is what is known of one: the rules by which its words are cut to stems, its commonest words, or both. The words come
// as a text with one in a line. Lists of words that stand in them as somebody's analyzer would rewrite them (Greek, Persian,
// Sorani) are left out: texts do not spell words so.
type language struct {
	code string
	stem func(*snowballstem.Env) bool
	stop []byte
}

var languages = map[string]language{
	"arabic":     {"ar", arabic.Stem, ar.ArabicStopWords},
	"armenian":   {"hy", nil, hy.ArmenianStopWords},
	"basque":     {"eu", nil, eu.BasqueStopWords},
	"bulgarian":  {"bg", nil, bg.BulgarianStopWords},
	"catalan":    {"ca", nil, ca.CatalanStopWords},
	"czech":      {"cs", nil, cs.CzechStopWords},
	"danish":     {"da", danish.Stem, da.DanishStopWords},
	"dutch":      {"nl", dutch.Stem, nl.DutchStopWords},
	"english":    {"en", english.Stem, en.EnglishStopWords},
	"finnish":    {"fi", finnish.Stem, fi.FinnishStopWords},
	"french":     {"fr", french.Stem, fr.FrenchStopWords},
	"galician":   {"gl", nil, gl.GalicianStopWords},
	"german":     {"de", german.Stem, de.GermanStopWords},
	"hindi":      {"hi", nil, hi.HindiStopWords},
	"hungarian":  {"hu", hungarian.Stem, hu.HungarianStopWords},
	"indonesian": {"id", nil, id.IndonesianStopWords},
	"irish":      {"ga", irish.Stem, ga.IrishStopWords},
	"italian":    {"it", italian.Stem, it.ItalianStopWords},
	"norwegian":  {"no", norwegian.Stem, no.NorwegianStopWords},
	"portuguese": {"pt", portuguese.Stem, pt.PortugueseStopWords},
	"romanian":   {"ro", romanian.Stem, ro.RomanianStopWords},
	"russian":    {"ru", russian.Stem, ru.RussianStopWords},
	"spanish":    {"es", spanish.Stem, es.SpanishStopWords},
	"swedish":    {"sv", swedish.Stem, sv.SwedishStopWords},
	"tamil":      {"ta", tamil.Stem, nil},
	"turkish":    {"tr", turkish.Stem, tr.TurkishStopWords},
}

// Language returns the name under which a Tokenizer has a language that is named in small or capital letters, or by the two
// letters of its code. A name that is not known comes back as it is, for Check to refuse.
func Language(name string) string {
	small := strings.ToLower(name)
	if _, known := languages[small]; known {
		return small
	}
	for full, l := range languages {
		if l.code == small {
			return full
		}
	}
	return name
}

// Languages returns what a Tokenizer's StopLanguages and its Stemmer can be, in the order of the alphabet.
func Languages() (stop, stem []string) {
	for name, l := range languages {
		if l.stop != nil {
			stop = append(stop, name)
		}
		if l.stem != nil {
			stem = append(stem, name)
		}
	}
	slices.Sort(stop)
	slices.Sort(stem)
	return stop, stem
}
