package main

import (
	"github.com/spf13/cobra"

	"github.com/snapexport/snapexport/datafile"
	"github.com/snapexport/snapexport/export"
)

// codecFlag is the value of a flag that takes a codec.
type codecFlag struct{ *datafile.Codec }

func (f codecFlag) Type() string { return "CODEC" }

func (f codecFlag) Set(s string) (err error) {
	*f.Codec, err = datafile.ParseCodec(s)
	return err
}

// registerCodecs adds the flags that choose how data files are compressed.
func registerCodecs(cmd *cobra.Command, o *export.Options) {
	o.Scalars, o.Vectors = datafile.Codec{Name: datafile.CodecZstd, Level: datafile.DefaultCompressionLevel}, datafile.Codec{Name: datafile.CodecNone}
	cmd.Flags().Var(codecFlag{&o.Scalars}, "compression", "`CODEC` of everything but vectors: zstd, zstd:LEVEL, snappy or none")
	cmd.Flags().Var(codecFlag{&o.Vectors}, "vector-compression", "`CODEC` of vectors")
	for _, name := range []string{"compression", "vector-compression"} {
		complete(cmd, name, datafile.CodecZstd, datafile.CodecSnappy, datafile.CodecNone)
	}
}
