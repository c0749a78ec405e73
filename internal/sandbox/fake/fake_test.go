package fake_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

func TestParseObject(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`[]`, `null`, `{`, `{} {}`, `"x"`, `{}x`} {
		_, err := fake.ParseObject([]byte(body))
		require.ErrorIs(t, err, fake.ErrBody, body)
	}
	empty, err := fake.ParseObject([]byte("  "))
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, empty.Missing("a"))

	object, err := fake.ParseObject([]byte(`{"n":1.50,"s":" ","o":{"x":[{"y":"z"},3]},"e":{},"l":[],"f":false,"z":null}`))
	require.NoError(t, err)
	require.Equal(t, []string{"s", "e", "l", "z"}, object.Missing("n", "s", "o", "e", "l", "f", "z"))
	require.Equal(t, "1.50", object.Text("missing", "n"))
	amount, ok := object.Cents("n")
	require.True(t, ok)
	require.EqualValues(t, 150, amount)
	require.Len(t, object.Object("o").Objects("x"), 1)
	require.Equal(t, []string{"3"}, object.Object("o").Texts("x"))
	require.Empty(t, object.Object("n").Text("anything"))
}

func TestPages(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOf(rapid.Int()).Draw(t, "items")
		limit, offset := rapid.IntRange(-5, 50).Draw(t, "limit"), rapid.IntRange(-5, 50).Draw(t, "offset")
		page, more := fake.Page(items, limit, offset)
		if more != (max(offset, 0)+len(page) < len(items)) || len(page) > max(limit, 0) {
			t.Fatalf("page of %d, more %t", len(page), more)
		}
	})
}

func TestShelf(t *testing.T) {
	t.Parallel()
	var shelf fake.Shelf[int]
	all := func(int) bool { return true }
	require.Empty(t, shelf.Newest(all))
	shelf.Put("a", 1)
	shelf.Put("b", 2)
	shelf.Put("a", 3)
	require.Equal(t, []int{2, 3}, shelf.Newest(all))
	shelf.Drop("b")
	_, ok := shelf.Find("b")
	require.False(t, ok)
	require.Equal(t, []int{3}, shelf.Newest(all))
}

func TestTokensDifferByEveryPart(t *testing.T) {
	t.Parallel()
	one, two := fake.World{Seed: "a"}, fake.World{Seed: "b"}
	require.Len(t, one.Token(fake.Base62, 100, "x"), 100)
	require.NotEqual(t, one.Token(fake.Hex, 32, "x", "y"), one.Token(fake.Hex, 32, "xy"))
	require.NotEqual(t, one.Token(fake.Hex, 32, "x"), two.Token(fake.Hex, 32, "x"))
	require.Regexp(t, "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-9[0-9a-f]{3}-[0-9a-f]{12}$", one.UUID("x"))
}
