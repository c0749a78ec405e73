package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Module is the import path of the tree that the rules are written for.
const Module = "github.com/feira-dev/feira"

// Tree is the parsed Go source of a module, in path order.
type Tree struct {
	Files []*File

	positions *token.FileSet
}

// File is one Go file.
type File struct {
	Path    string // from the module's root, with slashes
	Dir     string
	Package string
	Lines   int
	Imports []Import
	Syntax  *ast.File
}

// Import is one import of a file.
type Import struct {
	Path string
	Line int
}

// Test reports whether the file is compiled for tests only.
func (f *File) Test() bool { return strings.HasSuffix(f.Path, "_test.go") }

// Parse reads every Go file below the root of fsys, but for folders that the
// go tool passes over too.
func Parse(fsys fs.FS) (*Tree, error) {
	tree := &Tree{positions: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && ignored(entry.Name()) && name != ".":
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		file, err := tree.parse(fsys, name)
		if err != nil {
			return err
		}
		tree.Files = append(tree.Files, file)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the source tree: %w", err)
	}
	return tree, nil
}

func ignored(dir string) bool {
	return dir == "testdata" || dir == "vendor" || dir == "node_modules" || strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_")
}

func (t *Tree) parse(fsys fs.FS, name string) (*File, error) {
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	syntax, err := parser.ParseFile(t.positions, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	file := &File{
		Path: name, Dir: path.Dir(name), Package: syntax.Name.Name,
		Lines: bytes.Count(source, []byte("\n")), Syntax: syntax,
	}
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		file.Imports = append(file.Imports, Import{Path: imported, Line: t.line(spec.Pos())})
	}
	return file, nil
}

func (t *Tree) line(pos token.Pos) int { return t.positions.Position(pos).Line }
