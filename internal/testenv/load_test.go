package testenv

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestLoadCountsFailures(t *testing.T) {
	u := StartUpstream(t, "a")
	l := Load(t.Context(), t, "http://"+u.Address+"/x?y=1", LoadOptions{Rate: 2000})
	l.WaitRequests(t, 20)
	u.Set(Answer{Status: http.StatusTeapot})
	l.WaitRequests(t, 20)
	u.Close()
	l.WaitRequests(t, 20)
	u.Set(Answer{})
	u.Reopen(t)
	l.WaitRequests(t, 20)
	r := l.Stop()
	var teapot, refused bool
	for text := range r.Failures {
		teapot = teapot || strings.Contains(text, "418")
		refused = refused || strings.Contains(text, "connection refused")
	}
	if !teapot || !refused || r.Failed() < 30 || r.Failed() > r.Requests-30 {
		t.Errorf("the load saw %s", r)
	}
	if last := u.Last(); last.Path != "/x?y=1" || last.Method != http.MethodGet || last.Upstream != "a" {
		t.Errorf("the upstream saw %+v", last)
	}
}

func TestLoadWithoutFailures(t *testing.T) {
	u := StartUpstream(t, "a")
	u.Set(Answer{Hang: true})
	l := Load(t.Context(), t, "http://"+u.Address, LoadOptions{Connections: 2, Rate: 1000})
	Eventually(t, 5*time.Second, func() error {
		if u.Requests() < 2 {
			return errors.New("no two requests yet")
		}
		return nil
	})
	u.Set(Answer{Delay: time.Millisecond})
	l.WaitRequests(t, 50)
	if r := l.Stop(); r.Failed() != 0 || r.Dialed != 2 || r.Requests != u.Requests() {
		t.Errorf("the load saw %s, the upstream %d requests", r, u.Requests())
	}
}
