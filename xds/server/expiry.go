package server

import (
	"net"
	"time"

	"google.golang.org/grpc/credentials"
)

// untilExpiry ends each connection when the certificate that its client has shown expires. Refusing the streams on it is
// not enough: Envoy opens the next one on the same connection, and shows no new certificate until there is a new one.
type untilExpiry struct {
	credentials.TransportCredentials
}

func (u untilExpiry) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := u.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return conn, info, err
	}
	shown, ok := info.(credentials.TLSInfo)
	if !ok || len(shown.State.PeerCertificates) == 0 {
		return conn, info, nil
	}
	left := time.Until(shown.State.PeerCertificates[0].NotAfter)
	end := time.AfterFunc(left, func() { _ = raw.Close() })
	return &expiringConn{Conn: conn, end: end}, info, nil
}

func (u untilExpiry) Clone() credentials.TransportCredentials {
	return untilExpiry{u.TransportCredentials.Clone()}
}

// expiringConn is a connection with a timer that ends it.
type expiringConn struct {
	net.Conn
	end *time.Timer
}

func (c *expiringConn) Close() error {
	c.end.Stop()
	return c.Conn.Close()
}
