package provider_test

import (
	"os"
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
)

// startCluster returns the endpoints of a cluster of three nodes that lives as long as the test. Without TF_ACC the
// acceptance tests skip themselves, and there is none.
func startCluster(t *testing.T) []string {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		return []string{"127.0.0.1:1"}
	}
	endpoints := []string{fakecluster.Start(t, 3).Endpoint()}
	t.Setenv("OSTRAKA_ENDPOINTS", strings.Join(endpoints, ","))
	return endpoints
}
