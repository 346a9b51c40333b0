package follow

import (
	"strings"
	"testing"
)

func TestReadRecord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`()`:                  "NULL",
		`(,)`:                 "NULL|NULL",
		`(1,"a b",)`:          "1|a b|NULL",
		`("")`:                "",
		`("","a""b","\\x00")`: `|a"b|\x00`,
		`("(1,""x y"")",2)`:   `(1,"x y")|2`,
		"(\"a,\nb\",c)":       "a,\nb|c",
		`(`:                   "an error",
		`("a)`:                "an error",
		`("a"b)`:              "an error",
		`("a\)`:               "an error",
		`1,2`:                 "an error",
	} {
		fields, _, err := readRecord(text, nil, nil)
		var got []string
		for _, f := range fields {
			if f.kind == 'n' {
				got = append(got, "NULL")
			} else {
				got = append(got, string(f.text))
			}
		}
		if err != nil {
			got = []string{"an error"}
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("%s: %q, want %q", text, s, want)
		}
	}
}

// Whatever the fields, what PostgreSQL would print of them gives them again.
func FuzzReadRecord(f *testing.F) {
	f.Add("a", `b"\`, true)
	f.Add("", "(,)", false)
	f.Fuzz(func(t *testing.T, a, b string, null bool) {
		quote := func(s string) string { return `"` + strings.NewReplacer(`"`, `""`, `\`, `\\`).Replace(s) + `"` }
		text := "(" + quote(a) + "," + quote(b) + ")"
		if null {
			text = "(" + quote(a) + ",," + quote(b) + ")"
		}
		fields, _, err := readRecord(text, nil, nil)
		if err != nil || string(fields[0].text) != a || string(fields[len(fields)-1].text) != b || null && fields[1].kind != 'n' {
			t.Fatalf("%q: %q, %v", text, fields, err)
		}
		readRecord(a, nil, nil) // no panic
	})
}

// Messages that are cut or made up are errors, and no more.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("B\x00\x00\x00\x00\x01\x02\x03\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07"))
	f.Add([]byte("I\x00\x00\x00\x01N\x00\x02t\x00\x00\x00\x01xn"))
	f.Add([]byte("U\x00\x00\x00\x01K\x00\x01t\x00\x00\x00\x01xN\x00\x01u"))
	f.Add([]byte("R\x00\x00\x00\x01public\x00t\x00d\x00\x01\x01id\x00\x00\x00\x00\x17\xff\xff\xff\xff"))
	f.Add([]byte("T\x00\x00\x00\x02\x00\x00\x00\x00\x01\x00\x00\x00\x02"))
	f.Fuzz(func(t *testing.T, message []byte) {
		m, err := new(decoder).decode(message)
		if c, ok := m.(*change); ok && err == nil && c.op != deleted && c.new == nil {
			t.Fatalf("%q: a change without a row", message)
		}
	})
}
