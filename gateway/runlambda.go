package gateway

func (s *sending) invoke() error { return nil }

func (r *receiving) unwrap() error { return nil }
