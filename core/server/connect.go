package server

import (
	"context"
	"runtime"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
)

// milvusVersion is the Milvus whose protocol is answered.
const milvusVersion = "v3.0.0"

func (s *Server) version() string { return milvusVersion + "+snapexport." + s.config.Version }

// Connect greets a client. Nothing is kept of it.
func (s *Server) Connect(ctx context.Context, r *milvuspb.ConnectRequest) (*milvuspb.ConnectResponse, error) {
	ts, err := s.config.Store.Timestamp()
	if err != nil {
		return nil, err
	}
	return &milvuspb.ConnectResponse{
		ServerInfo: &commonpb.ServerInfo{BuildTags: s.version(), GoVersion: runtime.Version(), DeployMode: "STANDALONE"},
		Identifier: int64(ts),
	}, nil
}

// GetVersion says what this is.
func (s *Server) GetVersion(context.Context, *milvuspb.GetVersionRequest) (*milvuspb.GetVersionResponse, error) {
	return &milvuspb.GetVersionResponse{Version: s.version()}, nil
}

// CheckHealth reports whether calls can be answered.
func (s *Server) CheckHealth(context.Context, *milvuspb.CheckHealthRequest) (*milvuspb.CheckHealthResponse, error) {
	if _, err := s.config.Store.Timestamp(); err != nil {
		return &milvuspb.CheckHealthResponse{Reasons: []string{err.Error()}}, nil
	}
	return &milvuspb.CheckHealthResponse{IsHealthy: true}, nil
}

// AllocTimestamp returns a new timestamp.
func (s *Server) AllocTimestamp(context.Context, *milvuspb.AllocTimestampRequest) (*milvuspb.AllocTimestampResponse, error) {
	ts, err := s.config.Store.Timestamp()
	return &milvuspb.AllocTimestampResponse{Timestamp: uint64(ts)}, err
}
