package integration_test

import (
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

// What the node knows, the client lets through, under the same names and codes.
func TestTheClientKnowsTheLanguagesOfTheNode(t *testing.T) {
	stop, stem := token.Languages()
	for _, name := range stop {
		if !slices.Contains(client.StopwordLanguages(), name) {
			t.Errorf("stop words: the client does not know %s", name)
		}
	}
	for _, name := range stem {
		if !slices.Contains(client.StemmerLanguages(), name) {
			t.Errorf("stemmers: the client does not know %s", name)
		}
	}
	for a := 'a'; a <= 'z'; a++ {
		for b := 'a'; b <= 'z'; b++ {
			code := string([]rune{a, b})
			if name := token.Language(code); name != code && client.LanguageName(code) != name {
				t.Errorf("%s is %s for the node, and %s for the client", code, name, client.LanguageName(code))
			}
		}
	}
}

// A text index that knows a language finds words by their stems and without stop words, on each node, and is built anew when it is
// declared otherwise; what it is told is shown as it was told.
func TestTextIndexesKnowLanguages(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 2})
	first, other := official(t, c, 0), official(t, c, 1)
	const name = "docs"
	create(t, first, name, 2, 2, 2)
	texts := []string{"The foxes are running", "A fox ran over the hills", "Running over a hill", "Die Füchse laufen", "the of and"}
	points := make([]*qdrant.PointStruct, len(texts))
	for i, text := range texts {
		points[i] = &qdrant.PointStruct{Id: qdrant.NewIDNum(uint64(i)), Vectors: qdrant.NewVectors(1, 0, 0, float32(i)), Payload: qdrant.NewValueMap(map[string]any{"body": text})}
	}
	if _, err := first.Upsert(t.Context(), &qdrant.UpsertPoints{CollectionName: name, Points: points, Wait: qdrant.PtrOf(true)}); err != nil {
		t.Fatal(err)
	}
	declare := func(p *qdrant.TextIndexParams) error {
		_, err := first.CreateFieldIndex(t.Context(), &qdrant.CreateFieldIndexCollection{
			CollectionName: name, FieldName: "body", FieldIndexParams: qdrant.NewPayloadIndexParamsText(p), Wait: qdrant.PtrOf(true),
		})
		return err
	}
	count := func(what string, condition *qdrant.Condition, want uint64) {
		t.Helper()
		for i, at := range []*qdrant.Client{first, other} {
			if n := countOf(t, at, name, &qdrant.Filter{Must: []*qdrant.Condition{condition}}); n != want {
				t.Errorf("%s, at node %d: %d points match, want %d", what, i, n, want)
			}
		}
	}
	count("without an index", qdrant.NewMatchText("body", "run hills"), 0)

	english := &qdrant.TextIndexParams{
		Tokenizer: qdrant.TokenizerType_Word, PhraseMatching: qdrant.PtrOf(true), Stopwords: &qdrant.StopwordsSet{Languages: []string{"EN", "german"}, Custom: []string{"Hills"}},
		Stemmer: &qdrant.StemmingAlgorithm{StemmingParams: &qdrant.StemmingAlgorithm_Snowball{Snowball: &qdrant.SnowballParams{Language: "English"}}},
	}
	if err := declare(english); err != nil {
		t.Fatal(err)
	}
	info, err := other.GetCollectionInfo(t.Context(), name)
	if shown := info.GetPayloadSchema()["body"].GetParams().GetTextIndexParams(); err != nil || !proto.Equal(shown, english) {
		t.Errorf("the index is shown as %v, %v", shown, err)
	}
	count("stems", qdrant.NewMatchText("body", "fox"), 2)
	count("stems of what is asked for", qdrant.NewMatchText("body", "the runs over"), 2)
	count("any of them", qdrant.NewMatchTextAny("body", "foxes runs the"), 3)
	count("stop words alone", qdrant.NewMatchText("body", "the of die"), 0)
	count("a stop word is not looked for", qdrant.NewMatchText("body", "hills fox"), 2)
	count("its stem is no stop word", qdrant.NewMatchText("body", "hill"), 1)
	count("a phrase, without stop words", qdrant.NewMatchPhrase("body", "fox is running"), 1)
	count("a phrase in another order", qdrant.NewMatchPhrase("body", "running foxes"), 0)

	restart(t, c, 1)
	other = official(t, c, 1)
	schema(t, other, name, map[string]qdrant.FieldType{"body": qdrant.FieldType_FieldTypeText}, 4)
	count("after a restart", qdrant.NewMatchText("body", "the runs over"), 2)

	english.Stemmer = nil
	if err := declare(english); err != nil {
		t.Fatal(err)
	}
	count("whole words", qdrant.NewMatchText("body", "fox"), 1)
	english.Stopwords = nil
	if err := declare(english); err != nil {
		t.Fatal(err)
	}
	count("with stop words", qdrant.NewMatchText("body", "the fox"), 1)
	english.Stopwords = &qdrant.StopwordsSet{Languages: []string{"hebrew"}}
	if err := declare(english); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a language without stop words: %v", err)
	}
}
