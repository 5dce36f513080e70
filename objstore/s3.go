package objstore

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/snapexport/snapexport/fault"
)

// copyPartSize is the size, in bytes, above which a server-side copy goes by parts, and the size of those parts. A single
// copy request may cover 5 GiB but keeps the connection silent meanwhile.
const copyPartSize = 512 << 20

// defaultRegion is signed for where neither settings nor the standard chain name one; servers other than AWS accept it.
const defaultRegion = "us-east-1"

// server is a client for one S3 endpoint with one set of credentials.
type server struct {
	client   *s3.Client
	retry    RetryPolicy // of the requests that uploads and copies are made of
	partSize int64
	parallel int
	copyPart int64
	parts    sync.Pool // *[]byte of partSize bytes
}

// serverKey tells settings apart that need a client of their own.
type serverKey string

func (s Settings) serverKey() serverKey {
	style := "default"
	if s.PathStyle != nil {
		style = fmt.Sprint(*s.PathStyle)
	}
	return serverKey(fmt.Sprintf("%q %q %s %q %q %q %q %q %d %d", s.Endpoint, s.Region, style, s.Profile, s.AccessKey, string(s.SecretKey), string(s.SessionToken), s.Credentials, s.PartSize, s.Parallel))
}

// newServer makes a client from settings that have been checked and completed.
func newServer(ctx context.Context, s Settings, retry RetryPolicy) (*server, error) {
	c, err := config.LoadDefaultConfig(ctx, loadOptions(s)...)
	if err != nil {
		return nil, fault.Auth("load AWS settings", "%w", err).WithHint("check the profile and the files that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name")
	}
	g := &guard{}
	client := s3.NewFromConfig(c, func(o *s3.Options) {
		if s.Endpoint != "" {
			o.BaseEndpoint = aws.String(s.Endpoint)
		}
		if o.Region == "" {
			o.Region = defaultRegion
		}
		o.UsePathStyle = o.BaseEndpoint != nil
		if s.PathStyle != nil {
			o.UsePathStyle = *s.PathStyle
		}
		if s.Credentials != "anonymous" { // which the SDK knows by its type
			o.Credentials = credentialSource{inner: o.Credentials}
		}
		o.Retryer = aws.NopRetryer{} // WithRetry knows which calls may be repeated
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
		o.Logger = logging.Nop{}
		o.ClientLogMode = 0
		o.HTTPClient = g.client()
	})
	// The endpoint may also come from AWS_ENDPOINT_URL or a profile.
	if err := g.trust(aws.ToString(client.Options().BaseEndpoint)); err != nil {
		return nil, err
	}
	srv := &server{client: client, retry: retry, partSize: s.PartSize, parallel: s.Parallel, copyPart: copyPartSize}
	srv.parts.New = func() any { b := make([]byte, srv.partSize); return &b }
	return srv, nil
}

func loadOptions(s Settings) (o []func(*config.LoadOptions) error) {
	o = append(o, config.WithLogger(logging.Nop{})) // standard error is the program's, not the SDK's
	if s.Region != "" {
		o = append(o, config.WithRegion(s.Region))
	}
	if s.Profile != "" {
		o = append(o, config.WithSharedConfigProfile(s.Profile))
	}
	if s.AccessKey != "" {
		keys := credentials.NewStaticCredentialsProvider(s.AccessKey, string(s.SecretKey), string(s.SessionToken))
		o = append(o, config.WithCredentialsProvider(keys))
	}
	if s.Credentials == "anonymous" {
		o = append(o, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	}
	return o
}

// credentialSource gives failures to find credentials their class.
type credentialSource struct{ inner aws.CredentialsProvider }

func (c credentialSource) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if c.inner == nil {
		return aws.Credentials{}, noCredentials("none are configured")
	}
	keys, err := c.inner.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		return keys, noCredentials("%w", err)
	}
	return keys, err
}

func noCredentials(format string, args ...any) error {
	return fault.Auth("find credentials", format, args...).WithHint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or use --store s3://BUCKET=credentials=env:PREFIX (or credentials=anonymous)")
}

// s3Store is one bucket.
type s3Store struct {
	*server
	bucket string
	direct *direct // nil: objects are read through the client
}

func (s *s3Store) URI() string { return "s3://" + s.bucket }

func (s *s3Store) name(key string) string { return printable(s.URI() + "/" + key) }
