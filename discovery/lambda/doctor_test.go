package lambda

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/sluice-gateway/sluice/gateway"
)

// Credentials that nobody knows are found out first, and nothing else is asked with them.
func TestDoctorAsksWhoTheCredentialsAre(t *testing.T) {
	refused := false
	asked := 0
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if refused {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error></ErrorResponse>`)
			return
		}
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/sluice</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))
	defer sts.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"Message": "User is not authorized to perform: lambda:ListFunctions"}`)
	}))
	defer api.Close()
	opts := Options{Connections: map[string]aws.CredentialsProvider{"main": credentials.NewStaticCredentialsProvider("AKIA", "secret", "")}}
	p := Patient{Block: &gateway.Lambda{Region: "us-east-1", Endpoint: api.URL, Connection: "main"}, STS: sts.URL}

	out := Doctor(t.Context(), opts, p)
	if len(out) != 2 || !out[0].OK || !strings.Contains(out[0].Check, "user/sluice") {
		t.Fatalf("%+v", out)
	}
	if f := out[1]; f.OK || f.Need != `{"Effect": "Allow", "Action": "lambda:ListFunctions", "Resource": "*"}` || !strings.Contains(f.Err.Error(), "not authorized") {
		t.Errorf("%+v", f)
	}

	refused, asked = true, 0
	if out = Doctor(t.Context(), opts, p); len(out) != 1 || out[0].OK || !strings.Contains(out[0].Err.Error(), "invalid") || asked != 0 {
		t.Errorf("asked %d times: %+v", asked, out)
	}
	if out = Doctor(t.Context(), Options{}, p); len(out) != 1 || out[0].OK {
		t.Errorf("a connection that is not there: %+v", out)
	}
}
