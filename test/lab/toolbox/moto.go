// SPDX-License-Identifier: MPL-2.0

package toolbox

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/semver"
)

// MinMoto is the oldest moto whose S3 knows conditional writes well enough for the tests.
const MinMoto = "v5.2.1"

// MotoPython finds a Python interpreter that can import moto's server, [MinMoto] or newer. It asks
// python3 on PATH, the interpreter of moto_server on PATH, and the environment in the cache.
func MotoPython(ctx context.Context) (string, error) {
	var tried []string
	for _, python := range motoPythons() {
		path, version, err := askMoto(ctx, python)
		switch {
		case err != nil:
			tried = append(tried, python+" has no moto[server]")
		case semver.Compare(version, MinMoto) < 0:
			tried = append(tried, fmt.Sprintf("%s has moto %s", python, version))
		default:
			return path, nil
		}
	}
	if len(tried) == 0 {
		tried = []string{"there is no python3 on PATH"}
	}
	return "", fmt.Errorf("find moto %s or newer: %s\n\n"+
		"Run make tools, or: pip install 'moto[ec2,s3,server,sts]>=%s'",
		MinMoto, strings.Join(tried, ", "), MinMoto[1:])
}

func motoPythons() []string {
	var pythons []string
	if path, err := exec.LookPath("python3"); err == nil {
		pythons = append(pythons, path)
	}
	if path, err := exec.LookPath("moto_server"); err == nil {
		if python := shebang(path); python != "" {
			pythons = append(pythons, python)
		}
	}
	if dir, err := Dir(); err == nil {
		python := filepath.Join(dir, "moto", "bin", "python3")
		if _, err := os.Stat(python); err == nil {
			pythons = append(pythons, python)
		}
	}
	return pythons
}

// shebang answers the Python that a script names in its first line, or "" for anything else.
func shebang(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	line, _ := bufio.NewReader(io.LimitReader(file, 512)).ReadString('\n')
	python, ok := strings.CutPrefix(strings.TrimSpace(line), "#!")
	if !ok || !strings.HasPrefix(filepath.Base(python), "python") {
		return ""
	}
	return python
}

// askMoto asks an interpreter for moto's version, and for its own path: the first may be a wrapper.
func askMoto(ctx context.Context, python string) (path, version string, err error) {
	const question = "import sys, moto, moto.server; print(sys.executable, moto.__version__)"
	out, err := exec.CommandContext(ctx, python, "-c", question).Output()
	if err != nil {
		return "", "", err
	}
	fields := strings.Fields(string(out))
	if len(fields) != 2 || !semver.IsValid("v"+fields[1]) {
		return "", "", fmt.Errorf("answered %q", out)
	}
	return fields[0], "v" + fields[1], nil
}

// installMoto makes a virtual environment in the cache when no interpreter has moto.
func installMoto(ctx context.Context, log io.Writer) error {
	if python, err := MotoPython(ctx); err == nil {
		fmt.Fprintf(log, "%-22s %s\n", Moto, python)
		return nil
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return fmt.Errorf("install moto: %w\n\nInstall Python 3.9 or newer with its venv module", err)
	}
	dir, err := Dir()
	if err != nil {
		return err
	}
	env := filepath.Join(dir, "moto")
	pip := filepath.Join(env, "bin", "pip")
	wanted := "moto[ec2,s3,server,sts]>=" + MinMoto[1:]
	for _, args := range [][]string{{python, "-m", "venv", "--clear", env}, {pip, "install", "--quiet", wanted}} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("install moto: %s: %w\n\n"+
				"Install %s yourself so that python3 can import it, or let this machine reach a Python package index",
				strings.Join(args, " "), err, wanted)
		}
	}
	fmt.Fprintf(log, "%-22s %s\n", Moto, env)
	return nil
}
