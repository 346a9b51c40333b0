package move

import "fmt"

// Severity says how bad a loss is.
type Severity string

// The severities.
const (
	Note    Severity = "note"    // the same data in another shape
	Warning Severity = "warning" // a query of the app may give another answer
	Danger  Severity = "danger"  // data or a guarantee is gone
)

// Loss is something of the source that its SQLite form does not keep.
type Loss struct {
	ID       string   `json:"id"` // "numeric-text"; never given to another
	Severity Severity `json:"severity"`
	Where    string   `json:"where"` // "public.orders.total"
	Message  string   `json:"message"`
	Switch   string   `json:"switch,omitempty"` // what would change it: `form = "scaled" or "real"`
}

// String returns the loss in one line.
func (l Loss) String() string {
	s := fmt.Sprintf("%s: %s (%s): %s", l.Where, l.Severity, l.ID, l.Message)
	if l.Switch != "" {
		s += "; or " + l.Switch
	}
	return s
}
