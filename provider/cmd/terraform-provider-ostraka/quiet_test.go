package main

import "testing"

func TestTheFrameworkIsSilentOnlyWhenNobodyAskedForLogs(t *testing.T) {
	for name, c := range map[string]struct {
		environment []string
		want        bool
	}{
		"nothing is asked for":     {[]string{"PATH=/bin", "TF_IN_AUTOMATION=1", "NOT_TF_LOG=TRACE"}, true},
		"set to nothing":           {[]string{"TF_LOG="}, true},
		"everything":               {[]string{"PATH=/bin", "TF_LOG=debug"}, false},
		"what providers log":       {[]string{"TF_LOG_PROVIDER=TRACE"}, false},
		"what the framework logs":  {[]string{"TF_LOG_SDK_FRAMEWORK=TRACE"}, false},
		"a level of the framework": {[]string{"TF_LOG_SDK=WARN"}, false},
	} {
		if got := unheard(c.environment); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
