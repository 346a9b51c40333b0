package dev

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/flysql/flysql/internal/emulator/edge"
)

// Listen opens another address, and returns its URL, "http://127.0.0.1:34567". Whoever asks
// there is in the region: it is for clients that cannot resolve what URL returns, which
// are most that are no browsers. It is there until the session is closed.
func (s *Session) Listen(region string) (string, error) {
	if !slices.Contains(s.plan.regions, region) {
		return "", fmt.Errorf("there is no region %q: there are %v", region, s.plan.regions)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return "", errClosed
	}
	f, err := listen(0)
	if err != nil {
		return "", err
	}
	s.fronts = append(s.fronts, f)
	f.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set(edge.RegionHeader, region)
		s.serve(w, r)
	}))
	return fmt.Sprintf("http://127.0.0.1:%d", f.port), nil
}

// closeFronts closes all addresses.
func (s *Session) closeFronts() error {
	s.mu.Lock()
	all := s.fronts
	s.mu.Unlock()
	var errs []error
	for _, f := range append(all, s.front) {
		if f != nil {
			errs = append(errs, f.close())
		}
	}
	return errors.Join(errs...)
}
