package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// DefaultPort is Milvus's.
const DefaultPort = "19530"

// maxReply bounds one answer, in bytes.
const maxReply = 64 << 20

// Config says where a Milvus is and who calls.
type Config struct {
	Address  string      // "host", "host:port", or a URL with http (plain) or https (TLS)
	Username string      // with Password
	Password string      // never part of an error
	Token    string      // instead: "user:password" or an API key
	Database string      // of names that do not say; "" is the default one
	TLS      *tls.Config // nil: TLS only where the address says https, with the system's certificates
	Version  string      // of the calling program, told to the server
}

// Client is a connection to a Milvus.
type Client struct {
	conn     *grpc.ClientConn
	api      milvuspb.MilvusServiceClient
	header   metadata.MD
	database string
	server   string
}

// New connects and introduces itself.
func New(ctx context.Context, c Config) (*Client, error) {
	target, security, err := c.target()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(security), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply)))
	if err != nil {
		return nil, invalid("connect", "%w", err)
	}
	out := &Client{conn: conn, api: milvuspb.NewMilvusServiceClient(conn), header: c.header(), database: c.Database}
	r, err := out.api.Connect(out.with(ctx), &milvuspb.ConnectRequest{ClientInfo: &commonpb.ClientInfo{SdkType: "snapexport", SdkVersion: c.Version, User: c.Username}})
	if unimplemented(err) { // Milvus before 2.3
		return out, nil
	}
	if err := failed("connect", r, err); err != nil {
		conn.Close()
		return nil, err
	}
	out.server = r.GetServerInfo().GetBuildTags()
	if r.GetIdentifier() != 0 {
		out.header.Set("identifier", strconv.FormatInt(r.GetIdentifier(), 10))
	}
	return out, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// ServerVersion is what the server called itself when it was connected to; "" if it did not say.
func (c *Client) ServerVersion() string { return c.server }

func (c Config) target() (string, credentials.TransportCredentials, error) {
	address, security := c.Address, insecure.NewCredentials()
	encrypted := c.TLS != nil
	if scheme, _, is := strings.Cut(address, "://"); is {
		u, err := url.Parse(address)
		if err != nil || u.User != nil || u.Host == "" || scheme != "http" && scheme != "https" {
			return "", nil, invalid("connect", "the address is not HOST[:PORT] or http[s]://HOST[:PORT]")
		}
		address, encrypted = u.Host, encrypted || scheme == "https"
	}
	if encrypted {
		security = credentials.NewTLS(cmp.Or(c.TLS, &tls.Config{MinVersion: tls.VersionTLS12}))
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), DefaultPort)
	}
	return address, security, nil
}

// header is what every call carries.
func (c Config) header() metadata.MD {
	token := c.Token
	if token == "" && (c.Username != "" || c.Password != "") {
		token = c.Username + ":" + c.Password
	}
	out := metadata.MD{}
	if token != "" {
		out.Set("authorization", base64.StdEncoding.EncodeToString([]byte(token)))
	}
	if c.Database != "" {
		out.Set("dbname", c.Database)
	}
	return out
}

func (c *Client) with(ctx context.Context) context.Context {
	return metadata.NewOutgoingContext(ctx, c.header)
}
