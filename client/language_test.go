package client_test

import (
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

func TestLanguagesGoByNameAndCode(t *testing.T) {
	for given, want := range map[string]string{
		"english": "english", "English": "english", "EN": "english", "jp": "japanese", "hi-EN": "hinglish", "ta": "tamil", "xx": "xx", "": "", client.StemmerDisabled: client.StemmerDisabled,
	} {
		if got := client.LanguageName(given); got != want {
			t.Errorf("%q is %q, want %q", given, got, want)
		}
	}
	stop, stem := client.StopwordLanguages(), client.StemmerLanguages()
	if len(stop) != 36 || len(stem) != 20 || !slices.IsSorted(stop) || !slices.IsSorted(stem) || slices.Contains(stop, "tamil") || slices.Contains(stem, "hebrew") {
		t.Errorf("%d languages with stop words: %q; %d with a stemmer: %q", len(stop), stop, len(stem), stem)
	}
}
