package documents

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// phrasesOf returns what the sources of a package say of children that are no instances:
// the fields Problem and Remedy, what becomes one, and the errors of addresses.
func phrasesOf(t *testing.T, dir string) (phrases []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var parsed []*ast.File
	constants := make(map[string]ast.Expr)
	for _, file := range files {
		if ok, _ := filepath.Match("*_test.go", filepath.Base(file)); ok {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
		ast.Inspect(f, func(n ast.Node) bool {
			if s, is := n.(*ast.ValueSpec); is && len(s.Values) == len(s.Names) {
				for i, name := range s.Names {
					constants[name.Name] = s.Values[i]
				}
			}
			return true
		})
	}
	add := func(e ast.Expr) {
		if name, is := e.(*ast.Ident); is {
			e = constants[name.Name]
		}
		if literal, is := e.(*ast.BasicLit); is && literal.Kind == token.STRING {
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			if text != "" {
				phrases = append(phrases, text)
			}
		}
	}
	for _, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, is := n.Key.(*ast.Ident); is && (key.Name == "Problem" || key.Name == "Remedy") {
					add(n.Value)
				}
			case *ast.CallExpr:
				switch callee := n.Fun.(type) {
				case *ast.Ident:
					if callee.Name == "kindOf" && len(n.Args) == 2 {
						add(n.Args[1])
					}
				case *ast.SelectorExpr:
					if callee.Sel.Name == "otherProtocol" || callee.Sel.Name == "New" && dir == "decode" {
						add(n.Args[0])
					}
				}
			case *ast.AssignStmt:
				for i, to := range n.Lhs {
					if name, is := to.(*ast.Ident); is && name.Name == "remedy" && len(n.Rhs) == len(n.Lhs) {
						add(n.Rhs[i])
					}
				}
			case *ast.FuncDecl:
				if n.Name.Name == "Describe" && dir == "decode" {
					ast.Inspect(n, func(n ast.Node) bool {
						if r, is := n.(*ast.ReturnStmt); is {
							add(r.Results[0])
						}
						return true
					})
				}
			}
			return true
		})
	}
	return phrases
}

// The Chinese page says in Chinese what is wrong with registrations, and what to do.
func TestFindingsAreTranslated(t *testing.T) {
	var words map[string]string
	if err := json.Unmarshal([]byte(read(t, "ui/words/zh.json")), &words); err != nil {
		t.Fatal(err)
	}
	// These are no findings of the page, or never seen.
	elsewhere := []string{"not a registration"}
	number := regexp.MustCompile(`\d+`)
	for _, dir := range []string{"decode", "files", "syncer", "intake"} {
		phrases := phrasesOf(t, dir)
		if len(phrases) == 0 {
			t.Errorf("%s has no findings", dir)
		}
		for _, phrase := range phrases {
			_, exact := words["= "+phrase]
			_, numbered := words["= "+number.ReplaceAllString(phrase, "#")]
			if !exact && !numbered && !slices.Contains(elsewhere, phrase) {
				t.Errorf("%s: the page has no Chinese for %q", dir, phrase)
			}
		}
	}
}
