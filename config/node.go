package config

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// kind is the type of a JSON value, as worded in messages.
type kind string

const (
	isObject kind = "an object"
	isArray  kind = "an array"
	isText   kind = "a string"
	isNumber kind = "a number"
	isFlag   kind = "a boolean"
	isNull   kind = "null"
)

// node is a JSON value with its position and the order of its members.
type node struct {
	kind kind
	// at is the offset after its first token, which is still on the same line: no JSON token
	// contains a line break.
	at int
	// text is the content of a string, or a number or boolean as written.
	text    string
	members []namedNode
	items   []node
}

type namedNode struct {
	name string
	node node
}

// parse returns the tree of data, one JSON value that passed checkSyntax. Duplicate members
// are all included.
func parse(data []byte) (node, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return parseNode(dec)
}

func parseNode(dec *json.Decoder) (node, error) {
	token, err := dec.Token()
	n := node{at: int(dec.InputOffset())}
	if err != nil {
		return n, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			n.kind = isObject
			n.members, err = parseMembers(dec)
		} else {
			n.kind = isArray
			n.items, err = parseItems(dec)
		}
	case string:
		n.kind, n.text = isText, token
	case json.Number:
		n.kind, n.text = isNumber, token.String()
	case bool:
		n.kind, n.text = isFlag, strconv.FormatBool(token)
	default:
		n.kind = isNull
	}
	return n, err
}

func parseMembers(dec *json.Decoder) ([]namedNode, error) {
	var members []namedNode
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		n, err := parseNode(dec)
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		members = append(members, namedNode{name: name, node: n})
	}
	_, err := dec.Token()
	return members, err
}

func parseItems(dec *json.Decoder) ([]node, error) {
	var items []node
	for dec.More() {
		n, err := parseNode(dec)
		if err != nil {
			return nil, err
		}
		items = append(items, n)
	}
	_, err := dec.Token()
	return items, err
}
