package engine

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestPos(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Pos
	}{
		{"0000000000000000/0000000000000000", Pos{}},
		{"0000000000000003/8f1c2d3e4f506172", Pos{3, 0x8f1c2d3e4f506172}},
		{"ffffffffffffffff/ffffffffffffffff", Pos{math.MaxUint64, math.MaxUint64}},
	} {
		got, err := ParsePos(tt.text)
		if err != nil || got != tt.want {
			t.Errorf("ParsePos(%q): %v, %v, want %v", tt.text, got, err, tt.want)
		}
		if got.String() != tt.text || got.IsZero() != (tt.want == Pos{}) {
			t.Errorf("%q became %q", tt.text, got)
		}
	}
	if got, err := ParsePos("000000000000000A/000000000000000B"); err != nil || got != (Pos{10, 11}) {
		t.Errorf("upper case: %v, %v", got, err)
	}
}

func TestParsePosRefuses(t *testing.T) {
	for _, text := range []string{
		"", "/", "3", "3/8f", "0000000000000003", "0000000000000003/", "0000000000000003-8f1c2d3e4f506172",
		"0000000000000003/8f1c2d3e4f506172\n", " 000000000000003/8f1c2d3e4f506172", "+000000000000003/8f1c2d3e4f506172",
		"-000000000000003/8f1c2d3e4f506172", "0x00000000000003/8f1c2d3e4f506172", "000000000000000_/8f1c2d3e4f506172",
		"000000000000000g/8f1c2d3e4f506172", "0000000000000003/8f1c2d3e4f50617", "1e30800000000000/1e30800000000000/",
		"\u0663000000000000003/8f1c2d3e4f50617", strings.Repeat("0", 1<<20),
	} {
		if pos, err := ParsePos(text); err == nil {
			t.Errorf("ParsePos(%.40q) is %v", text, pos)
		} else if len(err.Error()) > 400 {
			t.Errorf("ParsePos(%.40q): an error of %d bytes", text, len(err.Error()))
		}
	}
}

func TestPosJSON(t *testing.T) {
	data, err := json.Marshal(map[string]Pos{"at": {3, 4}})
	if want := `{"at":"0000000000000003/0000000000000004"}`; err != nil || string(data) != want {
		t.Fatalf("%s, %v, want %s", data, err, want)
	}
	var back map[string]Pos
	if err := json.Unmarshal(data, &back); err != nil || back["at"] != (Pos{3, 4}) {
		t.Errorf("%v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"at":"3/4"}`), &back); err == nil {
		t.Error("a short position was taken")
	}
}

func FuzzParsePos(f *testing.F) {
	f.Add("0000000000000003/8f1c2d3e4f506172")
	f.Fuzz(func(t *testing.T, text string) {
		pos, err := ParsePos(text)
		if err != nil {
			return
		}
		if got := pos.String(); !strings.EqualFold(got, text) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
