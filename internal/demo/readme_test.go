package demo

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
)

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	makeTarget = regexp.MustCompile(`(?m)^([a-z-]+):`)
)

// readmeLines returns the commands in the README's shell blocks.
func readmeLines(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, block := range shellBlock.FindAllStringSubmatch(string(testkit.ReadFile(t, testkit.Root(t), "README.md")), -1) {
		lines = append(lines, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	if len(lines) < 5 {
		t.Fatalf("only %d lines: %q", len(lines), lines)
	}
	return lines
}

// TestReadmeCommands runs what the README tells a reader to type, in its order. Its bucket and collection become those of
// the acceptance cases, on an S3 server; of `make` the targets must be there.
func TestReadmeCommands(t *testing.T) {
	server := testkit.StartVersitygw(t)
	server.MakeBucket(t, "a-bucket") // the name that the case's files know
	server.MakeBucket(t, "lake")
	server.Fill(t, "a-bucket", filepath.Join(testkit.Acceptance(t), "snapshots", "milvus-2.3.5", "bucket"))
	bin := filepath.Dir(build(t))
	env := append(os.Environ(), "AWS_ENDPOINT_URL="+server.Endpoint, "AWS_ACCESS_KEY_ID="+server.AccessKey, "AWS_SECRET_ACCESS_KEY="+server.SecretKey,
		"AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	targets := map[string]bool{}
	for _, m := range makeTarget.FindAllStringSubmatch(string(testkit.ReadFile(t, testkit.Root(t), "Makefile")), -1) {
		targets[m[1]] = true
	}
	names := strings.NewReplacer("bin/snapexport ", "snapexport ", "s3://milvus-bucket", "s3://a-bucket", "#docs/", "#lifecycle/")
	ran := 0
	for _, line := range readmeLines(t) {
		if target, ok := strings.CutPrefix(line, "make "); ok {
			if !targets[target] {
				t.Errorf("%s: there is no such target", line)
			}
			continue
		}
		if strings.HasPrefix(line, "snapexport serve ") {
			command, _, _ := strings.Cut(line, "#")
			address := serve(t, env, command)
			env = append(env, "SNAPEXPORT_URI="+address)
			names = strings.NewReplacer("milvus://localhost/", "milvus://"+address+"/")
			continue
		}
		cmd := exec.Command("sh", "-euc", names.Replace(line))
		cmd.Dir, cmd.Env = t.TempDir(), env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		ran++
	}
	if ran < 5 {
		t.Errorf("only %d commands were run", ran)
	}
}

// serve runs the README's server on a free port, with the collection that it speaks of, until the test ends.
func serve(t *testing.T, env []string, command string) (address string) {
	t.Helper()
	cmd := exec.Command("sh", "-euc", "exec "+strings.TrimSpace(command)+" --address 127.0.0.1:0 --metrics '' --json")
	cmd.Dir, cmd.Env = t.TempDir(), env
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	})
	var greeting struct{ Address string }
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &greeting) != nil {
		t.Fatalf("%s says %q, %v", command, line, err)
	}
	testkit.RunPython(t, "testdata/collection.py", greeting.Address)
	return greeting.Address
}
