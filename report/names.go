package report

import (
	"context"

	"github.com/haproxy-zk/haproxy-zk/query"
)

// GroupNames returns the names of all proxies, each followed by those of its groups,
// sorted.
func GroupNames(ctx context.Context, port Port) (names []Name, err error) {
	all, _, err := find(ctx, port, Name{})
	for _, proxy := range sortedKeys(all) {
		names = append(names, Name{Proxy: proxy})
		for _, group := range sortedKeys(all[proxy]) {
			names = append(names, Name{Proxy: proxy, Group: group})
		}
	}
	return names, err
}

// InstanceNames returns the names PROXY/GROUP/INSTANCE of the instances in service of a
// proxy or group, which must exist, or of all.
func InstanceNames(ctx context.Context, port Port, n Name) ([]string, error) {
	answer, err := document(ctx, port, n)
	if err != nil {
		return nil, err
	}
	return namesIn(answer)
}

func namesIn(of query.Answer) (names []string, err error) {
	all, err := parse[listed](of, "the instances")
	for _, proxy := range sortedKeys(all) {
		for _, group := range sortedKeys(all[proxy]) {
			for _, instance := range all[proxy][group].Instances {
				names = append(names, Name{proxy, group, instance}.String())
			}
		}
	}
	return names, err
}
