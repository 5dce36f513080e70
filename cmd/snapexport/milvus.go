package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/snapexport/snapexport/client"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
)

// connect opens a connection. The password comes from --password-file or SNAPEXPORT_PASSWORD, a token from SNAPEXPORT_TOKEN.
func (a *app) connect(ctx context.Context, address, user, database string, encrypted bool) (*client.Client, error) {
	password := a.getenv("SNAPEXPORT_PASSWORD")
	if a.passwordFile != "" {
		text, err := os.ReadFile(a.passwordFile)
		if err != nil {
			return nil, usage("--password-file: %w", err)
		}
		password = strings.TrimRight(string(text), "\r\n")
	}
	c := client.Config{Address: address, Database: database, Version: version}
	if user != "" || password != "" {
		c.Username, c.Password = cmp.Or(user, "root"), password
	} else {
		c.Token = a.getenv("SNAPEXPORT_TOKEN")
	}
	if encrypted {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return client.New(ctx, c)
}

// holdTime is how long a pin outlives a program that was killed.
const holdTime = 10 * time.Minute

// held is a snapshot of a running Milvus, pinned until release is called, which it must be on every path. The files are then
// read from storage alone.
type held struct {
	source   string // the metadata file
	location string // what the server said
	table    string // the place of the snapshot's own table; "" if the server named none
	release  func()
}

// hold asks a Milvus where a snapshot is and pins it, with a pin that outlives the program by ttl at most.
func (a *app) hold(ctx context.Context, src describe.Source, ttl time.Duration) (*held, error) {
	c, err := a.connect(ctx, src.Endpoints[0], src.User, src.Database, src.TLS)
	if err != nil {
		return nil, err
	}
	name := src.Snapshot
	if name == "latest" {
		if name, err = latest(ctx, c, src.Collection); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	h, err := c.Hold(ctx, client.NewPinSnapshotOption(name, ttl).WithCollection(src.Collection))
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	out := &held{release: sync.OnceFunc(func() {
		if err := errors.Join(h.Release(ctx), c.Close()); err != nil {
			a.warn([]describe.Warning{{Kind: "pin", Message: fmt.Sprintf("the pin on snapshot %s, which ends by itself: %v", name, err)}})
		}
	})}
	info, err := c.DescribeSnapshot(ctx, client.NewDescribeSnapshotOption(name).WithCollection(src.Collection))
	if err == nil {
		out.location, out.table = info.S3Location, describe.TableTarget(info.S3Location, src.Storage)
		out.source, err = metadataSource(info.S3Location, src)
	}
	if err != nil {
		out.release()
		return nil, err
	}
	return out, nil
}

// latest finds the newest snapshot of a collection: servers list names alone.
func latest(ctx context.Context, c *client.Client, collection string) (string, error) {
	all, err := c.ListSnapshots(ctx, client.NewListSnapshotsOption().WithCollection(collection))
	if err != nil {
		return "", err
	}
	var newest *client.Snapshot
	for _, l := range all {
		s, err := c.DescribeSnapshot(ctx, client.NewDescribeSnapshotOption(l.Name).WithCollection(collection))
		if err != nil {
			return "", err
		}
		if newest == nil || s.CreateTS > newest.CreateTS {
			newest = s
		}
	}
	if newest == nil {
		return "", fault.Missing("find snapshot", "collection %s has none", collection)
	}
	return newest.Name, nil
}

// metadataSource is the SOURCE of a snapshot's location. A server on another machine does not say which local files to read.
func metadataSource(location string, src describe.Source) (string, error) {
	source, err := describe.MetadataSource(location, src.Storage)
	if err != nil || src.Storage != "" || !strings.HasPrefix(source, "/") {
		return source, err
	}
	host := src.Endpoints[0]
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fault.UnsafePath("locate snapshot", "the server is on another machine and names a local path, %q", source).
			WithHint("if its directory is mounted here, say where: ?storage=/DIR")
	}
	return source, nil
}
