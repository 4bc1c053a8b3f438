package report

import (
	"context"
	"fmt"

	"github.com/haproxy-zk/haproxy-zk/query"
	"github.com/haproxy-zk/haproxy-zk/terminal"
)

// Get writes to a page what serves of a name, which must exist: a table of the groups of
// all proxies or of one, a table of the instances of a group, or in another format the
// instances. warnings are sentences about instances whose format has no place for them.
func Get(ctx context.Context, port Port, p *terminal.Page, n Name, f Format) (warnings []string, err error) {
	if f == JSON || f == Names {
		answer, err := document(ctx, port, n)
		if err != nil {
			return nil, err
		}
		if f == JSON {
			p.Raw(answer.Body)
			return answer.Warnings(), nil
		}
		return answer.Warnings(), writeNames(p, answer)
	}
	if n.Group != "" {
		i, err := askInstances(ctx, port, n)
		if err != nil {
			return nil, err
		}
		i.writeTo(p, f == Wide)
		return nil, nil
	}
	g, err := askGroups(ctx, port, n)
	if err != nil {
		return nil, err
	}
	g.writeTo(p, f == Wide)
	return nil, nil
}

// document returns the instances in service of a name, which must exist.
func document(ctx context.Context, port Port, n Name) (query.Answer, error) {
	answer, err := port.Get(ctx, n.Path())
	if err != nil {
		return query.Answer{}, err
	}
	if refusal := answer.Refusal(); refusal != nil {
		return query.Answer{}, orUnknownName(ctx, port, n, fmt.Errorf("%s is %w", n.Path(), refusal))
	}
	return answer, nil
}

// writeNames writes the names PROXY/GROUP/INSTANCE of a document.
func writeNames(p *terminal.Page, of query.Answer) error {
	names, err := namesIn(of)
	for _, name := range names {
		p.Raw([]byte(name + "\n"))
	}
	return err
}
