package driver

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog/rest"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/catalog/config"
	"github.com/snapexport/snapexport/fault"
)

// ownREST are the properties that have options of their own; all others go to the catalog as they are.
var ownREST = map[string]bool{
	"uri": true, "type": true, "token": true, "credential": true, "warehouse": true, "scope": true, "audience": true, "resource": true, "prefix": true,
	"oauth2-server-uri": true, "rest.authorization-url": true, "rest.sigv4-enabled": true, "rest.signing-region": true, "rest.signing-name": true, "rest.tls.skip-verify": true,
}

func openREST(ctx context.Context, s config.Settings) (opened, error) {
	out := opened{opts: catalog.NamedOptions{ServerPlaces: true}, refused: refusedREST}
	for _, key := range s.Keys() {
		if strings.HasPrefix(key, "auth.") || strings.HasPrefix(key, "ssl.") {
			return out, fault.Unsupported(op, "property %s is not known", key).WithHint("there are token, and credential with oauth2-server-uri, scope, audience and resource")
		}
	}
	uri, err := url.Parse(s.Get("uri"))
	if err != nil || uri.Host == "" || uri.Scheme != "http" && uri.Scheme != "https" {
		return out, fault.Unsupported(op, "the uri of a REST catalog is http(s)://host[:port][/path]")
	}
	opts := []rest.Option{rest.WithCustomTransport(transport(s)), rest.WithWarehouseLocation(s.Get("warehouse")), rest.WithPrefix(s.Get("prefix")), rest.WithOAuthToken(s.Get("token")),
		rest.WithCredential(s.Get("credential")), rest.WithScope(s.Get("scope")), rest.WithAudience(s.Get("audience")), rest.WithResource(s.Get("resource"))}
	if at := s.Get("oauth2-server-uri", "rest.authorization-url"); at != "" {
		server, err := url.Parse(at)
		if err != nil || server.Host == "" {
			return out, fault.Unsupported(op, "oauth2-server-uri is not a URL")
		}
		opts = append(opts, rest.WithAuthURI(server))
	}
	if strings.EqualFold(s.Get("rest.sigv4-enabled"), "true") {
		config, err := awsConfig(ctx, s, "rest", s.Get("rest.signing-region", "client.region"))
		if err != nil {
			return out, err
		}
		opts = append(opts, rest.WithSigV4RegionSvc(config.Region, s.Get("rest.signing-name")), rest.WithAwsConfig(config))
	}
	others := iceberg.Properties{}
	for key, value := range s.All() {
		if !ownREST[key] && value != "" {
			others[key] = value
		}
	}
	cat, err := rest.NewCatalog(ctx, s.Name, s.Get("uri"), append(opts, rest.WithAdditionalProps(others))...)
	if err != nil {
		return out, err
	}
	out.catalog = cat
	return out, nil
}

// transport gives connections that do not wait for ever for an answer to begin.
func transport(s config.Settings) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = 90 * time.Second
	if strings.EqualFold(s.Get("rest.tls.skip-verify"), "true") {
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // the user says so
	}
	return t
}

func refusedREST(err error) *fault.Error {
	switch {
	case errors.Is(err, rest.ErrUnauthorized), errors.Is(err, rest.ErrForbidden), errors.Is(err, rest.ErrAuthorizationExpired), errors.Is(err, rest.ErrOAuthError):
		return fault.Auth(op, "%w", err).WithHint("check the catalog's token or credential")
	case errors.Is(err, rest.ErrBadRequest):
		return fault.Unsupported(op, "%w", err)
	}
	return nil
}
