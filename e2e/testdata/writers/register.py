"""Registers an ephemeral node with kazoo, CONNECT PARENT NAME [DATA], until its input ends."""

import sys

from kazoo.client import KazooClient

connect, parent, name = sys.argv[1:4]
data = "".join(sys.argv[4:])
client = KazooClient(hosts=connect)
client.start(timeout=15)
client.ensure_path(parent)
client.create(parent + "/" + name, data.encode(), ephemeral=True)
print("done", flush=True)
sys.stdin.read()
client.stop()
client.close()
