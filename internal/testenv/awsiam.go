package testenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// CreateUser makes an IAM user that may do what the policy says (JSON; empty: nothing), and a key of it.
func (a *AWS) CreateUser(name, policy string) *AWSKey {
	a.t.Helper()
	a.iam("CreateUser", "UserName", name)
	if policy != "" {
		a.iam("PutUserPolicy", "UserName", name, "PolicyName", "test", "PolicyDocument", policy)
	}
	return a.CreateKey(name)
}

// CreateKey makes another key of a user.
func (a *AWS) CreateKey(user string) *AWSKey {
	a.t.Helper()
	made := a.iam("CreateAccessKey", "UserName", user)
	return &AWSKey{ID: made["AccessKeyId"], Secret: made["SecretAccessKey"]}
}

// DeleteKey deletes a key of a user: what it signs is refused from then on.
func (a *AWS) DeleteKey(user string, key *AWSKey) {
	a.t.Helper()
	a.iam("DeleteAccessKey", "UserName", user, "AccessKeyId", key.ID)
}

// PutUserPolicy replaces what CreateUser's policy allows.
func (a *AWS) PutUserPolicy(user, policy string) {
	a.t.Helper()
	a.iam("PutUserPolicy", "UserName", user, "PolicyName", "test", "PolicyDocument", policy)
}

// CreatePolicy makes a managed policy (JSON) and returns its ARN.
func (a *AWS) CreatePolicy(name, policy string) (arn string) {
	a.t.Helper()
	return a.iam("CreatePolicy", "PolicyName", name, "PolicyDocument", policy)["Arn"]
}

// CreateRole makes a role that everybody, and Lambda, may assume and that may do what the policy says (JSON; empty:
// nothing). It returns the role's ARN.
func (a *AWS) CreateRole(name, policy string) (arn string) {
	a.t.Helper()
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Principal":{"AWS":"*","Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	made := a.iam("CreateRole", "RoleName", name, "AssumeRolePolicyDocument", trust)
	if policy != "" {
		a.iam("PutRolePolicy", "RoleName", name, "PolicyName", "test", "PolicyDocument", policy)
	}
	return made["Arn"]
}

// Allow is a policy that allows one action, * say or lambda:InvokeFunction, on one resource.
func Allow(action, resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":%q,"Resource":%q}]}`, action, resource)
}

// iam calls IAM as root with pairs of parameters and returns the texts of the answer by their elements' names.
func (a *AWS) iam(action string, pairs ...string) map[string]string {
	a.t.Helper()
	form := url.Values{"Action": {action}, "Version": {"2010-05-08"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	answer, err := a.query(a.Root, "iam", form)
	if err != nil {
		a.t.Fatalf("call iam %s: %v", action, err)
	}
	return answer
}

// query calls a service that speaks AWS's Query protocol.
func (a *AWS) query(key *AWSKey, service string, form url.Values) (map[string]string, error) {
	body := form.Encode()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Endpoint+"/", strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", service, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(body))
	signer, credentials := v4.NewSigner(), aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret, SessionToken: key.Session}
	err = signer.SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), service, a.Region, time.Now())
	if err != nil {
		return nil, fmt.Errorf("sign a call of %s: %w", service, err)
	}
	resp, err := adminClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", service, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", service, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s: %.500s", service, resp.Status, b)
	}
	return texts(b)
}

// texts returns the texts of an XML document by the names of the elements around them.
func texts(document []byte) (map[string]string, error) {
	found, name := map[string]string{}, ""
	decoder := xml.NewDecoder(strings.NewReader(string(document)))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read an answer of aws: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			name = token.Name.Local
		case xml.EndElement:
			name = ""
		case xml.CharData:
			if name != "" {
				found[name] = string(token)
			}
		}
	}
}
