/** Writes k8s/base/nats/users.conf for the numbers in k8s/base/tailrace.yaml. Run it after a change of ingester.partitions or
 *  nats.object_shards, or of what roles may do: `node test/kubernetes/writeUsers.ts`. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { clusterSize, natsUsers, renderManifests } from "../../src/testing/manifests.ts";

const path = fileURLToPath(new URL("../../k8s/base/nats/users.conf", import.meta.url));
writeFileSync(path, natsUsers(clusterSize(renderManifests("."))));
