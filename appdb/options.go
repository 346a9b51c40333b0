package appdb

import (
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// A target is what a URL says: a file, and how to open it.
type target struct {
	path        string
	mode        string            // rwc, rw or ro
	busyTimeout *time.Duration    // nil: the URL does not say
	pragmas     map[string]string // by name, in SQLite's own spelling
	reading     map[string]string // the driver's options for reading times
	wal         bool              // the URL asks for WAL, which is the default but on LiteFS
}

func newTarget(path string) *target {
	return &target{path: path, mode: "rwc", pragmas: map[string]string{}, reading: map[string]string{}}
}

// A refusal says why a parameter is not taken, and what to do instead.
type refusal struct{ reason, fix string }

func refuse(reason, fix string) *refusal { return &refusal{reason, fix} }

func quote(s string) string { return strconv.Quote(s) }

// options reads the query of a URL. Everything in it either takes effect or is
// refused: an option lost in silence is found out in production.
func (t *target) options(query, shown string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		// The error would quote the query.
		return &URLError{URL: shown, Reason: "what follows ? is not a list of name=value pairs joined by &", Fix: "correct or remove it"}
	}
	if slices.Contains(values["mode"], "memory") {
		return memoryError(shown) // whatever else is wrong with it
	}
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	seen := map[string]string{}
	for _, key := range keys {
		for _, value := range values[key] {
			name, val, no := t.option(key, value)
			if no == nil {
				if was, ok := seen[name]; ok && was != val {
					no = refuse("it sets "+name+" twice, to different values", "keep one of them")
				}
				seen[name] = val
			}
			if no != nil {
				return &URLError{URL: shown, Reason: no.reason, Fix: no.fix}
			}
		}
	}
	return nil
}

// aliases are the names that mattn/go-sqlite3 has for pragmas.
var aliases = map[string]string{
	"_auto_vacuum":              "auto_vacuum",
	"_vacuum":                   "auto_vacuum",
	"_busy_timeout":             "busy_timeout",
	"_timeout":                  "busy_timeout",
	"_cache_size":               "cache_size",
	"_case_sensitive_like":      "case_sensitive_like",
	"_cslike":                   "case_sensitive_like",
	"_defer_foreign_keys":       "defer_foreign_keys",
	"_defer_fk":                 "defer_foreign_keys",
	"_foreign_keys":             "foreign_keys",
	"_fk":                       "foreign_keys",
	"_ignore_check_constraints": "ignore_check_constraints",
	"_journal_mode":             "journal_mode",
	"_journal":                  "journal_mode",
	"_locking_mode":             "locking_mode",
	"_locking":                  "locking_mode",
	"_query_only":               "query_only",
	"_recursive_triggers":       "recursive_triggers",
	"_rt":                       "recursive_triggers",
	"_secure_delete":            "secure_delete",
	"_synchronous":              "synchronous",
	"_sync":                     "synchronous",
	"_writable_schema":          "writable_schema",
}

// option takes one parameter. It returns the setting's own name and value, by
// which a contradiction is found however it is spelt.
func (t *target) option(key, value string) (name, val string, no *refusal) {
	if pragma, ok := aliases[key]; ok {
		return t.pragma(key, pragma, value)
	}
	lower := strings.ToLower(value)
	switch key {
	case "_pragma":
		return t.pragmaText(value)
	case "mode":
		switch value {
		case "rwc", "rw", "ro":
			t.mode = value
			return key, value, nil
		}
		return "", "", refuse("mode="+quote(value)+" is unknown", "use rwc (the default: create the file if need be), rw (it must exist) or ro (read only)")
	case "cache":
		if lower == "private" {
			return key, lower, nil
		}
		return "", "", refuse("cache="+quote(value)+": a shared cache locks whole tables and ignores the busy timeout", "remove it: with WAL, readers and the writer do not block each other")
	case "_txlock":
		if lower == "immediate" {
			return key, lower, nil
		}
		return "", "", refuse("_txlock="+quote(value)+": write transactions are always immediate", "remove it")
	case "_time_format":
		if value == "sqlite" {
			return key, value, nil
		}
		return "", "", refuse("_time_format="+quote(value)+": times are always stored as UTC text with their fraction of a second", "remove it")
	case "_time_integer_format":
		return "", "", refuse("_time_integer_format: times are always stored as UTC text", "remove it, and store time.Time.Unix() where you want a number")
	case "_timezone", "_loc":
		if value == "UTC" {
			return "_timezone", value, nil
		}
		return "", "", refuse(key+"="+quote(value)+": times are always stored and read as UTC", "remove it, and convert with time.Time.In where you show them")
	case "_inttotime", "_texttotime":
		on, err := strconv.ParseBool(value)
		if err != nil {
			return "", "", refuse(key+"="+quote(value)+" is not a boolean", "use true or false")
		}
		t.reading[key] = strconv.FormatBool(on)
		return key, t.reading[key], nil
	case "vfs", "immutable", "nolock", "psow", "_mutex":
		return "", "", refuse(key+" takes away locks or safeguards that appdb relies on", "remove it")
	}
	return "", "", refuse("parameter "+quote(key)+" is unknown", "remove it; pragmas are written _pragma=name(value)")
}

