package transfer

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/convert"
)

// printed is a source that is nothing but text. What must be in the file is computed from
// that text, and not by the conversions that the file was made with.
type printed struct{ source move.Source }

func (p printed) sums(ctx context.Context, plan *move.Plan) (out sums) {
	for _, t := range plan.Tables {
		q, _ := newQuery(t, plan.Source.Encoding)
		h, err := q.scan(p.rows(ctx, q))
		if err != nil {
			return sums{err: fmt.Errorf("compare %s: %w", t.Source, err)}
		}
		out.tables = append(out.tables, h)
	}
	return out
}

func (p printed) buckets(ctx context.Context, q query, n int64) (map[int64]bucket, error) {
	return q.buckets(p.rows(ctx, q), n)
}

func (p printed) rowsOf(ctx context.Context, q query, n int64, buckets []int64) (map[string]*found, error) {
	return q.rowsOf(p.rows(ctx, q), n, buckets)
}

// rows are those of the text.
func (p printed) rows(ctx context.Context, q query) each {
	copied := q.table.Copied()
	place := make([]int, len(copied)) // in q.columns; -1 where nothing is compared
	for i, c := range copied {
		place[i] = -1
		for n, compared := range q.columns {
			if compared == c {
				place[i] = n
			}
		}
	}
	r := q.newRow(p.source.Schema().Server.Encoding)
	return func(f func(*rowHash)) error {
		var buf []byte
		split := &lines{f: func(line []byte) error {
			for i := range copied {
				field, rest, _ := bytes.Cut(line, []byte{'\t'})
				line = rest
				n := place[i]
				if n < 0 {
					continue
				}
				value, null, err := convert.Unescape(field, scratch(&buf, len(field)))
				if err != nil {
					return err
				}
				r.texts[n], r.null[n] = "", null
				if !null {
					r.texts[n], r.null[n] = canonicalText(copied[i], string(value))
				}
				if r.hex && !r.null[n] {
					r.texts[n] = hex.EncodeToString([]byte(r.texts[n]))
				}
			}
			f(r)
			return nil
		}}
		_, err := p.source.CopyTable(ctx, split, q.table)
		return err
	}
}

// lines cuts what is written into lines, without their ends.
type lines struct {
	f       func([]byte) error
	partial []byte
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			l.partial = append(l.partial, p...)
			return n, nil
		}
		line := p[:end]
		if len(l.partial) > 0 {
			l.partial = append(l.partial, line...)
			line = l.partial
		}
		if err := l.f(line); err != nil {
			return 0, err
		}
		l.partial, p = l.partial[:0], p[end+1:]
	}
}

// What canonical says in SQL, in Go, for a text that another session has printed.
var (
	specialText = regexp.MustCompile(`BC$|^\d{5}|^24:|nf|NaN`)
	zonedTime   = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d(:\d\d(:\d\d)?)?`)
	minusZero   = regexp.MustCompile(`([{,])-0([,}])`)
)

// canonicalText is the text that a column's conversion must give back from SQLite; NULL
// where the plan makes it so.
func canonicalText(c *move.ColumnPlan, text string) (_ string, null bool) {
	if c.Special == convert.ToNull && c.Form.Conversion.Lossy && specialText.MatchString(text) {
		return "", true
	}
	root := c.Source.Type.Root()
	element := root
	if root.Kind == move.ArrayType {
		element = root.Elem.Root()
	}
	floats := element.Builtin("float4") || element.Builtin("float8")
	switch {
	case c.Form.Conversion.Name == "numeric real":
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			text = convert.FormatFloat(f+0, 64)
		}
	case floats && root == element && c.Form.Name == "real" && text == "-0":
		text = "0"
	case floats && root != element && c.Form.Name == "json":
		for before := ""; before != text; { // neighbours share a comma
			before, text = text, minusZero.ReplaceAllString(text, "${1}0${2}")
		}
	case element.Builtin("timestamptz") && (root == element || c.Form.Name == "json"):
		text = zonedTime.ReplaceAllStringFunc(text, inUTC)
	case root.Builtin("bytea") && !strings.HasPrefix(text, `\x`):
		text = `\x` + hex.EncodeToString(unescapeBytea(text))
	}
	return text, false
}

// inUTC is a time as a session in UTC prints it.
func inUTC(text string) string {
	for _, layout := range []string{"2006-01-02 15:04:05-07", "2006-01-02 15:04:05-07:00", "2006-01-02 15:04:05-07:00:00"} {
		if t, err := time.Parse(layout, text); err == nil && t.UTC().Year() > 0 {
			return t.UTC().Format("2006-01-02 15:04:05.999999") + "+00"
		}
	}
	return text
}

// unescapeBytea undoes bytea_output = escape.
func unescapeBytea(text string) (out []byte) {
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:min(i+4, len(text))], 8, 8); err == nil && i+3 < len(text) {
				out, i = append(out, byte(n)), i+3
				continue
			}
			i++
		}
		out = append(out, text[i])
	}
	return out
}
