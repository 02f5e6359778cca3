package gateway

// SecretUse is a whole secret, or one field of it, that some feature hands to Envoy.
type SecretUse struct {
	ID    ID     // of the secret
	Field string // of its material; "" is its only one
}

// Unit is the SDS resource that carries it.
func (u SecretUse) Unit() Unit {
	name := u.ID.Name
	if u.Field != "" {
		name += "/" + u.Field
	}
	return Unit{Type: UnitSecret, Name: name}
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
