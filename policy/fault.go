package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// FaultError refuses a policy's text and says where: at the rule that is wrong, or
// at the nearest one around it that is written there (a missing rule has no place).
type FaultError struct {
	Line, Column int // from 1
	Err          error
}

func (e *FaultError) Error() string {
	return fmt.Sprintf("line %d, column %d: %v", e.Line, e.Column, e.Err)
}

func (e *FaultError) Unwrap() error { return e.Err }

func faultAt(t *token.Token, err error) error {
	if t == nil || t.Position == nil {
		return &FaultError{1, 1, err}
	}
	return &FaultError{max(1, t.Position.Line), max(1, t.Position.Column), err}
}

// unreadable is what the YAML reader says, without its drawing of the place.
func unreadable(err error) error {
	var at yaml.Error
	if errors.As(err, &at) {
		return faultAt(at.GetToken(), errors.New(at.GetMessage()))
	}
	return &FaultError{1, 1, err}
}

// locate finds the place of a refusal in the text. Every refusal names its rule from
// the outside in, such as `cells[2] "Spain": threshold live: …`; those names are
// followed through the text as far as they are keys, positions or names there.
func locate(text []byte, err error) error {
	file, perr := parser.ParseBytes(text, 0)
	if perr != nil || len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return &FaultError{1, 1, err}
	}
	at, node := file.Docs[0].Body.GetToken(), file.Docs[0].Body
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
		at = m.Values[0].Key.GetToken()
	}
	words := wordsIn.FindAllString(err.Error(), -1)
	for len(words) > 0 {
		next, key := inside(node, words[0])
		words = words[1:]
		if next != nil {
			node, at = next, key
		}
	}
	return faultAt(at, err)
}

// wordsIn are the names in a refusal, and positions in a list.
var wordsIn = regexp.MustCompile(`\[\d+\]|[A-Za-z0-9_][A-Za-z0-9_.-]*[A-Za-z0-9_]|[A-Za-z0-9]`)

// inside finds what a word names within a node, and the token to point at.
func inside(n ast.Node, word string) (ast.Node, *token.Token) {
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			if k := v.Key.GetToken(); k != nil && (k.Value == word || k.Value == word+"s") {
				return v.Value, k
			}
		}
	case *ast.MappingValueNode:
		if k := n.Key.GetToken(); k != nil && (k.Value == word || k.Value == word+"s") {
			return n.Value, k
		}
	case *ast.SequenceNode:
		if i, err := strconv.Atoi(strings.Trim(word, "[]")); err == nil && strings.HasPrefix(word, "[") {
			if i < len(n.Values) {
				return n.Values[i], begin(n.Values[i])
			}
			return nil, nil
		}
		for _, v := range n.Values {
			if s, ok := v.(*ast.StringNode); ok && s.Value == word {
				return v, v.GetToken()
			}
			if name, _ := inside(v, "name"); name != nil && name.GetToken() != nil && name.GetToken().Value == word {
				return v, begin(v)
			}
		}
	}
	return nil, nil
}

// begin is where a node is written: a mapping's own token is its first colon.
func begin(n ast.Node) *token.Token {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return n.GetToken()
}
