// SPDX-License-Identifier: MPL-2.0

package pages

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// An error with advice is its problem, a blank line, and what the user can do. The page of errors
// has all of them: the problem if it says more than names, or else the advice.
const errorPage = root + "/docs/troubleshooting.md"

// unknown stands for what is not known before the program runs.
const unknown = "\x00"

// advice are names of constants, fields and functions that hold what the user can do.
var advice = regexp.MustCompile(`(?i)(remedy|advice)$|^(ways|defaultKey|product|nobody)$`)

// TestAdvice checks that the page of errors has every error with advice of the code.
func TestAdvice(t *testing.T) {
	page, err := os.ReadFile(errorPage)
	if err != nil {
		t.Fatal(err)
	}
	text := plain(string(page))
	count := 0
	for _, dir := range []string{"datasource", "builder", "postprocessor", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(
			name string, entry fs.DirEntry, err error,
		) error {
			if err != nil || !entry.IsDir() {
				return err
			}
			if strings.HasSuffix(name, "test") {
				return fs.SkipDir
			}
			for _, found := range advised(t, name) {
				count++
				if !strings.Contains(text, plain(found.text)) {
					t.Errorf("%s: the page of errors lacks %q", found.at, found.text)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if count < 200 {
		t.Errorf("only %d texts were found in the code", count)
	}
}

// TestAdvised proves that the test above finds what there is.
func TestAdvised(t *testing.T) {
	dir := t.TempDir()
	const code = "package a\n" +
		"const fooAdvice = \"Do this now. \" + \"Then that there.\"\n" +
		"func f() { g(\"it is broken: %s\\n\\nMend it.\", x); g(\"%w\\n\\nLook at all of it.\") }\n" +
		"func (c) h() { c.refused(\"it is too old\", \"Build.\"); k(\"no advice here\") }\n" +
		"func remedy() string { return \"Call \" + x + \" and wait for it.\" }\n" +
		"var r = row{code: \"A B\", advice: \"Set the {action} of all of it.\"}\n"
	if err := os.WriteFile(dir+"/a.go", []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, found := range advised(t, dir) {
		got = append(got, found.text)
	}
	want := "Do this now|it is broken|Look at all of it|it is too old|and wait for it|A|B|of all of it"
	if all := strings.Join(got, "|"); all != want {
		t.Errorf("got  %s\nwant %s", all, want)
	}
}

// finding is a text that the page must have.
type finding struct{ at, text string }

// advised returns the texts of the errors with advice in a package.
func advised(t *testing.T, dir string) []finding {
	t.Helper()
	names, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	p := reading{set: token.NewFileSet(), constants: map[string]ast.Expr{}}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(p.set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		for _, declared := range file.Decls {
			p.declare(declared)
		}
	}
	for _, file := range files {
		ast.Inspect(file, p.visit)
	}
	return p.found
}

// reading is that of one package.
type reading struct {
	set       *token.FileSet
	constants map[string]ast.Expr
	found     []finding
}

// declare remembers the constants of a file.
func (p *reading) declare(declared ast.Decl) {
	group, ok := declared.(*ast.GenDecl)
	if !ok || group.Tok != token.CONST {
		return
	}
	for _, spec := range group.Specs {
		value := spec.(*ast.ValueSpec)
		for i, name := range value.Names {
			if i < len(value.Values) {
				p.constants[name.Name] = value.Values[i]
			}
		}
	}
}

// visit adds what a node holds. It returns false if it has seen all of it.
func (p *reading) visit(node ast.Node) bool {
	switch node := node.(type) {
	case *ast.ValueSpec:
		for i, value := range node.Values {
			if advice.MatchString(node.Names[i].Name) {
				p.first(value)
			}
		}
	case *ast.KeyValueExpr:
		name := p.name(node.Key)
		if advice.MatchString(name) {
			p.first(node.Value)
			return false
		}
		switch name {
		case "Problem":
			p.problem(node.Value, p.fold(node.Value)+"\n\n")
		case "code": // of AWS, several in one text
			for code := range strings.FieldsSeq(strings.ReplaceAll(p.fold(node.Value), unknown, "")) {
				p.add(node.Value, code)
			}
		}
	case *ast.FuncDecl:
		if node.Body != nil && advice.MatchString(node.Name.Name) {
			ast.Inspect(node.Body, p.returned)
		}
	case *ast.CompositeLit:
		if kind := p.name(node.Type); len(node.Elts) > 1 && (kind == "Error" || kind == "verdict") {
			if _, keyed := node.Elts[0].(*ast.KeyValueExpr); !keyed {
				p.first(node.Elts[len(node.Elts)-1])
			}
		}
	case *ast.CallExpr:
		called, ok := node.Fun.(*ast.SelectorExpr)
		if ok && called.Sel.Name == "refused" && len(node.Args) == 2 {
			p.problem(node, p.fold(node.Args[0])+"\n\n"+p.fold(node.Args[1]))
		}
	case *ast.BinaryExpr, *ast.BasicLit:
		p.problem(node, p.fold(node))
		return false
	}
	return true
}

// returned adds the texts that a function of advice returns.
func (p *reading) returned(node ast.Node) bool {
	if result, ok := node.(*ast.ReturnStmt); ok {
		for _, value := range result.Results {
			p.first(value)
		}
	}
	return true
}

// problem adds the first words of an error with advice: of the problem, or else of the advice.
func (p *reading) problem(node ast.Node, text string) {
	why, todo, ok := strings.Cut(text, "\n\n")
	if !ok {
		return
	}
	for _, piece := range append(pieces(why), pieces(todo)...) {
		p.add(node, piece)
		return
	}
}

// first adds the first words of an advice.
func (p *reading) first(node ast.Node) {
	for _, piece := range pieces(p.fold(node)) {
		p.add(node, piece)
		return
	}
}

func (p *reading) add(node ast.Node, text string) {
	at := p.set.Position(node.Pos())
	p.found = append(p.found, finding{fmt.Sprintf("%s:%d", at.Filename, at.Line), text})
}

// name is that of an identifier, or "".
func (p *reading) name(node ast.Node) string {
	if id, ok := node.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// fold returns the text of an expression, with [unknown] for what only the program knows.
func (p *reading) fold(node ast.Node) string {
	switch node := node.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(node.Value); err == nil && node.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		return p.fold(node.X) + p.fold(node.Y)
	case *ast.Ident:
		if value, ok := p.constants[node.Name]; ok {
			return p.fold(value)
		}
	case *ast.CallExpr:
		if called, ok := node.Fun.(*ast.SelectorExpr); ok && called.Sel.Name == "Sprintf" {
			return p.fold(node.Args[0])
		}
	}
	return unknown
}

// gaps are what separates the pieces of a text: verbs, placeholders, the ends of lines and
// sentences, and what is not known.
var gaps = regexp.MustCompile(`%[-+#.\d]*[a-z]|\{\w+\}|\n|[.;] |\.$|` + unknown)

// pieces are the parts of a text with three words or more.
func pieces(text string) (found []string) {
	for _, piece := range gaps.Split(text, -1) {
		piece = strings.Trim(piece, " ,:;(\"")
		if len(strings.Fields(piece)) >= 3 {
			found = append(found, piece)
		}
	}
	return found
}

// plain is a text without marks and breaks of lines.
func plain(text string) string {
	text = strings.NewReplacer("`", "", "\\|", "|", `"`, "", "<", "", ">", "").Replace(text)
	return strings.Join(strings.Fields(text), " ")
}
