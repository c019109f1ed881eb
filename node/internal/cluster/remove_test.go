package cluster_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func (m *managed) remove(id uint64, lose ...string) (*clusterpb.RemovePeerResponse, error) {
	return m.service.RemovePeer(m.t.Context(), &clusterpb.RemovePeerRequest{Peer: id, Lose: lose})
}

func (m *managed) refused(want codes.Code, text string, id uint64, lose ...string) {
	m.t.Helper()
	before := m.state.Describe()
	_, err := m.remove(id, lose...)
	if status.Code(err) != want || !strings.Contains(status.Convert(err).Message(), text) {
		m.t.Errorf("remove %d %v: %v, want %v: %s", id, lose, err, want, text)
	}
	if m.state.Describe() != before {
		m.t.Errorf("remove %d %v was refused and changed something:\n%s", id, lose, m.state.Describe())
	}
}

func TestAPeerIsRemovedAndWhatIsLostWithItIsTold(t *testing.T) {
	m := newManaged(t, 3)
	m.create("docs", 2, 2, 2)
	m.create("lone", 3, 1, 1)
	m.dead[3] = time.Minute
	m.refused(codes.FailedPrecondition, "ask another one, such as node-2 at n2:6334", 1)
	m.refused(codes.NotFound, "Peer 9", 9)
	m.refused(codes.NotFound, "`none`", 3, "none/0")
	m.refused(codes.NotFound, "no shard 7", 3, "docs/7")
	for _, odd := range []string{"", "docs", "/1", "docs/x", "docs/-1", "docs/4294967296"} {
		m.refused(codes.InvalidArgument, "want COLLECTION/SHARD", 3, odd)
	}
	m.refused(codes.InvalidArgument, "at most", 3, make([]string, 100_001)...)
	col, _ := m.state.Lookup("lone")
	var last string
	for _, sh := range col.Shards {
		if sh.Primary == 3 {
			last = "lone/" + string(rune('0'+sh.ID))
		}
	}
	m.refused(codes.FailedPrecondition, last, 3)
	m.refused(codes.FailedPrecondition, last, 3, "docs/0", "docs/1")

	resp, err := m.remove(3, "docs/0", last, "docs/1")
	if err != nil || strings.Join(resp.GetLost(), " ") != last {
		t.Fatalf("%v, %v; lost is only %s", resp, err, last)
	}
	if p := m.state.Peers[3]; p == nil || !p.Removed {
		t.Errorf("%s", m.state.Describe())
	}
	if resp, err := m.remove(3); err != nil || len(resp.GetLost()) > 0 {
		t.Errorf("again: %v, %v", resp, err)
	}
	m.rest()
	if held := m.state.ReplicasOn(3); held != 0 || len(m.state.Sorted()[0].Shards[1].Replicas) != 2 {
		t.Errorf("%d copies are left there, or others were not made anew:\n%s", held, m.state.Describe())
	}
}

func TestTheNodeThatIsToBeRemovedSendsItsClientsToOneThatAnswers(t *testing.T) {
	m := newManaged(t, 3)
	m.dead[2] = time.Minute
	_, err := m.remove(1)
	var said *fault.Error
	if !errors.As(fault.FromStatus(err), &said) || said.Hints["elsewhere"] == "" || !strings.HasSuffix(said.Text, "such as node-3 at n3:6334") {
		t.Errorf("%v, hints %v", err, said)
	}
	m.dead[3] = time.Minute
	m.refused(codes.FailedPrecondition, "ask another one", 1)
}

func TestAPeerThatVotesStillIsNotToBeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManaged(t, 3)
		m.voters = map[catalog.PeerID]string{1: "", 2: "", 3: ""}
		_, err := m.remove(3)
		if status.Code(err) != codes.DeadlineExceeded || !strings.Contains(err.Error(), "still votes") {
			t.Errorf("%v", err)
		}
		time.AfterFunc(time.Second, func() {
			m.Lock()
			defer m.Unlock()
			delete(m.voters, 3)
		})
		if _, err := m.remove(3); err != nil {
			t.Errorf("when it does not vote any more: %v", err)
		}
	})
}
