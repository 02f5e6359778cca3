package testenv

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// NomadFault is how some requests are answered. Its zero value breaks nothing.
type NomadFault struct {
	Path string // beginning of the paths that it hits; "": all

	Status  int           // answered instead
	Hang    bool          // no answer; the connection stays open
	Half    bool          // the answer breaks off in its middle
	Empty   bool          // 200 with an empty list, and the index of now
	NoIndex bool          // the answer lacks X-Nomad-Index
	Filter  bool          // 200, an empty list and no index: what namespace * answers to a token that may read nothing
	Late    bool          // a refused event stream is 200 and ends, as newer releases refuse one
	Cut     bool          // an event stream ends after its first line
	Restive bool          // queries answer at once that should wait
	Delay   time.Duration // before the answer
}

// Break makes requests fail from now on; Break() mends everything. The first fault that hits a request counts. Streams
// and queries that wait are cut by a fault that hits them; where it hangs, they hang too.
func (n *Nomad) Break(faults ...NomadFault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults, n.mute = faults, false
	for _, f := range faults {
		stream := strings.HasPrefix("/v1/event/stream", f.Path)
		switch {
		case f.Hang:
			n.mute = n.mute || stream
		case stream:
			n.cut++
		}
		if !f.Hang && strings.HasPrefix("/v1/services", f.Path) {
			n.cutQueries++
		}
	}
	n.wake()
}

// CutStreams ends all event streams.
func (n *Nomad) CutStreams() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut++
	n.wake()
}

// Swallow loses the next count events: their changes happen, and no stream tells of them.
func (n *Nomad) Swallow(count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.swallow = count
}

// Duplicate has every event told twice.
func (n *Nomad) Duplicate(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.twice = on
}

// Mute leaves streams open and silent: neither events nor heartbeats.
func (n *Nomad) Mute(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mute = on
	n.wake()
}

// fault is what hits a path.
func (n *Nomad) fault(path string) NomadFault {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.faults {
		if strings.HasPrefix(path, f.Path) {
			return f
		}
	}
	return NomadFault{}
}

// broken answers a request as a fault says; false: it is to be answered as usual.
func (n *Nomad) broken(w http.ResponseWriter, r *http.Request, f NomadFault) bool {
	switch {
	case f.Hang:
		select {
		case <-r.Context().Done():
		case <-n.ended:
		}
	case f.Status != 0:
		http.Error(w, "simulated failure", f.Status)
	case f.Filter:
		n.meta(w, 0)
		_, _ = w.Write([]byte("[]"))
	case f.Empty:
		n.meta(w, n.Index())
		_, _ = w.Write([]byte("[]"))
	case f.Half:
		n.meta(w, n.Index())
		w.Header().Set("Content-Length", "4000")
		_, _ = w.Write([]byte(`[{"ServiceName":"sh`))
		panic(http.ErrAbortHandler)
	default:
		return false
	}
	return true
}

// mutualTLS demands certificates of the authority that WriteCertificates has made in dir.
func mutualTLS(t testing.TB, dir string) *tls.Config {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12,
	}
}
