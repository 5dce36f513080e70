package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	rpc "google.golang.org/grpc/status"
)

// The user that there is, and Milvus's password for it where none was set.
const (
	RootUser        = "root"
	DefaultPassword = "Milvus"
)

// Credentials are what callers must show. There is one user, who may do everything.
type Credentials struct{ digest [sha256.Size]byte }

// NewCredentials returns those of [RootUser].
func NewCredentials(password string) *Credentials {
	return &Credentials{digest: sha256.Sum256([]byte(RootUser + ":" + password))}
}

// match compares a token "user:password", in time that does not depend on it.
func (c *Credentials) match(token string) bool {
	got := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(got[:], c.digest[:]) == 1
}

// Texts that clients know.
var (
	errNoToken  = rpc.Error(codes.Unauthenticated, "missing authorization in header")
	errBadToken = rpc.Error(codes.Unauthenticated, "auth check failure, please check username and password are correct")
)

// authenticate refuses calls without the right token: metadata "authorization" = base64("user:password"). Health checks need none.
func (s *Server) authenticate(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if s.config.Credentials == nil || strings.HasPrefix(info.FullMethod, "/grpc.health.v1.") {
		return handle(ctx, request)
	}
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) == 0 || values[0] == "" {
		return nil, errNoToken
	}
	token, err := base64.StdEncoding.DecodeString(values[0])
	if err != nil || !s.config.Credentials.match(string(token)) {
		return nil, errBadToken
	}
	return handle(ctx, request)
}

// IsDefault reports whether the password is the one that everyone knows.
func (c *Credentials) IsDefault() bool { return c.match(RootUser + ":" + DefaultPassword) }
