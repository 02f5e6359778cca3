package gateway

// SecretForm is what Envoy makes of a secret.
type SecretForm string

// The forms of a secret.
const (
	FormValue       SecretForm = ""            // one value, such as a token
	FormCertificate SecretForm = "certificate" // a chain of certificates, the leaf first, and its key; both PEM
	FormAuthorities SecretForm = "authorities" // certificates that are trusted; PEM
	FormServed      SecretForm = "served"      // FormCertificate, of a listener: until there is one, a stand-in that nobody trusts takes its place
	FormClientCA    SecretForm = "clients"     // FormAuthorities, of a listener: until there are any, nobody is trusted
	FormPeers       SecretForm = "peers"       // authorities of a mesh, and the services that are accepted; of an identity only
)

// StandsIn says that something else takes the place of what is not known: a listener with one part missing serves nobody.
func (f SecretForm) StandsIn() bool { return f == FormServed || f == FormClientCA }

// SecretUse is a whole secret, or one field of it, that some feature hands to Envoy.
type SecretUse struct {
	ID    ID     // of the secret
	Field string // of its material; "" is its only one, or, of a certificate, those that bear its parts; of peers, see MeshServices
	Form  SecretForm
}

// Unit is the SDS resource that carries it.
func (u SecretUse) Unit() Unit { return secretUnit(u.ID, u.part()) }

func secretUnit(id ID, part string) Unit {
	if part == "" {
		return Unit{UnitSecret, id.Name}
	}
	return Unit{UnitSecret, id.Name + "/" + part}
}

// part is the field and the form in one word.
func (u SecretUse) part() string {
	if u.Form == FormValue {
		return u.Field
	}
	return u.Field + "#" + string(u.Form)
}

// SecretUser is implemented by the features that use secrets. Each use is also among their Refs.
type SecretUser interface {
	// SecretUses lists what the feature uses. It is a function of the block alone.
	SecretUses() []SecretUse
}

// Credentialed is implemented by the source specs whose platform is asked with a secret of a document.
type Credentialed interface {
	SourceSpec
	// Credential is that secret; zero where the block names none.
	Credential() ID
}
