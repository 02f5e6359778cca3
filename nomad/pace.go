package nomad

import "time"

// pace is how long things may take, and how often they happen.
type pace struct {
	call     time.Duration // deadline of one call
	open     time.Duration // until the first line of an event stream
	silence  time.Duration // without a line, after which a stream is dead. Nomad sends one every 30 s
	wait     time.Duration // longest blocking list, in place of a stream
	relist   time.Duration // between lists that prove the stream complete; varies by a quarter
	settle   time.Duration // for events that are under way to arrive, before a list that knows more proves a gap
	confirm  time.Duration // until a service that lost many instances is read again
	lasting  time.Duration // a stream that lived so long was a good one
	retry    time.Duration // until a stream is tried again that ended early or could not be opened; doubles
	refused  time.Duration // until one is tried again that the token may not open; doubles
	longest  time.Duration // of both
	poll     time.Duration // between lists where the connections do not suffice for another stream
	again    time.Duration // until a feed that failed is tried again; doubles up to retries
	retries  time.Duration
	probe    time.Duration // until checks that did not pass are asked again; doubles up to probes
	probes   time.Duration
	judge    time.Duration // within which the checks of what is there at the start are known
	patience time.Duration // without an answer about a new allocation's checks, after which it is let in
	round    time.Duration // of a fallback, for each service that has to be read again
}

// orDefault is what Nomad's own times make sensible.
func (p pace) orDefault() pace {
	if p != (pace{}) {
		return p
	}
	return pace{
		call: 10 * time.Second, open: 10 * time.Second, silence: 45 * time.Second, wait: time.Minute,
		relist: 4 * time.Minute, settle: time.Second, confirm: 1100 * time.Millisecond,
		lasting: 10 * time.Second, retry: 5 * time.Second, refused: time.Minute, longest: 10 * time.Minute, poll: 5 * time.Second,
		again: 250 * time.Millisecond, retries: 10 * time.Second,
		probe: time.Second, probes: 15 * time.Second, judge: 5 * time.Second, patience: time.Minute,
		round: 5 * time.Millisecond,
	}
}

// doubled is first·2^n, at most last.
func doubled(first time.Duration, n int, last time.Duration) time.Duration {
	for ; n > 0 && first < last; n-- {
		first *= 2
	}
	return min(first, last)
}
