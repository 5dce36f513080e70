package server

import (
	"context"
	"net/http"
	"path"
	"strconv"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	rpc "google.golang.org/grpc/status"
)

// metrics are what Prometheus reads.
type metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	panics   prometheus.Counter
	server   *Server
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(), server: s,
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "snapexport_calls_total", Help: "Calls by method and code: Milvus's, or gRPC's by its name."}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "snapexport_call_seconds", Help: "Duration of calls by method.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 10)}, []string{"method"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "snapexport_panics_total", Help: "Calls that ended in a panic."}),
	}
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	m.registry.MustRegister(m.calls, m.seconds, m.panics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("snapexport_collections", "Collections.", func() int {
			all, _ := s.config.Store.Collections("*") // only an unknown database is an error
			return len(all)
		}),
		gauge("snapexport_snapshots", "Snapshots.", func() int { return len(s.config.Store.AllSnapshots()) }),
		gauge("snapexport_restore_jobs", "Restores that are kept, ended ones included.", func() int { return len(s.config.Store.CopyJobs()) }),
		gauge("snapexport_dropped_segments", "Segments whose files wait for garbage collection.", func() int { return len(s.config.Store.DroppedSegments()) }))
	m.registry.MustRegister(s.config.Metrics...)
	return m
}

// observe counts and times calls.
func (m *metrics) observe(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	method := path.Base(info.FullMethod)
	start := m.server.config.Now()
	reply, err := handle(ctx, request)
	m.seconds.WithLabelValues(method).Observe(m.server.config.Now().Sub(start).Seconds())
	m.calls.WithLabelValues(method, codeOf(reply, err)).Inc()
	return reply, err
}

func codeOf(reply any, err error) string {
	if err != nil {
		return rpc.Code(err).String()
	}
	switch r := reply.(type) {
	case *commonpb.Status:
		return strconv.Itoa(int(r.GetCode()))
	case interface{ GetStatus() *commonpb.Status }:
		return strconv.Itoa(int(r.GetStatus().GetCode()))
	}
	return "0"
}

// Handler serves /healthz, which answers 200 while the metadata store gives timestamps, and /metrics for Prometheus.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := s.config.Store.Timestamp(); err != nil {
			http.Error(w, "the metadata store gives no timestamps", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("OK\n")) // the caller has gone
	})
	return mux
}
