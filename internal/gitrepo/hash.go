// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// hashForeign fills in the hash of the foreign files of each object. Each file is read once.
func hashForeign(ctx context.Context, dir string, foreign []file, objects []*Object) error {
	if len(foreign) == 0 {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	defer root.Close()
	h := hasher{ctx: ctx, root: root}
	lines := map[string]string{}
	for _, f := range foreign {
		if lines[f.path], err = h.line(f.path); err != nil {
			return err
		}
	}
	for _, o := range objects {
		var own strings.Builder
		for _, f := range (workTree{files: foreign}).under(o.Path) {
			own.WriteString(lines[f.path])
		}
		if own.Len() > 0 {
			o.DirtyHash = text.SHA256(own.String())
		}
	}
	return nil
}

// hasher reads files of the work tree through an [os.Root], so that no symlink leads out of it.
type hasher struct {
	ctx  context.Context
	root *os.Root
}

// line returns "<kind> <sha256 of the content> <name>" and a NUL. Kinds are the modes of git.
func (h hasher) line(name string) (string, error) {
	kind, sum, err := h.content(name)
	// The second is for a file whose folder became a file, if git was told to overlook it.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		kind, sum, err = "deleted", "-", nil
	}
	if err != nil {
		return "", fmt.Errorf("read uncommitted file %q: %w", path.Join(h.root.Name(), name), err)
	}
	return kind + " " + sum + " " + name + "\x00", nil
}

func (h hasher) content(name string) (kind, sum string, err error) {
	info, err := h.root.Lstat(name)
	if err != nil {
		return "", "", err
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		kind = "100644"
		if mode.Perm()&0o100 != 0 {
			kind = "100755"
		}
		sum, err = h.file(name)
	case mode&fs.ModeSymlink != 0:
		var to string
		to, err = h.root.Readlink(name)
		kind, sum = "120000", text.SHA256(to)
	case mode.IsDir():
		kind = "040000"
		sum, err = h.folder(name)
	default:
		// Opening a pipe or a device may block forever, and git does not track them.
		kind, sum = "other", "-"
	}
	return kind, sum, err
}

func (h hasher) file(name string) (string, error) {
	f, err := h.root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, reader{h.ctx, f}); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// folder hashes everything in a submodule or nested repository but its .git.
func (h hasher) folder(name string) (string, error) {
	dir, err := h.root.Open(name)
	if err != nil {
		return "", err
	}
	names, err := dir.Readdirnames(-1)
	if err := errors.Join(err, dir.Close()); err != nil {
		return "", err
	}
	slices.Sort(names)
	var lines strings.Builder
	for _, n := range names {
		if n == ".git" {
			continue
		}
		line, err := h.line(path.Join(name, n))
		if err != nil {
			return "", err
		}
		lines.WriteString(line)
	}
	return text.SHA256(lines.String()), nil
}

// reader stops when its context ends: a file may be a whole disk image.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
