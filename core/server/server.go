package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/snapexport/snapexport/core/engine"
	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/restore"
	"github.com/snapexport/snapexport/core/snapshot"
)

// Config is what a server needs. All parts of the core are required.
type Config struct {
	Store     *metastore.Store
	Engine    *engine.Engine
	Snapshots *snapshot.Service
	Restores  *restore.Service

	Bucket           string // as describe_snapshot says it: "name" of s3://name, or a directory's path
	Root             string // root path of the files in the bucket ("files")
	MetadataLocation bool   // describe_snapshot answers with the key of the metadata JSON, as Milvus does
	Version          string // of this program

	Credentials *Credentials           // nil: everyone may do everything
	TLS         *tls.Config            // nil: plain text
	Loads       Loads                  // nil: what is loaded is forgotten at the end
	Metrics     []prometheus.Collector // more that /metrics shows
	Now         func() time.Time
	Log         *slog.Logger // nil: silent
}

// Limits of messages, bytes. That of requests is Milvus's own.
const (
	MaxRequest = 64 << 20
	maxReply   = 1 << 30
)

// patience is how long calls under way may take when the server stops.
const patience = 15 * time.Second

// Server answers calls. Make one with New.
type Server struct {
	milvuspb.UnimplementedMilvusServiceServer
	config  Config
	loaded  *loaded
	metrics *metrics
	grpc    *grpc.Server
	health  *health.Server
}

// New returns a server that listens nowhere yet. The error is that of Config.Loads.
func New(c Config) (*Server, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{config: c, health: health.NewServer()}
	var err error
	if s.loaded, err = newLoaded(c.Loads); err != nil {
		return nil, err
	}
	s.metrics = newMetrics(s)
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxRequest), grpc.MaxSendMsgSize(maxReply),
		// clients ping every 10 to 60 s, also between calls
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(s.metrics.observe, s.authenticate, s.answer),
	}
	if c.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(c.TLS)))
	}
	s.grpc = grpc.NewServer(options...)
	milvuspb.RegisterMilvusServiceServer(s.grpc, s)
	grpc_health_v1.RegisterHealthServer(s.grpc, s.health)
	return s, nil
}

// Serve answers calls on the listener until ctx ends, then finishes those that are under way and returns nil. It closes the
// listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stopped := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(stopped)
		s.health.Shutdown()
		force := time.AfterFunc(patience, s.grpc.Stop)
		defer force.Stop()
		s.grpc.GracefulStop()
	})
	err := s.grpc.Serve(l)
	if !unwatch() {
		<-stopped
	}
	if errors.Is(err, grpc.ErrServerStopped) {
		err = nil
	}
	return err
}
