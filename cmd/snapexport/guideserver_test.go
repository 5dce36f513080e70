//go:build !slim

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/client"
	"github.com/snapexport/snapexport/internal/testkit"
)

func init() {
	serverPage := func(t *testing.T, env []string) guideServer {
		t.Helper()
		s := startServerIn(t, env, t.TempDir(), "--bucket", "s3://lake")
		t.Cleanup(func() { s.stop(t) })
		if out := testkit.RunPython(t, "testdata/guidepage.py", "http://"+s.Address); strings.TrimSpace(string(out)) != "ok" {
			t.Fatalf("%s", out)
		}
		return guideServer{address: s.Address}
	}
	withServer["nightly"], withServer["milvus-guide"] = serverPage, serverPage
	withServer["server"] = func(t *testing.T, env []string) guideServer {
		t.Helper()
		s := serverPage(t, env)
		s.run = func(ctx context.Context) error { return guideInGo(ctx, s.address) }
		return s
	}
}

// guideInGo is what the page about the server shows.
func guideInGo(ctx context.Context, address string) error {
	c, err := client.New(ctx, client.Config{Address: address, Token: "root:Milvus"})
	if err != nil {
		return err
	}
	defer c.Close()

	// Recommended: Flush data before creating snapshot to ensure all data is included
	task, err := c.Flush(ctx, client.NewFlushOption("my_collection"))
	if err != nil {
		return err
	}
	if err := task.Await(ctx); err != nil {
		return err
	}
	createOpt := client.NewCreateSnapshotOption("from_go", "my_collection").
		WithDescription("Daily backup for January 1st, 2024")
	if err := c.CreateSnapshot(ctx, createOpt); err != nil {
		return err
	}

	jobID, err := c.RestoreSnapshot(ctx, client.NewRestoreSnapshotOption("from_go", "restored_by_go"))
	if err != nil {
		return err
	}
	if _, err := c.WaitRestore(ctx, jobID, nil); err != nil {
		return err
	}
	return c.DropSnapshot(ctx, client.NewDropSnapshotOption("from_go"))
}

// TestGuideInGoIsTheOneThatRuns: the page shows guideInGo, line by line.
func TestGuideInGoIsTheOneThatRuns(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("guideserver_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "func guideInGo(ctx context.Context, address string) error {\n")
	body, _, _ = strings.Cut(body, "\n}\n")
	body = strings.Replace(body, "Address: address", `Address: "localhost:19530"`, 1)
	page := string(testkit.ReadFile(t, filepath.Join(testkit.Root(t), "docs", "guide", "server.md")))
	if !strings.Contains(page, "```go\n"+body+"\n```\n") {
		t.Errorf("the page does not show\n%s", body)
	}
}
