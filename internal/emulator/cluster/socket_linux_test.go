package cluster

import "testing"

func TestSocketAddress(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000:0050":                         "0.0.0.0:80",
		"00000000000000000000000001000000:0050": "[::1]:80",
		"00000000000000000000000000000000:FFFF": "[::]:65535",
		"":                                      "",
		"0100007F":                              "",
		"0100:0050":                             "",
		"010000:0050":                           "",
		"0100007F:10000":                        "",
		"x100007F:0050":                         "",
	} {
		got := ""
		if at, ok := socketAddress(text); ok {
			got = at.String()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
