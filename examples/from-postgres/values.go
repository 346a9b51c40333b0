package main

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// cents is money: numeric(8, 2) in PostgreSQL, an INTEGER in SQLite, "4.50" in JSON.
type cents int64

func (c cents) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `"%d.%02d"`, c/100, c%100), nil
}

func (c *cents) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf(`a price is text such as "4.50": %w`, err)
	}
	units, part, _ := strings.Cut(s, ".")
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	if units == "" || len(units) > 6 || len(part) > 2 || !digits(units) || !digits(part) || strings.HasSuffix(s, ".") {
		return fmt.Errorf(`%q is not a price: write it as "4.50", from "0" to "999999.99"`, s)
	}
	n, err := strconv.ParseInt(units+(part + "00")[:2], 10, 64)
	*c = cents(n)
	return err
}

// tags are text[] in PostgreSQL, and an array of JSON's in SQLite.
type tags []string

// Scan reads the column.
func (t *tags) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("tags are %T, want JSON", src)
	}
	return json.Unmarshal([]byte(s), (*[]string)(t))
}

// Value is what is stored: never null.
func (t tags) Value() (driver.Value, error) {
	if t == nil {
		return "[]", nil
	}
	b, err := json.Marshal([]string(t))
	return string(b), err
}

// computed is a time that SQLite has computed, as max does of a DATETIME column: text, for
// only a column itself says that it is a time.
type computed struct{ *time.Time }

// Scan reads the text, or NULL.
func (c *computed) Scan(src any) error {
	c.Time = nil
	if src == nil {
		return nil
	}
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("a computed time is %T, want text", src)
	}
	at, err := time.Parse("2006-01-02 15:04:05.999999999-07:00", s)
	at = at.UTC()
	c.Time = &at
	return err
}

// likePattern has what ILIKE takes for signs stand for themselves.
func likePattern(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
