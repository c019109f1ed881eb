package provider_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

const aliasType = "ostraka_alias"

// newAliasWorld has the collections blue and green, and a log that begins after them.
func newAliasWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 1, nil)
	for _, name := range []string{"blue", "green"} {
		w.apply(t, nil, minimal(prototest.Config{"name": name}))
	}
	w.cluster.Log()
	return w
}

func live(collection string) prototest.Config {
	return prototest.Config{"name": "live", "collection": collection}
}

func TestAnAliasSwapsItsCollectionInOneRequest(t *testing.T) {
	w := newAliasWorld(t)
	r := w.applyOf(t, aliasType, nil, live("blue"))
	w.mustBeSettledOf(t, aliasType, r, live("blue"))
	r = w.applyOf(t, aliasType, r, live("green"))
	w.mustBeSettledOf(t, aliasType, r, live("green"))
	renamed := w.Plan(t, aliasType, r, prototest.Config{"name": "other", "collection": "green"})
	wantEqual(t, "replaced because of", renamed.Replace, []string{"name"})
	w.applyOf(t, aliasType, r, nil)
	wantEqual(t, "log", w.cluster.Log(), []string{
		"aliases: create live -> blue", "aliases: delete live, create live -> green", "aliases: delete live",
	})
}

func TestAnAliasThatWasMovedOrRemovedIsSeenInThePlan(t *testing.T) {
	w := newAliasWorld(t)
	r := w.applyOf(t, aliasType, nil, live("blue"))
	w.cluster.Alias("live", "green")
	r = w.refreshOf(t, aliasType, r)
	wantEqual(t, "changes", w.Plan(t, aliasType, r, live("blue")).Changes(), []string{"collection"})
	r = w.applyOf(t, aliasType, r, live("blue"))
	w.mustBeSettledOf(t, aliasType, r, live("blue"))
	w.cluster.Alias("live", "")
	if r = w.refreshOf(t, aliasType, r); r.Exists() {
		t.Error("an alias that is gone is still in the state")
	}
}

func TestOnlyAnAnswerWithoutItRemovesAnAliasFromTheState(t *testing.T) {
	w := newAliasWorld(t)
	r := w.applyOf(t, aliasType, nil, live("blue"))
	for _, code := range []codes.Code{codes.Unavailable, codes.PermissionDenied, codes.NotFound} {
		w.cluster.Inject(fakecluster.Fault{Method: "Collections/ListAliases", Err: status.Error(code, "injected")})
		out, diags := w.Refresh(t, aliasType, r)
		if len(diags.Errors()) != 1 || !out.Exists() {
			t.Errorf("%s: errors %q, in the state: %t", code, diags.Errors(), out.Exists())
		}
		w.cluster.Heal()
	}
}

func TestAForeignAliasIsNotTakenOver(t *testing.T) {
	w := newAliasWorld(t)
	w.cluster.Alias("live", "green")
	out, diags := w.Apply(t, w.Plan(t, aliasType, w.None(aliasType), live("blue")))
	wantOne(t, "errors", diags.Errors(), `alias "live" of collection "green"`, "terraform import ostraka_alias.RESOURCE live", "(at name)")
	if out.Exists() {
		t.Error("the foreign alias is in the state")
	}
	wantEqual(t, "log", w.cluster.Log(), nil)
}

func TestAnAliasOfWhatIsNotThere(t *testing.T) {
	w := newAliasWorld(t)
	for name, c := range map[string]struct {
		config prototest.Config
		says   string
	}{
		"no such collection":       {live("nothing"), "(at collection)"},
		"the name of a collection": {prototest.Config{"name": "blue", "collection": "green"}, "(at name)"},
	} {
		out, diags := w.Apply(t, w.Plan(t, aliasType, w.None(aliasType), c.config))
		wantOne(t, name, diags.Errors(), c.says)
		if out.Exists() {
			t.Errorf("%s: in the state", name)
		}
	}
	w.cluster.Alias("old", "blue")
	_, diags := w.Apply(t, w.Plan(t, aliasType, w.None(aliasType), live("old")))
	wantOne(t, "an alias of an alias", diags.Errors(), "leads elsewhere", `leads to "blue"`)
}

func TestALostReplyOfASwapIsLookedAfter(t *testing.T) {
	w := newAliasWorld(t)
	lost := fakecluster.Fault{Method: "Collections/UpdateAliases", Err: status.Error(codes.Internal, "broken"), After: true, Times: 1}
	w.cluster.Inject(lost)
	r := w.applyOf(t, aliasType, nil, live("blue"))
	w.cluster.Inject(lost)
	w.mustBeSettledOf(t, aliasType, w.applyOf(t, aliasType, r, live("green")), live("green"))
}

func TestAliasImportByIDAndIdentity(t *testing.T) {
	w := newAliasWorld(t)
	created := w.applyOf(t, aliasType, nil, live("blue"))
	byID, diags := w.Import(t, aliasType, "live")
	wantEqual(t, "errors", diags.Errors(), nil)
	byIdentity, diags := w.ImportIdentity(t, aliasType, map[string]string{"name": "live"})
	wantEqual(t, "errors", diags.Errors(), nil)
	wantEqual(t, "import by id differs in", prototest.Diff(created.State, byID.State), nil)
	wantEqual(t, "import by identity differs in", prototest.Diff(created.State, byIdentity.State), nil)
	w.mustBeSettledOf(t, aliasType, byIdentity, live("blue"))
	if gone, _ := w.Import(t, aliasType, "nothing"); gone.Exists() {
		t.Error("imported an alias that does not exist")
	}
}
