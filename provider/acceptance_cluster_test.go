package provider_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// shared is the cluster of all acceptance tests that leave its nodes alone; they run one after the other and each ends
// with an empty cluster.
var shared struct {
	sync.Mutex
	cluster *devcluster.Cluster
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "close the shared cluster:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code) //nolint:forbidigo // this is the main function of a test binary
}

// requireCLI fails a test whose command line does not tell its version: the framework ends the process for that, and the nodes' folders
// would stay.
func requireCLI(t *testing.T) {
	t.Helper()
	cli := os.Getenv("TF_ACC_TERRAFORM_PATH")
	if cli == "" {
		return // the framework looks for one
	}
	out, err := exec.CommandContext(t.Context(), cli, "version", "-json").Output()
	if err != nil || !json.Valid(out) && !bytes.Contains(out, []byte("Terraform ")) {
		t.Fatalf("%s version -json: %v\n%s", cli, err, out)
	}
}

// startCluster returns the endpoints of three real nodes. Without TF_ACC the acceptance tests skip themselves, and there
// are none.
func startCluster(t *testing.T) []string {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		return []string{"127.0.0.1:1"}
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		requireCLI(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cluster, err := devcluster.Start(ctx, devcluster.Options{Nodes: 3})
		if err != nil {
			t.Fatalf("start three nodes: %v", err)
		}
		shared.cluster = cluster
	}
	t.Setenv("OSTRAKA_ENDPOINTS", strings.Join(shared.cluster.Endpoints(), ","))
	return shared.cluster.Endpoints()
}
