// SPDX-License-Identifier: MPL-2.0

package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// ErrOtherFile means that a file exists, and is not the one that was built.
var ErrOtherFile = errors.New("is not the file that was built")

// CheckFile returns why a file of a manifest must not be passed on, or nil. Others can write the
// manifest: a file counts only in the working directory or in one of folders, and only with the
// recorded SHA-256. One that does not exist is fine: whoever opens it fails, and names it.
func CheckFile(file manifest.File, folders ...string) error {
	path, err := filepath.EvalSymlinks(file.Name)
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case gone:
		path = file.Name
	case err != nil:
		return fmt.Errorf("file %s cannot be read: %w", text.File(file.Name), cause(err))
	}
	if !isIn(path, append(folders, ".")) || !isIn(file.Name, append(folders, ".")) {
		return fmt.Errorf("file %s is not in the folder of the template", text.File(file.Name))
	}
	if gone {
		return nil
	}
	info, err := os.Stat(path)
	if err == nil && file.SHA256 == "" {
		return fmt.Errorf("file %s has no SHA-256 in the manifest", text.File(file.Name))
	}
	if err == nil && info.Mode().IsRegular() && info.Size() == file.Size {
		var sum string
		if sum, err = hash(path); err == nil && sum == file.SHA256 {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("file %s cannot be read: %w", text.File(file.Name), cause(err))
	}
	return fmt.Errorf("file %s %w", text.File(file.Name), ErrOtherFile)
}

// cause returns an error without the name of the file, which may be anything.
func cause(err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// isIn reports whether a path is below one of the folders.
func isIn(path string, folders []string) bool {
	path = resolved(path)
	for _, folder := range folders {
		rest, err := filepath.Rel(resolved(folder), path)
		if err == nil && rest != "." && filepath.IsLocal(rest) {
			return true
		}
	}
	return false
}

// resolved returns an absolute path without symbolic links, as far as it exists.
func resolved(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rest := ""
	for dir := abs; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest)
		}
		if parent := filepath.Dir(dir); parent == dir {
			return abs
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

func hash(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// withheld returns why the files of the image are not passed on, or "".
func (a *Existing) withheld() string {
	var why []string
	for _, entry := range a.entries {
		for _, file := range entry.Files {
			if err := CheckFile(file, a.folders...); err != nil {
				why = append(why, err.Error())
			}
		}
	}
	return strings.Join(why, ", ")
}
