package console

import "time"

// SetPatience sets how long a follower of events may take for a write.
func (s *Server) SetPatience(d time.Duration) { s.patience = d }
