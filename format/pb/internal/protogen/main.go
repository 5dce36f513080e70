// Command protogen compiles ../../proto into ../../*.pb.go. It is a module of its own so that the compiler is no
// dependency of the program, and it needs neither protoc nor anything else installed: both the compiler and
// protoc-gen-go come from the Go module proxy with the versions in go.mod.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

const (
	sources = "../../proto"
	target  = "../.."
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

func run() error {
	req, err := request()
	if err != nil {
		return err
	}
	in, err := proto.Marshal(req)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "run", "google.golang.org/protobuf/cmd/protoc-gen-go")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	var resp pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out, &resp); err != nil {
		return err
	}
	if resp.Error != nil {
		return errors.New(resp.GetError())
	}
	for _, f := range resp.File {
		if err := os.WriteFile(filepath.Join(target, f.GetName()), []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// request compiles every source, imports before importers, as the plugin wants them.
func request() (*pluginpb.CodeGeneratorRequest, error) {
	paths, err := filepath.Glob(filepath.Join(sources, "snapexport/milvus/*.proto"))
	if err != nil {
		return nil, err
	}
	names := make([]string, len(paths))
	for i, p := range paths {
		if names[i], err = filepath.Rel(sources, p); err != nil {
			return nil, err
		}
	}
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{ImportPaths: []string{sources}},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return nil, err
	}
	req := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: names,
		Parameter:      proto.String("module=github.com/snapexport/snapexport/format/pb"),
	}
	done := map[string]*descriptorpb.FileDescriptorProto{}
	var visit func(path string)
	visit = func(path string) {
		if done[path] != nil {
			return
		}
		f := files.FindFileByPath(path)
		done[path] = protoutil.ProtoFromFileDescriptor(f)
		for i := range f.Imports().Len() {
			visit(f.Imports().Get(i).Path())
		}
		req.ProtoFile = append(req.ProtoFile, done[path])
	}
	for _, n := range names {
		visit(n)
	}
	return req, nil
}