// pragmaText takes "name(value)" or "name=value". It takes nothing else,
// because the driver runs the text as SQL.
func (t *target) pragmaText(text string) (name, val string, no *refusal) {
	text = strings.TrimSpace(text)
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		name, value, ok = strings.Cut(text, "(")
		if ok {
			value, ok = strings.CutSuffix(value, ")")
		}
	}
	name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
	if !ok || !isWord(name) || !isWord(strings.TrimPrefix(value, "-")) {
		return "", "", refuse("a _pragma is not of the form name(value)", "write for example _pragma=cache_size(-20000)")
	}
	return t.pragma("_pragma="+name, name, value)
}

func isWord(s string) bool {
	for _, r := range s {
		if r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return s != ""
}

// pragma takes the setting of one pragma. key is how the user spelt it.
func (t *target) pragma(key, name, value string) (string, string, *refusal) {
	value = strings.ToLower(value)
	bad := func(allowed string) (string, string, *refusal) {
		return "", "", refuse(fmt.Sprintf("%s: %s is not a value for it", key, quote(value)), "use "+allowed)
	}
	switch name {
	case "busy_timeout":
		ms, err := strconv.ParseInt(value, 10, 32)
		if err != nil || ms < 0 {
			return bad("a number of milliseconds")
		}
		d := time.Duration(ms) * time.Millisecond
		t.busyTimeout = &d
		return name, strconv.FormatInt(ms, 10), nil
	case "journal_mode":
		if value == "wal" {
			t.wal = true
			return name, value, nil
		}
		return "", "", refuse(key+": "+quote(value)+" would let readers and the writer block each other", "remove it: appdb always uses WAL")
	case "locking_mode":
		if value == "normal" {
			return name, value, nil
		}
		return "", "", refuse(key+": "+quote(value)+" would lock out the readers", "remove it")
	case "query_only":
		return "", "", refuse(key+": appdb decides which connections write", "remove it; to open a database for reading only use mode=ro")
	case "synchronous":
		level, ok := map[string]string{"1": "normal", "2": "full", "3": "extra"}[value]
		if !ok {
			level = value
		}
		switch level {
		case "normal", "full", "extra":
			t.pragmas[name] = level
			return name, level, nil
		case "off", "0":
			return "", "", refuse(key+": with it a power failure can destroy the database", "use normal (the default) or full; in tests use appdbtest.New")
		}
		return bad("normal, full or extra")
	case "auto_vacuum", "page_size", "encoding":
		return "", "", refuse(key+": it has an effect only while the file is empty, and would be lost in silence afterwards", "set it with the sqlite3 shell when you create the file")
	case "defer_foreign_keys":
		return "", "", refuse(key+": it lasts for one transaction only", "run PRAGMA defer_foreign_keys=ON inside the transaction")
	case "ignore_check_constraints", "writable_schema", "schema_version":
		return "", "", refuse(key+": it switches off a safeguard of the data", "remove it")
	case "read_uncommitted":
		return "", "", refuse(key+": it has an effect only with a shared cache, which appdb does not use", "remove it")
	}
	kind, ok := tunable[name]
	if !ok {
		return "", "", refuse("pragma "+quote(name)+" is not a setting that appdb passes on", "remove it, or run it once through Writer()")
	}
	norm, allowed := kind(value)
	if allowed != "" {
		return bad(allowed)
	}
	t.pragmas[name] = norm
	return name, norm, nil
}

// A kind checks the value of a pragma and returns it in one spelling, or says
// what is allowed. SQLite itself takes any text, and reads nonsense as "off".
type kind func(value string) (norm, allowed string)

func boolean(value string) (string, string) {
	switch value {
	case "on", "yes", "true", "1":
		return "on", ""
	case "off", "no", "false", "0":
		return "off", ""
	}
	return "", "on or off"
}

func integer(value string) (string, string) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return "", "a whole number"
	}
	return strconv.FormatInt(n, 10), ""
}

func oneOf(values ...string) kind {
	return func(value string) (string, string) {
		for i, v := range values {
			if value == v || value == strconv.Itoa(i) {
				return v, ""
			}
		}
		return "", strings.Join(values, ", ")
	}
}

// tunable are the pragmas passed on: settings of a connection that leave
// appdb's guarantees alone. SQLite ignores a pragma it does not know, so one
// that is missing here is refused.
var tunable = map[string]kind{
	"analysis_limit":            integer,
	"automatic_index":           boolean,
	"cache_size":                integer,
	"case_sensitive_like":       boolean,
	"cell_size_check":           boolean,
	"checkpoint_fullfsync":      boolean,
	"foreign_keys":              boolean,
	"fullfsync":                 boolean,
	"journal_size_limit":        integer,
	"legacy_alter_table":        boolean,
	"max_page_count":            integer,
	"mmap_size":                 integer,
	"recursive_triggers":        boolean,
	"reverse_unordered_selects": boolean,
	"secure_delete":             oneOf("off", "on", "fast"),
	"temp_store":                oneOf("default", "file", "memory"),
	"threads":                   integer,
	"trusted_schema":            boolean,
	"wal_autocheckpoint":        integer,
}
