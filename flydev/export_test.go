package flydev

// Close ends a suite that has no Run.
func (s *Suite) Close() error { return s.close() }
