package main

import "testing"

func TestTimes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		1: "once", 2: "2 times", 999: "999 times", 1000: "1,000 times", 12345: "12,345 times", 1234567: "1,234,567 times",
	} {
		if got := times(n); got != want {
			t.Errorf("times(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestInitial(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"ada": "A", "émile": "É", "עדי": "ע", "🦊": "🦊", "<x": "<"} {
		if got := initial(name); got != want {
			t.Errorf("initial(%q) = %q, want %q", name, got, want)
		}
	}
}
