package doctor

import (
	"cmp"
	"encoding/json"
	"io"
	"net/url"
	"slices"
)

// The parts of SARIF 2.1.0 that are written.
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		URI     string      `json:"informationUri"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string      `json:"id"`
		Short   sarifText   `json:"shortDescription"`
		Full    sarifText   `json:"fullDescription"`
		HelpURI string      `json:"helpUri"`
		Default sarifConfig `json:"defaultConfiguration"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Related      []sarifLocation    `json:"relatedLocations,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifSuppression struct {
		Kind string `json:"kind"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
		Message  *sarifText     `json:"message,omitempty"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		Line int `json:"startLine"`
	}
)

// WriteSARIF writes the findings of a severity and worse as SARIF 2.1.0; those that
// a comment ignores are in it as suppressed. version is flysql's, or empty.
func WriteSARIF(w io.Writer, r *Report, least Severity, version string) error {
	rules := Rules()
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "flysql doctor", URI: "https://github.com/flysql/flysql", Version: version}
	for _, rule := range rules {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: rule.ID, Short: sarifText{rule.Title}, Full: sarifText{rule.Why},
			HelpURI: rule.DocURL(), Default: sarifConfig{rule.Severity.String()},
		})
	}
	add := func(f *Finding, suppressed []sarifSuppression) {
		if f.Severity > least {
			return
		}
		text := f.Message
		if f.Fix != "" {
			text += "\n" + f.Fix
		}
		result := sarifResult{
			RuleID:    f.Rule.ID,
			RuleIndex: slices.IndexFunc(rules, func(rule Rule) bool { return rule.ID == f.Rule.ID }),
			Level:     f.Severity.String(), Message: sarifText{text},
			Locations: []sarifLocation{sarifAt(f.Place, nil)}, Suppressions: suppressed,
		}
		for _, other := range f.Related {
			result.Related = append(result.Related, sarifAt(other.Place, &sarifText{other.Message}))
		}
		run.Results = append(run.Results, result)
	}
	for _, f := range r.Findings {
		add(f, nil)
	}
	for _, f := range r.Ignored {
		add(f, []sarifSuppression{{"inSource"}})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

// sarifAt is a place. What is on Fly has no file, and is the repository's as a whole.
func sarifAt(p Place, message *sarifText) sarifLocation {
	at := sarifLocation{Physical: sarifPlace(p), Message: message}
	if p.Object != "" {
		at.Logical = []sarifLogical{{p.Object, "resource"}}
	}
	return at
}

// sarifPlace leaves columns out: SARIF counts characters, and a Place bytes.
func sarifPlace(p Place) sarifPhysical {
	name := url.URL{Path: cmp.Or(p.File, ".")}
	out := sarifPhysical{Artifact: sarifArtifact{name.EscapedPath()}}
	if p.Line > 0 {
		out.Region = &sarifRegion{p.Line}
	}
	return out
}
