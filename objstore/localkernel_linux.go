package objstore

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// wholeSync tells whether syncfs(2) reports errors of writing: since Linux 5.8.
var wholeSync = kernelAtLeast(5, 8)

func kernelAtLeast(major, minor int) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var have [2]int
	part := 0
	for _, c := range u.Release {
		switch {
		case c >= '0' && c <= '9':
			have[part] = have[part]*10 + int(c-'0')
			continue
		case c == '.' && part == 0:
			part++
			continue
		}
		break
	}
	return have[0] > major || have[0] == major && have[1] >= minor
}

// syncWhole makes everything durable that was written to the file system of f.
func syncWhole(f *os.File) error { return onFile(f, unix.Syncfs) }

// startWriting has the disk begin with what was written to a file, and does not wait.
func startWriting(f *os.File) {
	_ = onFile(f, func(fd int) error { return unix.SyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) }) // a hint
}

// errNoReflink is where files can't share blocks.
var errNoReflink = errors.New("the file system has no reflinks")

// reflink makes an empty file share the blocks of another one: errNoReflink where that can't be.
func reflink(to, from *os.File) error {
	err := onFile(from, func(source int) error {
		return onFile(to, func(target int) error { return unix.IoctlFileClone(target, source) })
	})
	switch {
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOTTY), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.EXDEV),
		errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EPERM):
		return errNoReflink
	}
	return err
}

func onFile(f *os.File, call func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) {
		for inner = call(int(fd)); errors.Is(inner, syscall.EINTR); inner = call(int(fd)) {
		}
	}); err != nil {
		return err
	}
	return inner
}
