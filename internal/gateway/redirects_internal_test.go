package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedirectsAreOnTheList(t *testing.T) {
	t.Parallel()
	list, err := parseRedirects([]string{"https://app.example/connected", "https://app.example/deep/", "http://127.0.0.1/", "https://other.example"})
	require.NoError(t, err)
	for text, want := range map[string]bool{
		"https://app.example/connected":                    true,
		"https://app.example/connected?session=7":          true,
		"https://APP.example/connected":                    true,
		"https://app.example/deep/er/place":                true,
		"http://127.0.0.1:4242/anything":                   true,
		"https://other.example":                            true,
		"https://other.example/":                           true,
		"https://other.example/more":                       false,
		"https://app.example/connected/":                   false,
		"https://app.example/connectedness":                false,
		"https://app.example/deep":                         false,
		"https://app.example/deep/../connected":            false,
		"https://app.example/deep/%2e%2e/admin":            false,
		"https://app.example/deep/..%2fadmin":              false,
		"https://app.example:8443/connected":               false,
		"http://app.example/connected":                     false,
		"https://app.example.evil.example/connected":       false,
		"https://evil.example/connected":                   false,
		"https://app.example@evil.example/connected":       false,
		"https://user@app.example/connected":               false,
		"https://app.example\\@evil.example/connected":     false,
		"https://evil.example\\.app.example/connected":     false,
		"//app.example/connected":                          false,
		"/connected":                                       false,
		"":                                                 false,
		"javascript:alert(1)//app.example/connected":       false,
		"https:app.example/connected":                      false,
		"https://app.example/connected#token":              false,
		"https://app.example/connected\r\nSet-Cookie: a=b": false,
		"https://app.example/ connected":                   false,
		"http://localhost:1/":                              false,
		"https://127.0.0.1/":                               false,
		"http://127.0.0.1.evil.example/":                   false,
	} {
		_, allowed := list.allow(text)
		require.Equal(t, want, allowed, text)
	}
	var nobody redirects
	_, allowed := nobody.allow("https://app.example/connected")
	require.False(t, allowed, "an empty list allows nothing")
}

func TestRedirectsOfAnOperatorAreChecked(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "app.example", "http://app.example/", "https://u@app.example/", "https://app.example/?a=b", "https://app.example/#f", "ftp://app.example/"} {
		_, err := parseRedirects([]string{"https://good.example/", text})
		require.ErrorContains(t, err, "Redirects[1]", text)
	}
}
