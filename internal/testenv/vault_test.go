package testenv

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestVaultServesSealsAndRestarts(t *testing.T) {
	EachVault(t, func(t *testing.T, p VaultProduct) {
		t.Parallel()
		v := StartVault(t, VaultOptions{Product: p})
		v.PutKV("app", map[string]any{"key": "v1"})
		v.WritePolicy("app", `path "secret/data/app" { capabilities = ["read"] }`)
		token := v.CreateToken(time.Hour, "app")
		if s, err := v.ClientWith(token).Logical().Read("secret/data/app"); err != nil || s.Data["data"].(map[string]any)["key"] != "v1" {
			t.Errorf("the token reads %v, %v", s, err)
		}
		if _, err := v.ClientWith(token).Logical().Read("secret/data/other"); err == nil {
			t.Error("the token reads what its policy does not name")
		}
		v.EnableAuth("approle", "approle")
		v.EnableAuth("jwt", "jwt")
		v.EnableAuth("cert", "cert")
		v.Seal()
		if _, err := v.ClientWith(token).Logical().Read("secret/data/app"); err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("the sealed server answers %v", err)
		}
		v.Unseal()
		v.RevokeToken(token)
		if _, err := v.ClientWith(token).Logical().Read("secret/data/app"); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("the revoked token: %v", err)
		}
		before := v.Token
		v.Restart()
		if s, err := v.Client().Logical().Read("secret/data/app"); s != nil || err != nil || v.Token == before {
			t.Errorf("after a restart in memory there is %v, %v", s, err)
		}
		if err := v.Freeze(); err != nil {
			t.Fatal(err)
		}
		client := http.Client{Timeout: 100 * time.Millisecond}
		if r, err := client.Get(v.Addr + "/v1/sys/health"); err == nil {
			r.Body.Close()
			t.Error("the frozen server answers")
		}
		if err := v.Thaw(); err != nil {
			t.Fatal(err)
		}
		v.Read("secret/config")
	})
}

func TestVaultKeepsItsState(t *testing.T) {
	EachVault(t, func(t *testing.T, p VaultProduct) {
		t.Parallel()
		v := StartVault(t, VaultOptions{Product: p, Keep: true, TLS: true})
		v.PutKV("app", map[string]any{"key": "v1"})
		v.Kill()
		v.StartSealed()
		if _, err := v.Client().Logical().Read("secret/data/app"); err == nil {
			t.Error("a server that was restarted is not sealed")
		}
		v.Unseal()
		v.Read("secret/data/app")

		standby := StartVault(t, VaultOptions{Product: p, Keep: true, Join: v})
		standby.Read("secret/data/app")
		if standby.Leads() || !v.Leads() {
			t.Error("the server that joined leads")
		}
		v.StepDown()
		Eventually(t, 30*time.Second, func() error {
			if !standby.Leads() {
				return errors.New("the standby does not lead")
			}
			return nil
		})
		v.Read("secret/data/app")
	})
}
