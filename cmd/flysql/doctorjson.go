package main

import (
	"encoding/json"
	"io"

	"github.com/flysql/flysql/internal/doctor"
)

// doctorJSON is what flysql doctor --json prints. docs/doctor.md documents it; it
// only ever grows.
type doctorJSON struct {
	Files    []string      `json:"files"` // what was read
	Errors   int           `json:"errors"`
	Warnings int           `json:"warnings"`
	Notes    int           `json:"notes"`
	Findings []findingJSON `json:"findings"` // of --severity and worse
	Ignored  []findingJSON `json:"ignored"`  // by comments

	Changes []doctorFileJSON `json:"changes"` // of --fix
	Written bool             `json:"written"`
	Refused []string         `json:"refused"` // fixes that could not be made
}

type findingJSON struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Title    string `json:"title"`
	placeJSON
	Message string        `json:"message"`
	Why     string        `json:"why"`
	Fix     string        `json:"fix"`
	Fixable bool          `json:"fixable"`
	URL     string        `json:"url"`
	Related []relatedJSON `json:"related"`
}

type placeJSON struct {
	File string `json:"file"`
	Line int    `json:"line"` // 0: the file as a whole
	Col  int    `json:"col"`
	Key  string `json:"key"`

	Object string `json:"object,omitempty"` // on Fly, where there is no file
}

type relatedJSON struct {
	placeJSON
	Message string `json:"message"`
}

type doctorFileJSON struct {
	Path   string `json:"path"`
	Action string `json:"action"` // create, overwrite
	Diff   string `json:"diff"`
}

type ruleJSON struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Title    string `json:"title"`
	Why      string `json:"why"`
	URL      string `json:"url"`
	Remote   bool   `json:"remote"` // of --remote only
}

func writeDoctorJSON(w io.Writer, r *doctor.Report, f *doctorFlags) error {
	out := doctorJSON{
		Files:  append([]string{}, r.Files()...),
		Errors: r.Count(doctor.Error), Warnings: r.Count(doctor.Warning), Notes: r.Count(doctor.Note),
		Findings: []findingJSON{}, Ignored: []findingJSON{},
		Changes: append([]doctorFileJSON{}, f.changed...), Written: f.written, Refused: append([]string{}, f.refused...),
	}
	for _, finding := range r.Findings {
		if finding.Severity <= f.least {
			out.Findings = append(out.Findings, newFindingJSON(finding))
		}
	}
	for _, finding := range r.Ignored {
		out.Ignored = append(out.Ignored, newFindingJSON(finding))
	}
	return encodeJSON(w, out)
}

func newFindingJSON(f *doctor.Finding) findingJSON {
	out := findingJSON{
		Rule: f.Rule.ID, Severity: f.Severity.String(), Title: f.Rule.Title, placeJSON: newPlaceJSON(f.Place),
		Message: f.Message, Why: f.Rule.Why, Fix: f.Fix, Fixable: f.Fixable(), URL: f.Rule.DocURL(), Related: []relatedJSON{},
	}
	for _, r := range f.Related {
		out.Related = append(out.Related, relatedJSON{newPlaceJSON(r.Place), r.Message})
	}
	return out
}

func newPlaceJSON(p doctor.Place) placeJSON { return placeJSON{p.File, p.Line, p.Col, p.Key, p.Object} }

func writeRulesJSON(w io.Writer) error {
	out := []ruleJSON{}
	for _, r := range doctor.Rules() {
		out = append(out, ruleJSON{r.ID, r.Severity.String(), r.Title, r.Why, r.DocURL(), r.Remote})
	}
	return encodeJSON(w, out)
}

// encodeJSON writes a value as the verbs' --json has it.
func encodeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
