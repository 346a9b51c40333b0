package flyconf

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// formatDuration writes a duration without the zero units that
// time.Duration.String appends: "5m", not "5m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// parseSizeGB reads a volume's size. Fly counts volumes in whole gigabytes, and
// takes a number without a unit for gigabytes too.
func parseSizeGB(s string) (int, error) {
	digits := strings.ToLower(strings.TrimSpace(s))
	for _, unit := range []string{"gib", "gb", "gi", "g"} {
		if d, ok := strings.CutSuffix(digits, unit); ok {
			digits = strings.TrimSpace(d)
			break
		}
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a size: write whole gigabytes, as in \"10GB\"", s)
	}
	return n, nil
}

func formatSizeGB(n int) string { return strconv.Itoa(n) + "GB" }

// parseMemoryMB reads a machine's memory. A number without a unit is megabytes.
func parseMemoryMB(s string) (int, error) {
	digits := strings.ToLower(strings.TrimSpace(s))
	factor := 1
	for _, unit := range []struct {
		suffix string
		mb     int
	}{{"mib", 1}, {"mb", 1}, {"mi", 1}, {"m", 1}, {"gib", 1024}, {"gb", 1024}, {"gi", 1024}, {"g", 1024}} {
		if d, ok := strings.CutSuffix(digits, unit.suffix); ok {
			digits, factor = strings.TrimSpace(d), unit.mb
			break
		}
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > maxMemoryMB/factor {
		return 0, fmt.Errorf("%q is not an amount of memory: write it as in \"512mb\" or \"1gb\"", s)
	}
	return n * factor, nil
}

func formatMemoryMB(n int) string { return strconv.Itoa(n) + "mb" }

// quote writes a TOML basic string. strconv.Quote will not do: its \x and \a
// escapes are not TOML's.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// quoteKey writes a key, bare where TOML allows it.
func quoteKey(s string) string {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			return quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}
