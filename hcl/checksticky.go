package hcl

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

func (d *decoder) checkSticky(s *gateway.Sticky, at ranges) {
	const summary = "Invalid sticky block"
	if !d.exclusive(at[""], summary, "What clients are known by", false, map[string]bool{"header": s.Header != "", "cookie": s.Cookie != ""}, "header", "cookie") {
		return
	}
	switch {
	case s.Cookie != "" && !headerName.MatchString(s.Cookie):
		d.error(at.of("cookie"), summary, fmt.Sprintf("%q cannot be the name of a cookie.", s.Cookie))
	case s.Header != "" && !headerName.MatchString(s.Header):
		d.error(at.of("header"), summary, fmt.Sprintf("%q cannot be the name of a header.", s.Header))
	case strings.Contains(s.Header, "_"):
		d.error(at.of("header"), summary, fmt.Sprintf("The header %q never arrives: requests with an underscore in the name of a header are refused.", s.Header))
	case strings.EqualFold(s.Header, "cookie"):
		d.error(at.of("header"), summary, `All cookies together differ from page to page. Name one of them: cookie = "session".`)
	}
}

// checkShares wants shares for the sticky block of a route to keep clients on.
func (d *decoder) checkShares(r *gateway.Route) {
	if r.Sticky != nil && len(r.To) < 2 {
		d.error(r.Sticky.Range, "Invalid sticky block", "It keeps clients on their share of the requests, and this route has fewer than two destinations to share them. "+
			"Remove it, or add a destination; its weight may be 0.")
	}
}
