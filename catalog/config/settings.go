package config

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// Type is a kind of catalog.
type Type string

// The kinds.
const (
	REST Type = "rest"
	SQL  Type = "sql"
	Glue Type = "glue"
	Hive Type = "hive"
)

// Settings are one catalog's. They do not show secrets when they are printed.
type Settings struct {
	Name  string
	props map[string]string
}

// Get returns the first of the properties that is set.
func (s Settings) Get(keys ...string) string {
	for _, key := range keys {
		if v := s.props[key]; v != "" {
			return v
		}
	}
	return ""
}

// All returns a copy of the properties, secrets included.
func (s Settings) All() map[string]string { return maps.Clone(s.props) }

// Keys returns the names of the properties, sorted.
func (s Settings) Keys() []string { return slices.Sorted(maps.Keys(s.props)) }

// Type is what the properties say, or else what the URI's scheme does.
func (s Settings) Type() (Type, error) {
	if t := Type(strings.ToLower(s.Get("type"))); t != "" {
		if !slices.Contains([]Type{REST, SQL, Glue, Hive}, t) {
			return "", fault.Unsupported("open catalog", "catalog %s is of type %q", s.Name, t).WithHint("there are rest, sql, glue and hive")
		}
		return t, nil
	}
	if s.Get("py-catalog-impl") != "" {
		return "", fault.Unsupported("open catalog", "catalog %s is a Python class", s.Name).WithHint("there are rest, sql, glue and hive")
	}
	uri := s.Get("uri")
	for prefix, t := range map[string]Type{"http": REST, "thrift": Hive, "sqlite": SQL, "postgres": SQL} {
		if strings.HasPrefix(uri, prefix) {
			return t, nil
		}
	}
	if uri == "" {
		return "", fault.Missing("open catalog", "catalog %s has neither a type nor a uri", s.Name).WithHint("give --catalog-uri, or set PYICEBERG_CATALOG__%s__URI", variableName(s.Name))
	}
	return "", fault.Unsupported("open catalog", "the kind of catalog %s cannot be told from its uri", s.Name).WithHint("set its type: rest, sql, glue or hive")
}

func variableName(name string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "__").Replace(name))
}

// open are the properties that may be shown as they are; of all others the value could be a secret.
var open = map[string]bool{
	"type": true, "warehouse": true, "prefix": true, "scope": true, "audience": true, "resource": true, "glue.region": true, "glue.endpoint": true, "glue.id": true,
	"client.region": true, "s3.region": true, "s3.path-style-access": true, "s3.force-virtual-addressing": true,
	"glue.profile-name": true, "client.profile-name": true, "s3.profile-name": true, "rest.sigv4-enabled": true, "rest.signing-region": true, "rest.signing-name": true,
	"init_catalog_tables": true, "glue.skip-archive": true,
}

// Shown returns the properties with whatever could be a secret left out: [redacted].
func (s Settings) Shown() map[string]string {
	out := map[string]string{}
	for key, value := range s.props {
		switch {
		case open[key]:
			out[key] = cleaned(value)
		case key == "uri" || key == "s3.endpoint" || key == "oauth2-server-uri" || key == "rest.authorization-url":
			out[key] = cleaned(value)
		default:
			out[key] = objstore.Secret(value).String()
		}
	}
	return out
}

// cleaned takes user, password and parameters off a URL.
func cleaned(value string) string {
	if !strings.Contains(value, "://") {
		return value
	}
	u, err := url.Parse(value)
	if err != nil {
		return objstore.Secret(value).String()
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// String shows no secrets.
func (s Settings) String() string { return s.Name }

// GoString shows no secrets.
func (s Settings) GoString() string { return "config.Settings(" + s.Name + ")" }

// isSecret says that no error may repeat the property.
func isSecret(key string) bool { return !open[key] }

// Hide takes the values of secret properties out of a text, such as the message of a driver.
func (s Settings) Hide(text string) string {
	const shortest = 4 // "true" or "1" would take words apart
	for key, value := range s.props {
		if !isSecret(key) {
			continue
		}
		for _, secret := range secretsOf(key, value) {
			if len(secret) >= shortest {
				text = strings.ReplaceAll(text, secret, "[redacted]")
			}
		}
	}
	return text
}

// secretsOf gives what of a property's value is secret: of URLs the password, of a credential also its second half.
func secretsOf(key, value string) []string {
	switch key {
	case "uri", "s3.endpoint", "oauth2-server-uri", "rest.authorization-url":
		u, err := url.Parse(value)
		if err != nil {
			return []string{value}
		}
		var out []string
		if password, set := u.User.Password(); set {
			out = append(out, password, url.QueryEscape(password), url.PathEscape(password))
		}
		for _, values := range u.Query() {
			out = append(out, values...)
		}
		return out
	case "credential":
		_, secret, _ := strings.Cut(value, ":")
		return []string{value, secret}
	}
	return []string{value}
}

// Store returns how the catalog's properties say that S3 is reached (s3.endpoint and so on, client.* where those are not set),
// over the settings that hold else.
func (s Settings) Store(base objstore.Settings) (objstore.Settings, error) {
	out := base
	out.Endpoint = cmp.Or(s.Get("s3.endpoint"), base.Endpoint)
	out.Region = cmp.Or(s.Get("s3.region", "client.region"), base.Region)
	if v := s.Get("s3.path-style-access"); v != "" {
		on, err := strconv.ParseBool(v)
		if err != nil {
			return base, fault.Unsupported("open catalog", "s3.path-style-access is %q, not true or false", v).On(s.Name)
		}
		out.PathStyle = &on
	}
	if v := s.Get("s3.force-virtual-addressing"); v != "" {
		on, err := strconv.ParseBool(v)
		if err != nil {
			return base, fault.Unsupported("open catalog", "s3.force-virtual-addressing is %q, not true or false", v).On(s.Name)
		}
		on = !on
		out.PathStyle = &on
	}
	key, secret := s.Get("s3.access-key-id", "client.access-key-id"), s.Get("s3.secret-access-key", "client.secret-access-key")
	profile := s.Get("s3.profile-name", "client.profile-name")
	switch {
	case key != "":
		out.Profile, out.Credentials = "", ""
		out.AccessKey, out.SecretKey, out.SessionToken = key, objstore.Secret(secret), objstore.Secret(s.Get("s3.session-token", "client.session-token"))
	case profile != "":
		out.AccessKey, out.SecretKey, out.SessionToken, out.Credentials, out.Profile = "", "", "", "", profile
	case strings.EqualFold(s.Get("s3.anonymous"), "true"):
		out.AccessKey, out.SecretKey, out.SessionToken, out.Profile, out.Credentials = "", "", "", "", "anonymous"
	}
	return out, nil
}
