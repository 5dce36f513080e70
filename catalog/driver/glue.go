package driver

import (
	"context"
	"errors"

	"github.com/apache/iceberg-go/catalog/glue"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/catalog/config"
	"github.com/snapexport/snapexport/fault"
)

func openGlue(ctx context.Context, s config.Settings) (opened, error) {
	out := opened{opts: catalog.NamedOptions{Scheme: "s3"}, refused: refusedAWS}
	aws, err := awsConfig(ctx, s, "glue", "")
	if err != nil {
		return out, err
	}
	out.catalog, err = glue.NewCatalog(glue.WithAwsConfig(aws), glue.WithAwsProperties(glue.AwsProperties(s.All())))
	return out, err
}

// awsConfig is AWS's own chain with the properties of the service (glue.region and so on, client.* where those are not set)
// over it.
func awsConfig(ctx context.Context, s config.Settings, service, region string) (aws.Config, error) {
	get := func(key string) string { return s.Get(service+"."+key, "client."+key) }
	var opts []func(*awsconfig.LoadOptions) error
	if region == "" {
		region = get("region")
	}
	if region != "" {
		opts = append(opts, awsconfig.WithRegion(region))
	}
	if profile := get("profile-name"); profile != "" {
		opts = append(opts, awsconfig.WithSharedConfigProfile(profile))
	}
	if endpoint := s.Get(service + ".endpoint"); endpoint != "" {
		opts = append(opts, awsconfig.WithBaseEndpoint(endpoint))
	}
	key, secret := get("access-key-id"), get("secret-access-key")
	if (key == "") != (secret == "") {
		return aws.Config{}, fault.Auth(op, "%s.access-key-id and %s.secret-access-key must be given together", service, service)
	}
	if key != "" {
		opts = append(opts, awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(key, secret, get("session-token"))))
	}
	out, err := awsconfig.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return out, fault.Auth(op, "%w", err)
	}
	return out, nil
}

// refusedAWS knows the codes of errors that are about who asks, or about what is asked.
func refusedAWS(err error) *fault.Error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return nil
	}
	switch api.ErrorCode() {
	case "AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException", "InvalidSignatureException", "MissingAuthenticationTokenException", "IncompleteSignature":
		return fault.Auth(op, "%w", err)
	case "InvalidInputException", "ValidationException":
		return fault.Unsupported(op, "%w", err)
	}
	return nil
}
