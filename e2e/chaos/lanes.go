package chaos

import "time"

// lanes returns all faults.
func lanes() []lane {
	short, long := 100*time.Millisecond, 2*time.Second
	return []lane{
		{name: shop, most: time.Second, faults: ofGroup(shop)},
		{name: base, most: long, faults: ofGroup(base)},
		{name: queue, most: long, faults: ofGroup(queue)},
		{name: "groups", most: 8 * time.Second, faults: ofGroups()},
		{name: "zookeeper", least: short, most: 3 * time.Second, faults: ofZooKeeper()},
		{name: "operators", most: 4 * time.Second, faults: ofOperators()},
		{name: "clients", most: 3 * time.Second, faults: ofOtherClients()},
		{name: "processes", least: 500 * time.Millisecond, most: 3 * time.Second, faults: []fault{
			{name: "reload", weight: 3, do: reloadDaemon},
			{name: "group in the file", weight: 2, least: short, most: long, do: addGroup},
			{name: "file cut short", weight: 1, least: short, most: long, do: spoil},
			{name: "haproxy-zk killed", weight: 3, least: short, most: long, do: crashDaemon},
			{name: "worker killed", weight: 3, kills: true, do: killWorker},
			{name: "worker hangs", weight: 1, kills: true, do: hangWorker},
			{name: "worker pauses", weight: 2, kills: true, least: short, most: 700 * time.Millisecond, do: pauseWorker},
		}},
	}
}
