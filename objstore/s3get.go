package objstore

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/auth"
	"github.com/aws/smithy-go/encoding/httpbinding"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// direct reads the objects of a bucket without the SDK's chain of middleware, which takes more processor time than all else of
// reading a small object. The SDK says where the bucket is and signs, so that its own GetObject would send the same request; where
// that would differ by more than the key, there is no direct.
type direct struct {
	client    s3.HTTPClient
	root      string // scheme and host
	path, raw string // of the bucket, with a slash at its end; plain and escaped
	signer    smithyhttp.Signer
	identity  auth.IdentityResolver // nil: requests are not signed
	signing   smithy.Properties
}

// hashOfNothing is the SHA-256 of a request without a body.
const hashOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// newDirect returns nil for what only the SDK knows how to ask: access points, directory buckets, signatures other than version
// 4, pseudo regions.
func newDirect(ctx context.Context, o s3.Options, bucket string) *direct {
	if strings.Contains(bucket, ":") || strings.Contains(o.Region, "fips") || o.EndpointOptions.DisableHTTPS || len(o.AuthSchemePreference) > 0 {
		return nil
	}
	at, err := o.EndpointResolverV2.ResolveEndpoint(ctx, s3.EndpointParameters{
		Bucket: &bucket, Region: &o.Region, Endpoint: o.BaseEndpoint, ForcePathStyle: &o.UsePathStyle, Accelerate: &o.UseAccelerate,
		UseFIPS:                        aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack:                   aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
		UseArnRegion:                   &o.UseARNRegion,
		DisableMultiRegionAccessPoints: &o.DisableMultiRegionAccessPoints,
		DisableS3ExpressSessionAuth:    o.DisableS3ExpressSessionAuth,
	})
	schemes, _ := auth.GetAuthOptions(&at.Properties)
	if err != nil || len(at.Headers) > 0 || at.URI.RawQuery != "" || len(schemes) == 0 || schemes[0].SchemeID != "sigv4" {
		return nil
	}
	d := &direct{client: o.HTTPClient, root: (&url.URL{Scheme: at.URI.Scheme, Host: at.URI.Host}).String(), signing: schemes[0].SignerProperties}
	d.path, d.raw = strings.TrimSuffix(at.URI.Path, "/")+"/", strings.TrimSuffix(at.URI.EscapedPath(), "/")+"/"
	if o.Credentials == nil { // anonymous
		return d
	}
	for _, scheme := range o.AuthSchemes {
		if scheme.SchemeID() == auth.SchemeIDSigV4 {
			d.signer, d.identity = scheme.Signer(), scheme.IdentityResolver(o)
		}
	}
	_, named := smithyhttp.GetSigV4SigningName(&d.signing)
	_, placed := smithyhttp.GetSigV4SigningRegion(&d.signing)
	if d.signer == nil || d.identity == nil || !named || !placed {
		return nil
	}
	return d
}

// get is GetObject with the input's Key, Range and IfMatch; the output has what this package reads of it. Errors are of the
// SDK's types. The caller closes the body.
func (d *direct) get(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	r, err := d.request(ctx, in)
	if err != nil {
		return nil, err
	}
	a, err := d.client.Do(r)
	if err != nil {
		return nil, &smithyhttp.RequestSendError{Err: err}
	}
	if a.StatusCode < 200 || a.StatusCode > 299 {
		return nil, refusal(a)
	}
	out := &s3.GetObjectOutput{Body: a.Body, ETag: header(a, "ETag"), ContentRange: header(a, "Content-Range")}
	if header(a, "Content-Length") != nil && a.ContentLength >= 0 {
		out.ContentLength = &a.ContentLength
	}
	if modified := header(a, "Last-Modified"); modified != nil {
		t, err := http.ParseTime(*modified)
		if err != nil {
			a.Body.Close()
			return nil, answered(a, fmt.Errorf("the time of the last change: %w", err))
		}
		out.LastModified = &t
	}
	return out, nil
}

// request returns the signed request.
func (d *direct) request(ctx context.Context, in *s3.GetObjectInput) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.root, nil)
	if err != nil {
		return nil, err
	}
	r.URL.Path, r.URL.RawPath = d.path+*in.Key, d.raw+httpbinding.EscapePath(*in.Key, false)
	r.Header["X-Amz-Content-Sha256"] = []string{hashOfNothing}
	if in.Range != nil {
		r.Header["Range"] = []string{*in.Range}
	}
	if in.IfMatch != nil {
		r.Header["If-Match"] = []string{*in.IfMatch}
	}
	if d.identity != nil {
		who, err := d.identity.GetIdentity(ctx, smithy.Properties{})
		if err != nil {
			return nil, err
		}
		err = d.signer.SignRequest(v4.SetPayloadHash(ctx, hashOfNothing), &smithyhttp.Request{Request: r}, who, d.signing)
		if err != nil {
			return nil, err
		}
	}
	// Not signed: proxies change them.
	r.Header["Accept-Encoding"] = []string{"identity"}
	r.Header["User-Agent"] = []string{"snapexport"}
	return r, nil
}

func header(a *http.Response, name string) *string {
	if v := a.Header.Values(name); len(v) > 0 {
		return &v[0]
	}
	return nil
}

// maxRefusal bounds what is read of an answer that says why there is no object.
const maxRefusal = 64 << 10

// refusal makes an error of an answer and closes its body.
func refusal(a *http.Response) error {
	defer a.Body.Close()
	var said struct{ Code, Message string }
	b, err := io.ReadAll(io.LimitReader(a.Body, maxRefusal))
	if err == nil {
		err = xml.Unmarshal(b, &said)
	}
	if err != nil { // a proxy's page, or nothing at all: the status has to do
		said.Code, said.Message = "", ""
	}
	return answered(a, &smithy.GenericAPIError{Code: said.Code, Message: said.Message})
}

func answered(a *http.Response, err error) error {
	return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: a}, Err: err}
}
