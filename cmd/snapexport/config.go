package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// defaultConfig is read from the working directory if it is there.
const defaultConfig = "snapexport.yaml"

// readConfig returns what the settings file says of stores; flags come over it.
func (a *app) readConfig() (objstore.File, error) {
	name := a.config
	if name == "" {
		name = defaultConfig
	}
	body, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && a.config == "" {
		return objstore.File{}, nil
	}
	if err != nil {
		return objstore.File{}, fault.Missing("read settings", "%w", err).On(name)
	}
	file, err := objstore.ParseFile(body)
	return file, fault.Place(err, name)
}
