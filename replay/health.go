package replay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/flysql/flysql/engine"
)

// health is what HealthHandler answers.
type health struct {
	Healthy   bool                  `json:"healthy"`
	Why       string                `json:"why,omitempty"` // it is not
	Role      string                `json:"role"`          // primary, replica, unknown, or alone where there is no engine
	Primary   string                `json:"primary,omitempty"`
	Region    string                `json:"primary_region,omitempty"` // where no more is known of it
	LagMS     int64                 `json:"lag_ms"`                   // of a replica; on the primary 0
	Candidate bool                  `json:"candidate"`
	Positions map[string]engine.Pos `json:"positions,omitempty"`
}

// HealthHandler answers how this machine's copy is, as JSON: role, primary, lag in
// milliseconds, the position of each database. The status is 503 where it should get
// no traffic: it has not caught up since it was started, or is more than Config.MaxLag
// behind. While no primary is known a machine that was ready stays so: taking all out
// of service helps nobody. It is for a check in fly.toml; keep it from the public, or
// do not mind that it is seen.
func (rt *Router) HealthHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := rt.health()
		status := http.StatusOK
		if !h.Healthy {
			status = http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(h) // it fails where the client has gone
	})
}

func (rt *Router) health() health {
	if rt.engine == nil {
		return health{Healthy: true, Role: "alone"}
	}
	st := rt.engine.State()
	h := health{Role: st.Role.String(), Primary: st.Primary, Region: st.Region, LagMS: st.Lag.Milliseconds(), Candidate: st.Candidate, Positions: map[string]engine.Pos{}}
	for _, db := range st.Databases {
		h.Positions[db.Name] = db.Pos
	}
	switch {
	case st.Role == engine.RolePrimary:
		h.Healthy = true
	case st.Err != nil && !st.Ready:
		h.Why = st.Err.Error()
	case !st.Ready:
		h.Why = "it has not caught up with a primary yet"
	case st.Role == engine.RoleReplica && st.Lag > rt.cfg.MaxLag:
		h.Why = fmt.Sprintf("it is %v behind, more than %v", st.Lag.Round(time.Millisecond), rt.cfg.MaxLag)
	default:
		h.Healthy = true
	}
	return h
}
