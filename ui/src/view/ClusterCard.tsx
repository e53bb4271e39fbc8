// The cluster, if the server is part of one: partitions with owner and lag, what is wrong, streams with their replicas.
// Asked again every few seconds by the view that shows it. A server on its own has no such thing, and nothing is shown.
import { cluster, type ClusterStatus } from "../api/operations.ts";
import { ApiError } from "../api/request.ts";
import { Asked } from "../state/asked.ts";
import { AskedState } from "./AskedState.tsx";
import { formatBytes, formatCount } from "./figures.ts";

const status = new Asked<ClusterStatus | undefined>();

/** Asks for it again. */
export function askCluster(): void {
  void status.ask(String(Date.now()), async (signal) => {
    try {
      return await cluster(signal);
    } catch (cause) {
      if (cause instanceof ApiError && cause.status === 404) return undefined;
      throw cause;
    }
  });
}

export function ClusterCard() {
  const found = status.answer.value;
  if (found === undefined && status.failure.value === undefined) return null;
  return (
    <section class="card wide">
      <h2>Cluster</h2>
      <AskedState asked={status} retry={askCluster} />
      {found !== undefined && <Problems problems={found.problems} />}
      {found !== undefined && <Partitions status={found} />}
      {found !== undefined && <Streams status={found} />}
    </section>
  );
}

function Problems({ problems }: { problems: readonly string[] }) {
  if (problems.length === 0) return <p class="hint">All is well.</p>;
  return (
    <div class="problem">
      {problems.map((problem) => <p key={problem}>{problem}</p>)}
    </div>
  );
}

function Partitions({ status: { partitions } }: { status: ClusterStatus }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Partition</th>
          <th scope="col">Owner</th>
          <th scope="col">Batches in no segment</th>
          <th scope="col">Bytes in the log</th>
        </tr>
      </thead>
      <tbody>
        {partitions.map(({ partition, owner, next, checkpoint, bytes }) => (
          <tr key={partition}>
            <th scope="row">{partition}</th>
            <td>{owner === "" ? "nobody" : owner}</td>
            <td>{formatCount(next - checkpoint)}</td>
            <td>{formatBytes(bytes)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Streams({ status: { streams } }: { status: ClusterStatus }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Stream in NATS</th>
          <th scope="col">Leader</th>
          <th scope="col">Bytes</th>
          <th scope="col">Replicas</th>
        </tr>
      </thead>
      <tbody>
        {streams.map(({ name, leader, bytes, problems }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{leader === "" ? "none" : leader}</td>
            <td>{formatBytes(bytes)}</td>
            <td>{problems.length === 0 ? "as they should be" : problems.join(", ")}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
