package secrets

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
)

// identityBody is the request that proves who somebody is.
const identityBody = "Action=GetCallerIdentity&Version=2011-06-15"

// serverIDHeader binds a signed request to one Vault, so that another cannot use it.
const serverIDHeader = "X-Vault-AWS-IAM-Server-ID"

func (c *conn) loginAWS(ctx context.Context, w *AWSLogin) (*session, error) {
	within, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	cfg, err := awsconfig.LoadDefaultConfig(within, awsconfig.WithRegion(w.Region))
	if err != nil {
		return nil, &problem{kind: unreachable, text: "read the configuration of the AWS SDK: it cannot be read"}
	}
	creds, err := cfg.Credentials.Retrieve(within)
	if err != nil {
		return nil, &problem{kind: unreachable, text: "find AWS credentials: the SDK finds none that work", cause: within.Err()}
	}
	body, err := signedIdentity(within, w, creds, time.Now())
	if err != nil {
		return nil, err
	}
	return c.loginAt(ctx, w.Mount, body)
}

// signedIdentity is a signed sts:GetCallerIdentity as the body of a login: Vault sends it on, and learns who we are.
func signedIdentity(ctx context.Context, w *AWSLogin, creds aws.Credentials, now time.Time) (map[string]any, error) {
	endpoint := w.Endpoint
	if endpoint == "" {
		endpoint = stsEndpoint(w.Region)
	}
	endpoint = strings.TrimSuffix(endpoint, "/") + "/"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(identityBody))
	if err != nil {
		return nil, refusedf("sign the login: the endpoint of sts is no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if w.ServerID != "" {
		req.Header.Set(serverIDHeader, w.ServerID)
	}
	sum := sha256.Sum256([]byte(identityBody))
	if err := v4.NewSigner().SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), "sts", w.Region, now); err != nil {
		return nil, errors.New("sign the login: the credentials cannot sign")
	}
	req.Header.Set("Host", req.URL.Host)
	headers, err := json.Marshal(req.Header)
	if err != nil {
		return nil, errors.New("sign the login: the headers cannot be written")
	}
	encode := base64.StdEncoding.EncodeToString
	return map[string]any{
		"role":                    w.Role,
		"iam_http_request_method": http.MethodPost,
		"iam_request_url":         encode([]byte(endpoint)),
		"iam_request_body":        encode([]byte(identityBody)),
		"iam_request_headers":     encode(headers),
	}, nil
}

// stsEndpoint is the public one of a region.
func stsEndpoint(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "https://sts." + region + ".amazonaws.com.cn"
	}
	return "https://sts." + region + ".amazonaws.com"
}
